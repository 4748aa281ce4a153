"""Numbers and text as they are shown: fixed width, signs kept, nothing that acts on a terminal."""

from __future__ import annotations

import math

from rich.cells import cell_len, set_cell_size

from stockscan_tui.market.calendar import Session, new_york_time
from stockscan_tui.market.metrics import Metric, Unit
from stockscan_tui.market.snapshot import Feed, Phase
from stockscan_tui.market.text import printable

MISSING = "—"
# Without the full block, so that the lines of two rows never run together.
SPARKS = "▁▂▃▄▅▆▇"
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def fit(text: str, width: int) -> str:
    """Return outside text made harmless, cut or padded to `width` cells."""
    safe = printable(text)
    if cell_len(safe) > width > 1:
        safe = set_cell_size(safe, width - 1).rstrip() + "…"
    return set_cell_size(safe, width)


def price(value: float) -> str:
    """Return dollars: two decimals from $1, four under it."""
    if not math.isfinite(value):
        return MISSING
    return f"{value:,.2f}" if abs(value) >= 1.0 else f"{value:.4f}"


def percent(value: float) -> str:
    """Return a signed percentage that never grows wider than seven cells."""
    if not math.isfinite(value):
        return MISSING
    if abs(value) < 0.005:
        return "0.00"
    return f"{value:+.2f}" if abs(value) < 1000 else f"{value:+.0f}"


def plain_percent(value: float) -> str:
    """Return a percentage without a sign."""
    if not math.isfinite(value):
        return MISSING
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def ratio(value: float) -> str:
    """Return a ratio, as in 3.2."""
    if not math.isfinite(value):
        return MISSING
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def count(value: float) -> str:
    """Return a count in three or four digits with its unit, as in 1.24M."""
    if not math.isfinite(value):
        return MISSING
    for limit, unit in _UNITS:
        if abs(value) >= limit:
            scaled = value / limit
            return f"{scaled:.2f}{unit}" if abs(scaled) < 9.995 else f"{scaled:.1f}{unit}"
    return f"{value:.0f}"


def age(seconds: float) -> str:
    """Return a length of time in its largest unit, as in 4s, 12m or 3h."""
    if not math.isfinite(seconds):
        return MISSING
    for limit, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= limit:
            return f"{seconds / limit:.0f}{unit}"
    return f"{seconds:.0f}s"


def number(value: float) -> str:
    """Return a number of no unit in few cells."""
    if not math.isfinite(value):
        return MISSING
    if abs(value) >= 10_000:
        return count(value)
    return f"{value:.0f}" if value == round(value) else f"{value:.2f}"


def whole(value: float) -> str:
    """Return a whole number with all its digits."""
    return f"{value:,.0f}" if math.isfinite(value) else MISSING


def flag(value: float) -> str:
    """Return a tick for yes and nothing for no."""
    return "✓" if value > 0 else ""


_WRITTEN = {
    Unit.PRICE: price,
    Unit.PERCENT: plain_percent,
    Unit.RATIO: ratio,
    Unit.COUNT: count,
    Unit.DOLLARS: count,
    Unit.MINUTES: number,
    Unit.SECONDS: age,
    Unit.FLAG: flag,
    Unit.NUMBER: number,
    Unit.TEXT: number,
}


def of_metric(value: float, metric: Metric) -> str:
    """Return a metric's value in its unit; with a sign where its sign is a direction."""
    if metric.signed and metric.unit is Unit.PERCENT:
        return percent(value)
    if metric.signed and math.isfinite(value) and value > 0:
        return f"+{_WRITTEN[metric.unit](value)}"
    return _WRITTEN[metric.unit](value)


def sparkline(values: list[float], width: int) -> str:
    """Return the last values as bars between their least and greatest; blanks where missing."""
    shown = sampled(values, width)
    known = [value for value in shown if math.isfinite(value)]
    if not known:
        return " " * width
    low, high = min(known), max(known)
    span = high - low
    top = len(SPARKS) - 1
    flat = SPARKS[3]
    bars = (
        " "
        if not math.isfinite(v)
        else flat
        if span <= 0
        else SPARKS[round((v - low) / span * top)]
        for v in shown
    )
    return "".join(bars).rjust(width)


def sampled(values: list[float], width: int) -> list[float]:
    """Return at most `width` values at even steps that end with the last one."""
    if len(values) <= width or width <= 0:
        return values
    step = (len(values) - 1) / max(width - 1, 1)
    return [values[round(at * step)] for at in range(width)]


def speed(value: float, *, paused: bool = False) -> str:
    """Return a replay speed, as in 10× or max."""
    if paused:
        return "paused"
    if math.isinf(value):
        return "max"
    return f"{value:g}×"


def span(seconds: float) -> str:
    """Return a length of time, as in 0:42 or 1:05:10."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def link(feed: Feed) -> str:
    """Return how a live feed stands, as in DOWN 0:42, retry in 3 s."""
    if feed.phase is Phase.DOWN:
        retry = f", retry in {feed.retry_s:.0f} s" if feed.retry_s else ", retrying"
        return f"DOWN {span(feed.since_s)}{retry}"
    if feed.phase is Phase.SILENT:
        return "silent"
    if feed.phase is Phase.CATCHING_UP:
        return f"catching up {feed.progress * 100:.0f} %"
    return str(feed.phase.value)


def clock(ns: int) -> str:
    """Return a New York time of day."""
    return f"{new_york_time(ns):%H:%M:%S}"


def day(ns: int) -> str:
    """Return a New York date, as in Mon 15 Jun."""
    return f"{new_york_time(ns):%a %d %b}"


def minute(number: int) -> str:
    """Return the New York time of a minute that counts from 1970."""
    return f"{new_york_time(number * 60_000_000_000):%H:%M}"


def session_word(session: Session) -> str:
    """Return the session's name as the status line has it."""
    return {
        Session.PRE: "PRE",
        Session.REGULAR: "REGULAR",
        Session.POST: "POST",
        Session.CLOSED: "CLOSED",
    }[session]
