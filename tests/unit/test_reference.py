"""Closes and the calendar: where they come from, and what is said of what is wrong with them."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path

import exchange_calendars
import pandas as pd
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stockscan_tui.errors import InputError, StockscanError
from stockscan_tui.feed import exchange
from stockscan_tui.feed.exchange import load_calendar
from stockscan_tui.feed.reference import PreviousCloses, closes_beside, read_closes
from stockscan_tui.market.calendar import NEW_YORK, SECOND_NS, Session
from stockscan_tui.market.dbn import RType
from stockscan_tui.market.snapshot import CloseSource
from tests import wire
from tests.playing import play, weekdays

SYMBOLS = {"AAA": 1, "BBB": 2}


def test_bad_lines_of_a_csv_are_named(tmp_path: Path) -> None:
    path = tmp_path / "closes.csv"
    path.write_text(
        "\ufeffsymbol,close\nAAA,10.5\n\nBBB\nCCC,x\nDDD,-1\nEEE,nan\n F , 3 \n", "utf-8"
    )
    read = read_closes(path)
    assert read.undated == {"AAA": 10.5, "F": 3.0}
    assert read.problems == (
        "closes.csv: lines 4, 5, 6, 7 skipped, not of the form `symbol,close`",
    )


@pytest.mark.parametrize(
    ("text", "closes", "problem"),
    [
        ('A,1\n"B,2\nC,3\n', {"A": 1.0, "C": 3.0}, "line 2 skipped"),
        ('"A","1.5"\r\nB,1,extra\r\n,\r\n', {"A": 1.5, "B": 1.0}, ""),
        (f"A,{'9' * 200_000}\nB,2\n", {"B": 2.0}, "line 1 skipped"),
        ("A,1\0\nB,2", {"B": 2.0}, "line 1 skipped"),
        ("A,1\nA,2\nsymbol,close\n", {"A": 2.0}, "line 3 skipped"),
        ("x\n" * 20 + "A,1", {"A": 1.0}, "lines 1, 2, 3, 4, 5 and 15 more skipped"),
    ],
    ids=["stray quote", "quoted", "endless", "null", "twice", "many bad"],
)
def test_a_bad_line_of_a_csv_spoils_no_other(
    tmp_path: Path, text: str, closes: dict[str, float], problem: str
) -> None:
    path = tmp_path / "closes.csv"
    path.write_bytes(text.encode())
    read = read_closes(path)
    assert read.undated == closes
    expected = (f"closes.csv: {problem}, not of the form `symbol,close`",) if problem else ()
    assert read.problems == expected


@pytest.mark.parametrize("content", [b"", b"symbol,close\n", b"\xff\xfe\x00", b"a\nb\n", bytes(99)])
def test_a_csv_without_closes_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "closes.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"closes\.csv"):
        read_closes(path)
    with pytest.raises(InputError, match=r"none\.csv"):
        read_closes(tmp_path / "none.csv")


def daily(path: Path, *days: tuple[date, float]) -> Path:
    """Write daily bars of AAA."""
    bars = wire.ohlcv(
        [
            ((day - date(1970, 1, 1)).days * 86_400 * SECOND_NS, 1, price, price, price, price, 5)
            for day, price in days
        ],
        RType.OHLCV_1D,
    )
    spans = {"AAA": [(date(2026, 1, 1), date(2027, 1, 1), 1)]}
    return wire.write(path, wire.metadata("ohlcv-1d", mappings=spans), bars)


def test_closes_come_from_daily_bars_by_date(tmp_path: Path) -> None:
    days = ((date(2026, 6, 11), 9.0), (date(2026, 6, 12), 10.0), (wire.DAY, 11.0))
    path = daily(tmp_path / "x.ohlcv-1d.dbn.zst", *days)
    assert read_closes(path).dated == {day: {"AAA": price} for day, price in days}


def test_the_file_beside_is_found_by_its_name(tmp_path: Path) -> None:
    beside = daily(tmp_path / "eq-2026.ohlcv-1d.dbn.zst", (date(2026, 6, 12), 10.0))
    assert closes_beside(tmp_path / "eq-2026.mbp-1.dbn.zst") == beside
    assert closes_beside(tmp_path / "eq-2026.trades.dbn") == beside
    assert closes_beside(beside) is None
    assert closes_beside(tmp_path / "other.mbp-1.dbn") is None


def test_the_newest_close_wins_and_of_one_date_the_most_trusted(tmp_path: Path) -> None:
    closes = PreviousCloses(weekdays())
    closes.add(date(2026, 6, 11), CloseSource.FILE, {"AAA": 1.0, "BBB": 2.0})
    closes.add(date(2026, 6, 12), CloseSource.REPLAY, {"AAA": 3.0})
    closes.add(date(2026, 6, 12), CloseSource.DATABASE, {"AAA": 4.0})
    closes.add(date(2026, 6, 12), CloseSource.DAILY, {"AAA": 5.0})
    trades = wire.trades([(wire.OPEN_NS, 1, 6.0, 1), (wire.OPEN_NS, 2, 6.0, 1)])
    meta = wire.metadata("trades", SYMBOLS)
    played = play(wire.write(tmp_path / "x.dbn", meta, trades), closes=closes)
    assert played.value("prev_close", "AAA") == 5.0
    assert played.value("prev_close", "BBB") == 2.0
    assert played.value("close_age", "BBB") == 2


def test_undated_closes_are_of_the_trading_day_before(tmp_path: Path) -> None:
    trades = wire.trades([(wire.OPEN_NS, 1, 6.0, 1)])
    path = wire.write(tmp_path / "x.dbn", wire.metadata("trades", SYMBOLS), trades)
    played = play(path, undated={"AAA": 5.0})
    assert played.value("prev_close", "AAA") == 5.0
    assert played.value("close_age", "AAA") == 1


def test_daily_bars_within_a_capture_are_closes(tmp_path: Path) -> None:
    start = (date(2026, 6, 12) - date(1970, 1, 1)).days * 86_400 * SECOND_NS
    bar = wire.ohlcv([(start, 1, 5, 5, 5, 5, 1)], RType.OHLCV_1D)
    trades = wire.trades([(wire.OPEN_NS, 1, 6.0, 1)])
    played = play(wire.write(tmp_path / "x.dbn", wire.metadata(None, SYMBOLS), bar, trades))
    assert played.value("prev_close", "AAA") == 5.0


@pytest.mark.filterwarnings("ignore:Series.values returning an ndarray")
def test_the_calendar_equals_the_exchanges_and_is_kept(tmp_path: Path) -> None:
    calendar = load_calendar(tmp_path, date(2026, 6, 15))
    kept = list(tmp_path.iterdir())
    assert len(kept) == 1
    official = exchange_calendars.get_calendar("XNYS", start="2019-01-01", end="2026-06-30")
    for moment in official.sessions:
        day = calendar.day(moment.date())
        assert day.regular_ns == official.session_open(moment).value
        assert day.post_ns == official.session_close(moment).value
    with pytest.raises(StockscanError, match="not a trading day"):
        calendar.day(date(2026, 7, 3))
    kept[0].write_text('{"broken', "utf-8")
    again = load_calendar(tmp_path, date(2026, 6, 15))
    assert again.next_day(date(2026, 6, 18)) == calendar.next_day(date(2026, 6, 18))


def test_a_session_date_begins_at_ten_to_four_and_lasts_over_the_weekend() -> None:
    calendar = weekdays()

    def session_date(*moment: int) -> date:
        ns = int(datetime(*moment, tzinfo=NEW_YORK).timestamp()) * SECOND_NS  # type: ignore[misc,arg-type]
        return calendar.day_at(ns).session_date

    assert session_date(2026, 6, 15, 3, 49) == date(2026, 6, 12)
    assert session_date(2026, 6, 15, 3, 50) == date(2026, 6, 15)
    assert session_date(2026, 6, 14, 12, 0) == date(2026, 6, 12)
    # The night on which clocks change, and the half day's sessions.
    assert session_date(2026, 3, 9, 3, 50) == date(2026, 3, 9)
    half = calendar.day(date(2026, 7, 2))
    assert half.post_end_ns - half.pre_ns == 780 * 60 * SECOND_NS
    assert half.session_at(half.post_ns) is Session.POST
    with pytest.raises(StockscanError, match="no trading day around"):
        calendar.day_at(int(timedelta(days=400 * 365).total_seconds()) * SECOND_NS)


def test_a_close_of_ten_trading_days_ago_counts_and_an_older_one_does_not(tmp_path: Path) -> None:
    calendar = weekdays()
    closes = PreviousCloses(calendar)
    for count, symbol in ((10, "AAA"), (11, "BBB")):
        day = calendar.previous(wire.DAY, count)
        assert day is not None
        closes.add(day, CloseSource.DAILY, {symbol: 5.0})
    trades = wire.trades([(wire.OPEN_NS, 1, 6.0, 1), (wire.OPEN_NS, 2, 6.0, 1)])
    meta = wire.metadata("trades", SYMBOLS)
    played = play(wire.write(tmp_path / "x.dbn", meta, trades), closes=closes)
    assert played.value("prev_close", "AAA") == 5.0
    assert played.value("close_age", "AAA") == 10
    assert math.isnan(played.value("prev_close", "BBB"))


def test_a_close_of_the_session_date_itself_is_not_previous(tmp_path: Path) -> None:
    closes = PreviousCloses(weekdays())
    closes.add(wire.DAY, CloseSource.DAILY, {"AAA": 5.0})
    trades = wire.trades([(wire.OPEN_NS, 1, 6.0, 1)])
    meta = wire.metadata("trades", SYMBOLS)
    played = play(wire.write(tmp_path / "x.dbn", meta, trades), closes=closes)
    # Without any close the first trade of the day is the basis.
    assert played.value("prev_close", "AAA") == 6.0


def test_daily_bars_among_other_records_count_where_their_ids_are_mapped(tmp_path: Path) -> None:
    start_ns = (wire.DAY - date(1970, 1, 1)).days * 86_400 * SECOND_NS
    bars = wire.ohlcv([(start_ns, n, 5, 5, 5, 4 + n, 1) for n in (1, 2, 9)], RType.OHLCV_1D)
    bars["close"][1] = 2**63 - 1
    stamped = b"".join(bytes([16]) + bar.tobytes()[1:] + bytes(8) for bar in bars)
    parts = (wire.mapping_record(1, "AAA"), wire.trades([(wire.OPEN_NS, 1, 6.0, 1)]))
    meta = wire.metadata(None, SYMBOLS)
    for records in (bars.tobytes(), stamped):
        path = wire.write(tmp_path / "x.dbn", meta, *parts, records, *parts)
        assert read_closes(path).dated == {wire.DAY: {"AAA": 5.0}}


def test_a_cut_file_of_daily_bars_is_used_and_one_without_symbols_refused(tmp_path: Path) -> None:
    whole = daily(tmp_path / "x.dbn.zst", (date(2026, 6, 11), 9.0), (date(2026, 6, 12), 10.0))
    raw = zstandard.decompress(whole.read_bytes())
    whole.write_bytes(zstandard.compress(raw[:-56]) + zstandard.compress(raw[-56:])[:-5])
    read = read_closes(whole)
    assert read.dated[date(2026, 6, 11)] == {"AAA": 9.0}
    assert "cut off in the middle of a zstd frame" in read.problems[0]
    bars = wire.ohlcv([(wire.OPEN_NS, 1, 5, 5, 5, 5, 1)], RType.OHLCV_1D)
    path = wire.write(tmp_path / "y.dbn", wire.metadata("ohlcv-1d"), bars)
    with pytest.raises(InputError, match="no daily bar with a symbol"):
        read_closes(path)


def test_the_calendar_is_made_once_and_anew_only_where_it_does_not_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def make() -> str:
        made.append(json.dumps({"2026-06-15": "16:00", "2026-07-02": "13:00"}))
        return made[-1]

    monkeypatch.setattr(exchange, "_make", make)
    for _ in range(3):
        assert load_calendar(tmp_path / "new" / "folder", wire.DAY).day(wire.DAY)
    assert len(made) == 1
    load_calendar(tmp_path / "new" / "folder", date(2026, 7, 1))
    assert len(made) == 2
    (tmp_path / "file").touch()
    assert load_calendar(tmp_path / "file" / "folder", wire.DAY).day(wire.DAY)


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"2026-06-15": 16}', '{"x": "16:00"}'])
def test_damaged_days_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    sound = json.dumps({"2026-06-15": "16:00", "2026-07-02": "13:00"})
    monkeypatch.setattr(exchange, "_make", lambda: sound)
    load_calendar(tmp_path, wire.DAY)
    (kept,) = tmp_path.iterdir()
    kept.write_text(damage, "utf-8")
    assert load_calendar(tmp_path, wire.DAY).day(wire.DAY).session_date == wire.DAY
    assert kept.read_text("utf-8") == sound


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ImportError('no pandas')", "no pandas"),
        ("raise SystemExit(1)", "exit status 1"),
        ("print('hello')", "it printed 'hello"),
    ],
)
def test_a_calendar_that_cannot_be_made_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}"\n', "utf-8")
    script.chmod(0o755)
    for command in (str(script), str(tmp_path / "none")):
        monkeypatch.setattr(sys, "executable", command)
        expected = said if command == str(script) else "No such file"
        with pytest.raises(StockscanError, match=f"could not be made: .*{expected}"):
            load_calendar(tmp_path, wire.DAY)


@given(second=st.integers(1_546_600_000, 1_798_700_000))
@example(second=wire.OPEN_NS // SECOND_NS)
@settings(max_examples=300, deadline=None)
def test_session_dates_and_sessions_are_those_of_pandas(second: int) -> None:
    """Over eight years with all their changes of the clock."""
    calendar = weekdays()
    moment = pd.Timestamp(second, unit="s", tz="UTC").tz_convert("America/New_York")
    day = moment.date()
    if moment.time() < time(3, 50) or calendar.distance(day - timedelta(days=1), day) == 0:
        before = calendar.previous(day)
        assert before is not None
        day = before
    found = calendar.day_at(second * SECOND_NS)
    assert found.session_date == day
    end = 13 if day == date(2026, 7, 2) else 16
    starts = {
        Session.CLOSED: (3, 50), Session.PRE: (4, 0), Session.REGULAR: (9, 30),
        Session.POST: (end, 0),
    }  # fmt: skip
    begins = [pd.Timestamp(datetime.combine(day, time(*at)), tz=NEW_YORK) for at in starts.values()]
    assert [found.begin_ns(session) for session in starts] == [
        begin.as_unit("ns").value for begin in begins
    ]
    session = [name for name, begin in zip(starts, begins, strict=True) if begin <= moment][-1]
    over = moment >= begins[-1] + pd.Timedelta(hours=4)
    assert found.session_at(second * SECOND_NS) is (Session.CLOSED if over else session)


def test_the_engine_never_loads_pandas() -> None:
    code = (
        "import sys, stockscan_tui.run.replay, stockscan_tui.headless;"
        "print([m for m in ('pandas', 'databento', 'textual') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
