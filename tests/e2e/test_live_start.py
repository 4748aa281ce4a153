"""A first start in mid-session, a gateway that falls silent, and a recording of it all."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from stockscan_tui.feed.recorder import Recorder
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.snapshot import Phase
from stockscan_tui.sim.faults import Fault
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape
from tests import wire
from tests.e2e.test_live_cuts import NAMES, SYMBOLS, finish, rows_with_ties, saved_gaps
from tests.playing import bars_by_pandas, play, weekdays
from tests.streaming import QUICK, capture

NOON_NS = wire.OPEN_NS + 90 * MINUTE_NS + 37 * SECOND_NS


def day(seed: int = 1) -> wire.Records:
    """Return two hours of a session."""
    return wire.random_rows(seed, 24_000, len(SYMBOLS), minutes=120)


def test_a_start_in_mid_session_has_the_whole_session() -> None:
    rows = day()
    tape = Tape.from_records(rows, SYMBOLS)
    with GatewayThread(tape, Options(speed=2_000.0, from_ns=NOON_NS, live_only=True)) as gateway:
        taken = capture(gateway.port, history=True)
        finish(taken, tape, ("mbp-1",))
    want = bars_by_pandas(rows, NAMES)
    assert taken.sink.bars.keys() == want.keys()
    assert taken.engine._so_far is not None
    first_own = taken.engine._so_far.end_ns // MINUTE_NS
    assert first_own >= NOON_NS // MINUTE_NS
    for key, row in want.items():
        # Backfilled minutes come without count and notional.
        whole = key[1] >= first_own
        assert taken.sink.bars[key][: None if whole else 5] == row[: None if whole else 5]
    market = taken.engine._market
    for symbol, slot in zip(market.symbols.names, range(market.count), strict=True):
        hits = rows[(rows["action"] == b"T") & (rows["size"] > 0)]
        own = hits[hits["instrument_id"] == SYMBOLS[symbol]]
        assert market.rows[slot, k.VOLUME] == own["size"].sum()
        assert market.rows[slot, k.HIGH] == own["price"].max()
        assert market.rows[slot, k.LOW] == own["price"].min()
        assert market.rows[slot, k.OPEN] == own["price"][0]
    assert not saved_gaps(taken.sink)
    assert taken.engine.health().late == 0


def test_without_the_session_so_far_the_feed_starts_all_the_same() -> None:
    """The gateway serves no minute bars: it is not waited for them."""
    seconds = Tape.from_records(day(), SYMBOLS).stream("ohlcv-1s")
    assert seconds is not None
    tape = Tape.from_records(seconds.records, SYMBOLS)
    options = Options(speed=2_000.0, from_ns=NOON_NS, live_only=True)
    with GatewayThread(tape, options) as gateway:
        taken = capture(gateway.port, ("ohlcv-1s",), history=True)
        finish(taken, tape, ("ohlcv-1s",))
    assert taken.sink.bars
    assert any("so far" in problem for problem in taken.engine.health().problems)


def test_a_gateway_that_falls_silent_is_left_and_nothing_is_lost() -> None:
    rows = rows_with_ties(5)
    tape = Tape.from_records(rows, SYMBOLS)
    options = Options(
        speed=math.inf,
        faults=(Fault("stall", at_record=200),),
        faults_in_turn=True,
        heartbeat_s=600,
    )
    with GatewayThread(tape, options) as gateway:
        taken = capture(gateway.port, patience=replace(QUICK, silent_s=0.2))
        finish(taken, tape, ("mbp-1",))
        assert gateway.connections == 2
    assert taken.sink.bars == bars_by_pandas(rows, NAMES)
    (gap,) = saved_gaps(taken.sink).values()
    assert gap.healed_ns
    assert "nothing came for" in gap.reason


def test_a_machine_that_has_slept_connects_at_once() -> None:
    rows = day()
    tape = Tape.from_records(rows, SYMBOLS)
    with GatewayThread(tape, Options(speed=200.0)) as gateway:
        taken = capture(
            gateway.port, patience=replace(QUICK, first_retry_s=600, longest_retry_s=600)
        )
        taken.wait_until(lambda engine: engine.health().records > 100)
        gateway.drop_all()
        taken.wait_until(lambda engine: engine.phase is Phase.DOWN)
        taken.feed.retry_now()
        taken.wait_until(lambda engine: engine.health().healed == 1)
        taken.end()


def test_what_is_recorded_replays_to_the_same_bars(tmp_path: Path) -> None:
    rows = rows_with_ties(6)
    tape = Tape.from_records(rows, SYMBOLS)
    cuts = tuple(Fault("reset", at_record=n) for n in (50, 300, 20))
    recorder = Recorder(tmp_path, dataset="EQUS.MINI", calendar=weekdays())
    with GatewayThread(tape, Options(speed=math.inf, faults=cuts, faults_in_turn=True)) as gateway:
        taken = capture(gateway.port, recorder=recorder)
        finish(taken, tape, ("mbp-1",))
    recorder.close(10)
    assert not recorder.problems()
    files = sorted(tmp_path.glob("*.dbn.zst"))
    assert play(files).sink.bars == bars_by_pandas(rows, NAMES)


def test_a_day_that_turns_in_mid_stream_keeps_both_days() -> None:
    rows = day()
    late = rows.copy()
    step = np.uint64(24 * 60 * MINUTE_NS)
    for name in ("ts_recv", "ts_event"):
        late[name] += step
    both = np.concatenate([rows, late])
    tape = Tape.from_records(both, SYMBOLS)
    cuts = tuple(Fault("drop", at_record=n) for n in (20_000, 6_000, 9_000))
    with GatewayThread(tape, Options(speed=math.inf, faults=cuts, faults_in_turn=True)) as gateway:
        taken = capture(gateway.port)
        finish(taken, tape, ("mbp-1",))
    assert taken.sink.bars == bars_by_pandas(both, NAMES)
    dates = {batch.checkpoint.session_date for batch in taken.sink.batches if batch.checkpoint}
    assert len(dates) == 2
