"""How a database file is opened, and what DuckDB's refusals mean in words."""

from __future__ import annotations

import re
from contextlib import suppress
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
_HEAD_BYTES = 12_288
_MEMORY = "192MB"
_LEAST_MEMORY = "16MB"
_OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    "storage_compatibility_version": STORAGE_VERSION,
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    # With 128 MB a reader's slowest queries take half as long again: the writer drives a day's
    # blocks out of memory.
    "memory_limit": _MEMORY,
    # With one thread a checkpoint stalls the writer twice as long; a higher threshold makes the
    # stalls longer and leaves rows in the log, which is slow to read, for longer.
    "threads": "2",
    "checkpoint_threshold": "16MB",
}


# What DuckDB says of bytes that are not those it wrote.
_DAMAGE = re.compile(
    r"[Cc]orrupt|checksum|while replaying|does not match database|not read enough bytes|"
    r"[Ss]erializ|INTERNAL"
)


_WORDS = (
    (r"WAL file: .*at byte position (\d+)", "its journal is damaged at byte {}"),
    (r"replaying WAL", "its journal is damaged"),
    (r"checksum .* at location (\d+)", "a block of its file is damaged, at byte {}"),
    (r"not read enough bytes .*from location (\d+)", "its file breaks off before byte {}"),
)


# What it says of a file of a version that it does not read; that of a newer one, and its own.
_STRANGE = re.compile(
    r"storage version number (\d+), but we can only read storage versions between (\d+) and (\d+)|"
    r"Unsupported Storage Version '(\d+)'"
)


class DamagedError(StoreError):
    """The database or its journal is damaged; a run that may write it recovers it.

    Args:
        message: All of it, for a person.
        what: What is wrong, without a full stop.
    """

    def __init__(self, message: str, what: str) -> None:
        super().__init__(message)
        self.what = what


class NotDatabaseError(StoreError):
    """The file is not a DuckDB database, or its beginning is damaged."""


class Connect(Protocol):
    """What opens a database file."""

    def __call__(self, path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Open `path`; raise duckdb.Error where that fails."""
        ...


def connect_file(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a database file with this program's settings."""
    connection = quiet(duckdb.connect(str(path), read_only=read_only, config=_OPTIONS))
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


def quiet(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return a connection that draws no progress on standard output; its cursors never do.

    In a process without a script, as in `python -c`, DuckDB would.
    """
    return connection.execute("SET enable_progress_bar = false")


def give_back_blocks(connection: duckdb.DuckDBPyConnection) -> None:
    """Have DuckDB forget what of the file it keeps in memory; what is looked at comes in again.

    It else keeps all that it has read or written, up to its limit, for good.
    """
    with suppress(duckdb.Error):
        # Refused where more is in use: then as much is given back as is not.
        connection.execute(f"SET memory_limit = '{_LEAST_MEMORY}'")
    connection.execute(f"SET memory_limit = '{_MEMORY}'")


def open_database(
    path: Path, *, read_only: bool = False, connect: Connect = connect_file
) -> duckdb.DuckDBPyConnection:
    """Open the database at `path`, which the caller holds by a `Hold`.

    Raises:
        StoreHeldError: Another process has it open.
        DamagedError: It is damaged, or its journal is.
        NotDatabaseError: It is another file, or its beginning is damaged.
        StoreError: It is a folder, not a database or out of reach.
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
        raise DamagedError(
            f"The database {name} is gone, but its journal {printable(journal.name)} is still "
            "there. Put the database back beside it; or begin a run with it: that sets the "
            "journal aside and starts anew.",
            "the database is gone, and its journal is still there",
        )
    if not read_only and path.is_file() and not path.stat().st_size and not journal.exists():
        # A kill leaves it so in the instant in which it is made, and DuckDB does not open it.
        path.resolve().unlink()
    try:
        connection = connect(path, read_only=read_only)
    except duckdb.Error as error:
        raise refusal(error, path) from error
    try:
        short = short_by(connection, path)
    except duckdb.Error as error:
        connection.close()
        raise refusal(error, path) from error
    if short:
        connection.close()
        raise damaged(path, f"its file lacks the last {short:,} bytes")
    return connection


def short_by(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Return how many bytes an open database's file is too short by for what it holds, or more.

    Blocks that are free need not be there; where they lie is not told: 0 may be too little.

    Raises:
        duckdb.Error: The database cannot say.
    """
    (blocks, size) = connection.execute(
        "SELECT used_blocks, block_size FROM pragma_database_size() "
        "WHERE database_name = current_database()"
    ).fetchall()[0]
    return max(0, _HEAD_BYTES + blocks * size - path.stat().st_size) if blocks else 0


def is_strange(error: Exception) -> bool:
    """Return whether DuckDB does not read files of that version: nothing can be said of them."""
    return _STRANGE.search(str(error)) is not None


def _strange_words(message: str) -> str:
    """Return which DuckDB wrote a file that this one does not read, and what to do; or ""."""
    found = _STRANGE.search(message)
    if found is None:
        return ""
    theirs = int(found[1] or found[4])
    if found[1] and theirs < int(found[2]):
        return (
            f"was written by an older DuckDB (storage version {theirs}); this one reads {found[2]} "
            f"to {found[3]}. Export it with that DuckDB"
        )
    most = f"reads up to {found[3]}" if found[1] else f"is {duckdb.__version__}"
    return (
        f"was written by a newer DuckDB (storage version {theirs}); this one {most}. "
        "Upgrade stockscan"
    )


def is_damage(error: Exception) -> bool:
    """Return whether DuckDB failed on bytes that are not those that it once wrote."""
    return _DAMAGE.search(str(error)) is not None


def damage_words(error: Exception) -> str:
    """Return what damage DuckDB has met, in words, without a full stop."""
    message = one_line(error)
    if isinstance(error, DamagedError):
        return error.what
    if "WAL does not match" in message:
        return "the journal beside it is of another database, or its beginning is damaged"
    for pattern, words in _WORDS:
        found = re.search(pattern, message)
        if found is not None:
            return words.format(*(f"{int(number):,}" for number in found.groups()))
    return message.rstrip(".")


def damaged(path: Path, what: str) -> DamagedError:
    """Return the error of a damaged database; `what` is wrong, without a full stop."""
    copy = beside(path, ".snapshot.duckdb")
    older = f" Until then, {printable(copy)} can be read." if copy.exists() else ""
    return DamagedError(
        f"The database {printable(path)} is damaged: {what}. The next run with it recovers what "
        f"can be read, and sets the damaged files aside.{older}",
        what,
    )


def fetch_arrays(cursor: duckdb.DuckDBPyConnection) -> dict[str, NDArray[Any]]:
    """Return the columns of a cursor's result by name, without going through Python objects."""
    return {name: np.asarray(column) for name, column in cursor.fetchnumpy().items()}


def one_line(error: Exception) -> str:
    """Return the first line of an error's message, without control characters."""
    return printable((str(error).splitlines() or [type(error).__name__])[0])


def refusal(error: duckdb.Error, path: Path) -> StoreError:
    """Return what DuckDB's refusal to open a database means, in words."""
    name, message = printable(path), one_line(error)
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
        return NotDatabaseError(
            f"The file {name} is not a DuckDB database. It was left as it is; name another file "
            "with --db."
        )
    strange = _strange_words(message)
    if strange:
        return StoreError(
            f"The database {name} {strange}, or name another file with --db. It was left as it is."
        )
    if is_damage(error):
        return damaged(path, damage_words(error))
    return StoreError(
        f"The database {name} cannot be opened: {message}. Check that it can be read and written "
        "and that the disk has space, or name another file with --db."
    )
