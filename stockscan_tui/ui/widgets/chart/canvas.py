"""A grid of cells that is drawn upon with arrays, and the lines that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from stockscan_tui.market.text import printable

Signs = NDArray[np.uint32]
BLANK = ord(" ")
_GROUND_SHIFT = 6


class Look(IntEnum):
    """What a cell belongs to; each has its style. Those from TAG on bring their own background."""

    PLAIN = 0
    GRID = 1
    DIM = 2
    UP = 3
    DOWN = 4
    VOLUME_UP = 5
    VOLUME_DOWN = 6
    VWAP = 7
    EMA_9 = 8
    EMA_20 = 9
    EMA_50 = 10
    LEVEL = 11
    CROSS = 12
    ALERT = 13
    RSI = 14
    BOLD = 15
    GUIDE = 16
    TAG = 17
    TAG_UP = 18
    TAG_DOWN = 19


class Canvas:
    """Cells, all blank at first.

    Args:
        width: In cells.
        height: In lines.

    Attributes:
        sign: Code points of signs that are one cell wide, shape (height, width).
        look: `Look` numbers, same shape.
        shaded: Whether a cell lies on the background of the extended sessions, same shape.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.sign = np.full((height, width), BLANK, np.uint32)
        self.look = np.zeros((height, width), np.uint8)
        self.shaded = np.zeros((height, width), np.bool_)

    def write(self, row: int, column: int, text: str, look: Look) -> None:
        """Write text; what does not fit is cut off, and signs that are not one cell wide are ?."""
        if not 0 <= row < self.height:
            return
        skipped = max(0, -column)
        codes = codes_of(text)[skipped : max(self.width - column, 0)]
        left = max(column, 0)
        if len(codes):
            self.sign[row, left : left + len(codes)] = codes
            self.look[row, left : left + len(codes)] = look

    def area(self, top: int, height: int, left: int, width: int) -> tuple[Signs, NDArray[np.uint8]]:
        """Return the signs and the looks of a part, to be written to."""
        rows, columns = slice(top, top + height), slice(left, left + width)
        return self.sign[rows, columns], self.look[rows, columns]

    def keys(self) -> NDArray[np.uint8]:
        """Return a number per cell for its style; blanks differ by their background only."""
        blank = (self.sign == BLANK) & (self.look < Look.TAG)
        look = np.where(blank, 0, self.look)
        keys: NDArray[np.uint8] = look | (self.shaded.astype(np.uint8) << _GROUND_SHIFT)
        return keys

    def strip(self, row: int, keys: NDArray[np.uint8], styles: Mapping[int, Style]) -> Strip:
        """Return a line, given `keys()` and the style of each key."""
        text = self.sign[row].tobytes().decode("utf-32-le")
        line = keys[row]
        begins = np.flatnonzero(line[1:] != line[:-1]) + 1
        places = [0, *begins.tolist(), self.width]
        looks = [int(line[0]), *line[begins].tolist()]
        segments = [
            Segment(text[begin:end], styles[key])
            for begin, end, key in zip(places, places[1:], looks, strict=False)
        ]
        return Strip(segments, self.width)


def look_of(key: int) -> tuple[Look, bool]:
    """Return what a key stands for: the look, and whether the background is shaded."""
    return Look(key & ((1 << _GROUND_SHIFT) - 1)), bool(key >> _GROUND_SHIFT)


def codes_of(text: str) -> Signs:
    """Return the code points of text made harmless, each of one cell."""
    safe = printable(text)
    if not safe.isascii():
        safe = "".join(sign if cell_len(sign) == 1 else "?" for sign in safe)
    return np.frombuffer(safe.encode("utf-32-le"), np.uint32)
