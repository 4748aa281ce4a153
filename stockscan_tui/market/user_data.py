"""What the user says about symbols: watchlists, and a table of numbers and words of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stockscan_tui.market.snapshot import Floats, Words


@dataclass(frozen=True, slots=True)
class OwnTable:
    """What a user's file says about symbols.

    Attributes:
        numbers: By column, the value of each symbol; booleans are 0 and 1.
        texts: By column, the word of each symbol.
        problems: What could not be taken, in sentences.
    """

    numbers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """All that is the user's own.

    Attributes:
        watched: The symbols of the current watchlist.
        watchlists: The symbols of every watchlist by its name.
        table: The user's table.
    """

    watched: frozenset[str] = frozenset()
    watchlists: Mapping[str, frozenset[str]] = field(default_factory=dict)
    table: OwnTable = field(default_factory=OwnTable)


def numbers_by_slot(table: OwnTable, symbols: Sequence[str]) -> dict[str, Floats]:
    """Return each column of numbers in the order of `symbols`, NaN for none."""
    return {
        name: np.array([column.get(symbol, np.nan) for symbol in symbols], np.float64)
        for name, column in table.numbers.items()
    }


def words_by_slot(table: OwnTable, symbols: Sequence[str]) -> dict[str, Words]:
    """Return each column of words in the order of `symbols`."""
    found = {}
    for name, column in table.texts.items():
        names = tuple(sorted(set(column.values())))
        place = {word: code for code, word in enumerate(names)}
        codes = [place[column[symbol]] if symbol in column else -1 for symbol in symbols]
        found[name] = Words(np.array(codes, np.int64), names)
    return found
