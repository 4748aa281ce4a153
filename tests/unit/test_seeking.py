"""A replay that is moved stands as one that was played straight to that instant."""

from __future__ import annotations

import os
import random
import shutil
import threading
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.engine import seeking
from stockscan_tui.feed import seekable
from stockscan_tui.feed.dbn_file import BLOCK_BYTES, DbnFile
from stockscan_tui.feed.record_stream import RecordStream
from stockscan_tui.feed.seekable import SeekableCopy
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.indicator import IndicatorKey, Kind
from stockscan_tui.market.snapshot import Phase
from stockscan_tui.run.scratch import Scratch
from stockscan_tui.sim.day import DayPlan
from stockscan_tui.sim.files import write_day
from stockscan_tui.sim.universe import make_universe
from tests import wire
from tests.moving import digest, moved
from tests.playing import play
from tests.unit.test_market_state import at
from tests.unit.test_real_samples import FILES

SEEKS = int(os.environ.get("STOCKSCAN_SEEKS", "10"))
UNIVERSE = make_universe(7, 60)
KEPT = frozenset(
    {
        IndicatorKey(Kind.EMA, 9),
        IndicatorKey(Kind.SMA, 20, 5),
        IndicatorKey(Kind.RSI, 14),
        IndicatorKey(Kind.ATR, 14, 15),
    }
)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated day in one zstd frame."""
    path = tmp_path_factory.mktemp("day") / "day.mbp-1.dbn.zst"
    write_day(path, UNIVERSE, DayPlan(date(2026, 6, 15), 60_000, trade_share=0.3), 7)
    return path


def check(files: Path | list[Path], folder: Path, count: int, **how: object) -> None:
    """Move a replay to random instants, and compare each picture with a straight run's."""
    rng = random.Random(5)
    straight = moved(files, folder / "straight", **how)  # type: ignore[arg-type]
    other = moved(files, folder / "other", **how)  # type: ignore[arg-type]
    whole = other.to(2**62)
    begin_ns, end_ns = straight.engine.event_ns, max(whole.event_ns, straight.engine.event_ns + 1)
    goals = sorted(rng.randrange(begin_ns, end_ns) for _ in range(count))
    truth = {goal: digest(straight.to(goal)) for goal in goals}
    straight.stop()
    written = len(other.sink.batches)
    rng.shuffle(goals)
    for goal in goals:
        picture = other.to(goal)
        told = digest(picture)
        assert told == truth[goal], [name for name in told if told[name] != truth[goal][name]]
    assert digest(other.to(2**62)) == digest(whole)
    assert len(other.sink.batches) == written
    other.stop()
    assert len(other.sink.batches) == written
    # Nor did the database get anything else than by playing once.
    assert other.sink.bars == play(files, indicators=KEPT).sink.bars
    assert not list((folder / "other").iterdir())


def test_any_instant_of_a_day_looks_as_if_played_straight_to_it(day: Path, tmp_path: Path) -> None:
    check(day, tmp_path, SEEKS, indicators=KEPT, closes=dict.fromkeys(UNIVERSE.symbols[:30], 10.0))


