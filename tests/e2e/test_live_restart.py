"""A run that dies is gone on with: from what any of its batches had saved, and after SIGKILL."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest

from stockscan_tui.engine.live import LiveEngine, Saved
from stockscan_tui.market import kernel as k
from stockscan_tui.market.batch import BarBatch, Batch
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS
from stockscan_tui.market.checkpoint import read_header
from stockscan_tui.market.coverage import BarSources
from stockscan_tui.sim.faults import Fault
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape
from tests import wire
from tests.e2e.test_headless import environment
from tests.e2e.test_live_cuts import NAMES, SCHEMAS, SYMBOLS, expected, finish, rows_with_ties, same
from tests.playing import ListSink, bars_by_pandas
from tests.streaming import capture

STATE_FIELDS = [
    k.BID, k.ASK, k.MARK, k.QUOTE_NS, k.LAST, k.TRADE_NS, k.FIRST_MARK, k.OPEN_NS, k.OPEN, k.HIGH,
    k.LOW, k.VOLUME, k.TRADE_COUNT, k.DOLLARS, k.NANOS, k.BAR_COUNT,
]  # fmt: skip


def stored(before: ListSink, batches: list[Batch]) -> tuple[Saved, ListSink]:
    """Return what a database that held `before` holds after these batches, and its bars."""
    sink = ListSink(bars=dict(before.bars), spans=dict(before.spans))
    for batch in batches:
        sink.put(batch)
    newest = next(batch for batch in reversed(batches) if batch.checkpoint is not None)
    assert newest.checkpoint is not None
    header = read_header(newest.checkpoint.state)
    assert header is not None
    marks = [m for b in batches if b.checkpoint is not None for _, m in b.checkpoint.marks]
    gaps = {gap.from_ns: gap for batch in batches for gap in batch.gaps}
    saved = Saved(
        state=newest.checkpoint.state,
        marks=marks[-128:],
        bars=bar_rows(sink, header.symbols, header.clock_ns - 64 * MINUTE_NS),
        gaps=tuple(gaps.values()),
        of_day=sources(sink, header.symbols),
    )
    return saved, ListSink(bars=dict(sink.bars), spans=dict(sink.spans))


def sources(sink: ListSink, symbols: tuple[str, ...]) -> BarSources:
    """Return of which minutes the sink has bars, as the store's reader does."""
    slots = {symbol: slot for slot, symbol in enumerate(symbols)}
    keys = list(sink.bars)
    return BarSources(
        np.array([slots[symbol] for symbol, _ in keys], np.int64),
        np.array([minute for _, minute in keys], np.int64),
        np.array([sink.sources.get(key, 0) for key in keys], np.uint8),
    )


