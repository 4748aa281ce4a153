"""The range of the first minutes of regular hours, for each symbol; the engine's thread."""

from __future__ import annotations

import numpy as np

from stockscan_tui.market import kernel as k
from stockscan_tui.market.kernel import Int64s
from stockscan_tui.market.snapshot import OPENING_WINDOWS, Floats


class Opening:
    """Highs and lows of the session as they stood so many minutes after the regular open."""

    def __init__(self) -> None:
        self._ranges: dict[int, Int64s] = {}
        self._dollars: dict[int, tuple[Floats, Floats]] = {}

    def close_minute(self, rows: Int64s, minutes_open: int) -> None:
        """Take the minute with which regular hours have gone on for `minutes_open` minutes."""
        if minutes_open in OPENING_WINDOWS:
            self._ranges[minutes_open] = rows[:, [k.HIGH, k.LOW]].T.copy()
            self._dollars = {}

    def clear(self) -> None:
        """Begin a new day."""
        self._ranges = {}
        self._dollars = {}

    def ranges(self, count: int) -> dict[int, tuple[Floats, Floats]]:
        """Return highs and lows in dollars by window, NaN where nothing had traded.

        Not to be written to.
        """
        for window, prices in self._ranges.items():
            known = self._dollars.get(window)
            if known is not None and len(known[0]) == count:
                continue
            dollars = np.full((2, count), np.nan)
            there = min(count, prices.shape[1])
            some = prices[:, :there] > 0
            dollars[:, :there][some] = prices[:, :there][some] / 1e9
            self._dollars[window] = (dollars[0], dollars[1])
        return dict(self._dollars)

    def freeze(self, count: int) -> Int64s:
        """Return all that is kept, shape (2 × windows, count); 0 where nothing is."""
        frozen = np.zeros((len(OPENING_WINDOWS), 2, count), np.int64)
        for place, window in enumerate(OPENING_WINDOWS):
            prices = self._ranges.get(window)
            if prices is not None:
                there = min(count, prices.shape[1])
                frozen[place, :, :there] = prices[:, :there]
        return frozen.reshape(-1, count)

    def thaw(self, frozen: Int64s) -> None:
        """Take up what `freeze` returned."""
        count = frozen.shape[1]
        for window, prices in zip(OPENING_WINDOWS, frozen.reshape(-1, 2, count), strict=True):
            if prices.any():
                self._ranges[window] = prices.copy()
