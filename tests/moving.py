"""A replay that a test moves through time, and all that can be told of it at an instant."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from stockscan_tui.engine.core import AlertTimes, Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.engine.seeking import Seeking
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.snapshot import Feed, Snapshot
from tests.playing import ListSink, weekdays

# What may differ between two runs that stand at the same instant.
_OF_THE_RUN = frozenset(
    {
        "serial",
        "feed",
        "health",
        "cache",
        "timeline",
        "leap",
        "prints",
        "next_session_ns",
        "vitals",
        "made_ns",
    }
)


class RestingClock:
    """A clock that stands still, and says when the engine has nothing to do."""

    def __init__(self) -> None:
        self.resting = threading.Event()

    def now_ns(self) -> int:
        return 1

    def wall_ns(self) -> int:
        return 1

    def wait(self, event: threading.Event, timeout_s: float) -> None:
        self.resting.set()
        event.wait()


@dataclass
class Moved:
    """A replay that stands still until it is moved."""

    engine: ReplayEngine
    clock: RestingClock
    sink: ListSink
    seeking: Seeking

    def to(self, ns: int) -> Snapshot:
        """Move to an instant, and return its picture."""
        self.clock.resting.clear()
        self.engine.seek(ns)
        return self.rest()

    def rest(self) -> Snapshot:
        """Wait until nothing is to be done, and return the picture."""
        while not self.clock.resting.wait(1):
            # What has broken off never rests.
            self.engine.outcome()
            assert self.engine.running
        picture = self.engine.snapshot()
        assert picture is not None
        return picture

    def stop(self) -> None:
        self.engine.stop()
        assert self.engine.join(60)
        self.engine.outcome()


def moved(
    files: Path | Sequence[Path],
    folder: Path,
    *,
    closes: Mapping[str, float] | None = None,
    indicators: frozenset[IndicatorKey] = frozenset(),
    alert_times: AlertTimes | None = None,
) -> Moved:
    """Open files, paused before their first record."""
    paths = [files] if isinstance(files, Path) else list(files)
    sink, clock = ListSink(), RestingClock()
    folder.mkdir()
    seeking = Seeking(folder)
    engine = ReplayEngine(
        [DbnFile(path) for path in paths],
        Surroundings(
            calendar=weekdays(),
            closes=PreviousCloses(weekdays()),
            sink=sink,
            clock=clock,
            undated=closes,
            alert_times=alert_times,
        ),
        Options(
            Feed("REPLAY", "test", "EQUS.MINI", "mbp-1"),
            refresh_s=math.inf,
            behind_screen=True,
            indicators=indicators,
        ),
        speed=math.inf,
        seeking=seeking,
    )
    engine.set_paused(True)
    engine.start()
    assert clock.resting.wait(120)
    return Moved(engine, clock, sink, seeking)


def digest(picture: Snapshot) -> dict[str, str]:
    """Return a seal of each thing that a picture tells of the market."""
    return {
        field.name: _seal(getattr(picture, field.name))
        for field in dataclasses.fields(picture)
        if field.name not in _OF_THE_RUN
    } | {"records": str(picture.health.records)}


def _seal(value: Any) -> str:
    made = hashlib.sha256()
    _feed(made, value)
    return made.hexdigest()


def _feed(made: Any, value: Any) -> None:
    match value:
        case np.ndarray():
            made.update(f"{value.dtype}{value.shape}".encode())
            made.update(np.ascontiguousarray(value).tobytes())
        case Enum():
            made.update(repr(value).encode())
        case Mapping():
            for key in sorted(value, key=str):
                made.update(str(key).encode())
                _feed(made, value[key])
        case tuple() | list():
            for item in value:
                _feed(made, item)
        case _ if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                if field.name != "sums":
                    _feed(made, getattr(value, field.name))
        case _:
            made.update(repr(value).encode())
