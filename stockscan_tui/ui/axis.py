"""The replay bar's axis: which instant stands in which cell, without the hours that are closed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from itertools import accumulate

import numpy as np

from stockscan_tui.market.calendar import (
    MINUTE_NS,
    SECOND_NS,
    TradingDay,
    new_york_ns,
    new_york_time,
)
from stockscan_tui.market.snapshot import Floats, Integers, Timeline

_MOST_DAYS = 400
_PRE, _POST_END = time(4, 0), time(20, 0)


@dataclass(frozen=True, slots=True)
class Axis:
    """Spans of time that are shown one after the other, in cells of one length.

    Attributes:
        spans: Begin and end of each in ns since 1970, whole minutes, in order and apart.
        begins_ns: By span, how much time is shown before it; and the sum of all at the end.
    """

    spans: tuple[tuple[int, int], ...]
    begins_ns: tuple[int, ...]

    @classmethod
    def of(cls, spans: Sequence[tuple[int, int]]) -> Axis:
        """Return the axis over at least one span."""
        lengths = (end - begin for begin, end in spans)
        return cls(tuple(spans), tuple(accumulate(lengths, initial=0)))

    @property
    def length_ns(self) -> int:
        """How much time is shown."""
        return self.begins_ns[-1]

    def offsets(self, ns: Integers) -> Integers:
        """Return how far instants are from the beginning; the nearest shown where one is not."""
        begins, ends = (np.array(edges, np.int64) for edges in zip(*self.spans, strict=True))
        at = np.maximum(np.searchsorted(begins, ns, "right") - 1, 0)
        within = np.clip(ns, begins[at], ends[at]) - begins[at]
        offsets: Integers = np.array(self.begins_ns, np.int64)[at] + within
        return offsets

    def offset(self, ns: int) -> int:
        """Return how far an instant is from the beginning; of the nearest one that is shown."""
        at = max(bisect_right(self.spans, ns, key=_begin_of) - 1, 0)
        begin, end = self.spans[at]
        return self.begins_ns[at] + max(begin, min(ns, end)) - begin

    def instant(self, offset_ns: int) -> int:
        """Return the instant so far from the beginning; at the edge of two spans the later."""
        shown = max(0, min(offset_ns, self.length_ns))
        at = min(bisect_right(self.begins_ns, shown), len(self.spans)) - 1
        return self.spans[at][0] + shown - self.begins_ns[at]

    def cell(self, ns: int, width: int) -> int:
        """Return the cell of `width` in which an instant stands."""
        return min(self.offset(ns) * width // self.length_ns, width - 1)

    def cells(self, ns: Integers, width: int) -> Integers:
        """Return the cells of `width` in which instants stand."""
        cells: Integers = np.minimum(self.offsets(ns) * width // self.length_ns, width - 1)
        return cells

    def instant_at(self, cell: int, width: int) -> int:
        """Return the first whole minute in a cell; the first second or ns where it is short."""
        length = self.length_ns
        first = -(-max(0, min(cell, width - 1)) * length // width)
        step = next((s for s in (MINUTE_NS, SECOND_NS) if s * width <= length), 1)
        return self.instant(-(-first // step) * step)


def _begin_of(span: tuple[int, int]) -> int:
    return span[0]


def axis_of(timeline: Timeline) -> Axis:
    """Return the axis over the sessions of all days that a replay can be moved over."""
    begin_ns = timeline.begin_ns // MINUTE_NS * MINUTE_NS
    last_ns = max(timeline.end_ns, timeline.reached_ns, begin_ns + 1)
    end_ns = -(-last_ns // MINUTE_NS) * MINUTE_NS
    hours = [(day.pre_ns, day.post_end_ns) for day in timeline.days]
    hours += _likely_hours(timeline.days, begin_ns, end_ns)
    spans = [(max(a, begin_ns), min(b, end_ns)) for a, b in hours]
    return Axis.of([(a, b) for a, b in spans if a < b] or [(begin_ns, end_ns)])


def _likely_hours(
    days: Sequence[TradingDay], begin_ns: int, end_ns: int
) -> Iterator[tuple[int, int]]:
    """Yield pre-market to post-market of the weekdays that come after those that are known."""
    first = new_york_time(begin_ns).date()
    if days:
        first = max(first, days[-1].session_date + timedelta(days=1))
    last = min(new_york_time(end_ns).date(), first + timedelta(days=_MOST_DAYS))
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        if day.weekday() < 5:
            yield new_york_ns(day, _PRE), new_york_ns(day, _POST_END)


def activity(timeline: Timeline, axis: Axis, width: int) -> Floats:
    """Return the records a minute in each of `width` cells."""
    minutes = np.zeros(axis.length_ns // MINUTE_NS)
    at = axis.offsets(timeline.minute * MINUTE_NS) // MINUTE_NS
    # What lies outside is not heaped up on the edge: it would dwarf the day.
    np.maximum.at(minutes, np.minimum(at, len(minutes) - 1), timeline.records)
    total = np.concatenate(([0.0], np.cumsum(minutes)))
    edges = np.linspace(0.0, len(minutes), width + 1)
    busy: Floats = np.diff(np.interp(edges, np.arange(len(total)), total)) * width / len(minutes)
    return busy


def touched(axis: Axis, begin_ns: int, end_ns: int, width: int) -> range:
    """Return the cells that a span of time touches, none where it lies in closed hours."""
    begin, end = axis.offset(begin_ns), axis.offset(end_ns)
    if begin >= end:
        return range(0)
    last = -(-end * width // axis.length_ns)
    return range(min(begin * width // axis.length_ns, width - 1), min(last, width))
