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
import time

from stockscan_tui.bench.late_timer import percentiles, timer_delays_ms
from stockscan_tui.bench.live_peer import Bars, begin


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
