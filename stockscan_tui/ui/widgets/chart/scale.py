"""Which values a pane spans, where they stand in it, and the round ones among them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.ui import format as fmt

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# Rows between two labels of an axis.
_ROWS_A_TICK = 4
_FAR = 1 << 20


@dataclass(frozen=True, slots=True)
class Scale:
    """The values between a pane's bottom and its top.

    Attributes:
        low, high: What the pane's edges stand for; `high` is the greater one.
        rows: The pane's height in cells.
        step: Between round values.
    """

    low: float
    high: float
    rows: int
    step: float

    @classmethod
    def over(cls, low: float, high: float, rows: int) -> Scale:
        """Return the scale of prices from `low` to `high`, with a little room above and below."""
        least = 0.01 if abs(high) >= 1.0 else 0.0001
        if not high - low > abs(high) * 1e-9:
            low, high = low - 2 * least, high + 2 * least
        room = (high - low) * 0.04
        low, high = low - room, high + room
        step = max(round_step((high - low) / max(rows / _ROWS_A_TICK, 1.0)), least)
        # The edges stand still while the newest bar grows within a part of a step.
        part = step / 5
        return cls(math.floor(low / part) * part, math.ceil(high / part) * part, rows, step)

    def parts(self, values: Floats, parts: int) -> Integers:
        """Return where values stand, in parts of a row from the top; outside of the pane too."""
        share = (self.high - values) / (self.high - self.low)
        with np.errstate(invalid="ignore"):
            places = np.floor(np.clip(share * (self.rows * parts), -_FAR, _FAR))
        return np.where(np.isfinite(places), places, -_FAR).astype(np.int64)

    def row(self, value: float) -> int | None:
        """Return the row of a value, None where it is outside of the pane."""
        share = (self.high - value) / (self.high - self.low)
        return int(share * self.rows) if 0.0 <= share < 1.0 else None

    def value(self, row: int) -> float:
        """Return the value in the middle of a row."""
        return self.high - (row + 0.5) / self.rows * (self.high - self.low)

    def ticks(self) -> list[tuple[int, float]]:
        """Return the rows of round values and the values, from the bottom up."""
        first, last = math.ceil(self.low / self.step), math.floor(self.high / self.step)
        places = [(self.row(n * self.step), n * self.step) for n in range(first, last + 1)]
        return [(row, value) for row, value in places if row is not None]

    def label(self, value: float) -> str:
        """Return a price in as many decimals as the highest one has."""
        return fmt.price(value) if abs(self.high) < 1.0 else f"{value:,.2f}"


def round_step(least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is not under `least`."""
    if not (math.isfinite(least) and least > 0.0):
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    for factor in (1.0, 2.0, 5.0):
        if factor * power >= least * (1 - 1e-9):
            return factor * power
    return 10.0 * power
