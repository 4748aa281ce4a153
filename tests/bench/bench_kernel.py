"""The compiled path alone: bytes in memory, full state, a stop at each second of event time.

Beside it a Python loop over the official decoder that keeps the same bars, and the same path with
ten times as many instruments.

    python -m tests.bench.bench_kernel
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.bench.taking import ids_of, loop, walk
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.dbn import MBP1_DTYPE
from stockscan_tui.market.state import Market
from tests.bench.material import day_file, decompress

PEER_RECORDS = 300_000


def rows_of(path: Path, records: int) -> NDArray[np.uint8]:
    """Return the records' bytes, without the metadata."""
    raw = np.zeros(records * MBP1_DTYPE.itemsize + (1 << 27), np.uint8)
    count = decompress(path, raw)
    head = 8 + int.from_bytes(raw[4:8].tobytes(), "little")
    return raw[head:count]


def ours(path: Path, raw: NDArray[np.uint8], step_ns: int = SECOND_NS) -> float:
    """Return records per second."""
    market = Market(capacity=len(DbnFile(path).symbology))
    ids = ids_of(market, path)
    began = time.perf_counter()
    walk(market, ids, raw, step_ns)
    return int(market.ctl[k.RECORDS]) / (time.perf_counter() - began)


def python_loop(raw: NDArray[np.uint8]) -> float:
    """Return records per second of a loop over decoded records that keeps bars."""
    began = time.perf_counter()
    loop(raw[: PEER_RECORDS * MBP1_DTYPE.itemsize])
    return PEER_RECORDS / (time.perf_counter() - began)


def main(records: int = 20_000_000) -> None:
    """Print the table."""
    narrow, wide = day_file(records, 12_000), day_file(records, 120_000)
    raw = rows_of(narrow, records)
    ours(narrow, raw[: 80 * 100_000])
    rates = sorted(ours(narrow, raw) for _ in range(3))
    by_minute = ours(narrow, raw, MINUTE_NS)
    peer = python_loop(raw)
    del raw
    raw = rows_of(wide, records)
    rates_wide = sorted(ours(wide, raw) for _ in range(3))
    print(f"compiled path, stops each second   {rates[1] / 1e6:6.1f} M records/s   (≥ 20)")
    print(f"compiled path, stops each minute   {by_minute / 1e6:6.1f} M records/s")
    print(f"Python loop over DBNDecoder        {peer / 1e6:6.2f} M records/s")
    print(f"ratio                              {rates[1] / peer:6.1f}              (≥ 25)")
    print(f"120,000 instruments                {rates_wide[1] / 1e6:6.1f} M records/s")
    print(f"cost a record, 120,000 : 12,000    {rates[1] / rates_wide[1]:6.2f}              (≤ 3)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000_000)
