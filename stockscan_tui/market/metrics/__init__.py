"""The registry of metrics: each is defined once; columns, filters, sorts and help use it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

import numpy as np

from stockscan_tui.errors import UsageError
from stockscan_tui.market.metrics import activity, price, signs, trend
from stockscan_tui.market.metrics.metric import Metric, MetricKey, Takes, Unit, key_of
from stockscan_tui.market.metrics.trend import indicator_of
from stockscan_tui.market.snapshot import Floats, Integers, Snapshot

__all__ = [
    "REGISTRY",
    "Metric",
    "MetricKey",
    "Takes",
    "Unit",
    "indicator_of",
    "metric_of",
    "nearest",
    "parse_metric",
    "rank",
    "title_of",
    "values_of",
]

REGISTRY: dict[str, Metric] = {
    metric.name: metric
    for metric in (*price.METRICS, *activity.METRICS, *trend.METRICS, *signs.METRICS)
}

_SPELLING = re.compile(r"^([a-z_][a-z0-9_]*)\s*(?:\(([^()]*)\))?$")


def _own(s: Snapshot, key: MetricKey) -> Floats:
    values = s.own.get(key.name)
    return np.full(len(s.symbols), np.nan) if values is None else values


def metric_of(name: str) -> Metric:
    """Return a metric by its name; a name that is none of ours is a column of the user's table."""
    known = REGISTRY.get(name)
    if known is not None:
        return known
    return Metric(name, name.upper(), Unit.NUMBER, _own, "A column of your own table.")


def values_of(key: MetricKey, snapshot: Snapshot) -> Floats:
    """Return one value per symbol; computed once for each snapshot. Not to be written to."""
    known = snapshot.cache.get(key)
    if known is None:
        known = metric_of(key.name).function(snapshot, key)
        snapshot.cache[key] = known
    return known


def title_of(key: MetricKey) -> str:
    """Return the head of a metric's column."""
    if key == MetricKey("chg", key.window) and key.window:
        return f"{key.window}m%"
    title = metric_of(key.name).title
    if key.period:
        return f"{title}{key.period}" + (f"/{key.window}" if key.window > 1 else "")
    if key.span:
        return f"{title} {key.span[:3].upper()}"
    return f"{title}{key.window}m" if key.window else title


def nearest(name: str, names: Collection[str]) -> str:
    """Return a hint on the name most like `name`, empty where none is."""
    found = difflib.get_close_matches(name.lower(), names, n=1)
    return f" Did you mean {found[0]}?" if found else ""


def parse_metric(text: str, own: Collection[str] = ()) -> MetricKey:
    """Read `chg`, `chg(5m)`, `high(pre)` or `rsi(14, 5m)`.

    Args:
        text: What the user wrote.
        own: The names of the columns of the user's table.

    Raises:
        UsageError: No such metric, or brackets that it does not take.
    """
    match = _SPELLING.match(text.strip())
    name = match.group(1) if match else ""
    if match is None or (name not in REGISTRY and name not in own):
        hint = nearest(name or text, [*REGISTRY, *own])
        raise UsageError(
            f"No metric is called {text.strip()!r}.{hint} The README and the key ? list them."
        )
    inner = match.group(2)
    arguments = tuple(inner.split(",")) if inner is not None else ()
    key = key_of(metric_of(name), arguments)
    if isinstance(key, str):
        raise UsageError(key)
    return key


def rank(snapshot: Snapshot, key: MetricKey, *, ascending: bool, rows: Integers) -> Integers:
    """Return `rows` in the order of a metric, symbols without it last.

    Ties keep the order of `rows`: give them alphabetically (a part of `snapshot.by_symbol`).
    """
    values = values_of(key, snapshot)[rows]
    signed = values if ascending else -values
    order = np.argsort(signed, kind="stable")  # NaN sorts last either way
    return rows[order]
