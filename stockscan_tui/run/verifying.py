"""Where Databento's own bars of a past day come from: a file, or the historical API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from stockscan_tui.errors import InputError
from stockscan_tui.market.calendar import MINUTE_NS, new_york_ns
from stockscan_tui.market.comparison import DayBars
from stockscan_tui.market.text import printable
from stockscan_tui.report.capture import AskTheirs, Theirs

if TYPE_CHECKING:
    from stockscan_tui.feed.history import History

_DAY_START = time(3, 50)


def from_file(path: Path) -> AskTheirs:
    """Return what reads a DBN ohlcv-1m file; it covers its symbols, from its first to last bar.

    What is returned raises InputError if the file cannot be read or has no bar of the date.
    """

    def ask(_dataset: str, _symbols: Sequence[str], session_date: date) -> Theirs:
        from stockscan_tui.feed.bar_file import read_bars  # noqa: PLC0415

        found = read_bars(path)
        first, end = _minutes(session_date)
        minute = found.bars["minute"]
        bars = DayBars.of(found.bars[(minute >= first) & (minute < end)])
        if not len(bars):
            raise InputError(f"{printable(path)} has no minute bar of {session_date}.")
        return Theirs(found.names, bars, int(bars.minute.min()), int(bars.minute.max()))

    return ask


def from_history(history: History, say: Callable[[str], None]) -> AskTheirs:
    """Return what asks the historical API for the bars of the symbols; `say` tells that it does.

    They are compared up to the last of them. What is returned raises HistoryError if they cannot be
    had, and InputError if there are none.
    """

    def ask(dataset: str, symbols: Sequence[str], session_date: date) -> Theirs:
        first, end = _minutes(session_date)
        count = "1 symbol" if len(symbols) == 1 else f"{len(symbols):,} symbols"
        say(f"Asking Databento for the minute bars of {count} on {session_date} …")
        found = history.minute_bars(dataset, symbols, first * MINUTE_NS, end * MINUTE_NS)
        if not len(found.bars):
            raise InputError(f"Databento has no minute bars of {count} on {session_date} yet.")
        bars = DayBars.of(found.bars)
        # It may not be published to its end.
        return Theirs(found.names, bars, first, int(bars.minute.max()))

    return ask


def _minutes(session_date: date) -> tuple[int, int]:
    """Return the first minute (since 1970) of a session date, and the first one after it."""
    days = session_date, session_date + timedelta(days=1)
    first, end = (new_york_ns(day, _DAY_START) // MINUTE_NS for day in days)
    return first, end
