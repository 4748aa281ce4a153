"""The compiled path alone: bytes in memory, full state, a stop at each second of event time.

Beside it a Python loop over the official decoder that keeps the same bars, and the same path with
ten times as many instruments.

    python -m tests.bench.bench_kernel
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import cast

import databento_dbn as dbn
import numpy as np
from numpy.typing import NDArray

from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, utc_date
from stockscan_tui.market.dbn import MBP1_DTYPE
from stockscan_tui.market.state import Market
from stockscan_tui.market.symbols import InstrumentIds
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
    file = DbnFile(path)
    market, ids = Market(capacity=len(file.symbology)), InstrumentIds()
    names = file.symbology.on(utc_date(file.start_ns))
    ids.assign(zip(names, market.slots(list(names.values())), strict=True))
    ctl = market.ctl
    ctl[k.END], ctl[k.FINAL], ctl[k.IN_SESSION] = len(raw), 1, 1
    ctl[k.POST_END_NS] = 2**62
    stop_ns = file.start_ns // MINUTE_NS * MINUTE_NS + step_ns
    market.state[:] = 0
    began = time.perf_counter()
    while True:
        ctl[k.STOP_NS] = stop_ns
        reason = market.consume(raw, ids)
        if reason == k.NEED_BYTES:
            break
        if reason == k.BOUNDARY:
            if stop_ns % MINUTE_NS == 0:
                market.close_minute()
                market.take_bars()
            stop_ns += step_ns
        elif reason == k.GROW:
            market.grow_bars()
        else:
            market.take_bars()
    took = time.perf_counter() - began
    return int(ctl[k.RECORDS]) / took


def python_loop(raw: NDArray[np.uint8]) -> float:
    """Return records per second of a loop over decoded records that keeps bars."""
    decoder = dbn.DBNDecoder(has_metadata=False, input_version=3)
    began = time.perf_counter()
    decoder.write(raw[: PEER_RECORDS * MBP1_DTYPE.itemsize].tobytes())
    bars: dict[tuple[int, int], list[int]] = {}
    quotes: dict[int, tuple[int, int]] = {}
    for record in cast("list[dbn.MBP1Msg]", decoder.decode()):
        level = record.levels[0]
        quotes[record.instrument_id] = (level.bid_px, level.ask_px)
        if record.action == "T":
            key = (record.instrument_id, record.ts_recv // MINUTE_NS)
            price, size = record.price, record.size
            bar = bars.get(key)
            if bar is None:
                bars[key] = [price, price, price, price, size, 1]
            else:
                bar[1], bar[2], bar[3] = max(bar[1], price), min(bar[2], price), price
                bar[4] += size
                bar[5] += 1
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
