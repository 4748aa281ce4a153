"""Metrics of prices: the quote, the session's range, changes, and where the mark stands in them."""

from __future__ import annotations

import numpy as np

from stockscan_tui.market.arithmetic import percent_over, price_of
from stockscan_tui.market.metrics.metric import DAY, SPANS, Metric, MetricKey, Takes, Unit
from stockscan_tui.market.snapshot import OPENING_WINDOWS, Floats, Snapshot

BOTH = Takes.WINDOW_OR_SPAN


def _mid(s: Snapshot, _: MetricKey) -> Floats:
    return (s.bid + s.ask) / 2.0


def _spread_percent(s: Snapshot, _: MetricKey) -> Floats:
    middle = (s.bid + s.ask) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        spread: Floats = (s.ask - s.bid) * 100.0 / np.where(middle > 0, middle, np.nan)
    return np.round(spread, 12)


def _span_open(s: Snapshot, span: str) -> Floats:
    first = np.full(len(s.symbols), np.nan)
    for session in reversed(SPANS[span]):
        figures = s.sessions.get(session)
        if figures is not None:
            first = np.where(np.isnan(figures.open), first, figures.open)
    return first


def _of_session(s: Snapshot, span: str, name: str) -> Floats:
    figures = s.sessions.get(SPANS[span][0])
    if figures is None:
        return np.full(len(s.symbols), np.nan)
    values: Floats = getattr(figures, name)
    return values


def _high(s: Snapshot, key: MetricKey) -> Floats:
    if key.window:
        return s.minutes.over("high", key.window, len(s.symbols))
    if key.span == DAY:
        return s.high_day
    return _of_session(s, key.span, "high") if key.span else s.high


def _low(s: Snapshot, key: MetricKey) -> Floats:
    if key.window:
        return s.minutes.over("low", key.window, len(s.symbols))
    if key.span == DAY:
        return s.low_day
    return _of_session(s, key.span, "low") if key.span else s.low


def _open(s: Snapshot, key: MetricKey) -> Floats:
    return _span_open(s, key.span) if key.span else s.open


def _range(s: Snapshot, key: MetricKey) -> Floats:
    return _high(s, key) - _low(s, key)


def _range_percent(s: Snapshot, key: MetricKey) -> Floats:
    return percent_over(_high(s, key), _low(s, key))


def _position(s: Snapshot, key: MetricKey) -> Floats:
    low = _low(s, key)
    span = _high(s, key) - low
    with np.errstate(divide="ignore", invalid="ignore"):
        place: Floats = (s.mark - low) / np.where(span > 0, span, np.nan) * 100.0
    return place


def _from_high(s: Snapshot, key: MetricKey) -> Floats:
    return percent_over(s.mark, _high(s, key))


def _from_low(s: Snapshot, key: MetricKey) -> Floats:
    return percent_over(s.mark, _low(s, key))


def _base(s: Snapshot, key: MetricKey) -> Floats:
    """Return what a change is measured from."""
    if key.window:
        return s.mark_before(key.window)
    return _span_open(s, key.span) if key.span else s.prev_close


def _change(s: Snapshot, key: MetricKey) -> Floats:
    return percent_over(s.mark, _base(s, key))


def _change_dollars(s: Snapshot, key: MetricKey) -> Floats:
    return s.mark - _base(s, key)


def _regular_open(s: Snapshot) -> Floats:
    return np.where(np.isnan(s.regular_open), s.pre_open, s.regular_open)


def _change_open(s: Snapshot, _: MetricKey) -> Floats:
    return percent_over(s.mark, _regular_open(s))


def _change_open_dollars(s: Snapshot, _: MetricKey) -> Floats:
    return s.mark - _regular_open(s)


def _change_post(s: Snapshot, _: MetricKey) -> Floats:
    return percent_over(s.mark, s.regular_close)


def _change_post_dollars(s: Snapshot, _: MetricKey) -> Floats:
    return s.mark - s.regular_close


def _opening(s: Snapshot) -> Floats:
    return s.mark if s.event_ns < s.regular_ns else s.regular_open


def _gap(s: Snapshot, _: MetricKey) -> Floats:
    return percent_over(_opening(s), s.prev_close)


def _gap_dollars(s: Snapshot, _: MetricKey) -> Floats:
    return _opening(s) - s.prev_close


def _opening_range(s: Snapshot, key: MetricKey, end: int) -> Floats:
    found = s.opening.get(key.window)
    return np.full(len(s.symbols), np.nan) if found is None else found[end]


def _vwap(s: Snapshot, key: MetricKey) -> Floats:
    if not key.span:
        return s.vwap
    volume, notional = np.zeros(len(s.symbols)), np.zeros(len(s.symbols))
    for session in SPANS[key.span]:
        figures = s.sessions.get(session)
        if figures is not None:
            volume += figures.volume
            notional += figures.notional
    return price_of(notional, volume)


def _from_vwap(s: Snapshot, key: MetricKey) -> Floats:
    return percent_over(s.mark, _vwap(s, key))


