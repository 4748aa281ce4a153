"""What a metric is, and how one is named: `chg`, `chg(5m)`, `high(pre)`, `rsi(14, 5m)`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from stockscan_tui.market.calendar import Session
from stockscan_tui.market.indicator import INTERVALS
from stockscan_tui.market.snapshot import Floats, Snapshot

MAX_WINDOW_MINUTES = 120
MAX_PERIOD = 500
DAY = "day"
SPANS = {
    "pre": (Session.PRE,),
    "regular": (Session.REGULAR,),
    "post": (Session.POST,),
    DAY: (Session.PRE, Session.REGULAR, Session.POST),
}


class Unit(Enum):
    """What a metric is counted in."""

    PRICE = "price"
    PERCENT = "percent"
    COUNT = "count"
    DOLLARS = "dollars"
    RATIO = "ratio"
    MINUTES = "minutes"
    SECONDS = "seconds"
    FLAG = "flag"
    NUMBER = "number"
    TEXT = "text"


class Takes(Enum):
    """What may stand in the brackets after a metric's name."""

    NOTHING = "nothing"
    WINDOW = "a window, as in (5m)"
    SPAN = "a session, as in (pre)"
    WINDOW_OR_SPAN = "a window or a session, as in (5m) or (pre)"
    PERIOD = "a period and the minutes of a bar, as in (14) or (14, 5m)"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number about a symbol.

    Attributes:
        name: How users write it, in small letters.
        title: The head of its column.
        unit: What it is counted in.
        function: Takes the snapshot and the key with its arguments; gives a value per symbol, NaN
            where a symbol lacks it; flags are 0 and 1.
        doc: A sentence that says what it is.
        takes: What may stand in brackets.
        signed: Whether its sign is a direction, up or down.
        windows: The windows it allows; empty for all up to MAX_WINDOW_MINUTES.
        sampled: Whether it counts a sample of the tape on EQUS.MINI, so that its title takes a ~.
    """

    name: str
    title: str
    unit: Unit
    function: Callable[[Snapshot, MetricKey], Floats]
    doc: str
    takes: Takes = Takes.NOTHING
    signed: bool = False
    sampled: bool = False
    windows: tuple[int, ...] = ()

    @property
    def example(self) -> str:
        """Return how it is written, with one of its arguments."""
        return {
            Takes.NOTHING: self.name,
            Takes.WINDOW: f"{self.name}(5m)",
            Takes.SPAN: f"{self.name}(day)",
            Takes.WINDOW_OR_SPAN: f"{self.name}(5m)",
            Takes.PERIOD: f"{self.name}(14)",
        }[self.takes]


@dataclass(frozen=True, slots=True)
class MetricKey:
    """A metric with its arguments: what a column, a sort or a comparison refers to.

    Attributes:
        name: The metric's name.
        window: Minutes; of an indicator, the minutes of one bar. 0 for none.
        span: A session of `SPANS`, empty for none.
        period: The bars an indicator looks back on, 0 for none.
    """

    name: str
    window: int = 0
    span: str = ""
    period: int = 0

    def __str__(self) -> str:
        if self.period:
            bars = f", {self.window}m" if self.window > 1 else ""
            return f"{self.name}({self.period}{bars})"
        inner = self.span or (f"{self.window}m" if self.window else "")
        return f"{self.name}({inner})" if inner else self.name


_WINDOW = re.compile(r"^(\d{1,3})\s*m?$")
_PERIOD = re.compile(r"^\d{1,3}$")


def key_of(metric: Metric, arguments: tuple[str, ...]) -> MetricKey | str:
    """Return a metric with what stands in its brackets, or a sentence on what is wrong there."""
    if metric.takes is Takes.PERIOD:
        return _with_period(metric, arguments)
    if not arguments:
        return (
            f"{metric.name} takes {metric.takes.value}."
            if metric.windows
            else MetricKey(metric.name)
        )
    if metric.takes is Takes.NOTHING:
        return f"{metric.name} takes nothing in brackets."
    if len(arguments) > 1:
        return f"{metric.name} takes {metric.takes.value}."
    return _with_one(metric, arguments[0].strip())


def _with_one(metric: Metric, said: str) -> MetricKey | str:
    if metric.takes in (Takes.SPAN, Takes.WINDOW_OR_SPAN) and said in SPANS:
        return MetricKey(metric.name, span=said)
    window = _WINDOW.match(said)
    if metric.takes is Takes.SPAN or window is None:
        return f"{metric.name} takes {metric.takes.value}; sessions are {', '.join(SPANS)}."
    minutes = int(window.group(1))
    if metric.windows and minutes not in metric.windows:
        allowed = ", ".join(f"{each}m" for each in metric.windows)
        return f"{metric.name}({said}): its windows are {allowed}."
    if not 1 <= minutes <= MAX_WINDOW_MINUTES:
        return f"{metric.name}({said}): a window is 1 to {MAX_WINDOW_MINUTES} minutes."
    return MetricKey(metric.name, window=minutes)


def _with_period(metric: Metric, arguments: tuple[str, ...]) -> MetricKey | str:
    said = [argument.strip() for argument in arguments]
    interval = _WINDOW.match(said[1]) if len(said) == 2 else None
    if not 1 <= len(said) <= 2 or not _PERIOD.match(said[0]) or (len(said) == 2 and not interval):
        return f"{metric.name} takes {metric.takes.value}."
    period, minutes = int(said[0]), int(interval.group(1)) if interval else 1
    least = 2 if metric.name.startswith(("rsi", "atr")) else 1
    if not least <= period <= MAX_PERIOD:
        return f"{metric.name}: a period is {least} to {MAX_PERIOD} bars."
    if minutes not in INTERVALS:
        return f"{metric.name}: bars have 1, 5 or 15 minutes."
    return MetricKey(metric.name, window=minutes, period=period)
