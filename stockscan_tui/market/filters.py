"""Which symbols are shown: those that begin with one of some prefixes."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from stockscan_tui.errors import UsageError
from stockscan_tui.market.snapshot import Integers, Snapshot

_SYMBOL = re.compile(r"^[A-Z0-9.#+=^*$/-]+$")


@dataclass(frozen=True, slots=True)
class SymbolFilter:
    """Symbols by prefix; without prefixes, all."""

    prefixes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join(self.prefixes)

    def rows(self, snapshot: Snapshot) -> Integers:
        """Return the matching rows in alphabetical order."""
        if not self.prefixes:
            return snapshot.by_symbol
        symbols = snapshot.symbols
        return np.array(
            [r for r in snapshot.by_symbol.tolist() if symbols[r].startswith(self.prefixes)],
            np.int64,
        )


def parse_filter(text: str) -> SymbolFilter:
    """Read prefixes separated by commas or spaces; small letters count as capitals.

    Raises:
        UsageError: A word cannot be the beginning of a symbol; the message names its column.
    """
    words = [(m.group().upper(), m.start() + 1) for m in re.finditer(r"[^\s,]+", text)]
    for word, column in words:
        if not _SYMBOL.match(word):
            raise UsageError(
                f"Column {column}: {word!r} is not the beginning of a symbol. "
                "A filter is one or more prefixes, as in: NV AAP"
            )
    return SymbolFilter(tuple(dict.fromkeys(word for word, _ in words)))
