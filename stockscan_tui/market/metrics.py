"""The registry of metrics: each is defined once, and columns, sort keys and help come from here.

A metric's function takes a `Snapshot` and, where it allows windows, a number of minutes; it gives
a float64 array with one value per symbol, NaN where a symbol lacks it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stockscan_tui.errors import UsageError
from stockscan_tui.market.snapshot import Floats, Integers, Snapshot

MAX_WINDOW_MINUTES = 120
LEAST_TRADES = 25


@dataclass(frozen=True, slots=True)
class Metric:
    """One number about a symbol.

    Attributes:
        name: How users write it, in small letters.
        title: The head of its column.
        unit: `price`, `percent`, `count`, `dollars`, `ratio`.
        function: Takes the snapshot and the window in minutes (0 where none is given).
        doc: A sentence that says what it is.
        windows: Whether it takes a window, as in `chg(5m)`.
        window_required: Whether it has no meaning without one.
        sampled: Whether it counts a sample of the tape on EQUS.MINI, so that its title takes a ~.
    """

    name: str
    title: str
    unit: str
    function: Callable[[Snapshot, int], Floats]
    doc: str
    windows: bool = False
    window_required: bool = False
    sampled: bool = False


def percent_over(value: Floats, base: Floats) -> Floats:
    """Return 100 × (value ÷ base − 1), NaN where the base is missing or not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = (value / np.where(base > 0, base, np.nan) - 1.0) * 100.0
    return ratio


def _change(s: Snapshot, window: int) -> Floats:
    return percent_over(s.mark, s.mark_before(window) if window else s.prev_close)


def _change_dollars(s: Snapshot, window: int) -> Floats:
    return s.mark - (s.mark_before(window) if window else s.prev_close)


def _change_open(s: Snapshot, _window: int) -> Floats:
    base = np.where(np.isnan(s.regular_open), s.pre_open, s.regular_open)
    return percent_over(s.mark, base)


def _change_post(s: Snapshot, _window: int) -> Floats:
    return percent_over(s.mark, s.regular_close)


def _gap(s: Snapshot, _window: int) -> Floats:
    before_open = s.event_ns < s.regular_ns
    return percent_over(s.mark if before_open else s.regular_open, s.prev_close)


def _spread_percent(s: Snapshot, _window: int) -> Floats:
    middle = (s.bid + s.ask) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        spread: Floats = (s.ask - s.bid) / np.where(middle > 0, middle, np.nan) * 100.0
    return spread


def _relative_volume(s: Snapshot, _window: int) -> Floats:
    usual = s.average_volume * s.volume_share
    known = (usual > 0) & (s.trades >= LEAST_TRADES)
    ratio: Floats = np.full(len(usual), np.nan)
    np.divide(s.volume, usual, out=ratio, where=known)
    return ratio


def _counted(values: Integers) -> Floats:
    return values.astype(np.float64)


