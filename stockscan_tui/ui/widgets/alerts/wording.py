"""Alerts in words: one line on the board, a few about the one under the cursor."""

from __future__ import annotations

import math
from functools import lru_cache

from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.fired import Fired, unpacked
from stockscan_tui.market.metrics import metric_of, parse_metric
from stockscan_tui.market.metrics.metric import Unit
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.alerts.known import (
    change_since,
    change_then,
    delivered,
    lately,
    of_today,
)

NONE_YET = "no alert yet · r rules"


def moved(percent: float) -> str:
    """Return a change with its sign and an arrow of its direction, as in ▴+1.20."""
    if not math.isfinite(percent):
        return fmt.MISSING
    text = fmt.percent(percent)
    return {"+": "▴", "-": "▾"}.get(text[0], " ") + text


def when(snapshot: Snapshot, fired: Fired) -> str:
    """Return an alert's time of day; on earlier session dates the day, and the minute."""
    clock = fmt.clock(fired.ts_ns)
    if of_today(snapshot, fired):
        return clock
    return f"{fmt.day(fired.ts_ns)[4:]} {clock[:5]}"


def last_alert(snapshot: Snapshot) -> str:
    """Return the newest alert, as in 10:31:07 NVDA +3.40 % running up · 3 more in the last minute.

    Where there is none, what will be there.
    """
    fired = delivered(snapshot)
    if not fired:
        return none_yet(snapshot)
    newest = fired[-1]
    change = change_then(snapshot, newest)
    moved_by = f" {fmt.percent(change)} %" if math.isfinite(change) else ""
    more = lately(snapshot, fired) - 1
    rest = f" · {more} more in the last minute" if more > 0 else ""
    text = f"{when(snapshot, newest)} {newest.symbol}{moved_by} {newest.rule}{rest}"
    return printable(text)


def none_yet(snapshot: Snapshot) -> str:
    """Return what is said where no alert is to be shown beside the board."""
    gated = len(snapshot.fired)
    return f"{gated:,} gated alerts · a shows them" if gated else NONE_YET


@lru_cache(maxsize=2048)
def values_in_words(values: str, *, without: str = "") -> str:
    """Return an alert's values with their units, as in chg +3.40 %  rvol 5.2.

    What was not so is left out, and the metric `without`, which is shown elsewhere.
    """
    pairs = [pair for pair in unpacked(values).items() if pair[0] != without]
    texts = [(name, _written(name, value)) for name, value in pairs]
    return "  ".join(f"{printable(name)} {text}" for name, text in texts if text)


def _written(name: str, value: float) -> str:
    try:
        metric = metric_of(parse_metric(name).name)
    except UsageError:
        return fmt.number(value)
    unit = " %" if metric.unit is Unit.PERCENT and math.isfinite(value) else ""
    return f"{fmt.of_metric(value, metric)}{unit}"


def told(snapshot: Snapshot, fired: Fired) -> str:
    """Return what an alert was, and what has become of it: price, change then, mark now."""
    since = change_since(snapshot, fired)
    then = change_then(snapshot, fired)
    parts = [f"at {fmt.price(fired.price)}"]
    if math.isfinite(then):
        parts[0] += f", {fmt.percent(then)} % on the close"
    if math.isfinite(since):
        age = fmt.age(max(snapshot.event_ns - fired.ts_ns, 0) / SECOND_NS)
        now = fired.price * (1 + since / 100)
        parts.append(f"now {fmt.price(now)}, {moved(since)} % in {age}")
    return " · ".join(parts)


def instant(fired: Fired) -> str:
    """Return when an alert fired, to the nanosecond."""
    fraction = fired.ts_ns % SECOND_NS
    return f"{fmt.day(fired.ts_ns)} {fmt.clock(fired.ts_ns)}.{fraction:09}"
