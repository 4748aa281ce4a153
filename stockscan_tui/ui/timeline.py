"""What the replay bar shows, cell by cell: activity, sessions, alerts, gaps, and where one is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stockscan_tui.market.calendar import MINUTE_NS, TradingDay, new_york_time
from stockscan_tui.market.snapshot import Integers, Timeline
from stockscan_tui.ui.axis import Axis, activity, touched

BLOCKS = " ▁▂▃▄▅▆▇█"
UNSEEN, EDGE, DAY_EDGE, PART_GONE, GONE, HERE, GOAL = "·╎║×░┃▷"
_STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 240)
LABEL_CELLS = 8
_LEAST_FOR_EDGES = 24


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the bar.

    Attributes:
        sign: What stands there.
        look: Which of played, ahead, unseen, edge, gone, here and goal it is.
        alert: Whether an alert fired there.
        regular: Whether it begins within regular hours.
    """

    sign: str
    look: str
    alert: bool = False
    regular: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """A word under the bar: from which cell on it stands, and whether it is a date's."""

    at: int
    text: str
    dated: bool = False


def cells_of(
    timeline: Timeline, axis: Axis, width: int, here_ns: int, goal_ns: int = 0
) -> list[Cell]:
    """Return the bar's cells, left to right.

    Args:
        timeline: What is known.
        axis: Its axis.
        width: How many cells.
        here_ns: The instant that is shown, in ns since 1970.
        goal_ns: The instant that is being moved to, 0 for none.
    """
    here, reached = axis.cell(here_ns, width), axis.cell(timeline.reached_ns, width)
    signs = _signs(timeline, axis, width, reached)
    looks = ["played" if at <= here else "ahead" for at in range(width)]
    looks[reached + 1 :] = ["unseen"] * (width - reached - 1)
    for at, sign in _edges(timeline.days, axis, width):
        signs[at], looks[at] = sign, "edge"
    for at, sign in _gaps(timeline, axis, width):
        signs[at], looks[at] = sign, "gone"
    if goal_ns:
        goal = axis.cell(goal_ns, width)
        signs[goal], looks[goal] = GOAL, "goal"
    signs[here], looks[here] = HERE, "here"
    fired = _alerts(timeline, axis, width)
    regular = _regular(timeline.days, axis, width)
    return [Cell(*cell) for cell in zip(signs, looks, fired, regular, strict=True)]


def _signs(timeline: Timeline, axis: Axis, width: int, reached: int) -> list[str]:
    """Return blocks for what has been passed; by the root, so that a quiet hour is seen too."""
    busy = activity(timeline, axis, width)
    most = float(busy.max()) or 1.0
    levels = np.ceil(np.sqrt(busy / most) * (len(BLOCKS) - 1)).astype(np.int64).tolist()
    return [BLOCKS[level] if at <= reached else UNSEEN for at, level in enumerate(levels)]


def _edges(days: Sequence[TradingDay], axis: Axis, width: int) -> Iterator[tuple[int, str]]:
    """Yield the last cells of pre-market, regular hours and days, where there is room."""
    roomy = width >= _LEAST_FOR_EDGES * len(axis.spans)
    inner = (ns for day in days for ns in (day.regular_ns, day.post_ns))
    edges = [(ns, EDGE) for ns in inner if roomy]
    edges += [(begin, DAY_EDGE) for begin, _ in axis.spans[1:]]
    for ns, sign in edges:
        inside = any(begin < ns < end for begin, end in axis.spans)
        at = axis.cell(ns, width) - 1
        if at > 0 and (inside or sign == DAY_EDGE):
            yield at, sign


def _gaps(timeline: Timeline, axis: Axis, width: int) -> Iterator[tuple[int, str]]:
    for doubt in timeline.doubts:
        end_ns = min(doubt.to_ns, timeline.reached_ns)
        begin, end = axis.offset(doubt.from_ns), axis.offset(end_ns)
        for at in touched(axis, doubt.from_ns, end_ns, width):
            edges = (at * axis.length_ns, (at + 1) * axis.length_ns)
            whole = begin * width <= edges[0] and edges[1] <= end * width
            yield at, GONE if whole else PART_GONE


def _alerts(timeline: Timeline, axis: Axis, width: int) -> list[bool]:
    fired = np.zeros(width, np.bool_)
    fired[axis.cells(timeline.alerts, width)] = True
    return [bool(cell) for cell in fired]


def _regular(days: Sequence[TradingDay], axis: Axis, width: int) -> list[bool]:
    regular = [False] * width
    for day in days:
        for at in touched(axis, day.regular_ns, day.post_ns, width):
            regular[at] = True
    return regular


def labels_of(axis: Axis, width: int, room: int) -> list[Label]:
    """Return round hours, and with several days their dates, so that none touches another.

    Only the first `room` of the `width` cells are written to.
    """
    several = len(axis.spans) > 1
    minutes = axis.length_ns // MINUTE_NS
    fitting = (step for step in _STEPS_MIN if step * width >= LABEL_CELLS * minutes)
    step = next(fitting, None)
    labels: list[Label] = []
    for begin_ns, end_ns in axis.spans:
        first = axis.cell(begin_ns, width)
        if several and (not labels or first >= labels[-1].at + len(labels[-1].text) + 1):
            labels.append(Label(first, f"{new_york_time(begin_ns):%a %d}", dated=True))
        for ns in _round(begin_ns, end_ns, step) if step is not None else ():
            at = axis.cell(ns, width)
            free = labels[-1].at + len(labels[-1].text) + 1 if labels else 0
            if at >= free and at + LABEL_CELLS - 2 <= room:
                labels.append(Label(at, f"╵{new_york_time(ns):%H:%M}"))
    return [label for label in labels if label.at + len(label.text) <= room]


def _round(begin_ns: int, end_ns: int, step: int) -> Iterator[int]:
    """Yield the instants of a span whose New York time is a multiple of `step` minutes."""
    local = new_york_time(begin_ns)
    since_midnight = local.hour * 60 + local.minute
    ahead = -since_midnight % step
    yield from range(begin_ns + ahead * MINUTE_NS, end_ns, step * MINUTE_NS)


def session_labels(
    days: Sequence[TradingDay], axis: Axis, width: int, alerts: Integers
) -> list[Label]:
    """Return the sessions' names where they begin, as far as they fit beside the alerts."""
    taken = set(axis.cells(alerts, width).tolist())
    labels: list[Label] = []
    for day in days:
        edges = (day.pre_ns, day.regular_ns, day.post_ns, day.post_end_ns)
        for word, begin, end in zip(("pre", "regular", "post"), edges, edges[1:], strict=False):
            cells = touched(axis, begin, end, width)
            free = (at for at in cells[: -len(word)] if taken.isdisjoint(range(at, at + len(word))))
            at = next(free, None)
            if at is not None:
                labels.append(Label(at, word))
    return labels


def reason_at(timeline: Timeline, begin_ns: int, end_ns: int) -> str:
    """Return why the feed is not known to have been whole within a span, empty where it was."""
    found = (d.reason for d in timeline.doubts if d.from_ns < end_ns and begin_ns < d.to_ns)
    return next(found, "")


def edge_label(axis: Axis, *, end: bool) -> str:
    """Return the bar's first or last time, as a date where it spans several days."""
    if len(axis.spans) > 1:
        return f"{new_york_time(axis.spans[-1 if end else 0][0]):%a %d}"
    return f"{new_york_time(axis.spans[0][1 if end else 0]):%H:%M}"
