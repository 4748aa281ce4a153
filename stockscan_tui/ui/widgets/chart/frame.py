"""One picture of the chart: which panes there is room for, and what is drawn in which order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.ui.widgets.chart.candles import Candles, Floats
from stockscan_tui.ui.widgets.chart.canvas import Canvas
from stockscan_tui.ui.widgets.chart.data import ChartData
from stockscan_tui.ui.widgets.chart.scale import Scale
from stockscan_tui.ui.widgets.chart.view import View, Window, crossed_at

# Of fewer bars in view none is far off.
FEW = 8
SPAN = 5
FAR = 3.0
# From this width on one line holds the bar and the lines' values.
WIDE = 150


@dataclass(frozen=True, slots=True)
class Pane:
    """Lines of the widget; none where `rows` is 0."""

    top: int
    rows: int


@dataclass(frozen=True, slots=True)
class Panes:
    """Where everything stands.

    Attributes:
        width: Cells of the panes, without the axis.
        axis: Cells of the axis at their right, 0 for none.
        legend: Lines of words on top.
        clock: Lines of the time axis below.
    """

    width: int
    axis: int
    legend: int
    price: Pane
    volume: Pane
    rsi: Pane
    clock: int

    @classmethod
    def of(cls, width: int, height: int, label: int) -> Panes:
        """Return the panes of a widget of that size, for labels of `label` cells."""
        legend = 0 if height < 5 else 2 if height >= 20 and width < WIDE else 1
        clock = 1 if height >= 6 else 0
        rest = height - legend - clock
        rsi = min(8, rest // 6) if rest >= 22 else 0
        volume = min(10, max(2, rest // 6)) if rest >= 8 else 0
        price = rest - rsi - volume
        axis = label + 2 if width >= 24 and width > 3 * label else 0
        below = legend + price
        return cls(
            width=width - axis,
            axis=axis,
            legend=legend,
            price=Pane(legend, price),
            volume=Pane(below, volume),
            rsi=Pane(below + volume, rsi),
            clock=clock,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What all parts of a picture share.

    Attributes:
        canvas: What is drawn upon.
        taken: Cells that no line may be drawn over, shape (height, width).
        seen: Which candles are in the window.
        crossed: The candle under the crosshair, -1 without one.
        last: The price that is marked, NaN for none.
    """

    canvas: Canvas
    taken: NDArray[np.bool_]
    data: ChartData
    candles: Candles
    view: View
    window: Window
    panes: Panes
    scale: Scale
    seen: slice
    crossed: int
    last: float

    @classmethod
    def of(cls, data: ChartData, candles: Candles, view: View, width: int, height: int) -> Frame:
        """Return an empty picture; `candles` are the data's at the view's zoom."""
        last = data.last
        if not math.isfinite(last):
            last = float(candles.close[-1]) if len(candles) else data.prev_close
        panes = Panes.of(width, height, label_cells(candles, last))
        window = Window.of(candles, view, panes.width)
        seen = candles.between(window.left, window.right)
        return cls(
            canvas=Canvas(width, height),
            taken=np.zeros((height, width), np.bool_),
            data=data,
            candles=candles,
            view=view,
            window=window,
            panes=panes,
            scale=_scale(candles, seen, last, view, panes.price.rows),
            seen=seen,
            crossed=crossed_at(candles, view),
            last=last,
        )

    @property
    def falling(self) -> bool:
        """Whether the last price is under what the newest candle opened at."""
        return bool(len(self.candles)) and self.last < float(self.candles.open[-1])

    @property
    def cross_cell(self) -> int:
        """The cell of the crosshair's upright line, -1 where it is not seen."""
        if self.crossed < 0:
            return -1
        column = int(self.candles.at[self.crossed])
        inside = self.window.left <= column <= self.window.right
        return self.window.middle(column) if inside else -1


def label_cells(candles: Candles, last: float) -> int:
    """Return the cells of the longest price, so that the axis keeps its width while panning."""
    highest = float(candles.high.max()) if len(candles) else 0.0
    highest = max(highest, last if math.isfinite(last) else 0.0)
    return max(len(f"{highest:,.2f}"), 6)


def _scale(candles: Candles, seen: slice, last: float, view: View, rows: int) -> Scale:
    high, low = candles.high[seen], candles.low[seen]
    if len(high):
        top, bottom = _within(candles.close[seen], high, low)
        if view.end is None and math.isfinite(last):
            top, bottom = max(top, last), min(bottom, last)
        return Scale.over(bottom, top, rows)
    middle = last if math.isfinite(last) else 1.0
    return Scale.over(middle, middle, rows)


def _within(close: Floats, high: Floats, low: Floats) -> tuple[float, float]:
    """Return the highest and the lowest price to be seen: a print far off squeezes nothing.

    Far off is what is more than `FAR` usual ranges of a bar away from where prices are for longer
    than a bar or two.
    """
    top, bottom = float(high.max()), float(low.min())
    if len(close) < FEW:
        return top, bottom
    around = np.lib.stride_tricks.sliding_window_view(np.pad(close, SPAN // 2, "edge"), SPAN)
    settled = np.median(around, axis=1)
    room = FAR * float(np.median(high - low))
    if room <= 0.0:
        return top, bottom
    return min(top, float(settled.max()) + room), max(bottom, float(settled.min()) - room)
