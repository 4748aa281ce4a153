"""Our side of the live path, in a process of its own.

python -m stockscan_tui.bench.live_own PORT DATABASE rate RECORDS | timer SECONDS
"""

from __future__ import annotations

import asyncio
import gc
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from stockscan_tui.bench.late_timer import percentiles, timer_delays_ms
from stockscan_tui.bench.live import told
from stockscan_tui.clock import SystemClock
from stockscan_tui.errors import StockscanError
from stockscan_tui.feed.live import Access
from stockscan_tui.run.demo import DATASET, HOST, KEY
from stockscan_tui.run.live import LiveRequest, LiveRun

if TYPE_CHECKING:
    from stockscan_tui.ui.app import Opening

SIZE = (140, 40)
SETTLE_S = 2.0
# As a run with a screen has it.
SWITCH_S = 0.0005
_LOOK_S = 0.002


def begin(port: int, database: Path, refresh_s: float) -> LiveRun:
    """Return a run against a gateway."""
    sys.setswitchinterval(SWITCH_S)
    access = Access(KEY, DATASET, HOST, port)
    run = LiveRun(LiveRequest(access, database, backfill=False, refresh_s=refresh_s), SystemClock())
    gc.collect()
    gc.freeze()
    return run


def taken_at(run: LiveRun, records: int) -> float:
    """Return when that many records were taken in."""
    while run.engine.health().records < records:
        if not run.engine.running:
            raise StockscanError(run.engine.failure())
        time.sleep(_LOOK_S)
    return time.perf_counter()


def measure_rate(port: int, database: Path, records: float) -> dict[str, float]:
    """Return records per second from the first one on."""
    run = begin(port, database, math.inf)
    began_s = taken_at(run, 1)
    before = run.engine.health().records
    ended_s = taken_at(run, int(records))
    run.close()
    return {"rate": (records - before) / (ended_s - began_s)}


def measure_timer(port: int, database: Path, seconds: float) -> dict[str, float]:
    """Return how late a timer on the interface's loop is, and the records per second."""
    from stockscan_tui.ui.app import StockscanApp  # noqa: PLC0415
    from stockscan_tui.ui.desk import Desk  # noqa: PLC0415

    runs: list[LiveRun] = []

    def start(_opening: Opening) -> LiveRun:
        runs.append(begin(port, database, 0.1))
        return runs[0]

    app = StockscanApp(start, title="bench", clock=SystemClock(), desk=Desk(gates=None))
    found: dict[str, float] = {}

    async def play() -> None:
        async with app.run_test(size=SIZE):
            while not runs or not runs[0].engine.health().records:
                await asyncio.sleep(_LOOK_S)
            await asyncio.sleep(SETTLE_S)
            records, began_s = runs[0].engine.health().records, time.perf_counter()
            found.update(percentiles(await timer_delays_ms(seconds)))
            taken = runs[0].engine.health().records - records
            found["rate"] = taken / (time.perf_counter() - began_s)

    asyncio.run(play())
    runs[0].close()
    return found


if __name__ == "__main__":
    told({"rate": measure_rate, "timer": measure_timer}, sys.argv[1:])
