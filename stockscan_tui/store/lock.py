"""The hold on a database: a locked file beside it, taken before anything opens the database.

DuckDB's own lock on the file is lost as soon as this process opens and closes the path by any
other means, so the database itself is never opened here.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from stockscan_tui.errors import StoreError, StoreHeldError
from stockscan_tui.market.text import printable


def beside(path: Path, suffix: str) -> Path:
    """Return the file that stands beside `path` under its name and `suffix`."""
    return path.with_name(path.name + suffix)


class Hold:
    """This process's hold on one database; `release` gives it up.

    Args:
        path: The database. Its folder is made if it is missing.
        named: Whether to leave word beside it of which command holds it.

    Attributes:
        unclean: Whether whoever had it before ended without giving it up.

    Raises:
        StoreHeldError: Another process, or another writer of this one, holds the database.
        StoreError: The lock file cannot be made.
    """

    def __init__(self, path: Path, *, named: bool = True) -> None:
        self._owner = beside(path, ".owner") if named else None
        self.unclean = False
        # Not bound to a thread: the thread that opens is not always the one that closes.
        self._lock = FileLock(beside(path, ".lock"), timeout=0, thread_local=False)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise StoreHeldError(_held_by(path)) from error
        except (OSError, NotImplementedError) as error:
            raise StoreError(
                f"The database {printable(path)} cannot be locked: {printable(str(error))}. "
                "Make its folder writable, or name another file with --db."
            ) from error
        try:
            if self._owner is not None:
                self.unclean = self._owner.exists()
                command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
                _write_own(self._owner, json.dumps({"pid": os.getpid(), "command": command}))
        except OSError as error:
            self.release()
            raise StoreError(
                f"The folder of the database {printable(path)} cannot be written: "
                f"{printable(str(error))}. Free some space or make it writable, or name another "
                "file with --db."
            ) from error

    def release(self) -> None:
        """Give the database up; a second call does nothing."""
        if not self._lock.is_locked:
            return
        if self._owner is not None:
            self._owner.unlink(missing_ok=True)
        self._lock.release()


def _write_own(path: Path, text: str) -> None:
    """Write a file of this process's own: a link that somebody laid there is not followed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o644), "w", encoding="utf-8") as file:
        file.write(text)


def _held_by(path: Path) -> str:
    try:
        owner = json.loads(beside(path, ".owner").read_text(encoding="utf-8"))
        who = f"'{printable(str(owner['command']))}' (PID {int(owner['pid'])})"
    except (OSError, ValueError, KeyError, TypeError):
        who = "another process"
    return (
        f"The database {printable(path)} is held by {who}. Stop that one first, or name another "
        "file with --db."
    )
