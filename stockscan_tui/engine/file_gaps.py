"""Which time the files of a replay leave out: between them, and before a day's first one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stockscan_tui.market.calendar import MINUTE_NS


@dataclass(slots=True)
class Covered:
    """What has been looked at; times are ns since 1970.

    `until_ns` is the instant up to which it is known what the files hold; the hole that ends there,
    if one does, begins at `hole_ns`, 0 for none.
    """

    until_ns: int
    hole_ns: int = 0

    def reach(self, until_ns: int, spans: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
        """Look on up to an instant; returns the hole that reaches up to it or ended on the way.

        Args:
            until_ns: The end of a minute.
            spans: From when to when each file is whole; 0 as the begin of one that is not known.
        """
        begun = [(begin, end) for begin, end in spans if begin]
        hole: tuple[int, int] | None = None
        at_ns, self.until_ns = self.until_ns, until_ns
        while at_ns < until_ns:
            ends = [end for begin, end in begun if begin <= at_ns < end]
            if ends:
                self.hole_ns = 0
                at_ns = max(ends)
                continue
            self.hole_ns = self.hole_ns or at_ns
            following = [begin for begin, _end in begun if begin > at_ns]
            at_ns = min([until_ns, *following])
            # A file that begins within a minute does not hold all of it.
            hole = (self.hole_ns, min(-(-at_ns // MINUTE_NS) * MINUTE_NS, until_ns))
        return hole
