"""What goes on beside a capture: copies, the line a minute, and letting go what is old."""

from __future__ import annotations

import logging
import shutil
import threading
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import numpy as np
import pytest

from stockscan_tui.engine.core import Engine
from stockscan_tui.errors import StoreError
from stockscan_tui.feed.outdated import remove_recordings
from stockscan_tui.market.batch import Batch, CoverageBatch, DayRecord
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, new_york_ns
from stockscan_tui.market.snapshot import Feed, Health
from stockscan_tui.market.vitals import Vitals
from stockscan_tui.run import housekeeping
from stockscan_tui.run.housekeeping import Housekeeping, Keep
from stockscan_tui.store import snapshot_file
from stockscan_tui.store import writer as writer_module
from stockscan_tui.store.pruning import Limits
from stockscan_tui.store.snapshot_file import partial_path, request_path, snapshot_path
from stockscan_tui.store.writer import Writer
from tests.playing import weekdays
from tests.unit.store_batches import Row, batch, stored

DAY = date(2026, 6, 15)
NOON_NS, NIGHT_NS = new_york_ns(DAY, time(12)), new_york_ns(DAY, time(21))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    # A name that SQL would stumble over, if it were not quoted.
    return tmp_path / 'it\'s "one".duckdb'


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    writer = Writer.open(path, dataset="EQUS.MINI", resume=True)
    yield writer
    writer.close(10)


class StepClock:
    """A clock that goes on as told; whoever waits by it comes by once for each step."""

    def __init__(self) -> None:
        self.ns = 0
        self._go = threading.Semaphore(0)
        self._came = threading.Semaphore(0)

    def now_ns(self) -> int:
        return self.ns

    def wall_ns(self) -> int:
        return self.ns

    def wait(self, event: threading.Event, timeout_s: float) -> None:
        self._came.release()
        while not event.is_set() and not self._go.acquire(timeout=0.01):
            pass

    def arrived(self) -> None:
        """Return once whoever waits has done all there was to do."""
        assert self._came.acquire(timeout=20)

    def step(self, seconds: float) -> None:
        """Go on, and return once all that is due has been done."""
        self.ns += int(seconds * SECOND_NS)
        self._go.release()
        self.arrived()


@dataclass
class StandIn:
    """As much of an engine as the chores look at."""

    event_ns: int = NOON_NS
    session_date: date | None = DAY
    calendar: Any = field(default_factory=weekdays)
    vitals: Vitals = field(default_factory=lambda: Vitals(completeness=0.9951))

    def health(self) -> Health:
        return Health(records=1234, bars=56, symbols=7, lag_ms=8.0, queue=9)

    def feed(self) -> Feed:
        return Feed("LIVE", "", "EQUS.MINI", "mbp-1")


def chores(engine: StandIn, writer: Writer, clock: StepClock, **options: Any) -> Housekeeping:
    made = Housekeeping(cast("Engine", engine), writer, clock, **options)
    clock.arrived()
    return made


def drained(writer: Writer, *batches: Batch) -> None:
    for one in batches:
        writer.put(one)
    assert writer.drain(20)


def test_a_copy_is_made_after_a_minute_every_five_and_when_asked_for(
    path: Path, writer: Writer
) -> None:
    drained(writer, batch(1, [Row(0, 1)], symbols=("A",)))
    clock = StepClock()
    beside = chores(StandIn(), writer, clock)
    copy = snapshot_path(path)
    clock.step(59)
    assert not copy.exists()
    clock.step(1)
    assert stored(copy, "SELECT symbol FROM bars_1m") == [("A",)]
    drained(writer, batch(2, [Row(0, 2)]))
    clock.step(299)
    assert len(stored(copy, "SELECT symbol FROM bars_1m")) == 1
    clock.step(1)
    assert len(stored(copy, "SELECT symbol FROM bars_1m")) == 2
    drained(writer, batch(3, [Row(0, 3)]))
    request_path(path).touch()
    clock.step(1)
    assert len(stored(copy, "SELECT symbol FROM bars_1m")) == 3
    assert not request_path(path).exists()
    beside.close()
    assert not copy.exists()


