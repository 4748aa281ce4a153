"""What is read of one symbol: today first, then the days before, and never of a symbol too many."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from stockscan_tui.clock import SystemClock
from stockscan_tui.errors import StoreError
from stockscan_tui.feed.splits import Split, Splits
from stockscan_tui.market.calendar import MINUTE_NS, Calendar
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.study import Study
from stockscan_tui.run import replay
from stockscan_tui.run.replay import ReplayRequest, ReplayRun
from stockscan_tui.run.study import DAYS_BEFORE, Studies
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.writer import Writer
from tests import wire
from tests.playing import bars_by_pandas, weekdays
from tests.unit.store_batches import Row, batch

TODAY = date(2026, 6, 15)
WAIT_S = 10
TEN = 10_000_000_000


@dataclass
class _Picture:
    session_date: date | None = TODAY
    leap: int = 3


@dataclass
class _Market:
    """What the engine would say."""

    picture: _Picture | None = field(default_factory=_Picture)
    calendar: Calendar = field(default_factory=weekdays)
    splits: Splits = field(default_factory=Splits)

    def snapshot(self) -> Snapshot | None:
        return cast("Snapshot | None", self.picture)


class Held:
    """A reader that can be held up in the middle of a question."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.holding = False
        self.released = threading.Event()
        self.broken = ""
        self.asked: list[str] = []

    def bars(self, symbol: str, *span: int) -> Any:
        self.asked.append(symbol)
        self.begun.release()
        if self.holding:
            assert self.go_on.acquire(timeout=WAIT_S)
        if self.broken:
            raise StoreError(self.broken)
        return self._reader.bars(symbol, *span)

    def fired(self, symbol: str, *span: int) -> Any:
        return self._reader.fired(symbol, *span)

    def release(self) -> None:
        self._reader.release()
        self.released.set()


class Told:
    """Takes down what is there each time somebody says so."""

    def __init__(self) -> None:
        self.seen: list[Study] = []
        self._new = threading.Semaphore(0)
        self.studies: Studies | None = None

    def __call__(self) -> None:
        assert self.studies is not None
        study = self.studies.latest()
        assert study is not None
        self.seen.append(study)
        self._new.release()

    def next(self) -> Study:
        assert self._new.acquire(timeout=WAIT_S)
        return self.seen[-1]


def minute_of(back: int, minute: int = 0) -> int:
    """Return the regular open's minute of the session date `back` trading days before."""
    day = weekdays().previous(TODAY, back) if back else TODAY
    assert day is not None
    return weekdays().day(day).regular_ns // MINUTE_NS + minute