def test_images_close_together_are_as_exact(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeking, "SAVE_EVERY_RECORDS", 1)
    check(day, tmp_path, SEEKS // 2, indicators=KEPT)


def test_days_and_files_that_overlap_are_one_timeline(day: Path, tmp_path: Path) -> None:
    more = []
    for number, (on, schema) in enumerate(
        [(date(2026, 6, 15), "trades"), (date(2026, 6, 16), "mbp-1"), (date(2026, 6, 18), "mbp-1")]
    ):
        path = tmp_path / f"{number}.{schema}.dbn.zst"
        write_day(path, UNIVERSE, DayPlan(on, 20_000), 8 + number, schema=schema)
        more.append(path)
    check([day, *more], tmp_path, SEEKS // 2, indicators=KEPT)


@pytest.mark.skipif(not FILES, reason="the real samples are not here")
def test_a_real_file_is_moved_exactly(tmp_path: Path) -> None:
    for number, path in enumerate(p for p in FILES if p.suffix == ".zst"):
        folder = tmp_path / str(number)
        folder.mkdir()
        check(path, folder, 5)


def test_late_trades_are_added_once(tmp_path: Path) -> None:
    seconds = [f"09:{m:02}:{s:02}" for m in range(31, 50) for s in (5, 25)]
    usual = [(at(clock), 1, 10.0 + i / 100, 5) for i, clock in enumerate(seconds)]
    late = [(at("09:31:07"), 1, 9.0, 100), (at("09:33:00"), 2, 9.0, 100)]
    meta = wire.metadata(None, mappings={
        "AAA": [(date(2026, 6, 1), date(2026, 7, 31), 1)],
        "BBB": [(date(2026, 6, 1), date(2026, 7, 31), 2)],
    })  # fmt: skip
    path = wire.write(
        tmp_path / "x.dbn",
        meta,
        wire.trades(usual[:30]),
        wire.trades(late),
        wire.trades(usual[30:]),
    )
    check(path, tmp_path, 30)


def test_a_symbol_that_came_later_is_gone_before_it_came(tmp_path: Path) -> None:
    path = wire.write(
        tmp_path / "x.dbn",
        wire.metadata(None),
        wire.trades([(at("09:31:05"), 1, 10.0, 5), (at("09:40:05"), 2, 11.0, 5)]),
    )
    replay = moved(path, tmp_path / "moved")
    assert len(replay.to(2**62).symbols) == 2
    assert replay.to(at("09:39:00")).symbols == ("#1",)
    assert replay.to(at("09:40:30")).symbols == ("#1", "#2")
    replay.stop()


def test_moves_that_are_asked_for_at_once_add_up(day: Path, tmp_path: Path) -> None:
    replay = moved(day, tmp_path / "moved")
    start_ns = replay.to(at("10:00:00")).event_ns
    replay.engine.set_paused(True)
    replay.clock.resting.clear()
    for _ in range(3):
        replay.engine.seek_by(-MINUTE_NS)
    replay.engine.seek_by(15 * MINUTE_NS)
    picture = replay.rest()
    while picture.event_ns != start_ns + 12 * MINUTE_NS:
        replay.clock.resting.clear()
        picture = replay.rest()
    assert picture.feed.phase is Phase.PAUSED
    replay.stop()


def test_the_timeline_tells_where_it_has_been(day: Path, tmp_path: Path) -> None:
    replay = moved(day, tmp_path / "moved")
    line = replay.to(at("10:00:00")).timeline
    assert line is not None
    assert line.reached_ns == at("10:00:00")
    # One more minute has passed when the first record of 10:00 is due.
    assert int(line.minute[-1]) == at("09:59:00") // MINUTE_NS
    records = play(day).outcome.health.records
    end = replay.to(2**62)
    assert end.timeline is not None
    assert end.timeline.end_ns == end.timeline.reached_ns
    back = replay.to(at("09:00:00")).timeline
    assert back is not None
    assert back.reached_ns == end.timeline.reached_ns
    # The file's last minute is not over.
    assert records * 0.99 < int(back.records.sum()) <= records
    replay.stop()


def test_without_room_for_a_copy_the_file_is_read_anew(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seekable, "SPARE_BYTES", shutil.disk_usage(tmp_path).total * 2)
    check(day, tmp_path, 5)


def test_images_that_cannot_be_written_are_told_and_the_replay_goes_on(
    day: Path, tmp_path: Path
) -> None:
    replay = moved(day, tmp_path / "moved")
    replay.to(at("10:00:00"))
    replay.seeking.points.failed = "the disk is full"
    picture = replay.to(at("09:00:00"))
    assert picture.event_ns == at("10:00:00")
    assert any("cannot be moved" in problem for problem in replay.engine.health().problems)
    assert replay.to(2**62).feed.phase is Phase.ENDED
    replay.stop()


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A compressed file of several blocks, and its records."""
    folder = tmp_path_factory.mktemp("packed")
    path, plain = folder / "day.mbp-1.dbn.zst", folder / "day.mbp-1.dbn"
    for target in (path, plain):
        write_day(target, UNIVERSE, DayPlan(date(2026, 6, 15), 60_000), 7)
    reader = DbnFile(plain).blocks(threading.Event())
    return path, b"".join(block.data[block.start : block.end].tobytes() for block in reader)


@given(moves=st.lists(st.tuples(st.integers(0, 5 * BLOCK_BYTES), st.integers(0, 4)), max_size=6))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("copies", [True, False])
def test_reading_goes_on_from_any_byte(
    packed: tuple[Path, bytes], tmp_path_factory: pytest.TempPathFactory, copies: bool,
    moves: list[tuple[int, int]],
) -> None:  # fmt: skip
    path, content = packed
    copy = SeekableCopy(tmp_path_factory.mktemp("copy") / "records") if copies else None
    stream = RecordStream(DbnFile(path), copy)
    try:
        reached = 0
        for wanted, blocks in [*moves, (0, 99)]:
            start = min(wanted, reached)
            stream.move_to(start)
            for _ in range(blocks):
                block = stream.next_block()
                if block is None:
                    break
                assert block.at == start
                size = block.end - block.start
                read = block.data[block.start : block.end].tobytes()
                assert read == content[start : start + size]
                stream.release(block)
                start += size
            reached = max(reached, start)
        assert start == len(content)
    finally:
        stream.close()
        if copy is not None:
            copy.close()


def test_what_a_killed_run_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    running, killed = Scratch(), Scratch()
    (killed.path / "images").write_bytes(b"much")
    killed._lock.release()
    third = Scratch()
    assert running.path.exists()
    assert not killed.path.exists()
    for scratch in (running, third):
        scratch.close()
        assert not scratch.path.exists()


def test_images_hold_what_they_were_given_while_the_market_goes_on(
    day: Path, tmp_path: Path
) -> None:
    """The memory that an image is packed from is not the market's own."""
    replay = moved(day, tmp_path / "moved")
    first = replay.to(at("11:00:00"))
    seal = digest(first)
    replay.to(at("12:00:00"))
    assert digest(first) == seal
    assert np.isfinite(first.mark).any()
    replay.stop()


def run_with_a_late_trade(folder: Path) -> Path:
    """Return a file in which a trade comes an hour and a half late."""
    clocks = [
        f"{hour:02}:{minute:02}:{second:02}"
        for hour, first, end in ((9, 31, 60), (10, 0, 60), (11, 0, 10))
        for minute in range(first, end)
        for second in (5, 40)
    ]
    rows = [(at(clock), 1, 10.0 + i / 100, 5) for i, clock in enumerate(clocks)]
    here = clocks.index("11:00:40")
    meta = wire.metadata(None, mappings={"AAA": [(date(2026, 6, 1), date(2026, 7, 31), 1)]})
    late = wire.trades([(at("09:31:07"), 1, 9.0, 100)])
    return wire.write(
        folder / "late.dbn", meta, wire.trades(rows[:here]), late, wire.trades(rows[here:])
    )


def test_a_late_trade_goes_to_the_store_once_when_moved_in_the_first_pass(tmp_path: Path) -> None:
    path = run_with_a_late_trade(tmp_path)
    replay = moved(path, tmp_path / "moved")
    for clock in ("11:00:50", "10:40:30", "11:02:00"):
        replay.to(at(clock))
    replay.to(2**62)
    replay.stop()
    assert replay.sink.bars == play(path).sink.bars


def test_quitting_while_moved_back_keeps_all_that_was_played(tmp_path: Path) -> None:
    path = run_with_a_late_trade(tmp_path)
    there, back = moved(path, tmp_path / "there"), moved(path, tmp_path / "back")
    for replay in (there, back):
        replay.to(at("11:05:30"))
    back.to(at("09:40:30"))
    for replay in (there, back):
        replay.stop()
    stored = [
        (
            [each.elapsed for batch in replay.sink.batches for each in batch.coverage][-1],
            sum(bool(batch.states) for batch in replay.sink.batches) > 0,
            {each.minute for batch in replay.sink.batches for each in batch.kinds},
            [len(batch.days) > 0 for batch in replay.sink.batches][-1],
        )
        for replay in (there, back)
    ]
    assert stored[0] == stored[1]


def test_images_of_quiet_hours_hold_the_bars_of_before(tmp_path: Path) -> None:
    rows = [(at(f"09:{minute}:05"), 1, 10.0, 5) for minute in range(31, 59)]
    rows += [(at("14:00:05"), 1, 10.0, 5)]
    meta = wire.metadata(None, mappings={"AAA": [(date(2026, 6, 1), date(2026, 7, 31), 1)]})
    path = wire.write(tmp_path / "quiet.dbn", meta, wire.trades(rows))
    straight, other = moved(path, tmp_path / "straight"), moved(path, tmp_path / "other")
    goal = at("12:16:00")
    other.to(2**62)
    for replay in (straight, other):
        replay.engine.focus("AAA")
    truth, told = straight.to(goal).focus, other.to(goal).focus
    assert truth is not None
    assert told is not None
    assert told.minute.tolist() == truth.minute.tolist() != []
    straight.stop()
    other.stop()


def test_the_timeline_has_the_alerts_that_are_stored(day: Path, tmp_path: Path) -> None:
    asked = []

    def times(begin_ns: int, end_ns: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        asked.append((begin_ns, end_ns))
        return np.array([at("10:00:00"), at("11:00:00")], np.int64)

    replay = moved(day, tmp_path / "moved", alert_times=times)
    line = replay.to(at("09:45:00")).timeline
    assert line is not None
    assert line.alerts.tolist() == [at("10:00:00"), at("11:00:00")]
    assert asked[0][0] <= at("04:10:00") < at("20:00:00") < asked[0][1]
    replay.stop()
