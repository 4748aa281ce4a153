"""Compiled arithmetic on whole columns: one pass where NumPy takes several, without the GIL."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.compiled import compiled

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]


def to_dollars(prices: Int64s) -> Floats:
    """Return prices in 1e-9 dollars, shape (n,), in dollars; NaN where there is none."""
    return _to_dollars(plain(prices, np.int64))


def percent_over(value: Floats, base: Floats) -> Floats:
    """Return 100 × (value ÷ base − 1), NaN where the base is missing or not positive.

    To twelve decimals, so that a move of exactly 15 % is not 14.999999999999998.

    Args:
        value: Of any shape.
        base: Of the same shape, or one that goes together with it.
    """
    if value.shape != base.shape:
        shape = np.broadcast_shapes(value.shape, base.shape)
        value, base = np.broadcast_to(value, shape), np.broadcast_to(base, shape)
    percent = _percent(plain(value.reshape(-1), np.float64), plain(base.reshape(-1), np.float64))
    return percent.reshape(value.shape)


def price_of(notional: Floats, volume: Floats | Int64s) -> Floats:
    """Return dollars a share, to twelve decimals, NaN where nothing was traded; shapes (n,)."""
    return _price(plain(notional, np.float64), plain(volume, np.float64))


def notional_of(dollars: Int64s, nanos: Int64s, prices: Int64s, volume: Int64s) -> Floats:
    """Return the dollars traded; of a bar whose notional is not told, at its typical price.

    Args:
        dollars: Whole dollars, under 0 where they are not told.
        nanos: And 1e-9 dollars.
        prices: High, low and close together, in 1e-9 dollars.
        volume: Shares.
    """
    columns = (plain(column, np.int64) for column in (dollars, nanos, prices, volume))
    return _notional(*columns)


def share_of_usual(
    volume: Floats | Int64s, usual: Floats, part: float, counted: Int64s, least: int
) -> Floats:
    """Return a volume against a part of the usual one, NaN where that is unknown.

    Args:
        volume: Shares, shape (n,).
        usual: Shares of a whole day, likewise.
        part: The part of a day that is over.
        counted: By how many trades it is known, likewise.
        least: With fewer it is unknown.
    """
    columns = (plain(volume, np.float64), plain(usual, np.float64), plain(counted, np.int64))
    return _share_of_usual(*columns, float(part), least)


def differing(slots: Int64s, first: Int64s, mark: Int64s, judged: Int64s) -> Int64s:
    """Return the rows whose first mark, else their mark, is not what it was for their symbol.

    Args:
        slots: The symbol of each row.
        first: Its first mark in 1e-9 dollars, 0 for none.
        mark: Its mark.
        judged: By slot, what it was; 0 beyond its end.
    """
    return _differing(*(plain(column, np.int64) for column in (slots, first, mark, judged)))


def plain(column: Any, kind: type[np.generic]) -> NDArray[Any]:
    """Return a column as compiled functions know it: contiguous, writable; a number as one row."""
    found = np.ascontiguousarray(column, kind)
    return found if found.flags.writeable else found.copy()


@compiled
def _to_dollars(prices: Int64s) -> Floats:
    dollars = np.empty(len(prices))
    for row in range(len(prices)):
        dollars[row] = prices[row] / 1e9 if prices[row] != 0 else np.nan
    return dollars


@compiled
def _percent(value: Floats, base: Floats) -> Floats:
    percent = np.empty(len(value))
    for row in range(len(value)):
        under = base[row] if base[row] > 0 else np.nan
        percent[row] = np.rint((value[row] - under) * 100.0 / under * 1e12) / 1e12
    return percent


@compiled
def _price(notional: Floats, volume: Floats) -> Floats:
    price = np.empty(len(volume))
    for row in range(len(volume)):
        there = volume[row] > 0 and notional[row] > 0
        price[row] = np.rint(notional[row] / volume[row] * 1e12) / 1e12 if there else np.nan
    return price


@compiled
def _notional(dollars: Int64s, nanos: Int64s, prices: Int64s, volume: Int64s) -> Floats:
    notional = np.empty(len(dollars))
    for row in range(len(dollars)):
        if dollars[row] >= 0:
            notional[row] = dollars[row] + nanos[row] / 1e9
        else:
            notional[row] = prices[row] / 3e9 * volume[row]
    return notional


@compiled
def _share_of_usual(
    volume: Floats, usual: Floats, counted: Int64s, part: float, least: int
) -> Floats:
    ratio = np.empty(len(volume))
    for row in range(len(volume)):
        by_now = usual[row] * part
        known = by_now > 0 and counted[row] >= least
        ratio[row] = volume[row] / by_now if known else np.nan
    return ratio


@compiled
def _differing(slots: Int64s, first: Int64s, mark: Int64s, judged: Int64s) -> Int64s:
    rows = np.empty(len(slots), np.int64)
    count = 0
    for row in range(len(slots)):
        slot = slots[row]
        before = judged[slot] if slot < len(judged) else 0
        if (first[row] if first[row] > 0 else mark[row]) != before:
            rows[count] = row
            count += 1
    return rows[:count].copy()
