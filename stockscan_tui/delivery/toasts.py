"""Which toasts stand on the screen: at most three, the weightiest, with a count of the others.

The courier's thread owns it; all times are of the monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from stockscan_tui.delivery.notice import TOAST_S, Notice
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.scan.rules import Priority

MOST = 3
_STANDS_NS = int(TOAST_S * SECOND_NS)
_WEIGHT = {Priority.LOW: 0, Priority.NORMAL: 2, Priority.HIGH: 4}
_TROUBLE = 9


@dataclass(slots=True, eq=False)
class _Place:
    """A toast that stands: `key` is whose it is, `hidden` how many it hides."""

    id: str
    key: str
    notice: Notice
    until_ns: int
    hidden: int = 0

    def shown(self, now_ns: int) -> Notice:
        more = f" · and {self.hidden:,} more" if self.hidden else ""
        return replace(
            self.notice,
            id=self.id,
            text=self.notice.text + more,
            count=self.notice.count + self.hidden,
            seconds=(self.until_ns - now_ns) / SECOND_NS,
        )


class Toasts:
    """The places on the screen."""

    def __init__(self) -> None:
        self._places: list[_Place] = []
        self._shown = 0
        self.hidden = 0

    def show(self, now_ns: int, notices: Iterable[Notice]) -> list[Notice]:
        """Find places for toasts and return those that are to be shown, or shown anew.

        A notice whose id stands keeps its place; a storm takes that of an alert of its rule. What
        finds no place is counted in `hidden`, and in the text of the newest that stands.
        """
        self._places = [place for place in self._places if place.until_ns > now_ns]
        changed: list[_Place] = []
        for notice in sorted(notices, key=_weight, reverse=True):
            place = self._place(now_ns, notice)
            if place not in changed:
                changed.append(place)
        return [place.shown(now_ns) for place in changed]

    def _place(self, now_ns: int, notice: Notice) -> _Place:
        for place in self._places:
            same_rule = notice.kind == "storm" and place.notice.kind == "toast"
            if place.key == notice.id or (same_rule and place.notice.rule == notice.rule):
                return self._put(place, now_ns, notice)
        if len(self._places) < MOST:
            self._shown += 1
            place = _Place(f"toast/{self._shown}", notice.id, notice, now_ns + _STANDS_NS)
            self._places.append(place)
            return place
        self.hidden += 1
        least = min(self._places, key=lambda place: _weight(place.notice))
        if _weight(notice) > _weight(least.notice):
            least.hidden += least.notice.count
            return self._put(least, now_ns, notice)
        others = (one for one in reversed(self._places) if one.notice.kind != "trouble")
        place = next(others, self._places[-1])
        place.hidden += notice.count
        return place

    def _put(self, place: _Place, now_ns: int, notice: Notice) -> _Place:
        place.key, place.notice, place.until_ns = notice.id, notice, now_ns + _STANDS_NS
        self._places.remove(place)
        self._places.append(place)
        return place


def _weight(notice: Notice) -> int:
    if notice.kind == "trouble":
        return _TROUBLE
    return _WEIGHT[notice.priority] + (notice.kind != "toast")
