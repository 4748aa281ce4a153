"""In which minutes of the day the feed is not known to have been whole; the engine's thread."""

from __future__ import annotations

from stockscan_tui.market.calendar import MINUTE_NS, TradingDay


class Wholeness:
    """Spans of time of which nothing says that all records came, by name."""

    def __init__(self) -> None:
        self._spans: dict[tuple[int, str], int] = {}

    def doubt(self, from_ns: int, to_ns: int, reason: str) -> None:
        """Let what came between two instants (ns since 1970) be in doubt."""
        self._spans[from_ns, reason] = to_ns

    def settle(self, from_ns: int, reason: str) -> None:
        """Let a span be whole after all."""
        self._spans.pop((from_ns, reason), None)

    def begin_day(self, day: TradingDay) -> None:
        """Forget what lies before a new day."""
        self._spans = {key: to_ns for key, to_ns in self._spans.items() if to_ns > day.start_ns}

    def unknown_minutes(self, day: TradingDay, until_ns: int) -> int:
        """Return how many session minutes of the day up to an instant are in doubt."""
        last = min(until_ns, day.post_end_ns) // MINUTE_NS
        first = day.pre_ns // MINUTE_NS
        doubtful: set[int] = set()
        for (from_ns, _reason), to_ns in self._spans.items():
            begin, end = from_ns // MINUTE_NS, -(-to_ns // MINUTE_NS)
            doubtful.update(range(max(begin, first), min(end, last)))
        return len(doubtful)
