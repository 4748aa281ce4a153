"""How a database file is opened, and what DuckDB's refusals mean in words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np
from numpy.typing import NDArray

from stockscan_tui.errors import StoreError, StoreHeldError
from stockscan_tui.market.text import printable
from stockscan_tui.store.lock import beside

# The oldest DuckDB that reads the files is 1.5; without this, only 2.0 and later do.
STORAGE_VERSION = "v1.5.0"
_OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    "storage_compatibility_version": STORAGE_VERSION,
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    # With 128 MB a reader's slowest queries take half as long again: the writer drives a day's
    # blocks out of memory.
    "memory_limit": "192MB",
    # With one thread a checkpoint stalls the writer twice as long; a higher threshold makes the
    # stalls longer and leaves rows in the log, which is slow to read, for longer.
    "threads": "2",
    "checkpoint_threshold": "16MB",
}


class Connect(Protocol):
    """What opens a database file."""

    def __call__(self, path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Open `path`; raise duckdb.Error where that fails."""
        ...


def connect_file(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a database file with this program's settings."""
    connection = duckdb.connect(str(path), read_only=read_only, config=_OPTIONS)
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


def open_database(
    path: Path, *, read_only: bool = False, connect: Connect = connect_file
) -> duckdb.DuckDBPyConnection:
    """Open the database at `path`, which the caller holds by a `Hold`.

    Raises:
        StoreHeldError: Another process has it open.
        StoreError: It is a folder, not a database, damaged or out of reach.
    """
    name = printable(path)
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise StoreError(f"The name {name} is not UTF-8. Name another file with --db.") from error
    if path.is_dir():
        raise StoreError(f"{name} is a folder. Name a database file with --db.")
    if read_only and not path.exists():
        raise StoreError(f"There is no database {name} yet. A run writes it; or name one by --db.")
    journal = beside(path, ".wal")
    # DuckDB would open an empty database here and throw the journal away.
    if journal.exists() and not path.exists():
        raise StoreError(
            f"The database {name} is gone, but its journal {printable(journal.name)} is still "
            "there. Put the database back beside it, or move the journal away to start anew."
        )
    try:
        return connect(path, read_only=read_only)
    except duckdb.Error as error:
        raise _refusal(error, name) from error


def fetch_arrays(cursor: duckdb.DuckDBPyConnection) -> dict[str, NDArray[Any]]:
    """Return the columns of a cursor's result by name, without going through Python objects."""
    return {name: np.asarray(column) for name, column in cursor.fetchnumpy().items()}


def one_line(error: Exception) -> str:
    """Return the first line of an error's message, without control characters."""
    return printable((str(error).splitlines() or [type(error).__name__])[0])


def _refusal(error: duckdb.Error, name: str) -> StoreError:
    message = one_line(error)
    held = re.search(r"Conflicting lock is held in (.+?) \(PID (\d+)\)", message)
    if held is not None:
        return StoreHeldError(
            f"The database {name} is open in {held[1]} (PID {held[2]}). Close it there first, or "
            "name another file with --db."
        )
    if isinstance(error, duckdb.ConnectionException) or "already attached" in message:
        return StoreHeldError(
            f"The database {name} is already open in this process. Close it there first."
        )
    if "not a valid DuckDB database" in message:
        return StoreError(
            f"The file {name} is not a DuckDB database. It was left as it is; name another file "
            "with --db."
        )
    if "WAL" in message:
        return StoreError(
            f"The journal of the database {name} is damaged ({message}). Move {name}.wal away to "
            "open the database without what was written last."
        )
    return StoreError(
        f"The database {name} cannot be opened: {message}. Check that it can be read and written "
        "and that the disk has space, or name another file with --db."
    )
