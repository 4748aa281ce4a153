"""A replay put together: files, calendar, closes, database and engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from pathlib import Path

from stockscan_tui.clock import Clock
from stockscan_tui.config import cache_folder, replay_database
from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.engine.seeking import Seeking
from stockscan_tui.errors import InputError
from stockscan_tui.feed.bar_file import read_bars
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.exchange import load_calendar
from stockscan_tui.feed.reference import (
    CloseFile,
    PreviousCloses,
    closes_beside,
    read_closes,
)
from stockscan_tui.log import LOG
from stockscan_tui.market import kernel
from stockscan_tui.market.calendar import Calendar, utc_date
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.snapshot import CloseSource, Feed
from stockscan_tui.market.text import printable
from stockscan_tui.run.common import (
    CLOSE_TIMEOUT_S,
    Run,
    Summary,
    learn_closes,
    options_of,
    volumes_of,
)
from stockscan_tui.run.housekeeping import Housekeeping
from stockscan_tui.run.reference import Fetching, Sources, session_dates
from stockscan_tui.run.scratch import Scratch
from stockscan_tui.scan.rules.ruling import Ruling
from stockscan_tui.store.recovery import Recovering
from stockscan_tui.store.writer import Writer


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What to replay and how; see `stockscan replay --help` for the meaning of each."""

    files: tuple[Path, ...]
    mode: str = "REPLAY"
    simulated: bool = False
    speed: float = math.inf
    start_at: time | None = None
    prev_close: Path | None = None
    verify: Path | None = None
    database: Path | None = None
    mark: str = "auto"
    keep_replays: int = 20
    refresh_s: float = 0.1
    indicators: frozenset[IndicatorKey] = frozenset()
    ruling: Ruling = field(default_factory=Ruling)
    reference: Sources | None = None
    say: Callable[[str], None] = lambda _said: None
    cancelled: Callable[[], bool] = lambda: False
    recovering: Recovering = field(default_factory=Recovering)


class ReplayRun(Run):
    """A replay in progress.

    Args:
        request: What to play.
        clock: Wall time.

    Raises:
        StockscanError: A file, the closes, the calendar or the database cannot be used.
    """

    engine: ReplayEngine

    def __init__(self, request: ReplayRequest, clock: Clock) -> None:
        super().__init__(clock)
        files = [DbnFile(path) for path in request.files]
        title = printable(" ".join(str(path) for path in request.files))
        datasets = {file.dataset for file in files}
        if len(datasets) > 1:
            raise InputError(
                f"The files are of different datasets ({', '.join(sorted(datasets))}): "
                "a database holds one. Replay them one at a time."
            )
        calendar = load_calendar(cache_folder(), _newest_date(files))
        closes = PreviousCloses(calendar)
        found, problems = _read_all_closes(request)
        undated, more = learn_closes(closes, found)
        problems += more
        problems += _fetch(request, files, calendar, closes)
        own_bars = read_bars(request.verify) if request.verify is not None else None
        self.database = request.database or replay_database(request.files, request.keep_replays)
        self.writer = Writer.open(
            self.database,
            dataset=files[0].dataset,
            recovering=_recovering(request, files, calendar),
        )
        self._scratch: Scratch | None = None
        try:
            seeking = self._seeking(request)
            self.engine = ReplayEngine(
                files,
                Surroundings(
                    calendar=calendar,
                    closes=closes,
                    sink=self.writer,
                    clock=clock,
                    undated=undated,
                    volumes=volumes_of(found, files[0].dataset),
                    stored_closes=self._stored_closes,
                    stored_minutes=self._stored_minutes,
                    stored_alerts=self._stored_alerts,
                    stored_fired=self._last_fired,
                    alert_times=self._alert_instants,
                    problems=problems,
                ),
                _options(request, files),
                speed=request.speed,
                start_at=request.start_at,
                seeking=seeking,
                verify=own_bars,
            )
        except BaseException:
            self._remove_scratch()
            self.writer.close(CLOSE_TIMEOUT_S)
            raise
        self._housekeeping = Housekeeping(self.engine, self.writer, clock, copies=False)
        LOG.info("replaying %s into %s", title, printable(self.database))
        self.engine.start()

    def set_speed(self, speed: float) -> None:
        """Play at `speed` event seconds per second from now on."""
        self.engine.set_speed(speed)

    def set_paused(self, paused: bool) -> None:
        """Pause, or go on."""
        self.engine.set_paused(paused)

    def seek(self, ns: int) -> None:
        """Move to an instant, in ns since 1970."""
        self.engine.seek(ns)

    def seek_by(self, ns: int) -> None:
        """Move on or back from where the replay is, or is being moved to."""
        self.engine.seek_by(ns)

    def to_now(self) -> None:
        """A replay has no now to return to."""

    def close(self) -> Summary:
        """Stop, commit what is in memory, close the database and say what the run came to.

        Raises:
            StockscanError: The run failed, or bars could not be written.
        """
        try:
            return super().close()
        finally:
            self._remove_scratch()

    def _seeking(self, request: ReplayRequest) -> Seeking | None:
        """Return what the replay is moved through time with, None where nobody looks on."""
        if not math.isfinite(request.refresh_s):
            return None
        try:
            self._scratch = Scratch()
            return Seeking(self._scratch.path)
        except OSError as error:
            LOG.warning("the replay cannot be moved back and forth: %s", printable(str(error)))
            return None

    def _remove_scratch(self) -> None:
        if self._scratch is not None:
            self._scratch.close()


