"""The symbol's bars as a table: sorted by any column, copied, exported."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style

from stockscan_tui.market.batch import BarSource
from stockscan_tui.market.calendar import MINUTE_NS, new_york_time
from stockscan_tui.market.symbol_bars import Floats, Integers, SymbolBars
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.symbol.listing import Listing, Palette

_SOURCES = {BarSource.TRADES: "trades", BarSource.OHLCV: "ohlcv", BarSource.BACKFILL: "backfill"}
# What is there when nothing was chosen, and what gives way first where it is narrow.
FIRST_COLUMN = "time"
_YIELDING = ("source", "trades", "vwap", "change", "volume", "open", "low", "high")
_PRICES = frozenset({"open", "high", "low", "close", "vwap"})
NARROW = 64


@dataclass(frozen=True, slots=True)
class BarColumn:
    """A column: its name and head, its cells' width, and how one value is written."""

    name: str
    head: str
    width: int
    written: Callable[[float], str]


def _time(minute: float) -> str:
    return f"{new_york_time(int(minute) * MINUTE_NS):%d %b %H:%M}"


def _short_time(minute: float) -> str:
    return f"{new_york_time(int(minute) * MINUTE_NS):%d %H:%M}"


def _source(code: float) -> str:
    return _SOURCES[BarSource(int(code))]


COLUMNS = (
    BarColumn("time", "TIME", 13, _time),
    BarColumn("open", "OPEN", 9, fmt.price),
    BarColumn("high", "HIGH", 9, fmt.price),
    BarColumn("low", "LOW", 9, fmt.price),
    BarColumn("close", "CLOSE", 9, fmt.price),
    BarColumn("change", "CHG%", 8, fmt.percent),
    BarColumn("volume", "VOL", 8, fmt.count),
    BarColumn("trades", "TRD", 7, fmt.whole),
    BarColumn("vwap", "VWAP", 9, fmt.price),
    BarColumn("source", "SOURCE", 10, _source),
)


def columns_for(width: int, highest: float) -> list[BarColumn]:
    """Return the columns that so many cells have room for.

    Args:
        width: Cells.
        highest: The greatest price, which the columns of prices are made for; NaN for none.
    """
    wide = len(fmt.price(highest)) + 1
    shown = [
        replace(column, width=max(column.width, wide)) if column.name in _PRICES else column
        for column in COLUMNS
    ]
    if width < NARROW:
        shown[0] = replace(shown[0], width=9, written=_short_time)
    for name in _YIELDING:
        if sum(column.width for column in shown) + 1 <= width:
            break
        shown = [column for column in shown if column.name != name]
    return shown


