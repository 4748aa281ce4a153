"""Reads what can be read of a damaged database into a new one; in the process of its own.

Tables are copied by ranges of row ids, each in a transaction together with the note that it is
done: a process that dies is started anew and goes on, past the range that it died of.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb

from stockscan_tui.errors import StoreError
from stockscan_tui.market.text import printable
from stockscan_tui.store.database import connect_file, one_line
from stockscan_tui.store.recovery_files import journals
from stockscan_tui.store.recovery_probe import INDEXED, is_behind, journal_damage, table_names
from stockscan_tui.store.schema import SCHEMA_VERSION, migrate

TABLES = (
    "symbols", "runs", "watermarks", "checkpoints", "minute_marks", "gaps", "day_records", "closes",
    "states", "verdicts", "fired", "differences", "minute_verdicts", "bars",
)  # fmt: skip
GROUP = 122_880
# Rows copied at a time, and the smallest range that is given up as a whole.
CHUNK, LEAST = 16 * GROUP, 2048
_CUTS = 64
_NOTES = (
    """CREATE TABLE IF NOT EXISTS recovery_done (
        tbl VARCHAR, lo BIGINT, hi BIGINT, from_us BIGINT, to_us BIGINT)""",
    """CREATE TABLE IF NOT EXISTS recovery_lost (
        tbl VARCHAR, lo BIGINT, hi BIGINT, from_us BIGINT, to_us BIGINT)""",
    "CREATE TABLE IF NOT EXISTS recovery_total (tbl VARCHAR, n BIGINT)",
)
_AT_BYTE = re.compile(r"at byte position (\d+)")
_ENTRY_HEAD_BYTES = 16
_NOT_DAMAGE = re.compile(
    r"Conflicting lock|Permission denied|Too many open files|No space left|version number|"
    r"Unsupported Storage Version"
)


class StartAgain(Exception):  # noqa: N818 - no error: what to do next
    """DuckDB cannot go on in this process."""


class Reading:
    """One attempt at reading a database.

    Args:
        job: `source`, the damaged database; `copy`, a path or empty; `made`, the one to be made,
            which an earlier attempt may have begun; `work`, a folder; `dataset`; `lethal`, the
            places that earlier attempts died at.
        say: Tells the parent.
    """

    def __init__(self, job: dict[str, Any], say: Callable[..., None]) -> None:
        self._source = Path(job["source"])
        self._made = Path(job["made"])
        self._beside = Path(job["copy"]) if job["copy"] else None
        self._work = Path(job["work"])
        self._dataset: str = job["dataset"]
        self._lethal = [list(place) for place in job["lethal"]]
        self._say = say
        self._rows = self._read = 0
        self._spans: list[tuple[int, int, int, int]] | None = None

    def run(self) -> dict[str, Any]:
        """Read all of it; returns `readable`, and `journal`: whole, cut, lost or none.

        Where the copy has come further, nothing is read, and it is not `readable` either.

        Raises:
            StoreError: It is not to be recovered: of a newer version or of another dataset.
            StartAgain: Another attempt goes on from here.
        """
        self._db = connect_file(self._made, read_only=False)
        # The rows of one row group are no order of their own; sorted again they would cost memory.
        self._run("SET preserve_insertion_order = true")
        # Each checkpoint of a large database takes long; what is not checkpointed is done again.
        self._run("SET checkpoint_threshold = '256MB'")
        migrate(self._db, printable(self._made), self._dataset)
        for statement in _NOTES:
            self._run(statement)
        journal, behind = self._attach(), False
        if journal:
            self._check()
            behind = is_behind(self._db, "damaged", self._beside)
            if not behind:
                self._read_tables()
            self._run("DETACH damaged")
        self._db.close()
        return {"readable": bool(journal) and not behind, "journal": journal}

    def _run(self, statement: str, values: list[object] | None = None) -> list[Any]:
        return self._db.execute(statement, values or []).fetchall()

    # --- opening it ---------------------------------------------------------------------------

    def _attach(self) -> str:
        """Attach the damaged database; returns how its journal is, empty where it cannot be."""
        if not self._source.exists():
            return ""
        kept = journals(self._source)
        if not kept:
            return "none" if self._attach_file(self._source, "alone") else ""
        if self._attach_file(self._source, "journal"):
            # What DuckDB passes over in silence.
            passed_over = journal_damage(kept[0])
            return ("cut" if "byte" in passed_over else "lost") if passed_over else "whole"
        for cut in range(_CUTS):
            at = _AT_BYTE.search(self._problem)
            if at is None or len(kept) > 1:
                break
            if self._attach_file(self._with_journal(int(at[1]) - _ENTRY_HEAD_BYTES), f"cut {cut}"):
                return "cut"
        if len(kept) > 1 and self._attach_file(self._copied(), "copied", read_only=False):
            return "whole"
        return "lost" if self._attach_file(self._with_journal(0), "without") else ""

    def _attach_file(self, path: Path, step: str, *, read_only: bool = True) -> bool:
        self._problem = ""
        if ["attach", step, 0] in self._lethal:
            return False
        self._say(at=["attach", step, 0])
        quoted = os.fspath(path).replace("'", "''")
        with suppress(duckdb.Error):
            self._run("DETACH damaged")
        try:
            self._run(f"ATTACH '{quoted}' AS damaged{' (READ_ONLY)' if read_only else ''}")
            table_names(self._db, "damaged")
        except duckdb.Error as error:
            self._problem = one_line(error)
            if _NOT_DAMAGE.search(self._problem):
                # Nothing is to be taken for lost that only cannot be had now.
                raise StoreError(self._problem) from error
            self._check_alive()
            return False
        return True

    def _with_journal(self, size: int) -> Path:
        """Return the database beside the first bytes of its journal; 0 for none of it."""
        folder = self._work / "source"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path = folder / self._source.name
        try:
            os.link(self._source, path)
        except OSError:
            shutil.copyfile(self._source, path)
        if size > 0:
            with journals(self._source)[0].open("rb") as file:
                path.with_name(f"{path.name}.wal").write_bytes(file.read(size))
        return path

    def _copied(self) -> Path:
        """Return a copy of all that there is, for what DuckDB would write before it reads."""
        folder = self._work / "source"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for each in (self._source, *journals(self._source)):
            shutil.copyfile(each, folder / each.name)
        return folder / self._source.name

    def _check(self) -> None:
        """Refuse what opening would refuse, damaged or not."""
        names = table_names(self._db, "damaged")
        if names and not {"meta", "runs", "symbols"} <= names:
            raise StoreError("It is a DuckDB database, but not one that stockscan made.")
        meta: dict[str, str] = {}
        try:
            meta = dict(self._run("SELECT name, value FROM damaged.meta"))
            for query in INDEXED:
                self._run(query.format("damaged."))
        except duckdb.Error:
            self._check_alive()
            self._run("INSERT INTO recovery_lost VALUES ('meta', 0, 0, NULL, NULL)")
            if not meta:
                return
        version = str(meta.get("schema_version", ""))
        if version.isdigit() and int(version) > SCHEMA_VERSION:
            raise StoreError(
                f"It has schema version {version}, and this program knows versions up to "
                f"{SCHEMA_VERSION}. Upgrade stockscan-tui."
            )
        dataset = meta.get("dataset", self._dataset)
        if dataset != self._dataset:
            raise StoreError(f"It holds dataset {dataset!r}, and this run is of {self._dataset!r}.")

    def _check_alive(self) -> None:
        try:
            self._run("SELECT 1")
        except duckdb.Error as error:
            raise StartAgain from error

    # --- its tables ---------------------------------------------------------------------------

    def _read_tables(self) -> None:
        names = table_names(self._db, "damaged")
        sizes = {table: self._size(table) for table in TABLES if table in names}
        self._rows = sum(max(top, 0) for top, _ in sizes.values())
        self._run("DELETE FROM recovery_total")
        self._run("DELETE FROM recovery_lost WHERE hi < 0")
        for table, (top, count) in sizes.items():
            self._run("INSERT INTO recovery_total VALUES (?, ?)", [table, count])
            if top < 0:
                values: list[object] = [table, 0, -1, None, None]
                self._run("INSERT INTO recovery_lost VALUES (?, ?, ?, ?, ?)", values)
        for table, (top, _) in sizes.items():
            for lo in range(0, top, CHUNK):
                self._read_range(table, lo, min(lo + CHUNK, top) - 1)

    def _size(self, table: str) -> tuple[int, int]:
        """Return one more than the newest row id, and how many rows there are; -1 for unknown."""
        if ["size", table, 0] in self._lethal:
            return -1, -1
        self._say(at=["size", table, 0])
        query = f"SELECT coalesce(max(rowid), -1) + 1, count(*) FROM damaged.{table}"  # noqa: S608
        try:
            top, count = self._run(query)[0]
        except duckdb.Error:
            self._check_alive()
            return -1, -1
        return int(top), int(count)

    def _read_range(self, table: str, lo: int, hi: int) -> None:
        """Copy rows by their ids, whole or in parts; what no part of is read is noted as lost."""
        seen = self._run(
            "SELECT 1 FROM recovery_done WHERE tbl = ? AND lo = ? AND hi = ?", [table, lo, hi]
        )
        if not seen and not self._copy(table, lo, hi, [(lo, hi)], []):
            self._read_parts(table, lo, hi)
        self._read += hi - lo + 1
        self._say(done=self._read / max(self._rows, 1))

    def _read_parts(self, table: str, lo: int, hi: int) -> None:
        """Copy what can be read of a range, and note the rest as lost."""
        good: list[tuple[int, int]] = []
        bad: list[tuple[int, int]] = []
        for first in range(lo, hi + 1, GROUP):
            last = min(first + GROUP - 1, hi)
            if self._readable(table, first, last):
                good.append((first, last))
                continue
            for begin in range(first, last + 1, LEAST):
                end = min(begin + LEAST - 1, last)
                whole = (begin, end) == (first, last)
                kind = bad if whole or not self._readable(table, begin, end) else good
                kind.append((begin, end))
            self._say(done=(self._read + last - lo) / max(self._rows, 1))
        good, bad = _joined(good), _joined(bad)
        if not self._copy(table, lo, hi, good, bad, place="parts"):
            self._copy(table, lo, hi, [], [(lo, hi)], place="none")

    def _readable(self, table: str, lo: int, hi: int) -> bool:
        place = [table, lo, hi]
        if place in self._lethal:
            return False
        self._say(at=place)
        query = (
            f"SELECT bit_xor(hash({self._columns(table)})) FROM damaged.{table} "  # noqa: S608
            "WHERE rowid BETWEEN ? AND ?"
        )
        try:
            self._run(query, [lo, hi])
        except duckdb.Error:
            self._check_alive()
            return False
        return True

    def _copy(
        self,
        table: str,
        lo: int,
        hi: int,
        good: list[tuple[int, int]],
        bad: list[tuple[int, int]],
        *,
        place: str = "",
    ) -> bool:
        """Copy parts of a range and note the others as lost, all or nothing; returns whether."""
        # What was lethal as a whole may do no harm without its bad parts.
        at = [f"{table} {place}".strip(), lo, hi]
        if at in self._lethal and good:
            return False
        lost = [(*span, *self._minutes_of(table, *span)) for span in bad]
        self._say(at=at)
        # Rows that are there already: of an index that let them in twice.
        how = "INSERT OR IGNORE INTO" if table == "fired" else "INSERT INTO"
        statement = (
            f"{how} {table} BY NAME SELECT {self._columns(table)} FROM damaged.{table} "  # noqa: S608
            "WHERE rowid BETWEEN ? AND ?"
        )
        try:
            self._run("BEGIN")
            for span in good:
                self._run(statement, [*span])
            for found in lost:
                self._run("INSERT INTO recovery_lost VALUES (?, ?, ?, ?, ?)", [table, *found])
            ends = self._ends(good) if table == "bars" else (None, None)
            self._run("INSERT INTO recovery_done VALUES (?, ?, ?, ?, ?)", [table, lo, hi, *ends])
            self._run("COMMIT")
        except duckdb.Error as error:
            if "No space left" in str(error):
                raise StoreError("The disk has no room for the recovered database.") from error
            with suppress(duckdb.Error):
                self._run("ROLLBACK")
            self._check_alive()
            return False
        return True

    def _ends(self, good: list[tuple[int, int]]) -> tuple[int | None, int | None]:
        """Return the first and last instant (µs) of bars that can be read."""
        query = (
            "SELECT epoch_us(min(ts)), epoch_us(max(ts)) FROM damaged.bars "
            "WHERE rowid BETWEEN ? AND ?"
        )
        ends = [self._run(query, [*span])[0] for span in good]
        known = [(first, last) for first, last in ends if first is not None]
        if not known:
            return None, None
        return min(first for first, _ in known), max(last for _, last in known)

    def _columns(self, table: str) -> str:
        """Return the columns that both sides have: an older database has fewer."""
        query = (
            "SELECT string_agg('\"' || column_name || '\"', ', ') FROM ("
            "SELECT column_name FROM duckdb_columns() WHERE database_name = 'damaged' "
            "AND table_name = $1 INTERSECT SELECT column_name FROM duckdb_columns() "
            "WHERE database_name = current_database() AND table_name = $1)"
        )
        return str(self._run(query, [table])[0][0])

    def _minutes_of(self, table: str, lo: int, hi: int) -> tuple[int | None, int | None]:
        """Return the first and last instant (µs) of lost bars: their own, or their row groups'."""
        if table != "bars":
            return None, None
        place = ["minutes", lo, hi]
        if place not in self._lethal:
            self._say(at=place)
            query = (
                "SELECT epoch_us(min(ts)), epoch_us(max(ts)) FROM damaged.bars "
                "WHERE rowid BETWEEN ? AND ?"
            )
            try:
                found: tuple[int | None, int | None] = self._run(query, [lo, hi])[0]
            except duckdb.Error:
                self._check_alive()
            else:
                return found
        spans = [s for s in self._groups() if s[0] <= hi and s[1] >= lo]
        if not spans:
            return None, None
        return min(s[2] for s in spans), max(s[3] for s in spans)

    def _groups(self) -> list[tuple[int, int, int, int]]:
        """Return first and last row id and first and last instant of the bars' row groups."""
        place = ["groups", 0, 0]
        if self._spans is None and place not in self._lethal:
            self._say(at=place)
            query = (
                "SELECT sum(count)::BIGINT, epoch_us(min(stats.min::TIMESTAMP)), "
                "epoch_us(max(stats.max::TIMESTAMP)) "
                "FROM pragma_storage_info('damaged.bars') WHERE column_name = 'ts' "
                "AND segment_type <> 'VALIDITY' GROUP BY row_group_id ORDER BY row_group_id"
            )
            spans, start = [], 0
            try:
                for count, first, last in self._run(query):
                    if first is not None and last is not None:
                        spans.append((start, start + count - 1, first, last))
                    start += count
            except duckdb.Error:
                self._check_alive()
            self._spans = spans
        return self._spans or []


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in which each begins later than the one before, with adjacent ones as one."""
    found: list[tuple[int, int]] = []
    for first, last in spans:
        if found and found[-1][1] == first - 1:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found
