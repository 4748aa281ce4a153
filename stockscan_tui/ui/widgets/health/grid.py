"""The grid of the panel's figures, with a cursor that goes from one to the next."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from textual import events
from textual.message import Message

from stockscan_tui.ui.widgets.health.blocks import Entry, Grid
from stockscan_tui.ui.widgets.health.drawn import Drawn, Part, Row

WHEEL_ROWS = 3


class FigureGrid(Drawn, can_focus=True, inherit_bindings=False):
    """Figures in columns; those below scroll into view with the cursor."""

    class Explained(Message):
        """The cursor stands on another figure, or says something new of the same one."""

        def __init__(self, entry: Entry) -> None:
            super().__init__()
            self.entry = entry

    def __init__(self) -> None:
        super().__init__(id="figures")
        self._grid = Grid()
        self._key: Hashable = None
        self._at = 0
        self._top = 0
        self._told: Entry | None = None

    def show(self, grid: Grid) -> None:
        """Take new figures; the cursor stays with its own."""
        self._grid = grid
        keys = [placed.entry.key for placed in grid.placed]
        self._at = keys.index(self._key) if self._key in keys else min(self._at, len(keys) - 1)
        self._top = max(0, min(self._top, grid.height - self.size.height))
        self.redraw()
        self._explain()

    @property
    def entry(self) -> Entry | None:
        """The figure under the cursor."""
        return self._grid.placed[self._at].entry if self._grid.placed else None

    # --- movement -----------------------------------------------------------------------------

    def move_by(self, steps: int) -> None:
        """Move the cursor on or back among the figures."""
        self._move_to(self._at + steps)

    def move_to_end(self, *, last: bool) -> None:
        """Move to the first figure, or to the last."""
        self._move_to(len(self._grid.placed) - 1 if last else 0)

    def move_aside(self, direction: int) -> None:
        """Move to the nearest figure at the right (1) or at the left (-1)."""
        if not self._grid.placed:
            return
        here = self._grid.placed[self._at]
        beside = [
            (abs(other.x - here.x), abs(other.y - here.y), at)
            for at, other in enumerate(self._grid.placed)
            if (other.x - here.x) * direction > 0
        ]
        if beside:
            nearest = min(distance for distance, _, _ in beside)
            self._move_to(min((y, at) for x, y, at in beside if x == nearest)[1])

    def _move_to(self, at: int) -> None:
        if not self._grid.placed:
            return
        self._at = max(0, min(at, len(self._grid.placed) - 1))
        self._key = self._grid.placed[self._at].entry.key
        self._reveal()
        self.redraw()
        self._explain()

    def _reveal(self) -> None:
        """Bring the figure into view, the first of a block with what stands above it."""
        y, height = self._grid.placed[self._at].y, self.size.height
        x = self._grid.placed[self._at].x
        above = [p.y for p in self._grid.placed if p.x == x and p.y < y]
        head = max(above, default=-1) + 1
        if y - self._top >= height:
            self._top = y - height + 1
        if min(head, y) < self._top:
            self._top = max(min(head, y), y - height + 1)

    def scroll(self, rows: int) -> None:
        """Scroll without the cursor."""
        self._top = max(0, min(self._top + rows, self._grid.height - self.size.height))
        self.redraw()

    def _explain(self) -> None:
        entry = self.entry
        if entry is not None and entry != self._told:
            self._told = entry
            self.post_message(self.Explained(entry))

    # --- drawing ------------------------------------------------------------------------------

    def rows(self, width: int, height: int) -> Iterable[Row]:
        found: list[list[Part]] = [[] for _ in range(height)]
        for line in self._grid.lines:
            if 0 <= line.y - self._top < height:
                found[line.y - self._top].append(Part(line.x, line.width, line.pieces))
        for at, placed in enumerate(self._grid.placed):
            if 0 <= placed.y - self._top < height:
                part = Part(placed.x, placed.width, placed.entry.pieces, at == self._at)
                found[placed.y - self._top].append(part)
        return [tuple(sorted(row)) for row in found]

    # --- Textual ------------------------------------------------------------------------------

    def on_resize(self) -> None:
        super().on_resize()
        if self._grid.placed:
            self._reveal()

    def on_click(self, event: events.Click) -> None:
        y = event.y + self._top
        for at, placed in enumerate(self._grid.placed):
            if placed.y == y and placed.x <= event.x < placed.x + placed.width:
                self._move_to(at)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll(WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll(-WHEEL_ROWS)
