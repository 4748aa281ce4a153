"""How a live feed stands, as the screen shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stockscan_tui.engine.catching import Catching
from stockscan_tui.engine.so_far import SoFar
from stockscan_tui.feed.stream import Link
from stockscan_tui.market.calendar import SECOND_NS, TradingDay
from stockscan_tui.market.snapshot import Feed, Phase

# Heartbeats come every ten seconds.
SILENT_NS = 13 * SECOND_NS


def phase_of(tracks: Sequence[Catching], so_far: SoFar | None, now_ns: int) -> Phase:
    """Return the worst that is true of any stream; `now_ns` is of the monotonic clock."""
    links = [track.stream.status.link for track in tracks if track.stream.clocked]
    if Link.DOWN in links:
        return Phase.DOWN
    if so_far is not None and so_far.pending and so_far.track.stream.open:
        return Phase.PRIMING
    if Link.CONNECTING in links:
        down = any(track.stream.status.sentence for track in tracks)
        return Phase.DOWN if down else Phase.CONNECTING
    if any(track.active for track in tracks):
        return Phase.CATCHING_UP
    heard_ns = max(track.heard_ns for track in tracks)
    return Phase.SILENT if now_ns - heard_ns > SILENT_NS else Phase.LIVE


def progress_of(phase: Phase, goal_ns: int, event_ns: int, day: TradingDay | None) -> float:
    """Return how far the way back to the present is gone, from 0 to 1.

    `goal_ns` is the gateway's clock when the way began.
    """
    under_way = phase in (Phase.CATCHING_UP, Phase.PRIMING)
    if not under_way or day is None or goal_ns <= day.pre_ns:
        return 1.0
    return min(1.0, max(0.0, (event_ns - day.pre_ns) / (goal_ns - day.pre_ns)))


def shown(
    feed: Feed, tracks: Sequence[Catching], phase: Phase, progress: float, now_ns: int
) -> Feed:
    """Return what is told of the feed."""
    statuses = [track.stream.status for track in tracks]
    status = next((s for s in statuses if s.link is not Link.OPEN), statuses[0])
    return replace(
        feed,
        phase=phase,
        progress=progress,
        message=status.sentence,
        since_s=max(0, now_ns - status.since_ns) / SECOND_NS,
        retry_s=max(0, status.retry_ns - now_ns) / SECOND_NS if status.retry_ns else 0.0,
    )
