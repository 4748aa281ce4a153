"""A database whose file is taken away while it is written: all that it holds is written anew.

What is open stays whole without a name: it is copied from there. For the thread that writes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb

from stockscan_tui.errors import StoreError
from stockscan_tui.market.text import printable
from stockscan_tui.store.lock import beside
from stockscan_tui.store.snapshot_file import copy_into


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells the file at `path` from another one, None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def write_anew(
    path: Path, cursor: Callable[[], duckdb.DuckDBPyConnection], let_go: Callable[[], None]
) -> None:
    """Put a copy of the open database where its file was.

    Args:
        path: Where there is no file any more.
        cursor: Gives a new cursor of what is still open.
        let_go: Closes what is still open; called once the copy is whole.

    Raises:
        StoreError: It cannot be written there; what was open still is.
        duckdb.Error: The same, in DuckDB's words.
    """
    partial = beside(path, ".anew")
    try:
        for left in (partial, beside(partial, ".wal")):
            left.unlink(missing_ok=True)
        with cursor() as copying:
            copy_into(copying, partial)
        let_go()
        # What was in it is in the copy.
        beside(path, ".wal").unlink(missing_ok=True)
        partial.replace(path)
    except OSError as error:
        raise StoreError(
            f"{printable(path)} was removed and cannot be written anew: {error.strerror}"
        ) from error
