"""What a backtest plays: files or stored bars, split up into days that are played by themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from stockscan_tui.clock import SystemClock
from stockscan_tui.config import cache_folder
from stockscan_tui.errors import InputError
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.exchange import load_calendar
from stockscan_tui.feed.reference import PreviousCloses, closes_beside, read_closes
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import Calendar, utc_date
from stockscan_tui.market.snapshot import CloseSource
from stockscan_tui.market.user_data import Own
from stockscan_tui.report.shortfall import STORED, warnings
from stockscan_tui.run.common import MARK_MODES, learn_closes, volumes_of
from stockscan_tui.run.day_player import Conditions
from stockscan_tui.run.open_stored import Stored, open_stored
from stockscan_tui.run.reference import Fetching, Sources
from stockscan_tui.run.rule_day import BarsJob, FilesJob
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.gates import SHIPPED, Gates
from stockscan_tui.scan.rules import Rules
from stockscan_tui.store.inquiry import Inquiry
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.snapshot_file import snapshot_path


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What to play and how; see `stockscan backtest --help` for the meaning of each.

    Attributes:
        rules: What is watched.
        files: What is played; empty for the stored bars.
        since: The first session date of the stored bars.
        database: Where they are stored.
        reference: Where closes, splits and average volumes come from.
        prev_close: A file of previous closes.
        own: The user's watchlists and table.
        gates: What would keep alerts from being delivered.
        names: What may stand in gates besides metrics.
        mark: What the price to go by is made from.
        jobs: How many processes play at once; 0 for as many as there are cores.
        say: Told of what is waited for, in words.
    """

    rules: Rules
    files: tuple[Path, ...]
    since: date | None
    database: Path
    reference: Sources
    prev_close: Path | None = None
    own: Own = field(default_factory=Own)
    gates: Gates = SHIPPED
    names: Names = field(default_factory=Names)
    mark: str = "auto"
    jobs: int = 0
    say: Callable[[str], None] = lambda _said: None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a backtest will play.

    Attributes:
        jobs: One for each part of time that is played by itself.
        weights: How much of the whole each is.
        warnings: What rules ask for that cannot be had, in sentences.
        age_s: How old a copy of the database is read, in seconds; None for no copy.
        reader: Keeps writers away from the database while it is played; None for files.
    """

    jobs: tuple[FilesJob | BarsJob, ...]
    weights: tuple[float, ...]
    warnings: tuple[str, ...]
    age_s: float | None = None
    reader: Reader | None = None

    def release(self) -> None:
        """Let go of the database."""
        if self.reader is not None:
            self.reader.release()


def plan(
    request: BacktestRequest, cancelled: Callable[[], bool] = lambda: False, *, last: int = 0
) -> Plan:
    """Look at what there is to play, and split it up; the plan has to be released.

    Args:
        request: What is asked for.
        cancelled: Whether to give up.
        last: How many of the stored session dates count, the last ones; 0 for all.

    Raises:
        StockscanError: A file or the database cannot be used, or there is nothing to play.
    """
    return _plan_files(request, cancelled) if request.files else _plan_bars(request, last)


# --- stored bars ----------------------------------------------------------------------------------


def _plan_bars(request: BacktestRequest, last: int) -> Plan:
    """Plan the stored session dates from `since` on; `last` takes the last ones alone."""
    path = request.database.expanduser().absolute()
    stored = open_stored(path, SystemClock(), request.say)
    try:
        return _plan_stored(request, last, path, stored)
    except BaseException:
        stored.reader.release()
        raise


def _plan_stored(request: BacktestRequest, last: int, path: Path, stored: Stored) -> Plan:
    inquiry = Inquiry(stored.reader)
    days = [day for day in inquiry.session_dates() if day >= (request.since or date.min)][-last:]
    if not days:
        raise InputError(
            f"There is no saved session in {path}"
            + (f" since {request.since}." if request.since else ".")
            + " Capture one with `stockscan live`, or name files."
        )
    calendar = load_calendar(cache_folder(), days[-1])
    given = _conditions(request, calendar)
    # The database has the closes of what it captured: nobody is asked for them.
    sources = replace(request.reference, dataset=inquiry.dataset(), key="")
    database = path if stored.age_s is None else snapshot_path(path)
    jobs = tuple(BarsJob(given, database, day, sources) for day in days)
    said = list(warnings(request.rules.watched, [STORED]))
    share = inquiry.uncounted(days[0])
    counting = [r.name for r in request.rules.watched if any(m.name == "trades" for m in r.keys)]
    if share and counting:
        said.append(
            f"{share * 100:.0f} % of the stored bars were fetched and do not count trades: "
            f"{', '.join(counting)} may fire less."
        )
    return Plan(jobs, (1.0,) * len(jobs), tuple(said), stored.age_s, stored.reader)


def _conditions(request: BacktestRequest, calendar: Calendar) -> Conditions:
    return Conditions(
        rules=request.rules,
        calendar=calendar,
        own=request.own,
        gates=request.gates,
        names=request.names,
        mark_mode=MARK_MODES[request.mark],
    )


# --- files ----------------------------------------------------------------------------------------


def _plan_files(request: BacktestRequest, cancelled: Callable[[], bool]) -> Plan:
    # One file by two names is played once: twice would double its volume.
    named = {os.path.realpath(path): path for path in reversed(request.files)}
    files = sorted((DbnFile(path) for path in named.values()), key=lambda file: file.start_ns)
    datasets = sorted({file.dataset for file in files})
    if len(datasets) > 1:
        raise InputError(
            f"The files are of different datasets ({', '.join(datasets)}): "
            "their prices and volumes do not compare. Try rules on one at a time."
        )
    newest_ns = max((f.start_ns for f in files if _is_dated(f)), default=k.EARLIEST_NS)
    calendar = load_calendar(cache_folder(), utc_date(newest_ns))
    closes = PreviousCloses(calendar)
    beside = (closes_beside(file.path) for file in files)
    found = [
        (read_closes(path), CloseSource.DAILY)
        for path in dict.fromkeys(beside)
        if path is not None and path not in request.files
    ]
    if request.prev_close is not None:
        found.append((read_closes(request.prev_close), CloseSource.FILE))
    undated, problems = learn_closes(closes, found)
    fetching = Fetching(request.reference, calendar, cancelled=cancelled, say=request.say)
    parts = _parts(files, calendar, closes, fetching)
    given, volumes = _conditions(request, calendar), volumes_of(found, datasets[0])
    schemas = {file.schema or "mixed" for file in files}
    said = (*problems, *warnings(request.rules.watched, schemas))
    return Plan(
        jobs=tuple(
            FilesJob(
                given, tuple(f.path for f in part), closes, undated if place == 0 else {}, volumes
            )
            for place, part in enumerate(parts)
        ),
        weights=tuple(float(sum(file.size for file in part)) for part in parts),
        warnings=said,
    )


def _parts(
    files: Sequence[DbnFile], calendar: Calendar, closes: PreviousCloses, fetching: Fetching
) -> list[list[DbnFile]]:
    """Split files up by session date; a day without closes is played behind the one before it."""
    parts: list[list[DbnFile]] = []
    last: date | None = None
    for file in files:
        day = calendar.day_at(file.start_ns).session_date if _is_dated(file) else None
        if day is not None and day != last:
            learned = fetching.closes(day)
            for on, table in learned.closes.items():
                closes.add(on, CloseSource.DAILY, table)
            if learned.splits is not None:
                closes.splits = learned.splits.over(closes.splits)
        if not parts or (day is not None and day != last and closes.before(day)):
            parts.append([])
        parts[-1].append(file)
        last = day if day is not None else last
    return parts


def _is_dated(file: DbnFile) -> bool:
    return k.EARLIEST_NS < file.start_ns < k.LATEST_NS
