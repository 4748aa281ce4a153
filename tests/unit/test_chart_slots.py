"""Places along the time axis, and the candles that stand in them."""

from __future__ import annotations

from datetime import date, time

import numpy as np
import pytest

from stockscan_tui.market.calendar import MINUTE_NS, Calendar, new_york_ns
from stockscan_tui.ui.widgets.chart.candles import candles_of
from stockscan_tui.ui.widgets.chart.slots import Slots, days_of
from tests.bars import bars_of, day_bars, joined

THURSDAY, FRIDAY, MONDAY = date(2025, 11, 27), date(2025, 11, 28), date(2025, 12, 1)
CALENDAR = Calendar([(date(2025, 11, 26), time(16)), (FRIDAY, time(13)), (MONDAY, time(16))])


def at(day: date, hour: int, minute: int = 0) -> int:
    return new_york_ns(day, time(hour, minute)) // MINUTE_NS


def test_closed_hours_have_no_place_between_days() -> None:
    slots = Slots.of((CALENDAR.day(FRIDAY), CALENDAR.day(MONDAY)), 1)
    friday_last, monday_first = at(FRIDAY, 16, 59), at(MONDAY, 4)
    places = slots.place(np.array([friday_last, at(FRIDAY, 17), at(MONDAY, 3, 59), monday_first]))
    assert places.tolist() == [779, -1, -1, 780]
    assert slots.count == 780 + 960
    assert slots.minute(np.array([779, 780])).tolist() == [friday_last, monday_first]
    assert slots.nearest(at(FRIDAY, 22)) == 779


def test_half_days_are_post_market_from_one_o_clock() -> None:
    slots = Slots.of((CALENDAR.day(FRIDAY), CALENDAR.day(MONDAY)), 1)
    minutes = [at(FRIDAY, 9, 29), at(FRIDAY, 9, 30), at(FRIDAY, 12, 59), at(FRIDAY, 13)]
    minutes += [at(MONDAY, 13), at(MONDAY, 16)]
    extended = slots.extended(slots.place(np.array(minutes)))
    assert extended.tolist() == [True, False, False, True, False, True]


@pytest.mark.parametrize(("interval", "count"), [(1, 960), (5, 192), (15, 64), (60, 16)])
def test_slots_begin_on_the_clock_multiples_of_the_interval(interval: int, count: int) -> None:
    slots = Slots.of((CALENDAR.day(MONDAY),), interval)
    minutes = slots.minute(np.arange(slots.count))
    assert slots.count == count
    assert (minutes % interval == 0).all()
    assert (slots.clock(np.array([0, count - 1])) == [240, 1200 - interval]).all()


def test_days_that_are_not_known_have_the_usual_hours() -> None:
    known = CALENDAR.day(FRIDAY)
    minutes = np.array([at(THURSDAY, 12), at(FRIDAY, 12), at(FRIDAY, 15), at(MONDAY, 12)])
    days = days_of(minutes, (known,))
    assert [day.session_date for day in days] == [THURSDAY, FRIDAY, MONDAY]
    assert days[1] is known
    assert days[2] == CALENDAR.day(MONDAY)


def test_known_days_without_a_bar_between_others_keep_their_place() -> None:
    known = tuple(CALENDAR.day(day) for day in (date(2025, 11, 26), FRIDAY, MONDAY))
    days = days_of(np.array([at(date(2025, 11, 26), 12), at(MONDAY, 12)]), known)
    assert days == known


@pytest.mark.parametrize("interval", [1, 2, 5, 15, 60])
def test_candles_are_the_bars_folded_to_the_interval(interval: int) -> None:
    bars = joined([day_bars(FRIDAY, share=0.3, until=780), day_bars(MONDAY, seed=2, share=0.3)])
    found = candles_of(bars, interval, (CALENDAR.day(FRIDAY),))
    expected = bars.folded(interval)
    for name in ("minute", "open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_vwap_counts_from_four_and_anew_from_the_regular_open() -> None:
    minutes = [at(MONDAY, 4), at(MONDAY, 9, 29), at(MONDAY, 9, 30), at(MONDAY, 17)]
    prices = [(p, p, p, p) for p in (10.0, 20.0, 30.0, 50.0)]
    candles = candles_of(bars_of(minutes, prices), 1, (CALENDAR.day(MONDAY),))
    assert candles.vwap.tolist() == [10.0, 15.0, 30.0, 40.0]


def test_candles_of_several_bars_are_those_bars_together() -> None:
    bars = day_bars(MONDAY, share=0.5)
    merged = candles_of(bars, 1, ()).merged(15)
    whole = candles_of(bars, 15, ())
    for name in ("at", "minute", "open", "high", "low", "close", "volume", "vwap"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))


def test_bars_outside_of_the_sessions_and_without_prices_are_left_out() -> None:
    nan = float("nan")
    minutes = [at(MONDAY, 3, 55), at(MONDAY, 4), at(MONDAY, 5), at(MONDAY, 20)]
    bars = bars_of(minutes, [(1, 1, 1, 1), (2, 2, 2, 2), (nan, 3, 3, 3), (4, 4, 4, 4)])
    assert candles_of(bars, 1, ()).close.tolist() == [2.0]
