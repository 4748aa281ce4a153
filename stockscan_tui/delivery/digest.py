"""What was evaluated too late to act on: counted, and told once.

The courier's thread owns it; all times but the alerts' own are of the monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from stockscan_tui.market.calendar import SECOND_NS, new_york_time
from stockscan_tui.market.fired import Fired

# Late alerts come as fast as a gap is fetched: after so long without one that is done.
_QUIET_NS = 2 * SECOND_NS
_LONGEST_NS = 15 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Gathered:
    """Late alerts: how many, the instants of the first and the last, whether on the desktop too."""

    count: int
    first_ns: int
    last_ns: int
    desktop: bool

    @property
    def line(self) -> str:
        """Return them in a sentence."""
        first, last = new_york_time(self.first_ns), new_york_time(self.last_ns)
        form = "%H:%M" if first.date() == last.date() else "%Y-%m-%d %H:%M"
        span = f"{first:{form}}"
        if f"{last:{form}}" != span:
            span += f"–{last:{form}}"
        noun = "alert" if self.count == 1 else "alerts"
        return f"{self.count:,} {noun} while the feed was away, {span}"


class Digest:
    """Gathers late alerts until no more come."""

    def __init__(self) -> None:
        self._held: Gathered | None = None
        self._begun_ns = 0
        self._newest_ns = 0

    def add(self, now_ns: int, alert: Fired, *, desktop: bool) -> None:
        """Take a late alert."""
        held = self._held
        if held is None:
            self._begun_ns = now_ns
            held = Gathered(0, alert.ts_ns, alert.ts_ns, desktop=False)
        self._newest_ns = now_ns
        self._held = Gathered(
            held.count + 1,
            min(held.first_ns, alert.ts_ns),
            max(held.last_ns, alert.ts_ns),
            held.desktop or desktop,
        )

    @property
    def due_ns(self) -> int | None:
        """Return when it is to be told, None for nothing gathered."""
        if self._held is None:
            return None
        return min(self._newest_ns + _QUIET_NS, self._begun_ns + _LONGEST_NS)

    def ready(self, now_ns: int) -> Gathered | None:
        """Return what was gathered once it is to be told, and forget it."""
        due_ns = self.due_ns
        if due_ns is None or now_ns < due_ns:
            return None
        held, self._held = self._held, None
        return held
