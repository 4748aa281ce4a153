"""What the chart is told, and what it tells of the bar under its crosshair."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from stockscan_tui.market.calendar import TradingDay
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.symbol_bars import SymbolBars


@dataclass(frozen=True, slots=True, eq=False)
class ChartData:
    """One symbol's bars and whatever is drawn with them; prices in dollars, NaN for none.

    Attributes:
        bars: One-minute bars, oldest first, of one or several days.
        interval: Minutes of a candle: 1, 2, 5, 15 or 60.
        prev_close: The close before the last day.
        open: The last day's regular open.
        last: The price that is marked at the axis; that of the last bar where it is NaN.
        days: The trading days that are known; others are taken to be whole ones.
        alerts: The symbol's alerts in the bars' time.
    """

    bars: SymbolBars = field(default_factory=SymbolBars.none)
    interval: int = 1
    prev_close: float = math.nan
    open: float = math.nan
    last: float = math.nan
    days: tuple[TradingDay, ...] = ()
    alerts: tuple[Fired, ...] = ()


@dataclass(frozen=True, slots=True)
class Candle:
    """The bars of one column; prices in dollars, NaN for none.

    Attributes:
        minute: The first minute, counted from 1970.
        minutes: How many it spans.
        volume: Shares.
        change: In percent of the close of the candle before.
        vwap: The session's, at the candle's end.
        ema: By period.
        rsi: Over 14 bars, 0 to 100.
        alerts: The names of the rules that fired.
    """

    minute: int
    minutes: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    change: float
    vwap: float
    ema: tuple[float, ...]
    rsi: float
    alerts: tuple[str, ...] = ()
