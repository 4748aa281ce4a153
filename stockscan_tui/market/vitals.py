"""How the run itself fares: what the health panel shows of feed, records, lag and disk.

The engine's thread makes a `Vitals` at most once per picture; any thread may keep and read it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.batch import Gap
from stockscan_tui.market.calendar import SECOND_NS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# A lag meter's buckets: each is so much wider than the one before, the first ends here.
_RATIO = 1.03
_LEAST_MS = 0.05
_BUCKETS = 640
_SLICE_NS = 5 * SECOND_NS
_SLICES = 12


@dataclass(frozen=True, slots=True)
class Flow:
    """Records of one kind: how many since the run began, and per second of wall time now."""

    name: str
    records: int = 0
    per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Lag:
    """How long something took over the last minute, in ms; NaN where nothing was measured.

    `least_ms` below zero says that this machine's clock is behind the other one.
    """

    p50_ms: float = math.nan
    p99_ms: float = math.nan
    max_ms: float = math.nan
    least_ms: float = math.nan
    samples: int = 0


class LagMeter:
    """A histogram of the last minute, in buckets that grow by 3 %; for one thread.

    Quantiles are right to 2 %; whatever is under 0.05 ms, or under zero, is told as the least.
    """

    def __init__(self) -> None:
        self._counts = np.zeros((_SLICES, _BUCKETS), np.int64)
        self._least: Floats = np.full(_SLICES, math.inf)
        self._most: Floats = np.full(_SLICES, -math.inf)
        self._slice = 0

    def note(self, now_ns: int, lag_ms: float) -> None:
        """Take a lag that was seen at an instant of the monotonic clock."""
        self._go_on(now_ns)
        place = self._slice % _SLICES
        bucket = 0
        if lag_ms > _LEAST_MS:
            bucket = min(int(math.log(lag_ms / _LEAST_MS) / math.log(_RATIO)) + 1, _BUCKETS - 1)
        self._counts[place, bucket] += 1
        self._least[place] = min(self._least[place], lag_ms)
        self._most[place] = max(self._most[place], lag_ms)

    def figures(self, now_ns: int) -> Lag:
        """Return what was seen in the minute up to an instant of the monotonic clock."""
        self._go_on(now_ns)
        seen = np.cumsum(self._counts.sum(axis=0))
        samples = int(seen[-1])
        if not samples:
            return Lag()
        least, most = float(self._least.min()), float(self._most.max())
        return Lag(
            p50_ms=_quantile(seen, 0.5, least, most),
            p99_ms=_quantile(seen, 0.99, least, most),
            max_ms=most,
            least_ms=least,
            samples=samples,
        )

    def _go_on(self, now_ns: int) -> None:
        """Forget what is over a minute old."""
        newest = now_ns // _SLICE_NS
        for old in range(max(self._slice + 1, newest - _SLICES + 1), newest + 1):
            place = old % _SLICES
            self._counts[place] = 0
            self._least[place], self._most[place] = math.inf, -math.inf
        self._slice = max(self._slice, newest)


def _quantile(seen: Integers, share: float, least: float, most: float) -> float:
    bucket = int(np.searchsorted(seen, share * seen[-1]))
    if bucket == 0:
        return least
    middle = float(_LEAST_MS * _RATIO ** (bucket - 0.5))
    return min(max(middle, least), most)


def _none() -> Integers:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """Bars a minute, of the last minutes that are over and belong to a session, oldest first.

    `minute` counts from 1970; `usual` is NaN where nothing is known of it, `source` says in words
    where it comes from. `whole` says whether the feed was there for all of the newest minute.
    """

    minute: Integers = field(default_factory=_none)
    bars: Integers = field(default_factory=_none)
    usual: Floats = field(default_factory=lambda: np.zeros(0))
    source: str = ""
    whole: bool = True

    @property
    def now(self) -> float:
        """The bars of the newest minute, NaN before there is one."""
        return float(self.bars[-1]) if len(self.bars) else math.nan

    @property
    def usual_now(self) -> float:
        """What is usual for the newest minute, NaN where that is not known."""
        return float(self.usual[-1]) if len(self.usual) else math.nan

    @property
    def share(self) -> float:
        """The newest minute's bars as a part of the usual, NaN where that is not known."""
        usual = self.usual_now
        return self.now / usual if usual > 0 else math.nan


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """How the database fares; -1 and NaN where something is not known.

    Attributes:
        queue: Batches that are not committed yet.
        rows: Bars that are.
        batch_ms: How long the last batch took.
        commit_age_s: Wall seconds since the last commit.
        file_bytes: The size of the database's file.
        free_bytes: What is left on its disk.
    """

    queue: int = 0
    rows: int = 0
    batch_ms: float = math.nan
    commit_age_s: float = math.nan
    file_bytes: int = -1
    free_bytes: int = -1


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that a trader is to be told of, when it begins and when it is over.

    `id` is the same for as long as it lasts; both sentences may hold text as it came from outside.
    """

    id: str
    sentence: str
    over: str


@dataclass(frozen=True, slots=True, eq=False)
class Vitals:
    """What a run knows of itself.

    Attributes:
        flows: Records by kind.
        pace: Bars a minute.
        silent_s: Wall seconds since anything came, a heartbeat included; NaN for no live feed.
        gaps: The gaps of the feed, the newest first.
        lag: From the exchange to us; nothing in simulated time or in a replay.
        store: The database.
        slow_reader: Warnings of the gateway that this machine reads too slowly.
        rss_mb: Resident memory, NaN where it is not known.
        completeness: Of the whole market, 0 to 1; NaN before the first minute is over.
        troubles: What is wrong now and is to be told.
    """

    flows: tuple[Flow, ...] = ()
    pace: Pace = field(default_factory=Pace)
    silent_s: float = math.nan
    gaps: tuple[Gap, ...] = ()
    lag: Lag = field(default_factory=Lag)
    store: StoreFigures = field(default_factory=StoreFigures)
    slow_reader: int = 0
    rss_mb: float = math.nan
    completeness: float = math.nan
    troubles: tuple[Trouble, ...] = ()
