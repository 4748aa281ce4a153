"""Makes a sound database of what was read: the copy fills in, and what is gone is said so.

In the process of its own: the copy may be damaged, too.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from stockscan_tui.market.calendar import new_york_ns, new_york_time
from stockscan_tui.store.database import connect_file, one_line
from stockscan_tui.store.minute_kinds import pack_kinds, unpack_kinds
from stockscan_tui.store.recovery_reading import TABLES
from stockscan_tui.store.recovery_report import UNKNOWN

REASON = "the database was damaged"
_KEYS = {
    "symbols": ("id",),
    "runs": ("run",),
    "gaps": ("from_ts", "reason"),
    "day_records": ("session_date", "run"),
    "closes": ("session_date", "symbol_id"),
    "states": ("session_date", "symbol_id"),
    "verdicts": ("session_date", "symbol_id"),
    "fired": ("alert_id",),
    "differences": ("session_date", "symbol_id", "ts", "field"),
    "minute_verdicts": ("minute",),
    "bars": ("symbol_id", "ts"),
}
# Only as a whole do they fit the bars: of two instants they would be wrong.
_STANDING = ("checkpoints", "watermarks", "minute_marks")
_NUMBERED = ("bars", "states", "closes", "fired", "verdicts", "differences")
_DAY_START, _FIRST, _LAST = time(3, 50), time(4, 0), time(19, 59)
_MINUTE_US = 60_000_000


def settle(job: dict[str, Any]) -> dict[str, Any]:
    """Bring a database that was read to where a run can go on with it.

    Args:
        job: `made`, the database; `copy`, a path or empty; `base`: `damaged` or `copy`, which of
            the two was read; `refetched`, a session date that the run fetches anew, or empty;
            `run` and `until_ns` as in `Recovering`.

    Returns:
        `tables`, `affected`, `notes` and `resumed` of a `Recovered`, `unread`: whether
        anything could not be read, and `newest_us`: the newest bar.
    """
    return _Settling(job).run()


class _Settling:
    def __init__(self, job: dict[str, Any]) -> None:
        self._db = connect_file(Path(job["made"]), read_only=False)
        self._copy = Path(job["copy"]) if job["copy"] and job["base"] == "damaged" else None
        self._base = job["base"]
        self._refetched = date.fromisoformat(job["refetched"]) if job["refetched"] else None
        self._run_number = int(job["run"])
        self._until_us = int(job["until_ns"]) // 1000
        self._notes: list[str] = []
        self._copied = dict.fromkeys(TABLES, 0)
        self._lost = dict.fromkeys((*TABLES, "meta"), 0)

    def _run(self, statement: str, values: list[object] | None = None) -> list[Any]:
        return self._db.execute(statement, values or []).fetchall()

    def run(self) -> dict[str, Any]:
        read = {table: self._count(table) for table in TABLES}
        self._count_losses(read)
        unread = any(self._lost.values())
        if unread and self._copy is not None and self._attach_copy():
            self._fill()
            self._run("DETACH copy")
        self._name_numbers()
        self._keep_runs_apart()
        spans = self._lost_spans()
        resumed = self._keep_standing(spans)
        newest = self._run("SELECT coalesce(epoch_us(max(ts)), 0) FROM bars")[0][0]
        if newest and newest < self._until_us:
            # What the journal had of the capture that goes on.
            spans = _merged([*spans, (newest + _MINUTE_US, self._until_us)])
            self._lost["bars"] = UNKNOWN
        affected = self._affect(spans)
        for table in ("recovery_done", "recovery_lost", "recovery_total"):
            self._run(f"DROP TABLE IF EXISTS {table}")
        self._run("CHECKPOINT")
        self._db.close()
        if self._base == "copy":
            read, self._copied = dict.fromkeys(TABLES, 0), read
        tables = [[table, read[table], self._copied[table], self._lost[table]] for table in TABLES]
        return {
            "tables": tables,
            "affected": affected,
            "notes": self._notes,
            "resumed": resumed,
            "unread": unread,
            "newest_us": newest,
        }

    def _count(self, table: str) -> int:
        return int(self._run(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - of our own

    def _count_losses(self, read: dict[str, int]) -> None:
        """Say of each table how many rows could not be read."""
        totals = dict(self._run("SELECT tbl, n FROM recovery_total"))
        for (table,) in self._run("SELECT DISTINCT tbl FROM recovery_lost"):
            total = totals.get(table, UNKNOWN)
            self._lost[table] = total - read.get(table, 0) if total >= 0 else UNKNOWN

    # --- the copy -----------------------------------------------------------------------------

    def _attach_copy(self) -> bool:
        """Attach the copy; returns whether it is one of this very database."""
        quoted = os.fspath(self._copy or "").replace("'", "''")
        try:
            self._run(f"ATTACH '{quoted}' AS copy (READ_ONLY)")
            meta = "SELECT name, value FROM {}meta WHERE name = 'dataset'"
            same = self._run(meta.format("")) == self._run(meta.format("copy."))
            others = self._run(
                "SELECT count(*) FROM symbols JOIN copy.symbols AS c USING (id) "
                "WHERE symbols.symbol <> c.symbol"
            )[0][0]
        except duckdb.Error as error:
            self._notes.append(f"The copy beside it cannot be read: {one_line(error)}.")
            with suppress(duckdb.Error):
                self._run("DETACH copy")
            return False
        if not same or others:
            self._notes.append("The copy beside it is of another database, and was not used.")
            self._run("DETACH copy")
            return False
        return True

    def _fill(self) -> None:
        """Take from the copy the rows that the damaged database no longer yields."""
        for table, key in _KEYS.items():
            if not self._lost[table]:
                continue
            before = self._count(table)
            try:
                for where in self._spans_of(table):
                    columns = self._columns(table)
                    self._run(
                        f"INSERT INTO {table} BY NAME SELECT {columns} FROM copy.{table} AS c "  # noqa: S608
                        f"ANTI JOIN {table} AS m USING ({', '.join(key)}) WHERE {where}"
                    )
            except duckdb.Error as error:
                self._notes.append(f"The copy of {table} cannot be read: {one_line(error)}.")
            self._copied[table] = self._count(table) - before
            if self._lost[table] != UNKNOWN:
                self._lost[table] = max(0, self._lost[table] - self._copied[table])

    def _spans_of(self, table: str) -> list[str]:
        """Return conditions for the rows of the copy that may be missing."""
        if table != "bars":
            return ["true"]
        spans = self._run("SELECT DISTINCT from_us, to_us FROM recovery_lost WHERE tbl = 'bars'")
        if any(first is None for first, _ in spans):
            return ["true"]
        ends = _merged([(int(first), int(last)) for first, last in spans])
        return [f"ts BETWEEN make_timestamp({a}) AND make_timestamp({b})" for a, b in ends]

    def _columns(self, table: str) -> str:
        query = (
            "SELECT string_agg('c.\"' || column_name || '\"', ', ') FROM ("
            "SELECT column_name FROM duckdb_columns() WHERE database_name = 'copy' "
            "AND table_name = $1 INTERSECT SELECT column_name FROM duckdb_columns() "
            "WHERE database_name = current_database() AND table_name = $1)"
        )
        return str(self._run(query, [table])[0][0])

    # --- what a run relies on -----------------------------------------------------------------

    def _name_numbers(self) -> None:
        """Let symbol numbers be without a hole: a new symbol gets their count as its number."""
        tables = " UNION ALL ".join(f"SELECT max(symbol_id) AS id FROM {t}" for t in _NUMBERED)  # noqa: S608
        made = self._run(
            f"INSERT INTO symbols SELECT id, '#lost-' || id FROM (SELECT unnest(range(("  # noqa: S608
            f"SELECT coalesce(max(id), -1) + 1 FROM ({tables} UNION ALL SELECT max(id) FROM "
            "symbols)))) AS id) WHERE id NOT IN (SELECT id FROM symbols) RETURNING id"
        )
        if made:
            self._lost["symbols"] = max(self._lost["symbols"], len(made))
            self._notes.append(
                f"The names of {len(made):,} symbols are lost; they are called #lost-… now."
            )

    def _keep_runs_apart(self) -> None:
        self._run(
            "INSERT INTO runs SELECT run, NULL FROM (SELECT max(run) AS run FROM bars) "
            "WHERE run > (SELECT coalesce(max(run), 0) FROM runs)"
        )
        if self._run_number:
            self._run(
                "INSERT INTO runs SELECT $1, NULL WHERE $1 NOT IN (SELECT run FROM runs)",
                [self._run_number],
            )

    def _lost_spans(self) -> list[tuple[int, int]]:
        """Return the spans (µs) in which bars are lost for good, apart and in order."""
        if not self._lost["bars"]:
            return []
        rows = self._run(
            "SELECT coalesce(l.from_us, max(b.to_us)), coalesce(l.to_us, min(a.from_us)) "
            "FROM recovery_lost AS l "
            "LEFT JOIN recovery_done AS b ON b.tbl = 'bars' AND b.hi < l.lo AND l.from_us IS NULL "
            "LEFT JOIN recovery_done AS a ON a.tbl = 'bars' AND a.lo > l.hi AND l.from_us IS NULL "
            "WHERE l.tbl = 'bars' GROUP BY l.lo, l.hi, l.from_us, l.to_us"
        )
        # Bars come in the order of their minutes: what is not known lies between its neighbours.
        ends = self._ends()
        spans = []
        for row in rows:
            first, last = (
                mine if mine is not None else end for mine, end in zip(row, ends, strict=True)
            )
            if first is not None and last is not None:
                spans.append((int(min(first, last)), int(max(first, last))))
        if self._without_place():
            self._notes.append("Of some lost bars it is not known which minutes they were of.")
        return _merged(spans)

    def _ends(self) -> tuple[int | None, int | None]:
        """Return the first and last instant (µs) that there is anything of."""
        first, last = self._run("SELECT epoch_us(min(ts)), epoch_us(max(ts)) FROM bars")[0]
        dates = " UNION ALL ".join(
            f"SELECT min(session_date) AS a, max(session_date) AS b FROM {table}"  # noqa: S608
            for table in ("states", "verdicts", "minute_verdicts", "day_records", "checkpoints")
        )
        a, b = self._run(f"SELECT min(a), max(b) FROM ({dates})")[0]  # noqa: S608 - of our own
        firsts = [] if a is None else [new_york_ns(a, _FIRST) // 1000]
        lasts = [] if b is None else [new_york_ns(b, _LAST) // 1000]
        firsts += [] if first is None else [first]
        lasts += [] if last is None else [last]
        return min(firsts, default=None), max(lasts, default=None)

    def _without_place(self) -> int:
        """Return of how many lost parts it is not known when they were."""
        return int(
            self._run("SELECT count(*) FROM recovery_lost WHERE tbl = 'bars' AND from_us IS NULL")[
                0
            ][0]
        )

    def _keep_standing(self, spans: list[tuple[int, int]]) -> bool:
        """Drop what a live run goes on from unless the bars of its date are all there."""
        rows = self._run("SELECT max(session_date) FROM checkpoints")
        day = rows[0][0]
        kept = day is not None and not any(
            self._lost[table] for table in ("checkpoints", "watermarks", "runs", "symbols", "gaps")
        )
        if kept:
            begin_us = new_york_ns(day, _DAY_START) // 1000
            kept = not any(last >= begin_us for _, last in spans)
        if kept and not (self._lost["bars"] and self._without_place()):
            return True
        for table in _STANDING:
            self._run(f"DELETE FROM {table}")  # noqa: S608 - names of our own
        # Whoever begins anew knows nothing of a gap that lasts.
        self._run(
            "UPDATE gaps SET to_ts = greatest(from_ts, (SELECT coalesce(max(ts), from_ts) "
            "FROM bars)) WHERE to_ts IS NULL"
        )
        return False

    # --- what is gone -------------------------------------------------------------------------

    def _affect(self, spans: list[tuple[int, int]]) -> list[dict[str, Any]]:
        """Let lost bars stand as gaps and as unknown; returns the parts of session dates."""
        parts = [part for span in spans for part in _by_date(*span)]
        found = []
        for day, first, last in parts:
            refetched = day == self._refetched
            bars = UNKNOWN if refetched else self._forget(day, first, last)
            if not bars:
                continue
            found.append(
                {
                    "session_date": str(day),
                    "from_ns": first * 60_000_000_000,
                    "to_ns": last * 60_000_000_000,
                    "minutes": last - first + 1,
                    "bars": bars,
                    "refetched": refetched,
                }
            )
        counted = self._lost["bars"]
        if len(found) == 1 and found[0]["bars"] == UNKNOWN and counted > 0:
            found[0]["bars"] = counted
        return found

    def _forget(self, day: date, first: int, last: int) -> int:
        """Note minutes of a date as lost; returns how many bars, 0 for none after all."""
        lost, judged = self._forget_verdicts(day, first, last)
        if judged and not lost.any():
            return 0
        self._run("DELETE FROM gaps WHERE from_ts = make_timestamp(?) AND reason = ?",
                  [first * _MINUTE_US, REASON])  # fmt: skip
        self._run(
            "INSERT INTO gaps VALUES (?, make_timestamp(?), make_timestamp(?), ?, NULL)",
            [day, first * _MINUTE_US, (last + 1) * _MINUTE_US, REASON],
        )
        return int(lost.sum()) if judged else UNKNOWN

    def _forget_verdicts(self, day: date, first: int, last: int) -> tuple[Any, bool]:
        """Turn the verdict of each bar that is gone into unknown.

        Returns how many by symbol number, and whether every minute had verdicts.
        """
        count = self._count("symbols")
        lost = np.zeros((2, count), np.int64)
        rows = self._run(
            "SELECT minute, kinds FROM minute_verdicts WHERE session_date = ? "
            "AND minute BETWEEN ? AND ? ORDER BY minute",
            [day, first, last],
        )
        for minute, packed in rows:
            kinds = unpack_kinds(bytes(packed), count)
            ids = self._db.execute(
                "SELECT symbol_id FROM bars WHERE ts = make_timestamp(?)", [minute * _MINUTE_US]
            ).fetchnumpy()["symbol_id"]
            gone = kinds <= 1
            gone[ids[ids < count]] = False
            for kind in (0, 1):
                lost[kind] += gone & (kinds == kind)
            if gone.any():
                kinds[gone] = 4
                self._run(
                    "UPDATE minute_verdicts SET kinds = ? WHERE minute = ?",
                    [pack_kinds(kinds), minute],
                )
        if lost.any():
            self._recount(day, lost)
        return lost, len(rows) == last - first + 1

    def _recount(self, day: date, lost: Any) -> None:
        ids = np.flatnonzero(lost.any(axis=0))
        columns = {"id": ids, "traded": lost[0][ids], "backfilled": lost[1][ids]}
        # DuckDB's stub asks for a DataFrame; a dict of arrays spares the program pandas.
        self._db.register("gone", columns)
        self._run(
            "UPDATE verdicts SET traded = greatest(0, verdicts.traded - gone.traded), "
            "backfilled = greatest(0, verdicts.backfilled - gone.backfilled), "
            "unknown = unknown + gone.traded + gone.backfilled FROM gone "
            "WHERE verdicts.symbol_id = gone.id AND session_date = ?",
            [day],
        )
        self._db.unregister("gone")
        self._run(
            "UPDATE day_records SET bars = greatest(0, bars - $2), unknown = unknown + $2, "
            "completeness = part.whole, density = part.dense FROM (SELECT "
            "sum(traded + backfilled + quiet) / nullif(sum(elapsed), 0) AS whole, "
            "sum(traded + backfilled) / nullif(sum(elapsed), 0) AS dense "
            "FROM verdicts WHERE session_date = $1) AS part WHERE session_date = $1 "
            "AND run = (SELECT max(run) FROM day_records WHERE session_date = $1)",
            [day, int(lost.sum())],
        )


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans apart and in order: those that touch or are a minute apart become one."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + _MINUTE_US:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def _by_date(first_us: int, last_us: int) -> list[tuple[date, int, int]]:
    """Return the session dates of a span with their first and last minute, from 4:00 to 19:59."""
    local = new_york_time(first_us * 1000)
    day = local.date() - timedelta(days=int(local.time() < _DAY_START))
    found = []
    while new_york_ns(day, _DAY_START) // 1000 <= last_us:
        begin = max(first_us, new_york_ns(day, _FIRST) // 1000) // _MINUTE_US
        end = min(last_us, new_york_ns(day, _LAST) // 1000) // _MINUTE_US
        if begin <= end:
            found.append((day, begin, end))
        day += timedelta(days=1)
    return found
