"""Days for rules to be tried on, the rules that are stated for the oracle, and how both are run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import time
from pathlib import Path
from typing import Any

import databento_dbn as dbn
import numpy as np
import zstandard
from numpy.typing import NDArray

from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market.calendar import SECOND_NS, Session, new_york_ns
from stockscan_tui.market.dbn import MBP1_DTYPE, OHLCV_DTYPE, RType
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import Feed
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule, Rules
from stockscan_tui.sim.demo import demo_file
from stockscan_tui.sim.place import DAY
from tests import wire
from tests.playing import ListSink, StillClock, next_day, weekdays
from tests.rule_oracle import Material, Stated, Want

Cut = Callable[[wire.Records], Sequence[wire.Records]]
REGULAR = frozenset({Session.REGULAR})

STATED = (
    Stated(Rule("move", move=3.0, once_a_day=True)),
    Stated(Rule("swing", move=5.0, rearm_move=4.5, cooldown_s=600)),
    Stated(Rule("print", move=4.0, price="last", cooldown_s=1200)),
    Stated(
        Rule("runner", when=parse("chg(5m) > 2 and rvol > 1.5"), cooldown_s=900),
        lambda f: (f.chg5 > 2) & (f.rvol > 1.5),
        values={"chg(5m)": "chg5", "rvol": "rvol"},
    ),
    Stated(
        Rule("reclaim", when=parse("crosses_above(mark, vwap) and trades > 20"), cooldown_s=300),
        lambda f: f.trades > 20,
        crossing=lambda f: f.over_vwap,
        values={"mark": "price", "vwap": "vwap", "trades": "trades"},
    ),
    Stated(
        Rule(
            "breakout",
            when=parse("mark >= high and volume(5m) > 500"),
            rearm=parse("hod_pct < -1"),
        ),
        lambda f: (f.price >= f.high) & (f.volume5 > 500),
        rearms=lambda f: f.hod < -1,
        values={"mark": "price", "high": "high", "volume(5m)": "volume5"},
    ),
    Stated(
        Rule(
            "sold out",
            when=parse("rsi(14) < 30 and trades > 20"),
            cooldown_s=1800,
            sessions=REGULAR,
        ),
        lambda f: (f.rsi < 30) & (f.trades > 20),
        values={"rsi(14)": "rsi", "trades": "trades"},
    ),
    Stated(
        Rule("rich", when=parse("dvol > 1m and abs(chg) > 5"), once_a_day=True),
        lambda f: (f.dvol > 1e6) & (f.chg.abs() > 5),
        values={"dvol": "dvol", "chg": "chg"},
    ),
)

# It tells of every evaluation that there is.
EVERY = (
    Stated(
        Rule("seen", when=parse("trades > 0"), cooldown_s=7, rearm=parse("trades > 0")),
        lambda f: f.trades > 0,
        rearms=lambda f: f.trades > 0,
    ),
)


@dataclass(frozen=True)
class OnDisk:
    """A day in files, and what is in them."""

    paths: tuple[Path, ...]
    material: Material


def simulated(folder: Path, seed: int = 1, symbols: int = 60, count: int = 60_000) -> OnDisk:
    """Return a simulated day with the closes beside it."""
    path = demo_file(folder, seed=seed, symbols=symbols, records=count)
    beside = path.with_name(path.name.replace("mbp-1", "ohlcv-1d"))
    records, names = read(path, MBP1_DTYPE)
    bars, ids = read(beside, OHLCV_DTYPE)
    closes = {ids[int(bar["instrument_id"])]: bar["close"] / 1e9 for bar in bars}
    average = {ids[int(bar["instrument_id"])]: float(bar["volume"]) for bar in bars}
    return OnDisk((path,), Material(records, names, weekdays().day(DAY), closes, average))


def read(path: Path, dtype: Any) -> tuple[wire.Records, dict[int, str]]:
    """Return a file's records, and the symbols of their ids, without the program's own reader."""
    raw = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    metadata = dbn.Metadata.decode(raw)
    size = 8 + int.from_bytes(raw[4:8], "little")
    names = {int(spans[0]["symbol"]): name for name, spans in metadata.mappings.items()}
    return np.frombuffer(raw, dtype, offset=size).copy(), names


COARSE = {"AAA": 1, "BBB": 2, "CCC": 3, "DDD": 4, "EEE": 5, "FFF": 6, "GGG": 7, "HALF": 8}
# Hours of which a coarse day has records, among them the edges of all its sessions.
HOURS = ((3, 51, 4, 3), (9, 22, 9, 41), (15, 55, 16, 4), (19, 57, 20, 3))
Hours = Sequence[tuple[int, int, int, int]]
QUARTER_NS = SECOND_NS // 4


def coarse(folder: Path, seed: int, count: int = 12_000, hours: Hours = HOURS) -> OnDisk:
    """Return a day whose times and prices are so coarse that whatever can be equal is.

    Prices stand on half percents of the close and times on quarters of a second, so that limits
    are met exactly, records fall on the ends of seconds, minutes and sessions, and marks equal
    highs and averages. HALF opens at half its close, and GGG has no close.
    """
    rng = np.random.default_rng(seed)
    spans = [
        np.arange(new_york_ns(wire.DAY, time(a, b)), new_york_ns(wire.DAY, time(c, d)), QUARTER_NS)
        for a, b, c, d in hours
    ]
    closes = {name: 10.0 * 2 ** (number % 4) for name, number in COARSE.items()}
    busy = (0.3, 0.2, 0.15, 0.15, 0.1, 0.05, 0.04, 0.01)
    number = rng.choice(list(COARSE.values()), count, p=busy)
    records = np.zeros(count, MBP1_DTYPE)
    records["length"] = MBP1_DTYPE.itemsize // 4
    records["rtype"] = RType.MBP_1
    records["publisher_id"] = rng.integers(1, 3, count)
    records["instrument_id"] = number
    records["ts_recv"] = np.sort(rng.choice(np.concatenate(spans), count))
    records["ts_event"] = records["ts_recv"]
    step = np.array([closes[name] for name in COARSE])[number - 1] * 5e6
    _prices(records, number, np.round(step).astype(np.int64), rng)
    day = weekdays().day(wire.DAY)
    known = {name: close for name, close in closes.items() if name != "GGG"}
    average = dict.fromkeys(known, 3_000.0)
    names = {number: name for name, number in COARSE.items()}
    meta = wire.metadata("mbp-1", COARSE, start_ns=day.start_ns)
    path = wire.write(folder / f"coarse-{seed}.mbp-1.dbn", meta, records)
    return OnDisk((path,), Material(records, names, day, known, average))


def _prices(
    records: wire.Records, number: NDArray[Any], step: NDArray[np.int64], rng: np.random.Generator
) -> None:
    """Let each symbol's price wander by half percents, with quotes around it and some prints."""
    count = len(records)
    place = np.zeros(count, np.int64)
    for each in COARSE.values():
        own = np.flatnonzero(number == each)
        half = each == COARSE["HALF"]
        most = 6 if half else 14
        walk = np.clip(rng.choice((-1, 0, 0, 1), len(own)).cumsum(), -most, most)
        place[own] = (100 if half else 200) + walk
    kind = rng.choice(5, count, p=(0.3, 0.4, 0.1, 0.1, 0.1))
    width = np.array([0, 1, 5, -1, 1])[kind]
    records["bid_px"] = (place - width) * step
    records["ask_px"] = (place + width) * step
    records["bid_px"][kind == 4] = wire.NULL_PRICE
    records["action"] = np.where(rng.random(count) < 0.35, b"T", b"A")
    far = rng.choice((-60, 0, 0, 0, 0, 0, 0, 60), count) * (rng.random(count) < 0.05)
    records["price"] = (place + far + rng.integers(-1, 2, count)) * step
    records["size"] = rng.choice((0, 1, 100, 100, 300), count)


