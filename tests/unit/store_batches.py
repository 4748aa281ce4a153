"""Small batches for the store's tests, and a database connection that fails when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, cast

import duckdb
import numpy as np

from stockscan_tui.market.batch import BarBatch, BarSource, Batch
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.store.database import connect_file

MINUTE = 28_400_000


@dataclass(frozen=True)
class Row:
    """One bar or one late trade; prices in 1e-9 dollars, times in ns within the minute."""

    slot: int
    minute: int
    open: int = 10_000_000_000
    high: int = 10_000_000_000
    low: int = 10_000_000_000
    close: int = 10_000_000_000
    volume: int = 100
    trades: int = 1
    dollars: int = 1_000
    nanos: int = 0
    first_ns: int = 0
    last_ns: int = 0
    source: int = BarSource.TRADES


def bar_batch(rows: Sequence[Row]) -> BarBatch:
    def column(name: str) -> Any:
        return np.array([getattr(row, name) for row in rows], np.int64)

    start_ns = column("minute") * MINUTE_NS
    return BarBatch(
        slot=column("slot").astype(np.int32),
        minute=column("minute"),
        open=column("open"),
        high=column("high"),
        low=column("low"),
        close=column("close"),
        volume=column("volume"),
        trades=column("trades"),
        notional_dollars=column("dollars"),
        notional_nanos=column("nanos"),
        first_ns=start_ns + column("first_ns"),
        last_ns=start_ns + column("last_ns"),
        source=column("source").astype(np.uint8),
    )


def batch(
    serial: int,
    bars: Sequence[Row] = (),
    late: Sequence[Row] = (),
    symbols: tuple[str, ...] = (),
    first_slot: int = 0,
) -> Batch:
    return Batch(
        serial,
        first_slot=first_slot,
        symbols=symbols,
        bars=bar_batch(bars) if bars else None,
        late=bar_batch(late) if late else None,
    )


def stored(path: Path, query: str) -> list[Any]:
    """Return the rows of a query on a database that nobody holds."""
    connection = duckdb.connect(str(path), read_only=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@dataclass
class Faults:
    """Opens real databases whose statements fail as planned.

    `plan` maps a statement's first word to the errors it raises next; an error with `after` set
    is raised once the statement has been carried out. `fatal` errors leave every cursor dead.
    """

    plan: dict[str, list[duckdb.Error]] = field(default_factory=dict)
    after: bool = False
    opened: int = 0
    failed: Event = field(default_factory=Event)
    before: Callable[[str], None] = lambda word: None

    def __call__(self, path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        self.opened += 1
        real = connect_file(path, read_only=read_only)
        return cast(duckdb.DuckDBPyConnection, _Failing(real, self, _Life()))


@dataclass
class _Life:
    dead: bool = False


@dataclass
class _Failing:
    real: duckdb.DuckDBPyConnection
    faults: Faults
    life: _Life

    def execute(self, statement: str, values: Sequence[object] = ()) -> duckdb.DuckDBPyConnection:
        word = statement.split(maxsplit=1)[0]
        self.faults.before(word)
        if self.life.dead:
            raise duckdb.FatalException("the database has been invalidated")
        errors = self.faults.plan.get(word, [])
        if not errors:
            return self.real.execute(statement, values)
        error = errors.pop(0)
        if self.faults.after:
            self.real.execute(statement, values).fetchall()
        elif word == "COMMIT":
            self.real.execute("ROLLBACK").fetchall()
        self.life.dead = isinstance(error, duckdb.FatalException)
        self.faults.failed.set()
        raise error

    def cursor(self) -> duckdb.DuckDBPyConnection:
        real = self.real.cursor()
        return cast(duckdb.DuckDBPyConnection, _Failing(real, self.faults, self.life))

    def register(self, name: str, columns: Any) -> None:
        self.real.register(name, columns)

    def close(self) -> None:
        self.real.close()
