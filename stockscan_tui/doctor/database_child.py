"""Reads a database in a process of its own: one that is damaged can end whoever reads it.

The process prints a JSON object a line: how the database is, then how far it is, then the rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

from stockscan_tui.environment import of_own_process
from stockscan_tui.errors import StockscanError, StoreError
from stockscan_tui.store.checkup import Condition, Owner, look_at, read_all

_STEP = 0.01


class Reading:
    """The process that reads one database; any thread may ask.

    Args:
        path: The database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._found: Condition | None = None
        self._error = ""
        self._closed = False

    def condition(self) -> Condition | None:
        """Return how the database is, None where there is none.

        Raises:
            StoreError: It cannot be read, or ends whoever reads it.
        """
        with self._lock:
            if self._process is None and not self._error:
                self._begin()
        if self._error:
            raise StoreError(self._error)
        return self._found

    def rest(self, progress: Callable[[float], None]) -> tuple[int, bool]:
        """Read all that is in it, once; returns the rows, and whether those are all.

        Args:
            progress: Told how far it is, from 0 to 1.

        Raises:
            StoreError: A part of it is damaged.
        """
        self.condition()
        while True:
            said = self._next()
            if "done" in said:
                progress(float(said["done"]))
                continue
            if "error" in said:
                raise StoreError(str(said["error"]))
            return int(said["rows"]), bool(said["whole"])

    def close(self) -> None:
        """End the process."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
            # What another thread still reads is at its end then.
            with suppress(ValueError):
                process.communicate()

    def _begin(self) -> None:
        command = [
            sys.executable,
            "-m",
            "stockscan_tui.doctor.database_child",
            os.fspath(self._path),
        ]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very module
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, encoding="utf-8", env=of_own_process(),
            )  # fmt: skip
            said = self._next()
        except (OSError, StoreError) as error:
            self._error = str(error)
            return
        self._error = str(said.get("error", ""))
        told = said.get("condition")
        self._found = _read(told) if told else None

    def _next(self) -> Mapping[str, Any]:
        process = self._process
        line = process.stdout.readline() if process is not None and process.stdout else ""
        with suppress(ValueError):
            said: Mapping[str, Any] = json.loads(line)
            return said
        if self._closed or process is None:
            raise StoreError("The reading was ended. Run it again.")
        raise StoreError(
            f"The database ends whoever reads it (status {process.wait()}). It is damaged: start a "
            "run, which recovers what can be read."
        )


def _read(told: Mapping[str, Any]) -> Condition:
    held = told["held"]
    more = {
        "path": Path(told["path"]),
        "aside": tuple(told["aside"]),
        "held": Owner(**held) if held is not None else None,
        "session_dates": tuple(map(date.fromisoformat, told["session_dates"])),
    }
    return Condition(**{**told, **more})


def main(path: Path) -> int:
    """Look at a database, read all of it, and print what that comes to; returns the exit status."""
    try:
        found = look_at(path, time.time_ns())
    except (StockscanError, OSError) as error:
        _print(error=str(error))
        return 1
    _print(condition=asdict(found) if found is not None else None)
    if found is None or not found.readable:
        _print(rows=0, whole=True)
        return 0
    shown = 0.0

    def tell(done: float) -> None:
        nonlocal shown
        if done >= shown + _STEP:
            shown = done
            _print(done=done)

    try:
        rows, whole = read_all(found, tell, lambda: False)
    except StockscanError as error:
        _print(error=str(error))
        return 1
    _print(rows=rows, whole=whole)
    return 0


def _print(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields, default=str) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        sys.exit(main(Path(sys.argv[1])))
