"""The official client in a process of its own, with a callback that keeps minute bars and quotes.

python -m stockscan_tui.bench.live_peer PORT DATABASE rate RECORDS | timer SECONDS
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path

import databento
import databento_dbn as dbn

from stockscan_tui.bench.bars import BarDict
from stockscan_tui.bench.late_timer import percentiles, timer_delays_ms
from stockscan_tui.bench.live import told
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.run.demo import DATASET, HOST

KEY = "db-0123456789abcdefghijklmnopqrs"
SETTLE_S = 2.0


class Bars(BarDict):
    """What a callback keeps.

    Args:
        most: After how many records `enough` is set.
    """

    def __init__(self, most: int = 0) -> None:
        super().__init__()
        self.enough = threading.Event()
        self.records = 0
        self.began_s = self.ended_s = 0.0
        self._most = most

    def take(self, record: object) -> None:
        """Be the client's callback."""
        if not isinstance(record, dbn.MBP1Msg):
            return
        if not self.records:
            self.began_s = time.perf_counter()
        self.records += 1
        level = record.levels[0]
        number = record.instrument_id
        self.quotes[number] = (level.bid_px, level.ask_px)
        if record.action == "T":
            self.trade((number, record.ts_recv // MINUTE_NS), record.price, record.size)
        if self.records == self._most:
            self.ended_s = time.perf_counter()
            self.enough.set()


def begin(port: int, bars: Bars) -> databento.Live:
    """Return a client that takes records."""
    client = databento.Live(key=KEY, gateway=HOST, port=port)
    client.subscribe(DATASET, "mbp-1", "ALL_SYMBOLS")
    client.add_callback(bars.take)
    client.start()
    return client


def measure_rate(port: int, database: Path, records: float) -> dict[str, float]:
    """Return records per second, and leave the bars in a database."""
    bars = Bars(int(records))
    client = begin(port, bars)
    bars.enough.wait()
    names = {number: str(symbol) for number, symbol in client.symbology_map.items()}
    client.terminate()
    keep(bars, names, database)
    return {"rate": records / (bars.ended_s - bars.began_s)}


def keep(bars: BarDict, names: dict[int, str], database: Path) -> None:
    """Write bars to a database, to be held against ours."""
    import duckdb  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    from stockscan_tui.bench.bars import NAMES  # noqa: PLC0415
    from stockscan_tui.bench.replaying import INSERT, TABLE  # noqa: PLC0415

    rows = [(names[key[0]], key[1], *bar) for key, bar in bars.bars.items()]
    with duckdb.connect(str(database)) as connection:
        connection.execute(TABLE)
        connection.register("made", pd.DataFrame(rows, columns=["symbol", "minute", *NAMES]))
        connection.execute(INSERT)


def measure_timer(port: int, _database: Path, seconds: float) -> dict[str, float]:
    """Return how late a timer on the main thread's loop is, and the records per second."""
    bars = Bars()
    client = begin(port, bars)
    time.sleep(SETTLE_S)
    records, began_s = bars.records, time.perf_counter()
    delays = asyncio.run(timer_delays_ms(seconds))
    rate = (bars.records - records) / (time.perf_counter() - began_s)
    client.terminate()
    return {**percentiles(delays), "rate": rate}


if __name__ == "__main__":
    told({"rate": measure_rate, "timer": measure_timer}, sys.argv[1:])
