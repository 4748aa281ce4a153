"""The machine around a capture: its clocks, its folders, its limits, its calendar's odd days."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time as wall
from collections.abc import Callable
from datetime import date, time, timedelta
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.clock import SystemClock
from stockscan_tui.errors import StockscanError, StoreError
from stockscan_tui.feed.exchange import load_calendar
from stockscan_tui.market.calendar import SECOND_NS, Session, new_york_ns, new_york_time, utc_date
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.process import GatewayProcess
from stockscan_tui.sim.tape import Tape
from stockscan_tui.store.writer import Writer
from tests import streaming, wire
from tests.e2e.test_headless import COMMAND, environment
from tests.playing import bars_by_pandas, play
from tests.unit.store_batches import MINUTE, Row, batch, stored

SYMBOLS = {f"S{n}": n for n in range(1, 6)}
NAMES = {number: symbol for symbol, number in SYMBOLS.items()}
HOUR_NS = 3_600 * SECOND_NS
posix = pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed")


# --- clocks -------------------------------------------------------------------------------------


class SetClock(SystemClock):
    """The machine's clock, whose date and time somebody sets."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def wall_ns(self) -> int:
        return super().wall_ns() + self.ahead_ns


@pytest.mark.parametrize("steps", [(3,), (-3,), (3, -3), (-26, 50)])
def test_a_clock_that_is_set_by_hours_costs_no_bar(
    steps: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock()
    monkeypatch.setattr(streaming, "SystemClock", lambda: clock)
    rows = wire.random_rows(3, 3_000, len(SYMBOLS), minutes=6)
    last_ns = int(rows["ts_recv"][-1])
    sixth_ns = (last_ns - int(rows["ts_recv"][0])) // 6
    tape = Tape.from_records(rows, SYMBOLS)
    with GatewayThread(tape, Options(speed=150.0)) as gateway:
        taken = streaming.capture(gateway.port)
        for number, hours in enumerate(steps, 1):
            reached = int(rows["ts_recv"][0]) + number * sixth_ns
            taken.wait_until(lambda engine, at=reached: engine.event_ns >= at)  # type: ignore[misc]
            clock.ahead_ns += hours * HOUR_NS
        taken.wait_until(lambda engine: engine.event_ns >= last_ns)
        taken.end()
    assert taken.sink.bars == bars_by_pandas(rows, NAMES)
    health = taken.engine.health()
    assert health.gaps == health.healed


@pytest.mark.parametrize(
    ("friday", "monday", "hours"),
    [
        (date(2026, 10, 30), date(2026, 11, 2), 73),
        (date(2027, 3, 12), date(2027, 3, 15), 71),
        (date(2026, 7, 2), date(2026, 7, 3), 24),
    ],
)
def test_a_night_in_which_clocks_change_moves_no_session(
    friday: date, monday: date, hours: int, tmp_path: Path
) -> None:
    times = [(friday, time(4)), (friday, time(12, 59, 59)), (friday, time(19, 59, 59)),
             (monday, time(4)), (monday, time(9, 30))]  # fmt: skip
    instants = [new_york_ns(*each) for each in times]
    # Ids are another day's from midnight UTC on: 19:00 or 20:00 in New York.
    ids = [1 if utc_date(ns) == friday else 2 for ns in instants]
    prices = [10.0, 11.0, 12.0, 22.0, 23.0]
    after = friday + timedelta(1)
    spans = [(friday, after, 1), (after, monday + timedelta(1), 2)]
    path = wire.write(
        tmp_path / "days.trades.dbn",
        wire.metadata(schema="trades", mappings={"A": spans}, start_ns=instants[0]),
        wire.trades([(*each, 100) for each in zip(instants, ids, prices, strict=True)]),
    )
    played = play(path)
    assert played.snapshot.session_date == monday
    day = played.snapshot.day
    assert day is not None
    assert day.pre_ns - new_york_ns(friday, time(4)) == hours * HOUR_NS
    # The day before ended at 11 in regular hours.
    assert played.snapshot.prev_close.tolist() == [11.0]
    minutes = {new_york_time(minute * 60 * SECOND_NS) for _, minute in played.sink.bars}
    assert {each.time() for each in minutes} >= {time(4), time(9, 30), time(12, 59)}


def test_every_day_of_the_exchange_begins_and_ends_as_its_clock_says(tmp_path: Path) -> None:
    calendar = load_calendar(tmp_path, date(2026, 11, 1))
    day = calendar.day_at(new_york_ns(date(2025, 12, 30), time(12)))
    seen = 0
    while (after := calendar.next_day(day.session_date)) is not None:
        half = new_york_time(day.post_ns).hour == 13
        assert new_york_time(day.pre_ns).time() == time(4)
        assert new_york_time(day.post_end_ns).time() == time(17 if half else 20)
        assert day.post_end_ns - day.pre_ns == (13 if half else 16) * HOUR_NS
        assert day.session_at(day.pre_ns - 1) is Session.CLOSED
        assert day.session_at(day.post_end_ns - 1) is Session.POST
        # It lasts until the next one begins, whatever nights lie between.
        assert calendar.day_at(after.start_ns - 1).session_date == day.session_date
        assert calendar.day_at(after.start_ns).session_date == after.session_date
        assert calendar.previous(after.session_date) == day.session_date
        assert timedelta(1) <= after.session_date - day.session_date <= timedelta(4)
        day, seen = after, seen + 1
    assert seen > 250


# --- folders ------------------------------------------------------------------------------------


def opened(path: Path) -> Writer:
    return Writer.open(path, dataset="EQUS.MINI", retry_s=0.001)


def wait_until(reached: Callable[[], bool]) -> None:
    end = wall.monotonic() + 30
    while not reached():
        assert wall.monotonic() < end
        wall.sleep(0.002)


BARS = "SELECT symbol, epoch_us(ts) // 60000000 FROM bars_1m ORDER BY ALL"


@posix
@pytest.mark.parametrize("lost", ["folder", "file", "moved"])
def test_a_database_that_is_taken_away_is_written_anew_with_all_that_it_held(
    lost: str, tmp_path: Path
) -> None:
    path = tmp_path / "data" / "bars.duckdb"
    writer = opened(path)
    reader = writer.reader()
    writer.put(batch(1, [Row(0, MINUTE), Row(1, MINUTE)], symbols=("A", "B")))
    assert writer.drain(30)
    if lost == "folder":
        shutil.rmtree(path.parent)
    elif lost == "file":
        path.unlink()
    else:
        path.parent.rename(tmp_path / "elsewhere")
    writer.put(batch(2, [Row(1, MINUTE + 1), Row(2, MINUTE + 1)], symbols=("C",), first_slot=2))
    assert writer.drain(30)
    (said,) = writer.said()
    assert "was removed or moved" in said
    assert reader.alert_times(0, 1).tolist() == []
    writer.put(batch(3, [Row(0, MINUTE + 2)]))
    writer.close(30)
    assert stored(path, BARS) == [
        ("A", MINUTE), ("A", MINUTE + 2), ("B", MINUTE), ("B", MINUTE + 1), ("C", MINUTE + 1),
    ]  # fmt: skip
    assert sorted(each.suffix for each in path.parent.iterdir()) in (
        [".duckdb"],
        [".duckdb", ".lock"],
    )


@posix
def test_nothing_is_written_over_what_was_put_in_the_databases_place(tmp_path: Path) -> None:
    path = tmp_path / "bars.duckdb"
    writer = opened(path)
    writer.put(batch(1, [Row(0, MINUTE)], symbols=("A",)))
    assert writer.drain(30)
    path.unlink()
    path.write_text("somebody's")
    writer.put(batch(2, [Row(0, MINUTE + 1)]))
    wait_until(lambda: "another file was put in its place" in writer.status().error)
    assert path.read_text() == "somebody's"
    path.unlink()
    assert writer.drain(30)
    writer.close(30)
    assert stored(path, BARS) == [("A", MINUTE), ("A", MINUTE + 1)]


@posix
def test_what_can_be_no_database_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("pipe", "is a device or a pipe"), ("n" * 300, "File name too long")):
        with pytest.raises(StoreError, match=said):
            opened(tmp_path / name)


# --- limits -------------------------------------------------------------------------------------


def run(folder: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command behind a line of shell."""
    shell = ["sh", "-c", f'{before or ":"}; exec "$@"', "-"]
    return subprocess.run(
        [*shell, *COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=environment(folder),
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_too_little_memory_is_told_before_anything_is_begun(tmp_path: Path) -> None:
    done = run(tmp_path, "replay", "none.dbn", "--headless", before="ulimit -v 1000000")
    assert done.returncode == 1
    assert "1,024 MB of address space" in done.stderr
    assert not np.any([path.suffix == ".duckdb" for path in tmp_path.rglob("*")])


def test_a_gateway_that_the_system_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refused)
    with pytest.raises(StockscanError, match=r"gateway cannot be started: Resource temporarily"):
        GatewayProcess("--help")