def bar_rows(sink: ListSink, symbols: tuple[str, ...], since_ns: int) -> BarBatch:
    """Return the sink's bars as the store's reader gives them."""
    slots = {symbol: slot for slot, symbol in enumerate(symbols)}
    rows = [
        (slots[symbol], minute, *row[:6], row[6] // 10**9, row[6] % 10**9, *sink.spans[key])
        for key, row in sink.bars.items()
        for symbol, minute in (key,)
        if minute >= since_ns // MINUTE_NS
    ]
    columns = np.array(rows, np.int64).reshape(-1, 12).T
    names = (
        "minute", "open", "high", "low", "close", "volume", "trades", "notional_dollars",
        "notional_nanos", "first_ns", "last_ns",
    )  # fmt: skip
    source = np.where(columns[7] < 0, 1, 0).astype(np.uint8)
    return BarBatch(
        slot=columns[0].astype(np.int32),
        **dict(zip(names, columns[1:], strict=True)),
        source=source,
    )


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("seed", range(6))
def test_a_run_goes_on_from_whatever_batch_was_the_last(name: str, seed: int) -> None:
    chance = random.Random(f"restart {name} {seed}")
    rows = rows_with_ties(seed)
    tape = Tape.from_records(rows, SYMBOLS)
    schemas = SCHEMAS[name]
    held = ListSink()
    saved: Saved | None = None
    with GatewayThread(tape, Options(speed=3_000.0)) as gateway:
        for _ in range(3):
            faults = [Fault("reset", at_bytes=chance.randint(0, 60_000))] * 2
            gateway.set_faults(faults, faults_in_turn=True)
            sink = ListSink(bars=dict(held.bars), spans=dict(held.spans))
            taken = capture(gateway.port, schemas, sink=sink, saved=saved, save_s=1e-9)
            until = int(rows["ts_recv"][chance.randrange(len(rows))])
            taken.wait_until(lambda engine, until=until: engine.event_ns >= until)  # type: ignore[misc]
            taken.end()
            whole = [at for at, batch in enumerate(sink.batches) if batch.checkpoint is not None]
            if whole:
                saved, held = stored(held, sink.batches[: chance.choice(whole) + 1])
        gateway.set_faults([])
        taken = capture(gateway.port, schemas, sink=held, saved=saved)
        finish(taken, tape, schemas)
    want = expected(tape, name)
    assert taken.sink.bars.keys() == want.keys()
    assert all(same(name, taken.sink.bars[key], row) for key, row in want.items())
    if name in ("mbp-1", "trades", "tbbo"):
        straight = uninterrupted(tape, schemas)
        assert state_of(taken.engine) == state_of(straight)
        assert verdicts_of(taken.engine) == verdicts_of(straight)


def uninterrupted(tape: Tape, schemas: tuple[str, ...]) -> LiveEngine:
    """Return the engine of a run that nothing happened to."""
    with GatewayThread(tape, Options(speed=math.inf)) as gateway:
        taken = capture(gateway.port, schemas)
        finish(taken, tape, schemas)
    return taken.engine


def state_of(engine: LiveEngine) -> dict[str, list[int]]:
    """Return what is known of each symbol."""
    market = engine._market
    rows = market.rows[:, STATE_FIELDS].tolist()
    return dict(zip(market.symbols.names, rows, strict=True))


def applied_ns(engine: LiveEngine) -> int:
    """Return when the newest record was received that has been applied."""
    return int(engine._market.watermarks[:, k.MARK_NS].max())


def test_what_came_while_nothing_ran_is_not_called_quiet() -> None:
    """A run of one day is gone on with on the next, by a gateway that has only that one."""
    rows = wire.random_rows(4, 900, len(SYMBOLS), minutes=20, share=0.5)
    later = rows.copy()
    for name in ("ts_recv", "ts_event"):
        later[name] += np.uint64(DAY_NS)
    first, second = (Tape.from_records(each, SYMBOLS) for each in (rows, later))
    with GatewayThread(first, Options(speed=math.inf)) as gateway:
        taken = capture(gateway.port, save_s=1e-9)
        taken.wait_until(lambda engine: applied_ns(engine) >= int(rows["ts_recv"][-1]))
        taken.end()
    saved, held = stored(ListSink(), taken.sink.batches)
    on = taken.engine.session_date
    with GatewayThread(second, Options(speed=math.inf)) as gateway:
        taken = capture(gateway.port, saved=saved, sink=held, save_s=1e-9)
        taken.wait_until(lambda engine: applied_ns(engine) >= int(later["ts_recv"][-1]))
        taken.end()
    told = [
        each for batch in taken.sink.batches for each in batch.coverage if each.session_date == on
    ]
    assert told[-1].elapsed == 960
    # Of the first day at most twenty minutes are known.
    assert (told[-1].unknown >= 940).all()


def test_bars_are_verified_once_however_often_a_run_is_gone_on_with() -> None:
    rows = wire.random_rows(4, 900, len(SYMBOLS), minutes=20, share=0.5)
    end_ns = int(rows["ts_recv"][-1])
    saved: Saved | None = None
    held, counts = ListSink(), []
    with GatewayThread(Tape.from_records(rows, SYMBOLS), Options(speed=math.inf)) as gateway:
        for _ in range(3):
            taken = capture(
                gateway.port, save_s=1e-9, saved=saved, sink=held, verify_port=gateway.port
            )
            taken.wait_until(
                lambda engine: (
                    engine.event_ns >= end_ns
                    and engine._market.coverage.is_proved(end_ns // MINUTE_NS - 2)
                )
            )
            taken.end()
            saved, held = stored(held, taken.sink.batches)
            market = taken.engine._market
            counts.append(int(market.coverage.verified(market.count).sum()))
            assert market.verification.source
    assert counts[0] > 0
    assert max(counts) <= len(taken.sink.bars)


def verdicts_of(engine: LiveEngine) -> dict[str, list[int]]:
    """Return the verdict of each symbol's minutes."""
    market = engine._market
    return {
        name: market.coverage.kinds(slot).tolist() for slot, name in enumerate(market.symbols.names)
    }


def bars_in(database: Path) -> dict[tuple[str, int], list[int]]:
    """Return the stored bars in the form of the oracle."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            "SELECT symbol, epoch_us(ts) // 60000000, open, high, low, close, volume, trades, "
            "notional_dollars, notional_nanos FROM bars JOIN symbols ON symbols.id = symbol_id"
        ).fetchall()
    return {
        (row[0], row[1]): [
            *(round(price * 1e9) for price in row[2:6]),
            row[6],
            row[7],
            row[8] * 10**9 + row[9],
        ]
        for row in rows
    }


def gaps_in(database: Path) -> list[tuple[int, int | None]]:
    """Return the stored gaps: when each began and when it was healed."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(
            "SELECT epoch_ns(from_ts), epoch_ns(healed_at) FROM feed_gaps"
        ).fetchall()


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_sigkill_at_random_instants_loses_no_bar(tmp_path: Path) -> None:
    """The long form is for the hand: STOCKSCAN_KILLS=200, and -k sigkill."""
    chance = random.Random(7)
    kills = int(os.environ.get("STOCKSCAN_KILLS", "4"))
    # Each life is given about two seconds of its own after a second of starting up.
    rows = wire.random_rows(5, 6_000 * (kills + 2), len(SYMBOLS), minutes=2 * (kills + 2))
    tape = Tape.from_records(rows, SYMBOLS)
    database = tmp_path / "live.duckdb"
    with GatewayThread(tape, Options(speed=40.0)) as gateway:
        command = [
            *(
                sys.executable,
                "-m",
                "stockscan_tui",
                "live",
                "--headless",
                "--json",
                "--no-backfill",
            ),
            *("--gateway", f"127.0.0.1:{gateway.port}", "--db", str(database)),
            *("--save-every", "0.05"),
        ]
        for _ in range(kills):
            process = subprocess.Popen(
                command, env=environment(tmp_path), stdout=subprocess.DEVNULL, text=True
            )
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(chance.uniform(1.5, 3.5))
            process.send_signal(signal.SIGKILL)
            process.wait()
        process = subprocess.Popen(
            command, env=environment(tmp_path), stdout=subprocess.PIPE, text=True
        )
        wait_for_end(process, int(rows["ts_recv"][-1]))
    assert bars_in(database) == bars_by_pandas(rows, NAMES)
    gaps = gaps_in(database)
    assert all(healed is not None for _, healed in gaps)


def wait_for_end(process: subprocess.Popen[str], last_ns: int) -> None:
    """Let the last life come to the tape's end, then ask it to stop."""
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["ts"] >= last_ns:
            break
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f'"last_ts":{last_ns}' in out
