"""The real command in a process of its own: lines, database, exit status, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from tests import wire
from tests.playing import bars_by_pandas

SYMBOLS = {f"S{n}": n for n in range(1, 21)}
NAMES = {number: symbol for symbol, number in SYMBOLS.items()}
COMMAND = [sys.executable, "-m", "stockscan_tui"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("headless")


@pytest.fixture(scope="module")
def day(folder: Path) -> Path:
    records = wire.random_rows(1, 40_000, 20, minutes=90)
    path = wire.write(folder / "day.mbp-1.dbn.zst", wire.metadata(symbols=SYMBOLS), records)
    lines = ["symbol,close", *(f"S{n},{20 + 10 * (n - 1)}" for n in range(1, 20))]
    (folder / "closes.csv").write_text("\n".join(lines), "utf-8")
    return path


def environment(folder: Path) -> dict[str, str]:
    """Return an environment whose folders are all in `folder`."""
    kinds = ("CACHE", "CONFIG", "DATA", "STATE")
    return {**os.environ, **{f"XDG_{kind}_HOME": str(folder / kind) for kind in kinds}}


def stockscan(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(folder), timeout=120, check=False
    )


def lines(done: subprocess.CompletedProcess[str], kind: str) -> list[dict[str, Any]]:
    """Return the JSON lines of one type."""
    return [line for line in map(json.loads, done.stdout.splitlines()) if line["type"] == kind]


def begin(folder: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start the command beside the test."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder),
    )


def end(process: subprocess.Popen[str]) -> None:
    """Leave nothing of a process that was begun."""
    process.kill()
    process.communicate()


@contextmanager
def running(folder: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run the command beside the test; it has written its first line when this begins."""
    process = begin(folder, *arguments)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        end(process)


