"""One job of a backtest: saved files or a stored day's bars through an engine that watches rules.

A job is done in a process of its own, or in the one that asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from time import perf_counter

import numpy as np

from stockscan_tui.clock import SystemClock
from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.feed.bar_file import write_bars
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market.batch import BarBatch
from stockscan_tui.market.calendar import MINUTE_NS, Calendar, TradingDay
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.own import Own
from stockscan_tui.market.snapshot import CloseSource, Feed
from stockscan_tui.report.outcome import DayMarks, Floats, Followed, follow
from stockscan_tui.run.common import STORED_MINUTES
from stockscan_tui.run.nowhere import Nowhere
from stockscan_tui.run.reference import Fetching, Sources
from stockscan_tui.run.scratch import Scratch
from stockscan_tui.run.workers import GoOn
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.gates import Gates
from stockscan_tui.scan.rules import Rules
from stockscan_tui.store.inquiry import Inquiry
from stockscan_tui.store.reader import Reader

LOOK_S = 0.2
STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is the same for all jobs of a backtest.

    Attributes:
        rules: What is watched.
        calendar: The exchange's trading days.
        own: The user's watchlists and table.
        gates: What would keep alerts from being delivered.
        names: What may stand in gates besides metrics.
        mark_mode: `kernel.MARK_AUTO`, `MARK_TRADE` or `MARK_MID`.
    """

    rules: Rules
    calendar: Calendar
    own: Own
    gates: Gates
    names: Names
    mark_mode: int


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


class DayPlayer(ReplayEngine):
    """A replay without a database that keeps the marks of every minute, and follows firings.

    Args:
        files: What to play.
        given: What the engine works with.
        options: How the run is to go.
        conditions: The rules, and what else counts.
        done: Told each session date's firings once it is over, on the engine's thread.
    """

    def __init__(
        self,
        files: Sequence[DbnFile],
        given: Surroundings,
        options: Options,
        conditions: Conditions,
        done: Callable[[Followed], None],
    ) -> None:
        super().__init__(files, given, options)
        self._done = done
        self._fired: list[Fired] = []
        self._minutes: list[int] = []
        self._marks: Floats = np.empty((0, 0))
        self._of_bars = all(file.schema == "ohlcv-1m" for file in files)
        self._movers = {rule.name for rule in conditions.rules.rules if rule.when is None}
        self.know_own(conditions.own)
        self.on_fired(self._fired.extend)

    def _play(self) -> None:
        super()._play()
        day = self._market.day
        if day is not None and not self._stopping.is_set():
            self._follow(day)

    def _close_minute(self) -> None:
        boundary_ns, day = self._boundary_ns, self._market.day
        super()._close_minute()
        history = self._market.mark_history
        if day is self._market.day and day is not None and history:
            self._keep_marks(day, boundary_ns, history[-1])

    def _turn_to(self, day: TradingDay, at_ns: int) -> None:
        before = self._market.day
        super()._turn_to(day, at_ns)
        if before is not None:
            self._follow(before)

    def _keep_marks(self, day: TradingDay, close_ns: int, marks: Floats) -> None:
        if not day.pre_ns < close_ns <= day.post_end_ns:
            return
        row, count = len(self._minutes), len(marks)
        if count > self._marks.shape[1]:
            # A page that nothing is written to takes no memory.
            minutes = (day.post_end_ns - day.pre_ns) // MINUTE_NS
            wider = np.empty((minutes, max(self._market.capacity, count)))
            wider[:row, : self._marks.shape[1]] = self._marks[:row]
            wider[:row, self._marks.shape[1] :] = np.nan
            self._marks = wider
        self._marks[row, :count] = marks
        self._marks[row, count:] = np.nan
        self._minutes.append(close_ns // MINUTE_NS)

    def _known(self, fired: Fired) -> Fired:
        """Return a firing at the instant at which its price was known.

        A minute's bar happens at its beginning as a record, and tells how the minute ended.
        """
        if not self._of_bars:
            return fired
        within = fired.rule in self._movers or fired.ts_ns % MINUTE_NS > 0
        return replace(fired, ts_ns=(fired.ts_ns // MINUTE_NS + within) * MINUTE_NS)

    def _follow(self, day: TradingDay) -> None:
        """Work out what followed the day's firings, and begin the next day without any."""
        self._tell_fired()
        fired = [self._known(each) for each in self._fired]
        fired.sort(key=lambda each: each.ts_ns)
        self._fired.clear()
        names = self._market.symbols.names
        # Nothing is known of what lies behind the day's last record.
        minute = np.array(self._minutes, np.int64)
        minute = minute[minute <= self._market.clock_ns // MINUTE_NS + 1]
        marks = DayMarks(
            session_date=day.session_date,
            minute=minute,
            dollars=self._marks[: len(minute), : len(names)],
            regular_close=day.post_ns // MINUTE_NS,
        )
        slots = {symbol: slot for slot, symbol in enumerate(names)}
        self._done(follow(fired, marks, slots))
        self._minutes = []
        self._marks = np.empty((0, 0))


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
    problems: list[str] = []
    fetching = Fetching(job.reference, calendar, cancelled=lambda: False, say=problems.append)
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
        return _run([DbnFile(path)], given, job.given, go_on)
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


def _run(
    files: Sequence[DbnFile], given: Surroundings, conditions: Conditions, go_on: GoOn
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
    engine = DayPlayer(files, given, options, conditions, days.append)
    began = perf_counter()
    engine.start()
    while not engine.join(LOOK_S):
        if not go_on(engine.feed().progress):
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
