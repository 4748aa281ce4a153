"""The share of a day's volume that is normally done by a minute of it."""

from __future__ import annotations

import numpy as np

from stockscan_tui.market.calendar import MINUTE_NS, TradingDay
from stockscan_tui.market.snapshot import Floats

PRE_MINUTES = 330
REGULAR_MINUTES = 390
POST_MINUTES = 240
# Of the day's volume; the rest is done in regular hours.
_PRE_SHARE = 0.03
_POST_SHARE = 0.03
_CLOSING_SHARE = 0.08


def shipped_curve() -> Floats:
    """Return each minute's share of a whole trading day from 04:00, shape (960,), sum 1.

    The U of regular hours, its closing auction, and thin hours around it, as US equities have had
    for years; it serves until the database has days enough of its own.
    """
    pre = np.linspace(0.2, 2.0, PRE_MINUTES) ** 2
    minute = np.arange(REGULAR_MINUTES)
    regular = 0.75 + 3.2 * np.exp(-minute / 12) + 0.8 * np.exp(-minute / 70)
    regular += 0.9 * np.exp(-(REGULAR_MINUTES - 1 - minute) / 20)
    post = np.exp(-np.arange(POST_MINUTES) / 40) + 0.05
    regular *= (1 - _PRE_SHARE - _POST_SHARE - _CLOSING_SHARE) / regular.sum()
    regular[-1] += _CLOSING_SHARE
    return np.concatenate([_PRE_SHARE * pre / pre.sum(), regular, _POST_SHARE * post / post.sum()])


class VolumeCurve:
    """The shares as they add up over a day.

    Args:
        shares: Each minute's share from 04:00 on, shape (960,); None for the shipped curve.
    """

    def __init__(self, shares: Floats | None = None) -> None:
        given = shipped_curve() if shares is None else shares
        self._done = np.concatenate([[0.0], np.cumsum(given / given.sum())])

    def share(self, day: TradingDay, ts_ns: int) -> float:
        """Return the share that is done by `ts_ns`, 0 to 1.

        On a half day the regular and post hours go by in less time.
        """
        if ts_ns <= day.regular_ns:
            at = (ts_ns - day.pre_ns) / MINUTE_NS
        elif ts_ns <= day.post_ns:
            part = (ts_ns - day.regular_ns) / (day.post_ns - day.regular_ns)
            at = PRE_MINUTES + part * REGULAR_MINUTES
        else:
            part = (ts_ns - day.post_ns) / (day.post_end_ns - day.post_ns)
            at = PRE_MINUTES + REGULAR_MINUTES + part * POST_MINUTES
        return float(np.interp(at, np.arange(len(self._done)), self._done))
