"""One symbol on the whole screen; it follows the list that it was opened from."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.ui.commands import EVERYWHERE, SYMBOL, bindings
from stockscan_tui.ui.ranking import Ranking
from stockscan_tui.ui.widgets.detail import Detail
from stockscan_tui.ui.widgets.lines import KeyLine
from stockscan_tui.ui.widgets.status import StatusLine


class SymbolScreen(Screen[None]):
    """Figures, chart and minutes of the selected symbol.

    Args:
        ranking: The board's order; `n` and `N` walk along it.
        moved: The wall clock's seconds, to hold the order while moving.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(SYMBOL)

    def __init__(self, ranking: Ranking, seconds: float = 0.0) -> None:
        super().__init__()
        self._ranking = ranking
        self._snapshot: Snapshot | None = None
        self._seconds = seconds
        self.ready = False

    def on_mount(self) -> None:
        self.ready = True

    def on_unmount(self) -> None:
        self.ready = False

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield Detail(id="whole")
        yield KeyLine((*SYMBOL, *EVERYWHERE))

    def show(self, snapshot: Snapshot, now_s: float) -> None:
        """Take a new picture."""
        self._snapshot = snapshot
        self._seconds = now_s
        self.query_one(StatusLine).show(snapshot)
        self.query_one(Detail).show(snapshot, self._ranking.selected)

    def _step(self, places: int) -> None:
        self._ranking.move_to(self._ranking.cursor + places, self._seconds)
        if self._snapshot is not None:
            self.query_one(Detail).show(self._snapshot, self._ranking.selected)

    def action_next(self) -> None:
        """Show the next symbol of the list."""
        self._step(1)

    def action_previous(self) -> None:
        """Show the previous symbol of the list."""
        self._step(-1)

    def action_back(self) -> None:
        """Go back to the board."""
        self.dismiss()
