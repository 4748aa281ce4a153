"""What the numbers of a symbol mean: mark, bad prints, sessions, previous closes, new days."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market import kernel
from stockscan_tui.market.calendar import MINUTE_NS, NEW_YORK, SECOND_NS, Session
from stockscan_tui.market.metrics import parse_metric, rank, values_of
from stockscan_tui.market.snapshot import CloseSource, Feed
from tests import wire
from tests.playing import ListSink, Played, StillClock, play, weekdays

SYMBOLS = {"AAA": 1, "BBB": 2}


def at(clock: str, day: date = wire.DAY) -> int:
    """Return a New York wall-clock time in ns."""
    moment = datetime.combine(day, time.fromisoformat(clock), NEW_YORK)
    return int(moment.timestamp()) * SECOND_NS


def run(tmp_path: Path, *parts: wire.Records, **how: object) -> Played:
    """Play records of AAA (1) and BBB (2), known on 15 to 30 June 2026."""
    spans = {
        symbol: [(date(2026, 6, 1), date(2026, 7, 31), number)]
        for symbol, number in SYMBOLS.items()
    }
    meta = wire.metadata(None, mappings=spans)
    return play(wire.write(tmp_path / "x.dbn", meta, *parts), **how)  # type: ignore[arg-type]


def metric(played: Played, name: str, symbol: str) -> float:
    """Return a metric's value for one symbol."""
    row = list(played.snapshot.symbols).index(symbol)
    return float(values_of(parse_metric(name), played.snapshot)[row])


def test_a_tight_quote_sets_the_mark_and_a_trade_does_not(tmp_path: Path) -> None:
    played = run(
        tmp_path,
        wire.quotes([(at("09:31"), 1, 10.0, 10.1)]),
        wire.trades([(at("09:31:01"), 1, 10.4, 5)]),
    )
    assert played.value("mark", "AAA") == 10.05
    assert played.value("last", "AAA") == 10.4


@pytest.mark.parametrize(("bid", "ask"), [(10.0, 10.3), (10.0, 0), (0, 10.1), (10.2, 10.1)])
def test_a_wide_one_sided_or_crossed_quote_leaves_the_mark_to_trades(
    tmp_path: Path, bid: float, ask: float
) -> None:
    played = run(
        tmp_path,
        wire.quotes([(at("09:31"), 1, bid, ask)]),
        wire.trades([(at("09:31:01"), 1, 10.11, 5)]),
    )
    assert played.value("mark", "AAA") == 10.11


def test_the_mark_can_follow_trades_or_mids_alone(tmp_path: Path) -> None:
    parts = (
        wire.quotes([(at("09:31"), 1, 10.0, 10.1)]),
        wire.trades([(at("09:31:01"), 1, 10.4, 5), (at("09:31:02"), 2, 3.0, 5)]),
    )
    by_trade = run(tmp_path, *parts, mark_mode=kernel.MARK_TRADE)
    assert by_trade.value("mark", "AAA") == 10.4
    by_mid = run(tmp_path, *parts, mark_mode=kernel.MARK_MID)
    assert by_mid.value("mark", "AAA") == 10.05
    assert math.isnan(by_mid.value("mark", "BBB"))


