"""The official client in a process of its own, with a callback that keeps minute bars and quotes.

    python -m tests.bench.live_peer PORT rate RECORDS
    python -m tests.bench.live_peer PORT cpu SETTLE_S SECONDS
    python -m tests.bench.live_peer PORT timer SETTLE_S SECONDS

Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time

import databento
import databento_dbn as dbn

from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.run.demo import DATASET, HOST
from tests.bench.live_timer import percentiles, timer_delays_ms

KEY = "db-0123456789abcdefghijklmnopqrs"


class Bars:
    """One-minute bars of the trades and the last quotes, in dicts.

    Args:
        most: After how many records `enough` is set.
    """

    def __init__(self, most: int = 0) -> None:
        self.enough = threading.Event()
        self.records = 0
        self.began_s = self.ended_s = 0.0
        self._most = most
        self._bars: dict[tuple[int, int], list[int]] = {}
        self._quotes: dict[int, tuple[int, int]] = {}

    def take(self, record: object) -> None:
        """Be the client's callback."""
        if not isinstance(record, dbn.MBP1Msg):
            return
        if not self.records:
            self.began_s = time.perf_counter()
        self.records += 1
        level = record.levels[0]
        number = record.instrument_id
        self._quotes[number] = (level.bid_px, level.ask_px)
        if record.action == "T":
            self._trade((number, record.ts_recv // MINUTE_NS), record.price, record.size)
        if self.records == self._most:
            self.ended_s = time.perf_counter()
            self.enough.set()

    def _trade(self, key: tuple[int, int], price: int, size: int) -> None:
        bar = self._bars.get(key)
        if bar is None:
            self._bars[key] = [price, price, price, price, size, 1]
            return
        bar[1], bar[2], bar[3] = max(bar[1], price), min(bar[2], price), price
        bar[4] += size
        bar[5] += 1


def begin(port: int, bars: Bars) -> databento.Live:
    """Return a client that takes records."""
    client = databento.Live(key=KEY, gateway=HOST, port=port)
    client.subscribe(DATASET, "mbp-1", "ALL_SYMBOLS")
    client.add_callback(bars.take)
    client.start()
    return client


def measure_rate(port: int, records: int) -> dict[str, float]:
    """Return records per second."""
    bars = Bars(records)
    client = begin(port, bars)
    bars.enough.wait()
    client.terminate()
    return {"rate": records / (bars.ended_s - bars.began_s)}


def measure_cpu(port: int, settle_s: float, seconds: float) -> dict[str, float]:
    """Return the share of one core and the records per second."""
    bars = Bars()
    client = begin(port, bars)
    time.sleep(settle_s)
    records, cpu_s, began_s = bars.records, time.process_time(), time.perf_counter()
    time.sleep(seconds)
    took_s = time.perf_counter() - began_s
    found = {
        "cpu": (time.process_time() - cpu_s) / took_s,
        "rate": (bars.records - records) / took_s,
    }
    client.terminate()
    return found


def measure_timer(port: int, settle_s: float, seconds: float) -> dict[str, float]:
    """Return how late a timer on the main thread's loop is, and the records per second."""
    bars = Bars()
    client = begin(port, bars)
    time.sleep(settle_s)
    records, began_s = bars.records, time.perf_counter()
    delays = asyncio.run(timer_delays_ms(seconds))
    rate = (bars.records - records) / (time.perf_counter() - began_s)
    client.terminate()
    return {**percentiles(delays), "rate": rate}


def main(port: str, kind: str, *numbers: str) -> None:
    """Measure and print."""
    if kind == "rate":
        found = measure_rate(int(port), int(numbers[0]))
    elif kind == "cpu":
        found = measure_cpu(int(port), float(numbers[0]), float(numbers[1]))
    else:
        found = measure_timer(int(port), float(numbers[0]), float(numbers[1]))
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
