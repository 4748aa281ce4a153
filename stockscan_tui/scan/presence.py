"""Who has come onto a list and who has left it, and since when each has been on it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

LISTED = 50
NEW_NS = 60 * 1_000_000_000
MOST_LEFT = 5
# After so long without a look, everything may have come and gone.
AWAY_NS = 120 * 1_000_000_000


@dataclass(slots=True)
class Presence:
    """The first 50 symbols of one list over time; times are event times in ns since 1970.

    Those of the first look have been there for nobody knows how long: they count from it, and are
    not marked as new.
    """

    since_ns: dict[str, int] = field(default_factory=dict)
    left: deque[tuple[str, int]] = field(default_factory=lambda: deque(maxlen=MOST_LEFT))
    _first_ns: int = -1
    _seen_ns: int = -1

    def note(self, symbols: list[str], now_ns: int) -> None:
        """Take the list's first symbols as they are now."""
        shown = symbols[:LISTED]
        away = not -1 < now_ns - self._seen_ns < AWAY_NS
        self._seen_ns = now_ns
        if self._first_ns < 0 or away or not self.since_ns:
            self._first_ns = now_ns
            self.since_ns = {}
            self.left.clear()
        here = set(shown)
        for gone in [symbol for symbol in self.since_ns if symbol not in here]:
            del self.since_ns[gone]
            self.left.append((gone, now_ns))
        for symbol in shown:
            self.since_ns.setdefault(symbol, now_ns)

    def is_new(self, symbol: str, now_ns: int) -> bool:
        """Whether it came within the last minute."""
        since_ns = self.since_ns.get(symbol, -1)
        return since_ns > self._first_ns and now_ns - since_ns < NEW_NS

    def minutes_on(self, symbol: str, now_ns: int) -> float:
        """Return for how many minutes it has been there, -1 where it is not."""
        since_ns = self.since_ns.get(symbol)
        return -1.0 if since_ns is None else (now_ns - since_ns) / NEW_NS

    def gone(self, now_ns: int) -> tuple[str, ...]:
        """Return who left within the last minute, the newest first."""
        gone = [symbol for symbol, at in reversed(self.left) if 0 <= now_ns - at < NEW_NS]
        return tuple(symbol for symbol in dict.fromkeys(gone) if symbol not in self.since_ns)
