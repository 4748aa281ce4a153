"""The parts of the picture inside its panes, from the background to what lies on top."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.ui.widgets.chart.candles import Floats, Integers
from stockscan_tui.ui.widgets.chart.canvas import BLANK, Look, Signs
from stockscan_tui.ui.widgets.chart.frame import Frame, Pane
from stockscan_tui.ui.widgets.chart.glyphs import (
    LINE_PARTS,
    Flags,
    candle_signs,
    column_signs,
    line_signs,
)
from stockscan_tui.ui.widgets.chart.scale import Scale

Looks = NDArray[np.uint8]
_RSI_GUIDES = (70.0, 30.0)
_EMA_LOOKS = (Look.EMA_9, Look.EMA_20, Look.EMA_50)
# Which cells across a line has: the slower the average, the thinner its line.
_PATTERNS = {Look.EMA_20: (1, 1, 1, 0), Look.EMA_50: (1, 0)}
_RULE, _DASH, _UPRIGHT, _UPRIGHT_OF_TWO, _MARK = (ord(sign) for sign in "┈╌┊▏◆")
_ABOVE, _BELOW = ord("▲"), ord("▼")


def draw_ground(frame: Frame) -> None:
    """Shade the extended sessions and draw the lines between days."""
    window, panes = frame.window, frame.panes
    columns = np.arange(window.left, window.right + 1)
    slots = frame.candles.slots
    bottom = panes.rsi.top + panes.rsi.rows
    shaded = np.repeat(slots.extended(columns), window.cells)[: panes.width - window.x]
    frame.canvas.shaded[panes.price.top : bottom, window.x : window.x + len(shaded)] = shaded
    firsts = slots.first[1:-1]
    for column in firsts[(firsts >= window.left) & (firsts <= window.right)].tolist():
        _draw_upright(frame, int(window.cell(np.array([column]))[0]), Look.GRID, ord("┊"))


def draw_rules(frame: Frame) -> None:
    """Draw a faint line at every labelled price."""
    for row, _ in frame.scale.ticks():
        _draw_across(frame, frame.panes.price.top + row, 0, _RULE, Look.GRID)


def draw_levels(frame: Frame) -> None:
    """Draw the previous close and the open across the last day."""
    slots, window = frame.candles.slots, frame.window
    today = int(slots.first[-2]) if slots.days else 0
    left = max(int(window.cell(np.array([today]))[0]), 0)
    for row in _levels(frame).values():
        if left < frame.panes.width:
            _draw_across(frame, row, left, _DASH, Look.LEVEL)


def draw_level_names(frame: Frame) -> None:
    """Name the levels at the first place of their lines that nothing covers."""
    for name, row in _levels(frame).items():
        word = f" {name} "
        line = frame.canvas.look[row, : frame.panes.width] == Look.LEVEL
        room = np.convolve(line, np.ones(len(word) + 2), "valid") if len(line) > 30 else line[:0]
        places = np.flatnonzero(room >= len(word) + 2)
        if len(places):
            frame.canvas.write(row, int(places[0]) + 1, word, Look.LEVEL)


def _levels(frame: Frame) -> dict[str, int]:
    """Return the lines on which levels in view stand, by name."""
    prices = {"prev": frame.data.prev_close, "open": frame.data.open}
    rows = {name: frame.scale.row(price) for name, price in prices.items()}
    return {name: frame.panes.price.top + row for name, row in rows.items() if row is not None}


def draw_cross(frame: Frame) -> None:
    """Draw the crosshair through the panes and at the close of its candle."""
    cell = frame.cross_cell
    if cell < 0:
        return
    sign = _UPRIGHT_OF_TWO if frame.window.cells == 2 else _UPRIGHT
    _draw_upright(frame, cell, Look.CROSS, sign)
    row = frame.scale.row(float(frame.candles.close[frame.crossed]))
    if row is not None:
        _draw_across(frame, frame.panes.price.top + row, 0, _DASH, Look.CROSS)


def draw_candles(frame: Frame) -> None:
    """Draw the candles in view, and the last price's way to the axis."""
    c, seen, pane = frame.candles, frame.seen, frame.panes.price
    row = frame.scale.row(frame.last)
    up = rising(frame)
    if row is not None and frame.view.end is None:
        after = int(frame.window.cell(np.array([c.newest + 1]))[0])
        look = Look.DOWN if frame.falling else Look.UP
        _draw_across(frame, pane.top + row, max(after, 0), _RULE, look)
    half = frame.scale
    places = (
        half.parts(c.open[seen], 2),
        half.parts(c.high[seen], 2),
        half.parts(c.low[seen], 2),
        half.parts(c.close[seen], 2),
    )
    signs, solid = candle_signs(places, up, pane.rows, frame.window.cells)
    _put(frame, pane, signs, np.where(up, Look.UP, Look.DOWN), solid)
    _point_beyond(frame, pane)


