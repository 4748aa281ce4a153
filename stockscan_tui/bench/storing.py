"""One minute of bars of all symbols into DuckDB, committed, in place of what was there."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from stockscan_tui.bench.figure import Figure, beside
from stockscan_tui.market.calendar import MINUTE_NS, new_york_ns

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from stockscan_tui.bench.material import Material
    from stockscan_tui.market.batch import BarBatch

_MINUTES = 8
# Rows one by one take so long that a part of them has to do.
_SAMPLE = 300
_NAMES = ("open", "high", "low", "close", "volume", "trades")
_TABLE = """
CREATE TABLE bars_1m (symbol VARCHAR, ts TIMESTAMP, open DOUBLE, high DOUBLE, low DOUBLE,
    close DOUBLE, volume BIGINT, trades BIGINT, PRIMARY KEY (symbol, ts))
"""
# What replaces nothing, which takes a quarter of the time.
_ROW = "INSERT INTO bars_1m VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_FRAME = """
INSERT OR REPLACE INTO bars_1m SELECT symbol, make_timestamp(minute * 60000000), open / 1e9,
    high / 1e9, low / 1e9, close / 1e9, volume, trades FROM minute
"""
_ROWS = """
SELECT symbol, epoch_us(ts) // 60000000 AS minute, open, high, low, close, volume, trades
FROM bars_1m ORDER BY ALL
"""


def minute(material: Material) -> Figure:
    """Measure how long one minute takes until it is committed."""
    symbols = material.universe.symbols
    batches = _batches(len(symbols), material)
    ours_ms, rows = _ours(material.database(), symbols, batches)
    frames = [_frame(symbols, batch) for batch in batches]

    def by_rows() -> tuple[float, bool]:
        part = [frame.iloc[:_SAMPLE] for frame in frames[:2]]
        took_s, found = _peer(material.database(), part, one_by_one=True)
        known = set(rows)
        same = len(found) == sum(map(len, part)) and all(row in known for row in found)
        return took_s * 1e3 * len(symbols) / len(part[0]), same

    def by_frames() -> tuple[float, bool]:
        took_s, found = _peer(material.database(), frames, one_by_one=False)
        return took_s * 1e3, found == rows

    sample = f"executemany of INSERT (of {min(_SAMPLE, len(symbols)):,} rows)"
    return Figure(
        "minute", f"a minute of {len(symbols):,} bars into DuckDB", "ms", ours_ms,
        (beside(f"DuckDB, {sample}", by_rows), beside("DuckDB, INSERT OR REPLACE of a data frame",
                                                      by_frames)),
    )  # fmt: skip


def _batches(count: int, material: Material) -> list[BarBatch]:
    from stockscan_tui.bench.material import DAY, EVEN_FROM, SEED  # noqa: PLC0415
    from stockscan_tui.market.batch import BarBatch  # noqa: PLC0415

    first = new_york_ns(DAY, EVEN_FROM) // MINUTE_NS
    random = np.random.default_rng(SEED)
    close = np.round(material.universe.prev_close * 1e4).astype(np.int64) * 100_000
    found = []
    for number in range(_MINUTES):
        minutes = np.full(count, first + number)
        found.append(BarBatch(
            slot=np.arange(count, dtype=np.int32), minute=minutes, open=close,
            high=close + 20_000_000, low=close, close=close + 10_000_000,
            volume=random.integers(1, 10**5, count), trades=random.integers(1, 500, count),
            notional_dollars=random.integers(1, 10**7, count),
            notional_nanos=random.integers(0, 10**9, count), first_ns=minutes * MINUTE_NS,
            last_ns=minutes * MINUTE_NS + 59 * 10**9, source=np.zeros(count, np.uint8),
        ))  # fmt: skip
    return found


def _ours(
    database: Path, symbols: tuple[str, ...], batches: list[BarBatch]
) -> tuple[float, list[Any]]:
    """Return the milliseconds of a minute, from its handing over to its commit, and all rows."""
    from stockscan_tui.market.batch import Batch  # noqa: PLC0415
    from stockscan_tui.store.writer import Writer  # noqa: PLC0415

    took = []
    writer = Writer.open(database, dataset="BENCH", capacity=1)
    for serial, bars in enumerate(batches):
        began = time.perf_counter()
        writer.put(Batch(serial, symbols=() if serial else symbols, bars=bars))
        writer.drain(60)
        took.append(time.perf_counter() - began)
    writer.close(60)
    # The first one brings the symbols, too.
    return median(took[1:]) * 1e3, _rows(database)


def _frame(symbols: tuple[str, ...], batch: BarBatch) -> Any:
    import pandas as pd  # noqa: PLC0415

    columns = {name: getattr(batch, name) for name in _NAMES}
    return pd.DataFrame({"symbol": list(symbols), "minute": batch.minute, **columns})


def _peer(database: Path, frames: list[Any], *, one_by_one: bool) -> tuple[float, list[Any]]:
    import duckdb  # noqa: PLC0415

    took = []
    with duckdb.connect(str(database)) as connection:
        connection.execute(_TABLE)
        for frame in frames:
            rows = _plain(frame) if one_by_one else []
            began = time.perf_counter()
            _write(connection, frame, rows)
            took.append(time.perf_counter() - began)
    return median(took[1:]), _rows(database)


def _plain(frame: Any) -> list[Any]:
    """Return the rows of a frame as the table has them, in Python's own types."""
    at = np.asarray(frame["minute"], "datetime64[m]").astype("datetime64[us]").tolist()
    prices = [(frame[name] / 1e9).tolist() for name in _NAMES[:4]]
    counts = [frame[name].tolist() for name in _NAMES[4:]]
    return list(zip(frame["symbol"], at, *prices, *counts, strict=True))


def _write(connection: duckdb.DuckDBPyConnection, frame: Any, rows: list[Any]) -> None:
    connection.execute("BEGIN")
    if rows:
        connection.executemany(_ROW, rows)
    else:
        connection.register("minute", frame)
        connection.execute(_FRAME)
        connection.unregister("minute")
    connection.execute("COMMIT")


def _rows(database: Path) -> list[Any]:
    import duckdb  # noqa: PLC0415

    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(_ROWS).fetchall()
