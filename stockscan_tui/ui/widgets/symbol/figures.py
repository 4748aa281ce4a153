"""The symbol's figures in words, in one column or, where they do not fit, in two."""

from __future__ import annotations

import math

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.scan.gating import GatePart
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.figures import (
    LABEL_CELLS,
    WINDOWS,
    Figure,
    all_figures,
    value_of,
    why_figures,
)
from stockscan_tui.ui.widgets.symbol.listing import Listing, Palette

COLUMN_CELLS = 34


class Figures(Listing):
    """One figure a line; y copies the one under the cursor."""

    HEAD = 0

    def __init__(self) -> None:
        super().__init__("figures", id="figures")
        self._figures: list[Figure] = []

    def show(self, snapshot: Snapshot, row: int | None, refused: tuple[GatePart, ...] = ()) -> None:
        """Take a new picture; None for a symbol that is not in it.

        Args:
            snapshot: The market.
            row: The symbol's row.
            refused: What of the board's gate it does not meet.
        """
        self._figures = []
        if row is not None:
            cells = min(self.size.width, COLUMN_CELLS) - 2
            self._figures = [
                *all_figures(snapshot, row),
                *why_figures(snapshot, row, refused, cells),
            ]
        self.renew()

    @property
    def _columns(self) -> int:
        short = len(self._figures) > self.size.height
        return 2 if short and self.size.width >= 2 * COLUMN_CELLS else 1

    @property
    def count(self) -> int:
        return -(-len(self._figures) // self._columns)

    def row(self, place: int, base: Style, palette: Palette) -> list[Segment]:
        found = self._figures[place :: self.count]
        width = COLUMN_CELLS if self._columns > 1 else self.size.width
        return [part for figure in found for part in _parts(figure, width, base, palette)]


def _parts(figure: Figure, width: int, base: Style, palette: Palette) -> list[Segment]:
    style = palette.by(figure.direction)
    if figure.faint:
        style = palette.dim
    elif figure.strong:
        style = palette.alarm
    label = f" {figure.label:<{LABEL_CELLS}}" if figure.label or figure.faint else " "
    text = fmt.fit(figure.text, max(width - len(label), 1))
    return [Segment(label, base + palette.dim), Segment(text, base + style)]


class Brief(Widget):
    """Two lines with what matters most, for where the figures have no panel of their own."""

    COMPONENT_CLASSES = {"brief--dim", "brief--up", "brief--down"}

    def __init__(self) -> None:
        super().__init__(id="brief")
        self._snapshot: Snapshot | None = None
        self._row: int | None = None

    def show(self, snapshot: Snapshot, row: int | None) -> None:
        """Take a new picture; None for a symbol that is not in it."""
        self._snapshot, self._row = snapshot, row
        self.refresh()

    def render(self) -> Text:
        s, row = self._snapshot, self._row
        if s is None or row is None:
            return Text("")
        lines = (self._line(found) for found in (_first(s, row), _second(s, row)))
        return Text("\n").join(lines)

    def _line(self, figures: list[Figure]) -> Text:
        """Return as many figures as fit; those that matter least stand last."""
        dim = self.get_component_rich_style("brief--dim", partial=True)
        text = Text("", no_wrap=True)
        for figure in figures:
            part = Text(" ").append(f"{figure.label} ", dim).append(figure.text, self._by(figure))
            if text.cell_len + part.cell_len + 1 > self.size.width:
                break
            text.append_text(part).append(" ")
        return text

    def _by(self, figure: Figure) -> Style:
        if not figure.direction:
            return Style.null()
        name = "brief--up" if figure.direction > 0 else "brief--down"
        return self.get_component_rich_style(name, partial=True)


def _first(s: Snapshot, row: int) -> list[Figure]:
    spread = fmt.plain_percent(value_of(s, MetricKey("spread_pct"), row))
    quote = f"{fmt.price(s.bid[row])}×{fmt.price(s.ask[row])} {spread}%"
    ranged = f"{fmt.price(s.low[row])}–{fmt.price(s.high[row])}"
    return [
        Figure("quote", quote),
        Figure("range", ranged),
        Figure("VWAP", fmt.price(s.vwap[row])),
        Figure("prev", fmt.price(s.prev_close[row])),
        Figure("open", fmt.price(s.open[row])),
    ]


def _second(s: Snapshot, row: int) -> list[Figure]:
    rvol = fmt.ratio(value_of(s, MetricKey("rvol"), row))
    return [
        Figure("vol", fmt.count(s.volume[row])),
        Figure("rvol", rvol),
        *(_moved(s, row, window) for window in WINDOWS),
        Figure("trades", fmt.whole(value_of(s, MetricKey("trades"), row))),
    ]


def _moved(s: Snapshot, row: int, window: int) -> Figure:
    moved = value_of(s, MetricKey("chg", window), row)
    return Figure(f"{window}m", fmt.percent(moved), moved if math.isfinite(moved) else 0.0)
