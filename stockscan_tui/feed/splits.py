"""Splits and renames: what they do to an earlier close, and the mark for what looks like one.

Stored prices stay as they were traded; adjusting happens on reading. Owned by whoever makes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stockscan_tui.errors import UsageError
from stockscan_tui.market.text import printable

SPLIT_EVENTS = ("FSPLT", "RSPLT")
RENAME_EVENTS = ("LCC",)
CONFIG = "config"
TOLERANCE = 0.08
LARGEST_RATIO = 50
_MOST_SHOWN = 200
# Beyond these a number is no ratio, and what is divided by it no price.
_NUMBERS = (1e-9, 1e9)
# Cancelled, deleted, and payments that were either.
_WITHDRAWN = frozenset("CDPQ")
_APPLIES = "A"
_SPLIT_KEYS = frozenset({"symbol", "ex_date", "ratio"})

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Split:
    """From `ex_date` on, one share is `ratio` shares: 2.0 for two for one, 0.1 for one for ten."""

    symbol: str
    ex_date: date
    ratio: float
    source: str


@dataclass(frozen=True, slots=True)
class Rename:
    """From `day` on, what was `old` trades as `new`; None for a day that is not known."""

    old: str
    new: str
    day: date | None


class Splits:
    """The splits and renames that are known.

    Args:
        splits: Of two for one symbol and date the later in order counts.
        renames: Likewise of two for one new name.
    """

    def __init__(self, splits: Iterable[Split] = (), renames: Iterable[Rename] = ()) -> None:
        chosen = {(split.symbol, split.ex_date): split for split in splits}
        self.splits = tuple(chosen.values())
        self.renames = tuple({rename.new: rename for rename in renames}.values())
        self._by_symbol: dict[str, list[Split]] = {}
        for split in self.splits:
            self._by_symbol.setdefault(split.symbol, []).append(split)

    @classmethod
    def from_tables(
        cls, splits: Sequence[Mapping[str, object]], renames: Mapping[str, object]
    ) -> Splits:
        """Read the config's tables: `[{symbol, ex_date, ratio}]` and `{OLD: "NEW"}`.

        Raises:
            UsageError: An entry is not of that form.
        """
        for old, new in renames.items():
            if not (old and isinstance(new, str) and new):
                shown = printable(old)[:_MOST_SHOWN]
                raise UsageError(f'renames: {shown} takes a symbol, as in OLD = "NEW".')
        return cls(
            [_split_of_table(entry) for entry in splits],
            [Rename(old, str(new), None) for old, new in renames.items()],
        )

    def over(self, other: Splits) -> Splits:
        """Return both together; where they disagree, these count."""
        return Splits((*other.splits, *self.splits), (*other.renames, *self.renames))

    def adjusted_close(
        self, symbol: str, close_day: date, session_date: date, close: float
    ) -> float:
        """Return a close (dollars) of `close_day` in shares of `session_date`."""
        for split in self._by_symbol.get(symbol, ()):
            if close_day < split.ex_date <= session_date:
                close /= split.ratio
        return close

    def ratios(self, symbols: Sequence[str], earlier: date, later: date) -> NDArray[np.float64]:
        """Return how many shares of `later` one of `earlier` is, for each symbol."""
        found = np.ones(len(symbols))
        places = {symbol: place for place, symbol in enumerate(symbols)} if self.splits else {}
        for split in self.splits:
            place = places.get(split.symbol)
            if place is not None and earlier < split.ex_date <= later:
                found[place] *= split.ratio
        return found

    def adjusted(
        self, closes: Mapping[str, float], close_day: date, session_date: date
    ) -> dict[str, float]:
        """Return a day's closes as they compare with `session_date`.

        Splits in between are applied, and a renamed symbol's close stands under its new name too.
        """
        known = dict(closes)
        for _ in self.renames:
            more = {
                rename.new: known[rename.old]
                for rename in self.renames
                if rename.old in known
                and rename.new not in known
                and (rename.day is None or close_day < rename.day <= session_date)
            }
            if not more:
                break
            known.update(more)
        for symbol in self._by_symbol.keys() & known.keys():
            known[symbol] = self.adjusted_close(symbol, close_day, session_date, known[symbol])
        return known


def looks_like_split(prev_close: ArrayLike, first_price: ArrayLike) -> NDArray[np.bool_]:
    """Return where an overnight ratio, or its inverse, is within 8 % of a whole n from 2 to 50.

    Args:
        prev_close: Previous closes, any shape; NaN, 0 and less say no.
        first_price: The first prices after them, of the same shape and unit.
    """
    before, after = np.broadcast_arrays(
        np.asarray(prev_close, np.float64), np.asarray(first_price, np.float64)
    )
    usable = (before > 0) & (after > 0) & np.isfinite(before) & np.isfinite(after)
    ratio = np.ones(before.shape)
    np.divide(before, after, out=ratio, where=usable)
    ratio = np.maximum(ratio, 1 / ratio)
    below = np.clip(np.floor(ratio), 2, LARGEST_RATIO)
    above = np.clip(below + 1, 2, LARGEST_RATIO)
    near = np.minimum(np.abs(ratio / below - 1), np.abs(ratio / above - 1))
    marked: NDArray[np.bool_] = usable & (near <= TOLERANCE)
    return marked


def splits_of_actions(rows: Iterable[Row]) -> list[Split]:
    """Return the splits among corporate actions (events FSPLT and RSPLT), one a symbol and date."""
    found = []
    for row in newest_actions(rows):
        old, new = _number(row.get("ratio_old")), _number(row.get("ratio_new"))
        if row.get("event") in SPLIT_EVENTS and old and new:
            found.append(_split_of_row(row, new / old, "corporate actions"))
    return _distinct(found)


def splits_of_factors(rows: Iterable[Row]) -> list[Split]:
    """Return the splits among adjustment factors; a factor multiplies the prices before it."""
    found = []
    for row in rows:
        factor = _number(row.get("factor"))
        event = row.get("event", row.get("event_type"))
        if event in SPLIT_EVENTS and row.get("status") == _APPLIES and factor:
            found.append(_split_of_row(row, 1 / factor, "adjustment factors"))
    return _distinct(found)


def renames_of_actions(rows: Iterable[Row]) -> list[Rename]:
    """Return the renames among corporate actions (event LCC: a listing's code changes)."""
    found: dict[tuple[str, str], Rename] = {}
    for row in newest_actions(rows):
        told = row.get("event_info")
        day = _date(row.get("effective_date")) or _date(row.get("event_date"))
        if row.get("event") not in RENAME_EVENTS or not isinstance(told, Mapping) or day is None:
            continue
        old, new = _text(told.get("old_local_code")), _text(told.get("new_local_code"))
        if old and new and old != new:
            found[old, new] = Rename(old, new, day)
    return sorted(found.values(), key=lambda rename: (str(rename.day), rename.old))


def newest_actions(rows: Iterable[Row]) -> list[Row]:
    """Return each corporate action's newest record, without those that were withdrawn."""
    newest: dict[object, Row] = {}
    for row in sorted(rows, key=lambda row: str(row.get("ts_record"))):
        newest[row.get("event_unique_id")] = row
    return [row for row in newest.values() if row.get("event_action") not in _WITHDRAWN]


def _split_of_row(row: Row, ratio: float, source: str) -> Split | None:
    symbol = _text(row.get("nasdaq_symbol")) or _text(row.get("symbol"))
    ex_date = _date(row.get("ex_date"))
    return Split(symbol, ex_date, ratio, source) if symbol and ex_date else None


def _distinct(splits: Iterable[Split | None]) -> list[Split]:
    """One security has a record for each of its listings: keep one a symbol and date."""
    found = {(split.symbol, split.ex_date): split for split in splits if split is not None}
    return sorted(found.values(), key=lambda split: (split.ex_date, split.symbol))


def _split_of_table(entry: Mapping[str, object]) -> Split:
    symbol, ratio = _text(entry.get("symbol")), _number(entry.get("ratio"))
    ex_date = _date(entry.get("ex_date"))
    if entry.keys() != _SPLIT_KEYS or not symbol or ex_date is None or not ratio:
        raise UsageError(
            f"splits: {_shown(entry)} is no split. One is written as "
            '{symbol = "ABC", ex_date = 2026-06-15, ratio = 0.1}: new shares for one old share.'
        )
    return Split(symbol, ex_date, ratio, CONFIG)


def _shown(entry: Mapping[str, object]) -> str:
    try:
        return printable(dict(entry))[:_MOST_SHOWN]
    except ValueError:
        # Python writes no number of more than 4,300 digits; a file can hold one.
        return "an entry with a number of thousands of digits"


def _text(said: object) -> str:
    return said if isinstance(said, str) else ""


def _number(said: object) -> float | None:
    """Return a positive number that can be a ratio, None for anything else."""
    if not isinstance(said, int | float) or isinstance(said, bool):
        return None
    least, most = _NUMBERS
    return float(said) if least <= said <= most else None


def _date(said: object) -> date | None:
    """Return a date from a date, a time (NaT is none) or ISO text."""
    if isinstance(said, datetime):
        return None if said != said else said.date()  # noqa: PLR0124 - NaT differs from itself
    if isinstance(said, date):
        return said
    try:
        return date.fromisoformat(_text(said)[:10])
    except ValueError:
        return None
