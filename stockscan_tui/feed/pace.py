"""How fast event time may run, and how fast records came: against a clock that is passed in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stockscan_tui.market.calendar import SECOND_NS


class Pacer:
    """Says up to which instant a replay may have come.

    Args:
        speed: Event seconds per second; `math.inf` plays as fast as it goes.
    """

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.paused = False
        self._event_ns = 0
        self._wall_ns = 0

    def anchor(self, event_ns: int, wall_ns: int) -> None:
        """Let `event_ns` be now, and go on from there."""
        self._event_ns = event_ns
        self._wall_ns = wall_ns

    def target_ns(self, wall_ns: int) -> int | None:
        """Return the instant that may be played up to, None where there is no limit."""
        if self.paused:
            return self._event_ns
        if math.isinf(self.speed):
            return None
        return self._event_ns + int((wall_ns - self._wall_ns) * self.speed)

    def set(self, event_ns: int, wall_ns: int, *, speed: float, paused: bool) -> None:
        """Change speed or pause at `event_ns` without a jump."""
        self.anchor(event_ns, wall_ns)
        self.speed = speed
        self.paused = paused


@dataclass(slots=True)
class Rate:
    """Records per second of wall time, over the last second or so."""

    per_s: float = 0.0
    _wall_ns: int = 0
    _records: int = 0

    def note(self, wall_ns: int, records: int) -> None:
        """Take the count of records as it stands at a wall time."""
        passed_ns = wall_ns - self._wall_ns
        if self._wall_ns == 0 or passed_ns >= SECOND_NS:
            if self._wall_ns:
                self.per_s = (records - self._records) / passed_ns * SECOND_NS
            self._wall_ns = wall_ns
            self._records = records
