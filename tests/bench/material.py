"""Files for the benchmarks: simulated days, made once and kept outside the project."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import zstandard
from numpy.typing import NDArray

from stockscan_tui.sim.day import DayPlan
from stockscan_tui.sim.files import write_closes, write_day
from stockscan_tui.sim.universe import make_universe

FOLDER = Path(tempfile.gettempdir()) / "stockscan-bench"
DAY = date(2026, 6, 15)
DAY_BEFORE = date(2026, 6, 12)
SEED = 7


def day_file(records: int, symbols: int, trade_share: float = 0.10, focus: float = 0.0) -> Path:
    """Return an mbp-1 file of a whole day with its closes beside it, made now if need be."""
    stem = f"day-{records}-{symbols}-{trade_share:g}-{focus:g}"
    path = FOLDER / f"{stem}.mbp-1.dbn.zst"
    if not path.exists():
        print(f"making {path} ...", flush=True)
        universe = make_universe(SEED, symbols)
        write_closes(FOLDER / f"{stem}.ohlcv-1d.dbn.zst", universe, DAY_BEFORE)
        write_day(path, universe, DayPlan(DAY, records, trade_share, focus), SEED)
    return path


def decompress(path: Path, target: NDArray[np.uint8] | None = None) -> int:
    """Decompress a file and nothing else; returns the bytes, kept in `target` if given."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    count = 0
    block = np.zeros(1 << 20, np.uint8)
    with path.open("rb") as file:
        stream = decompressor.stream_reader(file, read_size=1 << 18, read_across_frames=True)
        while True:
            view = block.data if target is None else target[count : count + (1 << 20)].data
            got = stream.readinto(view)
            if not got:
                return count
            count += got
