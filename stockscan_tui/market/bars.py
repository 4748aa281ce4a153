"""Bars on their way to the store: collected over minutes, each key once."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from stockscan_tui.market.batch import BarBatch


def joined(pieces: list[BarBatch]) -> BarBatch:
    """Return the rows of all pieces in order."""
    if len(pieces) == 1:
        return pieces[0]
    columns = {
        f.name: np.concatenate([getattr(piece, f.name) for piece in pieces])
        for f in fields(BarBatch)
    }
    return BarBatch(**columns)


def newest_only(bars: BarBatch) -> BarBatch:
    """Return the last row of each (slot, minute)."""
    keys = bars.minute * 2**31 + bars.slot
    _, from_end = np.unique(keys[::-1], return_index=True)
    last = np.sort(len(keys) - 1 - from_end)
    if len(last) == len(keys):
        return bars
    return BarBatch(**{f.name: getattr(bars, f.name)[last] for f in fields(BarBatch)})


@dataclass(slots=True)
class BarBuffer:
    """Bars that wait to be handed over together."""

    rows: int = 0
    _pieces: list[BarBatch] = field(default_factory=list)
    _newest_minute: int = -1
    _may_repeat: bool = False

    def add(self, bars: BarBatch | None) -> None:
        """Take changed bars; a bar that comes again replaces the one before."""
        if bars is None or not len(bars):
            return
        # Only a minute that was seen before can bring a key a second time.
        self._may_repeat |= int(bars.minute.min()) <= self._newest_minute
        self._newest_minute = max(self._newest_minute, int(bars.minute.max()))
        self._pieces.append(bars)
        self.rows += len(bars)

    def take(self) -> BarBatch | None:
        """Return what was collected, None where there is nothing, and begin anew."""
        if not self._pieces:
            return None
        bars = joined(self._pieces)
        if self._may_repeat:
            bars = newest_only(bars)
        self._pieces.clear()
        self.rows = 0
        self._may_repeat = False
        self._newest_minute = -1
        return bars
