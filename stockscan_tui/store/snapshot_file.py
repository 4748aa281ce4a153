"""A copy of a database that is being written, for other programs, and how one asks for it.

`<db>.snapshot.duckdb` is made by `COPY FROM DATABASE`, through a cursor of its own, so that the
writer goes on meanwhile, and put into place whole. Whoever wants a new one touches
`<db>.snapshot.request`, which goes as the copying begins.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import perf_counter

import duckdb

from stockscan_tui.errors import StoreError
from stockscan_tui.market.text import printable
from stockscan_tui.store.database import STORAGE_VERSION, damage_words, damaged, is_damage, one_line
from stockscan_tui.store.lock import beside

_ALIAS = "stockscan_snapshot"
_SPARE_BYTES = 100_000_000


def snapshot_path(database: Path) -> Path:
    """Return where the copy of a database stands."""
    return beside(database, ".snapshot.duckdb")


def request_path(database: Path) -> Path:
    """Return the file whose being there asks for a new copy."""
    return beside(database, ".snapshot.request")


def partial_path(database: Path) -> Path:
    """Return the file that the copy is while it is being made."""
    return beside(database, ".snapshot.partial")


class SnapshotFile:
    """Makes the copies of one open database; for one thread, but for `interrupt`.

    Args:
        database: The database's path; it is not opened.
        cursor: Gives a new cursor of the open database, or raises StoreError.
        note: Told of what DuckDB fails on: a copy reads all there is.
    """

    def __init__(
        self,
        database: Path,
        cursor: Callable[[], duckdb.DuckDBPyConnection],
        note: Callable[[Exception], None] = lambda _error: None,
    ) -> None:
        self._note = note
        self._database = database
        self._new_cursor = cursor
        self._cursor: duckdb.DuckDBPyConnection | None = None
        # Held while a cursor is open, so that `release` waits for its end.
        self._lock = Lock()
        self._remove_partial()

    def requested(self) -> bool:
        """Return whether somebody asks for a copy."""
        return request_path(self._database).exists()

    def make(self) -> float:
        """Make a new copy in place of the last one; returns how long that took, in seconds.

        Raises:
            StoreError: It could not be made; the last one is still there.
        """
        started = perf_counter()
        request_path(self._database).unlink(missing_ok=True)
        partial = partial_path(self._database)
        try:
            self._check_room()
            self._remove_partial()
            with self._lock:
                self._copy(partial)
            partial.replace(snapshot_path(self._database))
        except (duckdb.Error, OSError) as error:
            self._note(error)
            if is_damage(error):
                raise damaged(self._database, damage_words(error)) from error
            raise StoreError(
                f"The copy {printable(snapshot_path(self._database))} for other programs could not "
                f"be made: {one_line(error)}. The database itself is not concerned."
            ) from error
        finally:
            self._remove_partial()
        return perf_counter() - started

    @property
    def asking(self) -> Lock:
        """What is held during a copy; whoever else holds it keeps copies waiting."""
        return self._lock

    def release(self) -> None:
        """Break off a copy under way and let the database go; from any thread."""
        self.interrupt()
        with self._lock:
            pass

    def interrupt(self) -> None:
        """Break off a copy under way; from any thread."""
        cursor = self._cursor
        if cursor is not None:
            with suppress(duckdb.Error):
                cursor.interrupt()

    def remove(self) -> None:
        """Remove the copy and any request: the database itself can be read from now on."""
        self._remove_partial()
        for path in (request_path(self._database), snapshot_path(self._database)):
            path.unlink(missing_ok=True)

    def _copy(self, partial: Path) -> None:
        cursor = self._cursor = self._new_cursor()
        try:
            copy_into(cursor, partial)
        finally:
            self._cursor = None
            cursor.close()

    def _check_room(self) -> None:
        """Refuse where the copy would leave the database no room to grow."""
        size = self._database.stat().st_size
        free = shutil.disk_usage(self._database.parent).free
        if free < size + size // 4 + _SPARE_BYTES:
            raise OSError(
                f"the disk has {free / 1e6:,.0f} MB left, and the copy takes {size / 1e6:,.0f}"
            )

    def _remove_partial(self) -> None:
        partial = partial_path(self._database)
        for path in (partial, beside(partial, ".wal")):
            path.unlink(missing_ok=True)


def copy_into(cursor: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Copy all that is committed into a new file.

    Raises:
        duckdb.Error: It could not be read or written.
    """
    _run(cursor, f"ATTACH {_text(path)} AS {_ALIAS} (STORAGE_VERSION '{STORAGE_VERSION}')")
    try:
        (name,) = cursor.execute("SELECT current_database()").fetchall()[0]
        _run(cursor, f"COPY FROM DATABASE {_name(name)} TO {_ALIAS}")
        _run(cursor, f"CHECKPOINT {_ALIAS}")
    finally:
        _run(cursor, f"DETACH {_ALIAS}")


def _run(cursor: duckdb.DuckDBPyConnection, statement: str) -> None:
    # A result that is not read to its end leaves the statement unfinished.
    cursor.execute(statement).fetchall()


def _text(path: Path) -> str:
    quoted = os.fspath(path).replace("'", "''")
    return f"'{quoted}'"


def _name(name: str) -> str:
    quoted = name.replace('"', '""')
    return f'"{quoted}"'
