"""The last trades of the symbol, newest first."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from rich.segment import Segment
from rich.style import Style

from stockscan_tui.market.calendar import new_york_time
from stockscan_tui.market.snapshot import MOST_PRINTS, Prints
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.symbol.listing import Listing, Palette

_SIDES = {1: "▲ buy", -1: "▼ sell", 0: "·"}


class PrintList(Listing):
    """Time, price, size and side; coloured by side, else by the price of the print before."""

    def __init__(self) -> None:
        super().__init__(f"last {MOST_PRINTS} trades", id="prints")
        self._prints: Prints | None = None
        self._ticks = np.zeros(0)
        self._since_ns = 0

    def show(self, prints: Prints | None, since_ns: int) -> None:
        """Take the symbol's prints, None for none, and the instant from which they are kept."""
        if prints is not self._prints or since_ns != self._since_ns:
            self._prints, self._since_ns = prints, since_ns
            self._ticks = _ticks(prints) if prints is not None else np.zeros(0)
            self.renew()

    @property
    def count(self) -> int:
        return len(self._prints.ts_ns) if self._prints is not None else 0

    @property
    def note(self) -> str:
        return f"none since {fmt.clock(self._since_ns)}: kept from there" if self._since_ns else ""

    def head(self, palette: Palette) -> list[Segment]:
        return [Segment(f" {'TIME':<12}{'PRICE':>10}{'SIZE':>7} SIDE", palette.head)]

    def row(self, place: int, base: Style, palette: Palette) -> list[Segment]:
        prints = self._prints
        if prints is None:
            return []
        at = self.count - 1 - place
        side = int(prints.side[at])
        style = palette.by(side or float(self._ticks[at]))
        said = palette.by(side) if side else palette.dim
        when = new_york_time(int(prints.ts_ns[at]))
        stamp = f"{when:%H:%M:%S}.{when.microsecond // 1000:03}"
        return [
            Segment(f" {stamp}", base + palette.dim),
            Segment(fmt.price(float(prints.price[at])).rjust(10), base + style),
            Segment(f"{int(prints.size[at]):,}".rjust(7), base),
            Segment(f" {_SIDES[side][: self.size.width - 30]}", base + said),
        ]

    def key_of(self, place: int) -> Hashable:
        prints = self._prints
        if prints is None:
            return None
        at = self.count - 1 - place
        return int(prints.ts_ns[at]), float(prints.price[at]), int(prints.size[at])

    def place_of(self, key: Hashable) -> int | None:
        return next((at for at in range(self.count) if self.key_of(at) == key), None)


def _ticks(prints: Prints) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return for each print whether it went up or down from the one of another price before it."""
    if not len(prints.price):
        return np.zeros(0)
    steps = np.sign(np.diff(prints.price, prepend=prints.price[0]))
    last = np.maximum.accumulate(np.where(steps != 0, np.arange(len(steps)), 0))
    moved: np.ndarray[tuple[int], np.dtype[np.float64]] = steps[last]
    return moved
