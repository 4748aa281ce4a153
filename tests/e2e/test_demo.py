"""The demo over the live path: its gateway is killed before the viewer, and nothing is wrong."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from datetime import time as clock_time
from pathlib import Path

import databento_dbn as dbn
import numpy as np
import pytest
import zstandard

from stockscan_tui.clock import SystemClock
from stockscan_tui.market.calendar import MINUTE_NS, new_york_ns
from stockscan_tui.market.dbn import MBP1_DTYPE
from stockscan_tui.run import live
from stockscan_tui.run.demo import DemoRequest, DemoRun
from stockscan_tui.sim.demo import demo_file
from stockscan_tui.sim.place import DAY
from tests import wire
from tests.e2e.test_live_restart import bars_in, gaps_in
from tests.playing import bars_by_pandas, weekdays

START = clock_time(9, 29)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_file(tmp_path_factory.mktemp("demo"), symbols=60, records=60_000)


def records_of(file: Path) -> tuple[wire.Records, dict[int, str]]:
    """Return a file's records, and the symbols of their ids, without our own reader."""
    raw = zstandard.ZstdDecompressor().stream_reader(file.read_bytes()).read()
    metadata = dbn.Metadata.decode(raw)
    size = 8 + int.from_bytes(raw[4:8], "little")
    names = {int(spans[0]["symbol"]): name for name, spans in metadata.mappings.items()}
    return np.frombuffer(raw, MBP1_DTYPE, offset=size).copy(), names


def until(reached: Callable[[], bool], run: DemoRun) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert run.engine.running, run.failure()
        assert time.monotonic() < end, run.engine.health()
        time.sleep(0.005)


def test_a_gateway_that_is_killed_twice_costs_no_bar(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "load_calendar", lambda *_: weekdays())
    database = tmp_path / "demo.duckdb"
    request = DemoRequest(day, speed=400.0, start_at=START, database=database, refresh_s=math.inf)
    run = DemoRun(request, SystemClock())
    start_ns = new_york_ns(DAY, START)
    for minutes in (10, 40):
        until(lambda at=start_ns + minutes * MINUTE_NS: run.engine.event_ns >= at, run)  # type: ignore[misc]
        healed = run.engine.health().healed
        os.kill(run._gateway.pid, signal.SIGKILL)
        until(lambda before=healed: run.engine.health().healed > before, run)  # type: ignore[misc]
    until(lambda: run.engine.event_ns >= start_ns + 120 * MINUTE_NS, run)
    end = run.engine.event_ns // MINUTE_NS
    summary = run.close()
    # A machine that stood still for a while makes one more.
    assert summary.gaps == summary.healed >= 2
    want = bars_by_pandas(*records_of(day))
    bars = bars_in(database)
    for key, row in want.items():
        if key[1] < end:
            whole = key[1] * MINUTE_NS > start_ns + 20 * MINUTE_NS
            assert bars[key][: None if whole else 5] == row[: None if whole else 5]
    assert all(healed is not None for _, healed in gaps_in(database))


def test_the_demo_at_full_speed_has_every_bar_of_the_day(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "load_calendar", lambda *_: weekdays())
    database = tmp_path / "demo.duckdb"
    request = DemoRequest(
        day, speed=math.inf, start_at=START, database=database, refresh_s=math.inf
    )
    run = DemoRun(request, SystemClock())
    assert run.join(60)
    summary = run.close()
    assert summary.quotes == 60_000
    assert bars_in(database) == bars_by_pandas(*records_of(day))
