"""A replay with rules that a test moves through time, and records for it by time and symbol."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path

import numpy as np

from stockscan_tui.engine.core import Listener, Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.engine.seeking import Seeking
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market.calendar import SECOND_NS, new_york_ns
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import Feed
from stockscan_tui.market.user_data import Own
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.gates import Gates
from stockscan_tui.scan.rules import Rule, Rules
from tests import wire
from tests.moving import Moved, RestingClock
from tests.playing import ListSink, weekdays

OPEN_GATES = Gates("", "", "")
CLOSES = {"AAA": 10.0, "BBB": 20.0, "CCC": 40.0}
IDS = {name: number for number, name in enumerate(CLOSES, 1)}
SEEN = Rule("seen", when=parse("mark > 0"), rearm=parse("mark > 0"))


def at(text: str) -> int:
    """Return an instant of the day in New York, of `9:31` or `9:31:05.25`."""
    hour, minute, *second = text.split(":")
    whole = new_york_ns(wire.DAY, time(int(hour), int(minute)))
    return whole + round(float(second[0] if second else 0) * SECOND_NS)


def quotes(rows: Sequence[tuple[str, str, float]]) -> wire.Records:
    """Return records of (time, symbol, mark)."""
    return wire.quotes([(at(when), IDS[name], mark, mark) for when, name, mark in rows])


def prints(rows: Sequence[tuple[str, str, float]], size: int = 100) -> wire.Records:
    """Return trades of (time, symbol, price)."""
    return wire.rows_with_trade(
        wire.trades([(at(when), IDS[name], price, size) for when, name, price in rows])
    )


def in_order(*parts: wire.Records) -> wire.Records:
    rows: wire.Records = np.concatenate(parts)
    return rows[np.argsort(rows["ts_recv"], kind="stable")]


def every(seconds: int, begin: str, end: str, name: str, mark: float) -> wire.Records:
    """Return the same quote again and again."""
    times = range(at(begin), at(end), seconds * SECOND_NS)
    return wire.quotes([(ns, IDS[name], mark, mark) for ns in times])


@dataclass
class Played:
    """A replay that stands still until it is moved, and what it has told."""

    moved: Moved
    told: list[Fired]

    def to(self, when: str) -> list[tuple[str, str, str]]:
        """Go on, or back, to an instant; returns what had fired on the day by then."""
        return named(self.moved.to(at(when)).fired)

    def know(self, *rules: Rule) -> None:
        """Let other rules be watched from here on."""
        self.moved.engine.know_rules(Rules(rules))

    def end(self) -> list[tuple[str, str, str]]:
        """Stop, and return what was told."""
        self.moved.stop()
        return named(self.told)


def named(fired: Sequence[Fired]) -> list[tuple[str, str, str]]:
    """Return when which rules have fired for whom."""
    midnight = new_york_ns(wire.DAY, time(0))
    found = []
    for each in fired:
        seconds, ns = divmod(each.ts_ns - midnight, SECOND_NS)
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        found.append((clock + f"{ns / 1e9:.3f}"[1:] * (ns > 0), each.symbol, each.rule))
    return found


def opened(
    folder: Path,
    *parts: wire.Records | bytes,
    rules: Sequence[Rule],
    closes: Mapping[str, float] | None = CLOSES,
    start_at: time | None = None,
    own: Own | None = None,
    listeners: Sequence[Listener] = (),
) -> Played:
    """Open a file, paused before its first record, or at `start_at`."""
    number = len(list(folder.iterdir()))
    meta = wire.metadata("mbp-1", IDS, start_ns=at("4:00"))
    path = wire.write(folder / f"{number}.mbp-1.dbn", meta, *parts)
    images = folder / f"images-{number}"
    images.mkdir()
    told: list[Fired] = []
    sink, clock, moves = ListSink(), RestingClock(), Seeking(images)
    engine = ReplayEngine(
        [DbnFile(path)],
        Surroundings(
            calendar=weekdays(),
            closes=PreviousCloses(weekdays()),
            sink=sink,
            clock=clock,
            undated=closes,
        ),
        Options(
            Feed("REPLAY", "test", "EQUS.MINI", "mbp-1"),
            refresh_s=math.inf,
            behind_screen=True,
            rules=Rules(tuple(rules)),
            gates=OPEN_GATES,
            listeners=(*listeners, told.extend),
            own=own or Own(),
        ),
        speed=math.inf,
        start_at=start_at,
        seeking=moves,
    )
    engine.set_paused(True)
    engine.start()
    assert clock.resting.wait(60)
    return Played(Moved(engine, clock, sink, moves), told)
