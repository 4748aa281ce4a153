"""In which minutes of the day the feed is not known to have been whole; the engine's thread."""

from __future__ import annotations

from stockscan_tui.market.calendar import DAY_NS, TradingDay
from stockscan_tui.market.snapshot import Doubt

# The end of a span that is not over.
LASTING_NS = 2**63 - 1


class Wholeness:
    """Spans of time of which nothing says that all records came, by name."""

    def __init__(self) -> None:
        self._spans: dict[tuple[int, str], int] = {}
        self._doubts: tuple[Doubt, ...] | None = None

    def doubt(self, from_ns: int, to_ns: int, reason: str) -> None:
        """Let what came between two instants (ns since 1970) be in doubt."""
        if self._spans.get((from_ns, reason)) != to_ns:
            self._spans[from_ns, reason] = to_ns
            self._doubts = None

    def settle(self, from_ns: int, reason: str) -> None:
        """Let a span be whole after all."""
        if self._spans.pop((from_ns, reason), None) is not None:
            self._doubts = None

    def begin_day(self, day: TradingDay) -> None:
        """Forget what lies before a new day."""
        self._spans = {key: to_ns for key, to_ns in self._spans.items() if to_ns > day.start_ns}
        self._doubts = None

    def doubts(self, day: TradingDay) -> tuple[Doubt, ...]:
        """Return the spans that touch the day, oldest first: the same tuple until one changes."""
        if self._doubts is None:
            self._doubts = tuple(
                Doubt(from_ns, to_ns, reason)
                for (from_ns, reason), to_ns in sorted(self._spans.items())
                if from_ns < day.start_ns + DAY_NS and to_ns > day.start_ns
            )
        return self._doubts
