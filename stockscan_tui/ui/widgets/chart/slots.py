"""Places along the time axis: the intervals of the sessions of trading days, one after another.

Closed hours have no place, and a minute without a trade has an empty one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.calendar import (
    MINUTE_NS,
    Session,
    TradingDay,
    new_york_ns,
    new_york_time,
)

Integers = NDArray[np.int64]
# The minute of the day, in New York, at which the sessions begin.
FIRST_MINUTE = 4 * 60


def days_of(minutes: Integers, known: tuple[TradingDay, ...]) -> tuple[TradingDay, ...]:
    """Return the trading days of bars, oldest first, and those known that lie between them.

    Args:
        minutes: The bars' minutes since 1970, ascending.
        known: Days with their hours; a date that is not among them has the usual hours.
    """
    by_date = {day.session_date: day for day in known}
    found: dict[date, TradingDay] = {}
    at = 0
    while at < len(minutes):
        day = new_york_time(int(minutes[at]) * MINUTE_NS).date()
        found[day] = by_date.get(day) or _usual_day(day)
        midnight = new_york_ns(day + timedelta(days=1), time(0)) // MINUTE_NS
        at = int(np.searchsorted(minutes, midnight))
    if found:
        begin, end = (
            min(day.pre_ns for day in found.values()),
            max(d.pre_ns for d in found.values()),
        )
        found |= {d.session_date: d for d in known if begin < d.pre_ns < end}
    return tuple(sorted(found.values(), key=lambda day: day.pre_ns))


def _usual_day(day: date) -> TradingDay:
    clocks = (time(3, 50), time(4), time(9, 30), time(16), time(20))
    return TradingDay(day, *(new_york_ns(day, clock) for clock in clocks))


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """The slots of some days.

    Attributes:
        days: Which, oldest first.
        step: Minutes of a slot; the last one of a day may be shorter.
        begin: Each day's first minute since 1970, shape (days,).
        length: Each day's minutes.
        first: The number of each day's first slot; one more entry, the count of all.
    """

    days: tuple[TradingDay, ...]
    step: int
    begin: Integers
    length: Integers
    first: Integers

    @classmethod
    def of(cls, days: tuple[TradingDay, ...], step: int) -> Slots:
        """Return the slots of days, `step` minutes each."""
        begin = np.array([day.pre_ns // MINUTE_NS for day in days], np.int64)
        end = np.array([day.post_end_ns // MINUTE_NS for day in days], np.int64)
        counts = -(-(end - begin) // step)
        first = np.append(0, np.cumsum(counts)).astype(np.int64)
        return cls(days, step, begin, end - begin, first)

    @property
    def count(self) -> int:
        """How many slots there are."""
        return int(self.first[-1])

    def place(self, minutes: Integers) -> Integers:
        """Return the slot of each minute, -1 for minutes outside of the sessions."""
        if not self.days:
            return np.full(len(minutes), -1, np.int64)
        day = np.searchsorted(self.begin, minutes, "right") - 1
        since = minutes - self.begin[day]
        inside = (day >= 0) & (since < self.length[day])
        return np.where(inside, self.first[day] + since // self.step, -1)

    def nearest(self, minute: int) -> int:
        """Return the slot of a minute, or the last one before it; 0 before all."""
        day = int(np.searchsorted(self.begin, minute, "right")) - 1
        if day < 0:
            return 0
        since = min(minute - int(self.begin[day]), int(self.length[day]) - 1)
        return int(self.first[day]) + since // self.step

    def day(self, slots: Integers) -> Integers:
        """Return the day each slot belongs to; slots before the first or after the last theirs."""
        day = np.searchsorted(self.first, slots, "right") - 1
        return np.clip(day, 0, max(len(self.days) - 1, 0))

    def minute(self, slots: Integers) -> Integers:
        """Return each slot's first minute since 1970."""
        if not self.days:
            return np.zeros(len(slots), np.int64)
        day = self.day(slots)
        minute: Integers = self.begin[day] + (slots - self.first[day]) * self.step
        return minute

    def clock(self, slots: Integers) -> Integers:
        """Return the minute of the day, in New York, at which each slot begins."""
        clock: Integers = FIRST_MINUTE + (slots - self.first[self.day(slots)]) * self.step
        return clock

    def extended(self, slots: Integers) -> NDArray[np.bool_]:
        """Return whether each slot begins in the pre- or the post-market."""
        if not self.days:
            return np.zeros(len(slots), np.bool_)
        day = self.day(slots)
        since = (slots - self.first[day]) * self.step
        bounds = [
            (d.begin_ns(part) - d.pre_ns) // MINUTE_NS
            for d in self.days
            for part in (Session.REGULAR, Session.POST)
        ]
        regular, post = np.array(bounds, np.int64).reshape(-1, 2)[day].T
        inside = (slots >= 0) & (slots < self.count)
        outside: NDArray[np.bool_] = (since + self.step <= regular) | (since >= post)
        return inside & outside
