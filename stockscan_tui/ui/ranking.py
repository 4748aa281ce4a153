"""The order of the board: re-made once a second, held while the trader is moving."""

from __future__ import annotations

import numpy as np

from stockscan_tui.market.filters import SymbolFilter
from stockscan_tui.market.metrics import MetricKey, rank
from stockscan_tui.market.snapshot import Integers, Snapshot

ORDER_EVERY_S = 1.0
HOLD_S = 2.0


class Ranking:
    """Rows in order, and the selected symbol among them.

    Until the trader moves, the first row is selected; from then on the selection stays with its
    symbol wherever that goes.
    """

    def __init__(self, key: MetricKey, *, ascending: bool = False) -> None:
        self.key = key
        self.ascending = ascending
        self.chosen = SymbolFilter()
        self.rows: Integers = np.zeros(0, np.int64)
        self.cursor = 0
        self._following = False
        self._ordered_s = -HOLD_S
        self._moved_s = -HOLD_S

    @property
    def selected(self) -> int | None:
        """The selected symbol's row in the snapshot, None on an empty board."""
        return int(self.rows[self.cursor]) if len(self.rows) else None

    def update(self, snapshot: Snapshot, now_s: float, *, force: bool = False) -> bool:
        """Order the rows anew if it is time to; returns whether it was done."""
        due = now_s - self._ordered_s >= ORDER_EVERY_S and now_s - self._moved_s >= HOLD_S
        if not due and not force and len(self.rows):
            return False
        self._ordered_s = now_s
        selected = self.selected
        matching = self.chosen.rows(snapshot)
        self.rows = rank(snapshot, self.key, ascending=self.ascending, rows=matching)
        self._keep_selected(selected)
        return True

    def _keep_selected(self, selected: int | None) -> None:
        if not self._following or selected is None:
            self.cursor = 0
            return
        found = np.flatnonzero(self.rows == selected)
        self.cursor = int(found[0]) if len(found) else min(self.cursor, len(self.rows) - 1)
        self.cursor = max(self.cursor, 0)

    def move_to(self, place: int, now_s: float) -> None:
        """Select the row at `place`, as near as there is one, and hold the order."""
        self.cursor = max(0, min(place, len(self.rows) - 1))
        self._following = self.cursor > 0
        self._moved_s = now_s

    def sort_by(self, key: MetricKey) -> None:
        """Order by another metric, largest first; by the same one, the other way round."""
        self.ascending = not self.ascending if key == self.key else False
        self.key = key
