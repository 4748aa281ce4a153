"""What became of each session minute of a symbol: its verdict, and the reason for it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.batch import BarSource
from stockscan_tui.market.calendar import MINUTE_NS, TradingDay
from stockscan_tui.market.snapshot import Doubt
from stockscan_tui.market.symbol_bars import SymbolBars

Codes = NDArray[np.uint8]


class Verdict(IntEnum):
    """What is known of a minute; the higher of two is the more urgent to see."""

    AHEAD = 0
    UNREAD = 1
    QUIET = 2
    TRADED = 3
    BACKFILLED = 4
    UNKNOWN = 5
    MISSING = 6


def verdicts(
    bars: SymbolBars,
    day: TradingDay,
    doubts: Sequence[Doubt],
    now_minute: int,
    *,
    read_from: int = 0,
) -> Codes:
    """Return a verdict for each session minute of a day, in order.

    A minute in doubt is settled only by a bar that came whole: from history, or as `ohlcv`. Our
    own bar of such a minute may lack trades, so that the minute stays unknown.

    Args:
        bars: The symbol's minute bars; those of other days do not matter.
        day: The day.
        doubts: Spans in which the feed is not known to have been whole.
        now_minute: The first minute (since 1970) that is not over.
        read_from: The first minute whose bars are known to be among `bars`; of the minutes before
            it, those without a bar are unread.

    Returns:
        `Verdict` numbers, shape (session minutes of the day,).
    """
    first, end = day.pre_ns // MINUTE_NS, day.post_end_ns // MINUTE_NS
    codes = np.full(end - first, Verdict.QUIET, np.uint8)
    codes[: max(0, read_from - first)] = Verdict.UNREAD
    begin, after = np.searchsorted(bars.minute, (first, min(end, now_minute)))
    place = bars.minute[begin:after] - first
    source = bars.source[begin:after]
    codes[place] = np.where(source == BarSource.BACKFILL, Verdict.BACKFILLED, Verdict.TRADED)
    doubtful = np.zeros(end - first, np.bool_)
    for doubt in doubts:
        doubtful[max(0, doubt.from_ns // MINUTE_NS - first) : _end_of(doubt, first)] = True
    doubtful[place[source != BarSource.TRADES]] = False
    codes[doubtful] = Verdict.UNKNOWN
    codes[max(0, now_minute - first) :] = Verdict.AHEAD
    return codes


def reason_of(verdict: Verdict, minute: int, doubts: Sequence[Doubt]) -> str:
    """Return why a minute (since 1970) has its verdict, in words; text of doubts is as it came."""
    if verdict is Verdict.UNKNOWN:
        found = [d.reason for d in doubts if d.from_ns // MINUTE_NS <= minute < _end_of(d, 0)]
        return "; ".join(dict.fromkeys(found)) or "the feed is not known to have been whole"
    return {
        Verdict.AHEAD: "not over yet",
        Verdict.UNREAD: "its bars are not read yet",
        Verdict.QUIET: "no trade, and the feed was whole",
        Verdict.TRADED: "a bar of its own",
        Verdict.BACKFILLED: "a bar from replay or history",
        Verdict.MISSING: "Databento has a bar, and ours is not there or differs",
    }[verdict]


def _end_of(doubt: Doubt, first: int) -> int:
    """Return the first minute after a doubt, counted from `first`."""
    return max(0, -(-doubt.to_ns // MINUTE_NS) - first)
