"""Series of a chart's lines, against TA-Lib and plain sums."""

from __future__ import annotations

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.market.series import ema, rsi, vwap


def closes(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.round(40 * np.exp(np.cumsum(rng.normal(0, 0.01, count))), 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9_999), st.integers(2, 900), st.sampled_from([2, 9, 14, 20, 50]))
def test_averages_and_rsi_are_those_of_talib(seed: int, count: int, period: int) -> None:
    values = closes(seed, count)
    np.testing.assert_allclose(ema(values, period), talib.EMA(values, period), rtol=1e-9)
    np.testing.assert_allclose(rsi(values, period), talib.RSI(values, period), rtol=1e-9)


def test_long_series_keep_their_exactness() -> None:
    values = closes(3, 9_600)
    np.testing.assert_allclose(ema(values, 50), talib.EMA(values, 50), rtol=1e-9)
    np.testing.assert_allclose(rsi(values, 14), talib.RSI(values, 14), rtol=1e-9)


@pytest.mark.parametrize("count", [0, 1, 13, 14, 15])
def test_series_begin_where_there_are_enough_bars(count: int) -> None:
    flat = np.full(count, 5.0)
    assert np.isfinite(ema(flat, 14)).sum() == max(count - 13, 0)
    assert (rsi(flat, 14)[14:] == 0.0).all()
    assert np.isnan(rsi(flat, 14)[:14]).all()


def test_vwap_begins_anew_with_each_group_and_takes_prices_for_unknown_notionals() -> None:
    price = np.array([10.0, 20.0, 30.0, 40.0])
    volume = np.array([1.0, 3.0, 2.0, 2.0])
    notional = np.array([11.0, np.nan, np.nan, 90.0])
    group = np.array([1, 1, 2, 2])
    found = vwap(price, volume, notional, group)
    np.testing.assert_allclose(found, [11.0, 71 / 4, 30.0, 150 / 4])


def test_vwap_of_bars_without_volume_is_not_known() -> None:
    none = vwap(np.array([5.0]), np.array([0.0]), np.array([np.nan]), np.array([1]))
    assert np.isnan(none).all()
