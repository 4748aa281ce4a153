"""`stockscan export`, against pandas and DuckDB that read back what it wrote."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from stockscan_tui.cli import export as command
from stockscan_tui.cli.main import main
from stockscan_tui.errors import StoreError
from stockscan_tui.market.batch import Batch, StateBatch
from stockscan_tui.market.calendar import MINUTE_NS, new_york_ns
from stockscan_tui.market.fired import Fired
from stockscan_tui.store import export as store_export
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.writer import Writer
from tests.unit.store_batches import Row, batch, stored

DAYS = (date(2026, 6, 12), date(2026, 6, 15))
OPENS = [new_york_ns(day, store_export._DAY_START) // MINUTE_NS for day in DAYS]
SYMBOLS = ("A", "B", 'C"1,\x1b[2J')
VIEWS = {"bars": "bars_1m", "alerts": "alerts", "state": "symbol_state"}
ORDERS = {"bars": "ts, symbol", "alerts": "ts, rule, symbol", "state": "session_date, symbol"}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database of two session dates; bars stand at their very edges, unsorted."""
    path = tmp_path_factory.mktemp("export") / "bars.duckdb"
    rng = np.random.default_rng(1)
    writer = Writer.open(path, dataset="EQUS.MINI", capacity=8)
    for serial, begin in enumerate(OPENS):
        rows = [
            Row(slot, begin + int(minute), close=int(rng.integers(1, 10**12)), volume=serial * 50,
                trades=int(minute % 5) - 1, dollars=-1 if minute % 5 == 0 else 77)
            for minute in (1439, 700, 0, 181, 179, 180)
            for slot in rng.permutation(3)
        ]  # fmt: skip
        writer.put(batch(serial, rows, symbols=SYMBOLS if serial == 0 else ()))
    fired = [
        Fired(OPENS[day] * MINUTE_NS + 1_000_000_007, symbol, rule, price, values)
        for day in (0, 1)
        for symbol, rule, price, values in (
            ("B", "=cmd|' /C calc'!A0", np.nan, '{"chg":7.45,"rvol":null}'),
            ("A", 'line\nbreak, "quoted"', 11.89, ""),
        )
    ]
    states = tuple(_states(day) for day in DAYS)
    writer.put(Batch(9, states=states, fired=tuple(fired)))
    writer.close(30)
    return path


def _states(day: date) -> StateBatch:
    prices, counts = np.array([1.5, np.nan]), np.array([0, 2**40])
    return StateBatch(
        session_date=day, slot=np.array([1, 0], np.int32), mark=prices, last=prices, bid=prices,
        ask=prices, prev_close=prices, prev_close_source=("daily", ""), chg=prices, volume=counts,
        tier=np.array([1, 0], np.uint8), trades=counts, bars=counts, notional=prices,
        trade_ns=counts, quote_ns=counts, remaps=counts,
        updated_ns=new_york_ns(day, store_export._DAY_START) + 5_000_001_000,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def own_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "on_signals", lambda stop: None)


def export(database: Path, *arguments: object) -> int:
    return main(["export", *map(str, arguments), "--db", str(database)])


def expected(database: Path, what: str, where: str = "true") -> list[Any]:
    query = f"SELECT * FROM {VIEWS[what]} WHERE {where} ORDER BY {ORDERS[what]}"  # noqa: S608
    return stored(database, query)


