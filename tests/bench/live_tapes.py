"""Uncompressed tapes for the live benchmark: a gateway maps them into memory."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import numpy as np

from stockscan_tui.market.calendar import SECOND_NS, new_york_ns
from stockscan_tui.market.dbn import MBP1_DTYPE
from stockscan_tui.sim.day import DAY_MINUTES, OPEN_MINUTE, DayPlan
from stockscan_tui.sim.files import write_closes, write_day
from stockscan_tui.sim.universe import make_universe
from tests.bench.material import DAY, DAY_BEFORE, FOLDER, SEED

SYMBOLS = 12_000
_PIECE = 1 << 20


def burst_tape(records: int) -> Path:
    """Return the records of 12,000 symbols in 09:30–10:30."""
    return _made(f"live-burst-{records}", DayPlan(
        DAY, records, first_minute=OPEN_MINUTE, last_minute=OPEN_MINUTE + 60,
    ))  # fmt: skip


def day_tape(records: int) -> Path:
    """Return the records of a whole day."""
    return _made(f"live-day-{records}", DayPlan(DAY, records, last_minute=DAY_MINUTES))


def closes_of(path: Path) -> Path:
    """Return the previous closes that stand beside a tape."""
    return path.with_name(path.name.replace(".mbp-1.dbn", ".ohlcv-1d.dbn"))


def flat_tape(rate: int, records: int, begin: time) -> Path:
    """Return a tape of `rate` records in each second from `begin` on, evenly spaced."""
    path = FOLDER / f"live-flat-{rate}-{records}-{begin:%H%M%S}.mbp-1.dbn"
    if path.exists():
        return path
    source = burst_tape(records)
    print(f"making {path} ...", flush=True)
    partial = path.with_suffix(".tmp")
    with source.open("rb") as raw, partial.open("wb") as out:
        head = raw.read(8)
        out.write(head + raw.read(int.from_bytes(head[4:8], "little")))
        start_ns, done = new_york_ns(DAY, begin), 0
        while data := raw.read(_PIECE * MBP1_DTYPE.itemsize):
            rows = np.frombuffer(bytearray(data), MBP1_DTYPE)
            lag_ns = rows["ts_recv"] - rows["ts_event"]
            rows["ts_recv"] = start_ns + (done + np.arange(len(rows))) * SECOND_NS // rate
            rows["ts_event"] = rows["ts_recv"] - lag_ns
            out.write(rows.tobytes())
            done += len(rows)
    partial.replace(path)
    return path


def due_ns(path: Path, count: int) -> int:
    """Return the ts_recv of the tape's record number `count`, from 0."""
    with path.open("rb") as file:
        head = 8 + int.from_bytes(file.read(8)[4:8], "little")
    rows = np.memmap(path, MBP1_DTYPE, "r", head)
    return int(rows["ts_recv"][count])


def _made(stem: str, plan: DayPlan) -> Path:
    path = FOLDER / f"{stem}.mbp-1.dbn"
    if not path.exists():
        print(f"making {path} ...", flush=True)
        universe = make_universe(SEED, SYMBOLS)
        write_closes(closes_of(path), universe, DAY_BEFORE)
        write_day(path, universe, plan, SEED)
    return path