def test_a_copy_has_the_views_and_leaves_nothing_half_done(path: Path, writer: Writer) -> None:
    partial_path(path).write_bytes(b"left by a crash")
    drained(writer, batch(1, [Row(0, 1)], symbols=("A",)))
    made = writer.snapshot_file()
    assert not partial_path(path).exists()
    made.make()
    views = "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1"
    assert [name for (name,) in stored(snapshot_path(path), views)] == [
        "alerts", "bar_differences", "bars_1m", "coverage", "days", "feed_gaps", "symbol_state"
    ]  # fmt: skip
    names = {each.name for each in path.parent.iterdir()}
    assert not any("partial" in name for name in names)
    assert not any(name.endswith("snapshot.duckdb.wal") for name in names)


def test_without_room_on_the_disk_the_copy_is_left_out_and_it_is_told(
    path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    drained(writer, batch(1, [Row(0, 1)], symbols=("A",)))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1, 1, 10))
    told: list[str] = []
    clock = StepClock()
    beside = chores(StandIn(), writer, clock, tell=told.append)
    clock.step(60)
    assert len(told) == 1
    assert "The database itself is not concerned" in told[0]
    assert not snapshot_path(path).exists()
    drained(writer, batch(2, [Row(0, 2)]))
    monkeypatch.undo()
    clock.step(300)
    assert len(stored(snapshot_path(path), "SELECT * FROM bars_1m")) == 2
    beside.close()


