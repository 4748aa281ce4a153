"""Metrics of what is done: volume, trades, minutes, ages, and how whole the day's bars are."""

from __future__ import annotations

import numpy as np

from stockscan_tui.market.arithmetic import share_of_usual
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.metrics.metric import SPANS, Metric, MetricKey, Takes, Unit
from stockscan_tui.market.snapshot import Floats, Integers, Snapshot

LEAST_TRADES = 25
BARS_BEFORE = 10


def _counted(values: Integers) -> Floats:
    return values.astype(np.float64)


def _of_sessions(s: Snapshot, name: str, span: str) -> Floats:
    total = np.zeros(len(s.symbols))
    for session in SPANS[span]:
        figures = s.sessions.get(session)
        if figures is not None:
            total += getattr(figures, name)
    return total


def _volume(s: Snapshot, key: MetricKey) -> Floats:
    if key.window:
        return s.minutes.over("volume", key.window, len(s.symbols))
    return _of_sessions(s, "volume", key.span) if key.span else _counted(s.volume)


def _tape_volume(s: Snapshot, _: MetricKey) -> Floats:
    return s.tape_volume if len(s.tape_volume) else np.full(len(s.symbols), np.nan)


def _dollars(s: Snapshot, key: MetricKey) -> Floats:
    if key.window:
        return s.minutes.over("notional", key.window, len(s.symbols))
    return _of_sessions(s, "notional", key.span) if key.span else s.notional


def _trades(s: Snapshot, key: MetricKey) -> Floats:
    if key.window:
        return s.minutes.over("trades", key.window, len(s.symbols))
    if key.span:
        return _of_sessions(s, "trades", key.span)
    counted = _counted(np.maximum(s.trades, s.bars))
    counted[(s.trades == 0) & (s.bars > 0)] = np.nan
    return counted


def _relative_volume(s: Snapshot, _: MetricKey) -> Floats:
    counted = np.maximum(s.trades, s.bars)
    return share_of_usual(s.volume, s.average_volume, s.volume_share, counted, LEAST_TRADES)


def _bar_relative_volume(s: Snapshot, _: MetricKey) -> Floats:
    """Return the last finished minute's volume against the mean of the ten before it."""
    count = len(s.symbols)
    return s.minutes.burst(BARS_BEFORE, count)


def _age(s: Snapshot, times: Integers) -> Floats:
    age = (s.event_ns - times) / SECOND_NS
    return np.where(times > 0, np.maximum(age, 0.0), np.nan)


def _minutes_open(s: Snapshot, _: MetricKey) -> Floats:
    minutes = (s.event_ns - s.regular_ns) / MINUTE_NS if s.regular_ns else np.nan
    return np.full(len(s.symbols), minutes)


def _density(s: Snapshot, _: MetricKey) -> Floats:
    return s.coverage.density() * 100.0 if s.coverage is not None else _unknown(s)


def _completeness(s: Snapshot, _: MetricKey) -> Floats:
    return s.coverage.completeness() * 100.0 if s.coverage is not None else _unknown(s)


def _unknown(s: Snapshot) -> Floats:
    return np.full(len(s.symbols), np.nan)


def _alerts(s: Snapshot, _: MetricKey) -> Floats:
    return _counted(s.alerts) if len(s.alerts) else np.zeros(len(s.symbols))


METRICS = (
    Metric("volume", "VOL", Unit.COUNT, _volume,
           "Shares traded in today's sessions, in one of them, or over a window.",
           takes=Takes.WINDOW_OR_SPAN, sampled=True),
    Metric("tape_volume", "TAPE", Unit.COUNT, _tape_volume,
           "Shares traded today on all exchanges together; live, where EQUS.SUMMARY is licensed."),
    Metric("dvol", "$VOL", Unit.DOLLARS, _dollars,
           "Dollars traded in today's sessions, in one of them, or over a window.",
           takes=Takes.WINDOW_OR_SPAN, sampled=True),
    Metric("trades", "TRD", Unit.COUNT, _trades,
           "Trades in today's sessions, at least one a bar; none where only bars are known.",
           takes=Takes.WINDOW_OR_SPAN, sampled=True),
    Metric("avol", "AVOL", Unit.COUNT, lambda s, _: s.average_volume,
           "The average volume of the last 20 sessions, of the same dataset.", sampled=True),
    Metric("rvol", "RVOL", Unit.RATIO, _relative_volume,
           "Today's volume against what is usual by this time of day; from 25 trades on."),
    Metric("bar_rvol", "BARRV", Unit.RATIO, _bar_relative_volume,
           "The last finished minute's volume against the mean of the ten minutes before it."),
    Metric("bars", "BARS", Unit.COUNT, lambda s, _: _counted(s.bars),
           "Session minutes of today with at least one trade."),
    Metric("streak", "STRK", Unit.NUMBER, lambda s, _: s.streak,
           "How many minute bars in a row closed higher than the one before; lower, if negative.",
           signed=True),
    Metric("minutes_open", "MIN", Unit.MINUTES, _minutes_open,
           "Minutes since the regular open; negative before it."),
    Metric("trade_age", "T AGE", Unit.SECONDS, lambda s, _: _age(s, s.last_trade_ns),
           "Seconds since the last trade."),
    Metric("quote_age", "Q AGE", Unit.SECONDS, lambda s, _: _age(s, s.last_quote_ns),
           "Seconds since the last quote."),
    Metric("density", "DENS", Unit.PERCENT, _density,
           "Minutes with a trade, of the session minutes so far."),
    Metric("completeness", "COMPL", Unit.PERCENT, _completeness,
           "Session minutes so far of which it is known what was traded."),
    Metric("alerts", "ALRT", Unit.COUNT, _alerts, "Alerts of the symbol today."),
)  # fmt: skip
