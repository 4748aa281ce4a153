"""The chart on the screen: it keeps the view, and draws the lines that have changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from stockscan_tui.ui.widgets.chart.candles import Candles, candles_of
from stockscan_tui.ui.widgets.chart.canvas import Canvas, Look, look_of
from stockscan_tui.ui.widgets.chart.data import Candle, ChartData
from stockscan_tui.ui.widgets.chart.drawing import alerts_by_candle
from stockscan_tui.ui.widgets.chart.frame import Frame
from stockscan_tui.ui.widgets.chart.picture import drawn
from stockscan_tui.ui.widgets.chart.view import (
    ZOOMS,
    View,
    crossing,
    panned,
    stepped,
    zoom_for,
    zoomed,
)

# A step of panning is this part of the columns in view.
_PAN_PART = 8


def _class_of(look: Look) -> str:
    return f"chart--{look.name.lower().replace('_', '-')}"


class _Styles(dict[int, Style]):
    """The styles of keys, each looked up once."""

    def __init__(self, look_up: Callable[[int], Style]) -> None:
        super().__init__()
        self._look_up = look_up

    def __missing__(self, key: int) -> Style:
        style = self[key] = self._look_up(key)
        return style


class Chart(Widget):
    """Candles of one symbol, volume and relative strength below them; it has no keys of its own."""

    COMPONENT_CLASSES = {*(_class_of(look) for look in Look), "chart--session"}

    DEFAULT_CSS = """
    Chart {
        background: $background;
        color: $foreground;

        & > .chart--grid { color: $panel; }
        & > .chart--guide { color: $faint 45%; }
        & > .chart--dim { color: $faint; }
        & > .chart--up { color: $rise; }
        & > .chart--down { color: $fall; }
        & > .chart--volume-up { color: $rise 55%; }
        & > .chart--volume-down { color: $fall 55%; }
        & > .chart--vwap { color: $accent; }
        & > .chart--ema-9 { color: $primary; }
        & > .chart--ema-20 { color: $foreground 75%; }
        & > .chart--ema-50 { color: $secondary; }
        & > .chart--level { color: $secondary; }
        & > .chart--session { background: $surface; }
        & > .chart--cross { color: $foreground 80%; }
        & > .chart--alert { color: $warning; text-style: bold; }
        & > .chart--rsi { color: $primary; }
        & > .chart--bold { color: $foreground; text-style: bold; }
        & > .chart--tag { color: $background; background: $foreground; }
        & > .chart--tag-up { color: $background; background: $rise; text-style: bold; }
        & > .chart--tag-down { color: $background; background: $fall; text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._data = ChartData()
        self._view = View()
        self._known: dict[int, Candles] = {}
        self._canvas: Canvas | None = None
        self._keys: NDArray[np.uint8] = np.zeros((0, 0), np.uint8)
        self._strips: list[Strip] = []
        self._styles = _Styles(self._style)
        self._panes_width = 1
        self._zoomed = False

    # --- what it shows ------------------------------------------------------------------------

    def show(self, data: ChartData) -> None:
        """Take new data and draw what it changes; the view stays where it is."""
        if data is self._data:
            return
        before, self._data = self._data, data
        same = data.bars is before.bars and data.days is before.days
        if not (same and data.interval == before.interval):
            self._known = {}
        self._draw()

    def cross(self, step: int) -> None:
        """Move the crosshair by candles that exist; the first step puts it on the newest seen."""
        self._look(stepped(self._candles(), self._view, self._panes_width, step))

    def clear_cross(self) -> None:
        """Take the crosshair away."""
        self._look(replace(self._view, cross=None))

    def pan(self, step: int) -> None:
        """Go back (negative) or forth by parts of what is seen; at the newest bar it follows it."""
        columns = max(self._panes_width // self._view.cells // _PAN_PART, 1)
        self._look(panned(self._candles(), self._view, self._panes_width, step * columns))

    def zoom(self, step: int, cell: int = -1) -> None:
        """Go nearer (positive) or farther; the crosshair or what is at `cell` stays there."""
        view = self._view
        zoom = min(max(view.zoom - step, 0), len(ZOOMS) - 1)
        self._zoomed = True
        if zoom != view.zoom:
            after = self._candles(ZOOMS[zoom][1])
            self._look(zoomed(self._candles(), after, view, zoom, self._panes_width, cell))

    def follow(self) -> None:
        """Go back to the newest bar."""
        self._look(replace(self._view, end=None))

    @property
    def following(self) -> bool:
        """Whether the newest bar stays at the right edge."""
        return self._view.end is None

    @property
    def crossed(self) -> Candle | None:
        """The candle under the crosshair, None without one."""
        frame = self._frame(1, 1)
        if frame.crossed < 0:
            return None
        return frame.candles.candle(frame.crossed, alerts_by_candle(frame).get(frame.crossed, ()))

    # --- drawing ------------------------------------------------------------------------------

    def _look(self, view: View) -> None:
        if view != self._view:
            self._view = view
            self._draw()

    def _candles(self, bars: int = 0) -> Candles:
        """Return the candles at the view's zoom, or of `bars` bars each."""
        bars = bars or self._view.bars
        if bars not in self._known:
            if 1 not in self._known:
                data = self._data
                self._known[1] = candles_of(data.bars, data.interval, data.days)
            self._known[bars] = self._known[1].merged(bars)
        return self._known[bars]

    def _frame(self, width: int, height: int) -> Frame:
        return Frame.of(self._data, self._candles(), self._view, width, height)

    def _draw(self) -> None:
        """Make the picture, and have the lines drawn that differ from those of before."""
        width, height = self.size
        if width < 1 or height < 1:
            return
        frame = self._frame(width, height)
        drawn(frame)
        self._panes_width = frame.panes.width
        canvas, keys = frame.canvas, frame.canvas.keys()
        before, old = self._canvas, self._keys
        self._canvas, self._keys = canvas, keys
        if before is None or before.sign.shape != canvas.sign.shape or not self._strips:
            self._strips = [canvas.strip(y, keys, self._styles) for y in range(height)]
            self.refresh()
            return
        changed = np.flatnonzero(((before.sign != canvas.sign) | (old != keys)).any(axis=1))
        for y in changed.tolist():
            self._strips[y] = canvas.strip(y, keys, self._styles)
        if len(changed):
            self.refresh(*(Region(0, y, width, 1) for y in changed.tolist()))

    def _style(self, key: int) -> Style:
        """Return the style of a key of the canvas."""
        look, shaded = look_of(key)
        style = self.get_component_rich_style(_class_of(look))
        if shaded and look < Look.TAG:
            ground = self.get_component_rich_style("chart--session").bgcolor
            style += Style(bgcolor=ground)
        return style

    # --- Textual ------------------------------------------------------------------------------

    def on_resize(self) -> None:
        if not self._zoomed:
            self._view = replace(self._view, zoom=zoom_for(self.size.width))
        self._draw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()
        self._strips = []

    def render_line(self, y: int) -> Strip:
        if not self._strips:
            self._draw()
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self.rich_style)

    def on_click(self, event: events.Click) -> None:
        if event.x < self._panes_width:
            width = self._panes_width
            self._look(crossing(self._candles(), self._view, width, event.x))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, -1)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        event.stop()
        self.pan(-1)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        event.stop()
        self.pan(1)

    def _wheel(self, event: events.MouseEvent, step: int) -> None:
        event.stop()
        if event.shift or event.ctrl:
            self.pan(-step)
        else:
            self.zoom(step, event.x)
