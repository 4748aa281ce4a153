"""A database to be damaged, ways to damage it, and what must be there after its recovery."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from stockscan_tui.market.calendar import new_york_ns
from stockscan_tui.store.lock import beside
from stockscan_tui.store.recovery_probe import BLOCK, HEAD, probe
from stockscan_tui.store.recovery_process import CancelledError
from stockscan_tui.store.recovery_reading import Reading, StartAgain
from stockscan_tui.store.recovery_settling import settle
from stockscan_tui.store.snapshot_file import snapshot_path
from stockscan_tui.store.writer import Writer

DATASET = "EQUS.MINI"
SYMBOLS, MINUTES = 60, 780
_BARS = """
INSERT INTO bars SELECT
    s, make_timestamp((m // 390 * 1440 + m % 390 + {first}) * 60000000), 10 + random() * 100,
    200.5, 1.25, 10 + random() * 100, (random() * 1e6)::BIGINT, (random() * 1e3)::BIGINT,
    (random() * 1e9)::BIGINT, (random() * 1e9)::INTEGER, (random() * 3e10)::BIGINT,
    (30e9 + random() * 3e10)::BIGINT, 0, 1
FROM range({begin}, {end}) AS minutes(m), range({symbols}) AS slots(s) ORDER BY m, s
"""
_STANDING = (
    "DELETE FROM checkpoints",
    "INSERT INTO checkpoints VALUES ('2026-11-17', repeat('state', {n})::BLOB)",
    "DELETE FROM watermarks",
    "INSERT INTO watermarks VALUES (1, 95, {n}, 1)",
    "INSERT INTO fired (alert_id, ts, symbol_id, rule) VALUES ('alert {n}', {n}, 0, 'move')",
    "UPDATE runs SET serial = {n} WHERE run = 1",
)
BARS = "SELECT * EXCLUDE run FROM bars"


@dataclass(frozen=True)
class Model:
    """A database with a journal, and a copy of it that is a little older."""

    path: Path
    with_copy: bool = True

    def put(self, folder: Path) -> Path:
        """Put all of it into a folder; returns the database."""
        path = folder / "day.duckdb"
        shutil.copyfile(self.path, path)
        shutil.copyfile(beside(self.path, ".wal"), beside(path, ".wal"))
        if self.with_copy:
            shutil.copyfile(snapshot_path(self.path), snapshot_path(path))
        return path


def make_model(folder: Path) -> Model:
    """Make two session dates of bars: most in blocks, the last minutes in the journal."""
    path = folder / "model.duckdb"
    Writer.open(path, dataset=DATASET).close(10)
    from datetime import date, time

    first = new_york_ns(date(2026, 11, 16), time(9, 30)) // 60_000_000_000
    db = duckdb.connect(str(path))

    def grow(begin: int, end: int) -> None:
        values = {"first": first, "begin": begin, "end": end, "symbols": SYMBOLS, "n": end}
        db.execute("BEGIN").fetchall()
        for statement in (_BARS, *_STANDING):
            db.execute(statement.format(**values)).fetchall()
        db.execute("COMMIT").fetchall()

    db.execute(f"INSERT INTO symbols SELECT s, 'S' || s FROM range({SYMBOLS}) AS slots(s)")  # noqa: S608
    grow(0, MINUTES - 40)
    db.execute("CHECKPOINT").fetchall()
    db.execute("PRAGMA disable_checkpoint_on_shutdown")
    for end in range(MINUTES - 30, MINUTES + 1, 10):
        grow(end - 10, end)
        if end == MINUTES - 20:
            copy = snapshot_path(path)
            db.execute(f"ATTACH '{copy}' AS copy").fetchall()
            db.execute("COPY FROM DATABASE model TO copy").fetchall()
            db.execute("CHECKPOINT copy").fetchall()
            db.execute("DETACH copy").fetchall()
    db.close()
    return Model(path)


def in_process(task: str, job: dict[str, Any], **how: Any) -> dict[str, Any]:
    """Do what `run_task` does, without a process."""
    if task == "probe":
        return probe(Path(job["path"]), Path(job["copy"]) if job["copy"] else None)
    if task == "settle":
        return settle(job)
    progress = how.get("progress", lambda _done: None)
    cancelled = how.get("cancelled", lambda: False)
    job = {**job, "lethal": []}

    def say(**said: Any) -> None:
        job["at"] = said.get("at", job.get("at"))
        if "done" in said:
            progress(said["done"])
        if cancelled():
            raise CancelledError("it was broken off")

    while True:
        try:
            return Reading(job, say).run()
        except StartAgain:
            job["lethal"].append(job["at"])


Damage = Callable[[Path, Random], int]


def flip(path: Path, random: Random) -> int:
    """Turn one bit of a file; returns where."""
    place = random.randrange(path.stat().st_size)
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << random.randrange(8)]))
    return place


def zero(path: Path, random: Random) -> int:
    """Make a piece of a file zeros."""
    place = random.randrange(path.stat().st_size)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(min(4096, path.stat().st_size - place)))
    return place


def cut(path: Path, random: Random) -> int:
    """Let a file end somewhere."""
    place = random.randrange(path.stat().st_size)
    os.truncate(path, place)
    return place


def all_zeros(path: Path, _random: Random) -> int:
    """Make all of a file zeros."""
    path.write_bytes(bytes(path.stat().st_size))
    return 0


def noise(path: Path, random: Random) -> int:
    """Let a file be anything."""
    path.write_bytes(random.randbytes(path.stat().st_size))
    return 0


def a_block_of_bars(model: Path, path: Path, column: str) -> None:
    """Damage a block of a column of bars in which there are no keys, but for theirs."""
    ((block,),) = rows(
        model,
        "SELECT min(block_id) FROM pragma_storage_info('bars') "  # noqa: S608
        f"WHERE column_name = '{column}' AND block_id >= 0 AND (column_name = 'ts' OR block_id NOT "
        "IN (SELECT block_id FROM pragma_storage_info('bars') WHERE block_id >= 0 AND column_name "
        "IN ('ts', 'symbol_id')))",
    )
    with path.open("r+b") as file:
        file.seek(HEAD + block * BLOCK + 5000)
        file.write(b"damage")


def rows(path: Path, query: str) -> list[Any]:
    """Return what a query finds in a database that nobody holds."""
    with duckdb.connect(str(path), read_only=True) as db:
        return db.execute(query).fetchall()


def untouched_rows(model: Path, place: int) -> str:
    """Return a condition for the rows of bars that a damaged byte of the file cannot concern."""
    block = (place - HEAD) // BLOCK
    segments = rows(
        model,
        f"""SELECT row_group_id, start, count FROM pragma_storage_info('bars')
        WHERE block_id = {block} OR list_contains(additional_block_ids, {block})""",  # noqa: S608
    )
    counts = rows(
        model,
        """SELECT row_group_id, sum(count)::BIGINT FROM pragma_storage_info('bars')
        WHERE column_name = 'ts' AND segment_type <> 'VALIDITY' GROUP BY ALL ORDER BY ALL""",
    )
    if place < HEAD or not segments:
        # A block of something else: of the tables' own description, for example.
        return "false"
    starts, total = {}, 0
    for group, count in counts:
        starts[group], total = total, total + count
    # As small as the pieces that are given up as a whole.
    spans = [
        f"rowid NOT BETWEEN {(starts[g] + s) // 2048 * 2048} AND {starts[g] + s + n + 2047}"
        for g, s, n in segments
    ]
    return " AND ".join(spans)


@contextmanager
def compared(model: Path, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the model as `was`, its copy as `copy`, and a recovered database as `now`."""
    with duckdb.connect() as db:
        for name, file in (("was", model), ("copy", snapshot_path(model)), ("now", path)):
            db.execute(f"ATTACH '{file}' AS {name} (READ_ONLY)").fetchall()
        yield db
