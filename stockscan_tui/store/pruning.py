"""What is kept no longer goes in small steps, each a transaction, on the writer's thread."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time

import duckdb

from stockscan_tui.market.calendar import SECOND_NS, new_york_ns

_STEP_US = 4 * 3_600 * 1_000_000
_DAY_START = time(3, 50)
# What goes with a session date's bars; the record of what the date came to stays.
_OF_A_DATE = ("states", "closes", "verdicts", "minute_verdicts", "differences", "gaps")
_OLDEST_BAR = "SELECT epoch_us(min(ts)) FROM bars WHERE ts < make_timestamp(?)"
_DELETE_BARS = "DELETE FROM bars WHERE ts < make_timestamp(least(?, ?))"
_DELETE_ALERTS = "DELETE FROM fired WHERE ts < ?"


@dataclass(frozen=True, slots=True)
class Limits:
    """The first session dates that are kept, of bars and all that belongs to them and of alerts."""

    bars_from: date
    alerts_from: date


def prune_step(connection: duckdb.DuckDBPyConnection, limits: Limits) -> bool:
    """Delete a few hours of bars, or the rest once no old bars are left; False if nothing was.

    Raises:
        duckdb.Error: The database could not be written; what belongs to the step is still there.
    """
    before_us = _start_ns(limits.bars_from) // 1000
    oldest_us = _rows(connection, _OLDEST_BAR, [before_us])[0][0]
    if oldest_us is not None:
        return _count(connection, _DELETE_BARS, [before_us, oldest_us + _STEP_US]) > 0
    deleted = 0
    connection.execute("BEGIN").fetchall()
    for table in _OF_A_DATE:
        statement = f"DELETE FROM {table} WHERE session_date < ?"  # noqa: S608 - names of our own
        deleted += _count(connection, statement, [limits.bars_from])
    deleted += _count(connection, _DELETE_ALERTS, [_start_ns(limits.alerts_from)])
    connection.execute("COMMIT").fetchall()
    return deleted > 0


def _start_ns(day: date) -> int:
    return new_york_ns(day, _DAY_START) // SECOND_NS * SECOND_NS


def _rows(
    connection: duckdb.DuckDBPyConnection, statement: str, values: list[object]
) -> list[tuple[int | None, ...]]:
    return connection.execute(statement, values).fetchall()


def _count(connection: duckdb.DuckDBPyConnection, statement: str, values: list[object]) -> int:
    """Run a DELETE; returns how many rows it took away."""
    return int(_rows(connection, statement, values)[0][0] or 0)
