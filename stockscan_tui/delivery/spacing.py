"""Limits on how often something is done; the courier's thread owns them."""

from __future__ import annotations

from dataclasses import replace

from stockscan_tui.delivery.parcel import Parcel
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.scan.rules import Priority

_ORDER = tuple(Priority)


def urgency(parcel: Parcel) -> int:
    """Return how much an alert matters, more for more."""
    return _ORDER.index(parcel.rule.priority)


class Spacing:
    """Allows something once in so many seconds.

    Args:
        every_s: The least time between two.
    """

    def __init__(self, every_s: float) -> None:
        self._every_ns = int(every_s * SECOND_NS)
        self.next_ns: int | None = None

    def ready(self, now_ns: int) -> bool:
        """Return whether it may be done now; if so, it counts as done."""
        if self.next_ns is not None and now_ns < self.next_ns:
            return False
        self.next_ns = now_ns + self._every_ns
        return True


class Joined:
    """Alerts that wait for the next one of something that is done seldom, as one.

    Args:
        every_s: The least time between two.
    """

    def __init__(self, every_s: float) -> None:
        self._spacing = Spacing(every_s)
        self._best: Parcel | None = None
        self._count = 0

    def add(self, parcel: Parcel) -> None:
        """Take an alert; the newest of those that matter most is the one that is told."""
        self._count += parcel.count
        if self._best is None or urgency(parcel) >= urgency(self._best):
            self._best = parcel

    @property
    def due_ns(self) -> int | None:
        """Return when what waits can go, None for nothing that waits."""
        return None if self._best is None else self._spacing.next_ns or 0

    def ready(self, now_ns: int) -> Parcel | None:
        """Return what can go now, with how many others it stands for."""
        best = self._best
        if best is None or not self._spacing.ready(now_ns):
            return None
        count, self._best, self._count = self._count, None, 0
        others = count - best.count
        if not others:
            return best
        return replace(best, line=f"{best.said} · and {others:,} more", count=count)