def _tier(s: Snapshot, key: MetricKey) -> Floats:
    """Return 1 for moves of 20 % and more, 2 for 10–20, 3 for 5–10, 4 for 1–5, 0 under them."""
    change = _change(s, MetricKey("chg"))
    size = np.abs(change)
    steps = np.where(size >= 1, 4.0, 0.0)
    for least, tier in ((5, 3.0), (10, 2.0), (20, 1.0)):
        steps[size >= least] = tier
    steps[np.isnan(change)] = np.nan
    return steps


def _close(s: Snapshot, _: MetricKey) -> Floats:
    return s.regular_close


METRICS = (
    Metric("mark", "PRICE", Unit.PRICE, lambda s, _: s.mark,
           "The price to go by: the mid of a tight quote, else the last good trade."),
    Metric("last", "LAST", Unit.PRICE, lambda s, _: s.last, "The last trade's price."),
    Metric("bid", "BID", Unit.PRICE, lambda s, _: s.bid, "The best bid."),
    Metric("ask", "ASK", Unit.PRICE, lambda s, _: s.ask, "The best ask."),
    Metric("mid", "MID", Unit.PRICE, _mid, "The middle of bid and ask."),
    Metric("spread", "SPR", Unit.PRICE, lambda s, _: s.ask - s.bid, "Ask less bid."),
    Metric("spread_pct", "SPR%", Unit.PERCENT, _spread_percent,
           "The spread in percent of the mid."),
    Metric("prev_close", "PREV", Unit.PRICE, lambda s, _: s.prev_close,
           "The official close of the last trading day on which the symbol traded."),
    Metric("chg", "CHG%", Unit.PERCENT, _change,
           "The mark against the previous close; against the mark a window ago; against a "
           "session's first trade.", takes=BOTH, signed=True),
    Metric("chg_dollars", "CHG", Unit.PRICE, _change_dollars,
           "The same in dollars.", takes=BOTH, signed=True),
    Metric("chg_open", "OPEN%", Unit.PERCENT, _change_open,
           "The mark against the regular open; before it, against the first pre-market mark.",
           signed=True),
    Metric("chg_open_dollars", "OPEN±", Unit.PRICE, _change_open_dollars,
           "The same in dollars.", signed=True),
    Metric("chg_post", "POST%", Unit.PERCENT, _change_post,
           "The mark against today's regular close.", signed=True),
    Metric("chg_post_dollars", "POST±", Unit.PRICE, _change_post_dollars,
           "The same in dollars.", signed=True),
    Metric("gap", "GAP%", Unit.PERCENT, _gap,
           "The regular open (before 09:30 the mark) against the previous close.", signed=True),
    Metric("gap_dollars", "GAP", Unit.PRICE, _gap_dollars, "The same in dollars.", signed=True),
    Metric("open", "OPEN", Unit.PRICE, _open,
           "The first trade of regular hours; before them, of pre-market.", takes=Takes.SPAN),
    Metric("high", "HIGH", Unit.PRICE, _high,
           "The highest good trade of regular hours; before them, of pre-market.", takes=BOTH),
    Metric("low", "LOW", Unit.PRICE, _low,
           "The lowest good trade of regular hours; before them, of pre-market.", takes=BOTH),
    Metric("close", "CLOSE", Unit.PRICE, _close,
           "Today's regular close: the last trade before the end until the official one is there."),
    Metric("or_high", "ORH", Unit.PRICE, lambda s, key: _opening_range(s, key, 0),
           "The high of the first minutes of regular hours, once they are over.",
           takes=Takes.WINDOW, windows=OPENING_WINDOWS),
    Metric("or_low", "ORL", Unit.PRICE, lambda s, key: _opening_range(s, key, 1),
           "The low of the first minutes of regular hours, once they are over.",
           takes=Takes.WINDOW, windows=OPENING_WINDOWS),
    Metric("range", "RNG", Unit.PRICE, _range, "High less low.", takes=BOTH),
    Metric("range_pct", "RNG%", Unit.PERCENT, _range_percent,
           "High against low, in percent.", takes=BOTH),
    Metric("pos", "POS%", Unit.PERCENT, _position,
           "Where the mark stands between low (0) and high (100).", takes=BOTH),
    Metric("hod_pct", "HOD%", Unit.PERCENT, _from_high,
           "The mark's distance from the high.", takes=BOTH, signed=True),
    Metric("lod_pct", "LOD%", Unit.PERCENT, _from_low,
           "The mark's distance from the low.", takes=BOTH, signed=True),
    Metric("vwap", "VWAP", Unit.PRICE, _vwap,
           "Volume-weighted price since 09:30; in pre-market since 04:00.", takes=Takes.SPAN),
    Metric("vwap_pct", "VWAP%", Unit.PERCENT, _from_vwap,
           "The mark's distance from vwap.", takes=Takes.SPAN, signed=True),
    Metric("tier", "TIER", Unit.COUNT, _tier,
           "1 for moves of 20 % and more, 2 for 10–20, 3 for 5–10, 4 for 1–5, 0 under them."),
)  # fmt: skip