ALERTS = (
    Fired(minute_of(1) * MINUTE_NS, "AAA", "runner", 20.0, '{"chg": 4}'),
    Fired(minute_of(0) * MINUTE_NS + 5, "AAA", "move", 10.0),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "day.duckdb"
    writer = Writer.open(path, dataset="X")
    rows = [
        Row(slot, minute_of(back, minute), close=TEN + back, volume=100 + minute)
        for back in range(DAYS_BEFORE + 2)
        for slot in range(2)
        for minute in range(3)
    ]
    rows.append(Row(0, minute_of(0, 3), trades=-1, dollars=-1, source=2))
    writer.put(batch(0, rows, symbols=("AAA", "BBB")))
    writer.close(10)
    connection = duckdb.connect(str(path))
    for number, alert in enumerate((*ALERTS, replace(ALERTS[0], rule="old", ts_ns=1))):
        values = [str(number), alert.ts_ns, 0, alert.rule, alert.price, alert.values]
        connection.execute("INSERT INTO fired VALUES (?, ?, ?, ?, ?, ?, false, false)", values)
    connection.close()
    return path


class Desk:
    """Studies of the stored days, and who is told of them."""

    def __init__(self, path: Path) -> None:
        self.market = _Market()
        self.reader = Held(Reader.open(path))
        self.studies = Studies(self.market, lambda: cast(Reader, self.reader))
        self.told = self.listener()

    def listener(self) -> Told:
        told = Told()
        told.studies = self.studies
        return told

    def ask(self, symbol: str | None, ready: Callable[[], None] | None = None) -> None:
        self.studies.ask(symbol, ready or self.told)

    def end(self) -> None:
        self.studies.stop()
        self.reader.go_on.release(100)
        assert self.studies.join(WAIT_S)
        self.reader.release()


@pytest.fixture
def desk(path: Path) -> Any:
    desk = Desk(path)
    yield desk
    desk.end()


def test_today_is_told_before_the_days_before_are_read(desk: Desk) -> None:
    assert desk.studies.latest() is None
    desk.reader.holding = True
    desk.ask("AAA")
    desk.reader.go_on.release()
    today = desk.told.next()
    assert (today.symbol, today.whole, today.leap, today.problem) == ("AAA", False, 3, "")
    assert today.bars.minute.tolist() == [minute_of(0, n) for n in range(4)]
    assert today.bars.volume.tolist() == [100, 101, 102, 100]
    assert today.bars.trades.tolist() == [1, 1, 1, -1]
    assert today.bars.notional[:3].tolist() == [1000] * 3
    assert str(today.bars.notional[3]) == "nan"
    assert today.bars.source.tolist() == [0, 0, 0, 2]
    assert today.alerts == ()
    desk.reader.go_on.release(DAYS_BEFORE)
    whole = desk.told.next()
    assert whole.whole
    assert len(whole.bars) == 3 * DAYS_BEFORE + 4
    assert whole.bars.minute[0] == minute_of(DAYS_BEFORE)
    assert whole.alerts == ALERTS
    assert desk.studies.latest() is whole


def test_days_before_a_split_are_in_todays_shares(desk: Desk) -> None:
    ex_date = weekdays().previous(TODAY, 2)
    assert ex_date is not None
    desk.market.splits = Splits([Split("AAA", ex_date, 4.0, "test")])
    desk.ask("AAA")
    desk.told.next()
    bars = desk.told.next().bars
    earlier = bars.minute < minute_of(2)
    assert set(bars.open[earlier].tolist()) == {2.5}
    assert set(bars.volume[earlier].tolist()) == {400, 404, 408}
    assert set(bars.open[~earlier].tolist()) == {10.0}
    assert set(bars.notional[:-1].tolist()) == {1000.0}


def test_a_symbol_that_is_not_known_has_no_bars(desk: Desk) -> None:
    desk.ask("'; DROP TABLE bars; --")
    desk.told.next()
    study = desk.told.next()
    assert study.whole
    assert len(study.bars) == 0
    assert study.alerts == ()
    assert study.problem == ""


def test_a_newer_question_takes_the_place_of_one_under_way(desk: Desk) -> None:
    desk.reader.holding = True
    nobody = desk.listener()
    desk.ask("AAA", nobody)
    assert desk.reader.begun.acquire(timeout=WAIT_S)
    desk.ask("AAA", nobody)
    desk.ask("BBB")
    desk.reader.go_on.release(100)
    desk.told.next()
    assert desk.told.next().symbol == "BBB"
    assert nobody.seen == []
    assert desk.reader.asked == ["AAA", *["BBB"] * (1 + DAYS_BEFORE)]


def test_a_newer_question_does_not_wait_for_all_the_days_before_of_an_older_one(
    desk: Desk,
) -> None:
    desk.reader.holding = True
    desk.ask("AAA")
    desk.reader.go_on.release(4)
    for _ in range(5):
        assert desk.reader.begun.acquire(timeout=WAIT_S)
    other = desk.listener()
    desk.ask("BBB", other)
    desk.reader.go_on.release(100)
    assert other.next().symbol == "BBB"
    assert [study.whole for study in desk.told.seen] == [False]
    assert desk.reader.asked.count("AAA") == 5


def test_a_newer_question_comes_between_the_two_reads_of_an_older_one(desk: Desk) -> None:
    told = desk.told

    def ask_another() -> None:
        desk.ask("BBB", told)

    desk.ask("AAA", ask_another)
    told.next()
    assert told.next().symbol == "BBB"
    assert [study.symbol for study in told.seen] == ["BBB", "BBB"]
    assert desk.reader.asked == ["AAA", *["BBB"] * (1 + DAYS_BEFORE)]


def test_who_wants_no_more_is_told_no_more(desk: Desk) -> None:
    desk.reader.holding = True
    desk.ask("AAA")
    assert desk.reader.begun.acquire(timeout=WAIT_S)
    desk.ask(None)
    other = desk.listener()
    desk.ask("BBB", other)
    desk.reader.go_on.release(100)
    other.next()
    assert desk.told.seen == []


def test_a_symbol_asked_for_again_keeps_its_days_before_meanwhile(desk: Desk) -> None:
    desk.ask("AAA")
    desk.told.next()
    first = desk.told.next()
    assert desk.market.picture is not None
    desk.market.picture.leap = 4
    again = desk.listener()
    desk.ask("AAA", again)
    again.next()
    again.next()
    assert [study.whole for study in again.seen] == [True, True]
    assert {len(study.bars) for study in again.seen} == {len(first.bars)}
    assert [study.leap for study in again.seen] == [4, 4]
    desk.market.picture.session_date = weekdays().previous(TODAY)
    other_day = desk.listener()
    desk.ask("AAA", other_day)
    other_day.next()
    other_day.next()
    assert [study.whole for study in other_day.seen] == [False, True]
    assert other_day.seen[0].bars.minute.tolist() == [minute_of(1, n) for n in range(3)]


def test_what_the_store_says_is_told_in_its_words_and_the_next_question_is_answered(
    desk: Desk,
) -> None:
    desk.reader.broken = "The disk is gone. Put it back."
    desk.ask("AAA")
    study = desk.told.next()
    assert (study.problem, study.whole, len(study.bars)) == (desk.reader.broken, False, 0)
    desk.reader.broken = ""
    desk.ask("AAA")
    desk.told.next()
    assert desk.told.next().whole


def test_today_stays_when_the_days_before_cannot_be_read(desk: Desk) -> None:
    def break_it() -> None:
        desk.told()
        desk.reader.broken = "The disk is gone. Put it back."

    desk.ask("AAA", break_it)
    desk.told.next()
    study = desk.told.next()
    assert (study.problem, study.whole, len(study.bars)) == (desk.reader.broken, False, 4)


def test_one_who_is_gone_when_told_does_not_end_the_reading(desk: Desk) -> None:
    def gone() -> None:
        raise RuntimeError("Event loop is closed")

    desk.ask("BBB", gone)
    desk.ask("AAA")
    desk.told.next()
    assert desk.told.next().symbol == "AAA"


def test_before_the_first_picture_nothing_is_read(desk: Desk) -> None:
    desk.market.picture = None
    desk.ask("AAA")
    desk.market.picture = _Picture(session_date=None)
    desk.ask("AAA")
    assert desk.studies.join(0)
    assert desk.reader.asked == []


def test_the_end_does_not_wait_for_a_question_and_lets_go_of_the_database(desk: Desk) -> None:
    desk.reader.holding = True
    desk.ask("AAA")
    assert desk.reader.begun.acquire(timeout=WAIT_S)
    desk.studies.stop()
    desk.ask("BBB")
    assert not desk.studies.join(0)
    desk.reader.go_on.release()
    assert desk.reader.released.wait(WAIT_S)
    assert desk.studies.join(WAIT_S)
    assert desk.told.seen == []
    assert desk.reader.asked == ["AAA"]


def test_a_run_reads_what_it_stored_itself_and_ends_with_its_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "load_calendar", lambda *_: weekdays())
    records = wire.random_rows(9, 4_000, 2, minutes=200)
    file = wire.write(tmp_path / "d.mbp-1.dbn", wire.metadata(symbols={"A": 1, "B": 2}), records)
    request = ReplayRequest(files=(file,), database=tmp_path / "d.duckdb", refresh_s=math.inf)
    run = ReplayRun(request, SystemClock())
    assert run.join(60)
    assert run.writer.drain(60)
    assert run.studied() is None
    told = threading.Semaphore(0)
    run.study("B", told.release)
    for _ in range(2):
        assert told.acquire(timeout=WAIT_S)
    study = run.studied()
    run.close()
    assert study is not None
    assert study.whole
    expected = bars_by_pandas(records[records["instrument_id"] == 2], {2: "B"})
    bars = study.bars
    assert bars.minute.tolist() == [minute for _, minute in sorted(expected)]
    for at, key in enumerate(sorted(expected)):
        *prices, volume, trades, notional = expected[key]
        found = [bars.open[at], bars.high[at], bars.low[at], bars.close[at]]
        assert found == [price / 1e9 for price in prices]
        assert (bars.volume[at], bars.trades[at]) == (volume, trades)
        assert bars.notional[at] == pytest.approx(notional / 1e9, rel=1e-12)
    run.study("A", told.release)
    assert run.studied() is study
