"""How far a live stream has caught up after a start or a break, and what is known of the break."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.feed.stream import Stream
from stockscan_tui.market import kernel as k
from stockscan_tui.market.batch import Gap
from stockscan_tui.market.calendar import SECOND_NS

# The gateway filters on ts_event, which is before ts_recv by as much as this.
OVERLAP_NS = 60 * SECOND_NS
# Publishers of one stream come in order of time: one that has been silent for longer than this
# has had nothing, or it would have come before the others' newest.
SILENT_PUBLISHER_NS = 60 * SECOND_NS


@dataclass(slots=True)
class Catching:
    """One stream's way back to the present.

    Attributes:
        stream: Whose it is.
        active: Whether what comes is a replay and not yet the present.
        goal_ns: The gateway's clock when the session began, 0 while it is not known.
        begun_ns: The monotonic clock when the connection was taken up, in ns.
        heard_ns: The monotonic clock when bytes last came, in ns.
        heartbeat_ns: The gateway's clock by its last heartbeat: up to then all has come.
        beaten: Whether the present connection has brought a heartbeat.
        asked_replay: Whether the present connection was asked for a replay.
        replayed: Whether the gateway said that its replay is complete.
        gap: The break that is being mended, None where there is none.
    """

    stream: Stream
    active: bool = False
    goal_ns: int = 0
    begun_ns: int = 0
    heard_ns: int = 0
    heartbeat_ns: int = 0
    beaten: bool = False
    asked_replay: bool = False
    replayed: bool = False
    gap: Gap | None = None

    def _own(self, marks: k.Int64s) -> NDArray[np.bool_]:
        own: NDArray[np.bool_] = (marks[:, k.MARK_KEY] >> 16) == self.stream.rtype
        return own & (marks[:, k.MARK_NS] > 0)

    def last_ns(self, marks: k.Int64s) -> int:
        """Return the newest ts_recv that was applied of this stream, 0 before the first."""
        return int(marks[self._own(marks), k.MARK_NS].max(initial=0))

    def proven_ns(self, marks: k.Int64s) -> int:
        """Return the instant up to which everything has come, 0 where nothing has."""
        return max(self.last_ns(marks), self.heartbeat_ns)

    def resume_ns(self, marks: k.Int64s) -> int | None:
        """Return where a new connection must start to miss nothing, None where nothing came yet."""
        seen = marks[self._own(marks), k.MARK_NS]
        if not len(seen):
            return None
        newest = self.proven_ns(marks)
        recent = seen[seen >= newest - SILENT_PUBLISHER_NS]
        return int(recent.min(initial=newest)) - OVERLAP_NS

    def expect_repeats(self, marks: k.Int64s) -> None:
        """Let what the watermarks have seen be passed over when it comes again."""
        resume_ns = self.resume_ns(marks)
        own = self._own(marks)
        marks[own, k.MARK_SKIP_NS :] = 0
        again = own & (marks[:, k.MARK_NS] >= (resume_ns or 0))
        marks[again, k.MARK_SKIP_NS] = marks[again, k.MARK_NS]
        marks[again, k.MARK_SKIP_LEFT] = marks[again, k.MARK_COUNT]
        marks[again, k.MARK_SKIP_LATE] = marks[again, k.MARK_LATE]

    def missed(self, marks: k.Int64s) -> tuple[int, int] | None:
        """Return the time from the last record held to the first after it that a replay left out.

        A whole replay repeats every record at the watermark. The second time is 0 while nothing
        newer has come; None where nothing was left out.
        """
        own = marks[self._own(marks)]
        beyond = own[own[:, k.MARK_BEYOND_NS] > 0, k.MARK_BEYOND_NS]
        short = own[:, k.MARK_SKIP_LEFT] > 0
        if len(beyond):
            # Another publisher's may be a little ahead.
            short &= own[:, k.MARK_SKIP_NS] < beyond.max()
        if self.gap is None or not short.any():
            return None
        return self.gap.from_ns, int(beyond.min()) if len(beyond) else 0

    def seen_beyond(self, marks: k.Int64s) -> bool:
        """Whether anything has come that was not there before the break."""
        own = marks[self._own(marks)]
        fresh = own[:, k.MARK_NS] > (self.gap.from_ns if self.gap is not None else 0)
        return bool(((own[:, k.MARK_BEYOND_NS] > 0) | fresh).any())

    def forget_repeats(self, marks: k.Int64s) -> None:
        """Let everything that comes from now on be new."""
        marks[self._own(marks), k.MARK_SKIP_NS :] = 0

    def break_off(self, day: date, since_ns: int, reason: str) -> Gap | None:
        """Note that the stream broke off; returns the gap that begins, None where one lasts."""
        self.active = False
        if self.gap is not None or since_ns == 0:
            return None
        self.gap = Gap(day, since_ns, 0, reason)
        return self.gap

    def settle(self, to_ns: int, healed_ns: int) -> Gap | None:
        """End the gap at `to_ns`, healed or (0) not; returns it as it is now."""
        gap, self.gap = self.gap, None
        return replace(gap, to_ns=max(to_ns, gap.from_ns), healed_ns=healed_ns) if gap else None
