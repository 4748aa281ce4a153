"""The last minutes' bars of all symbols, one immutable piece per minute: what windows look at."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class MinuteBars:
    """The bars of one minute; all arrays have one row per symbol that traded in it, in any order.

    Attributes:
        minute: Minutes since 1970, UTC.
        slot: The symbols' slots, each once.
        open, high, low, close: Dollars.
        volume: Shares.
        trades: Prints; 1 for a minute that is known only by its bar.
        notional: Dollars traded.
    """

    minute: int
    slot: NDArray[np.int32]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Integers
    trades: Integers
    notional: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Minutes:
    """What a picture knows of the last minutes.

    Attributes:
        closed: The minutes that are over and in which anything traded, oldest first.
        running: The minute that goes on, as far as it has come.
        sums: What was worked out over `closed`; shared by all pictures of a minute.
    """

    closed: tuple[MinuteBars, ...] = ()
    running: MinuteBars | None = None
    sums: dict[tuple[str, int], Floats] = field(default_factory=dict, repr=False)

    def over(self, name: str, window: int, count: int) -> Floats:
        """Return a figure over the last `window` closed minutes and the one that goes on.

        Args:
            name: `high`, `low`, or what is added up: `volume`, `trades`, `notional`.
            window: Minutes.
            count: The number of symbols.

        Returns:
            A value per symbol, shape (count,); NaN for prices where nothing traded, 0 for sums.
        """
        if self.running is None:
            return _empty(name, count)
        before = self.before(name, window, count)
        figure = before.copy()
        _join(figure, name, self.running, count)
        return figure

    def before(self, name: str, window: int, count: int) -> Floats:
        """Return the same over the last `window` closed minutes alone; not to be written to."""
        known = self.sums.get((name, window))
        if known is not None and len(known) == count:
            return known
        figure = _empty(name, count)
        if self.running is not None:
            oldest = self.running.minute - window
            for bars in reversed(self.closed):
                if bars.minute < oldest:
                    break
                _join(figure, name, bars, count)
        self.sums[name, window] = figure
        return figure

    def burst(self, bars: int, count: int) -> Floats:
        """Return the last closed minute's volume against the mean of the `bars` before it.

        Shape (count,); NaN where they had none. Not to be written to.
        """
        known = self.sums.get(("burst", bars))
        if known is not None and len(known) == count:
            return known
        newest = self.before("volume", 1, count)
        usual = (self.before("volume", 1 + bars, count) - newest) / bars
        ratio = np.full(count, np.nan)
        np.divide(newest, usual, out=ratio, where=usual > 0)
        self.sums["burst", bars] = ratio
        return ratio


def _empty(name: str, count: int) -> Floats:
    return np.full(count, np.nan if name in ("high", "low") else 0.0)


def _join(figure: Floats, name: str, bars: MinuteBars, count: int) -> None:
    slot = bars.slot
    values = getattr(bars, name)
    if len(slot) and int(slot.max()) >= count:
        kept = slot < count
        slot, values = slot[kept], values[kept]
    if name == "high":
        figure[slot] = np.fmax(figure[slot], values)
    elif name == "low":
        figure[slot] = np.fmin(figure[slot], values)
    else:
        figure[slot] += values