def part(
    day: OnDisk,
    begin_ns: int,
    end_ns: int,
    *,
    cut: Cut = lambda rows: [rows],
    start_ns: int | None = None,
) -> OnDisk:
    """Return the records between two instants, in as many files as `cut` makes of them.

    Files that overlap take turns second by second; so do the records of what is returned.
    `start_ns` is what the files say of their beginning, if not the first instant.
    """
    times = day.material.records["ts_recv"].astype(np.int64)
    pieces = cut(day.material.records[(times >= begin_ns) & (times < end_ns)])
    on = day.material.day.session_date
    spans = {name: [(on, next_day(on), number)] for number, name in day.material.names.items()}
    start = begin_ns if start_ns is None else start_ns
    meta = wire.metadata("mbp-1", mappings=spans, start_ns=start)
    folder = day.paths[0].parent
    paths = []
    for piece in pieces:
        name = f"part-{len(list(folder.iterdir()))}.mbp-1.dbn"
        paths.append(wire.write(folder / name, meta, piece))
    turn = np.concatenate([np.full(len(piece), place) for place, piece in enumerate(pieces)])
    rows = np.concatenate(pieces)
    rows = rows[np.lexsort((turn, rows["ts_recv"].astype(np.int64) // SECOND_NS))]
    return OnDisk(tuple(paths), replace(day.material, records=rows))


def play(
    day: OnDisk,
    stated: Iterable[Stated],
    *,
    speed: float = math.inf,
    start_at: time | None = None,
    closes: bool = True,
) -> tuple[list[Fired], list[Fired]]:
    """Play a day to its end with a clock that nobody waits for.

    Returns:
        The alerts that were told, and those that the store was given; each in the order in which
        they came.
    """
    told: list[Fired] = []
    sink = ListSink()
    engine = ReplayEngine(
        [DbnFile(path) for path in day.paths],
        Surroundings(
            calendar=weekdays(),
            closes=PreviousCloses(weekdays()),
            sink=sink,
            clock=StillClock(),
            undated=day.material.closes if closes else None,
            volumes=day.material.average,
        ),
        Options(
            Feed("REPLAY", "test", "EQUS.MINI", "mbp-1"),
            refresh_s=math.inf,
            rules=Rules(tuple(each.rule for each in stated)),
            listeners=(told.extend,),
        ),
        speed=speed,
        start_at=start_at,
    )
    engine.start()
    assert engine.join(120)
    engine.outcome()
    return told, [fired for batch in sink.batches for fired in batch.fired]


def differences(found: Sequence[Fired], want: Sequence[Want]) -> list[str]:
    """Return what two lists of alerts differ in, empty where they are the same in one order."""
    ours = [(each.ts_ns, each.symbol, each.rule) for each in found]
    theirs = [(each.ts_ns, each.symbol, each.rule) for each in want]
    if ours != theirs:
        lines = [f"missing {each}" for each in sorted(set(theirs) - set(ours))]
        lines += [f"surplus {each}" for each in sorted(set(ours) - set(theirs))]
        return lines or ["twice, or not in order"]
    lines = []
    for each, wish in zip(found, want, strict=True):
        if each.price != wish.price:
            lines.append(f"{each.alert_id}: {each.price} is not {wish.price}")
        values = json.loads(each.values)
        for name, value in wish.values:
            if values[name] != round(value, 9):
                lines.append(f"{each.alert_id}: {name} {values[name]} is not {value}")
    return lines
