"""Bars a minute as a chart of block elements, with what is usual drawn over it."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np

from stockscan_tui.market.vitals import Floats, Pace
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.health.drawn import Piece, Pieces

_EIGHTHS = np.array([*" ▁▂▃▄▅▆▇█"])
_AXIS_CELLS = 7
USUAL_ABOVE, USUAL_WITHIN = "╌", "▒"


@lru_cache(maxsize=8)
def pace_chart(pace: Pace, width: int, rows: int) -> tuple[Pieces, ...]:
    """Return the lines of the chart: one column a minute, the newest at the right.

    What is usual is a broken line above a column that falls short of it, and a lighter cell within
    one that is higher, so that both can be told without colour.

    Args:
        pace: The bars of the last minutes.
        width: Cells.
        rows: Lines of columns; the times stand in one more below them.
    """
    room = max(width - _AXIS_CELLS, 1)
    bars, usual = pace.bars[-room:].astype(np.float64), pace.usual[-room:]
    if not len(bars):
        return ((("  no minute of a session is over yet", "dim"),),)
    top = max(float(bars.max()), float(np.nan_to_num(usual).max()), 1.0)
    lines = []
    for row in range(rows):
        floor = rows - 1 - row
        label = fmt.count(top) if row == 0 else "0" if floor == 0 else ""
        line: list[Piece] = [(f"{label:>{_AXIS_CELLS - 1}} ", "dim")]
        lines.append((*line, *_row(bars / top * rows, usual / top * rows, floor)))
    first, last = int(pace.minute[-len(bars)]), int(pace.minute[-1])
    times = fmt.minute(first) + fmt.minute(last).rjust(max(len(bars) - 5, 6))
    return (*lines, ((" " * _AXIS_CELLS + times, "dim"),))


def _row(heights: Floats, usual: Floats, floor: int) -> list[Piece]:
    """Return one line of the columns; heights are in lines, `floor` is the line's from below."""
    filled = np.rint(np.clip(heights - floor, 0.0, 1.0) * 8).astype(np.int64)
    known = np.isfinite(usual)
    at_usual = known & (np.maximum(np.ceil(np.where(known, usual, -1.0)) - 1, 0) == floor)
    above, within = at_usual & (filled == 0), at_usual & (filled == 8)
    signs = _EIGHTHS[filled]
    signs[above], signs[within] = USUAL_ABOVE, USUAL_WITHIN
    turned = above | within
    edges = np.flatnonzero(np.diff(turned)) + 1
    starts = [0, *edges.tolist(), len(signs)]
    return [
        ("".join(signs[start:end].tolist()), "usual" if turned[start] else "bar")
        for start, end in pairwise(starts)
    ]
