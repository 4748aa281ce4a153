"""What kind of security a symbol names, by the Nasdaq convention of Databento's symbols."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stockscan_tui.market.snapshot import Flags

_SUFFIXES = {"+": "warrant", "=": "unit", "^": "right", "-": "preferred"}
_FIFTH = {"W": "warrant", "U": "unit", "R": "right"}
_FIFTH_PREFERRED = frozenset("PONM")
KINDS = ("warrant", "unit", "right", "preferred")


def kind_of(symbol: str, symbols: frozenset[str]) -> str:
    """Return `warrant`, `unit`, `right`, `preferred`, or nothing for a common share.

    A suffix tells; of symbols listed on Nasdaq, which carry none, the fifth letter does (P, O, N
    and M only where the four-letter root is among `symbols`).
    """
    for suffix, kind in _SUFFIXES.items():
        if suffix in symbol[1:]:
            return kind
    if len(symbol) != 5 or not symbol.isalpha():
        return ""
    if symbol[4] in _FIFTH:
        return _FIFTH[symbol[4]]
    return "preferred" if symbol[4] in _FIFTH_PREFERRED and symbol[:4] in symbols else ""


def kinds_of(symbols: Sequence[str]) -> dict[str, Flags]:
    """Return, for each kind, which of the symbols are of it, shape (len(symbols),)."""
    known = frozenset(symbols)
    found = [kind_of(symbol, known) for symbol in symbols]
    return {kind: np.array([f == kind for f in found], np.bool_) for kind in KINDS}