def test_a_bad_print_waits_for_a_second_on_its_side(tmp_path: Path) -> None:
    calm = [(at("09:31"), 1, 10.0, 5)]
    lone = [*calm, (at("09:31:10"), 1, 12.5, 5)]
    agreed = [*lone, (at("09:31:40"), 1, 12.6, 5)]
    too_late = [*lone, (at("09:32:11"), 1, 12.6, 5)]
    other_side = [*lone, (at("09:31:40"), 1, 7.5, 5)]
    for rows, high, mark in (
        (lone, 10.0, 10.0),
        (agreed, 12.6, 12.6),
        (too_late, 10.0, 10.0),
        (other_side, 10.0, 10.0),
    ):
        played = run(tmp_path, wire.trades(rows))
        assert (played.value("high", "AAA"), played.value("mark", "AAA")) == (high, mark)
    # Bars and volume have every print, as Databento's own do.
    played = run(tmp_path, wire.trades(lone))
    assert played.sink.bars["AAA", at("09:31") // MINUTE_NS][1] == 12_500_000_000
    assert played.value("volume", "AAA") == 10


def test_a_print_ten_percent_outside_a_standing_quote_is_held(tmp_path: Path) -> None:
    quote = wire.quotes([(at("09:31"), 1, 10.0, 10.1)])
    good = run(tmp_path, quote, wire.trades([(at("09:31:01"), 1, 11.0, 5)]))
    held = run(tmp_path, quote, wire.trades([(at("09:31:01"), 1, 11.2, 5)]))
    assert good.value("high", "AAA") == 11.0
    assert math.isnan(held.value("high", "AAA"))


def test_figures_belong_to_their_session(tmp_path: Path) -> None:
    rows = [
        (at("03:55"), 1, 9.0, 1),
        (at("04:00"), 1, 10.0, 10),
        (at("09:29:59"), 1, 10.5, 20),
        (at("09:30"), 1, 10.2, 40),
        (at("15:59:59"), 1, 10.4, 80),
        (at("16:00"), 1, 10.6, 160),
        (at("20:00"), 1, 10.7, 320),
    ]
    full = run(tmp_path, wire.trades(rows))
    assert full.value("volume", "AAA") == 310
    assert full.value("bars", "AAA") == 5
    assert len(full.sink.bars) == 7
    assert full.value("open", "AAA") == 10.2
    assert full.value("high", "AAA") == 10.4
    assert full.value("high_day", "AAA") == 10.6
    assert full.value("low_day", "AAA") == 10.0
    assert full.value("regular_close", "AAA") == 10.4
    traded = 40 * 10.2 + 80 * 10.4 + 160 * 10.6
    assert full.value("vwap", "AAA") == pytest.approx(traded / 280, abs=1e-12)
    assert full.snapshot.session is Session.CLOSED
    rows[2] = (at("09:28:59"), 1, 10.5, 20)
    early = run(tmp_path, wire.trades(rows[:3]))
    assert early.value("open", "AAA") == 10.0
    assert early.value("vwap", "AAA") == pytest.approx((100 + 210) / 30, abs=1e-12)


def test_a_late_trade_counts_for_the_session_it_belongs_to(tmp_path: Path) -> None:
    rows = [
        (at("09:00"), 1, 10.0, 10),
        (at("09:31"), 1, 11.0, 10),
        (at("09:20"), 1, 10.9, 5),
        (at("16:05"), 1, 11.5, 1),
        (at("15:59"), 1, 11.3, 7),
    ]
    played = run(tmp_path, wire.trades(rows))
    assert played.value("volume", "AAA") == 33
    assert played.value("regular_close", "AAA") == 11.3
    assert played.value("low", "AAA") == 11.0
    assert played.outcome.health.late == 2


def test_half_days_end_regular_hours_at_one(tmp_path: Path) -> None:
    half = date(2026, 7, 2)
    rows = [(at("12:59", half), 1, 10.0, 1), (at("13:00", half), 1, 11.0, 2)]
    rows += [(at("17:00", half), 1, 12.0, 4)]
    played = run(tmp_path, wire.trades(rows))
    assert played.value("regular_close", "AAA") == 10.0
    assert played.value("volume", "AAA") == 3


def test_changes_over_windows_move_at_the_minutes_close(tmp_path: Path) -> None:
    rows = [(at("09:30") + n * MINUTE_NS, 1, 10.0 + n, 1) for n in range(2)]
    rows += [(at("09:30") + n * MINUTE_NS, 1, 11.0 + 0.1 * n, 1) for n in range(2, 70)]
    played = run(tmp_path, wire.trades(rows))
    for window, base in ((1, 17.8), (5, 17.4), (60, 11.9)):
        # The file's end passes its last minute, so that is the last close.
        expected = (17.9 / base - 1) * 100
        assert metric(played, f"chg({window}m)", "AAA") == pytest.approx(expected, rel=1e-12)


def closes_of(*known: tuple[str, float, date]) -> PreviousCloses:
    """Return closes from a daily file."""
    closes = PreviousCloses(weekdays())
    for symbol, price, day in known:
        closes.add(day, CloseSource.DAILY, {symbol: price})
    return closes


def test_the_previous_close_is_the_last_trading_days_also_on_a_monday(tmp_path: Path) -> None:
    closes = closes_of(
        ("AAA", 8.0, date(2026, 6, 11)), ("AAA", 10.0, date(2026, 6, 12)), ("AAA", 11.0, wire.DAY)
    )
    played = run(tmp_path, wire.trades([(at("09:31"), 1, 10.5, 1)]), closes=closes)
    assert played.value("prev_close", "AAA") == 10.0
    assert played.value("close_age", "AAA") == 1
    assert metric(played, "chg", "AAA") == pytest.approx(5.0)


def test_a_close_older_than_ten_trading_days_is_none(tmp_path: Path) -> None:
    closes = closes_of(("AAA", 8.0, date(2026, 6, 1)), ("BBB", 8.0, date(2026, 5, 29)))
    rows = [(at("09:31"), 1, 10.0, 1), (at("09:31"), 2, 10.0, 1)]
    played = run(tmp_path, wire.trades(rows), closes=closes)
    assert played.value("close_age", "AAA") == 10
    assert math.isnan(played.value("prev_close", "BBB"))
    order = rank(
        played.snapshot, parse_metric("chg"), ascending=False, rows=played.snapshot.by_symbol
    )
    assert [played.snapshot.symbols[row] for row in order] == ["AAA", "BBB"]


def test_without_any_closes_the_first_trade_is_the_basis(tmp_path: Path) -> None:
    rows = [(at("09:31"), 1, 10.0, 1), (at("09:32"), 1, 11.0, 1)]
    played = run(tmp_path, wire.trades(rows))
    assert not played.snapshot.closes_known
    assert metric(played, "chg", "AAA") == pytest.approx(10.0)


def test_a_new_trading_day_starts_afresh_from_the_last_regular_close(tmp_path: Path) -> None:
    """Over the holiday of 19 June: Thursday's close is Monday's previous one."""
    thursday, monday = date(2026, 6, 18), date(2026, 6, 22)
    rows = [
        (at("09:31", thursday), 1, 10.0, 5),
        (at("15:59", thursday), 1, 10.5, 5),
        (at("19:00", thursday), 1, 11.0, 5),
        (at("09:31", monday), 1, 12.6, 7),
        (at("09:32", monday), 2, 3.0, 7),
    ]
    played = run(tmp_path, wire.trades(rows))
    assert played.snapshot.session_date == monday
    assert played.value("prev_close", "AAA") == 10.5
    assert played.value("volume", "AAA") == 7
    assert played.value("close_age", "AAA") == 1
    assert math.isnan(played.value("prev_close", "BBB"))
    closings = [close for batch in played.sink.batches for close in batch.closes]
    assert {c.session_date for c in closings} == {thursday}
    states = [state for batch in played.sink.batches for state in batch.states]
    assert [state.session_date for state in states] == [thursday, monday]


def test_symbols_follow_their_ids_through_midnight_utc(tmp_path: Path) -> None:
    """Ids 1 and 2 change places at 20:00 in New York's summer."""
    tomorrow = wire.DAY + timedelta(days=1)
    meta = wire.metadata(
        "trades",
        mappings={
            "AAA": [(wire.DAY, tomorrow, 1), (tomorrow, tomorrow + timedelta(days=1), 2)],
            "BBB": [(wire.DAY, tomorrow, 2), (tomorrow, tomorrow + timedelta(days=1), 1)],
        },
    )
    before, after = at("19:59:59"), at("20:00")
    rows = [(before, 1, 10.0, 1), (before, 2, 50.0, 1), (after, 2, 11.0, 1), (after, 1, 51.0, 1)]
    played = play(wire.write(tmp_path / "x.dbn", meta, wire.trades(rows)))
    assert played.sink.bars["AAA", after // MINUTE_NS][0] == 11_000_000_000
    assert played.sink.bars["BBB", after // MINUTE_NS][0] == 51_000_000_000
    assert played.outcome.symbols == 2


def test_mapping_records_may_change_during_the_file(tmp_path: Path) -> None:
    start = at("09:31")
    first = wire.trades([(start, 4_294_967_295, 10.0, 1)])
    second = wire.trades([(start + 1, 4_294_967_295, 20.0, 1), (start + 2, 7, 30.0, 1)])
    file = wire.write(
        tmp_path / "capture.dbn.zst",
        wire.metadata(None, start_ns=0),
        wire.mapping_record(4_294_967_295, "OLD"),
        first,
        wire.mapping_record(4_294_967_295, "NEW"),
        second,
    )
    played = play(file)
    assert {symbol for symbol, _ in played.sink.bars} == {"OLD", "NEW", "#7"}
    assert played.outcome.health.unmapped == 1


def test_symbol_tables_grow(tmp_path: Path) -> None:
    count = 10_000
    symbols = {f"S{n}": n * 400_003 % 2**32 for n in range(1, count + 1)}
    rows = [(at("09:31") + n, number, 5.0 + n % 50, 1) for n, number in enumerate(symbols.values())]
    file = wire.write(tmp_path / "x.dbn", wire.metadata("trades", symbols), wire.trades(rows))
    played = play(file)
    assert played.outcome.symbols == count
    assert len(played.sink.bars) == count
    assert played.value("last", "S10000") == 5.0 + (count - 1) % 50


def test_the_same_file_gives_the_same_result_at_any_speed(tmp_path: Path) -> None:
    records = wire.random_rows(9, 4_000, 2, minutes=15)
    fast = run(tmp_path, records)
    for speed in (1.0, 7.3, 600.0):
        slow = run(tmp_path, records, speed=speed)
        assert slow.sink.bars == fast.sink.bars
        for name in ("mark", "last", "high", "volume", "vwap"):
            assert np.array_equal(getattr(slow.snapshot, name), getattr(fast.snapshot, name))
        assert np.array_equal(slow.snapshot.mark_history[-5], fast.snapshot.mark_history[-5])


def test_vwap_is_exact_where_sums_exceed_64_bits(tmp_path: Path) -> None:
    rows = [(at("09:31") + n, 1, 650_000.25, 2**31 - 1) for n in range(20)]
    played = run(tmp_path, wire.trades(rows))
    assert played.value("vwap", "AAA") == 650_000.25
    notional = played.sink.bars["AAA", at("09:31") // MINUTE_NS][6]
    assert notional == 650_000_250_000_000 * (2**31 - 1) * 20


def test_a_stop_before_the_first_record_is_no_failure(tmp_path: Path) -> None:
    file = DbnFile(wire.write(tmp_path / "x.dbn", wire.metadata("trades", SYMBOLS),
                              wire.trades([(at("09:31"), 1, 10.0, 1)])))  # fmt: skip
    engine = ReplayEngine(
        [file],
        Surroundings(weekdays(), PreviousCloses(weekdays()), ListSink(), StillClock()),
        Options(Feed("REPLAY", "x", "EQUS.MINI", "trades")),
    )
    engine.stop()
    engine.start()
    assert engine.join(60)
    assert engine.outcome().health.trades == 0
