"""Which columns the board has at which width, and how one cell of each is written."""

from __future__ import annotations

from dataclasses import dataclass

from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.ui import format as fmt

SAMPLED_DATASET = "EQUS.MINI"
LEAST_SPARK = 10
SPARK_MINUTES = 30
WIDE_SPARK_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers.

    Attributes:
        key: The metric it shows and sorts by.
        width: Its cells, the gap before it included.
        signed: Whether it is coloured by its sign.
    """

    key: MetricKey
    width: int
    signed: bool = False

    def head(self, dataset: str) -> str:
        """Return the column's head; a sampled count is marked as such."""
        sampled = self.key.metric.sampled and dataset == SAMPLED_DATASET
        return self.key.title + "~" * sampled

    def cell(self, value: float) -> str:
        """Return a value, right-aligned in the column's width."""
        unit = self.key.metric.unit
        if unit == "percent" and not self.signed:
            return fmt.plain_percent(value).rjust(self.width)
        return fmt.of_unit(value, unit).rjust(self.width)


RANK_WIDTH = 5
SYMBOL_WIDTH = 8
FLAGS_WIDTH = 4

_MARK = Column(MetricKey("mark"), 10)
_CHANGE = Column(MetricKey("chg"), 9, signed=True)
_FIVE = Column(MetricKey("chg", 5), 8, signed=True)
_VOLUME = Column(MetricKey("volume"), 7)
_SPREAD = Column(MetricKey("spread_pct"), 6)
_BARS = Column(MetricKey("bars"), 5)
_GAP = Column(MetricKey("gap"), 8, signed=True)
_HIGH = Column(MetricKey("hod_pct"), 8, signed=True)
_VWAP = Column(MetricKey("vwap_pct"), 8, signed=True)
_DOLLARS = Column(MetricKey("dvol"), 8)

NARROW = (_MARK, _CHANGE, _FIVE, _VOLUME, _SPREAD, _BARS)
WIDE = (_MARK, _CHANGE, _FIVE, _GAP, _HIGH, _VWAP, _VOLUME, _DOLLARS, _SPREAD, _BARS)
WIDE_FROM = 112


@dataclass(frozen=True, slots=True)
class Layout:
    """What fits: columns of numbers, then a sparkline of `spark_width` cells."""

    columns: tuple[Column, ...]
    spark_width: int
    spark_minutes: int

    def column_at(self, x: int) -> Column | None:
        """Return the column of numbers that cell `x` of a row lies in."""
        left = RANK_WIDTH + SYMBOL_WIDTH + FLAGS_WIDTH
        for column in self.columns:
            if left <= x < left + column.width:
                return column
            left += column.width
        return None


def layout_for(width: int) -> Layout:
    """Return the columns for a board of that many cells; columns that do not fit are left out."""
    wanted = WIDE if width >= WIDE_FROM else NARROW
    left = width - RANK_WIDTH - SYMBOL_WIDTH - FLAGS_WIDTH
    columns = []
    for column in wanted:
        if column.width > left:
            break
        columns.append(column)
        left -= column.width
    minutes = WIDE_SPARK_MINUTES if width >= WIDE_FROM else SPARK_MINUTES
    spark = min(left - 2, minutes + 1)
    return Layout(tuple(columns), spark if spark >= LEAST_SPARK else 0, minutes)
