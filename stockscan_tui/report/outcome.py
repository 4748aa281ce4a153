"""What followed firings: returns at fixed times after them, beside the market's; NumPy alone.

Marks are those at minute closes. A firing's horizon of n minutes is the first minute close that is
at least n minutes after it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.arithmetic import percent_over
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.fired import Fired

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]

HORIZONS_MIN = (1, 5, 15, 60)
# What a horizon is called; the last is the regular close.
HORIZONS = (*(f"{minutes}m" for minutes in HORIZONS_MIN), "close")
JUDGED = HORIZONS.index("15m")
SWING_MIN = 60


@dataclass(frozen=True, slots=True, eq=False)
class DayMarks:
    """The marks of a session date at its minute closes.

    Attributes:
        session_date: The date.
        minute: The instants of the closes, in whole minutes since 1970, ascending; shape (n,).
        dollars: The marks, shape (n, symbols); NaN until a symbol's first.
        regular_close: The instant at which regular hours end, in minutes since 1970.
    """

    session_date: date
    minute: Int64s
    dollars: Floats
    regular_close: int


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Firings of one session date and what followed each, a row a firing, oldest first.

    Attributes:
        session_date: The date.
        rule: The rules' names.
        symbol: Whose.
        ts_ns: When, in ns since 1970.
        price: The firings' prices, in dollars.
        values: The rules' values at that instant, as JSON.
        gated: Whether the board's gates would have kept it from being delivered.
        return_pct: The mark at each of HORIZONS against the price, in percent, shape (n, 5). NaN
            where there is no such minute: it is not played, or for `close` it is before the firing.
        market_pct: The median, over all symbols that have a mark at both instants, of the change
            from the last minute close at or before the firing to the horizon, in percent; same
            shape.
        best_pct: The highest mark at the minute closes after the firing, up to the one of 60
            minutes and as far as there are any, against the price, in percent.
        worst_pct: The lowest likewise.
    """

    session_date: date
    rule: Sequence[str]
    symbol: Sequence[str]
    ts_ns: Int64s
    price: Floats
    values: Sequence[str]
    gated: NDArray[np.bool_]
    return_pct: Floats
    market_pct: Floats
    best_pct: Floats
    worst_pct: Floats

    def __len__(self) -> int:
        return len(self.ts_ns)


