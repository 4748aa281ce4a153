"""Trading days and sessions in New York's time, over a table of days that is passed in.

A *session date* begins at 03:50 on its trading day and lasts until the next one begins.
Pre-market is 04:00–09:30, regular hours 09:30–16:00 and post-market the four hours after
the regular end; on a half day regular ends at 13:00 and post at 17:00.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo

from stockscan_tui.errors import StockscanError

NEW_YORK = ZoneInfo("America/New_York")
SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
DAY_NS = 86_400 * SECOND_NS
POST_LENGTH = timedelta(hours=4)


class Session(IntEnum):
    """The part of a session date that an instant belongs to."""

    CLOSED = 0
    PRE = 1
    REGULAR = 2
    POST = 3


@dataclass(frozen=True, slots=True)
class TradingDay:
    """One session date and the instants (ns since 1970, UTC) at which its parts begin."""

    session_date: date
    start_ns: int
    pre_ns: int
    regular_ns: int
    post_ns: int
    post_end_ns: int

    def session_at(self, ts_ns: int) -> Session:
        """Return the session that `ts_ns` falls in, `CLOSED` outside 04:00 to the post end."""
        if ts_ns < self.pre_ns or ts_ns >= self.post_end_ns:
            return Session.CLOSED
        if ts_ns < self.regular_ns:
            return Session.PRE
        return Session.REGULAR if ts_ns < self.post_ns else Session.POST

    def begin_ns(self, session: Session) -> int:
        """Return the instant at which `session` begins; for `CLOSED`, the session date's start."""
        return (self.start_ns, self.pre_ns, self.regular_ns, self.post_ns)[session]


def new_york_ns(day: date, clock: time) -> int:
    """Return the instant of a New York wall-clock time, in ns since 1970."""
    return int(datetime.combine(day, clock, NEW_YORK).timestamp()) * SECOND_NS


def utc_date(ts_ns: int) -> date:
    """Return the UTC calendar date of `ts_ns`."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ts_ns // SECOND_NS)).date()


def new_york_time(ts_ns: int) -> datetime:
    """Return `ts_ns` as New York wall-clock time, to the microsecond."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (epoch + timedelta(microseconds=ts_ns // 1000)).astimezone(NEW_YORK)


class Calendar:
    """The exchange's trading days, in order.

    Args:
        days: Each trading date with the New York time at which its regular hours end.
    """

    def __init__(self, days: Iterable[tuple[date, time]]) -> None:
        self._regular_ends = dict(sorted(days))
        self._dates = list(self._regular_ends)

    def day(self, session_date: date) -> TradingDay:
        """Return the trading day of that date.

        Raises:
            StockscanError: It is not a trading day of this calendar.
        """
        regular_end = self._regular_ends.get(session_date)
        if regular_end is None:
            raise StockscanError(f"{session_date} is not a trading day of the exchange calendar.")
        post_ns = new_york_ns(session_date, regular_end)
        return TradingDay(
            session_date=session_date,
            start_ns=new_york_ns(session_date, time(3, 50)),
            pre_ns=new_york_ns(session_date, time(4, 0)),
            regular_ns=new_york_ns(session_date, time(9, 30)),
            post_ns=post_ns,
            post_end_ns=post_ns + int(POST_LENGTH.total_seconds()) * SECOND_NS,
        )

    def day_at(self, ts_ns: int) -> TradingDay:
        """Return the session date that `ts_ns` belongs to: the last one begun by then.

        Raises:
            StockscanError: The calendar does not reach that instant.
        """
        local = new_york_time(ts_ns)
        position = bisect_right(self._dates, local.date()) - 1
        if position >= 0 and self._dates[position] == local.date() and local.time() < time(3, 50):
            position -= 1
        if position < 0 or (local.date() - self._dates[position]).days > 14:
            raise StockscanError(
                f"The exchange calendar has no trading day around {local:%Y-%m-%d}: it spans "
                f"{self._dates[0]} to {self._dates[-1]}. See that the machine's clock is right; "
                "for later days, upgrade exchange-calendars."
            )
        return self.day(self._dates[position])

    def next_day(self, session_date: date) -> TradingDay | None:
        """Return the trading day after `session_date`, or None at the calendar's end."""
        position = bisect_right(self._dates, session_date)
        return self.day(self._dates[position]) if position < len(self._dates) else None

    def distance(self, earlier: date, later: date) -> int:
        """Return how many trading days lie in (earlier, later]."""
        return bisect_right(self._dates, later) - bisect_right(self._dates, earlier)

    def previous(self, session_date: date, count: int = 1) -> date | None:
        """Return the `count`-th trading date before `session_date`, or None before the first."""
        position = bisect_right(self._dates, session_date - timedelta(days=1)) - count
        return self._dates[position] if position >= 0 else None
