"""How many symbols usually have a bar in a minute of the day."""

from __future__ import annotations

import numpy as np

from stockscan_tui.market.calendar import MINUTE_NS, TradingDay
from stockscan_tui.market.vitals import Floats, Integers
from stockscan_tui.market.volume_curve import POST_MINUTES, PRE_MINUTES, REGULAR_MINUTES

# So many sessions of the database's own say more than the shipped curve.
LEAST_SESSIONS = 3
# The shipped curve is held against so many minutes of today's session; the newest are judged.
LEAST_MINUTES, MOST_MINUTES = 10, 30
JUDGED_MINUTES = 3


def shipped_activity() -> Floats:
    """Return what part of the symbols has a bar in each minute from 04:00, shape (960,).

    Only its shape counts: it is scaled by what has come today.
    """
    pre = 0.01 + 0.14 * np.linspace(0.0, 1.0, PRE_MINUTES) ** 2
    minute = np.arange(REGULAR_MINUTES)
    regular = 0.5 + 0.22 * np.exp(-minute / 25)
    regular += 0.2 * np.exp(-(REGULAR_MINUTES - 1 - minute) / 18)
    post = 0.01 + 0.12 * np.exp(-np.arange(POST_MINUTES) / 25)
    return np.concatenate([pre, regular, post])


class UsualPace:
    """Says how many bars are usual, by the database's earlier sessions or by a shipped curve.

    Args:
        counts: Bars by minute of earlier full trading days, shape (days, 960), 0 for a minute that
            was not captured; None for none.
    """

    def __init__(self, counts: Integers | None = None) -> None:
        self._shape = shipped_activity()
        self._stored: Floats = np.full(len(self._shape), np.nan)
        self.sessions = 0 if counts is None else int((counts > 0).any(axis=1).sum())
        if counts is not None and len(counts):
            known = (counts > 0).sum(axis=0) >= LEAST_SESSIONS
            seen = np.where(counts > 0, counts, np.nan)[:, known]
            self._stored[known] = np.nanmedian(seen, axis=0)

    def of(self, day: TradingDay, minute: Integers, bars: Integers) -> tuple[Floats, str]:
        """Return what is usual for some minutes of a day, and in words where that is from.

        Args:
            day: The session date.
            minute: Minutes since 1970 of its sessions, without holes, oldest first.
            bars: How many there were.

        Returns:
            Bars a minute, shape (n,), NaN where nothing is known; and a phrase.
        """
        place = _places(day, minute)
        stored = self._stored[place]
        if len(place) and np.isfinite(stored[-1]):
            return stored, f"the median of {self.sessions} earlier sessions"
        return self._scaled(day, minute, bars, place), "a shipped curve, scaled by today"

    def _scaled(self, day: TradingDay, minute: Integers, bars: Integers, place: Integers) -> Floats:
        """Return the shipped curve, brought to the height of today's minutes by session."""
        usual: Floats = np.full(len(place), np.nan)
        shape = self._shape[place]
        starts = [ns // MINUTE_NS for ns in (day.pre_ns, day.regular_ns, day.post_ns)]
        ends = [*starts[1:], day.post_end_ns // MINUTE_NS]
        for start, end in zip(starts, ends, strict=True):
            own = (minute >= start) & (minute < end)
            past = np.flatnonzero(own)[:-JUDGED_MINUTES][-MOST_MINUTES:]
            if len(past) >= LEAST_MINUTES:
                usual[own] = shape[own] * np.median(bars[past] / shape[past])
        return usual


def _places(day: TradingDay, minute: Integers) -> Integers:
    """Return the places of minutes in a full day; on a half day the hours go by in less time."""
    at = minute * MINUTE_NS
    knots = (day.pre_ns, day.regular_ns, day.post_ns, day.post_end_ns)
    full = (
        0,
        PRE_MINUTES,
        PRE_MINUTES + REGULAR_MINUTES,
        PRE_MINUTES + REGULAR_MINUTES + POST_MINUTES,
    )
    since = np.interp(at - day.pre_ns, [ns - day.pre_ns for ns in knots], full)
    return np.minimum(since.astype(np.int64), full[-1] - 1)