@dataclass(frozen=True, slots=True)
class Horizon:
    """What a rule's firings came to after a while, in percent; NaN where nothing is known.

    Attributes:
        name: One of HORIZONS.
        known: Of how many firings the return is known.
        median_pct: The median of these returns.
        mean_pct: Their mean.
        market_pct: The median of the market's over the same minutes, firing by firing.
    """

    name: str
    known: int
    median_pct: float
    mean_pct: float
    market_pct: float


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What a rule came to.

    Attributes:
        rule: Its name.
        firings: How often it fired.
        symbols: For how many symbols.
        gated: How many of the firings the board's gates would have kept from being delivered.
        by_day: Its firings by session date, of every one that was played.
        horizons: What followed, in the order of HORIZONS.
        best_pct: The median of the best marks within 60 minutes, in percent.
        worst_pct: The median of the worst.
        winners: The share of firings with a return above 0 after 15 minutes, of those known.
        ahead: The share of firings whose return after 15 minutes was above the market's.
    """

    rule: str
    firings: int
    symbols: int
    gated: int
    by_day: Mapping[date, int]
    horizons: tuple[Horizon, ...]
    best_pct: float
    worst_pct: float
    winners: float
    ahead: float

    @property
    def per_day(self) -> float:
        """Return the firings per session date played, NaN where none was."""
        return self.firings / len(self.by_day) if self.by_day else math.nan

    @property
    def judged(self) -> Horizon:
        """Return what the firings came to after 15 minutes."""
        return self.horizons[JUDGED]


def follow(fired: Sequence[Fired], marks: DayMarks, slots: Mapping[str, int]) -> Followed:
    """Return what followed firings of a session date.

    Args:
        fired: The firings, oldest first.
        marks: The date's marks.
        slots: The columns of `marks` by symbol.
    """
    ts_ns = np.array([each.ts_ns for each in fired], np.int64)
    slot = np.array([slots[each.symbol] for each in fired], np.int64)
    price = np.array([each.price for each in fired], np.float64)
    rows = _horizon_rows(marks, ts_ns)
    best, worst = _swing(marks, slot, price, ts_ns)
    return Followed(
        session_date=marks.session_date,
        rule=[each.rule for each in fired],
        symbol=[each.symbol for each in fired],
        ts_ns=ts_ns,
        price=price,
        values=[each.values for each in fired],
        gated=np.array([each.gated for each in fired], np.bool_),
        return_pct=percent_over(_at(marks, rows, slot[:, np.newaxis]), price[:, np.newaxis]),
        market_pct=_market(marks, _rows(marks, ts_ns // MINUTE_NS), rows),
        best_pct=best,
        worst_pct=worst,
    )


def outcomes(rules: Sequence[str], days: Iterable[Followed]) -> tuple[RuleOutcome, ...]:
    """Return what each rule came to over some session dates, in the order of `rules`."""
    played = list(days)
    return tuple(_outcome(rule, played) for rule in rules)


def _outcome(rule: str, days: Sequence[Followed]) -> RuleOutcome:
    own = [np.array([name == rule for name in day.rule], np.bool_) for day in days]
    by_day: dict[date, int] = {}
    for day, rows in zip(days, own, strict=True):
        by_day[day.session_date] = by_day.get(day.session_date, 0) + int(rows.sum())
    symbols = {
        day.symbol[row]
        for day, rows in zip(days, own, strict=True)
        for row in np.flatnonzero(rows).tolist()
    }

    def joined(name: str, *shape: int) -> Floats:
        parts = [getattr(day, name)[rows] for day, rows in zip(days, own, strict=True)]
        return np.concatenate([np.empty((0, *shape)), *parts])

    returned = joined("return_pct", len(HORIZONS))
    market = joined("market_pct", len(HORIZONS))
    judged = returned[:, JUDGED]
    return RuleOutcome(
        rule=rule,
        firings=len(returned),
        symbols=len(symbols),
        gated=int(joined("gated").sum()),
        by_day=by_day,
        horizons=tuple(
            _horizon(name, returned[:, place], market[:, place])
            for place, name in enumerate(HORIZONS)
        ),
        best_pct=_median(joined("best_pct")),
        worst_pct=_median(joined("worst_pct")),
        winners=_share(judged > 0, ~np.isnan(judged)),
        ahead=_share(judged > market[:, JUDGED], ~np.isnan(judged + market[:, JUDGED])),
    )


def _horizon(name: str, returned: Floats, market: Floats) -> Horizon:
    known = ~np.isnan(returned)
    count = int(known.sum())
    return Horizon(
        name=name,
        known=count,
        median_pct=_median(returned),
        mean_pct=float(returned[known].mean()) if count else math.nan,
        market_pct=_median(market[known]),
    )


def _median(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else math.nan


def _share(holds: NDArray[np.bool_], known: NDArray[np.bool_]) -> float:
    count = int(known.sum())
    return float((holds & known).sum() / count) if count else math.nan


def _rows(marks: DayMarks, minute: Int64s) -> Int64s:
    """Return the rows of closes at instants (minutes since 1970), -1 where there is none."""
    if not len(marks.minute):
        return np.full(minute.shape, -1, np.int64)
    rows = np.minimum(np.searchsorted(marks.minute, minute), len(marks.minute) - 1)
    return np.where(marks.minute[rows] == minute, rows, -1)


def _closes_after(ts_ns: Int64s, minutes: int) -> Int64s:
    """Return the first minute closes that are at least so many minutes after instants."""
    return -(-ts_ns // MINUTE_NS) + minutes


def _horizon_rows(marks: DayMarks, ts_ns: Int64s) -> Int64s:
    """Return the rows of each firing's horizons, shape (n, 5)."""
    ends = [_closes_after(ts_ns, minutes) for minutes in HORIZONS_MIN]
    before = ts_ns < marks.regular_close * MINUTE_NS
    ends.append(np.where(before, marks.regular_close, -1))
    return _rows(marks, np.stack(ends, axis=1))


def _at(marks: DayMarks, rows: Int64s, slot: Int64s) -> Floats:
    """Return marks (dollars), NaN where the row is -1."""
    if not len(marks.minute):
        return np.full(rows.shape, np.nan)
    return np.where(rows >= 0, marks.dollars[rows, slot], np.nan)


def _market(marks: DayMarks, begin: Int64s, ends: Int64s) -> Floats:
    """Return the market's median change between rows; each pair is worked out once."""
    found = np.full(ends.shape, np.nan)
    pairs = np.stack([np.broadcast_to(begin[:, np.newaxis], ends.shape), ends], axis=-1)
    wanted = (pairs >= 0).all(axis=-1)
    if not wanted.any():
        return found
    each, place = np.unique(pairs[wanted], axis=0, return_inverse=True)
    # The median of ratios is the ratio of the median change.
    ratios = [_middle(marks.dollars[start], marks.dollars[end]) for start, end in each.tolist()]
    found[wanted] = percent_over(np.array(ratios), np.ones(len(ratios)))[place.reshape(-1)]
    return found


def _middle(before: Floats, after: Floats) -> float:
    """Return the median of after ÷ before; what is NaN does not count."""
    up, down, same = (
        int(np.count_nonzero(holds)) for holds in (after > before, after < before, after == before)
    )
    # Sorting is dear, and over a few minutes most of the market stands still.
    if 2 * max(up, down) < up + down + same:
        return 1.0
    return _median(after / before)


def _swing(marks: DayMarks, slot: Int64s, price: Floats, ts_ns: Int64s) -> tuple[Floats, Floats]:
    """Return the best and worst marks within 60 minutes against the price, in percent."""
    best = np.full(len(slot), np.nan)
    worst = best.copy()
    for minutes in range(1, SWING_MIN + 1):
        reached = _at(marks, _rows(marks, _closes_after(ts_ns, minutes)), slot)
        best, worst = np.fmax(best, reached), np.fmin(worst, reached)
    return percent_over(best, price), percent_over(worst, price)
