"""What a trader types to name an instant: 10:30, 1030, 9:30 pm, +15m, open, 2026-11-20 10:30."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time

from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, TradingDay, new_york_ns
from stockscan_tui.market.calendar import new_york_time as local
from stockscan_tui.market.snapshot import Timeline
from stockscan_tui.market.text import printable

EXAMPLES = "10:30 · 1030 · 10:30:15 · 9:45 pm · +15m · -90s · open · close"
_CLOCK = re.compile(r"(\d{1,2})(?::(\d{2})(?::(\d{2}))?)?\s*(am|pm)?")
_DIGITS = re.compile(r"(\d{1,2})(\d{2})(\d{2})?\s*(am|pm)?")
_STEP = re.compile(r"([+-])\s*(\d{1,6}(?:[hms]?|(?:[hms]\s*\d{1,6})*[hms]))")
_PART = re.compile(r"(\d+)([hms]?)")
_DATE = re.compile(r"(\d{4}-\d{1,2}-\d{1,2})\b[ t,]*(.*)")
_UNITS = {"h": 60 * MINUTE_NS, "m": MINUTE_NS, "": MINUTE_NS, "s": SECOND_NS}
_WORDS = ("pre", "open", "close", "post")


@dataclass(frozen=True, slots=True)
class Here:
    """Where one is: the instant (ns since 1970), and what can be moved over."""

    now_ns: int
    timeline: Timeline

    @property
    def day(self) -> TradingDay | None:
        """The trading day that it is, None where none is known."""
        days = self.timeline.days
        begun = [day for day in days if day.start_ns <= self.now_ns]
        return begun[-1] if begun else next(iter(days), None)

    @property
    def session_date(self) -> date:
        """The date that a time without a date is of."""
        day = self.day
        return day.session_date if day is not None else local(self.now_ns).date()

    def day_of(self, session_date: date) -> TradingDay | None:
        """Return the trading day of a date, as far as it is known."""
        found = (day for day in self.timeline.days if day.session_date == session_date)
        return next(found, None)


def read_instant(text: str, here: Here) -> int:
    """Return the instant that a text names, in ns since 1970.

    A step that leads out of what can be moved over ends at its edge; a minute has no sign of its
    own in a step: +15 is fifteen minutes.

    Raises:
        UsageError: It names none, or one that is out of reach; the message says why.
    """
    wanted = " ".join(text.lower().split())
    if not wanted:
        raise UsageError(f"A time, as in {EXAMPLES}")
    timeline = here.timeline
    step = _STEP.fullmatch(wanted)
    if step is not None:
        sign = -1 if step[1] == "-" else 1
        moved_ns = here.now_ns + sign * _length_ns(step[2])
        return max(timeline.begin_ns, min(moved_ns, _end_ns(timeline) or moved_ns))
    if wanted in ("begin", "start"):
        return timeline.begin_ns
    if wanted == "end":
        return max(timeline.end_ns, timeline.reached_ns)
    instant_ns = _absolute(wanted, here)
    return _within(instant_ns, timeline)


def _absolute(wanted: str, here: Here) -> int:
    dated = _DATE.fullmatch(wanted)
    if dated is None:
        return _on(here.session_date, wanted, here)
    try:
        year, month, day = (int(part) for part in dated[1].split("-"))
        session_date = date(year, month, day)
    except ValueError:
        raise UsageError(f"{dated[1]} is no date: write it as in 2026-11-20.") from None
    if not 1971 <= year <= 2200:
        raise UsageError(f"{dated[1]} is out of reach.")
    return _on(session_date, dated[2] or "04:00", here)


def _on(session_date: date, wanted: str, here: Here) -> int:
    if wanted in _WORDS:
        day = here.day_of(session_date)
        if day is None:
            raise UsageError(f"The hours of {session_date} are not known here: give a time.")
        return (day.pre_ns, day.regular_ns, day.post_ns, day.post_ns)[_WORDS.index(wanted)]
    return new_york_ns(session_date, _time_of_day(wanted))


def _time_of_day(wanted: str) -> time:
    found = _CLOCK.fullmatch(wanted) or _DIGITS.fullmatch(wanted)
    if found is None:
        raise UsageError(f"“{printable(wanted)}” is no time. Write {EXAMPLES}")
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    if found[4] is not None:
        if not 1 <= hour <= 12:
            raise UsageError(f"There is no {hour} {found[4]}: hours are 1 to 12 with am and pm.")
        hour = hour % 12 + (12 if found[4] == "pm" else 0)
    if hour > 23:
        raise UsageError(f"There is no hour {hour}: hours are 0 to 23, in New York.")
    if minute > 59 or second > 59:
        what = f"minute {minute}" if minute > 59 else f"second {second}"
        raise UsageError(f"There is no {what}: they end with 59.")
    return time(hour, minute, second)


def _length_ns(text: str) -> int:
    return sum(int(part[1]) * _UNITS[part[2]] for part in _PART.finditer(text))


def _end_ns(timeline: Timeline) -> int:
    """Return where the files end, 0 while that is not known."""
    return timeline.end_ns if timeline.end_ns > timeline.reached_ns else 0


def _within(instant_ns: int, timeline: Timeline) -> int:
    """Return the instant if it can be moved to; its minute counts, not its fraction."""
    if instant_ns < timeline.begin_ns // MINUTE_NS * MINUTE_NS:
        raise UsageError(f"It begins at {_shown(timeline.begin_ns, instant_ns)}.")
    end_ns = _end_ns(timeline)
    if end_ns and instant_ns > -(-end_ns // MINUTE_NS) * MINUTE_NS:
        raise UsageError(f"It ends at {_shown(end_ns, instant_ns)}.")
    return max(timeline.begin_ns, min(instant_ns, end_ns or instant_ns))


def _shown(ns: int, beside_ns: int) -> str:
    """Return an instant in words, its date only where the other one's is another."""
    same = local(ns).date() == local(beside_ns).date()
    return f"{local(ns):%H:%M:%S}" if same else f"{local(ns):%Y-%m-%d %H:%M:%S}"
