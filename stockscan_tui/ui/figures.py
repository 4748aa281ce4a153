"""A symbol's figures in words: for the board's side panel and for the symbol's own screen."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass

from stockscan_tui.market.metrics import MetricKey, values_of
from stockscan_tui.market.snapshot import CloseSource, Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.scan.gating import GatePart
from stockscan_tui.scan.reasons import explain, facts_of
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.columns import SAMPLED_DATASET
from stockscan_tui.ui.marks import MARKS

LABEL_CELLS = 11
# Reasons that a trader has to see at once.
_GRAVE = frozenset({"missing", "unknown", "gap"})
WINDOWS = (1, 5, 15, 30, 60)
_SOURCES = {
    CloseSource.NONE: "none in 10 days",
    CloseSource.FILE: "from the file given",
    CloseSource.DAILY: "official, ohlcv-1d",
    CloseSource.DATABASE: "own close, stored",
    CloseSource.REPLAY: "own close, replayed",
    CloseSource.FIRST_TRADE: "the first trade",
}
_SIGNS = {
    "halt": "halt? busy, then silent for 60 s",
    "resumed": "back from a silence",
    "split": "split? nothing confirms it",
    "ssr": "short sales restricted?",
    "new": "new: no close in ten days",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of figures.

    Attributes:
        label: What it is; empty where the line before says it.
        text: The figure itself.
        direction: Up where it is above 0, down where it is below, neither at 0.
        faint: Whether it only explains the line before.
        strong: Whether a trader has to see it at once.
    """

    label: str
    text: str
    direction: float = 0.0
    faint: bool = False
    strong: bool = False


def value_of(s: Snapshot, key: MetricKey, row: int) -> float:
    """Return one symbol's value of a metric."""
    return float(values_of(key, s)[row])


def change_of(s: Snapshot, row: int) -> float:
    """Return a symbol's change against the previous close, in percent."""
    return value_of(s, MetricKey("chg"), row)


def brief_figures(s: Snapshot, row: int) -> list[Figure]:
    """Return what stands beside the board."""
    return [
        *_quote(s, row),
        *_price(s, row),
        *_close(s, row),
        _vwap(s, row, "vwap"),
        *_volume(s, row),
        *_windows(s, row),
    ]


def all_figures(s: Snapshot, row: int) -> list[Figure]:
    """Return what stands beside the chart; a figure that the session does not have is left out."""
    return [
        *_signs(s, row),
        *_quote(s, row),
        *_price(s, row),
        *_sessions(s, row),
        *_close(s, row),
        _vwap(s, row, "VWAP"),
        *_volume(s, row),
        *_changes(s, row),
        *_windows(s, row),
    ]


def why_figures(s: Snapshot, row: int, refused: tuple[GatePart, ...], cells: int) -> list[Figure]:
    """Return why the symbol has the bars it has, in lines of so many cells.

    Args:
        s: The market.
        row: The symbol's row.
        refused: What of the board's gate it does not meet.
        cells: The width of a line.
    """
    found = []
    for reason in explain(facts_of(s, row, refused)):
        first, *rest = textwrap.wrap(printable(reason.sentence), max(cells, 20)) or [""]
        found.append(Figure("", first, strong=reason.code in _GRAVE))
        found += [Figure("", line, strong=reason.code in _GRAVE) for line in rest]
    return [Figure("why", ""), *found]


def _percent(s: Snapshot, name: str, row: int) -> str:
    return f"{fmt.percent(value_of(s, MetricKey(name), row))} %"


def _quote(s: Snapshot, row: int) -> list[Figure]:
    spread = fmt.plain_percent(value_of(s, MetricKey("spread_pct"), row))
    traded_ns = int(s.last_trade_ns[row])
    return [
        Figure("bid × ask", f"{fmt.price(s.bid[row])} × {fmt.price(s.ask[row])}"),
        Figure("spread", f"{fmt.price(s.ask[row] - s.bid[row])}  {spread} %"),
        Figure("last", f"{fmt.price(s.last[row])}  {fmt.clock(traded_ns) if traded_ns else ''}"),
    ]


