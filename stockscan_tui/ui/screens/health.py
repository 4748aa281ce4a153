"""The health panel: whether the feed, the bars and this machine are as they should be."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType

from stockscan_tui.market.judgement import judge
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.vitals import Lag
from stockscan_tui.ui.commands import EVERYWHERE, HEALTH, bindings
from stockscan_tui.ui.ranking import Ranking
from stockscan_tui.ui.sheet import Page
from stockscan_tui.ui.widgets.health.blocks import laid_out
from stockscan_tui.ui.widgets.health.explanation import Explanation
from stockscan_tui.ui.widgets.health.figures import arranged
from stockscan_tui.ui.widgets.health.grid import FigureGrid
from stockscan_tui.ui.widgets.health.judgements import JudgementLines
from stockscan_tui.ui.widgets.lines import KeyLine
from stockscan_tui.ui.widgets.status import StatusLine

# From so many cells on two lines explain a figure; else it takes three.
FULL_FROM = 110
# With fewer lines one has to do.
LOW_UNDER = 16


class HealthScreen(Page[str]):
    """Five judgements, then every figure behind them; the result is a list to show, or nothing.

    Args:
        ranking: The board's order, for the completeness of its symbols.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(HEALTH)

    def __init__(self, ranking: Ranking) -> None:
        super().__init__()
        self._ranking = ranking
        self._shown: tuple[Snapshot, Lag] | None = None

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield JudgementLines()
        yield FigureGrid()
        yield Explanation()
        yield KeyLine((*HEALTH, *EVERYWHERE))

    def on_mount(self) -> None:
        self._grid.focus()

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        full = 2 if width >= FULL_FROM else 3
        self.query_one(Explanation).styles.height = full if height >= LOW_UNDER else 1
        # The widgets have their new sizes only after this message.
        self.call_after_refresh(self._draw)

    @property
    def _grid(self) -> FigureGrid:
        return self.query_one(FigureGrid)

    def show(self, snapshot: Snapshot, drawn: Lag) -> None:
        """Take a new picture, and how long pictures take to the screen."""
        self._shown = (snapshot, drawn)
        self._draw()

    def _draw(self) -> None:
        if self._shown is None or not self.there:
            return
        snapshot, drawn = self._shown
        self.query_one(StatusLine).show(snapshot)
        self.query_one(JudgementLines).show(judge(snapshot))
        grid = self._grid
        if grid.size.width:
            rows = np.asarray(self._ranking.rows, np.int64)
            grid.show(laid_out(arranged(snapshot, rows, drawn, grid.size), grid.size.width))

    @on(FigureGrid.Explained)
    def _explain(self, event: FigureGrid.Explained) -> None:
        self.query_one(Explanation).show(event.entry)

    # --- commands -----------------------------------------------------------------------------

    def action_back(self) -> None:
        """Go back to what was shown before."""
        self.dismiss("")

    def action_list(self, key: str) -> None:
        """Go back, and to the list on a digit."""
        self.dismiss(key)

    def action_move(self, steps: int) -> None:
        """Move the cursor on or back."""
        self._grid.move_by(steps)

    def action_page(self, direction: int) -> None:
        """Move the cursor on or back by half a page."""
        self._grid.move_by(direction * max(self._grid.size.height // 2, 1))

    def action_aside(self, direction: int) -> None:
        """Move the cursor to the column at the right or at the left."""
        self._grid.move_aside(direction)

    def action_end(self, last: int) -> None:
        """Move to the first figure, or to the last."""
        self._grid.move_to_end(last=bool(last))

    def action_copy(self) -> None:
        """Copy the figure under the cursor."""
        entry = self._grid.entry
        if entry is not None:
            words = " ".join("".join(text for text, _ in entry.pieces).split())
            self.app.copy_to_clipboard(words)
            self.notify(f"copied: {words}", markup=False, timeout=3)