def _point_beyond(frame: Frame, pane: Pane) -> None:
    """Point to what lies beyond the scale: prints far off."""
    c, seen, scale = frame.candles, frame.seen, frame.scale
    for row, sign, beyond in (
        (0, _ABOVE, c.high[seen] > scale.high),
        (pane.rows - 1, _BELOW, c.low[seen] < scale.low),
    ):
        for column in c.at[seen][beyond].tolist():
            cell = frame.window.middle(column)
            if pane.rows > 1 and 0 <= cell < frame.panes.width:
                frame.canvas.sign[pane.top + row, cell] = sign


def draw_lines(frame: Frame) -> None:
    """Draw vwap and averages behind the candles' bodies and before their wicks."""
    c, pane = frame.candles, frame.panes.price
    near = slice(max(frame.seen.start - 1, 0), frame.seen.stop + 1)
    signs = np.zeros((pane.rows, frame.panes.width), np.uint32)
    looks = np.zeros(signs.shape, np.uint8)
    for look, values in zip(reversed(_EMA_LOOKS), c.ema[::-1, near], strict=True):
        _lay_upon(signs, looks, _line(frame, near, values, frame.scale, look), look)
    group, average = c.group[near], c.vwap[near]
    for number in sorted(set(group.tolist())):
        mine = np.where(group == number, average, np.nan)
        _lay_upon(signs, looks, _line(frame, near, mine, frame.scale, Look.VWAP), Look.VWAP)
    _put_line(frame, pane, signs, looks)


def draw_marks(frame: Frame) -> None:
    """Mark the candles at which alerts fired, above them where there is room."""
    c, pane = frame.candles, frame.panes.price
    for place in sorted(alerts_by_candle(frame)):
        if not frame.seen.start <= place < frame.seen.stop:
            continue
        prices = np.array([c.high[place], c.low[place]])
        high, low = frame.scale.parts(prices, 1).tolist()
        row = high - 1 if high > 0 else low + 1
        cell = frame.window.middle(int(c.at[place]))
        if 0 <= row < pane.rows and cell < frame.panes.width:
            frame.canvas.sign[pane.top + row, cell] = _MARK
            frame.canvas.look[pane.top + row, cell] = Look.ALERT


def draw_volume(frame: Frame) -> None:
    """Draw the volume of each candle as a column."""
    pane = frame.panes.volume
    volume = frame.candles.volume[frame.seen]
    if not pane.rows or not len(volume):
        return
    signs = column_signs(volume / max(float(volume.max()), 1.0), pane.rows, frame.window.cells)
    looks = np.where(rising(frame), Look.VOLUME_UP, Look.VOLUME_DOWN)
    _put(frame, pane, signs, looks, signs > 0)


def draw_rsi(frame: Frame) -> None:
    """Draw the relative strength index between its guides."""
    pane = frame.panes.rsi
    if not pane.rows:
        return
    scale = Scale(0.0, 100.0, pane.rows, 10.0)
    for guide in _RSI_GUIDES:
        row = scale.row(guide)
        if row is not None:
            _draw_across(frame, pane.top + row, 0, _RULE, Look.GUIDE)
    near = slice(max(frame.seen.start - 1, 0), frame.seen.stop + 1)
    signs = _line(frame, near, frame.candles.rsi[near], scale, Look.RSI)
    _put_line(frame, pane, signs, np.full(signs.shape, Look.RSI, np.uint8))


