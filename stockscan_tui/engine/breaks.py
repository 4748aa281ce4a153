"""The gaps of a live feed: when one begins, how far its replay mends it, and what stays open."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from stockscan_tui.clock import Clock
from stockscan_tui.engine.catching import Catching
from stockscan_tui.market.batch import Gap
from stockscan_tui.market.calendar import SECOND_NS, TradingDay
from stockscan_tui.market.state import Market

# A stream of which nothing has come for so long has brought what there is.
IDLE_NS = 2 * SECOND_NS
# So long a replay of which nothing is seen may take to begin.
PATIENCE_NS = 30 * SECOND_NS


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
        silence = self._market.silence
        if gap.to_ns == 0:
            silence.break_off()
        else:
            silence.go_on(gap.from_ns, gap.to_ns, healed=gap.healed_ns > 0)
        self._keep(gap)

    def note_unknown(self, gap: Gap) -> None:
        """Count and keep a gap that was over before it was seen."""
        self.begun += 1
        self._keep(gap)

    def broke(self, track: Catching, day: TradingDay, reason: str) -> None:
        """A stream's connection has ended."""
        marks = self._market.watermarks
        self._left_out(track)
        track.forget_repeats(marks)
        self.note(track.break_off(day.session_date, track.proven_ns(marks), reason))

    def look(self, tracks: Iterable[Catching], event_ns: int) -> None:
        """See which replays are over, and settle the gaps that they mend."""
        marks = self._market.watermarks
        for track in tracks:
            if not track.stream.open:
                continue
            self._left_out(track)
            if track.active:
                track.active = not self._over(track)
            if not track.active and (track.replayed or track.seen_beyond(marks)):
                self._settle(track, event_ns)

    def _over(self, track: Catching) -> bool:
        """Whether a replay has reached the gateway's clock, or has run dry."""
        if track.replayed:
            return True
        now_ns = self._clock.now_ns()
        marks = self._market.watermarks
        if track.goal_ns > 0 and track.last_ns(marks) >= track.goal_ns:
            return True
        dry = not track.stream.waiting and now_ns - track.heard_ns > IDLE_NS
        waited = now_ns - track.begun_ns > PATIENCE_NS
        if not track.asked_replay:
            return dry or track.beaten
        # Quiet alone may be a replay that has not begun.
        begun = track.gap is not None and track.seen_beyond(marks)
        unknown = track.goal_ns == 0 and waited
        return unknown or ((dry or track.beaten) and (begun or waited))

    def _left_out(self, track: Catching) -> None:
        """Settle a gap as not healed as soon as a replay is seen to have left something out."""
        missed = track.missed(self._market.watermarks)
        if missed is not None and missed[1]:
            self.note(track.settle(missed[1], 0))
            track.forget_repeats(self._market.watermarks)

    def _settle(self, track: Catching, event_ns: int) -> None:
        """End the gap: healed, if the replay began where the break did."""
        marks = self._market.watermarks
        if track.gap is None:
            return
        missed = track.missed(marks)
        to_ns = track.goal_ns or track.last_ns(marks)
        healed_ns = max(event_ns, to_ns) if missed is None else 0
        self.note(track.settle(to_ns, healed_ns))
        if track.replayed:
            track.forget_repeats(marks)
