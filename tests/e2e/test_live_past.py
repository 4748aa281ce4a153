"""From live to the past and back: the feed goes on, and the past is what it was."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable
from datetime import time as clock_time
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.clock import SystemClock
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.feed.live import Access
from stockscan_tui.market.batch import BarBatch
from stockscan_tui.market.calendar import MINUTE_NS, new_york_ns
from stockscan_tui.market.snapshot import LIVE_PHASES, Phase, Snapshot
from stockscan_tui.run import live, replay
from stockscan_tui.run.live import LiveRequest, LiveRun
from stockscan_tui.sim.demo import demo_file
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.place import DAY
from stockscan_tui.sim.tape import Tape
from tests.moving import digest, moved
from tests.playing import weekdays
from tests.streaming import KEY, QUICK

GOAL = new_york_ns(DAY, clock_time(9, 45))
LATER = new_york_ns(DAY, clock_time(9, 50))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_file(tmp_path_factory.mktemp("demo"), symbols=60, records=60_000)


def until(reached: Callable[[Snapshot], bool], run: LiveRun) -> Snapshot:
    """Return the first picture of which something is true."""
    end = time.monotonic() + 60
    while True:
        picture = run.snapshot()
        if picture is not None and reached(picture):
            return picture
        assert run.engine.running, run.failure()
        assert time.monotonic() < end, picture and (picture.feed, picture.health)
        time.sleep(0.005)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for module in (live, replay):
        monkeypatch.setattr(module, "load_calendar", lambda *_: weekdays())
    return tmp_path


def bars_in_store(run: LiveRun) -> BarBatch:
    """Return the bars that are committed."""
    picture, reader = run.snapshot(), run.writer.reader()
    assert picture is not None
    try:
        return reader.bars_since(0, picture.symbols)
    finally:
        reader.release()


def there(picture: Snapshot) -> bool:
    """Whether the past stands where it was moved to."""
    return picture.feed.phase is Phase.PAUSED


def run_of(
    day: Path, folder: Path, *, record: bool, save_s: float = 0.05
) -> tuple[GatewayThread, LiveRun]:
    gateway = GatewayThread(Tape.from_file(day), Options(speed=math.inf))
    request = LiveRequest(
        access=Access(KEY, "EQUS.MINI", "127.0.0.1", gateway.port),
        database=folder / "live.duckdb",
        record=folder / "tapes" if record else None,
        backfill=False,
        refresh_s=0.02,
        save_s=save_s,
    )
    return gateway, LiveRun(request, SystemClock(), QUICK)


def test_with_a_recording_the_past_is_what_it_was(day: Path, folder: Path) -> None:
    gateway, run = run_of(day, folder, record=True)
    try:
        now = until(lambda picture: picture.health.quotes == 60_000, run)
        recorder = run._recorder
        assert recorder is not None
        until(lambda _: 0 < sum(recorder.recorded(DAY).values()) == recorder.bytes_written, run)
        run.focus(now.symbols[0])
        run.seek(GOAL)
        past = until(there, run)
        assert past.event_ns == GOAL
        assert past.feed.mode == "LIVE"
        assert past.leap > now.leap
        straight = moved(day, folder / "straight").to(GOAL)
        told, truth = digest(past), digest(straight)
        rows = [straight.symbols.index(name) for name in past.symbols]
        for name in ("mark", "last", "bid", "ask", "volume", "trades", "high_day", "low_day"):
            mine, theirs = getattr(past, name), getattr(straight, name)[rows]
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
        assert told["session"] == truth["session"]

        run.seek_by(5 * MINUTE_NS)
        assert until(lambda p: there(p) and p.event_ns > GOAL, run).event_ns == LATER
        run.set_paused(False)
        until(lambda picture: picture.feed.phase is not Phase.PAUSED, run)
        run.to_now()
        back = until(lambda picture: picture.feed.phase in LIVE_PHASES, run)
        assert back.leap > past.leap
        assert back.event_ns >= now.event_ns
    finally:
        summary = run.close()
        gateway.close()
    assert summary.quotes == 60_000
    assert not list((folder / "cache").rglob("images"))


def test_without_one_the_past_is_made_of_the_stored_bars(day: Path, folder: Path) -> None:
    gateway, run = run_of(day, folder, record=False)
    try:
        until(lambda picture: picture.event_ns > LATER + MINUTE_NS, run)
        until(lambda _: len(bars_in_store(run)) > 1000, run)
        run.seek(GOAL)
        past = until(there, run)
        straight = moved(day, folder / "straight").to(GOAL)
        # Of the bars whose minute is over at that instant, nothing is missing.
        assert past.health.bars == straight.health.bars
        rows = [straight.symbols.index(name) for name in past.symbols]
        np.testing.assert_array_equal(past.volume, straight.volume[rows])
        assert run.engine.running
    finally:
        run.close()
        gateway.close()


def test_before_anything_is_stored_it_says_so_and_stays_now(day: Path, folder: Path) -> None:
    gateway, run = run_of(day, folder, record=False, save_s=3600.0)
    try:
        until(lambda picture: picture.event_ns > LATER, run)
        run.seek(GOAL)
        picture = until(lambda p: bool(p.health.problems), run)
        assert "cannot be shown" in picture.health.problems[-1]
        assert picture.feed.phase in LIVE_PHASES
    finally:
        run.close()
        gateway.close()


def test_what_the_database_has_is_asked_for_as_of_where_one_is(day: Path, folder: Path) -> None:
    gateway, run = run_of(day, folder, record=False)
    try:
        now = until(lambda picture: picture.event_ns > LATER + MINUTE_NS, run)
        until(lambda _: len(bars_in_store(run)) > 1000, run)
        symbol = now.symbols[0]

        def studied() -> bool:
            run.study(symbol)
            study, picture = run.studied(), run.snapshot()
            return study is not None and picture is not None and study.leap == picture.leap

        until(lambda _: studied(), run)
        run.seek(GOAL)
        until(lambda picture: there(picture) and studied(), run)
        run.to_now()
        until(lambda picture: picture.feed.phase in LIVE_PHASES and studied(), run)
    finally:
        run.close()
        gateway.close()


def test_a_past_that_breaks_off_says_so(
    day: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, run = run_of(day, folder, record=False)

    def broken(_engine: ReplayEngine) -> None:
        raise OSError("it cannot be read")

    try:
        until(lambda picture: picture.event_ns > LATER + MINUTE_NS, run)
        until(lambda _: len(bars_in_store(run)) > 1000, run)
        monkeypatch.setattr(ReplayEngine, "_open_sources", broken)
        run.seek(GOAL)
        picture = until(lambda p: bool(p.health.problems), run)
        assert "it cannot be read" in picture.health.problems[-1]
        assert picture.feed.goal_ns == 0
    finally:
        run.close()
        gateway.close()


def test_nothing_is_kept_of_a_past_that_was_left(day: Path, folder: Path) -> None:
    gateway, run = run_of(day, folder, record=True)
    try:
        until(lambda picture: picture.health.quotes == 60_000, run)
        recorder = run._recorder
        assert recorder is not None
        until(lambda _: 0 < sum(recorder.recorded(DAY).values()) == recorder.bytes_written, run)
        left: list[weakref.ref[ReplayEngine]] = []
        for goal in (GOAL, LATER):
            run.seek(goal)
            until(there, run)
            past = run._past
            assert past is not None
            assert past.engine is not None
            left.append(weakref.ref(past.engine))
            run.to_now()
            until(lambda picture: picture.feed.phase in LIVE_PHASES, run)
            past.join(30)
        assert [engine() for engine in left] == [None, None]
        assert len(run._left) <= 1
    finally:
        run.close()
        gateway.close()
