"""Metrics of indicators over bars of 1, 5 or 15 minutes, and the mark's distance from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stockscan_tui.market.arithmetic import percent_over
from stockscan_tui.market.indicator import IndicatorKey, Kind
from stockscan_tui.market.metrics.metric import Metric, MetricKey, Takes, Unit
from stockscan_tui.market.snapshot import Floats, Snapshot

_KINDS = {kind.value: kind for kind in Kind}


def indicator_of(key: MetricKey) -> IndicatorKey | None:
    """Return the indicator that a metric needs to be kept for it, None where it needs none."""
    kind = _KINDS.get(key.name.removesuffix("_pct"))
    if kind is None or not key.period:
        return None
    return IndicatorKey(kind, key.period, max(key.window, 1))


def _value(s: Snapshot, key: MetricKey) -> Floats:
    wanted = indicator_of(key)
    values = s.indicators.get(wanted) if wanted is not None else None
    return np.full(len(s.symbols), np.nan) if values is None else values


def _distance(s: Snapshot, key: MetricKey) -> Floats:
    return percent_over(s.mark, _value(s, key))


def _part(s: Snapshot, key: MetricKey) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        part: Floats = _value(s, key) / np.where(s.mark > 0, s.mark, np.nan) * 100.0
    return part


def _metric(
    name: str,
    title: str,
    unit: Unit,
    function: Callable[[Snapshot, MetricKey], Floats],
    doc: str,
    *,
    signed: bool = False,
) -> Metric:
    return Metric(name, title, unit, function, doc, takes=Takes.PERIOD, signed=signed)


METRICS = (
    _metric("rsi", "RSI", Unit.NUMBER, _value, "Wilder's relative strength index, 0 to 100."),
    _metric("ema", "EMA", Unit.PRICE, _value, "The exponential moving average of closes."),
    _metric("sma", "SMA", Unit.PRICE, _value, "The simple moving average of closes."),
    _metric("atr", "ATR", Unit.PRICE, _value, "Wilder's average true range."),
    _metric("ema_pct", "EMA%", Unit.PERCENT, _distance,
            "The mark's distance from the exponential moving average.", signed=True),
    _metric("sma_pct", "SMA%", Unit.PERCENT, _distance,
            "The mark's distance from the simple moving average.", signed=True),
    _metric("atr_pct", "ATR%", Unit.PERCENT, _part, "The average true range in % of the mark."),
)  # fmt: skip
