"""The session so far, on a first start in its middle: minute bars up to the gateway's own minute.

Its stream is played before the others are, so that marks, sessions and days pass in their order.
The gateway's clock, which its first message shows, says where the bars end and the rest begins:
the clock of this machine may be hours off.
"""

from __future__ import annotations

from stockscan_tui.clock import Clock
from stockscan_tui.engine.catching import Catching
from stockscan_tui.feed.stream import Answer, Link
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS

# For how long nothing may come before the feed starts without it.
PATIENCE_NS = 8 * SECOND_NS
# The gateway goes by ts_event and bars by ts_recv, and the last minute's bar may not be out yet;
# what has a bar already is not counted again.
LEAD_NS = 2 * MINUTE_NS


class SoFar:
    """Brings the minute bars of the session so far.

    Args:
        track: The stream of bars.
        clock: Wall time, for patience.
    """

    def __init__(self, track: Catching, clock: Clock) -> None:
        self.track = track
        self.failed = False
        self._clock = clock
        self._asked_ns = 0

    @property
    def pending(self) -> bool:
        """Whether it is still waited for."""
        return not self.track.stream.finished

    @property
    def end_ns(self) -> int:
        """The beginning of the gateway's own minute, 0 while its clock is not known."""
        return self.track.goal_ns // MINUTE_NS * MINUTE_NS

    def ask(self) -> Answer:
        """Return where the bars are to start: as far back as there are any."""
        self._asked_ns = self._asked_ns or self._clock.now_ns()
        self.track.active = True
        return Answer(start_ns=0)

    def start_of_rest(self) -> Answer | None:
        """Return where the other streams start, None while that is to be waited for."""
        # Not only its own stream may be what cannot be connected.
        self._asked_ns = self._asked_ns or self._clock.now_ns()
        if self.end_ns:
            return Answer(start_ns=self.end_ns - LEAD_NS)
        return None if self.pending else Answer()

    def stop_ns(self, boundary_ns: int) -> int:
        """Return up to when its bars may be applied."""
        return min(boundary_ns, self.end_ns or boundary_ns)

    def passed(self, boundary_ns: int) -> bool:
        """Whether its bars have passed a minute's end."""
        stream = self.track.stream
        return stream.waiting and stream.next_ns >= boundary_ns

    def look(self) -> bool:
        """End the wait once all is in, or once it is of no use; returns whether it ended now."""
        stream = self.track.stream
        reached = self.end_ns > 0 and stream.waiting and stream.next_ns >= self.end_ns
        complete = self.track.replayed or self.track.heartbeat_ns > 0
        refused = stream.status.link is Link.REFUSED
        if not (reached or complete or refused or self._overdue()):
            return False
        self.failed = not (reached or complete)
        stream.finish()
        return True

    def give_up(self) -> None:
        """Do without."""
        self.failed = True
        self.track.stream.finish()

    def _overdue(self) -> bool:
        since_ns = max(self._asked_ns, self.track.heard_ns)
        return since_ns > 0 and self._clock.now_ns() - since_ns > PATIENCE_NS
