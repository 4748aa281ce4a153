"""How far a live stream has caught up after a start or a break, and what is known of the break."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from stockscan_tui.feed.stream import Stream
from stockscan_tui.market import kernel as k
from stockscan_tui.market.batch import Gap
from stockscan_tui.market.calendar import SECOND_NS

# The gateway filters on ts_event, which is before ts_recv by as much as this.
OVERLAP_NS = 60 * SECOND_NS


@dataclass(slots=True)
class Catching:
    """One stream's way back to the present.

    Attributes:
        stream: Whose it is.
        active: Whether what comes is a replay and not yet the present.
        goal_ns: The gateway's clock when the session began, 0 while it is not known.
        heard_ns: The monotonic clock when bytes last came, in ns.
        heartbeat_ns: The gateway's clock by its last heartbeat.
        asked_replay: Whether the present connection was asked for a replay.
        replayed: Whether the gateway said that its replay is complete.
        gap: The break that is being mended, None where there is none.
    """

    stream: Stream
    active: bool = False
    goal_ns: int = 0
    heard_ns: int = 0
    heartbeat_ns: int = 0
    asked_replay: bool = False
    replayed: bool = False
    gap: Gap | None = None

    def last_ns(self, marks: k.Int64s) -> int:
        """Return the newest ts_recv that was applied of this stream, 0 before the first."""
        own = marks[(marks[:, k.MARK_KEY] >> 16) == self.stream.rtype]
        return int(own[:, k.MARK_NS].max(initial=0))

    def resume_ns(self, marks: k.Int64s) -> int | None:
        """Return where a new connection must start to miss nothing, None where nothing came yet."""
        own = marks[(marks[:, k.MARK_KEY] >> 16) == self.stream.rtype]
        seen = own[own[:, k.MARK_NS] > 0]
        return int(seen[:, k.MARK_NS].min()) - OVERLAP_NS if len(seen) else None

    def expect_repeats(self, marks: k.Int64s) -> None:
        """Let what the watermarks have seen be passed over when it comes again."""
        own = (marks[:, k.MARK_KEY] >> 16 == self.stream.rtype) & (marks[:, k.MARK_NS] > 0)
        marks[own, k.MARK_SKIP_NS] = marks[own, k.MARK_NS]
        marks[own, k.MARK_SKIP_LEFT] = marks[own, k.MARK_COUNT]
        marks[own, k.MARK_BEYOND_NS] = 0

    def missed(self, marks: k.Int64s) -> tuple[int, int] | None:
        """Return the time from the last record held to the first after it that a replay left out.

        A whole replay repeats every record at the watermark. The second time is 0 while nothing
        newer has come; None where nothing was left out.
        """
        own = marks[(marks[:, k.MARK_KEY] >> 16) == self.stream.rtype]
        short = own[own[:, k.MARK_SKIP_LEFT] > 0]
        if not len(short) or self.gap is None:
            return None
        beyond = own[own[:, k.MARK_BEYOND_NS] > 0, k.MARK_BEYOND_NS]
        return self.gap.from_ns, int(beyond.min()) if len(beyond) else 0

    def seen_beyond(self, marks: k.Int64s) -> bool:
        """Whether anything has come that was not there before the break."""
        own = marks[(marks[:, k.MARK_KEY] >> 16) == self.stream.rtype]
        return bool((own[:, k.MARK_BEYOND_NS] > 0).any())

    def forget_repeats(self, marks: k.Int64s) -> None:
        """Let everything that comes from now on be new."""
        own = (marks[:, k.MARK_KEY] >> 16) == self.stream.rtype
        marks[own, k.MARK_SKIP_NS :] = 0

    def break_off(self, day: date, last_ns: int, reason: str) -> Gap | None:
        """Note that the stream broke off; returns the gap that begins, None where one lasts."""
        self.active = False
        if self.gap is not None or last_ns == 0:
            return None
        self.gap = Gap(day, last_ns, 0, reason)
        return self.gap

    def settle(self, to_ns: int, healed_ns: int) -> Gap | None:
        """End the gap at `to_ns`, healed or (0) not; returns it as it is now."""
        gap, self.gap = self.gap, None
        return replace(gap, to_ns=max(to_ns, gap.from_ns), healed_ns=healed_ns) if gap else None
