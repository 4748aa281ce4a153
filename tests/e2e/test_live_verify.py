"""Bars held against Databento's own while they come: a gap that nothing replays is proven again."""

from __future__ import annotations

import math

import numpy as np

from stockscan_tui.engine.live import LiveEngine
from stockscan_tui.market import coverage as c
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.sim.faults import Fault
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape
from tests import wire
from tests.e2e.test_live_backfill import with_a_gap
from tests.e2e.test_live_cuts import NAMES, SYMBOLS, saved_gaps
from tests.e2e.test_live_start import NOON_NS, day
from tests.playing import bars_by_pandas
from tests.streaming import Capture, capture


def proved(engine: LiveEngine) -> set[int]:
    return set(engine._market.coverage.proved.tolist())


def kinds(taken: Capture, symbol: str) -> dict[int, int]:
    """Return a kind for each minute (since 1970) of a symbol that is over."""
    market = taken.engine._market
    slot = market.symbols.find(symbol)
    assert slot is not None
    first = market.coverage.first
    return dict(enumerate(market.coverage.kinds(slot).tolist(), first))


def test_bars_that_came_whole_verify_as_equal() -> None:
    rows = day()
    tape = Tape.from_records(rows, SYMBOLS)
    with GatewayThread(tape, Options(speed=math.inf)) as gateway:
        taken = capture(gateway.port, verify_port=gateway.port)
        end_ns = int(rows["ts_recv"][-1])
        taken.wait_until(lambda engine: engine.event_ns >= end_ns)
        taken.wait_until(lambda engine: end_ns // MINUTE_NS - 2 in proved(engine))
        taken.end()
    figures = taken.engine._market.verification
    assert figures.equal > 0
    assert (figures.differing, figures.lacking, figures.surplus) == (0, 0, 0)
    assert taken.sink.bars == bars_by_pandas(rows, NAMES)


def test_a_gap_that_no_replay_fills_is_healed_and_every_bar_is_verified() -> None:
    rows = day()
    tape = Tape.from_records(rows, SYMBOLS)
    want = bars_by_pandas(rows, NAMES)
    options = Options(speed=300.0, from_ns=NOON_NS, live_only=True)
    with (
        GatewayThread(tape, options) as gateway,
        GatewayThread(tape, options) as other,
    ):
        taken = capture(gateway.port, verify_port=other.port, save_s=0.01)
        with_a_gap(gateway, taken)
        (gap,) = saved_gaps(taken.sink).values()
        first, last = gap.from_ns // MINUTE_NS, gap.to_ns // MINUTE_NS
        taken.wait_until(lambda engine: set(range(first, last + 1)) <= proved(engine))
        taken.end()
    assert gap.healed_ns == 0
    lost = [key for key in want if first < key[1] < last]
    for symbol in SYMBOLS:
        told = kinds(taken, symbol)
        for minute in range(first, last + 1):
            key = (symbol, minute)
            if key not in want:
                assert told[minute] == c.QUIET
            elif first < minute < last:
                assert told[minute] == c.BACKFILLED
                assert taken.sink.bars[key][:5] == want[key][:5]
            else:
                assert told[minute] in (c.TRADED, c.BACKFILLED)
                assert taken.sink.bars[key][:5] == want[key][:5]
    found = taken.engine._market.verification
    assert found.healed >= len(lost)
    told_of = [each for batch in taken.sink.batches for each in batch.differences]
    assert sum(len(each) for each in told_of) >= len(lost)


def test_a_session_of_bars_that_is_refused_is_told_and_costs_nothing() -> None:
    rows = day()
    tape = Tape.from_records(rows, SYMBOLS)
    refusing = Options(speed=math.inf, key="db-another000000000000000000000")
    with (
        GatewayThread(tape, Options(speed=math.inf)) as gateway,
        GatewayThread(tape, refusing) as other,
    ):
        taken = capture(gateway.port, verify_port=other.port)
        taken.wait_until(lambda engine: engine.event_ns >= int(rows["ts_recv"][-1]))
        taken.wait_until(lambda engine: any("not verified" in p for p in engine.health().problems))
        taken.end()
    assert taken.sink.bars == bars_by_pandas(rows, NAMES)
    assert not proved(taken.engine)


def test_cuts_of_the_session_of_bars_leave_no_minute_out() -> None:
    rows = wire.random_rows(4, 900, len(SYMBOLS), minutes=30, share=0.5)
    tape = Tape.from_records(rows, SYMBOLS)
    cuts = tuple(Fault("drop", at_record=n) for n in (40, 5, 90, 1))
    with (
        GatewayThread(tape, Options(speed=math.inf)) as gateway,
        GatewayThread(tape, Options(speed=math.inf, faults=cuts, faults_in_turn=True)) as other,
    ):
        taken = capture(gateway.port, verify_port=other.port)
        minutes = np.unique(rows["ts_recv"].astype(np.int64) // MINUTE_NS)
        taken.wait_until(lambda engine: set(minutes[1:-2].tolist()) <= proved(engine))
        taken.end()
    figures = taken.engine._market.verification
    assert (figures.differing, figures.lacking, figures.surplus) == (0, 0, 0)
    assert taken.sink.bars == bars_by_pandas(rows, NAMES)