def _price(s: Snapshot, row: int) -> list[Figure]:
    return [
        Figure("open", f"{fmt.price(s.open[row])}  gap {_percent(s, 'gap', row)}"),
        Figure("high low", f"{fmt.price(s.high[row])}  {fmt.price(s.low[row])}"),
        Figure("day", f"{fmt.price(s.high_day[row])}  {fmt.price(s.low_day[row])}"),
    ]


def _sessions(s: Snapshot, row: int) -> list[Figure]:
    """Return high and low of the sessions that are not the one of `high low`."""
    found = []
    for span, label in (("pre", "pre-market"), ("post", "post-market")):
        high = value_of(s, MetricKey("high", span=span), row)
        low = value_of(s, MetricKey("low", span=span), row)
        if math.isfinite(high) and (high, low) != (s.high[row], s.low[row]):
            found.append(Figure(label, f"{fmt.price(high)}  {fmt.price(low)}"))
    return found


def _close(s: Snapshot, row: int) -> list[Figure]:
    age = int(s.close_age[row])
    old = f"  {age} days old" if age > 1 else ""
    source = _SOURCES[CloseSource(int(s.close_source[row]))]
    return [
        Figure("prev close", f"{fmt.price(s.prev_close[row])}{old}"),
        Figure("", source, faint=True),
    ]


def _vwap(s: Snapshot, row: int, label: str) -> Figure:
    return Figure(label, f"{fmt.price(s.vwap[row])}  {_percent(s, 'vwap_pct', row)}")


def _volume(s: Snapshot, row: int) -> list[Figure]:
    sampled = "~" if s.feed.dataset == SAMPLED_DATASET else ""
    trades = fmt.whole(value_of(s, MetricKey("trades"), row))
    place = value_of(s, MetricKey("pos"), row)
    place = min(max(place, 0.0), 100.0)
    at = fmt.number(round(place, 0)) if s.high[row] > s.low[row] else fmt.MISSING
    spanned = fmt.plain_percent(value_of(s, MetricKey("range_pct"), row))
    usual = fmt.count(s.average_volume[row])
    told = value_of(s, MetricKey("tape_volume"), row)
    tape = [Figure("whole tape", fmt.count(told))] if math.isfinite(told) else []
    return [
        Figure(f"volume{sampled}", f"{fmt.count(s.volume[row])}  ${fmt.count(s.notional[row])}"),
        *tape,
        Figure("rvol", f"{fmt.ratio(value_of(s, MetricKey('rvol'), row))} of {usual} a day"),
        Figure("trades", f"{trades} in {int(s.bars[row]):,} bars"),
        Figure("range", f"{spanned} %  at {at} of 100"),
    ]


def _changes(s: Snapshot, row: int) -> list[Figure]:
    """Return the changes that are no windows, as far as there is something to measure from."""
    found = []
    for name, label in (("chg_open", "from open"), ("chg_post", "from close")):
        moved = value_of(s, MetricKey(name), row)
        if math.isfinite(moved):
            found.append(Figure(label, f"{fmt.percent(moved)} %", moved))
    return found


def _windows(s: Snapshot, row: int) -> list[Figure]:
    found = []
    for window in WINDOWS:
        moved = value_of(s, MetricKey("chg", window), row)
        direction = moved if math.isfinite(moved) else 0.0
        found.append(Figure(f"{window} min", f"{fmt.percent(moved)} %", direction))
    return found


def _signs(s: Snapshot, row: int) -> list[Figure]:
    """Return what is unusual about a symbol, in words."""
    found = []
    for mark in MARKS:
        flags = s.signs.get(mark.sign)
        if flags is not None and flags[row]:
            found.append(Figure("", _SIGNS.get(mark.sign, mark.word), strong=mark.strong))
    fired = int(s.alerts[row]) if len(s.alerts) else 0
    if fired:
        found.append(Figure("alerts", f"{fired} today", strong=True))
    return found
