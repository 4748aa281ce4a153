"""Bars of one symbol that were never traded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date, time

import numpy as np

from stockscan_tui.market.calendar import MINUTE_NS, new_york_ns
from stockscan_tui.market.symbol_bars import SymbolBars


def bars_of(
    minutes: Sequence[int], prices: Sequence[tuple[float, float, float, float]]
) -> SymbolBars:
    """Return bars of minutes since 1970 with prices of open, high, low, close; 100 shares each."""
    count = len(minutes)
    opened, high, low, close = np.array(prices, np.float64).reshape(-1, 4).T
    return SymbolBars(
        minute=np.array(minutes, np.int64),
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=np.full(count, 100, np.int64),
        trades=np.ones(count, np.int64),
        notional=np.full(count, np.nan),
        source=np.zeros(count, np.uint8),
    )


def day_bars(
    day: date, *, seed: int = 1, start: float = 15.0, share: float = 1.0, until: int = 960
) -> SymbolBars:
    """Return a day's bars that walk about, up to some minutes after 04:00 in New York.

    Args:
        day: Which.
        seed: Of the walk.
        start: The first price.
        share: Of the minutes, how many have a bar.
        until: Minutes after 04:00 at which it ends.
    """
    rng = np.random.default_rng(seed)
    minutes = np.flatnonzero(rng.random(until) < share)
    count = len(minutes)
    path = start * np.exp(np.cumsum(rng.normal(0, 0.0007, (count, 8)).ravel())).reshape(-1, 8)
    path = np.round(path, 2)
    regular = (minutes >= 330) & (minutes < 720)
    volume = rng.geometric(np.where(regular, 0.0001, 0.001)).astype(np.int64)
    return SymbolBars(
        minute=minutes + new_york_ns(day, time(4)) // MINUTE_NS,
        open=path[:, 0],
        high=path.max(axis=1),
        low=path.min(axis=1),
        close=path[:, -1],
        volume=volume,
        trades=np.maximum(volume // 90, 1),
        notional=volume * path.mean(axis=1),
        source=np.zeros(count, np.uint8),
    )


def joined(parts: Sequence[SymbolBars]) -> SymbolBars:
    """Return the bars of several days as one, the oldest day first."""
    return SymbolBars(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(SymbolBars)}
    )