REGISTRY: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "mark",
            "PRICE",
            "price",
            lambda s, _: s.mark,
            "The price to go by: the mid of a tight quote, else the last good trade.",
        ),
        Metric("last", "LAST", "price", lambda s, _: s.last, "The last trade's price."),
        Metric("bid", "BID", "price", lambda s, _: s.bid, "The best bid."),
        Metric("ask", "ASK", "price", lambda s, _: s.ask, "The best ask."),
        Metric(
            "mid", "MID", "price", lambda s, _: (s.bid + s.ask) / 2.0, "The middle of bid and ask."
        ),
        Metric("spread", "SPR", "price", lambda s, _: s.ask - s.bid, "Ask less bid."),
        Metric(
            "spread_pct", "SPR%", "percent", _spread_percent, "The spread in percent of the mid."
        ),
        Metric(
            "prev_close",
            "PREV",
            "price",
            lambda s, _: s.prev_close,
            "The official close of the last trading day on which the symbol traded.",
        ),
        Metric(
            "chg",
            "CHG%",
            "percent",
            _change,
            "The mark against the previous close, or against the mark a window ago.",
            windows=True,
        ),
        Metric(
            "chg_dollars", "CHG", "price", _change_dollars, "The change in dollars.", windows=True
        ),
        Metric(
            "chg_open",
            "OPEN%",
            "percent",
            _change_open,
            "The mark against the regular open; before it, against the first pre-market mark.",
        ),
        Metric(
            "chg_post", "POST%", "percent", _change_post, "The mark against today's regular close."
        ),
        Metric(
            "gap",
            "GAP%",
            "percent",
            _gap,
            "The regular open (before 09:30 the mark) against the previous close.",
        ),
        Metric(
            "open",
            "OPEN",
            "price",
            lambda s, _: s.open,
            "The first trade of regular hours; before them, of pre-market.",
        ),
        Metric(
            "high",
            "HIGH",
            "price",
            lambda s, _: s.high,
            "The highest good trade of regular hours; before them, of pre-market.",
        ),
        Metric(
            "low",
            "LOW",
            "price",
            lambda s, _: s.low,
            "The lowest good trade of regular hours; before them, of pre-market.",
        ),
        Metric(
            "hod_pct",
            "HOD%",
            "percent",
            lambda s, _: percent_over(s.mark, s.high),
            "The mark's distance from the high.",
        ),
        Metric(
            "lod_pct",
            "LOD%",
            "percent",
            lambda s, _: percent_over(s.mark, s.low),
            "The mark's distance from the low.",
        ),
        Metric(
            "vwap",
            "VWAP",
            "price",
            lambda s, _: s.vwap,
            "Volume-weighted price since 09:30; in pre-market since 04:00.",
        ),
        Metric(
            "vwap_pct",
            "VWAP%",
            "percent",
            lambda s, _: percent_over(s.mark, s.vwap),
            "The mark's distance from vwap.",
        ),
        Metric(
            "volume",
            "VOL",
            "count",
            lambda s, _: _counted(s.volume),
            "Shares traded in today's sessions.",
            sampled=True,
        ),
        Metric(
            "dvol",
            "$VOL",
            "dollars",
            lambda s, _: s.notional,
            "Dollars traded in today's sessions.",
            sampled=True,
        ),
        Metric(
            "trades",
            "TRD",
            "count",
            lambda s, _: _counted(s.trades),
            "Trades in today's sessions.",
            sampled=True,
        ),
        Metric(
            "avol",
            "AVOL",
            "count",
            lambda s, _: s.average_volume,
            "The average volume of the last 20 sessions, of the same dataset.",
            sampled=True,
        ),
        Metric(
            "rvol",
            "RVOL",
            "ratio",
            _relative_volume,
            "Today's volume against what is usual by this time of day; from 25 trades on.",
        ),
        Metric(
            "bars",
            "BARS",
            "count",
            lambda s, _: _counted(s.bars),
            "Session minutes of today with at least one trade.",
        ),
    )
}

_SPELLING = re.compile(r"^([a-z_]+)(?:\((\d{1,3})m?\))?$")


@dataclass(frozen=True, slots=True)
class MetricKey:
    """A metric with its window in minutes (0 for none): what a column or a sort refers to."""

    name: str
    window: int = 0

    @property
    def metric(self) -> Metric:
        """Return the metric itself."""
        return REGISTRY[self.name]

    @property
    def title(self) -> str:
        """Return the column's head."""
        if not self.window:
            return self.metric.title
        return f"{self.window}m%" if self.name == "chg" else f"{self.metric.title}{self.window}m"

    def __str__(self) -> str:
        return f"{self.name}({self.window}m)" if self.window else self.name

    def values(self, snapshot: Snapshot) -> Floats:
        """Return one value per symbol; computed once for each snapshot."""
        known = snapshot.cache.get(str(self))
        if known is None:
            known = self.metric.function(snapshot, self.window)
            snapshot.cache[str(self)] = known
        return known


def parse_metric(text: str) -> MetricKey:
    """Read `chg` or `chg(5m)`.

    Raises:
        UsageError: No such metric, a window it does not take, or one outside 1 to 120 minutes.
    """
    match = _SPELLING.match(text.strip())
    metric = REGISTRY.get(match.group(1)) if match else None
    if match is None or metric is None:
        raise UsageError(f"No metric is called {text!r}. There are: {', '.join(REGISTRY)}.")
    window = int(match.group(2) or 0)
    if match.group(2) is not None and not metric.windows:
        raise UsageError(f"{metric.name} takes no window.")
    if match.group(2) is not None and not 1 <= window <= MAX_WINDOW_MINUTES:
        raise UsageError(f"{text}: a window is 1 to {MAX_WINDOW_MINUTES} minutes.")
    return MetricKey(metric.name, window)


def rank(snapshot: Snapshot, key: MetricKey, *, ascending: bool, rows: Integers) -> Integers:
    """Return `rows` in the order of a metric, symbols without it last.

    Ties keep the order of `rows`: give them alphabetically (a part of `snapshot.by_symbol`).
    """
    values = key.values(snapshot)[rows]
    signed = values if ascending else -values
    order = np.argsort(signed, kind="stable")  # NaN sorts last either way
    return rows[order]
