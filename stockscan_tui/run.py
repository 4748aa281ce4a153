"""A replay put together: files, calendar, closes, database and engine, and its summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

from stockscan_tui.clock import Clock
from stockscan_tui.config import cache_folder, replay_database
from stockscan_tui.engine import Engine, Options
from stockscan_tui.errors import InputError, StoreError
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
from stockscan_tui.market.calendar import SECOND_NS, utc_date
from stockscan_tui.market.snapshot import CloseSource, Feed, Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.store.writer import Writer

MARK_MODES = {
    "auto": kernel.MARK_AUTO,
    "trade": kernel.MARK_TRADE,
    "mid": kernel.MARK_MID,
}
CLOSE_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What to replay and how; see `stockscan replay --help` for the meaning of each."""

    files: tuple[Path, ...]
    mode: str = "REPLAY"
    simulated: bool = False
    speed: float = math.inf
    start_at: time | None = None
    prev_close: Path | None = None
    database: Path | None = None
    mark: str = "auto"
    keep_replays: int = 20
    refresh_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to, as `--headless` prints it."""

    records: int
    trades: int
    quotes: int
    symbols: int
    bars: int
    alerts: int
    gaps: int
    healed: int
    late: int
    elapsed_s: float
    records_per_s: float
    first_ts: int
    last_ts: int
    db: str
    problems: tuple[str, ...]
    corrupt: bool


class Run:
    """A replay in progress.

    Args:
        request: What to play.
        clock: Wall time.

    Raises:
        StockscanError: A file, the closes, the calendar or the database cannot be used.
    """

    def __init__(self, request: ReplayRequest, clock: Clock) -> None:
        self._clock = clock
        self._began_ns = clock.now_ns()
        files = [DbnFile(path) for path in request.files]
        self._title = printable(" ".join(str(path) for path in request.files))
        datasets = {file.dataset for file in files}
        if len(datasets) > 1:
            raise InputError(
                f"The files are of different datasets ({', '.join(sorted(datasets))}): "
                "a database holds one. Replay them one at a time."
            )
        calendar = load_calendar(cache_folder(), _newest_date(files))
        closes = PreviousCloses(calendar)
        undated, problems = _read_all_closes(request, closes)
        self.database = request.database or replay_database(request.files, request.keep_replays)
        self.writer = Writer.open(self.database, dataset=files[0].dataset)
        try:
            self.engine = Engine(
                files,
                calendar=calendar,
                closes=closes,
                sink=self.writer,
                options=_options(request, files),
                clock=clock,
                undated=undated,
                stored_closes=self._stored_closes,
                problems=problems,
            )
        except BaseException:
            self.writer.close(CLOSE_TIMEOUT_S)
            raise
        LOG.info("replaying %s into %s", self._title, printable(self.database))
        self.engine.start()

    def _stored_closes(self, before: date, oldest: date) -> dict[str, tuple[float, date, bool]]:
        reader = self.writer.reader()
        try:
            return reader.previous_closes(before, oldest)
        finally:
            reader.release()

    # The player that the screen holds on to.

    def snapshot(self) -> Snapshot | None:
        """Return the newest picture of the market; never waits."""
        return self.engine.snapshot()

    def failure(self) -> str:
        """Return why the run failed, empty while it has not."""
        return self.engine.failure()

    def set_speed(self, speed: float) -> None:
        """Play at `speed` event seconds per second from now on."""
        self.engine.set_speed(speed)

    def set_paused(self, paused: bool) -> None:
        """Pause, or go on."""
        self.engine.set_paused(paused)

    def focus(self, symbol: str | None) -> None:
        """Let the next pictures carry the bars of `symbol`."""
        self.engine.focus(symbol)

    def stop(self) -> None:
        """Ask to end cleanly; returns at once."""
        self.engine.stop()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the engine's end; returns whether it has come."""
        return self.engine.join(timeout_s)

    def close(self) -> Summary:
        """Stop, commit what is in memory, close the database and say what the run came to.

        Raises:
            StockscanError: The run failed, or bars could not be written.
        """
        self.engine.stop()
        failure: StoreError | None = None
        while not self.engine.join(0.2):
            # A full disk holds the engine up: it is let go by closing the store.
            if self.writer.status().error:
                with suppress(StoreError):
                    self.writer.close(CLOSE_TIMEOUT_S)
        self.writer.drain(CLOSE_TIMEOUT_S)
        elapsed_s = (self._clock.now_ns() - self._began_ns) / SECOND_NS
        try:
            self.writer.close(CLOSE_TIMEOUT_S)
        except StoreError as error:
            failure = error
        outcome = self.engine.outcome()
        if failure is not None:
            raise failure
        health = outcome.health
        for problem in health.problems:
            LOG.warning("%s", printable(problem))
        LOG.info("%s records, %s bars in %.1f s", health.records, health.bars, elapsed_s)
        return Summary(
            records=health.records,
            trades=health.trades,
            quotes=health.quotes,
            symbols=outcome.symbols,
            bars=health.bars,
            alerts=0,
            gaps=health.gaps,
            healed=0,
            late=health.late,
            elapsed_s=round(elapsed_s, 3),
            records_per_s=round(health.records / elapsed_s, 1),
            first_ts=outcome.first_ns,
            last_ts=outcome.last_ns,
            db=str(self.database),
            problems=health.problems,
            corrupt=outcome.corrupt,
        )


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
    return Options(
        feed=feed,
        speed=request.speed,
        start_at=request.start_at,
        mark_mode=MARK_MODES[request.mark],
        refresh_s=request.refresh_s,
        behind_screen=math.isfinite(request.refresh_s),
    )


def _read_all_closes(
    request: ReplayRequest, closes: PreviousCloses
) -> tuple[dict[str, float], list[str]]:
    """Read the closes that are given and those beside the files; returns undated and problems."""
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
    undated: dict[str, float] = {}
    for file, source in found:
        for day, prices in file.dated.items():
            closes.add(day, source, prices)
        undated.update(file.undated)
        problems.extend(file.problems)
    return undated, problems
