"""The feed's own troubles that a trader is told of: what is wrong now, and what begins and ends."""

from __future__ import annotations

from collections.abc import Sequence

from stockscan_tui.market.calendar import Session
from stockscan_tui.market.limits import LIMITS, Level, level_of
from stockscan_tui.market.snapshot import LIVE_PHASES, Feed, Phase
from stockscan_tui.market.vitals import Pace, StoreFigures, Trouble

# Of fewer than this, half may come by chance.
LEAST_USUAL = 100.0
GB = 1e9


def troubles(feed: Feed, session: Session, pace: Pace, store: StoreFigures) -> tuple[Trouble, ...]:
    """Return what is wrong now and is to be told, in the order of BEHAVIOUR: feed, bars, disk.

    Of a feed that is down or silent outside sessions nothing is told, nor of a simulated market's
    hours: what is usual in a real one says nothing of them.
    """
    found = []
    if session is not Session.CLOSED and feed.phase in LIVE_PHASES:
        if feed.phase is Phase.DOWN and level_of("down", feed.since_s) is Level.ALARM:
            why = f": {feed.message}" if feed.message else ""
            sentence = f"The feed has been down for {LIMITS['down'].alarm:.0f} s{why}"
            found.append(Trouble("down", sentence, "The feed is back"))
        there = feed.phase is Phase.LIVE and not feed.simulated
        if there and bars_level(pace) is Level.ALARM:
            found.append(
                Trouble(
                    "bars",
                    f"Only {pace.now:,.0f} bars a minute, {pace.share * 100:.0f} % of the usual "
                    f"{pace.usual_now:,.0f}",
                    "Bars a minute are back over half of the usual",
                )
            )
    if store.free_bytes >= 0 and level_of("free_disk", store.free_bytes / GB) is Level.ALARM:
        sentence = f"Only {store.free_bytes / 1e6:,.0f} MB are left on the database's disk"
        found.append(Trouble("disk", sentence, "The database's disk has room again"))
    return tuple(found)


def bars_level(pace: Pace) -> Level:
    """Return how the newest minute's bars stand against the usual.

    Unknown where too few are usual, or where the feed was not there for the whole minute: then a
    gap says so.
    """
    if not pace.whole or not pace.usual_now >= LEAST_USUAL:
        return Level.UNKNOWN
    return level_of("bars", pace.share * 100)


class Told:
    """Remembers which troubles last, so that each is told once when it begins and once at its end.

    For one thread.
    """

    def __init__(self) -> None:
        self._lasting: dict[str, Trouble] = {}

    def look(self, found: Sequence[Trouble]) -> tuple[tuple[Trouble, ...], tuple[Trouble, ...]]:
        """Return the troubles that have begun and those that are over since the last look."""
        now = {trouble.id: trouble for trouble in found}
        begun = tuple(trouble for id_, trouble in now.items() if id_ not in self._lasting)
        over = tuple(trouble for id_, trouble in self._lasting.items() if id_ not in now)
        self._lasting = now
        return begun, over
