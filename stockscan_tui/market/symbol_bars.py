"""One symbol's bars over days: stored ones and those in memory as one, and folded to intervals."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.batch import BarSource
from stockscan_tui.market.minutes import Minutes

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SymbolBars:
    """One symbol's bars, oldest first; only intervals that traded.

    Attributes:
        minute: The interval's first minute, counted from 1970 (UTC).
        open, high, low, close: Dollars.
        volume: Shares.
        trades: Prints; -1 for bars that came without their number.
        notional: Dollars traded; NaN where that is not known.
        source: `BarSource` numbers; of folded bars that of the first.
    """

    minute: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Integers
    trades: Integers
    notional: Floats
    source: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.minute)

    @classmethod
    def none(cls) -> SymbolBars:
        """Return no bars."""
        empty, whole = np.zeros(0), np.zeros(0, np.int64)
        return cls(whole, empty, empty, empty, empty, whole, whole, empty, np.zeros(0, np.uint8))

    @classmethod
    def recent(cls, minutes: Minutes, slot: int) -> SymbolBars:
        """Return the bars of a symbol that a picture holds: two hours, and the minute that goes on.

        Where they came from is not told: they count as made of trades.
        """
        pieces = [*minutes.closed, *([minutes.running] if minutes.running is not None else [])]
        rows: list[tuple[float, ...]] = []
        for piece in pieces:
            for at in np.flatnonzero(piece.slot == slot).tolist():
                rows.append(
                    (
                        piece.minute,
                        piece.open[at],
                        piece.high[at],
                        piece.low[at],
                        piece.close[at],
                        piece.volume[at],
                        piece.trades[at],
                        piece.notional[at],
                    )
                )
        if not rows:
            return cls.none()
        cells = np.array(rows, np.float64).T
        whole = np.rint(cells[[0, 5, 6]]).astype(np.int64)
        source = np.full(len(rows), BarSource.TRADES, np.uint8)
        opening, high, low, close = cells[1:5]
        return cls(whole[0], opening, high, low, close, whole[1], whole[2], cells[7], source)

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> SymbolBars:
        """Return some of the bars."""
        return SymbolBars(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def before(self, minute: int) -> SymbolBars:
        """Return the bars that begin before a minute."""
        return self.rows(slice(0, int(np.searchsorted(self.minute, minute))))

    def since(self, minute: int) -> SymbolBars:
        """Return the bars that begin at a minute or after it."""
        return self.rows(slice(int(np.searchsorted(self.minute, minute)), None))

    def with_recent(self, recent: SymbolBars, now_minute: int) -> SymbolBars:
        """Return stored bars up to now, those in memory in place of stored ones of their minutes.

        Args:
            recent: What memory holds; it wins, but for where a bar came from.
            now_minute: The minute that goes on; nothing stored of it or after it is taken.
        """
        stored = self.before(now_minute)
        source = recent.source.copy()
        place = np.searchsorted(stored.minute, recent.minute)
        place = np.minimum(place, max(len(stored) - 1, 0))
        if len(stored):
            known = stored.minute[place] == recent.minute
            source[known] = stored.source[place[known]]
        kept = stored.rows(~np.isin(stored.minute, recent.minute))
        joined = {
            f.name: np.concatenate([getattr(kept, f.name), getattr(recent, f.name)])
            for f in fields(self)
            if f.name != "source"
        }
        joined["source"] = np.concatenate([kept.source, source])
        whole = SymbolBars(**joined)
        return whole.rows(np.argsort(whole.minute, kind="stable"))

    def folded(self, interval: int) -> SymbolBars:
        """Return the bars of intervals of some minutes, which begin on the clock's multiples."""
        if interval <= 1 or not len(self):
            return self
        begin = self.minute // interval * interval
        first = np.flatnonzero(np.diff(begin, prepend=begin[0] - 1))
        last = np.append(first[1:], len(begin)) - 1
        trades = np.where(
            np.minimum.reduceat(self.trades, first) < 0, -1, np.add.reduceat(self.trades, first)
        )
        return SymbolBars(
            minute=begin[first],
            open=self.open[first],
            high=np.maximum.reduceat(self.high, first),
            low=np.minimum.reduceat(self.low, first),
            close=self.close[last],
            volume=np.add.reduceat(self.volume, first),
            trades=trades,
            notional=np.add.reduceat(self.notional, first),
            source=self.source[first],
        )
