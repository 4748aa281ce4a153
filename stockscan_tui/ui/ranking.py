"""The order of the board: re-made once a second, held while the trader is moving."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stockscan_tui.market.metrics import MetricKey, rank
from stockscan_tui.market.snapshot import Integers, Snapshot
from stockscan_tui.scan.expression import Expression, parse
from stockscan_tui.scan.lists import Toplist
from stockscan_tui.scan.picking import Picked, Picker
from stockscan_tui.scan.presence import LISTED, Presence

ORDER_EVERY_S = 1.0
HOLD_S = 2.0


class Ranking:
    """Rows in order, and the selected symbol among them.

    Until the trader moves, the first row is selected; from then on the selection stays with its
    symbol wherever that goes.

    Args:
        key: The metric it is ordered by.
        ascending: Whether the smallest stands first.
        picker: Which symbols are shown.

    Attributes:
        leap: The leap of the picture that was ordered last: its rows belong to no other one.
    """

    def __init__(
        self, key: MetricKey, *, ascending: bool = False, picker: Picker | None = None
    ) -> None:
        self.key = key
        self.ascending = ascending
        self.picker = picker or Picker(gates=None)
        self.list: Toplist | None = None
        self.rows: Integers = np.zeros(0, np.int64)
        self.picked = Picked()
        self.cursor = 0
        self.leap = 0
        self._following = False
        self._lost = ""
        self._wanted = ""
        self._symbols: Sequence[str] = ()
        self._presences: dict[str, Presence] = {}
        self._ordered_s = -HOLD_S
        self._moved_s = -HOLD_S

    @property
    def chosen(self) -> Expression:
        """The filter."""
        return self.picker.chosen

    @chosen.setter
    def chosen(self, expression: Expression) -> None:
        self.picker.chosen = expression

    @property
    def presence(self) -> Presence:
        """Who has come onto the list that is shown, and who has left it."""
        name = f"{self.list.key} {self.list.name}" if self.list is not None else ""
        return self._presences.setdefault(f"{name} {self.key} {self.chosen.text}", Presence())

    @property
    def selected(self) -> int | None:
        """The selected symbol's row in the snapshot, None on an empty board."""
        return int(self.rows[self.cursor]) if len(self.rows) else None

    @property
    def name(self) -> str:
        """The selected symbol's name, empty on an empty board."""
        selected = self.selected
        return self._symbols[selected] if selected is not None else ""

    @property
    def names(self) -> list[str]:
        """The symbols in order."""
        return [self._symbols[row] for row in self.rows.tolist()]

    def show_list(self, chosen: Toplist) -> None:
        """Show a list from its first row on."""
        self.list = chosen
        self.key, self.ascending = chosen.sort, chosen.ascending
        self.picker.listed = parse(chosen.filter, self.picker.names)
        self.cursor = 0
        self._following = False
        self._lost = ""

    def jump_to(self, symbol: str) -> None:
        """Select a symbol as soon as it is among the rows."""
        self._wanted = symbol

    def waits_for(self, symbol: str) -> bool:
        """Whether a symbol that is to be selected is not among the rows."""
        return self._wanted == symbol

    def update(self, snapshot: Snapshot, now_s: float, *, force: bool = False) -> bool:
        """Order the rows anew if it is time to; returns whether it was done."""
        leapt = snapshot.leap != self.leap
        due = now_s - self._ordered_s >= ORDER_EVERY_S and now_s - self._moved_s >= HOLD_S
        if not (due or force or leapt) and len(self.rows):
            return False
        self._ordered_s = now_s
        selected = self._forget(snapshot) if leapt else self.selected
        self._symbols = snapshot.symbols
        self.picked = self.picker.pick(snapshot)
        self.rows = rank(snapshot, self.key, ascending=self.ascending, rows=self.picked.rows)
        first = [snapshot.symbols[row] for row in self.rows[:LISTED].tolist()]
        self.presence.note(first, snapshot.event_ns)
        self._keep_selected(selected)
        self._jump(snapshot)
        return True

    def _forget(self, snapshot: Snapshot) -> int:
        """Drop what was noted of another time; returns the selected symbol's new row or -1."""
        self.leap = snapshot.leap
        name = self._lost or self.name
        known = name in snapshot.symbols
        # One that is not there at this time is looked for again after the next leap.
        self._lost = name if self._following and not known else ""
        self._moved_s = -HOLD_S
        self._presences.clear()
        self.picker.forget()
        return snapshot.symbols.index(name) if known else -1

    def _keep_selected(self, selected: int | None) -> None:
        if not self._following or selected is None:
            self.cursor = 0
            return
        found = np.flatnonzero(self.rows == selected)
        self.cursor = int(found[0]) if len(found) else min(self.cursor, len(self.rows) - 1)
        self.cursor = max(self.cursor, 0)

    def _jump(self, snapshot: Snapshot) -> None:
        if not self._wanted:
            return
        names = [snapshot.symbols[row] for row in self.rows.tolist()]
        if self._wanted in names:
            self.cursor = names.index(self._wanted)
            self._following = True
            self._wanted = ""

    def move_to(self, place: int, now_s: float) -> None:
        """Select the row at `place`, as near as there is one, and hold the order."""
        self.cursor = max(0, min(place, len(self.rows) - 1))
        self._following = self.cursor > 0
        self._lost = ""
        self._moved_s = now_s

    def sort_by(self, key: MetricKey) -> None:
        """Order by another metric, largest first; by the same one, the other way round."""
        self.ascending = not self.ascending if key == self.key else False
        self.key = key
