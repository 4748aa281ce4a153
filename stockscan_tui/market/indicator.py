"""Which indicators there are, and how one is named: `rsi(14)`, `ema(20, 5m)`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stockscan_tui.errors import UsageError

MAX_PERIOD = 500
INTERVALS = (1, 5, 15)


class Kind(StrEnum):
    """The indicators there are."""

    SMA = "sma"
    EMA = "ema"
    RSI = "rsi"
    ATR = "atr"


@dataclass(frozen=True, slots=True, order=True)
class IndicatorKey:
    """Which indicator over which bars.

    Attributes:
        kind: The indicator.
        period: Bars it looks back on, 1 to 500; for `rsi` and `atr` at least 2.
        interval: Minutes of one bar: 1, 5 or 15.

    Raises:
        UsageError: The period or the interval is out of range.
    """

    kind: Kind
    period: int
    interval: int = 1

    def __post_init__(self) -> None:
        least = 2 if self.kind in {Kind.RSI, Kind.ATR} else 1
        if not least <= self.period <= MAX_PERIOD:
            raise UsageError(
                f"{self.kind.value}({self.period}): the period goes from {least} to {MAX_PERIOD}"
            )
        if self.interval not in INTERVALS:
            raise UsageError(
                f"{self.kind.value}({self.period}, {self.interval}m): bars have 1, 5 or 15 minutes"
            )

    def __str__(self) -> str:
        bars = "" if self.interval == 1 else f", {self.interval}m"
        return f"{self.kind.value}({self.period}{bars})"
