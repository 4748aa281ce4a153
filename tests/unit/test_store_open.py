import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import stockscan_tui
from stockscan_tui.errors import StoreError, StoreHeldError
from stockscan_tui.store.database import connect_file, give_back_blocks
from stockscan_tui.store.lock import beside
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.schema import SCHEMA_VERSION
from stockscan_tui.store.writer import Writer
from tests.unit.store_batches import MINUTE, Row, batch, stored

HOLDER = """
import sys
from pathlib import Path
from stockscan_tui.store.writer import Writer
writer = Writer.open(Path(sys.argv[1]), dataset="X")
print("held", flush=True)
sys.stdin.read()
writer.close(10)
"""


def make(path: Path) -> None:
    Writer.open(path, dataset="X").close(10)


def edit(path: Path, *statements: str) -> None:
    connection = duckdb.connect(str(path))
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()


def junk(path: Path) -> None:
    path.write_text("symbol,close\n" * 2000)


def newer(path: Path) -> None:
    make(path)
    edit(path, "UPDATE meta SET value = '999' WHERE name = 'schema_version'")


def other_dataset(path: Path) -> None:
    Writer.open(path, dataset="XNAS.ITCH").close(10)


def journal_alone(path: Path) -> None:
    beside(path, ".wal").write_bytes(b"bars")


