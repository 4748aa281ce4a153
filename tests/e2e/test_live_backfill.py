"""A gap that no replay fills: leaders get its minutes from the gateway's bars, or from history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from stockscan_tui.engine.catching import Catching
from stockscan_tui.feed.bar_file import as_records
from stockscan_tui.feed.stream import Link
from stockscan_tui.market.batch import BarSource
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.sim.faults import Fault
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape
from tests.e2e.test_live_cuts import NAMES, SYMBOLS, saved_gaps
from tests.e2e.test_live_start import NOON_NS, day
from tests.playing import bars_by_pandas
from tests.streaming import Capture, capture

# Twice refused, the client takes what comes from now on.
AGED_OUT = Fault("error", code=8, text="aged out", at_record=1)


def with_a_gap(gateway: GatewayThread, taken: Capture) -> None:
    """Break the connection some minutes after the start, without a way to fill it."""
    began_ns = NOON_NS + 8 * MINUTE_NS
    taken.wait_until(lambda engine: engine.event_ns >= began_ns)
    gateway.set_faults([Fault("refuse", times=4), AGED_OUT, AGED_OUT], faults_in_turn=True)
    gateway.drop_all()
    taken.wait_until(lambda engine: engine.health().gaps == 1)
    taken.wait_until(lambda engine: any(gap.to_ns for gap in saved_gaps(taken.sink).values()))


def is_whole(taken: Capture, want: dict[tuple[str, int], list[int]]) -> bool:
    """Whether the minutes of the gap are as the whole tape has them."""
    gaps = list(saved_gaps(taken.sink).values())
    if len(gaps) != 1 or not gaps[0].to_ns:
        return False
    first, last = gaps[0].from_ns // MINUTE_NS, gaps[0].to_ns // MINUTE_NS
    inside = [key for key in want if first <= key[1] <= last]
    return all(
        key in taken.sink.bars and taken.sink.bars[key][:5] == want[key][:5] for key in inside
    )


def check(taken: Capture, want: dict[tuple[str, int], list[int]]) -> None:
    """Hold the minutes of the gap against the whole tape's bars."""
    (gap,) = saved_gaps(taken.sink).values()
    assert gap.healed_ns == 0
    first, last = gap.from_ns // MINUTE_NS, gap.to_ns // MINUTE_NS
    inside = [key for key in want if first <= key[1] <= last]
    assert inside
    for key in inside:
        assert taken.sink.bars[key][:5] == want[key][:5]
    lost = [key for key in inside if first < key[1] < last]
    assert {taken.sink.sources[key] for key in lost} <= {BarSource.BACKFILL}
    now = taken.engine.event_ns // MINUTE_NS
    after = [key for key in want if last < key[1] < now]
    assert all(taken.sink.bars[key] == want[key] for key in after)


def test_leaders_get_the_minutes_of_a_gap_from_the_gateway() -> None:
    rows = day()
    tape = Tape.from_records(rows, SYMBOLS)
    with GatewayThread(tape, Options(speed=300.0, from_ns=NOON_NS, live_only=True)) as gateway:
        taken = capture(gateway.port, heal=True, save_s=0.01)
        with_a_gap(gateway, taken)
        taken.wait_until(lambda engine: engine._healing.healed > 0)
        taken.wait_until(lambda engine: not engine._healing.running)
        taken.end()
    check(taken, bars_by_pandas(rows, NAMES))


def test_history_is_asked_where_the_gateway_has_no_bars() -> None:
    rows = day()
    tape = Tape.from_records(rows, SYMBOLS)
    want = bars_by_pandas(rows, NAMES)
    asked: list[tuple[Sequence[str], int, int]] = []

    def history(
        symbols: Sequence[str], from_ns: int, to_ns: int
    ) -> tuple[Sequence[str], NDArray[np.void]]:
        asked.append((symbols, from_ns, to_ns))
        keys = [key for key in want if from_ns <= key[1] * MINUTE_NS < to_ns and key[0] in symbols]
        found = np.array([want[key][:5] for key in keys], np.int64).T
        numbers = np.array([list(symbols).index(key[0]) for key in keys])
        minutes = np.array([key[1] for key in keys])
        return symbols, as_records(numbers, minutes, list(found[:4]), found[4])

    options = Options(speed=300.0, from_ns=NOON_NS, live_only=True, replay_window_s=1.0)
    with GatewayThread(tape, options) as gateway:
        taken = capture(gateway.port, heal=True, ask_history=history, save_s=0.01)
        with_a_gap(gateway, taken)
        taken.wait_until(lambda engine: bool(asked))
        # The gap's last minute is asked for once it is over.
        taken.wait_until(lambda engine: engine._healing.healed > 0 and is_whole(taken, want))
        taken.end()
    check(taken, want)
    assert all(len(set(symbols)) == len(symbols) for symbols, _, _ in asked)
    assert len({symbol for symbols, _, _ in asked for symbol in symbols}) == sum(
        len(symbols) for symbols, _, _ in asked
    )


@pytest.mark.parametrize("schema", ["mbp-1", "ohlcv-1m"])
def test_trades_of_leaders_count_no_volume_twice(schema: str) -> None:
    rows = day(3)
    tape = Tape.from_records(rows, SYMBOLS)
    options = Options(speed=1_500.0)
    with GatewayThread(tape, options) as gateway:
        taken = capture(gateway.port, (schema,), follow_leaders=True)
        taken.wait_until(lambda engine: len(engine._tracks) == 2)
        taken.wait_until(lambda engine: engine.event_ns >= NOON_NS - 40 * MINUTE_NS)
        gateway.drop_all()
        ends = int(rows["ts_recv"][-1]) // MINUTE_NS * MINUTE_NS
        taken.wait_until(lambda engine: engine._market.clock_ns >= ends)
        taken.wait_until(
            lambda engine: all(t.stream.status.link is Link.OPEN for t in engine._tracks)
        )
        taken.end()
    want = bars_by_pandas(rows, NAMES)
    now = taken.engine.event_ns // MINUTE_NS
    for key, row in want.items():
        if key[1] < now - 1:
            assert taken.sink.bars[key][:5] == row[:5]
    if schema == "ohlcv-1m":
        assert BarSource.TRADES in taken.sink.sources.values()


def track_open(track: Catching) -> bool:
    return track.stream.status.link is Link.OPEN
