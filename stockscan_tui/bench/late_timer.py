"""How late a timer is on an event loop that has other work, or whose interpreter has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import numpy as np

INTERVAL_S = 0.010


async def timer_delays_ms(seconds: float) -> list[float]:
    """Return by how many milliseconds each 10 ms timer of the running loop came late."""
    delays = []
    deadline = time.perf_counter() + seconds
    while (began := time.perf_counter()) < deadline:
        await asyncio.sleep(INTERVAL_S)
        delays.append((time.perf_counter() - began - INTERVAL_S) * 1e3)
    return delays


def percentiles(delays: Sequence[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the largest."""
    middle, slow = np.percentile(delays, [50, 99])
    return {"p50": float(middle), "p99": float(slow), "most": max(delays)}
