"""Whom the gates keep off the board, and who is on the leaderboard, as rules see it."""

from __future__ import annotations

import numpy as np

from stockscan_tui.market.instants import Instants
from stockscan_tui.market.metrics import MetricKey, rank, values_of
from stockscan_tui.market.snapshot import Flags
from stockscan_tui.scan.expression import Expression, Names, parse
from stockscan_tui.scan.gates import Gates, gate_text
from stockscan_tui.scan.presence import LISTED

# The lists whose first symbols are the leaderboard: by what, and whether the smallest come first.
_LEADING = ((MetricKey("chg"), False), (MetricKey("chg"), True), (MetricKey("chg", 5), False))


class Gatekeeper:
    """The gates of one run.

    Args:
        gates: What keeps noise off the board.
        names: What may stand in a gate besides metrics.
    """

    def __init__(self, gates: Gates, names: Names) -> None:
        self._gates = gates
        self._names = names
        self._gate: tuple[str, Expression] = ("", parse(""))

    def passes(self, view: Instants) -> Flags:
        """Return which rows the session's gate lets through."""
        text = gate_text(view.session, view.feed.dataset, self._gates)
        if text != self._gate[0]:
            self._gate = (text, parse(text, self._names))
        return self._gate[1].mask(view)

    def leaders(self, view: Instants) -> Flags:
        """Return by slot who is on the leaderboard, of a view of all symbols."""
        members = np.zeros(len(view.slot), np.bool_)
        passed = np.flatnonzero(self.passes(view))
        by_name = sorted(passed.tolist(), key=view.symbols.__getitem__)
        for key, ascending in _LEADING:
            order = rank(view, key, ascending=ascending, rows=np.array(by_name, np.int64))
            known = np.isfinite(values_of(key, view)[order])
            members[view.slot[order[known][:LISTED]]] = True
        return members
