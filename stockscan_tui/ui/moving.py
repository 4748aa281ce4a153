"""Moves the market through time at the wish of keys and mouse, and says why it cannot."""

from __future__ import annotations

import math

import numpy as np

from stockscan_tui.clock import Clock
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.snapshot import LIVE_PHASES, Phase, Snapshot
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.player import Player

# So long an instant that was asked for stands for where one is, until a picture shows it.
AIM_NS = 2 * SECOND_NS


class Mover:
    """Knows where the market is being moved to, before any picture shows it.

    All methods return what is to be said, empty where the picture says it all.

    Args:
        clock: Wall time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._aim_ns = 0
        self._aimed_ns = -AIM_NS
        self._leap = -1

    def whereabouts(self, snapshot: Snapshot) -> int:
        """Return the instant that one is at or on the way to, in ns since 1970."""
        fresh = self._clock.now_ns() - self._aimed_ns < AIM_NS
        if fresh and snapshot.leap == self._leap:
            return self._aim_ns
        return snapshot.feed.goal_ns or snapshot.event_ns

    def by(self, player: Player, snapshot: Snapshot, ns: int) -> str:
        """Move on by so many ns, or back if negative."""
        refused = refusal(snapshot)
        if not refused and ns > 0 and snapshot.feed.phase in LIVE_PHASES:
            refused = "this is now: nothing lies ahead"
        if not refused:
            self._aim(snapshot, self.whereabouts(snapshot) + ns)
            player.seek_by(ns)
        return refused

    def to(self, player: Player, snapshot: Snapshot, ns: int) -> str:
        """Move to an instant."""
        refused = refusal(snapshot)
        if not refused:
            self._aim(snapshot, ns)
            player.seek(ns)
        return refused

    def to_alert(self, player: Player, snapshot: Snapshot, step: int) -> str:
        """Move to the next alert, or with -1 to the one before."""
        refused = refusal(snapshot)
        if refused or snapshot.timeline is None:
            return refused
        alerts = snapshot.timeline.alerts
        here = self.whereabouts(snapshot)
        if step > 0:
            later = alerts[np.searchsorted(alerts, here, "right") :]
            if not len(later):
                return f"no alert after {fmt.clock(here)}" + _ahead(snapshot)
            return self.to(player, snapshot, int(later[0]))
        earlier = alerts[: np.searchsorted(alerts, here - _run_up(snapshot), "left")]
        if not len(earlier):
            return f"no alert before {fmt.clock(here)}"
        return self.to(player, snapshot, int(earlier[-1]))

    def to_now(self, player: Player, snapshot: Snapshot) -> str:
        """Return from the past of a live run to now."""
        if snapshot.feed.mode == "REPLAY":
            return "this is a replay: there is no now to return to"
        self._aimed_ns = -AIM_NS
        player.to_now()
        return ""

    def _aim(self, snapshot: Snapshot, ns: int) -> None:
        timeline = snapshot.timeline
        self._aim_ns = max(ns, timeline.begin_ns) if timeline is not None else ns
        self._aimed_ns = self._clock.now_ns()
        self._leap = snapshot.leap


def refusal(snapshot: Snapshot) -> str:
    """Return why there is nothing to move over, empty where there is."""
    if snapshot.timeline is not None:
        return ""
    if snapshot.feed.mode == "DEMO":
        return "nothing to go back to: the demo is live, and nothing of it is recorded"
    if snapshot.feed.phase in LIVE_PHASES:
        return "nothing to go back to: there are no bars of today, and no recording (--record)"
    return "nothing to go back to: nothing has been played yet"


def _run_up(snapshot: Snapshot) -> int:
    """Return how shortly before (ns) an alert still counts as the one that one is at."""
    speed = snapshot.feed.speed
    playing = snapshot.feed.phase is Phase.PLAYING and math.isfinite(speed)
    return int(speed * SECOND_NS) if playing else 0


def _ahead(snapshot: Snapshot) -> str:
    """Return what of an alert that is to come cannot be known yet."""
    timeline = snapshot.timeline
    unseen = timeline is not None and timeline.end_ns > timeline.reached_ns
    return " as far as it has been played" if unseen else ""
