"""Which columns the board has at which width, and how one cell of each is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stockscan_tui.market.metrics import MetricKey, Unit, metric_of, title_of
from stockscan_tui.ui import format as fmt

SAMPLED_DATASET = "EQUS.MINI"
LEAST_SPARK = 10
SPARK_MINUTES = 30
WIDE_SPARK_MINUTES = 60
RANK_WIDTH = 5
SYMBOL_WIDTH = 8
MARKS_WIDTH = 7

_NARROW = (
    MetricKey("mark"),
    MetricKey("chg"),
    MetricKey("chg", window=5),
    MetricKey("rvol"),
    MetricKey("volume"),
    MetricKey("spread_pct"),
)
_WIDE = (
    MetricKey("mark"),
    MetricKey("chg"),
    MetricKey("chg", window=5),
    MetricKey("gap"),
    MetricKey("hod_pct"),
    MetricKey("vwap_pct"),
    MetricKey("rvol"),
    MetricKey("volume"),
    MetricKey("dvol"),
    MetricKey("spread_pct"),
)
WIDE_FROM = 112
# Cells of a column by what it counts, the gap before it included.
_WIDTHS = {
    Unit.PRICE: 10,
    Unit.PERCENT: 8,
    Unit.COUNT: 7,
    Unit.DOLLARS: 8,
    Unit.RATIO: 6,
    Unit.MINUTES: 6,
    Unit.SECONDS: 6,
    Unit.FLAG: 4,
    Unit.NUMBER: 8,
    Unit.TEXT: 14,
}
# The narrow board counts every cell.
_NARROWER = {MetricKey("spread_pct"): 6}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of one metric.

    Attributes:
        key: The metric it shows and sorts by.
        width: Its cells, the gap before it included.
    """

    key: MetricKey
    width: int

    @property
    def signed(self) -> bool:
        """Whether it is coloured by its sign."""
        return metric_of(self.key.name).signed

    def head(self, dataset: str) -> str:
        """Return the column's head; a sampled count is marked as such."""
        sampled = metric_of(self.key.name).sampled and dataset == SAMPLED_DATASET
        return title_of(self.key) + "~" * sampled

    def cell(self, value: float) -> str:
        """Return a value, right-aligned in the column's width."""
        text = fmt.of_metric(value, metric_of(self.key.name))
        return text.rjust(self.width) if len(text) < self.width else " " + text[: self.width - 1]


@dataclass(frozen=True, slots=True)
class Layout:
    """What fits: columns of numbers, then a sparkline of `spark_width` cells."""

    columns: tuple[Column, ...]
    spark_width: int
    spark_minutes: int

    def column_at(self, x: int) -> Column | None:
        """Return the column of numbers that cell `x` of a row lies in."""
        left = RANK_WIDTH + SYMBOL_WIDTH + MARKS_WIDTH
        for column in self.columns:
            if left <= x < left + column.width:
                return column
            left += column.width
        return None


def default_columns(width: int) -> tuple[MetricKey, ...]:
    """Return the board's own columns at that width."""
    return _WIDE if width >= WIDE_FROM else _NARROW


def column_width(key: MetricKey, widths: Mapping[MetricKey, int]) -> int:
    """Return a column's cells: those the user chose, else by what it counts and its head."""
    chosen = widths.get(key)
    if chosen is not None:
        return chosen
    usual = _NARROWER.get(key, _WIDTHS[metric_of(key.name).unit])
    return max(usual, len(title_of(key)) + 1 + metric_of(key.name).sampled)


def layout_for(
    width: int,
    chosen: Sequence[MetricKey] | None = None,
    widths: Mapping[MetricKey, int] | None = None,
) -> Layout:
    """Return the columns for a board of that many cells; what does not fit is left out."""
    left = width - RANK_WIDTH - SYMBOL_WIDTH - MARKS_WIDTH
    columns = []
    for key in chosen or default_columns(width):
        column = Column(key, column_width(key, widths or {}))
        if column.width > left:
            break
        columns.append(column)
        left -= column.width
    minutes = WIDE_SPARK_MINUTES if width >= WIDE_FROM else SPARK_MINUTES
    spark = min(left - 2, minutes + 1)
    return Layout(tuple(columns), spark if spark >= LEAST_SPARK else 0, minutes)
