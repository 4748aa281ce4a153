"""Shapes made of cells: candles, columns of volume, and lines.

A rising candle is hollow and a falling one filled, so that they differ without colour too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.ui.widgets.chart.canvas import BLANK, Signs, codes_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

# By the upper and the lower half of a cell, each 0 for nothing, 1 for the wick, 2 for the body.
_SLIM_FILLED = codes_of(" ╷╻╵│╽╹╿┃")
_SLIM_HOLLOW = codes_of(" ╷╻╵│╽╹╿║")
# The same for filled candles of two and three cells: one string for each cell.
_FILLED = {
    2: [codes_of("  ▗  ▗▝▝▐"), codes_of("  ▖ ▏▖▘▘▌")],
    3: [codes_of("  ▗  ▗▝▝▐"), codes_of(" ╷▄╵│▄▀▀█"), codes_of("  ▖  ▖▘▘▌")],
}
_EIGHTHS = codes_of(" ▁▂▃▄▅▆▇█")
_COLUMN = {
    2: [codes_of(" ▗▐"), codes_of(" ▖▌")],
    3: [codes_of(" ▗▐"), codes_of(" ▄█"), codes_of(" ▖▌")],
}
_LINES = codes_of("▔─▁")
_UPRIGHT = ord("│")
LINE_PARTS = len(_LINES)
_FAR = 1 << 20


def candle_signs(
    half: tuple[Integers, Integers, Integers, Integers], rising: Flags, rows: int, cells: int
) -> tuple[Signs, Flags]:
    """Return the signs of candles, and which cells nothing else may be drawn upon.

    Args:
        half: The half rows of open, high, low and close from the top, shape (candles,) each.
        rising: Which are hollow.
        rows: The pane's height in cells.
        cells: Cells of a candle: 1, 2 or 3.

    Returns:
        Both of shape (cells, rows, candles); 0 where a candle has nothing.
    """
    opened, high, low, closed = half
    top, bottom = np.minimum(opened, closed), np.maximum(opened, closed)
    if cells > 1:
        # A body that a wick goes on from fills its cells, so that both meet.
        top = np.where(high < top, top // 2 * 2, top)
        bottom = np.where(low > bottom, bottom // 2 * 2 + 1, bottom)
    if cells == 2:
        # There is no sign for half of a wick between two cells.
        high, low = high // 2 * 2, low // 2 * 2 + 1
    y = np.arange(2 * rows)[:, None]
    state = ((y >= high) & (y <= low)).astype(np.int64) + ((y >= top) & (y <= bottom))
    code = state[0::2] * 3 + state[1::2]
    drawn = code > 0
    if cells == 1:
        signs = np.where(rising, _SLIM_HOLLOW[code], _SLIM_FILLED[code])[None]
        row = np.arange(rows)[:, None]
        inner = (code == 4) & (row != high // 2) & (row != low // 2)
        return np.where(drawn, signs, 0).astype(np.uint32), (drawn & ~inner)[None]
    signs = np.stack([table[code] for table in _FILLED[cells]])
    if rising.any():
        signs[:, :, rising] = _hollow(code[:, rising], top[rising] // 2, bottom[rising] // 2, cells)
    solid = np.broadcast_to(code >= 2, signs.shape) & (code != 3) & (code != 4)
    return np.where(solid | (signs != BLANK), signs, 0).astype(np.uint32), solid


def _hollow(code: Integers, top: Integers, bottom: Integers, cells: int) -> Signs:
    """Return the signs of rising candles, whose bodies go from row `top` to row `bottom`."""
    rows = len(code)
    row = np.arange(rows)[:, None]
    above = np.take_along_axis(code, np.clip(top - 1, 0, rows - 1)[None], 0)[0] > 0
    below = np.take_along_axis(code, np.clip(bottom + 1, 0, rows - 1)[None], 0)[0] > 0
    above, below = above & (top > 0), below & (bottom < rows - 1)
    wick = code > 0
    place = np.select(
        [(row == top) & (row == bottom), row == top, row == bottom, (row > top) & (row < bottom)],
        [1, 2, 3, 4],
        np.where(wick, 5, 0),
    )
    if cells == 2:
        return np.stack([codes_of(" ╶┌└│ ")[place], codes_of(" ╴┐┘│▏")[place]])
    joined = above + 2 * below
    middle = np.select(
        [place == 1, place == 2, place == 3, place == 5],
        [codes_of("─┴┬┼")[joined] + 0 * row, codes_of("─┴─┴")[joined] + 0 * row,
         codes_of("──┬┬")[joined] + 0 * row, codes_of(" ╷ ╵│")[np.minimum(code, 4)]],
        BLANK,
    )  # fmt: skip
    return np.stack([codes_of(" ╶┌└│ ")[place], middle, codes_of(" ╴┐┘│ ")[place]])


def column_signs(share: Floats, rows: int, cells: int) -> Signs:
    """Return columns that stand on the pane's bottom, shape (cells, rows, columns); 0 for nothing.

    Args:
        share: Each column's height, 0 to 1; what is above 0 is seen.
        rows: The pane's height in cells.
        cells: Cells of a column: 1, 2 or 3.
    """
    parts = 8 if cells == 1 else 2
    steps = np.ceil(np.clip(share, 0.0, 1.0) * rows * parts).astype(np.int64)
    level = np.arange(rows - 1, -1, -1)[:, None] * parts
    filled = np.clip(steps - level, 0, parts)
    tables = [_EIGHTHS] if cells == 1 else _COLUMN[cells]
    signs = np.stack([table[filled] for table in tables])
    return np.where(filled > 0, signs, 0).astype(np.uint32)


def line_signs(x: Floats, y: Floats, width: int, rows: int) -> Signs:
    """Return a line through points, shape (rows, width): 0 where it does not go.

    A cell has three heights: its top, middle and bottom. Every terminal's font has signs for them,
    as it has not for the eight dots of braille. Where the line goes up or down by more than a cell
    from one column to the next, the cells between are joined.

    Args:
        x: The points' places in cells, ascending.
        y: Their places from the top in `LINE_PARTS` of a cell; none is NaN.
        width: The pane's width in cells.
        rows: Its height.
    """
    signs = np.zeros((rows, width), np.uint32)
    left = max(int(np.ceil(x[0])), 0) if len(x) else 0
    right = min(int(np.floor(x[-1])), width - 1) if len(x) else -1
    if right < left:
        return signs
    across = np.arange(left, right + 1)
    down = np.floor(np.clip(np.interp(across, x, y), -_FAR, _FAR)).astype(np.int64)
    row = down // LINE_PARTS
    before = np.append(row[:1], row[:-1])
    # The cells between a column's height and the one before stand in its own column.
    top = (np.minimum(row, before) + 1).clip(0, rows)
    count = (np.maximum(row, before).clip(0, rows) - top).clip(0)
    begun = np.repeat(np.cumsum(count) - count - top, count)
    signs[np.arange(int(count.sum())) - begun, np.repeat(across, count)] = _UPRIGHT
    inside = (row >= 0) & (row < rows)
    signs[row[inside], across[inside]] = _LINES[down[inside] % LINE_PARTS]
    return signs
