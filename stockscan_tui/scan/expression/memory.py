"""What crossings need to know of the past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.snapshot import Flags, Floats, Integers
from stockscan_tui.scan.expression.tree import Crosses

# A value per symbol, or one for all.
Numbers = Floats | np.float64
NEVER_NS = np.iinfo(np.int64).min


@dataclass(slots=True)
class _Past:
    """By symbol: on which side it was last (-1, 1, 0 for unknown), and when it last crossed."""

    side: NDArray[np.int8]
    crossed_ns: Integers

    def grow(self, count: int) -> None:
        missing = count - len(self.side)
        if missing > 0:
            self.side = np.append(self.side, np.zeros(missing, np.int8))
            self.crossed_ns = np.append(self.crossed_ns, np.full(missing, NEVER_NS))


class Memory:
    """Remembers for `crosses_above` and `crosses_below` on which side each symbol was.

    Evaluations must come in the order of event time, on one thread, and symbols keep their places:
    after a leap through time begin with a new memory. The first evaluation only takes note. A
    value that is missing, or equal to the other, leaves a symbol on its side.

    Args:
        hold_ns: For how long after it (event time) a crossing stays true; with 0 it is true in
            evaluations at the very event time of the crossing.
    """

    def __init__(self, hold_ns: int = 0) -> None:
        self.hold_ns = hold_ns
        self._past: dict[Crosses, _Past] = {}

    def crossed(self, node: Crosses, rising: Numbers, falling: Numbers, event_ns: int) -> Flags:
        """Take note of what stands over the other, and return which symbols have crossed.

        Args:
            node: The crossing.
            rising: What has to rise, a value per symbol or one for all, NaN where unknown.
            falling: Over what; at least one of both has a value per symbol.
            event_ns: When this is so.
        """
        difference: Floats = np.asarray(rising - falling)
        count = len(difference)
        past = self._past.get(node)
        if past is None:
            past = self._past[node] = _Past(np.zeros(0, np.int8), np.zeros(0, np.int64))
        past.grow(count)
        side, crossed_ns = past.side[:count], past.crossed_ns[:count]
        crossed_ns[(difference > 0) & (side < 0)] = event_ns
        side[difference > 0] = 1
        side[difference < 0] = -1
        recent: Flags = (crossed_ns >= event_ns - self.hold_ns) & (crossed_ns <= event_ns)
        return recent

    def crossed_ns(self, node: Crosses, count: int) -> Integers:
        """Return when each of `count` symbols last crossed (event time), NEVER_NS for never."""
        past = self._past.get(node)
        if past is None:
            return np.full(count, NEVER_NS)
        past.grow(count)
        return past.crossed_ns[:count].copy()
