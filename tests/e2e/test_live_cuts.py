"""The connection is cut at random bytes and records: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from stockscan_tui.engine.catching import Catching
from stockscan_tui.engine.live import LiveEngine
from stockscan_tui.market import kernel as k
from stockscan_tui.market.batch import Gap
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.sim.faults import Fault
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape
from tests import wire
from tests.playing import ListSink, bars_by_pandas
from tests.streaming import Capture, capture

SYMBOLS = {f"S{n}": n for n in range(1, 9)}
NAMES = {number: symbol for symbol, number in SYMBOLS.items()}
SCHEMAS: dict[str, tuple[str, ...]] = {
    "mbp-1": ("mbp-1",),
    "trades": ("trades",),
    "tbbo": ("tbbo",),
    "dual": ("mbp-1", "trades"),
    "ohlcv-1m": ("ohlcv-1m",),
    "ohlcv-1s": ("ohlcv-1s",),
}
CUTS = ("drop", "reset", "half", "garbage")


def rows_with_ties(seed: int, count: int = 600) -> wire.Records:
    """Return rows of eight symbols over six minutes, many of which share their timestamp."""
    rows = wire.random_rows(seed, count, len(SYMBOLS), minutes=6, share=0.5)
    step = np.uint64(SECOND_NS // 2)
    rows["ts_recv"] = rows["ts_recv"] // step * step
    rows["ts_event"] = rows["ts_recv"] - np.uint64(1000)
    return rows


def faults(chance: random.Random, size: int) -> list[Fault]:
    """Return what goes wrong on the first connections, one fault each."""
    found: list[Fault] = []
    for _ in range(chance.randint(1, 4)):
        kind = chance.choice(CUTS)
        if kind == "half":
            found.append(Fault("half", at_record=chance.randint(1, 700)))
        elif kind == "garbage":
            # Noise in the place of records would be believed where it looks like one.
            found.append(Fault("drop", at_bytes=chance.randint(0, size)))
        else:
            found.append(Fault(kind, at_bytes=chance.randint(0, size)))  # type: ignore[arg-type]
        if chance.random() < 0.3:
            found.append(Fault("refuse", times=chance.randint(1, 3)))
    return found


def last_ns(engine: LiveEngine) -> int:
    return engine.event_ns


def saved_gaps(sink: ListSink) -> dict[int, Gap]:
    """Return the gaps as the store would hold them, by where they begin."""
    return {gap.from_ns: gap for batch in sink.batches for gap in batch.gaps}


def finish(capture_: Capture, tape: Tape, schemas: Sequence[str]) -> None:
    """Wait until every stream is at its end and no gap is open, then stop."""
    ends: dict[str, tuple[int, int]] = {}
    for schema in schemas:
        stream = tape.stream(schema)
        assert stream is not None
        name = "ts_event" if schema.startswith("ohlcv") else "ts_recv"
        newest = stream.records[name][-1]
        # Many may share the last instant.
        count = int(np.count_nonzero(stream.records[name] == newest))
        last = stream.due_ns(-1) - (1 if schema.startswith("ohlcv") else 0)
        ends[schema] = (last, count)

    def reached(engine: LiveEngine) -> bool:
        marks = engine._market.watermarks
        return all(
            (track.last_ns(marks), seen_at(marks, track)) == ends[track.stream.schema]
            and track.gap is None
            and not track.stream.waiting
            for track in engine._tracks
        )

    capture_.wait_until(reached)
    capture_.end()


def seen_at(marks: k.Int64s, track: Catching) -> int:
    """Return how many records of a stream were seen at its newest instant."""
    own = marks[(marks[:, k.MARK_KEY] >> 16) == track.stream.rtype]
    return int(own[:, k.MARK_COUNT].sum())


def expected(tape: Tape, name: str) -> dict[tuple[str, int], list[int]]:
    """Return the bars of an uninterrupted run."""
    stream = tape.stream("ohlcv-1m" if name.startswith("ohlcv") else tape.schema)
    assert stream is not None
    if not name.startswith("ohlcv"):
        return bars_by_pandas(stream.records, NAMES)
    columns = ("open", "high", "low", "close", "volume")
    return {
        (NAMES[int(row["instrument_id"])], int(row["ts_event"]) // MINUTE_NS): [
            *(int(row[column]) for column in columns),
            -1,
            -(10**9),
        ]
        for row in stream.records
    }


def same(name: str, got: list[int], want: list[int]) -> bool:
    return got[:5] == want[:5] if name.startswith("ohlcv") else got == want


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("seed", range(int(os.environ.get("STOCKSCAN_SEEDS", "30"))))
def test_cuts_change_no_bar(name: str, seed: int) -> None:
    chance = random.Random(f"{name} {seed}")
    rows = rows_with_ties(seed)
    tape = Tape.from_records(rows, SYMBOLS)
    options = Options(
        speed=math.inf if seed % 2 else 2_000.0,
        faults=tuple(faults(chance, 2_500 + 80 * len(rows))),
        faults_in_turn=True,
    )
    schemas = SCHEMAS[name]
    with GatewayThread(tape, options) as gateway:
        taken = capture(gateway.port, schemas)
        try:
            finish(taken, tape, schemas)
        finally:
            taken.end()
    want = expected(tape, name)
    assert taken.sink.bars.keys() == want.keys()
    wrong = {
        key: (taken.sink.bars[key], row)
        for key, row in want.items()
        if not same(name, taken.sink.bars[key], row)
    }
    assert not wrong
    gaps = saved_gaps(taken.sink)
    # A cut after the very last record may not have mended when the run is stopped.
    lasting = [gap for gap in gaps.values() if not gap.healed_ns]
    assert all(gap.to_ns == 0 and gap.from_ns >= taken.engine.event_ns for gap in lasting)
    health = taken.engine.health()
    assert health.late == 0 or name == "dual"
    assert (health.gaps, health.healed) == (len(gaps), len(gaps) - len(lasting))


def test_what_a_gateway_cannot_replay_stays_a_gap() -> None:
    rows = rows_with_ties(1, 4_000)
    rows["ts_recv"] = wire.OPEN_NS + np.arange(len(rows), dtype=np.uint64) * np.uint64(
        SECOND_NS // 10
    )
    rows["ts_event"] = rows["ts_recv"]
    tape = Tape.from_records(rows, SYMBOLS)
    options = Options(speed=100.0, replay_window_s=5.0)
    with GatewayThread(tape, options) as gateway:
        taken = capture(gateway.port)
        taken.wait_until(lambda engine: engine.health().records > 500)
        # A second and a half of the machine's time is 150 s of the market's.
        gateway.set_faults([Fault("refuse", times=30)])
        gateway.drop_all()
        taken.wait_until(lambda engine: engine.health().gaps == 1)
        taken.wait_until(lambda engine: engine.event_ns >= int(rows["ts_recv"][-1]))
        taken.end()
    (gap,) = saved_gaps(taken.sink).values()
    assert gap.healed_ns == 0
    missing = rows[(rows["ts_recv"] > gap.from_ns) & (rows["ts_recv"] < gap.to_ns)]
    assert len(missing) > 0
    held = rows[(rows["ts_recv"] <= gap.from_ns) | (rows["ts_recv"] >= gap.to_ns)]
    assert taken.sink.bars == bars_by_pandas(held, NAMES)


def test_a_remapped_id_goes_on_as_its_symbol() -> None:
    rows = rows_with_ties(3)
    at = len(rows) // 2
    late = rows["ts_recv"] >= rows["ts_recv"][at]
    rows["instrument_id"][late & (rows["instrument_id"] == 1)] = 101
    remaps = [(int(rows["ts_recv"][at]), "S1", 101)]
    tape = Tape.from_records(rows, SYMBOLS, remaps=remaps)
    cuts = tuple(Fault("reset", at_record=n) for n in (100, 290, 30))
    options = Options(speed=math.inf, faults=cuts, faults_in_turn=True)
    with GatewayThread(tape, options) as gateway:
        taken = capture(gateway.port)
        finish(taken, tape, ("mbp-1",))
    rows["instrument_id"][rows["instrument_id"] == 101] = 1
    assert taken.sink.bars == bars_by_pandas(rows, NAMES)


def test_a_refused_key_ends_the_run_with_a_sentence() -> None:
    tape = Tape.from_records(rows_with_ties(1), SYMBOLS)
    with GatewayThread(tape, replace(Options(), key="db-another")) as gateway:
        taken = capture(gateway.port)
        assert taken.engine.join(30)
        taken.feed.stop()
        assert taken.feed.join(30)
    assert "DATABENTO_API_KEY" in taken.engine.failure()
    assert "db-" not in taken.engine.failure()
