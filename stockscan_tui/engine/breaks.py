"""The gaps of a live feed: when one begins, how far its replay mends it, and what stays open."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from stockscan_tui.clock import Clock
from stockscan_tui.engine.catching import Catching
from stockscan_tui.market.batch import Gap
from stockscan_tui.market.calendar import SECOND_NS, TradingDay
from stockscan_tui.market.state import Market

# A replay of which nothing has come for so long has brought what there is.
IDLE_NS = 2 * SECOND_NS


class Breaks:
    """Keeps the truth about gaps.

    Args:
        market: Whose watermarks tell what was seen.
        clock: Wall time, for replays that run dry.
        keep: Takes every gap as it begins and as it ends.
    """

    def __init__(self, market: Market, clock: Clock, keep: Callable[[Gap], None]) -> None:
        self._market = market
        self._clock = clock
        self._keep = keep
        self.begun = 0
        self.healed = 0

    def note(self, gap: Gap | None) -> None:
        """Count and keep a gap: one that begins or, with an end, one that is over."""
        if gap is None:
            return
        self.begun += gap.to_ns == 0
        self.healed += gap.healed_ns > 0
        self._keep(gap)

    def note_unknown(self, gap: Gap) -> None:
        """Count and keep a gap that was over before it was seen."""
        self.begun += 1
        self._keep(gap)

    def broke(self, track: Catching, day: TradingDay, reason: str) -> None:
        """A stream's connection has ended."""
        marks = self._market.watermarks
        missed = track.missed(marks)
        if missed is not None and missed[1]:
            # Its replay had left something out already.
            self.note(track.settle(missed[1], 0))
        last_ns = track.last_ns(marks)
        track.forget_repeats(marks)
        self.note(track.break_off(day.session_date, last_ns, reason))

    def look(self, tracks: Iterable[Catching], event_ns: int) -> None:
        """A replay that has reached the gateway's clock, or has run dry, is over."""
        now_ns = self._clock.now_ns()
        marks = self._market.watermarks
        for track in tracks:
            if not track.stream.open:
                continue
            if track.active:
                reached = track.goal_ns > 0 and track.last_ns(marks) >= track.goal_ns
                dry = not track.stream.waiting and now_ns - track.heard_ns > IDLE_NS
                track.active = not (reached or dry or track.replayed)
            if not track.active and (track.replayed or track.seen_beyond(marks)):
                self._settle(track, event_ns)

    def _settle(self, track: Catching, event_ns: int) -> None:
        """End the gap: healed, if the replay began where the break did."""
        marks = self._market.watermarks
        if track.gap is None:
            return
        missed = track.missed(marks)
        to_ns = track.goal_ns or track.last_ns(marks)
        if missed is None:
            self.note(track.settle(to_ns, max(event_ns, to_ns)))
        else:
            self.note(track.settle(missed[1] or to_ns, 0))
        if track.replayed:
            track.forget_repeats(marks)
