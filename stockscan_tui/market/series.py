"""Indicators of one symbol's bars as whole series; TA-Lib's definitions, seeds included.

They are what `market.indicators` works out bar by bar, for a chart that needs all bars at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# What weighs less than this no longer moves an average.
_NOTHING = 1e-20


def ema(values: Floats, period: int) -> Floats:
    """Return the exponential average of each value and those before, shape (n,).

    NaN for the first `period` - 1; the seed is the plain average of the first `period`.
    """
    result = np.full(len(values), np.nan)
    if len(values) >= period:
        seed = float(np.mean(values[:period]))
        result[period - 1 :] = _smoothed(values[period:], seed, 1.0 - 2.0 / (period + 1))
    return result


def rsi(closes: Floats, period: int) -> Floats:
    """Return Wilder's relative strength index (0 to 100), shape (n,); NaN for the first `period`.

    0 where nothing has moved, as TA-Lib has it.
    """
    result = np.full(len(closes), np.nan)
    if len(closes) <= period:
        return result
    change = np.diff(closes)
    gain, loss = (_wilder(np.maximum(moved, 0.0), period) for moved in (change, -change))
    both = gain + loss
    with np.errstate(invalid="ignore", divide="ignore"):
        result[period:] = np.where(both > 0.0, 100.0 * (gain / both), 0.0)
    return result


def vwap(price: Floats, volume: Floats, notional: Floats, group: NDArray[np.int64]) -> Floats:
    """Return the volume-weighted average price since each group's first bar, shape (n,).

    Args:
        price: What stands for a bar whose notional is not known, in dollars.
        volume: Shares.
        notional: Dollars traded, NaN where that is not known.
        group: Equal numbers stand together; with another one the sums begin anew.
    """
    if not len(price):
        return np.zeros(0)
    money = np.where(np.isfinite(notional), notional, price * volume)
    first = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    length = np.diff(np.append(first, len(group)))
    sums = []
    for values in (money, volume):
        total = np.cumsum(values)
        before = np.append(0.0, total)[first]
        sums.append(total - np.repeat(before, length))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sums[1] > 0, sums[0] / sums[1], np.nan)


def _wilder(values: Floats, period: int) -> Floats:
    """Return Wilder's averages from the `period`-th value on, the first one a plain average."""
    seed = float(np.mean(values[:period]))
    return _smoothed(values[period:], seed, 1.0 - 1.0 / period)


def _smoothed(values: Floats, seed: float, decay: float) -> Floats:
    """Return `seed` and then y[i] = `decay` · y[i - 1] + (1 - `decay`) · values[i].

    Each pass joins to every sum the one that ends where it begins, so that sums reach twice as far.
    """
    result: Floats = np.append(seed, values * (1.0 - decay))
    reach = 1
    while reach < len(result) and decay**reach > _NOTHING:
        result[reach:] = result[reach:] + decay**reach * result[:-reach]
        reach *= 2
    return result
