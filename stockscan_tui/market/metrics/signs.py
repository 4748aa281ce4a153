"""Yes-or-no metrics: what kind of security it is, and what has happened to it."""

from __future__ import annotations

import numpy as np

from stockscan_tui.market.metrics.metric import Metric, MetricKey, Unit
from stockscan_tui.market.snapshot import Floats, Snapshot


def _sign(s: Snapshot, key: MetricKey) -> Floats:
    flags = s.signs.get(key.name)
    return np.zeros(len(s.symbols)) if flags is None else flags.astype(np.float64)


def _flag(name: str, title: str, doc: str) -> Metric:
    return Metric(name, title, Unit.FLAG, _sign, doc)


METRICS = (
    _flag("warrant", "WAR", "A warrant, by its symbol."),
    _flag("unit", "UNIT", "A unit, by its symbol."),
    _flag("right", "RIGHT", "A right, by its symbol."),
    _flag("preferred", "PREF", "A preferred share, by its symbol."),
    _flag("new", "NEW", "It has no close in the last ten trading days."),
    _flag("split", "SPLIT", "An overnight move that looks like a split which nothing confirms."),
    _flag("halt", "HALT", "Busy, then silent for 60 s in regular hours while the feed is whole."),
    _flag("resumed", "RESM", "Back from such a silence within the last ten minutes."),
    _flag("ssr", "SSR", "At or under −10 % against the previous close, today or the day before."),
    _flag("watched", "WATCH", "On the current watchlist."),
)
