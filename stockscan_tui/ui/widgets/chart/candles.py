"""A symbol's bars as the columns of a chart, with the lines that run through them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.calendar import MINUTE_NS, TradingDay
from stockscan_tui.market.series import ema, rsi, vwap
from stockscan_tui.market.symbol_bars import SymbolBars
from stockscan_tui.ui.widgets.chart.data import Candle
from stockscan_tui.ui.widgets.chart.slots import Slots, days_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
EMA_PERIODS = (9, 20, 50)
RSI_PERIOD = 14


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Candles that exist, oldest first; prices in dollars, NaN for none.

    Attributes:
        slots: The columns they stand in.
        at: Each candle's column.
        minute: Its first minute since 1970.
        group: Candles of one number share the sums of their vwap.
        ema: Shape (periods, candles).
    """

    slots: Slots
    at: Integers
    minute: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats
    group: Integers
    ema: Floats
    rsi: Floats

    def __len__(self) -> int:
        return len(self.at)

    @property
    def newest(self) -> int:
        """The last candle's column, 0 where there is none."""
        return int(self.at[-1]) if len(self.at) else 0

    def between(self, left: int, right: int) -> slice:
        """Return which candles stand in columns `left` to `right`."""
        ends = np.searchsorted(self.at, [left, right + 1])
        return slice(int(ends[0]), int(ends[1]))

    def nearest(self, column: int) -> int:
        """Return the candle that stands nearest to a column; -1 where there is none."""
        place = int(np.searchsorted(self.at, column))
        around = [n for n in (place - 1, place) if 0 <= n < len(self.at)]
        return min(around, key=lambda n: abs(int(self.at[n]) - column), default=-1)

    def candle(self, place: int, alerts: tuple[str, ...] = ()) -> Candle:
        """Return one candle's figures."""
        close = float(self.close[place])
        before = float(self.close[place - 1]) if place else math.nan
        return Candle(
            minute=int(self.minute[place]),
            minutes=self.slots.step,
            open=float(self.open[place]),
            high=float(self.high[place]),
            low=float(self.low[place]),
            close=close,
            volume=float(self.volume[place]),
            change=(close / before - 1.0) * 100.0 if before else math.nan,
            vwap=float(self.vwap[place]),
            ema=tuple(self.ema[:, place].tolist()),
            rsi=float(self.rsi[place]),
            alerts=alerts,
        )

    def merged(self, count: int) -> Candles:
        """Return candles of `count` slots each, with the lines as they stand at their ends."""
        if count <= 1 or not len(self):
            return self
        slots = Slots.of(self.slots.days, self.slots.step * count)
        at = slots.place(self.minute)
        first = np.flatnonzero(np.diff(at, prepend=-1))
        last = np.append(first[1:], len(at)) - 1
        return Candles(
            slots=slots,
            at=at[first],
            minute=slots.minute(at[first]),
            open=self.open[first],
            high=np.maximum.reduceat(self.high, first),
            low=np.minimum.reduceat(self.low, first),
            close=self.close[last],
            volume=np.add.reduceat(self.volume, first),
            vwap=self.vwap[last],
            group=self.group[last],
            ema=self.ema[:, last],
            rsi=self.rsi[last],
        )


def candles_of(bars: SymbolBars, interval: int, known: tuple[TradingDay, ...]) -> Candles:
    """Return the candles of one-minute bars; bars outside of the sessions are left out.

    The vwap is the session's: since 04:00 in the pre-market, since 09:30 after it.
    """
    whole = np.isfinite(bars.open + bars.high + bars.low + bars.close)
    if not whole.all():
        bars = bars.rows(whole)
    days = days_of(bars.minute, known)
    inside = Slots.of(days, 1).place(bars.minute) >= 0
    if not inside.all():
        bars = bars.rows(inside)
    slots = Slots.of(days, interval)
    at = slots.place(bars.minute)
    first = np.flatnonzero(np.diff(at, prepend=-1))
    last = np.append(first[1:], len(at)) - 1 if len(first) else first
    group = _groups(bars.minute, days)
    typical = (bars.high + bars.low + bars.close) / 3.0
    volume = bars.volume.astype(np.float64)
    average = vwap(typical, volume, bars.notional, group)
    close = bars.close[last]
    return Candles(
        slots=slots,
        at=at[first],
        minute=slots.minute(at[first]),
        open=bars.open[first],
        high=_folded(np.maximum, bars.high, first),
        low=_folded(np.minimum, bars.low, first),
        close=close,
        volume=_folded(np.add, volume, first),
        vwap=average[last],
        group=group[last],
        ema=np.array([ema(close, period) for period in EMA_PERIODS]),
        rsi=rsi(close, RSI_PERIOD),
    )


def _folded(how: np.ufunc, values: Floats, first: NDArray[np.intp]) -> Floats:
    result: Floats = how.reduceat(values, first) if len(first) else values[:0]
    return result


def _groups(minutes: Integers, days: tuple[TradingDay, ...]) -> Integers:
    """Return a number for each day's pre-market, and another for the rest of it."""
    bounds = [ns // MINUTE_NS for day in days for ns in (day.pre_ns, day.regular_ns)]
    return np.searchsorted(np.array(bounds, np.int64), minutes, "right").astype(np.int64)
