"""A look at a database for `stockscan doctor`: it is read, all of it, and never written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from stockscan_tui.errors import StoreError, StoreHeldError
from stockscan_tui.store.database import one_line, open_database
from stockscan_tui.store.inquiry import Inquiry
from stockscan_tui.store.lock import Hold, beside
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.schema import SCHEMA_VERSION
from stockscan_tui.store.snapshot_file import snapshot_path

# Rows of the bars at a time: eight of DuckDB's row groups.
_ROWS = 8 * 122_880
_TABLES = """
SELECT table_name FROM duckdb_tables() WHERE NOT internal AND table_name <> 'bars' ORDER BY 1
"""
# The hash of a whole row takes all of its columns, so that every block is read and its checksum
# looked at.
_READ = "SELECT count(*), bit_xor(hash(t)) FROM query_table(?) AS t"
_READ_BARS = "SELECT count(*), bit_xor(hash(t)) FROM bars AS t WHERE rowid >= ? AND rowid < ?"
_LAST_ROW = "SELECT coalesce(max(rowid), -1) FROM bars"
_NEWEST = "SELECT coalesce(epoch_us(max(ts)), 0) * 1000 FROM bars"
_VERSION = "SELECT value FROM meta WHERE name = 'schema_version'"


@dataclass(frozen=True, slots=True)
class Owner:
    """Which process holds a database; `command` is empty where it left no word."""

    pid: int = 0
    command: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """How a database is.

    Attributes:
        path: What was read: the database, or its copy while it is held.
        size: Bytes of the database's file.
        journal: Bytes of its journal, 0 where there is none.
        copy_age_s: How old the copy for other programs is, None where there is none.
        aside: Folders of damaged files that were moved aside.
        held: Who has it open, None for nobody.
        readable: Whether `path` can be read.
        step: Its schema's version, 0 where that was not read.
        dataset: What it holds.
        session_dates: Of which days there is anything, oldest first.
        newest_ns: The start of its newest minute (ns since 1970), 0 for none.
    """

    path: Path
    size: int
    journal: int = 0
    copy_age_s: float | None = None
    aside: tuple[str, ...] = ()
    held: Owner | None = None
    readable: bool = False
    step: int = 0
    dataset: str = ""
    session_dates: tuple[date, ...] = ()
    newest_ns: int = 0

    @property
    def outdated(self) -> bool:
        """Whether an older program wrote it, so that the next run has to bring it up to date."""
        return 0 < self.step < SCHEMA_VERSION


def look_at(path: Path, wall_ns: int) -> Condition | None:
    """Look at the database at `path`; None where there is none.

    While an instance holds it, its copy for other programs is read, if there is one.

    Args:
        path: The database.
        wall_ns: Wall time, in ns since 1970.

    Raises:
        StoreError: It cannot be read.
        OSError: Its folder cannot be read.
    """
    path = path.expanduser().absolute()
    moved = path.parent.glob(f"{_plain(path.name)}.damaged-*")
    aside = tuple(sorted(found.name for found in moved))
    journal, copy = beside(path, ".wal"), snapshot_path(path)
    if not path.exists() and not journal.exists():
        return Condition(path, 0, aside=aside) if aside else None
    size = path.stat().st_size if path.exists() else 0
    waiting = journal.stat().st_size if journal.exists() else 0
    age_s = (wall_ns - copy.stat().st_mtime_ns) / 1e9 if copy.exists() else None
    outside = Condition(path, size, waiting, age_s, aside)
    try:
        return _inside(outside, held=None)
    except StoreHeldError:
        return _inside(outside, held=_owner(path))


def _inside(outside: Condition, held: Owner | None) -> Condition:
    """Return what a database, or its copy while it is held, tells of itself."""
    if held is not None and outside.copy_age_s is None:
        return replace(outside, held=held)
    path = outside.path if held is None else snapshot_path(outside.path)
    opened = replace(outside, path=path, held=held, step=_step(path, may_be_held=held is None))
    if opened.outdated:
        return opened
    reader = Reader.open(path, may_be_held=held is None)
    try:
        inquiry = Inquiry(reader)
        return replace(
            opened,
            readable=True,
            dataset=inquiry.dataset(),
            session_dates=tuple(inquiry.session_dates()),
            newest_ns=int(reader.rows(_NEWEST)[0][0]),
        )
    finally:
        reader.release()


def _step(path: Path, *, may_be_held: bool) -> int:
    """Return the version of a database's schema; one that is none of ours has 0.

    Raises:
        StoreError: It cannot be opened.
    """
    hold = Hold(path, named=False) if may_be_held else None
    try:
        connection = open_database(path, read_only=True)
    finally:
        if hold is not None:
            hold.release()
    try:
        rows = connection.execute(_VERSION).fetchall()
        return int(rows[0][0]) if rows else 0
    except duckdb.CatalogException:
        # Another program's database, or an empty one: `Reader.open` says which.
        return SCHEMA_VERSION
    except (duckdb.Error, ValueError) as error:
        raise StoreError(f"The database {path} cannot be read: {one_line(error)}.") from error
    finally:
        connection.close()


def read_all(
    condition: Condition, progress: Callable[[float], None], stopped: Callable[[], bool]
) -> tuple[int, bool]:
    """Read every block of a database, whose checksums DuckDB compares as it does.

    Args:
        condition: Of the database.
        progress: Told how far it is, from 0 to 1.
        stopped: Whether to break off.

    Returns:
        How many rows were read, and whether those are all.

    Raises:
        StoreError: A block is damaged; the message names the table.
    """
    reader = Reader.open(condition.path, may_be_held=condition.held is None)
    table, read = "", 0
    try:
        tables = [str(row[0]) for row in reader.rows(_TABLES)]
        end = int(reader.rows(_LAST_ROW)[0][0]) + 1
        for place, table in enumerate(tables):
            if stopped():
                return read, False
            read += int(reader.rows(_READ, [table])[0][0])
            progress(0.3 * (place + 1) / len(tables))
        table = "bars"
        for begin in range(0, end, _ROWS):
            if stopped():
                return read, False
            read += int(reader.rows(_READ_BARS, [begin, begin + _ROWS])[0][0])
            progress(0.3 + 0.7 * min(begin + _ROWS, end) / end)
        return read, True
    except StoreError as error:
        cause = error.__cause__
        said = one_line(cause) if isinstance(cause, Exception) else str(error)
        raise StoreError(f"The table {table or 'of tables'} is damaged: {said}") from error
    finally:
        reader.release()


def _owner(path: Path) -> Owner:
    try:
        told = json.loads(beside(path, ".owner").read_text("utf-8"))
        return Owner(int(told["pid"]), str(told["command"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Owner()


def _plain(name: str) -> str:
    """Return a name for `glob` in which nothing stands for something else."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)
