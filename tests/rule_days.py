"""Days for rules to be tried on, the rules that are stated for the oracle, and how both are run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, Session, new_york_ns
from stockscan_tui.market.dbn import MBP1_DTYPE, OHLCV_DTYPE, RType
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import Feed, Snapshot
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule, Rules
from stockscan_tui.sim.demo import demo_file
from stockscan_tui.sim.place import DAY
from tests import wire
from tests.playing import ListSink, StillClock, weekdays
from tests.rule_oracle import Material, Stated, Want

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
    # It tells of every evaluation that there is.
    Stated(
        Rule("seen", when=parse("trades > 0"), cooldown_s=7, rearm=parse("chg5 > -100")),
        lambda f: f.trades > 0,
    ),
)


def simulated(folder: Path, seed: int = 1, symbols: int = 60, count: int = 60_000) -> "OnDisk":
    """Return a simulated day with the closes beside it."""
    path = demo_file(folder, seed=seed, symbols=symbols, records=count)
    beside = path.with_name(path.name.replace("mbp-1", "ohlcv-1d"))
    records, names = read(path, MBP1_DTYPE)
    bars, ids = read(beside, OHLCV_DTYPE)
    closes = {ids[int(bar["instrument_id"])]: bar["close"] / 1e9 for bar in bars}
    average = {ids[int(bar["instrument_id"])]: float(bar["volume"]) for bar in bars}
    return OnDisk((path,), Material(records, names, weekdays().day(DAY), closes, average))