def test_a_copy_that_fails_on_the_way_harms_neither_the_last_one_nor_the_database(
    path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    drained(writer, batch(1, [Row(0, 1)], symbols=("A",)))
    made = writer.snapshot_file()
    made.make()
    real = snapshot_file._run

    def fail(cursor: duckdb.DuckDBPyConnection, statement: str) -> None:
        if statement.startswith("COPY"):
            raise duckdb.IOException("No space left on device")
        real(cursor, statement)

    monkeypatch.setattr(snapshot_file, "_run", fail)
    with pytest.raises(StoreError, match="No space left on device"):
        made.make()
    drained(writer, batch(2, [Row(0, 2)]))
    assert len(stored(snapshot_path(path), "SELECT * FROM bars_1m")) == 1
    assert not partial_path(path).exists()


def test_a_line_a_minute_says_how_the_capture_goes(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "stockscan")
    clock = StepClock()
    beside = chores(StandIn(), writer, clock, copies=False)
    clock.step(59)
    assert not caplog.messages
    clock.step(1)
    clock.step(60)
    beside.close()
    assert caplog.messages == [
        "captured 1234 records, 56 bars of 7 symbols; completeness 99.51 %; lag 8 ms; "
        "9 batches wait"
    ] * 2  # fmt: skip


def pruned(writer: Writer) -> None:
    """Wait until there is nothing more to let go."""
    with writer._changed:
        assert writer._changed.wait_for(lambda: writer._limits is None, 20)


def minute_of(days_ago: int) -> int:
    return (NOON_NS - days_ago * 86_400 * SECOND_NS) // MINUTE_NS


def coverage(session_date: date) -> CoverageBatch:
    one = np.array([1])
    return CoverageBatch(session_date, np.zeros(1, np.int32), 1, one, one * 0, one * 0, one * 0,
                         one * 0)  # fmt: skip


def test_old_days_go_while_the_market_is_closed_only(
    path: Path, writer: Writer, tmp_path: Path
) -> None:
    ages = (400, 366, 364, 0)
    drained(
        writer,
        batch(1, [Row(0, minute_of(age)) for age in sorted(ages, reverse=True)], symbols=("A",)),
        Batch(2, coverage=tuple(coverage(DAY - timedelta(days=age)) for age in ages),
              days=tuple(DayRecord(DAY - timedelta(days=age)) for age in ages)),
    )  # fmt: skip
    recordings = tmp_path / "dbn"
    recordings.mkdir()
    old, new = "EQUS.MINI-20260501-093000.mbp-1.dbn.zst", "EQUS.MINI-20260614-093000.mbp-1.dbn.zst"
    for name in (old, new):
        (recordings / name).touch()
    engine, clock = StandIn(), StepClock()
    beside = chores(engine, writer, clock, copies=False, keep=Keep(folder=recordings))
    clock.step(1)
    assert (recordings / old).exists()
    engine.event_ns = NIGHT_NS
    clock.step(1)
    clock.step(1)
    beside.close()
    pruned(writer)
    writer.close(20)
    assert stored(path, "SELECT count(*) FROM bars_1m") == [(2,)]
    assert stored(path, "SELECT count(*) FROM coverage") == [(2,)]
    # What the days came to stays.
    assert stored(path, "SELECT count(*) FROM days") == [(4,)]
    assert [each.name for each in recordings.iterdir()] == [new]


def test_memory_is_given_back_once_a_night(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    engine, clock = StandIn(), StepClock()
    monkeypatch.setattr(housekeeping, "give_back", lambda: given.append(engine.event_ns))
    beside = chores(engine, writer, clock, copies=False, keep=Keep())
    clock.step(1)
    engine.event_ns = NIGHT_NS
    clock.step(1)
    clock.step(1)
    beside.close()
    assert given == [NIGHT_NS]


def test_the_databases_memory_is_not_given_back_under_a_query(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With as little as there is meanwhile, it would fail."""
    given: list[bool] = []
    reader, copies = writer.reader(), writer.snapshot_file()
    monkeypatch.setattr(
        writer_module,
        "give_back_blocks",
        lambda _: given.append(reader.asking.locked() and copies.asking.locked()),
    )
    limits = Limits(DAY, DAY)
    with reader._asking():
        writer.prune(limits)
        pruned(writer)
    assert given == []
    writer.prune(limits)
    pruned(writer)
    assert given == [True]
    assert reader.counts().bars == 0


def test_pruning_gives_way_to_batches(path: Path, writer: Writer) -> None:
    drained(writer, batch(1, [Row(0, minute_of(age)) for age in range(400, 380, -1)],
                          symbols=("A",)))  # fmt: skip
    limits = Limits(DAY - timedelta(days=365), DAY)
    writer.prune(limits)
    drained(writer, batch(2, [Row(0, minute_of(1))]))
    writer.prune(limits)
    pruned(writer)
    writer.close(20)
    assert stored(path, "SELECT count(*) FROM bars_1m") == [(1,)]


def test_only_recordings_of_our_own_naming_go(tmp_path: Path) -> None:
    gone = ["EQUS.MINI-20260101-040000.mbp-1.dbn.zst", "EQUS.MINI-20260101-040000-2.trades.dbn.zst"]
    kept = [
        "EQUS.MINI-20260105-040000.mbp-1.dbn.zst",
        "EQUS.MINI-20260101-040000.mbp-1.dbn",
        "EQUS.MINI-20261399-040000.mbp-1.dbn.zst",
        "OTHER-20260101-040000.mbp-1.dbn.zst",
        "xEQUS.MINI-20260101-040000.mbp-1.dbn.zst",
        "notes.txt",
    ]
    for name in gone + kept:
        (tmp_path / name).touch()
    (tmp_path / "EQUS.MINI-20260101-050000.mbp-1.dbn.zst").mkdir()
    removed = remove_recordings(tmp_path, "EQUS.MINI", date(2026, 1, 5))
    assert sorted(path.name for path in removed) == sorted(gone)
    assert set(kept) <= {path.name for path in tmp_path.iterdir()}