class BarTable(Listing):
    """One bar a line, newest first unless sorted by something else."""

    def __init__(self) -> None:
        super().__init__("bars", id="table")
        self._minutes = self._bars = SymbolBars.none()
        self._interval = 1
        self._values = values_of_bars(self._bars)
        self._order: Integers = np.zeros(0, np.int64)
        self._columns: list[BarColumn] = []
        self.sorted_by = FIRST_COLUMN
        self.ascending = False
        self.reading = True

    def show(self, bars: SymbolBars, interval: int, *, reading: bool) -> None:
        """Take minute bars, oldest first, to be shown in intervals of so many minutes.

        `reading` says that earlier ones are to come.
        """
        self.reading = reading
        if bars is self._minutes and interval == self._interval:
            return
        self._minutes, self._interval = bars, interval
        self._bars = bars.folded(interval)
        self._values = values_of_bars(self._bars)
        self._fit()
        self.border_title = f"bars of {interval} min" if interval > 1 else "bars"
        self._sort()

    @property
    def bars(self) -> SymbolBars:
        """The bars that are shown, oldest first."""
        return self._bars

    def _fit(self) -> None:
        highest = float(self._bars.high.max()) if len(self._bars) else np.nan
        self._columns = columns_for(self.size.width, highest)

    def on_resize(self) -> None:
        self._fit()

    def _sort(self) -> None:
        values = self._values[self.sorted_by]
        order = np.argsort(values if self.ascending else -values, kind="stable")
        self._order = order.astype(np.int64)
        self.renew()

    def sort_next(self) -> None:
        """Sort by the next column that is shown, largest first."""
        names = [column.name for column in self._columns or COLUMNS]
        at = names.index(self.sorted_by) if self.sorted_by in names else -1
        self._sort_by(names[(at + 1) % len(names)], ascending=False)

    def turn(self) -> None:
        """Turn the order round."""
        self._sort_by(self.sorted_by, ascending=not self.ascending)

    def _sort_by(self, name: str, *, ascending: bool) -> None:
        self.sorted_by, self.ascending = name, ascending
        self._sort()

    def exported(self) -> Mapping[str, Sequence[str] | NDArray[Any]]:
        """Return all columns in the order that is shown; `ts` is UTC, as in the database."""
        order, bars = self._order, self._bars
        # NumPy's instants without a zone are taken for UTC.
        table: dict[str, Sequence[str] | NDArray[Any]] = {
            "ts": (bars.minute[order] * 60).astype("datetime64[s]").astype("datetime64[us]")
        }
        for name in ("open", "high", "low", "close", "volume", "vwap"):
            source = self._values if name == "vwap" else None
            table[name] = (source[name] if source is not None else getattr(bars, name))[order]
        table["trades"] = self._values["trades"][order]
        table["change_pct"] = self._values["change"][order]
        table["source"] = [_SOURCES[BarSource(code)] for code in bars.source[order].tolist()]
        return table

    # --- lines --------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        return len(self._order)

    @property
    def note(self) -> str:
        return "reading …" if self.reading else "no bar of this symbol yet"

    def head(self, palette: Palette) -> list[Segment]:
        segments = []
        for column in self._columns:
            chosen = column.name == self.sorted_by
            arrow = ("▲" if self.ascending else "▼") if chosen else ""
            style = palette.sorted_head if chosen else palette.head
            segments.append(Segment(f"{arrow}{column.head}".rjust(column.width), style))
        return segments

    def row(self, place: int, base: Style, palette: Palette) -> list[Segment]:
        at = int(self._order[place])
        direction = float(self._bars.close[at] - self._bars.open[at])
        segments = []
        for column in self._columns:
            value = float(self._values[column.name][at])
            style = palette.dim
            if column.name in ("open", "high", "low", "close"):
                style = palette.by(direction)
            elif column.name == "change":
                style = palette.by(value)
            elif column.name == "volume":
                style = Style.null()
            segments.append(Segment(column.written(value).rjust(column.width), base + style))
        return segments

    def key_of(self, place: int) -> Hashable:
        return int(self._bars.minute[self._order[place]])

    def place_of(self, key: Hashable) -> int | None:
        found = np.flatnonzero(self._bars.minute[self._order] == key)
        return int(found[0]) if len(found) else None

    def clicked(self, x: int, y: int) -> None:
        if y >= self.HEAD:
            super().clicked(x, y)
            return
        right = 0
        for column in self._columns:
            right += column.width
            if x < right:
                again = column.name == self.sorted_by
                self._sort_by(column.name, ascending=again and not self.ascending)
                return


def values_of_bars(bars: SymbolBars) -> dict[str, Floats]:
    """Return a column of numbers by name; NaN where a bar does not tell it.

    `change` is the close against the close of the bar before, in percent.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        vwap = np.where(bars.volume > 0, bars.notional / bars.volume, np.nan)
        before = np.concatenate([[np.nan], bars.close[:-1]])[: len(bars)]
        change = (bars.close - before) * 100.0 / np.where(before > 0, before, np.nan)
    return {
        "time": bars.minute.astype(np.float64),
        "open": bars.open,
        "high": bars.high,
        "low": bars.low,
        "close": bars.close,
        "change": change,
        "volume": bars.volume.astype(np.float64),
        "trades": np.where(bars.trades >= 0, bars.trades, np.nan).astype(np.float64),
        "vwap": vwap,
        "source": bars.source.astype(np.float64),
    }