@pytest.mark.parametrize("what", VIEWS)
def test_parquet_has_the_rows_of_the_view_in_order(
    database: Path, tmp_path: Path, what: str
) -> None:
    target = tmp_path / "a[1]*'b.parquet"
    assert export(database, what, "--since", "2000-01-01", "--output", target) == 0
    with duckdb.connect() as connection:
        found = connection.read_parquet(str(target))
        assert found.fetchall() == expected(database, what)
        types = dict(zip(found.columns, map(str, found.types), strict=True))
    with duckdb.connect(str(database), read_only=True) as connection:
        view = connection.view(VIEWS[what])
        assert types == dict(zip(view.columns, map(str, view.types), strict=True))
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_csv_reads_back_in_pandas_as_the_bars_were(
    database: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert export(database, "bars", "--until", DAYS[1]) == 0
    out, err = capfdbinary.readouterr()
    assert not err
    prices = ["open", "high", "low", "close", "vwap"]
    found = pd.read_csv(io.BytesIO(out), parse_dates=["ts"], dtype=dict.fromkeys(prices, str))
    # By Python's own reading, which is exact in every version of pandas.
    found[prices] = found[prices].map(float)
    with duckdb.connect(str(database), read_only=True) as connection:
        view = connection.sql("SELECT * FROM bars_1m ORDER BY ts, symbol").df()
    assert str(found["ts"].dtype.tz) == "UTC"  # type: ignore[union-attr]
    found["ts"] = found["ts"].dt.tz_localize(None)
    pd.testing.assert_frame_equal(found, view, check_dtype=False, check_exact=True)
    assert out.splitlines()[1].split(b",")[1] == b"2026-06-12T07:50:00Z"


def test_alerts_keep_nanoseconds_and_their_values(
    database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert export(database, "alerts") == 0
    found = pd.read_csv(io.StringIO(capfd.readouterr().out), keep_default_na=False)
    assert found["ts"].tolist() == [OPENS[1] * MINUTE_NS + 1_000_000_007] * 2
    assert found["rule"].tolist() == ["=cmd|' /C calc'!A0", 'line\nbreak, "quoted"']
    assert found["values"].tolist() == ['{"chg":7.45,"rvol":null}', ""]
    assert export(database, "alerts", "--date", DAYS[0], "--format", "json") == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["values"] for line in lines] == [{"chg": 7.45, "rvol": None}, None]
    assert [line["price"] for line in lines] == [None, 11.89]


def test_a_session_date_has_its_own_rows_alone(
    database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, following = OPENS[0] * 60_000_000, (OPENS[0] + 1440) * 60_000_000
    assert export(database, "bars", "--date", DAYS[0], "--format", "json") == 0
    lines = capfd.readouterr().out.splitlines()
    where = f"ts >= make_timestamp({first}) AND ts < make_timestamp({following})"
    assert len(lines) == len(expected(database, "bars", where)) == 18
    assert export(database, "state", "--format", "json") == 0
    states = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(state["symbol"], state["session_date"]) for state in states] == [
        ("A", str(DAYS[1])), ("B", str(DAYS[1]))]  # fmt: skip
    assert states[1]["updated_at"] == "2026-06-15T07:50:05.000001Z"


def test_symbols_choose_and_unknown_ones_are_an_answer(
    database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert export(database, "bars", "--symbols", "nope,b", "--since", DAYS[0]) == 0
    out, err = capfd.readouterr()
    found = pd.read_csv(io.StringIO(out))
    assert set(found["symbol"]) == {"B"}
    assert len(found) == 12
    assert err == "stockscan: The database does not know NOPE.\n"
    assert export(database, "bars", "--date", "2025-01-02") == 0
    out, err = capfd.readouterr()
    assert out.startswith("symbol,ts,open")
    assert "the database has 2026-06-12 to 2026-06-15" in err


def test_a_file_that_is_there_is_replaced_only_when_told(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "bars.csv"
    target.write_text("mine", "utf-8")
    assert export(database, "bars", "--output", target) == 2
    assert target.read_text("utf-8") == "mine"
    assert export(database, "bars", "--output", target, "--force") == 0
    assert target.read_text("utf-8").startswith("symbol,")


def test_what_fails_half_way_leaves_the_file_as_it_was(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Reader.copy

    def full(self: Reader, statement: str, values: Any = ()) -> int:
        if "3.csv" in statement:
            raise duckdb.IOException("IO Error: Could not write file: No space left on device")
        return plain(self, statement, values)

    monkeypatch.setattr(Reader, "copy", full)
    target = tmp_path / "bars.csv"
    reader = Reader.open(database)
    wanted = store_export.Extract("bars", DAYS[0], DAYS[1])
    with pytest.raises(StoreError, match="No space left on device"):
        store_export.write_file(reader, wanted, target, lambda rows, share: None)
    reader.release()
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_export_leaves_nothing(database: Path, tmp_path: Path) -> None:
    """The signal comes while DuckDB is at work, and is heard at once."""
    script = (
        "import os, signal, sys\n"
        "from stockscan_tui.cli.main import main\n"
        "from stockscan_tui.store.reader import Reader\n"
        "def slow(self, statement, values=()):\n"
        "    print('begun', flush=True)\n"
        "    query = 'SELECT count(*) FROM range(100000000) a, range(100000000) b'\n"
        "    return self._cursor.execute(query).fetchall()[0][0]\n"
        "Reader.copy = slow\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    target = tmp_path / "bars.parquet"
    with subprocess.Popen(
        [sys.executable, "-c", script, "export", "bars", "--db", database, "--output", target],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 1
    assert err.startswith("stockscan: Stopped.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_and_a_reader_that_goes_are_told_apart(database: Path) -> None:
    arguments = [sys.executable, "-m", "stockscan_tui", "export", "bars", "--db", str(database)]
    root = Path(__file__).parents[2]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, cwd=root, check=False)
    assert done.returncode == 1
    assert done.stderr == b"stockscan: The output broke off: No space left on device.\n"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(arguments, stdout=writing, stderr=subprocess.PIPE, cwd=root, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_gets_no_control_characters(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert export(database, "bars", "--format", "parquet") == 2
    assert "no text for a terminal" in capsys.readouterr().err
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert export(database, "bars") == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert '"C""1,�[2J"' in out
    assert out.count("\n") == 19
