"""Makes DBN files for tests: NumPy records behind metadata that the official library encodes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import databento_dbn as dbn
import numpy as np
import zstandard
from numpy.typing import NDArray

from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.dbn import MBP1_DTYPE, OHLCV_DTYPE, TRADE_DTYPE, RType

Records = NDArray[Any]

# Monday 2026-06-15, 09:30 in New York.
OPEN_NS = 1_781_530_200 * SECOND_NS
DAY = date(2026, 6, 15)
NULL_PRICE = 2**63 - 1
# The library's stubs call its members strings.
_RAW: Any = dbn.SType.RAW_SYMBOL
_ID: Any = dbn.SType.INSTRUMENT_ID


def trades(rows: Sequence[tuple[int, int, float, int]]) -> Records:
    """Return trade records of (ts_recv ns, instrument id, dollars, size)."""
    records = np.zeros(len(rows), TRADE_DTYPE)
    records["length"] = TRADE_DTYPE.itemsize // 4
    records["rtype"] = RType.TRADE
    records["publisher_id"] = 95
    records["action"] = b"T"
    records["side"] = b"N"
    for record, (ts_ns, number, price, size) in zip(records, rows, strict=True):
        record["ts_event"] = record["ts_recv"] = ts_ns
        record["instrument_id"] = number
        record["price"] = round(price * 1e9)
        record["size"] = size
    return records


def quotes(rows: Sequence[tuple[int, int, float, float]]) -> Records:
    """Return mbp-1 records with action A of (ts_recv ns, instrument id, bid, ask); 0 is null."""
    records = np.zeros(len(rows), MBP1_DTYPE)
    records["length"] = MBP1_DTYPE.itemsize // 4
    records["rtype"] = RType.MBP_1
    records["publisher_id"] = 95
    records["action"] = b"A"
    records["side"] = b"B"
    records["price"] = NULL_PRICE
    records["size"] = 100
    for record, (ts_ns, number, bid, ask) in zip(records, rows, strict=True):
        record["ts_event"] = record["ts_recv"] = ts_ns
        record["instrument_id"] = number
        record["bid_px"] = round(bid * 1e9) if bid else NULL_PRICE
        record["ask_px"] = round(ask * 1e9) if ask else NULL_PRICE
    return records


def rows_with_trade(records: Records, bid: float = 0, ask: float = 0) -> Records:
    """Return trade records as mbp-1 rows with action T."""
    rows = np.zeros(len(records), MBP1_DTYPE)
    for name in TRADE_DTYPE.names or ():
        rows[name] = records[name]
    rows["length"] = MBP1_DTYPE.itemsize // 4
    rows["rtype"] = RType.MBP_1
    rows["bid_px"] = round(bid * 1e9) if bid else NULL_PRICE
    rows["ask_px"] = round(ask * 1e9) if ask else NULL_PRICE
    return rows


def ohlcv(
    rows: Sequence[tuple[int, int, float, float, float, float, int]], rtype: int = RType.OHLCV_1M
) -> Records:
    """Return bars of (interval start ns, instrument id, open, high, low, close, volume)."""
    records = np.zeros(len(rows), OHLCV_DTYPE)
    records["length"] = OHLCV_DTYPE.itemsize // 4
    records["rtype"] = rtype
    records["publisher_id"] = 95
    for record, (ts_ns, number, opening, high, low, close, volume) in zip(
        records, rows, strict=True
    ):
        record["ts_event"] = ts_ns
        record["instrument_id"] = number
        for name, price in zip(
            ("open", "high", "low", "close"), (opening, high, low, close), strict=True
        ):
            record[name] = round(price * 1e9)
        record["volume"] = volume
    return records


def random_rows(seed: int, count: int, symbols: int, minutes: int, share: float = 0.3) -> Records:
    """Return mbp-1 rows in order of time: quotes, and trades for a `share` of them."""
    rng = np.random.default_rng(seed)
    records = np.zeros(count, MBP1_DTYPE)
    records["length"] = MBP1_DTYPE.itemsize // 4
    records["rtype"] = RType.MBP_1
    records["publisher_id"] = 95
    number = rng.integers(0, symbols, count)
    records["instrument_id"] = number + 1
    times = np.sort(rng.integers(0, minutes * MINUTE_NS // 1000, count)) * 1000
    records["ts_recv"] = OPEN_NS + times
    records["ts_event"] = records["ts_recv"] - rng.integers(0, 200_000, count).astype(np.uint64)
    middle = 20_00 + 10_00 * number + rng.integers(-50, 50, count)
    records["price"] = middle * 10_000_000
    records["size"] = rng.integers(0, 500, count)
    records["action"] = np.where(rng.random(count) < share, b"T", b"A")
    records["bid_px"] = (middle - 1) * 10_000_000
    records["ask_px"] = (middle + 1) * 10_000_000
    return records


def joined(*parts: Records | bytes) -> bytes:
    """Return the parts' bytes one behind the other."""
    return b"".join(part if isinstance(part, bytes) else part.tobytes() for part in parts)


def metadata(
    schema: str | None = "mbp-1",
    symbols: dict[str, int] | None = None,
    *,
    version: int = 3,
    ts_out: bool = False,
    start_ns: int = OPEN_NS,
    mappings: dict[str, list[tuple[date, date, int]]] | None = None,
    dataset: str = "EQUS.MINI",
) -> bytes:
    """Return encoded metadata that maps each symbol to its id, on `DAY` unless told."""
    spans = mappings or {
        symbol: [(DAY, DAY + timedelta(days=1), number)]
        for symbol, number in (symbols or {}).items()
    }
    entries: list[Any] = [
        _Mapping(
            raw_symbol=symbol,
            intervals=[
                _Interval(start_date=start, end_date=end, symbol=str(number))
                for start, end, number in intervals
            ],
        )
        for symbol, intervals in spans.items()
    ]
    return bytes(
        dbn.Metadata(
            dataset=dataset,
            start=start_ns,
            stype_in=_RAW if schema else None,
            stype_out=_ID,
            schema=dbn.Schema.from_str(schema) if schema else None,
            symbols=list(spans),
            mappings=entries,
            ts_out=ts_out,
            version=version,
        )
    )


class _Interval:
    def __init__(self, *, start_date: date, end_date: date, symbol: str) -> None:
        self.start_date = start_date
        self.end_date = end_date
        self.symbol = symbol


class _Mapping:
    def __init__(self, *, raw_symbol: str, intervals: list[_Interval]) -> None:
        self.raw_symbol = raw_symbol
        self.intervals = intervals


def mapping_record(number: int, symbol: str, ts_ns: int = OPEN_NS) -> bytes:
    """Return a symbol mapping as a live session sends it."""
    return bytes(
        dbn.SymbolMappingMsg(
            publisher_id=0,
            instrument_id=number,
            ts_event=ts_ns,
            stype_in=_RAW,
            stype_in_symbol=symbol,
            stype_out=_ID,
            stype_out_symbol=symbol,
            start_ts=ts_ns,
            end_ts=2**64 - 1,
        )
    )


def write(path: Path, *parts: Records | bytes) -> Path:
    """Write metadata and records, compressed where the name ends in .zst."""
    raw = joined(*parts)
    path.write_bytes(zstandard.compress(raw) if path.suffix == ".zst" else raw)
    return path