def test_replay_prints_leaders_and_a_summary_and_keeps_the_bars(folder: Path, day: Path) -> None:
    done = stockscan(
        folder, "replay", day, "--headless", "--json", "--leaders", "5",
        "--prev-close", folder / "closes.csv", "--db", folder / "bars.duckdb",
        "--log-file", folder / "run.log",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "40000 records" in (folder / "run.log").read_text("utf-8")
    leaders = lines(done, "leader")
    assert list(leaders[0]) == ["type", "rank", "symbol", "last", "mark", "prev_close", "chg",
                                "volume", "bars"]  # fmt: skip
    assert [leader["rank"] for leader in leaders] == [1, 2, 3, 4, 5]
    changes = [leader["chg"] for leader in leaders]
    assert changes == sorted(changes, reverse=True)
    first = leaders[0]
    assert first["chg"] == pytest.approx((first["mark"] / first["prev_close"] - 1) * 100)
    (summary,) = lines(done, "summary")
    assert list(summary)[:15] == [
        "type", "records", "trades", "quotes", "symbols", "bars", "alerts", "gaps", "healed",
        "late", "elapsed_s", "records_per_s", "first_ts", "last_ts", "db",
    ]  # fmt: skip
    expected = bars_by_pandas(wire.random_rows(1, 40_000, 20, minutes=90), NAMES)
    assert summary["records"] == 40_000
    assert summary["bars"] == len(expected)
    with duckdb.connect(str(folder / "bars.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "SELECT symbol, epoch_us(ts) // 60000000, open, high, low, close, volume, trades, vwap,"
            " source FROM bars_1m"
        ).fetchall()
    assert len(rows) == len(expected)
    for symbol, minute, *prices, volume, trades, vwap, source in rows:
        row = expected[symbol, minute]
        assert prices == [price / 1e9 for price in row[:4]]
        assert [volume, trades, source] == [row[4], row[5], "trades"]
        assert vwap == pytest.approx(row[6] / row[4] / 1e9, rel=1e-12)


def test_replaying_twice_leaves_the_same_rows(folder: Path, day: Path) -> None:
    contents = []
    for _ in range(2):
        done = stockscan(
            folder, "replay", day, "--headless", "--db", folder / "twice.duckdb",
            "--prev-close", folder / "closes.csv",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        with duckdb.connect(str(folder / "twice.duckdb"), read_only=True) as connection:
            contents.append(
                [
                    connection.execute(f"SELECT * FROM {view} ORDER BY ALL").fetchall()  # noqa: S608
                    for view in ("bars_1m", "symbol_state", "alerts", "coverage", "feed_gaps")
                ]
            )
    assert contents[0] == contents[1]
    assert len(contents[0][0]) > 1_000
    assert len(contents[0][1]) == 20


def test_order_and_filter_are_those_asked_for(folder: Path, day: Path) -> None:
    done = stockscan(
        folder, "replay", day, "--headless", "--json", "--sort", "volume:asc", "--leaders", "20",
        "--filter", "s1",
    )  # fmt: skip
    leaders = lines(done, "leader")
    assert {leader["symbol"] for leader in leaders} == {s for s in SYMBOLS if s.startswith("S1")}
    volumes = [leader["volume"] for leader in leaders]
    assert volumes == sorted(volumes)
    assert all(leader["prev_close"] for leader in leaders)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("replay", "none.dbn", "--headless"), 1, "cannot be opened"),
        (("replay", ".", "--headless"), 1, "is a folder"),
        (("replay",), 2, "FILE"),
        (("replay", "DAY", "--json"), 2, "--json goes with --headless"),
        (("replay", "DAY", "--headless", "--speed", "fast"), 2, "--speed"),
        (("replay", "DAY", "--headless", "--from", "25:00"), 2, "--from"),
        (("replay", "DAY", "--headless", "--sort", "beauty"), 2, "No metric is called 'beauty'"),
        (("replay", "DAY", "--headless", "--sort", "chg:desc"), 2, "METRIC:asc"),
        (("replay", "DAY", "--headless", "--leaders", "-1"), 2, "--leaders takes 0 or more"),
        (("replay", "DAY", "--headless", "--for", "nan"), 2, "--for takes a number"),
        (("demo", "--headless", "--seed", "-1"), 2, "--seed takes 0 or more"),
        (("replay", "DAY", "--headless", "--filter", "a(b"), 2, "Column 4"),
        (("replay", "DAY", "--headless", "--config", "none.toml"), 2, "config file"),
        (("replay", "DAY"), 2, "needs a terminal"),
        (("replay", "DAY", "--headless", "--prev-close", "none.csv"), 1, "cannot be read"),
        (("replay", "DAY", "--headless", "--db", "DAY"), 1, "not a DuckDB|not a valid|no DuckDB"),
    ],
)
def test_what_cannot_be_done_is_said(
    folder: Path, day: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = stockscan(folder, *(str(day) if a == "DAY" else a for a in arguments))
    assert done.returncode == status
    assert any(part in done.stderr for part in said.split("|")), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_signal_stops_cleanly_and_keeps_what_was_played(folder: Path, day: Path) -> None:
    arguments = ("replay", day, "--headless", "--json", "--speed", "60", "--leaders", "0")
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    with ExitStack() as stack:
        # Begun together: each needs seconds until its first line.
        processes = [begin(folder, *arguments, "--db", folder / f"{n}.duckdb") for n in names]
        for process in processes:
            stack.callback(end, process)
        for name, process in zip(names, processes, strict=True):
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(getattr(signal, name))
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
            summary = json.loads(out.splitlines()[-1])
            assert summary["type"] == "summary"
            assert 0 < summary["records"] < 40_000
            with duckdb.connect(str(folder / f"{name}.duckdb"), read_only=True) as connection:
                (count,) = connection.execute("SELECT count(*) FROM bars_1m").fetchone() or (0,)
            assert count == summary["bars"] > 0


def test_a_second_instance_on_one_database_names_the_first(folder: Path, day: Path) -> None:
    database = folder / "held.duckdb"
    arguments = ("replay", day, "--headless", "--json", "--db", database)
    with running(folder, *arguments, "--speed", "1") as first:
        second = stockscan(folder, *arguments)
        assert second.returncode == 3
        assert str(first.pid) in second.stderr
    assert stockscan(folder, *arguments).returncode == 0


def test_for_ends_a_run_by_the_wall_clock(folder: Path, day: Path) -> None:
    done = stockscan(
        folder, "replay", day, "--headless", "--json", "--speed", "1", "--for", "0.5", "--leaders",
        "0",
    )  # fmt: skip
    (summary,) = lines(done, "summary")
    assert done.returncode == 0
    assert summary["records"] < 40_000


def test_from_takes_in_the_earlier_records_at_full_speed(folder: Path, day: Path) -> None:
    done = stockscan(
        folder, "replay", day, "--headless", "--json", "--speed", "1", "--from", "10:30", "--for",
        "3", "--leaders", "0",
    )  # fmt: skip
    (summary,) = lines(done, "summary")
    assert summary["last_ts"] >= wire.OPEN_NS + 59 * MINUTE_NS


def test_a_cut_file_is_used_to_its_cut_and_a_corrupt_one_fails(folder: Path) -> None:
    trades = wire.trades([(wire.OPEN_NS + n * SECOND_NS, 1, 10.0, 5) for n in range(100)])
    whole = wire.joined(wire.metadata("trades", SYMBOLS), trades)
    (folder / "cut.dbn").write_bytes(whole[:-20])
    done = stockscan(folder, "replay", folder / "cut.dbn", "--headless", "--json")
    assert done.returncode == 0
    assert lines(done, "summary")[0]["trades"] == 99
    assert "middle of a record: 99 records were used" in done.stderr
    (folder / "corrupt.dbn").write_bytes(whole[:-48] + bytes(48))
    done = stockscan(folder, "replay", folder / "corrupt.dbn", "--headless", "--json")
    assert done.returncode == 1
    assert lines(done, "summary")[0]["trades"] == 99


def test_control_characters_are_never_printed(folder: Path) -> None:
    trades = wire.trades([(wire.OPEN_NS, 1, 10.0, 5)])
    meta = wire.metadata("trades", {"A\x1b[2J": 1})
    path = wire.write(folder / "evil\x1b]0;x\x07.dbn", meta, trades)
    for extra in ((), ("--json",)):
        done = stockscan(folder, "replay", path, "--headless", *extra)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout + done.stderr
        assert "\x07" not in done.stdout + done.stderr
    missing = stockscan(folder, "replay", folder / "none\x1b[2J.dbn", "--headless")
    assert "\x1b" not in missing.stderr


def test_help_answers_without_loading_anything_heavy(folder: Path) -> None:
    code = (
        "import sys\n"
        "from stockscan_tui.cli import main\n"
        "try: main(['replay', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ('numpy', 'numba', 'pandas', 'duckdb', 'textual', 'rich', 'databento_dbn')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    assert "--speed" in done.stdout


def test_a_reader_that_goes_away_is_no_failure(folder: Path, day: Path) -> None:
    command = f"'{sys.executable}' -m stockscan_tui replay '{day}' --headless --json | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True, text=True, env=environment(folder), check=False,
    )  # fmt: skip
    assert done.returncode == 0
    # A first start says that it compiles.
    assert [line for line in done.stderr.splitlines() if "compiling once" not in line] == []
    assert json.loads(done.stdout)["type"] == "leader"


def test_a_cache_folder_that_cannot_be_used_is_said(folder: Path, day: Path) -> None:
    (folder / "occupied").mkdir()
    (folder / "occupied" / "CACHE").touch()
    for arguments in (("replay", day), ("demo",)):
        done = stockscan(folder / "occupied", *arguments, "--headless")
        assert done.returncode == 1
        assert "CACHE" in done.stderr
        assert "Not a directory" in done.stderr
        assert "Traceback" not in done.stderr
    database = folder / "beside.duckdb"
    done = stockscan(folder / "occupied", "replay", day, "--headless", "--db", database)
    assert done.returncode == 0, done.stderr
    assert database.exists()


@pytest.mark.skipif(sys.platform == "darwin", reason="names there are always text")
def test_a_file_name_that_is_not_text_plays_like_any_other(folder: Path, day: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.dbn.zst"))
    path.write_bytes(day.read_bytes())
    done = stockscan(folder, "replay", path, "--headless", "--json", "--leaders", "0")
    assert done.returncode == 0, done.stderr
    assert lines(done, "summary")[0]["records"] == 40_000


def test_one_file_by_two_names_is_played_once(folder: Path, day: Path) -> None:
    (folder / "again.dbn.zst").symlink_to(day)
    arguments = ("--headless", "--json", "--leaders", "0")
    done = stockscan(folder, "replay", day, folder / "again.dbn.zst", day, *arguments)
    alone = stockscan(folder, "replay", day, *arguments)
    (summary,), (expected,) = lines(done, "summary"), lines(alone, "summary")
    assert summary["trades"] == expected["trades"]
    assert summary["db"] == expected["db"]
