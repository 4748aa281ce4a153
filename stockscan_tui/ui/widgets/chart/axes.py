"""The axes: round prices and times, and the tags of the last price and of the crosshair."""

from __future__ import annotations

import numpy as np

from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.chart.canvas import Look
from stockscan_tui.ui.widgets.chart.frame import Frame

_CLOCK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 240)
# Cells from one time to the next.
_CLOCK_CELLS = 10
_GAP = 2


def draw_price_axis(frame: Frame) -> None:
    """Write round prices at the right, then levels, the last price and that of the crosshair."""
    panes, scale = frame.panes, frame.scale
    if not panes.axis:
        return

    def label(price: float, look: Look) -> None:
        row = scale.row(price)
        if row is not None:
            text = f"{scale.label(price)} ".rjust(panes.axis)
            frame.canvas.write(panes.price.top + row, panes.width, text, look)

    for _, price in scale.ticks():
        label(price, Look.DIM)
    label(frame.data.prev_close, Look.LEVEL)
    label(frame.data.open, Look.LEVEL)
    label(frame.last, Look.TAG_DOWN if frame.falling else Look.TAG_UP)
    if frame.cross_cell >= 0:
        label(float(frame.candles.close[frame.crossed]), Look.TAG)


def draw_lower_axes(frame: Frame) -> None:
    """Write what the tops of the volume and the guides of the index stand for."""
    panes = frame.panes
    volume = frame.candles.volume[frame.seen]
    if panes.axis and panes.volume.rows and len(volume):
        text = f"{fmt.count(float(volume.max()))} ".rjust(panes.axis)
        frame.canvas.write(panes.volume.top, panes.width, text, Look.DIM)
    if panes.axis and panes.rsi.rows:
        for value in (70, 30):
            row = panes.rsi.top + int((100 - value) / 100 * panes.rsi.rows)
            frame.canvas.write(row, panes.width, f"{value} ".rjust(panes.axis), Look.DIM)


def draw_clock(frame: Frame) -> None:
    """Write dates where days begin and round times between them, and the crosshair's own time."""
    panes, candles = frame.panes, frame.candles
    if not panes.clock or not len(candles):
        return
    row = frame.canvas.height - 1
    taken = np.zeros(panes.width + 1, np.bool_)
    cell = frame.cross_cell
    if cell >= 0:
        text = f" {fmt.minute(int(candles.minute[frame.crossed]))} "
        left = min(max(cell - len(text) // 2, 0), max(panes.width - len(text), 0))
        frame.canvas.write(row, left, text, Look.TAG)
        taken[left : left + len(text)] = True
    for cell, text in _dates(frame):
        _write_free(frame, row, cell, text, Look.BOLD, taken)
    for cell, text in _times(frame):
        _write_free(frame, row, cell - len(text) // 2, text, Look.DIM, taken)


def _dates(frame: Frame) -> list[tuple[int, str]]:
    """Return the cells at which days begin and their dates; the first stands at the left edge."""
    slots, window = frame.candles.slots, frame.window
    left = max(window.left, 0)
    first = int(slots.day(np.array([left]))[0])
    found = [(max(int(window.cell(np.array([left]))[0]), 0), slots.days[first].pre_ns)]
    for day in range(first + 1, len(slots.days)):
        column = int(slots.first[day])
        if column <= window.right:
            found.append((int(window.cell(np.array([column]))[0]), slots.days[day].pre_ns))
    dates = [(cell, fmt.day(ns)) for cell, ns in found]
    if len(dates) > 1 and dates[1][0] - dates[0][0] < len(dates[0][1]) + _GAP:
        dates = dates[1:]
    return dates


def _times(frame: Frame) -> list[tuple[int, str]]:
    """Return the middle cells of columns that begin at round times, and the times."""
    slots, window = frame.candles.slots, frame.window
    apart = _CLOCK_CELLS / window.cells * slots.step
    step = next((step for step in _CLOCK_STEPS if step >= apart), 0)
    if not step:
        return []
    columns = np.arange(max(window.left, 0), min(window.right + 1, slots.count))
    clock = slots.clock(columns)
    whole = (clock - 1) // step < (clock - 1 + slots.step) // step
    return [
        (window.middle(column), f"{minute // 60:02}:{minute % 60:02}")
        for column, minute in zip(columns[whole].tolist(), clock[whole].tolist(), strict=True)
    ]


def _write_free(
    frame: Frame, row: int, left: int, text: str, look: Look, taken: np.ndarray
) -> None:
    """Write text where it fits without touching another, and remember its cells."""
    right = left + len(text)
    if left < 0 or right > frame.panes.width or taken[max(left - 1, 0) : right + 1].any():
        return
    taken[left : right + _GAP - 1] = True
    frame.canvas.write(row, left, text, look)