def rising(frame: Frame) -> Flags:
    """Return which candles in view closed no lower than they opened."""
    flags: Flags = frame.candles.close[frame.seen] >= frame.candles.open[frame.seen]
    return flags


def alerts_by_candle(frame: Frame) -> dict[int, tuple[str, ...]]:
    """Return the names of the rules that fired, by the candle in whose time they did."""
    alerts = frame.data.alerts
    c = frame.candles
    if not alerts or not len(c):
        return {}
    columns = c.slots.place(np.array([alert.ts_ns // MINUTE_NS for alert in alerts]))
    fired: dict[int, tuple[str, ...]] = {}
    for alert, column in zip(alerts, columns.tolist(), strict=True):
        place = c.nearest(column)
        if column >= 0 and abs(int(c.at[place]) - column) <= 1:
            fired[place] = (*fired.get(place, ()), alert.rule)
    return fired


def _put(frame: Frame, pane: Pane, signs: Signs, looks: Integers, solid: Flags) -> None:
    """Put signs of shape (cells, rows, candles) on the columns of the candles in view."""
    if not signs.shape[2] or not pane.rows:
        return
    first = frame.window.cell(frame.candles.at[frame.seen])
    rows = slice(pane.top, pane.top + pane.rows)
    for offset in range(len(signs)):
        cells = first + offset
        inside = cells < frame.panes.width
        cells, mine = cells[inside], signs[offset][:, inside]
        drawn = mine > 0
        sign, look = frame.canvas.sign[rows], frame.canvas.look[rows]
        sign[:, cells] = np.where(drawn, mine, sign[:, cells])
        look[:, cells] = np.where(drawn, looks[inside], look[:, cells])
        frame.taken[rows][:, cells] |= solid[offset][:, inside]


def _line(frame: Frame, near: slice, values: Floats, scale: Scale, look: Look) -> Signs:
    """Return a line through candles, shape (rows, width), 0 for nothing; NaN are passed over."""
    known = np.isfinite(values)
    cells = frame.window.cells
    x: Floats = frame.window.cell(frame.candles.at[near][known]) + np.float64((cells - 1) / 2)
    share = (scale.high - values[known]) / (scale.high - scale.low)
    signs = line_signs(x, share * (scale.rows * LINE_PARTS), frame.panes.width, scale.rows)
    pattern = _PATTERNS.get(look)
    if pattern:
        signs *= np.resize(np.array(pattern, np.uint32), frame.panes.width)
    return signs


def _lay_upon(signs: Signs, looks: Looks, line: Signs, look: Look) -> None:
    drawn = line > 0
    signs[drawn] = line[drawn]
    looks[drawn] = look


def _put_line(frame: Frame, pane: Pane, line: Signs, looks: Looks) -> None:
    signs, styles = frame.canvas.area(pane.top, pane.rows, 0, frame.panes.width)
    free = (line > 0) & ~frame.taken[pane.top : pane.top + pane.rows, : frame.panes.width]
    signs[free] = line[free]
    styles[free] = looks[free]


def _draw_across(frame: Frame, row: int, left: int, sign: int, look: Look) -> None:
    """Draw a line across the panes where nothing stands yet but a fainter one."""
    signs, looks = frame.canvas.area(row, 1, left, frame.panes.width - left)
    free = (signs == BLANK) | (looks == Look.GRID)
    signs[free] = sign
    looks[free] = look


def _draw_upright(frame: Frame, cell: int, look: Look, sign: int) -> None:
    panes = frame.panes
    bottom = panes.rsi.top + panes.rsi.rows
    if 0 <= cell < panes.width:
        frame.canvas.sign[panes.price.top : bottom, cell] = sign
        frame.canvas.look[panes.price.top : bottom, cell] = look