def _fetch(
    request: ReplayRequest, files: Sequence[DbnFile], calendar: Calendar, closes: PreviousCloses
) -> list[str]:
    """Fetch the official closes for the files' own dates; returns what could not be had."""
    if request.reference is None:
        return []
    starts = [file.start_ns for file in files if file.start_ns > kernel.EARLIEST_NS]
    if not starts:
        return []
    fetching = Fetching(request.reference, calendar, cancelled=request.cancelled, say=request.say)
    for session_date in session_dates(calendar, min(starts), max(starts)):
        found = fetching.closes(session_date)
        for day, table in found.closes.items():
            closes.add(day, CloseSource.DAILY, table)
        if found.splits is not None:
            closes.splits = found.splits
    return fetching.problems


def _recovering(request: ReplayRequest, files: Sequence[DbnFile], calendar: Calendar) -> Recovering:
    """Return how the database is recovered: the first file's session date is played anew."""
    starts = [f.start_ns for f in files if kernel.EARLIEST_NS < f.start_ns < kernel.LATEST_NS]
    if not starts:
        return request.recovering
    return replace(request.recovering, refetched=calendar.day_at(min(starts)).session_date)


def _newest_date(files: Sequence[DbnFile]) -> date:
    starts = [f.start_ns for f in files if kernel.EARLIEST_NS < f.start_ns < kernel.LATEST_NS]
    return utc_date(max(starts, default=kernel.EARLIEST_NS))


def _options(request: ReplayRequest, files: Sequence[DbnFile]) -> Options:
    schemas = sorted({file.schema or "mixed" for file in files})
    names = [path.name for path in request.files]
    title = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    feed = Feed(
        mode=request.mode,
        title=title,
        dataset=files[0].dataset,
        schema="+".join(schemas),
        simulated=request.simulated,
    )
    return replace(options_of(request, feed), fresh_alerts=request.database is None)


def _read_all_closes(
    request: ReplayRequest,
) -> tuple[list[tuple[CloseFile, CloseSource]], list[str]]:
    """Read the closes that are given and those beside the files; returns them and problems."""
    found: list[tuple[CloseFile, CloseSource]] = []
    if request.prev_close is not None:
        found.append((read_closes(request.prev_close), CloseSource.FILE))
    problems = []
    for beside in dict.fromkeys(closes_beside(path) for path in request.files):
        if beside is None or beside in request.files:
            continue
        try:
            found.append((read_closes(beside), CloseSource.DAILY))
        except InputError as error:
            problems.append(str(error))
    return found, problems
