"""One job of a backtest: saved files or a stored day's bars through an engine that watches rules.

A job is done in a process of its own, or in the one that asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from time import perf_counter

import numpy as np

from stockscan_tui.clock import SystemClock
from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.feed.bar_file import write_bars
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market.batch import BarBatch
from stockscan_tui.market.snapshot import CloseSource, Feed
from stockscan_tui.report.outcome import Followed
from stockscan_tui.run.common import STORED_MINUTES
from stockscan_tui.run.day_player import Conditions, DayPlayer, TradeCounts
from stockscan_tui.run.null_sink import Nowhere
from stockscan_tui.run.reference import Fetching, Sources
from stockscan_tui.run.scratch import Scratch
from stockscan_tui.run.workers import GoOn
from stockscan_tui.store.inquiry import Inquiry
from stockscan_tui.store.reader import Reader

LOOK_S = 0.2
STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class FilesJob:
    """Files that are played as one timeline.

    Attributes:
        given: The conditions.
        files: The files.
        closes: Previous closes.
        undated: Closes of the trading day before the first, in dollars by symbol.
        volumes: The average day's volume by symbol.
    """

    given: Conditions
    files: tuple[Path, ...]
    closes: PreviousCloses
    undated: Mapping[str, float] = field(default_factory=dict)
    volumes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BarsJob:
    """The stored bars of a session date.

    Attributes:
        given: The conditions.
        database: Where they are stored; whoever gives the job keeps writers away from it.
        session_date: The date.
        reference: Where closes, splits and average volumes come from besides.
    """

    given: Conditions
    database: Path
    session_date: date
    reference: Sources


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What came of a job.

    Attributes:
        days: Its session dates, in order.
        records: How many records were played.
        elapsed_s: How long that took.
        problems: What went wrong, in sentences.
        corrupt: Whether a file is broken in its middle.
    """

    days: tuple[Followed, ...]
    records: int
    elapsed_s: float
    problems: tuple[str, ...]
    corrupt: bool


def play(job: FilesJob | BarsJob, go_on: GoOn) -> Played | None:
    """Do a job; returns None where it was given up.

    Raises:
        StockscanError: The files or the database cannot be used.
    """
    if isinstance(job, FilesJob):
        return _play_files(job, go_on)
    return _play_bars(job, go_on)


def _play_files(job: FilesJob, go_on: GoOn) -> Played | None:
    given = Surroundings(
        calendar=job.given.calendar,
        closes=job.closes,
        sink=Nowhere(),
        clock=SystemClock(),
        undated=job.undated,
        volumes=job.volumes,
    )
    return _run([DbnFile(path) for path in job.files], given, job.given, go_on)


def _play_bars(job: BarsJob, go_on: GoOn) -> Played | None:
    calendar, day = job.given.calendar, job.session_date
    fetching = Fetching(job.reference, calendar, cancelled=lambda: False)
    found = fetching.closes(day)
    closes = PreviousCloses(calendar)
    for on, table in found.closes.items():
        closes.add(on, CloseSource.DAILY, table)
    if found.splits is not None:
        closes.splits = found.splits
    reader = Reader.open(job.database, may_be_held=False)
    scratch = Scratch()
    try:
        inquiry = Inquiry(reader)
        volumes = fetching.volumes(day).volumes or inquiry.average_volumes(day)
        given = Surroundings(
            calendar=calendar,
            closes=closes,
            sink=Nowhere(),
            clock=SystemClock(),
            volumes=volumes,
            stored_closes=reader.previous_closes,
            stored_minutes=lambda before, symbols: reader.minutes(
                before - STORED_MINUTES, before, symbols
            ),
            problems=fetching.problems,
        )
        path = scratch.path / "bars.ohlcv-1m.dbn"
        if not _write_day(inquiry, day, path):
            return Played((), 0, 0.0, (), corrupt=False)
        counted = _counted(inquiry, day)
        hours = calendar.day(day)

        def progress(player: DayPlayer) -> float:
            passed_ns = player.event_ns - hours.pre_ns
            return min(max(passed_ns / (hours.post_end_ns - hours.pre_ns), 0.0), 1.0)

        return _run([DbnFile(path)], given, job.given, go_on, counted, progress)
    finally:
        reader.release()
        scratch.close()


def _write_day(inquiry: Inquiry, session_date: date, path: Path) -> bool:
    """Write the stored bars of a session date as a file; returns whether there are any."""
    symbols = inquiry.names()
    bars = inquiry.bars(session_date, symbols)
    if not len(bars):
        return False
    traded, slot = np.unique(bars.symbol, return_inverse=True)
    unknown = np.full(len(bars), -1, np.int64)
    batch = BarBatch(
        slot=slot.reshape(-1).astype(np.int32),
        minute=bars.minute,
        open=bars.open,
        high=bars.high,
        low=bars.low,
        close=bars.close,
        volume=bars.volume,
        trades=unknown,
        notional_dollars=unknown,
        notional_nanos=unknown,
        first_ns=unknown,
        last_ns=unknown,
        source=np.zeros(len(bars), np.uint8),
    )
    names = [symbols[place] for place in traded.tolist()]
    write_bars(path, inquiry.dataset(), names, batch, session_date)
    return True


def _counted(inquiry: Inquiry, session_date: date) -> TradeCounts:
    symbols = inquiry.names()
    place, minute, trades = inquiry.trade_counts(session_date)
    traded, symbol = np.unique(place, return_inverse=True)
    return TradeCounts(
        tuple(symbols[each] for each in traded.tolist()), symbol.reshape(-1), minute, trades
    )


def _run(
    files: Sequence[DbnFile],
    given: Surroundings,
    conditions: Conditions,
    go_on: GoOn,
    counted: TradeCounts | None = None,
    progress: Callable[[DayPlayer], float] = lambda player: player.feed().progress,
) -> Played | None:
    """Play to the end, or until it is given up."""
    schemas = sorted({file.schema or "mixed" for file in files})
    feed = Feed("BACKTEST", files[0].path.name, files[0].dataset, "+".join(schemas))
    options = Options(
        feed,
        mark_mode=conditions.mark_mode,
        refresh_s=math.inf,
        rules=conditions.rules,
        gates=conditions.gates,
        names=conditions.names,
    )
    days: list[Followed] = []
    engine = DayPlayer(files, given, options, conditions, days.append, counted)
    began = perf_counter()
    engine.start()
    while not engine.join(LOOK_S):
        if not go_on(progress(engine)):
            engine.stop()
            engine.join(STOP_S)
            return None
    outcome = engine.outcome()
    go_on(1.0)
    return Played(
        days=tuple(days),
        records=outcome.health.records,
        elapsed_s=perf_counter() - began,
        problems=outcome.health.problems,
        corrupt=outcome.corrupt,
    )
