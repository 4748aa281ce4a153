"""One-minute bars in one form, so that two sides can be held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from stockscan_tui.market.batch import BarBatch

Bars = NDArray[np.int64]
"""A row a bar, by instrument id and minute: id, minute since 1970, open, high, low, close (1e-9
dollars), volume, trades."""

NAMES = ("open", "high", "low", "close", "volume", "trades")


def bars_of(number: Any, minute: Any, columns: Mapping[str, Any]) -> Bars:
    """Return columns as bars."""
    arrays = [np.asarray(column, np.int64) for column in (number, minute)]
    arrays += [np.asarray(columns[name], np.int64) for name in NAMES]
    table = np.stack(arrays, axis=1)
    ordered: Bars = table[np.lexsort((table[:, 1], table[:, 0]))]
    return ordered


def of_batches(batches: Sequence[BarBatch], numbers: Sequence[int]) -> Bars:
    """Return the bars that the compiled path made; `numbers` are the ids by slot."""
    columns = {
        name: np.concatenate([getattr(batch, name) for batch in batches])
        for name in ("slot", "minute", *NAMES)
    }
    return bars_of(np.array(numbers)[columns["slot"]], columns["minute"], columns)


def of_dict(bars: Mapping[tuple[int, int], Sequence[int]]) -> Bars:
    """Return bars that a loop kept by id and minute."""
    table = np.array([(*key, *values) for key, values in bars.items()], np.int64)
    return bars_of(table[:, 0], table[:, 1], dict(zip(NAMES, table[:, 2:].T, strict=True)))


class BarDict:
    """One-minute bars and last quotes in dicts, as a Python program over records keeps them.

    Attributes:
        bars: By instrument id and minute: open, high, low, close, volume, trades.
        quotes: By instrument id: bid and ask.
    """

    def __init__(self) -> None:
        self.bars: dict[tuple[int, int], list[int]] = {}
        self.quotes: dict[int, tuple[int, int]] = {}

    def trade(self, key: tuple[int, int], price: int, size: int) -> None:
        """Let a trade count in its bar; one of no size is none."""
        if not size:
            return
        bar = self.bars.get(key)
        if bar is None:
            self.bars[key] = [price, price, price, price, size, 1]
            return
        bar[1], bar[2], bar[3] = max(bar[1], price), min(bar[2], price), price
        bar[4] += size
        bar[5] += 1
