"""Runs the process that reads a damaged database, watches it, and starts it anew when it dies."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from stockscan_tui.environment import of_own_process
from stockscan_tui.errors import StoreError
from stockscan_tui.log import LOG
from stockscan_tui.market.text import printable

# So long the process may say nothing: no single thing that it does takes that long.
SILENCE_S = 120.0
_LOOK_S = 0.1
# Each death is of one place, which is passed over from then on.
DEATHS = 200
# Python's status after an exception that nobody expected.
_DEFECT = 1


class CancelledError(StoreError):
    """The user has broken the recovery off."""


class DiedError(StoreError):
    """The process has died."""


def run_task(
    task: str,
    job: dict[str, Any],
    *,
    progress: Callable[[float], None] = lambda _done: None,
    cancelled: Callable[[], bool] = lambda: False,
    silence_s: float = SILENCE_S,
) -> dict[str, Any]:
    """Do one task in a process of its own, in several where it dies; returns its result.

    A death is of the place that the process named last: `lethal` of the job has those.

    Raises:
        CancelledError: `cancelled` said so; the process is gone.
        DiedError: It died too often, or where it had named no place.
        StoreError: It refused; the message says why.
    """
    job = {**job, "lethal": []}
    for _ in range(DEATHS):
        child = _Child(task, job)
        try:
            found = child.follow(progress, cancelled, silence_s)
        finally:
            child.end()
        if found is not None:
            return found
        LOG.warning(
            "the process that reads a damaged database ended at %s with %s",
            child.at, child.status,
        )  # fmt: skip
        if child.at is None:
            raise StoreError("the process that reads it could not be started")
        if child.at in job["lethal"]:
            break
        job["lethal"].append(child.at)
    if child.status == _DEFECT:
        raise StoreError("the process that reads it broke off on a defect")
    raise DiedError("the process that reads it dies of it")


class _Child:
    def __init__(self, task: str, job: dict[str, Any]) -> None:
        # Whatever folder this is run in, it is this very program that is meant.
        places = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
        environment = {**of_own_process(), "PYTHONPATH": os.pathsep.join(filter(None, places))}
        # Not by -c: DuckDB would take that for a person, and draw its progress.
        module = "stockscan_tui.store.recovery_child"
        self._process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", module, task, json.dumps(job)],
            env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            # A ctrl-c is for the parent, which ends this one.
            text=True, start_new_session=True,
        )  # fmt: skip
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stdout = cast("IO[str]", self._process.stdout)
        self._thread = threading.Thread(target=self._listen, name="stockscan-recovery", daemon=True)
        self._thread.start()
        self.at: list[Any] | None = None
        self.status: int | None = None

    def _listen(self) -> None:
        for line in self._stdout:
            self._said.put(line)
        self._said.put(None)

    def follow(
        self, progress: Callable[[float], None], cancelled: Callable[[], bool], silence_s: float
    ) -> dict[str, Any] | None:
        """Return the result; None where the process has died or has to be ended."""
        waited_s = 0.0
        while True:
            if cancelled():
                raise CancelledError("it was broken off")
            try:
                line = self._said.get(timeout=_LOOK_S)
            except queue.Empty:
                waited_s += _LOOK_S
                if waited_s >= silence_s:
                    return None
                continue
            if line is None:
                return None
            waited_s = 0.0
            said = _object(line)
            if "result" in said:
                found: dict[str, Any] = said["result"]
                return found
            if "refused" in said:
                raise StoreError(printable(str(said["refused"])))
            if "done" in said:
                progress(float(said["done"]))
            self.at = said.get("at", self.at)

    def end(self) -> None:
        if self._process.poll() is None and self._said.empty():
            self._process.kill()
        self.status = self._process.wait()
        self._thread.join()
        self._stdout.close()


def _object(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
