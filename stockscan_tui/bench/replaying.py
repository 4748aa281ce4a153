"""A saved file to minute bars in a DuckDB file, end to end."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from stockscan_tui.bench.figure import Figure, Timed, beside
from stockscan_tui.bench.frames import by_pandas

if TYPE_CHECKING:
    from stockscan_tui.bench.material import Material

TABLE = """
CREATE TABLE bars_1m (symbol VARCHAR, ts TIMESTAMP, open DOUBLE, high DOUBLE, low DOUBLE,
    close DOUBLE, volume BIGINT, trades BIGINT)
"""
INSERT = """
INSERT INTO bars_1m SELECT symbol, make_timestamp(minute * 60000000), open / 1e9, high / 1e9,
    low / 1e9, close / 1e9, volume, trades FROM made
"""
# Of either database, in one order.
_ROWS = """
SELECT count(*), bit_xor(hash(symbol, ts, open, high, low, close, volume, trades)) FROM bars_1m
"""


def replay(material: Material) -> Figure:
    """Measure `stockscan replay` at full speed, from the first byte to the last commit."""
    path = material.compressed
    count = material.scale.records
    elapsed: list[float] = []
    for _ in range(material.scale.times):
        database = material.database()
        elapsed.append(replayed(path, database))

    def measure() -> tuple[float, bool]:
        timed, target = Timed(), material.database()
        timed.of(lambda: by_frame(path, target))
        return count / timed.median, same_bars(database, target)

    peer = beside("to_df + pandas group-by + DuckDB insert", measure)
    ours = count / sorted(elapsed)[len(elapsed) // 2]
    return Figure("replay", "a .dbn.zst file, to bars in DuckDB", "records/s", ours, (peer,))


def replayed(path: Path, database: Path) -> float:
    """Replay a file at full speed; returns the seconds."""
    from stockscan_tui.clock import SystemClock  # noqa: PLC0415
    from stockscan_tui.run.replay import ReplayRequest, ReplayRun  # noqa: PLC0415

    request = ReplayRequest((path,), speed=math.inf, database=database, refresh_s=math.inf)
    run = ReplayRun(request, SystemClock())
    run.join()
    return run.close().elapsed_s


def by_frame(path: Path, database: Path) -> None:
    """Make the same bars as one would in a notebook."""
    import databento  # noqa: PLC0415
    import duckdb  # noqa: PLC0415

    store = databento.DBNStore.from_bytes(path.read_bytes())
    made = by_pandas(store)
    names = {
        int(interval["symbol"]): symbol
        for symbol, intervals in store.mappings.items()
        for interval in intervals
    }
    made["symbol"] = made["instrument_id"].map(names)
    with duckdb.connect(str(database)) as connection:
        connection.execute(TABLE)
        connection.register("made", made)
        connection.execute(INSERT)


def same_bars(one: Path, other: Path) -> bool:
    """Return whether two databases have the same bars, and any."""
    rows = _rows_of(one)
    return rows == _rows_of(other) and rows[0] != 0


def _rows_of(database: Path) -> tuple[object, ...]:
    """Return the count of a database's bars, and what tells whether they are others."""
    import duckdb  # noqa: PLC0415

    with duckdb.connect(str(database), read_only=True) as connection:
        return tuple(connection.execute(_ROWS).fetchall()[0])
