"""Closes and the calendar: where they come from, and what is said of what is wrong with them."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import exchange_calendars
import pytest

from stockscan_tui.errors import InputError, StockscanError
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


@pytest.mark.parametrize("content", [b"", b"symbol,close\n", b"\xff\xfe\x00", b"a\nb\n"])
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


def test_the_engine_never_loads_pandas() -> None:
    code = (
        "import sys, stockscan_tui.run, stockscan_tui.headless;"
        "print([m for m in ('pandas', 'databento', 'textual') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
