"""Minute bars by data frame: pandas, polars and DuckDB over what the official client decodes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from stockscan_tui.bench.bars import Bars, bars_of
from stockscan_tui.market.calendar import MINUTE_NS

if TYPE_CHECKING:
    import databento

_COLUMNS = ("instrument_id", "ts_recv", "price", "size")
_GROUPS = """
SELECT instrument_id, ts_recv // 60000000000 AS minute, arg_min(price, place) AS open,
    max(price) AS high, min(price) AS low, arg_max(price, place) AS close,
    sum(size)::BIGINT AS volume, count(*) AS trades
FROM trades GROUP BY ALL
"""


def by_pandas(store: databento.DBNStore) -> Any:
    """Return a frame of bars with `instrument_id` and `minute`, by `to_df` and a group-by."""
    with warnings.catch_warnings():
        # What the client's own use of pandas gives rise to.
        warnings.simplefilter("ignore")
        frame = store.to_df(pretty_ts=False, price_type="fixed", map_symbols=False).reset_index()
    frame = frame[(frame["action"] == "T") & (frame["size"] > 0)]
    frame = frame.assign(minute=frame["ts_recv"].astype("int64") // MINUTE_NS)
    groups = frame.groupby(["instrument_id", "minute"], sort=False)
    return groups.agg(
        open=("price", "first"), high=("price", "max"), low=("price", "min"),
        close=("price", "last"), volume=("size", "sum"), trades=("size", "count"),
    ).reset_index()  # fmt: skip


def by_polars(store: databento.DBNStore) -> Any:
    """Return such a frame by polars, from the client's array."""
    import polars as pl  # noqa: PLC0415

    return (
        pl.DataFrame(_trades(store)).lazy()
        .with_columns(minute=pl.col("ts_recv").cast(pl.Int64) // MINUTE_NS)
        .group_by("instrument_id", "minute", maintain_order=True)
        .agg(open=pl.col("price").first(), high=pl.col("price").max(), low=pl.col("price").min(),
             close=pl.col("price").last(), volume=pl.col("size").cast(pl.Int64).sum(),
             trades=pl.len())
        .collect()
    )  # fmt: skip


def by_duckdb(store: databento.DBNStore) -> Any:
    """Return such columns by DuckDB, from the client's array."""
    import duckdb  # noqa: PLC0415

    trades = _trades(store)
    trades["place"] = np.arange(len(trades["price"]))
    with duckdb.connect() as connection:
        connection.register("trades", trades)
        return connection.execute(_GROUPS).fetchnumpy()


def _trades(store: databento.DBNStore) -> dict[str, Any]:
    rows: Any = store.to_ndarray()
    rows = rows[(rows["action"] == b"T") & (rows["size"] > 0)]
    return {name: np.ascontiguousarray(rows[name]).astype(np.int64) for name in _COLUMNS}


FRAMES: dict[str, Callable[[Any], Any]] = {
    "databento to_df + pandas": by_pandas,
    "databento to_ndarray + polars": by_polars,
    "databento to_ndarray + DuckDB": by_duckdb,
}


def as_bars(frame: Any) -> Bars:
    """Return the bars of a frame of any of them."""
    return bars_of(frame["instrument_id"], frame["minute"], frame)
