"""Starts and restarts at awkward moments: the numbers and the gaps stay true."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stockscan_tui.engine import leader_trades
from stockscan_tui.engine.live import LiveEngine
from stockscan_tui.feed.live import Patience
from stockscan_tui.feed.stream import Link
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, Session
from stockscan_tui.market.state import Market
from stockscan_tui.market.view import volume_today
from stockscan_tui.sim.faults import Fault
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape
from tests import wire
from tests.e2e.test_live_cuts import NAMES, SYMBOLS, finish, rows_with_ties, saved_gaps
from tests.e2e.test_live_restart import stored
from tests.e2e.test_live_start import NOON_NS, day
from tests.playing import ListSink, bars_by_pandas
from tests.streaming import QUICK, capture


def missing(taken_bars: ListSink, rows: wire.Records, first: int, last: int) -> list[object]:
    """Return the keys of bars in [first, last) that are not there or differ in price or volume."""
    want = bars_by_pandas(rows, NAMES)
    return [
        key
        for key, row in want.items()
        if first <= key[1] < last and taken_bars.bars.get(key, [])[:5] != row[:5]
    ]


def test_a_run_killed_while_it_takes_the_session_in_takes_it_in_again() -> None:
    rows = day()
    tape = Tape.from_records(rows, SYMBOLS)
    with GatewayThread(tape, Options(speed=100.0, from_ns=NOON_NS, live_only=True)) as gateway:
        early: list[int] = []
        # On a busy machine all of the session so far may come in one piece.
        while not early:
            taken = capture(gateway.port, history=True, save_s=1e-9)
            taken.wait_until(lambda engine: engine.event_ns > NOON_NS)
            taken.end()
            batches = taken.sink.batches
            early = [
                at
                for at, batch in enumerate(batches)
                if batch.checkpoint and not any(mark.rtype == 1 for mark in batch.watermarks)
            ]
        saved, held = stored(ListSink(), batches[: early[len(early) // 2] + 1])
        end_ns = NOON_NS + 6 * MINUTE_NS
        taken = capture(gateway.port, history=True, sink=held, saved=saved)
        taken.wait_until(lambda engine: engine.event_ns >= end_ns)
        taken.end()
    assert not missing(taken.sink, rows, 0, end_ns // MINUTE_NS - 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [(("mbp-1", "trades"), ("mbp-1",)), (("mbp-1",), ("trades",)), (("mbp-1",), ("ohlcv-1m",))],
)
def test_another_subscription_does_not_go_on_from_what_does_not_fit(
    before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    rows = day()
    tape = Tape.from_records(rows, SYMBOLS)
    with GatewayThread(tape, Options(speed=1_500.0)) as gateway:
        taken = capture(gateway.port, before)
        taken.wait_until(lambda engine: engine.event_ns > wire.OPEN_NS + 30 * MINUTE_NS)
        taken.end()
        saved, held = stored(ListSink(), taken.sink.batches)
        taken = capture(gateway.port, after, sink=held, saved=saved, history=after == ("mbp-1",))
        end_ns = wire.OPEN_NS + 110 * MINUTE_NS
        taken.wait_until(lambda engine: engine.event_ns > end_ns)
        taken.end()
    assert not missing(taken.sink, rows, 0, end_ns // MINUTE_NS - 1)


def test_former_leaders_keep_their_bars_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = day(3)
    tape = Tape.from_records(rows, SYMBOLS)

    def only(*symbols: str) -> None:
        def leaders(market: Market) -> set[int]:
            found = (market.symbols.find(symbol) for symbol in symbols)
            return {slot for slot in found if slot is not None}

        monkeypatch.setattr(leader_trades, "leaders", leaders)

    with GatewayThread(tape, Options(speed=800.0, live_only=True)) as gateway:
        only("S1", "S2")
        taken = capture(gateway.port, follow_leaders=True)
        taken.wait_until(lambda engine: engine.event_ns > wire.OPEN_NS + 30 * MINUTE_NS)
        taken.end()
        saved, held = stored(ListSink(), taken.sink.batches)
        only("S3")
        taken = capture(gateway.port, follow_leaders=True, sink=held, saved=saved)
        taken.wait_until(lambda engine: engine.event_ns > wire.OPEN_NS + 100 * MINUTE_NS)
        taken.end()
    first = wire.OPEN_NS // MINUTE_NS
    assert not missing(taken.sink, rows, first + 35, first + 98)


def test_a_trade_of_the_first_own_minute_counts_although_it_happened_before_it() -> None:
    rows = day()
    minute_ns = NOON_NS // MINUTE_NS * MINUTE_NS
    at = int(np.searchsorted(rows["ts_recv"], minute_ns))
    extra = wire.rows_with_trade(
        wire.trades([(minute_ns + 80_000, n, 555.0 + n, 7) for n in range(1, 9)]), 20, 20.1
    )
    extra["ts_event"] = minute_ns - 40_000
    rows = np.concatenate([rows[:at], extra, rows[at:]])
    tape = Tape.from_records(rows, SYMBOLS)
    end_ns = NOON_NS + 3 * MINUTE_NS
    with GatewayThread(tape, Options(speed=60.0, from_ns=NOON_NS, live_only=True)) as gateway:
        taken = capture(gateway.port, history=True)
        taken.wait_until(lambda engine: engine.event_ns > end_ns)
        taken.end()
    assert not missing(taken.sink, rows, 0, end_ns // MINUTE_NS - 1)


def test_a_session_that_heartbeats_turned_keeps_its_figures_over_a_restart() -> None:
    early = [
        (wire.OPEN_NS - 30 * MINUTE_NS + n * 10 * SECOND_NS, 1, 10 + n * 0.01, 100)
        for n in range(60)
    ]
    late = [(wire.OPEN_NS + 20 * MINUTE_NS + n * SECOND_NS, 1, 10.6, 100) for n in range(5)]
    rows = wire.rows_with_trade(wire.trades(early + late))
    tape = Tape.from_records(rows, {"S1": 1})

    def volumes(engine: LiveEngine) -> tuple[int, int]:
        market = engine._market
        pre = market.figures(Session.PRE)[0][k.VOLUME - k.OPEN_NS]
        return int(pre), int(volume_today(market)[0])

    with GatewayThread(tape, Options(speed=600.0, heartbeat_s=0.02)) as gateway:
        taken = capture(gateway.port)
        taken.wait_until(lambda engine: engine.event_ns >= wire.OPEN_NS + 3 * MINUTE_NS)
        taken.end()
        assert volumes(taken.engine) == (6_000, 6_000)
        saved, held = stored(ListSink(), taken.sink.batches)
        taken = capture(gateway.port, sink=held, saved=saved)
        taken.wait_until(lambda engine: engine._market.clock_ns >= late[-1][0])
        taken.end()
    assert volumes(taken.engine) == (6_000, 6_500)


def test_quiet_hours_are_no_gap() -> None:
    """Nothing for minutes but heartbeats, then a break that no replay reaches behind."""
    rows = rows_with_ties(4, 200)
    rows = rows[rows["ts_recv"] < rows["ts_recv"][0] + np.uint64(90 * SECOND_NS)]
    tape = Tape.from_records(rows, SYMBOLS)
    options = Options(speed=100.0, heartbeat_s=0.02, replay_window_s=120.0)
    quiet_ns = int(rows["ts_recv"][-1]) + 250 * SECOND_NS
    with GatewayThread(tape, options) as gateway:
        taken = capture(gateway.port)
        taken.wait_until(lambda engine: engine._tracks[0].heartbeat_ns > quiet_ns)
        gateway.drop_all()
        taken.wait_until(lambda engine: engine.health().healed == 1)
        taken.end()
    assert taken.sink.bars == bars_by_pandas(rows, NAMES)
    (gap,) = saved_gaps(taken.sink).values()
    assert gap.from_ns > quiet_ns


def test_retries_become_ever_more_seldom_after_records_had_flowed() -> None:
    tape = Tape.from_records(day(), SYMBOLS)
    patience = Patience(first_retry_s=0.02, longest_retry_s=5.0, look_s=0.02)
    with GatewayThread(tape, Options(speed=50.0)) as gateway:
        taken = capture(gateway.port, patience=patience)
        taken.wait_until(lambda engine: engine.health().records > 100)
        before = gateway.connections
        gateway.set_faults([Fault("refuse", times=10_000)])
        gateway.drop_all()

        def waits_long(engine: LiveEngine) -> bool:
            status = engine._tracks[0].stream.status
            return status.link is Link.DOWN and status.retry_ns - status.since_ns > 2 * 10**9

        taken.wait_until(waits_long)
        assert gateway.connections - before < 12
        taken.end()


def test_a_restart_leaves_no_second_session_open() -> None:
    rows = day()
    tape = Tape.from_records(rows, SYMBOLS)
    with GatewayThread(tape, Options(speed=500.0)) as gateway:
        taken = capture(gateway.port)
        taken.wait_until(lambda engine: engine.health().records > 1_000)
        taken.end()
        saved, held = stored(ListSink(), taken.sink.batches)
        taken = capture(gateway.port, history=True, sink=held, saved=saved, patience=QUICK)
        taken.wait_until(lambda engine: engine.health().records > 1_000)
        history = taken.feed._streams[-1]
        taken.wait_until(lambda _engine: history.status.link is Link.ENDED)
        taken.end()


def test_a_late_record_behind_a_break_counts_once() -> None:
    rows = rows_with_ties(1, 60)
    late = wire.rows_with_trade(wire.trades([(int(rows["ts_recv"][20]) + 7, 1, 20.0, 100)]))
    order = np.concatenate([rows[:30], late, rows[30:]])
    tape = Tape.from_records(order, SYMBOLS)
    for at in (29, 30, 31, 32, 33):
        cut = (Fault("reset", at_record=at + 1),)
        options = Options(speed=math.inf, faults=cut, faults_in_turn=True)
        with GatewayThread(tape, options) as gateway:
            taken = capture(gateway.port)
            finish(taken, tape, ("mbp-1",))
        assert taken.sink.bars == bars_by_pandas(order, NAMES), at
