"""Work spread over processes of their own: each takes one job after another.

A process ends with the one that started it: its pipe is closed then.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from typing import Generic, TypeVar, cast

from stockscan_tui.environment import as_own_process
from stockscan_tui.errors import StockscanError
from stockscan_tui.priority import step_back

LOOK_S = 0.1
END_S = 5.0

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")
# Told how far a job is, from 0 to 1; false gives it up.
GoOn = Callable[[float], bool]
Work = Callable[[_Job, GoOn], _Result | None]
# Told how far each job is.
Progress = Callable[[int, float], None]


def in_turn(
    work: Work[_Job, _Result],
    jobs: Sequence[_Job],
    *,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> Iterator[tuple[int, _Result]]:
    """Do jobs here, one after another; yields each one's place and result.

    Args:
        work: What is done; it gives None where it was given up.
        jobs: What it is done with.
        progress: Told how far each job is.
        cancelled: Whether to give up.
    """
    for place, job in enumerate(jobs):
        if cancelled():
            return

        def go_on(done: float, place: int = place) -> bool:
            progress(place, done)
            return not cancelled()

        result = work(job, go_on)
        if result is not None:
            yield place, result


def spread(
    work: Work[_Job, _Result],
    jobs: Sequence[_Job],
    processes: int,
    *,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> Iterator[tuple[int, _Result]]:
    """Do jobs in processes of their own; yields each one's place and result as it is done.

    Args:
        work: As in `in_turn`; a function that can be imported.
        jobs: What it is done with; it has to be picklable, as has the result.
        processes: How many processes there are at most.
        progress: Told how far each job is, on this thread.
        cancelled: Whether to give up; what is under way is ended then.

    Raises:
        StockscanError: A job failed, or a process broke off.
    """
    context = multiprocessing.get_context("spawn")
    _begin_tracker()
    waiting = deque(enumerate(jobs))
    workers = [
        _Worker[_Job, _Result](context, work) for _ in range(min(max(processes, 1), len(jobs)))
    ]
    try:
        for worker in workers:
            worker.take(waiting)
        while busy := {worker.pipe: worker for worker in workers if worker.place >= 0}:
            if cancelled():
                return
            for pipe in wait(list(busy), LOOK_S):
                worker = busy[cast("Connection", pipe)]
                said = worker.hear()
                if isinstance(said, float):
                    progress(worker.place, said)
                    continue
                if said is not None:
                    yield worker.place, said
                worker.take(waiting)
    finally:
        for worker in workers:
            worker.end()


def _begin_tracker() -> None:
    """Begin Python's own process that clears up after others, with the true standard error.

    A full-screen program has another stream in its place, whose descriptor is none.
    """
    if os.name == "posix":
        with redirect_stderr(sys.__stderr__), as_own_process():
            resource_tracker.ensure_running()


class _Worker(Generic[_Job, _Result]):
    """A process and what it is at; `place` is -1 while it has nothing to do."""

    def __init__(self, context: SpawnContext, work: Work[_Job, _Result]) -> None:
        self.place = -1
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, work), name="stockscan-worker", daemon=True
        )
        with as_own_process():
            self._process.start()
        theirs.close()

    def take(self, waiting: deque[tuple[int, _Job]]) -> None:
        """Begin with the first job that waits, if there is one."""
        self.place, job = waiting.popleft() if waiting else (-1, None)
        if self.place >= 0:
            with suppress(OSError):
                # That it has broken off is told by what is heard of it.
                self.pipe.send(job)

    def hear(self) -> float | _Result | None:
        """Return what it says: how far it is, or its result, None for one that was given up."""
        try:
            said = self.pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(END_S)
            raise StockscanError(
                "A process that played a day broke off "
                f"(exit status {self._process.exitcode}). Use fewer at a time: --jobs 1."
            ) from error
        if isinstance(said, StockscanError):
            raise said
        return cast("float | _Result | None", said)

    def end(self) -> None:
        """Let the process end, at once if it is at work."""
        self.pipe.close()
        if self.place >= 0:
            self._process.terminate()
        self._process.join(END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _serve(pipe: Connection, work: Work[_Job, _Result]) -> None:
    """Do one job after another until the pipe is closed (the process's own side)."""
    # Ctrl-C goes to all processes of a terminal; the one in front decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    step_back()

    def go_on(done: float) -> bool:
        pipe.send(float(done))
        return True

    with suppress(EOFError, OSError):
        while True:
            pipe.send(_answered(pipe.recv(), work, go_on))


def _answered(job: _Job, work: Work[_Job, _Result], go_on: GoOn) -> _Result | StockscanError | None:
    try:
        return work(job, go_on)
    except StockscanError as error:
        return error
    except Exception as error:  # noqa: BLE001 - told by the process in front
        return StockscanError(f"A process that played a day failed: {error!r}.")
