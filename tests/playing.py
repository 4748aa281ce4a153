"""Plays files through the engine with a sink in memory and a clock that stands still."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from stockscan_tui.engine.core import Engine, Options, Outcome, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.history import MinuteBars
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market import kernel
from stockscan_tui.market.batch import BarBatch, Batch
from stockscan_tui.market.calendar import Calendar
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.snapshot import Feed, Snapshot

BAR_COLUMNS = ("open", "high", "low", "close", "volume", "trades", "notional")


class StillClock:
    """A clock that moves only when it is told to, and never waits."""

    def __init__(self) -> None:
        self.ns = 1

    def now_ns(self) -> int:
        return self.ns

    def wall_ns(self) -> int:
        return self.ns

    def wait(self, event: threading.Event, timeout_s: float) -> None:
        """Let the time that would have been waited pass."""
        self.ns += int(timeout_s * 1e9)


@dataclass(frozen=True)
class _Status:
    queue: int = 0
    error: str = ""
    commits: int = 0
    rows_written: int = 0
    last_batch_ms: float = 0.0
    file_bytes: int = -1
    free_bytes: int = -1


@dataclass
class ListSink:
    """Keeps batches, and the bars as a store would hold them: (symbol, minute) → row."""

    batches: list[Batch] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    bars: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    sources: dict[tuple[str, int], int] = field(default_factory=dict)
    spans: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    def put(self, batch: Batch) -> None:
        assert batch.first_slot == len(self.names)
        self.batches.append(batch)
        self.names.extend(batch.symbols)
        if batch.bars is not None:
            keys = list(zip(batch.bars.slot.tolist(), batch.bars.minute.tolist(), strict=True))
            assert len(set(keys)) == len(keys)
            self._replace(batch.bars)
        if batch.late is not None:
            self._merge(batch.late)

    def status(self) -> _Status:
        return _Status()

    def _replace(self, bars: BarBatch) -> None:
        for at in range(len(bars)):
            key = (self.names[bars.slot[at]], int(bars.minute[at]))
            self.bars[key] = _row(bars, at)
            self.sources[key] = int(bars.source[at])
            self.spans[key] = (int(bars.first_ns[at]), int(bars.last_ns[at]))

    def _merge(self, late: BarBatch) -> None:
        for at in range(len(late)):
            key = (self.names[late.slot[at]], int(late.minute[at]))
            row = _row(late, at)
            ns = int(late.first_ns[at])
            if key not in self.bars:
                self.bars[key], self.spans[key] = row, (ns, ns)
                continue
            old, (first, last) = self.bars[key], self.spans[key]
            self.bars[key] = [
                row[0] if ns < first else old[0],
                max(old[1], row[1]),
                min(old[2], row[2]),
                row[3] if ns >= last else old[3],
                *(a + b for a, b in zip(old[4:], row[4:], strict=True)),
            ]
            self.spans[key] = (min(first, ns), max(last, ns))


def _row(bars: BarBatch, at: int) -> list[int]:
    notional = int(bars.notional_dollars[at]) * 10**9 + int(bars.notional_nanos[at])
    names = ("open", "high", "low", "close", "volume", "trades")
    return [*(int(getattr(bars, name)[at]) for name in names), notional]


@dataclass(frozen=True)
class Played:
    """What came of a run."""

    engine: Engine
    sink: ListSink
    outcome: Outcome
    snapshot: Snapshot

    def value(self, field_name: str, symbol: str) -> float:
        """Return one symbol's value of a snapshot's column."""
        row = list(self.snapshot.symbols).index(symbol)
        return float(getattr(self.snapshot, field_name)[row])


@cache
def weekdays() -> Calendar:
    """Return a calendar of all weekdays of 2019 to 2027; 2026-06-19 and 2020-12-25 are holidays."""
    days = pd.bdate_range("2019-01-01", "2027-12-31").date
    holidays = {date(2026, 6, 19), date(2020, 12, 25)}
    half_days = {date(2026, 7, 2)}
    return Calendar(
        (day, time(13) if day in half_days else time(16)) for day in days if day not in holidays
    )


def play(
    files: Path | Sequence[Path],
    *,
    closes: PreviousCloses | None = None,
    undated: Mapping[str, float] | None = None,
    speed: float = math.inf,
    start_at: time | None = None,
    mark_mode: int = kernel.MARK_AUTO,
    indicators: frozenset[IndicatorKey] = frozenset(),
    verify: MinuteBars | None = None,
) -> Played:
    """Play to the end."""
    paths = [files] if isinstance(files, Path) else list(files)
    sink = ListSink()
    engine = ReplayEngine(
        [DbnFile(path) for path in paths],
        Surroundings(
            calendar=weekdays(),
            closes=closes or PreviousCloses(weekdays()),
            sink=sink,
            clock=StillClock(),
            undated=undated,
        ),
        Options(
            Feed("REPLAY", "test", "EQUS.MINI", "mbp-1"),
            mark_mode=mark_mode,
            refresh_s=math.inf,
            indicators=indicators,
        ),
        speed=speed,
        start_at=start_at,
        verify=verify,
    )
    engine.start()
    assert engine.join(60)
    outcome = engine.outcome()
    snapshot = engine.snapshot()
    assert snapshot is not None
    return Played(engine, sink, outcome, snapshot)


def bars_by_pandas(
    records: np.ndarray[tuple[int], np.dtype[np.void]], symbols: dict[int, str]
) -> dict[tuple[str, int], list[int]]:
    """Return (symbol, minute) → [open, high, low, close, volume, trades, notional], by pandas."""
    frame = pd.DataFrame(
        {name: records[name] for name in ("ts_recv", "instrument_id", "price", "size")}
    )
    is_trade = (records["rtype"] == 0) | (records["action"] == b"T")
    frame = frame[is_trade & (frame["size"] > 0)].astype("int64")
    frame["minute"] = frame["ts_recv"] // 60_000_000_000
    frame = frame.sort_values("ts_recv", kind="stable")
    found = {}
    for (number, minute), group in frame.groupby(["instrument_id", "minute"]):
        prices, sizes = group["price"].tolist(), group["size"].tolist()
        notional = sum(p * s for p, s in zip(prices, sizes, strict=True))
        key = (symbols[int(number)], int(minute))
        ends = [prices[0], max(prices), min(prices), prices[-1]]
        found[key] = [*ends, sum(sizes), len(sizes), notional]
    return found


def next_day(day: date) -> date:
    """Return the calendar day after."""
    return day + timedelta(days=1)
