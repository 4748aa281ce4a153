"""Which columns are seen and where they stand: zoom, pan and the crosshair's place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stockscan_tui.ui.widgets.chart.candles import Candles, Integers

# Cells of a candle and bars in it, the nearest first.
ZOOMS = ((3, 1), (2, 1), (1, 1), (1, 2), (1, 3), (1, 5), (1, 10), (1, 15), (1, 30))


# From this width on a candle has two cells at first.
_WIDE = 150


@dataclass(frozen=True, slots=True)
class View:
    """What of the candles is looked at.

    Attributes:
        zoom: Place in `ZOOMS`.
        end: A minute (since 1970) of the last column; None follows the newest candle.
        cross: A minute of the candle under the crosshair, None without one.
    """

    zoom: int = 2
    end: int | None = None
    cross: int | None = None

    @property
    def cells(self) -> int:
        """Cells of a candle."""
        return ZOOMS[self.zoom][0]

    @property
    def bars(self) -> int:
        """Bars in a candle."""
        return ZOOMS[self.zoom][1]


@dataclass(frozen=True, slots=True)
class Window:
    """Columns `left` to `right`, both seen; that of the number `left` begins at cell `x`."""

    left: int
    right: int
    x: int
    cells: int

    @classmethod
    def of(cls, candles: Candles, view: View, width: int) -> Window:
        """Return what a pane of so many cells shows."""
        room = 1 if width < 40 else 2
        columns = max((width - room) // view.cells, 1)
        right = candles.newest if view.end is None else candles.slots.nearest(view.end)
        x = max(width - room - columns * view.cells, 0)
        return cls(right - columns + 1, right, x, view.cells)

    @property
    def columns(self) -> int:
        """How many columns are seen."""
        return self.right - self.left + 1

    def cell(self, columns: Integers) -> Integers:
        """Return the first cell of each column."""
        cells: Integers = self.x + (columns - self.left) * self.cells
        return cells

    def middle(self, column: int) -> int:
        """Return the cell in the middle of a column, the right one of two."""
        return self.x + (column - self.left) * self.cells + self.cells // 2

    def column(self, cell: int) -> int:
        """Return the column at a cell."""
        return self.left + (cell - self.x) // self.cells


def zoom_for(width: int) -> int:
    """Return the zoom at which a chart of so many cells is opened."""
    return 1 if width >= _WIDE else 2


def crossed_at(candles: Candles, view: View) -> int:
    """Return the candle under the crosshair, -1 without one."""
    if view.cross is None or not len(candles):
        return -1
    return candles.nearest(candles.slots.nearest(view.cross))


def stepped(candles: Candles, view: View, width: int, step: int) -> View:
    """Return the view after the crosshair has gone `step` candles; it begins at the newest seen."""
    if not len(candles):
        return view
    window = Window.of(candles, view, width)
    place = crossed_at(candles, view)
    if place < 0:
        place = candles.between(window.left, window.right).stop - 1
    else:
        place += step
    place = min(max(place, 0), len(candles) - 1)
    moved = replace(view, cross=int(candles.minute[place]))
    column = int(candles.at[place])
    if column < window.left:
        return _ending(candles, moved, column + window.columns - 1)
    return _ending(candles, moved, column) if column > window.right else moved


def crossing(candles: Candles, view: View, width: int, cell: int) -> View:
    """Return the view with the crosshair on the candle nearest to a cell."""
    place = candles.nearest(Window.of(candles, view, width).column(cell))
    return replace(view, cross=int(candles.minute[place])) if place >= 0 else view


def panned(candles: Candles, view: View, width: int, columns: int) -> View:
    """Return the view moved by columns; at the newest candle it follows again."""
    window = Window.of(candles, view, width)
    return _ending(candles, view, window.right + columns)


def zoomed(before: Candles, after: Candles, view: View, zoom: int, width: int, cell: int) -> View:
    """Return the view at another zoom, what stands at a cell staying there.

    Args:
        before: The candles as they are.
        after: Those of the other zoom.
        view: The view as it is.
        zoom: The other zoom.
        width: The pane's.
        cell: What stays; that of the crosshair goes first. Without one the right edge stays.
    """
    window = Window.of(before, view, width)
    changed = replace(view, zoom=zoom)
    place = crossed_at(before, view)
    if view.end is None and place >= 0:
        there = Window.of(after, changed, width)
        if there.left <= int(after.at[crossed_at(after, changed)]):
            return changed
    if place >= 0 and window.left <= before.at[place] <= window.right:
        cell = window.middle(int(before.at[place]))
    if cell < 0:
        return changed
    minute = int(before.slots.minute(np.array([window.column(cell)]))[0])
    there = Window.of(after, changed, width)
    return _ending(after, changed, after.slots.nearest(minute) + there.right - there.column(cell))


def _ending(candles: Candles, view: View, column: int) -> View:
    """Return the view with a column at its right edge; nothing after the newest is shown."""
    if column >= candles.newest:
        return replace(view, end=None)
    first = int(candles.at[0]) if len(candles) else 0
    column = max(column, min(first + 1, candles.newest))
    return replace(view, end=int(candles.slots.minute(np.array([column]))[0]))
