"""Simulated days as DBN files, with metadata that the official library encodes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

import databento_dbn as dbn
import numpy as np
import zstandard
from numpy.typing import NDArray

from stockscan_tui.errors import StockscanError
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, new_york_ns
from stockscan_tui.market.dbn import OHLCV_DTYPE, TRADE_DTYPE, RType
from stockscan_tui.sim.day import DAY_MINUTES, PUBLISHER, DayPlan, Rows, minutes
from stockscan_tui.sim.universe import Universe

DATASET = "EQUS.MINI"
# The level Databento compresses its own files with.
LEVEL = 3
Progress = Callable[[float], None]


class CancelledError(StockscanError):
    """The making of a file was called off; nothing of it is left."""


def write_day(
    path: Path,
    universe: Universe,
    plan: DayPlan,
    seed: int,
    *,
    schema: str = "mbp-1",
    progress: Progress = lambda _done: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Write a day as `mbp-1`, or as the `trades` or `ohlcv-1m` that follow from its rows.

    Raises:
        CancelledError: `cancelled` said so.
        OSError: The file cannot be written.
    """
    shaped = {"mbp-1": _as_they_are, "trades": _trades_of, "ohlcv-1m": _minute_bars_of}[schema]
    start_ns = new_york_ns(plan.session_date, time(4, 0))
    done = 0
    with writing(path, _metadata(universe, schema, plan.session_date, start_ns)) as out:
        for rows in minutes(universe, plan, seed):
            if cancelled():
                raise CancelledError(f"{path.name} was not made: it was called off.")
            out.write(shaped(rows).tobytes())
            done += len(rows)
            progress(done / plan.records)


def write_closes(
    path: Path, universe: Universe, day: date, volume: NDArray[np.int64] | None = None
) -> None:
    """Write every symbol's close of `day` as `ohlcv-1d`, with its volume or 1,000 shares."""
    start_ns = (day - date(1970, 1, 1)).days * 86_400 * SECOND_NS
    bars = np.zeros(len(universe), OHLCV_DTYPE)
    bars["length"] = OHLCV_DTYPE.itemsize // 4
    bars["rtype"] = RType.OHLCV_1D
    bars["publisher_id"] = PUBLISHER
    bars["instrument_id"] = universe.instrument_id
    bars["ts_event"] = start_ns
    close = np.round(universe.prev_close * 1e9).astype(np.int64)
    for name in ("open", "high", "low", "close"):
        bars[name] = close
    bars["volume"] = 1_000 if volume is None else volume
    with writing(path, _metadata(universe, "ohlcv-1d", day, start_ns)) as out:
        out.write(bars.tobytes())


def _as_they_are(rows: Rows) -> Rows:
    return rows


def _trades_of(rows: Rows) -> Rows:
    hits = rows[rows["action"] == b"T"]
    trades = np.zeros(len(hits), TRADE_DTYPE)
    for name in cast("tuple[str, ...]", TRADE_DTYPE.names):
        trades[name] = hits[name]
    trades["length"] = TRADE_DTYPE.itemsize // 4
    trades["rtype"] = RType.TRADE
    return trades


def _minute_bars_of(rows: Rows) -> Rows:
    """Return the bars of one minute's rows; zero sizes are no trades."""
    hits = rows[(rows["action"] == b"T") & (rows["size"] > 0)]
    order = np.argsort(hits["instrument_id"], kind="stable")
    hits = hits[order]
    starts = np.flatnonzero(np.diff(hits["instrument_id"], prepend=-1))
    bars = np.zeros(len(starts), OHLCV_DTYPE)
    if len(starts) == 0:
        return bars
    ends = np.append(starts[1:], len(hits)) - 1
    bars["length"] = OHLCV_DTYPE.itemsize // 4
    bars["rtype"] = RType.OHLCV_1M
    bars["publisher_id"] = PUBLISHER
    bars["instrument_id"] = hits["instrument_id"][starts]
    bars["ts_event"] = hits["ts_recv"][starts] // MINUTE_NS * MINUTE_NS
    bars["open"] = hits["price"][starts]
    bars["close"] = hits["price"][ends]
    bars["high"] = np.maximum.reduceat(hits["price"], starts)
    bars["low"] = np.minimum.reduceat(hits["price"], starts)
    bars["volume"] = np.add.reduceat(hits["size"].astype(np.uint64), starts)
    return bars


@dataclass(frozen=True, slots=True)
class _Interval:
    start_date: date
    end_date: date
    symbol: str


@dataclass(frozen=True, slots=True)
class _Mapping:
    raw_symbol: str
    intervals: Sequence[_Interval]


def _metadata(universe: Universe, schema: str, day: date, start_ns: int) -> bytes:
    # The evening of New York's winter lies on the next UTC date.
    valid = [(day, day + timedelta(days=2), universe.instrument_id)]
    return encoded(universe.symbols, valid, schema, start_ns, start_ns + DAY_MINUTES * MINUTE_NS)


def encoded(
    symbols: Sequence[str],
    valid: Sequence[tuple[date, date, NDArray[np.int64]]],
    schema: str,
    start_ns: int,
    end_ns: int,
) -> bytes:
    """Return the metadata of records in `schema` of a span of time, as the official library does.

    Args:
        symbols: What they are of.
        valid: First dates, the dates after the last ones, and the symbols' instrument ids then.
        schema: Databento's name of it.
        start_ns: The span's begin.
        end_ns: The instant after it.
    """
    numbers = [(first, end, ids.tolist()) for first, end, ids in valid]
    spans = [
        _Mapping(symbol, [_Interval(first, end, str(ids[at])) for first, end, ids in numbers])
        for at, symbol in enumerate(symbols)
    ]
    metadata = dbn.Metadata(
        dataset=DATASET,
        start=start_ns,
        end=end_ns,
        stype_in=cast("Any", dbn.SType.RAW_SYMBOL),
        stype_out=cast("Any", dbn.SType.INSTRUMENT_ID),
        schema=dbn.Schema.from_str(schema),
        symbols=["ALL_SYMBOLS"],
        mappings=cast("Any", spans),
        version=3,
    )
    return bytes(metadata)


@contextmanager
def writing(path: Path, head: bytes) -> Iterator[BinaryIO]:
    """Write beside `path` and rename at the end, so that it is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with partial.open("wb") as file:
            if path.suffix == ".zst":
                compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
                with compressor.stream_writer(file, closefd=False) as stream:
                    stream.write(head)
                    yield cast("BinaryIO", stream)
            else:
                file.write(head)
                yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
