"""Closes, averages and splits by trading day: what is asked, what is kept, what is said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from stockscan_tui.feed.daily import (
    DailyCache,
    average_volumes,
    fetch_closes,
    fetch_splits,
    next_fetch_ns,
)
from stockscan_tui.feed.history import History
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.feed.splits import Rename, Splits
from stockscan_tui.market.calendar import NEW_YORK, Calendar, new_york_ns, new_york_time
from stockscan_tui.market.snapshot import CloseSource
from stockscan_tui.sim.archive import Tables, rename_action, split_action
from stockscan_tui.sim.history import Failure, HistoryStub

KEY = "db-SECRETsecretSECRETsecret12345"
SUMMARY = "EQUS.SUMMARY"
HOLIDAYS = {date(2026, 5, 25), date(2026, 6, 19)}
DAYS = [
    day
    for day in (date(2026, 5, 1) + timedelta(days=n) for n in range(60))
    if day.weekday() < 5 and day not in HOLIDAYS
]
CALENDAR = Calendar([(day, time(16)) for day in DAYS])
FRIDAY, MONDAY = date(2026, 6, 12), date(2026, 6, 15)
BARS = "timeseries.get_range"


def closes_until(last: date) -> dict[date, dict[str, float]]:
    """Return closes of each trading day; QQQ did not trade in the last four of them."""
    days = [day for day in DAYS if day <= last]
    return {
        day: {"AAA": 10.0 + n, **({"QQQ": 5.0 + n} if n < len(days) - 4 else {})}
        for n, day in enumerate(days)
    }


@pytest.fixture
def stub() -> Iterator[HistoryStub]:
    with HistoryStub(Tables(closes={SUMMARY: closes_until(FRIDAY)})) as serving:
        yield serving


def history(stub: HistoryStub) -> History:
    return History(KEY, url=stub.url, timeout_s=10.0)


def fetch(
    asked: History | None, folder: Path, session_date: date, said: list[str] | None = None
) -> dict[date, dict[str, float]]:
    told: list[str] = [] if said is None else said
    return fetch_closes(asked, DailyCache(folder), CALENDAR, session_date, say=told.append)


def previous(found: dict[date, dict[str, float]], session_date: date, symbol: str) -> date | None:
    closes = PreviousCloses(CALENDAR)
    for day, table in found.items():
        closes.add(day, CloseSource.DAILY, table)
    tables = closes.before(session_date)
    return next((close.day for close, _, table in tables if symbol in table), None)


def test_a_mondays_previous_close_is_fridays(stub: HistoryStub, tmp_path: Path) -> None:
    found = fetch(history(stub), tmp_path, MONDAY)
    assert previous(found, MONDAY, "AAA") == FRIDAY
    assert len(found) == 10


def test_a_symbol_that_did_not_trade_is_looked_for_further_back(
    stub: HistoryStub, tmp_path: Path
) -> None:
    found = fetch(history(stub), tmp_path, MONDAY)
    assert previous(found, MONDAY, "QQQ") == date(2026, 6, 8)


def test_after_a_holiday_the_day_before_it_counts(stub: HistoryStub, tmp_path: Path) -> None:
    tuesday = date(2026, 5, 26)
    assert previous(fetch(history(stub), tmp_path, tuesday), tuesday, "AAA") == date(2026, 5, 22)


def test_a_second_start_asks_for_nothing(stub: HistoryStub, tmp_path: Path) -> None:
    first = fetch(history(stub), tmp_path, MONDAY)
    count = len(stub.requests)
    said: list[str] = []
    assert fetch(history(stub), tmp_path, MONDAY, said) == first
    assert fetch(None, tmp_path, MONDAY) == first
    assert len(stub.requests) == count
    assert said == []


def test_the_next_day_asks_for_the_one_new_day(tmp_path: Path) -> None:
    tuesday = date(2026, 6, 16)
    with HistoryStub(Tables(closes={SUMMARY: closes_until(MONDAY)})) as stub:
        fetch(history(stub), tmp_path, MONDAY)
        found = fetch(history(stub), tmp_path, tuesday)
        start_ns = int(stub.asked(BARS)[-1]["start"])
    assert start_ns == (MONDAY - date(1970, 1, 1)).days * 86_400 * 10**9
    assert previous(found, tuesday, "AAA") == MONDAY


def test_a_close_that_is_not_out_yet_is_not_taken_for_none(
    stub: HistoryStub, tmp_path: Path
) -> None:
    tuesday = date(2026, 6, 16)
    assert MONDAY not in fetch(history(stub), tmp_path, tuesday)
    with HistoryStub(Tables(closes={SUMMARY: closes_until(MONDAY)})) as later:
        assert MONDAY in fetch(history(later), tmp_path, tuesday)


def test_a_kept_file_that_is_damaged_is_asked_for_again(stub: HistoryStub, tmp_path: Path) -> None:
    first = fetch(history(stub), tmp_path, MONDAY)
    kept = sorted(tmp_path.iterdir())
    kept[0].write_bytes(kept[0].read_bytes()[:-3])
    kept[1].write_bytes(b"")
    cache = DailyCache(tmp_path)
    cache.keep("closes", SUMMARY, FRIDAY, {"AAA": "ten"})
    assert fetch(history(stub), tmp_path, MONDAY) == first
    assert cache.closes(SUMMARY, FRIDAY) == first[FRIDAY]


def test_a_folder_that_cannot_be_written_keeps_nothing_and_harms_nothing(
    stub: HistoryStub, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert len(fetch(history(stub), tmp_path / "file" / "sub", MONDAY)) == 10


def test_a_missing_entitlement_is_said_once_in_words(tmp_path: Path) -> None:
    with HistoryStub(Tables(closes={"OTHER": {FRIDAY: {"A": 1.0}}})) as stub:
        asked, said = history(stub), list[str]()
        assert fetch(asked, tmp_path, MONDAY, said) == {}
        assert fetch(asked, tmp_path, MONDAY, said) == {}
    refusals = [text for text in said if "may not have" in text]
    assert len(refusals) == 1
    assert KEY not in "".join(said)


def test_a_fetch_that_is_called_off_does_not_wait_for_the_answer(
    stub: HistoryStub, tmp_path: Path
) -> None:
    stub.fail("metadata.get_dataset_range", Failure(delay_s=60.0))
    called_off, asked = threading.Event(), history(stub)
    found = fetch_closes(
        asked,
        DailyCache(tmp_path),
        CALENDAR,
        MONDAY,
        say=lambda _text: called_off.set(),
        cancelled=called_off.is_set,
    )
    assert found == {}
    assert list(tmp_path.iterdir()) == []


def test_averages_count_days_without_trades_from_the_first_day_on(tmp_path: Path) -> None:
    days = [day for day in DAYS if day < MONDAY][-4:]
    volumes = {
        days[0]: {"AAA": 100, "BBB": 40},
        days[1]: {"AAA": 200},
        days[2]: {"AAA": 300, "NEW": 50},
        days[3]: {"AAA": 400, "BBB": 40},
    }
    with HistoryStub(Tables(volumes={"EQUS.MINI": volumes})) as stub:
        for asked in (history(stub), None):
            averages = average_volumes(
                asked,
                DailyCache(tmp_path),
                CALENDAR,
                MONDAY,
                "EQUS.MINI",
                sessions=4,
                say=lambda _text: None,
            )
            assert averages == {"AAA": 250.0, "BBB": 20.0, "NEW": 25.0}
        assert len(stub.asked(BARS)) == 1


def test_splits_are_kept_by_day_and_the_configs_go_first(tmp_path: Path) -> None:
    actions = [split_action("AAA", FRIDAY, 1, 2), rename_action("FB", "META", FRIDAY)]
    tables = Splits.from_tables([{"symbol": "AAA", "ex_date": FRIDAY, "ratio": 4}], {"O": "N"})
    thursday = date(2026, 6, 11)
    with HistoryStub(Tables(actions=actions)) as stub:
        for asked in (history(stub), history(stub), None):
            known = fetch_splits(
                asked, DailyCache(tmp_path), MONDAY, tables, say=lambda _text: None
            )
            assert known.adjusted_close("AAA", thursday, MONDAY, 8.0) == 2.0
            assert Rename("FB", "META", FRIDAY) in known.renames
            assert Rename("O", "N", None) in known.renames
        assert len(stub.requests) == 2


def test_without_reference_data_the_configs_tables_serve(tmp_path: Path) -> None:
    tables = Splits.from_tables([{"symbol": "AAA", "ex_date": FRIDAY, "ratio": 4}], {})
    said: list[str] = []
    with HistoryStub(Tables()) as stub:
        for call in ("corporate_actions.get_range", "adjustment_factors.get_range"):
            stub.fail(call, Failure(403, "Not authorized"))
        asked = history(stub)
        for _ in range(2):
            known = fetch_splits(asked, DailyCache(tmp_path), MONDAY, tables, say=said.append)
            assert known.splits == tables.splits
    assert len(said) == 1


def at(day: date, clock: time) -> int:
    return new_york_ns(day, clock)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ((MONDAY, time(3, 0)), (MONDAY, time(3, 45))),
        ((MONDAY, time(3, 45)), (MONDAY, time(20, 15))),
        ((MONDAY, time(12, 0)), (MONDAY, time(20, 15))),
        ((FRIDAY, time(20, 15)), (MONDAY, time(3, 45))),
        ((date(2026, 6, 18), time(21, 0)), (date(2026, 6, 22), time(3, 45))),
    ],
)
def test_data_is_fetched_at_its_hours_on_trading_days(
    now: tuple[date, time], expected: tuple[date, time]
) -> None:
    assert next_fetch_ns(CALENDAR, at(*now)) == at(*expected)


def test_closes_that_are_late_are_asked_for_every_five_minutes_until_morning() -> None:
    evening = at(FRIDAY, time(20, 17))
    again = new_york_time(next_fetch_ns(CALENDAR, evening, awaiting=True))
    assert again == datetime(2026, 6, 12, 20, 22, tzinfo=NEW_YORK)
    noon = at(MONDAY, time(12, 0))
    assert next_fetch_ns(CALENDAR, noon, awaiting=True) == at(MONDAY, time(20, 15))
    before = at(MONDAY, time(3, 43))
    assert next_fetch_ns(CALENDAR, before, awaiting=True) == at(MONDAY, time(3, 45))