def damaged_journal(path: Path) -> None:
    make(path)
    # Large entries, so that the damage falls on contents: DuckDB takes a damaged length for a torn
    # write, and cuts the journal there.
    rows = "INSERT INTO meta SELECT range + {}, 'value' FROM range(5000)"
    first, second = rows.format(0), rows.format(5000)
    edit(path, "PRAGMA disable_checkpoint_on_shutdown", first, second)
    journal = beside(path, ".wal")
    damaged = bytearray(journal.read_bytes())
    damaged[len(damaged) // 4] ^= 255
    journal.write_bytes(damaged)


def under_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("")


REFUSALS: list[tuple[Callable[[Path], None], str]] = [
    (Path.mkdir, "is a folder"),
    (junk, "not a DuckDB database"),
    (newer, f"schema version 999, and this program knows versions up to {SCHEMA_VERSION}.*Upgrade"),
    (lambda path: edit(path, "CREATE TABLE notes (t VARCHAR)"), "not one that stockscan made"),
    (other_dataset, "holds dataset 'XNAS.ITCH', and this run is of 'X'"),
    (journal_alone, r"is gone, but its journal day\.duckdb\.wal is still there"),
    (damaged_journal, r"is damaged: its journal is damaged at byte .*The next run .* recovers"),
    (under_a_file, "cannot be locked.*Make its folder writable"),
]


def test_a_file_that_a_kill_left_empty_as_it_was_made_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    path.touch()
    make(path)
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM bars").fetchall() == [(0,)]


@pytest.mark.parametrize(("prepare", "message"), REFUSALS)
def test_unusable_database_is_refused_untouched_and_unlocked(
    tmp_path: Path, prepare: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "folder" / "day.duckdb"
    path.parent.mkdir()
    prepare(path)
    before = path.read_bytes() if path.is_file() else None
    for _ in range(2):
        with pytest.raises(StoreError, match=message) as refusal:
            Writer.open(path, dataset="X")
        assert not isinstance(refusal.value, StoreHeldError)
        assert "day.duckdb" in str(refusal.value)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert not beside(path, ".owner").exists()


def test_unwritable_database_is_refused(tmp_path: Path) -> None:
    def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        raise duckdb.IOException(f'Cannot open file "{path}": Permission denied')

    with pytest.raises(StoreError, match=r"Permission denied.*or name another file with --db"):
        Writer.open(tmp_path / "day.duckdb", dataset="X", connect=connect)
    make(tmp_path / "day.duckdb")


def test_database_held_by_another_process_names_its_command_and_pid(tmp_path: Path) -> None:
    path = tmp_path / "day.duckdb"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), "--\x1b[31m"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    held = rf"is held by '-c .*day\.duckdb --�\[31m' \(PID {holder.pid}\)"
    with pytest.raises(StoreHeldError, match=held) as refusal:
        Writer.open(path, dataset="X")
    assert refusal.value.exit_status == 3
    with pytest.raises(StoreHeldError, match=held):
        Reader.open(path)
    holder.communicate("")
    make(path)


def test_database_open_in_another_program_names_it(tmp_path: Path) -> None:
    path = tmp_path / "day.duckdb"
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    program = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "1\n"
    with pytest.raises(StoreHeldError, match=rf"is open in .*python.* \(PID {program.pid}\)"):
        Writer.open(path, dataset="X")
    program.communicate("\n")


def test_second_writer_of_the_same_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "day.duckdb"
    writer = Writer.open(path, dataset="X")
    assert json.loads(beside(path, ".owner").read_text())["pid"] == os.getpid()
    with pytest.raises(StoreHeldError, match=rf"PID {os.getpid()}"):
        Writer.open(path, dataset="X")
    with pytest.raises(StoreHeldError, match=rf"PID {os.getpid()}"):
        Reader.open(path)
    writer.close(10)
    assert not beside(path, ".owner").exists()
    reader = Reader.open(path)
    with pytest.raises(StoreHeldError, match="already open in this process"):
        Writer.open(path, dataset="X")
    reader.release()
    make(path)


def test_killed_process_leaves_its_committed_bars_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "day.duckdb"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from tests.unit.store_batches import MINUTE, Row, batch\n"
        "from stockscan_tui.store.writer import Writer\n"
        "writer = Writer.open(Path(sys.argv[1]), dataset='X', capacity=1)\n"
        "writer.put(batch(0, [Row(0, MINUTE)], [Row(0, MINUTE + 1)], ('A',)))\n"
        "writer.put(batch(1))\n"
        "os._exit(9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == 9
    writer = Writer.open(path, dataset="X")
    writer.put(batch(0, [Row(0, MINUTE, volume=7)], symbols=("A",)))
    writer.close(10)
    assert stored(path, "SELECT volume FROM bars_1m ORDER BY ts") == [(7,), (100,)]


def test_reader_of_an_older_schema_says_how_to_bring_it_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "day.duckdb"
    make(path)
    edit(path, "UPDATE meta SET value = '0' WHERE name = 'schema_version'")
    with pytest.raises(StoreError, match="schema version 0, and this program reads version"):
        Reader.open(path)


def test_reader_of_a_missing_database_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no database"):
        Reader.open(tmp_path / "day.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not UTF-8"):
        Writer.open(tmp_path / "bars\udcff.duckdb", dataset="EQUS.MINI")


def test_no_progress_is_drawn_on_standard_output_where_there_is_no_script(tmp_path: Path) -> None:
    made = """
import sys, duckdb
from pathlib import Path
from stockscan_tui.store.database import connect_file, quiet
bare = duckdb.connect()
ours = connect_file(Path(sys.argv[1]), read_only=False)
for each in (bare, ours, ours.cursor(), quiet(duckdb.connect())):
    print(*each.execute("SELECT current_setting('enable_progress_bar')").fetchone())
"""
    done = subprocess.run([sys.executable, "-c", made, str(tmp_path / "x.duckdb")],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.split() == ["True", "False", "False", "False"]


def test_every_connection_is_quiet() -> None:
    package = Path(stockscan_tui.__file__).parent
    for path in package.rglob("*.py"):
        for line in path.read_text("utf-8").splitlines():
            if "duckdb.connect(" in line and "bench" not in path.parts:
                assert "quiet(duckdb.connect(" in line, path


def test_blocks_in_memory_are_given_back_and_come_in_again(tmp_path: Path) -> None:
    connection = connect_file(tmp_path / "bars.duckdb", read_only=False)

    def held_mb() -> float:
        ((held,),) = connection.execute(
            "SELECT sum(memory_usage_bytes) / 1e6 FROM duckdb_memory()"
        ).fetchall()
        return float(held)

    connection.execute("CREATE TABLE numbers AS SELECT random() AS number FROM range(4_000_000)")
    connection.execute("CHECKPOINT")
    limit = connection.execute("SELECT current_setting('memory_limit')").fetchall()
    (total,) = connection.execute("SELECT sum(number), count(*) FROM numbers").fetchall()
    before = held_mb()
    give_back_blocks(connection)
    assert held_mb() < 17 < before
    assert connection.execute("SELECT current_setting('memory_limit')").fetchall() == limit
    ((_, count),) = connection.execute("SELECT sum(number), count(*) FROM numbers").fetchall()
    assert count == total[1] == 4_000_000
    connection.close()
