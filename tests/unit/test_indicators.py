"""Indicators against TA-Lib, over bars that come minute by minute, sparse and in any order."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.errors import UsageError
from stockscan_tui.market.indicator import IndicatorKey, Kind
from stockscan_tui.market.indicators import Floats, Indicators
from stockscan_tui.market.minutes import MinuteBars

FIRST_MINUTE = 29_000_000 * 15
PERIODS = {Kind.SMA: (1, 3, 20, 200), Kind.EMA: (1, 9, 50), Kind.RSI: (2, 14), Kind.ATR: (2, 14)}
KEYS = [
    IndicatorKey(kind, period, interval)
    for kind, periods in PERIODS.items()
    for period in periods
    for interval in (1, 5, 15)
]
Row = tuple[float, float, float]


def minute_bars(minute: int, rows: dict[int, Row]) -> MinuteBars:
    """The bars of a minute from (high, low, close) by slot."""
    slot = np.array(list(rows), np.int32)
    high, low, close = np.array(list(rows.values()), np.float64).reshape(-1, 3).T
    ones = np.ones(len(slot), np.int64)
    return MinuteBars(minute, slot, close, high, low, close, ones, ones, close)


def of_prices(prices: list[float], minute: int = FIRST_MINUTE) -> list[MinuteBars]:
    """Bars of one symbol, a minute each, whose prices all are one."""
    return [minute_bars(minute + n, {0: (p, p, p)}) for n, p in enumerate(prices)]


def random_walks(seed: int, symbols: int, minutes: list[int]) -> list[MinuteBars]:
    """Bars of busy and of sleepy symbols from $0.0001 to $700,000, in no order of slots."""
    rng = np.random.default_rng(seed)
    price = np.exp(rng.uniform(np.log(1e-4), np.log(7e5), symbols))
    busy = rng.uniform(0.02, 1.0, symbols) ** 2
    bars = []
    for minute in minutes:
        slot = rng.permutation(np.flatnonzero(rng.random(symbols) < busy)).astype(np.int32)
        steps = np.exp(rng.normal(0, 0.002, (4, len(slot))).cumsum(axis=0))
        traded = np.round(price[slot] * steps, 9)
        price[slot] = traded[3]
        high, low = traded.max(axis=0), traded.min(axis=0)
        ones = np.ones(len(slot), np.int64)
        bars.append(
            MinuteBars(minute, slot, traded[0], high, low, traded[3], ones, ones, traded[3])
        )
    return bars


def two_days(seed: int) -> list[int]:
    """The minutes of two days and the night between, but for some in which nothing traded."""
    rng = np.random.default_rng(seed)
    day = np.arange(FIRST_MINUTE + 7, FIRST_MINUTE + 7 + 960)
    both = np.concatenate([day, day + 1440])
    return [int(minute) for minute in both[rng.random(len(both)) < 0.97]]


def series_by_talib(key: IndicatorKey, high: Floats, low: Floats, close: Floats) -> Floats:
    if key.kind is Kind.SMA:
        return talib.SMA(close, key.period)
    if key.kind is Kind.EMA:
        return talib.EMA(close, key.period)
    if key.kind is Kind.RSI:
        return talib.RSI(close, key.period)
    return talib.ATR(high, low, close, key.period)


def rows_by_slot(bars: list[MinuteBars], symbols: int) -> list[Floats]:
    """Each symbol's bars in order, shape (bars, 4): minute, high, low, close."""
    columns = [[np.full(len(b.slot), b.minute), b.high, b.low, b.close, b.slot] for b in bars]
    rows = np.concatenate([np.empty((0, 5)), *(np.transpose(c) for c in columns)])
    return [rows[rows[:, 4] == slot, :4] for slot in range(symbols)]


