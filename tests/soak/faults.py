"""What goes wrong in a simulated week, by name; each is dealt at random, by a seed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stockscan_tui.sim.history import Failure, HistoryStub
from tests.soak.program import Program, stop_for
from tests.soak.served import Served

# The market's records, Databento's own bars, the tape's volume: each has a connection.
STREAMS = 3
# Up to so many bytes after a reconnect.
_WITHIN_BYTES = 3_000_000
_WITHIN_RECORDS = 30_000
# A file system of this size at most is filled up for a while.
_SMALL_BYTES = 8 << 30
_FULL_S = 4.0
_PIECE = bytes(1 << 20)


class Stage(Protocol):
    """What faults are done to."""

    @property
    def gateway(self) -> Served: ...
    @property
    def program(self) -> Program: ...
    @property
    def history(self) -> HistoryStub: ...
    @property
    def folder(self) -> Path: ...
    def renew_gateway(self) -> None: ...
    def renew_program(self, number: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Deal:
    """One fault and how often it comes, against the others; `renews` ends the program's life."""

    name: str
    act: Callable[[Stage, random.Random], None]
    weight: int = 4
    renews: bool = False


def _next(*texts: str, reset: bool = False) -> Callable[[Stage, random.Random], None]:
    """Cut all connections, and let the next ones of each stream have these faults."""

    def act(stage: Stage, chance: random.Random) -> None:
        numbers = {"bytes": chance.randrange(_WITHIN_BYTES), "s": chance.uniform(0.1, 3.0)}
        numbers["record"] = chance.randrange(1, _WITHIN_RECORDS)
        faults = [text.format(**numbers) for text in texts for _ in range(STREAMS)]
        stage.gateway.spoil(*faults)
        stage.gateway.cut(reset=reset or chance.random() < 0.5)

    return act


def _kill_gateway(stage: Stage, _: random.Random) -> None:
    stage.renew_gateway()


def _stop_gateway(stage: Stage, chance: random.Random) -> None:
    stop_for(stage.gateway.pid, chance.uniform(1.0, 4.0))


def _stop_program(stage: Stage, chance: random.Random) -> None:
    stop_for(stage.program.pid, chance.uniform(0.5, 5.0))


def _no_history(stage: Stage, _: random.Random) -> None:
    for call in ("timeseries.get_range", "metadata.get_dataset_range", "metadata.get_cost"):
        stage.history.fail(call, Failure(503, "Service Unavailable", times=3))


def _hang_up(stage: Stage, _: random.Random) -> None:
    stage.renew_program(signal.SIGHUP)


def _kill(stage: Stage, _: random.Random) -> None:
    stage.renew_program(signal.SIGKILL)


def _fill_disk(stage: Stage, _: random.Random) -> None:
    """Leave no byte free for a few seconds."""
    filler = stage.folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(_PIECE)
            except OSError:
                time.sleep(_FULL_S)
    finally:
        filler.unlink()


FAULTS = (
    Deal("cut at a random byte", _next("drop@bytes={bytes}")),
    Deal("reset at a random byte", _next("reset@bytes={bytes}", reset=True)),
    Deal("cut within a record", _next("half@record={record}")),
    # In the midst of a record it would be believed where it completes one.
    Deal("garbage", _next("garbage@record={record}")),
    Deal("cut twice in a row", _next("drop@bytes={bytes}", "reset@after={s}")),
    Deal("connections refused", _next("refuse=2")),
    Deal("malformed greeting", _next("bad-challenge"), 2),
    Deal("connected, and not a word", _next("silent-accept"), 1),
    Deal("silence, no heartbeat", _next("stall@after={s}"), 1),
    Deal("slow reader warning", _next("slow@after={s}"), 2),
    Deal("records skipped (error 7)", _next("error=7:Records were skipped@after={s}"), 2),
    Deal("internal error (6)", _next("error=6:Internal error@after={s}"), 2),
    Deal("too many connections (3)", _next("error=3:Connection limit@after={s}"), 2),
    Deal("gateway killed", _kill_gateway),
    Deal("network stalls", _stop_gateway),
    Deal("program stands still", _stop_program),
    Deal("history service down", _no_history, 2),
    Deal("SIGHUP and a new start", _hang_up, 0, renews=True),
    Deal("SIGKILL and a new start", _kill, 0, renews=True),
)
DISK_FULL = Deal("disk full", _fill_disk, 3)


def faults_for(folder: Path) -> list[Deal]:
    """Return what can go wrong in the midst of a life; a full disk where `folder`'s is small."""
    room = os.statvfs(folder)
    small = room.f_blocks * room.f_frsize <= _SMALL_BYTES
    return [deal for deal in FAULTS if not deal.renews] + ([DISK_FULL] if small else [])
