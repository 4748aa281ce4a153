"""`report` and `why` as commands: on a replayed day, and while an instance captures."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.dbn import OHLCV_DTYPE
from stockscan_tui.sim.archive import MinuteTable, Tables
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.history import HistoryStub
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape
from tests import wire
from tests.e2e.test_headless import SYMBOLS, begin, end, stockscan
from tests.playing import bars_by_pandas

NAMES = {number: symbol for symbol, number in SYMBOLS.items()}
ROWS = wire.random_rows(1, 40_000, 20, minutes=90)
DAY = "2026-06-15"
COLUMNS = ["symbol", "chg", "bars", "first", "last", "duration", "density", "completeness",
           "verified", "volume", "missing", "unknown"]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a replayed day: S1 is up a lot, S20 has no previous close."""
    folder = tmp_path_factory.mktemp("report")
    path = wire.write(folder / "day.mbp-1.dbn.zst", wire.metadata(symbols=SYMBOLS), ROWS)
    closes = {f"S{n}": 20 + 10 * (n - 1) for n in range(1, 20)}
    closes["S1"], closes["S2"] = 10, 20
    lines = ["symbol,close", *(f"{symbol},{close}" for symbol, close in closes.items())]
    (folder / "closes.csv").write_text("\n".join(lines), "utf-8")
    done = stockscan(
        folder, "replay", path, "--headless", "--json", "--leaders", "0",
        "--prev-close", folder / "closes.csv", "--db", folder / "bars.duckdb",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def report(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = stockscan(folder, "report", "--db", folder / "bars.duckdb", *arguments)
    assert done.returncode == 0, done.stderr
    return done


def said(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(report(folder, *arguments, "--format", "json").stdout)
    return found


def test_the_biggest_movers_are_reported_with_the_market(folder: Path) -> None:
    found = said(folder)
    assert found["session_date"] == DAY
    assert [row["symbol"] for row in found["symbols"]] == ["S1", "S2"]
    first = found["symbols"][0]
    assert list(first)[: len(COLUMNS)] == COLUMNS
    bars = {key: row for key, row in bars_by_pandas(ROWS, NAMES).items() if key[0] == "S1"}
    minutes = sorted(minute for _symbol, minute in bars)
    assert first["bars"] == len(bars)
    assert first["chg"] == pytest.approx(100, abs=1)
    assert (first["first"], first["last"]) == (minutes[0] * MINUTE_NS, minutes[-1] * MINUTE_NS)
    assert first["duration"] == minutes[-1] - minutes[0] + 1
    assert first["volume"] == sum(row[4] for row in bars.values())
    assert first["density"] == len(bars) / found["elapsed"]
    assert found["market"]["symbols"] == 20
    assert found["market"]["bars"] == len(bars_by_pandas(ROWS, NAMES))
    assert sum(tier["symbols"] for tier in found["tiers"]) == 20
    assert found["gaps"] == []
    assert found["verification"] is None
    assert found["record"]["records"] == 40_000
    (day,) = json.loads(report(folder, "--since", "2026-06-01", "--format", "json").stdout)["days"]
    assert (day["session_date"], day["bars"], day["symbols"]) == (
        DAY, found["market"]["bars"], 20)  # fmt: skip


def test_the_table_is_for_a_person_and_names_what_is_not_there(folder: Path) -> None:
    text = report(folder).stdout
    assert text.splitlines()[0].startswith(f"EQUS.MINI · {DAY} · 420 session minutes")
    assert "No gaps in the feed." in text
    assert "≥ 20 %" in text
    quiet = report(folder, "--over", "500").stdout
    assert "No symbol moved 500 % or more" in quiet


def test_csv_and_parquet_have_a_row_a_symbol(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(report(folder, "--format", "csv").stdout)))
    assert list(rows[0])[: len(COLUMNS)] == COLUMNS
    assert [row["symbol"] for row in rows] == ["S1", "S2"]
    made = folder / "made.parquet"
    assert not report(folder, "--symbols", "S3,NOBODY,S1", "--output", made).stdout
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT symbol, bars, first FROM read_parquet(?)", [str(made)]
        ).fetchall()
    assert [row[:2] for row in found] == [("S3", 90), ("NOBODY", 0), ("S1", 90)]
    assert found[1][2] is None


def own_bars(change: dict[tuple[str, int], int]) -> np.ndarray[Any, Any]:
    """Return the day's own bars as ohlcv-1m records; `change` gives closes (0: no bar)."""
    found = bars_by_pandas(ROWS, NAMES)
    records = np.zeros(len(found), OHLCV_DTYPE)
    for record, ((symbol, minute), row) in zip(records, sorted(found.items()), strict=True):
        prices = list(row[:4])
        prices[3] = change.get((symbol, minute), prices[3])
        record["length"], record["rtype"] = 14, 0x21
        record["instrument_id"], record["ts_event"] = SYMBOLS[symbol], minute * MINUTE_NS
        for name, value in zip(("open", "high", "low", "close"), prices, strict=True):
            record[name] = value
        record["volume"] = row[4]
    kept = records[records["close"] > 0]
    return kept[np.argsort(kept["ts_event"], kind="stable")]


def bar_file(path: Path, change: dict[tuple[str, int], int]) -> Path:
    return wire.write(path, wire.metadata(symbols=SYMBOLS, schema="ohlcv-1m"), own_bars(change))


def test_bars_are_held_against_databentos_own(folder: Path) -> None:
    keys = sorted(bars_by_pandas(ROWS, NAMES))
    equal = bar_file(folder / "same.ohlcv-1m.dbn", {})
    found = said(folder, "--verify", equal)
    assert found["verification"] == {
        "equal": len(keys), "differing": 0, "lacking": 0, "surplus": 0, "fields": {},
        "differences": [],
    }  # fmt: skip
    assert [row["verified"] for row in found["symbols"]] == [1.0, 1.0]
    changed, gone = [key for key in keys if key[0] == "S1"][5:7]
    other = bar_file(folder / "other.ohlcv-1m.dbn", {changed: 123_000_000_000, gone: 0})
    found = said(folder, "--verify", other)
    counts = found["verification"]
    assert (counts["equal"], counts["differing"], counts["surplus"]) == (len(keys) - 2, 1, 1)
    assert counts["fields"] == {"close": 1}
    by_field = {each["field"]: each for each in counts["differences"]}
    assert by_field["close"]["theirs"] == 123.0
    assert by_field["close"]["ts"] == changed[1] * MINUTE_NS
    assert by_field["bar"]["theirs"] is None
    row = found["symbols"][0]
    assert (row["differing"], row["lacking"], row["surplus"]) == (1, 0, 1)
    text = report(folder, "--verify", other).stdout
    assert "1 differ" in text
    assert "Databento's 123" in text


def test_databento_is_asked_for_the_bars_of_the_symbols_if_that_costs_nothing(
    folder: Path,
) -> None:
    minutes = {"EQUS.MINI": MinuteTable(own_bars({}), NAMES)}
    with HistoryStub(Tables(minutes=minutes)) as stub:
        found = said(folder, "--verify", "--history", stub.url, "--symbols", "S1,S2")
        (asked,) = stub.asked("timeseries.get_range")
    assert asked["symbols"] == "S1,S2"
    assert found["verification"]["equal"] == 180
    assert [row["verified"] for row in found["symbols"]] == [1.0, 1.0]
    costs = {("EQUS.MINI", "ohlcv-1m"): 0.5}
    with HistoryStub(Tables(minutes=minutes, costs=costs)) as stub:
        done = stockscan(folder, "report", "--db", folder / "bars.duckdb", "--verify",
                         "--history", stub.url)  # fmt: skip
        assert not stub.asked("timeseries.get_range")
    assert done.returncode == 1
    assert "would cost $0.50" in done.stderr
    assert "db-" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--date", "2020-01-02"], 2, "nothing of 2020-01-02. Its last dates are: 2026-06-15"),
        (["--date", "yesterday"], 2, "'yesterday' is no date"),
        (["--top", "0"], 2, "--top takes 1 or more"),
        (["--over", "nan"], 2, "--over takes"),
        (["--since", "2026-06-01", "--symbols", "A"], 2, "--since goes with neither"),
        (["--verify"], 2, "there is no API key"),
        (["--verify", "nowhere.dbn"], 1, "nowhere.dbn cannot be opened"),
        (["--output", "nowhere/x.csv"], 2, "cannot be written"),
        (["--db", "nothing.duckdb"], 1, "There is no database"),
    ],
)
def test_what_cannot_be_reported_is_said(
    folder: Path, arguments: list[str], status: int, sentence: str
) -> None:
    os.environ.pop("DATABENTO_API_KEY", None)
    done = stockscan(folder, "report", "--db", folder / "bars.duckdb", *arguments)
    assert done.returncode == status, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_why_answers_for_each_symbol(folder: Path) -> None:
    database = folder / "bars.duckdb"
    config = folder / "gates.toml"
    config.write_text('[gates]\nregular = "mark >= 1 and volume > 10b"\n\n[renames]\nOLD = "S3"\n')
    done = stockscan(folder, "why", "S1", "s20", "NOBODY", "OLD", "--db", database,
                     "--config", config, "--format", "json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = {answer["symbol"]: answer for answer in json.loads(done.stdout)}
    assert list(answers) == ["S1", "S20", "NOBODY", "OLD"]
    reasons = {
        symbol: {reason["code"]: reason["sentence"] for reason in answer["reasons"]}
        for symbol, answer in answers.items()
    }
    assert "in 330 minutes" in reasons["S1"]["gap"]
    assert "'volume > 10b'" in reasons["S1"]["gated"]
    assert "no close" in reasons["S20"]
    assert list(reasons["NOBODY"]) == ["universe"]
    assert reasons["OLD"] == {"renamed": "it trades as S3: ask for that"}
    table = stockscan(folder, "why", "S1", "NOBODY", "--db", database)
    assert table.returncode == 0
    assert "not in the universe of EQUS.MINI" in table.stdout


def test_a_captured_database_is_reported_while_it_is_captured_to(folder: Path) -> None:
    database = folder / "live.duckdb"
    tape = Tape.from_records(ROWS, SYMBOLS)
    os.environ.pop("DATABENTO_API_KEY", None)
    with GatewayThread(tape, Options(speed=60.0)) as gateway:
        live = begin(
            folder, "live", "--gateway", f"127.0.0.1:{gateway.port}", "--headless", "--json",
            "--no-backfill", "--no-verify", "--save-every", "0.2", "--db", database,
        )  # fmt: skip
        try:
            assert live.stdout is not None
            assert json.loads(live.stdout.readline())["symbols"] == 20
            done = stockscan(folder, "report", "--db", database, "--symbols", "S1",
                             "--format", "json")  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert "waiting for a copy" in done.stderr
            found = json.loads(done.stdout)
            assert found["symbols"][0]["bars"] > 0
            assert found["age_s"] < 60
            copy = database.with_name("live.duckdb.snapshot.duckdb")
            with duckdb.connect(str(copy), read_only=True) as connection:
                assert connection.execute("SELECT count(*) FROM bars_1m").fetchall()[0][0] > 0
                assert connection.execute("SELECT * FROM coverage").fetchall()
            why = stockscan(folder, "why", "S1", "--db", database)
            assert why.returncode == 0
            assert "S1" in why.stdout
            live.terminate()
            out, err = live.communicate(timeout=60)
            assert live.returncode == 0, err
            assert '"summary"' in out
        finally:
            end(live)
    # The database itself can be read now, and an old copy would mislead.
    assert sorted(path.name for path in folder.glob("live.duckdb*")) == [
        "live.duckdb", "live.duckdb.lock"]  # fmt: skip
    assert report(folder, "--db", database, "--date", str(date(2026, 6, 15))).stdout


def test_a_copy_that_nobody_renews_is_used_and_its_age_told(folder: Path) -> None:
    """Whoever holds the database does not answer: as if its process were stopped."""
    database = folder / "held.duckdb"
    database.write_bytes((folder / "bars.duckdb").read_bytes())
    copy = folder / "held.duckdb.snapshot.duckdb"
    copy.write_bytes(database.read_bytes())
    os.utime(copy, (0, 0))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        done = stockscan(folder, "report", "--db", database)
    finally:
        end(holder)
    assert done.returncode == 0, done.stderr
    assert "No answer; this is the copy of" in done.stderr


HOLD = """
import sys, time, filelock
lock = filelock.FileLock(sys.argv[1] + ".lock")
lock.acquire()
print("held", flush=True)
time.sleep(600)
"""