def expected(key: IndicatorKey, rows: Floats, bars: list[MinuteBars]) -> Floats:
    """What TA-Lib has after each minute for one symbol, over its bars that are over by then."""
    if not len(rows):
        return np.full(len(bars), np.nan)
    minute, high, low, close = rows.T.copy()
    groups, first = np.unique(minute // key.interval, return_index=True)
    last = np.append(first[1:], len(rows)) - 1
    series = series_by_talib(
        key, np.maximum.reduceat(high, first), np.minimum.reduceat(low, first), close[last]
    )
    over_by = np.array([(b.minute + 1) // key.interval for b in bars])
    return np.append(series, np.nan)[np.searchsorted(groups, over_by) - 1]


def kept(bars: list[MinuteBars], count: int, keys: list[IndicatorKey]) -> Indicators:
    """Indicators that were there from the first minute on."""
    indicators = Indicators()
    for key in keys:
        indicators.add(key, [])
    for minute in bars:
        indicators.close_minute(minute, count)
    return indicators


def assert_same(left: Indicators, right: Indicators, count: int) -> None:
    assert left.keys == right.keys
    for key, values in left.values(count).items():
        np.testing.assert_array_equal(values, right.values(count)[key], str(key))


def test_all_indicators_equal_talib_after_every_minute_of_two_days() -> None:
    symbols = 200
    bars = random_walks(1, symbols, two_days(1))
    indicators = kept([], symbols, KEYS)
    after: dict[IndicatorKey, list[Floats]] = {key: [] for key in KEYS}
    for minute in bars:
        indicators.close_minute(minute, symbols)
        for key, values in indicators.values(symbols).items():
            after[key].append(values)
    rows = rows_by_slot(bars, symbols)
    for key in KEYS:
        by_talib = np.transpose([expected(key, rows[slot], bars) for slot in range(symbols)])
        np.testing.assert_allclose(after[key], by_talib, 1e-9, 1e-12, err_msg=str(key))


PRICES = st.integers(1, 10_000).map(lambda cents: cents / 100)
BARS = st.tuples(PRICES, PRICES, PRICES).map(lambda p: (max(p), min(p), p[1]))
MINUTES = st.lists(
    st.tuples(st.sampled_from([1, 1, 1, 2, 6, 17, 1441]), st.dictionaries(st.integers(0, 3), BARS)),
    min_size=1,
    max_size=40,
)


def following(minutes: list[tuple[int, dict[int, Row]]]) -> list[MinuteBars]:
    at = np.cumsum([FIRST_MINUTE, *(gap for gap, _ in minutes)])[1:]
    return [minute_bars(int(m), rows) for m, (_, rows) in zip(at, minutes, strict=True)]


@given(minutes=MINUTES, key=st.sampled_from(KEYS))
@settings(max_examples=150, deadline=None)
def test_any_minutes_and_gaps_equal_talib(
    minutes: list[tuple[int, dict[int, Row]]], key: IndicatorKey
) -> None:
    bars = following(minutes)
    values = kept(bars, 4, [key]).values(4)[key]
    for slot, rows in enumerate(rows_by_slot(bars, 4)):
        np.testing.assert_allclose(values[slot], expected(key, rows, bars)[-1], 1e-9, 1e-12)


@given(minutes=MINUTES, data=st.data())
@settings(max_examples=100, deadline=None)
def test_an_indicator_added_later_equals_one_kept_from_the_beginning(
    minutes: list[tuple[int, dict[int, Row]]], data: st.DataObject
) -> None:
    bars = following(minutes)
    cut = data.draw(st.integers(0, len(bars)))
    later = Indicators()
    for key in KEYS:
        later.add(key, iter(bars[:cut]))
    for minute in bars[cut:]:
        later.close_minute(minute, 4)
    assert_same(kept(bars, 4, KEYS), later, 4)


def test_the_order_of_slots_and_the_growth_of_the_market_change_nothing() -> None:
    bars = random_walks(2, 300, two_days(2)[:200])
    grown = kept([], 0, KEYS)
    for at, minute in enumerate(bars):
        order = np.argsort(minute.slot)
        known = order[minute.slot[order] < 50 + 2 * at]
        whole = np.flatnonzero(minute.slot < 50 + 2 * at)
        columns = ("slot", "open", "high", "low", "close", "volume", "trades", "notional")
        bars[at] = replace(minute, **{name: getattr(minute, name)[whole] for name in columns})
        ordered = replace(minute, **{name: getattr(minute, name)[known] for name in columns})
        grown.close_minute(ordered, 50 + 2 * at)
        grown.values(50 + 2 * at)
    assert_same(kept(bars, 1_000, KEYS), grown, 1_000)


@pytest.mark.parametrize("key", [k for k in KEYS if k.interval == 1], ids=str)
def test_a_value_comes_with_the_bar_that_makes_enough(key: IndicatorKey) -> None:
    needed = key.period + (1 if key.kind in {Kind.RSI, Kind.ATR} else 0)
    bars = of_prices([10.0 + n % 3 for n in range(needed)])
    assert math.isnan(kept(bars[:-1], 1, [key]).values(1)[key][0])
    assert not math.isnan(kept(bars, 1, [key]).values(1)[key][0])


@pytest.mark.parametrize(("minute", "shown"), [(3, False), (4, True), (5, True), (700, True)])
def test_a_bar_of_five_minutes_counts_once_it_is_over(minute: int, shown: bool) -> None:
    key = IndicatorKey(Kind.SMA, 1, 5)
    nothing = minute_bars(FIRST_MINUTE + minute, {})
    values = kept([*of_prices([7.0, 8.0]), nothing], 1, [key]).values(1)[key]
    assert values.tolist() == [8.0] if shown else np.isnan(values).all()


def test_a_flat_price_gives_what_talib_gives() -> None:
    flat = np.full(80, 12.34)
    values = kept(of_prices(flat.tolist()), 1, KEYS).values(1)
    for key in KEYS:
        if key.interval == 1 and key.period <= 50:
            assert values[key][0] == pytest.approx(series_by_talib(key, flat, flat, flat)[-1])
    assert values[IndicatorKey(Kind.RSI, 14)][0] == 0.0
    assert values[IndicatorKey(Kind.ATR, 14)][0] == 0.0


def test_an_average_does_not_drift_when_prices_leap_for_days() -> None:
    rng = np.random.default_rng(3)
    prices = np.round(np.exp(rng.uniform(np.log(1e-4), np.log(7e5), 5_000)), 9)
    prices[-20:] = 0.0003
    keys = [IndicatorKey(Kind.SMA, period) for period in (7, 20)]
    values = kept(of_prices(prices.tolist()), 1, keys).values(1)
    for key in keys:
        exact = math.fsum(prices[-key.period :]) / key.period
        assert values[key][0] == pytest.approx(exact, rel=1e-14)


def test_arrays_are_read_only_and_stay_the_same_while_nothing_changed() -> None:
    one, five = IndicatorKey(Kind.EMA, 1), IndicatorKey(Kind.EMA, 1, 5)
    bars = of_prices([1.0, 2.0, 3.0, 4.0, 5.0])
    indicators = kept(bars[:2], 3, [one, five])
    before = indicators.values(3)
    assert all(indicators.values(3)[key] is before[key] for key in (one, five))
    indicators.close_minute(bars[2], 3)
    after = indicators.values(3)
    assert after[five] is before[five]
    assert (before[one][0], after[one][0]) == (2.0, 3.0)
    assert not after[one].flags.writeable
    assert [len(indicators.values(count)[one]) for count in (2, 5)] == [2, 5]


def test_a_minute_that_is_not_later_is_passed_over() -> None:
    bars = random_walks(4, 20, two_days(4)[:60])
    again = kept([], 20, KEYS)
    for before, minute in pairwise([bars[0], *bars]):
        again.close_minute(minute, 20)
        again.close_minute(before, 20)
    assert_same(kept(bars, 20, KEYS), again, 20)


def test_arrays_of_any_form_are_taken() -> None:
    bars = random_walks(5, 20, two_days(5)[:60])
    formed = []
    for minute in bars:
        high = np.repeat(minute.high, 2)[::2]
        close = minute.close.copy()
        close.setflags(write=False)
        formed.append(replace(minute, high=high, close=close))
    assert_same(kept(bars, 20, KEYS), kept(formed, 20, KEYS), 20)


def test_slots_outside_of_the_arrays_cannot_be_written() -> None:
    key = IndicatorKey(Kind.SMA, 1)
    beyond = minute_bars(FIRST_MINUTE, {9_999: (1.0, 1.0, 1.0)})
    assert kept([beyond], 1, [key]).values(10_000)[key][9_999] == 1.0
    with pytest.raises(ValueError, match="negative slot"):
        kept([minute_bars(FIRST_MINUTE, {-1: (1.0, 1.0, 1.0)})], 1, [key])
    with pytest.raises(ValueError, match="differ in length"):
        kept([replace(beyond, close=np.zeros(0))], 1, [key])


def test_adding_again_changes_nothing_and_removing_forgets() -> None:
    key, other = IndicatorKey(Kind.SMA, 2), IndicatorKey(Kind.RSI, 2)
    bars = of_prices([1.0, 2.0])
    indicators = kept(bars, 1, [key])
    indicators.add(key, [])
    assert indicators.values(1)[key][0] == 1.5
    indicators.remove(key)
    indicators.remove(other)
    assert indicators.keys == frozenset()
    assert not indicators.values(1)
    indicators.add(key, [])
    assert np.isnan(indicators.values(1)[key][0])


def test_a_key_reads_as_users_write_it_and_sorts() -> None:
    keys = [IndicatorKey(Kind.EMA, 20, 5), IndicatorKey(Kind.RSI, 14), IndicatorKey(Kind.ATR, 500)]
    assert [str(key) for key in sorted(keys)] == ["atr(500)", "ema(20, 5m)", "rsi(14)"]


@pytest.mark.parametrize(
    ("kind", "period", "interval"),
    [("sma", 0, 1), ("ema", 501, 1), ("rsi", 1, 1), ("atr", 1, 5), ("sma", 20, 2), ("sma", 20, 0)],
)
def test_a_key_out_of_range_is_refused(kind: str, period: int, interval: int) -> None:
    with pytest.raises(UsageError, match=rf"{kind}\({period}"):
        IndicatorKey(Kind(kind), period, interval)
