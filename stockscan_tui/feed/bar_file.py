"""Files of minute bars: a database's made into one that can be played, and Databento's own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import databento_dbn as dbn
import numpy as np
from numpy.typing import NDArray

from stockscan_tui.errors import InputError
from stockscan_tui.feed.control import ControlDecoder, Mapping
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.history import MINUTE_DTYPE, MinuteBars
from stockscan_tui.market.batch import BarBatch
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, utc_date
from stockscan_tui.market.dbn import HEADER_BYTES, OHLCV_DTYPE, RType

_VERSION = 3


@dataclass(frozen=True, slots=True)
class _Interval:
    start_date: date
    end_date: date
    symbol: str


@dataclass(frozen=True, slots=True)
class _Mapping:
    raw_symbol: str
    intervals: Sequence[_Interval]


def as_records(
    symbol: NDArray[np.int64],
    minute: NDArray[np.int64],
    prices: Sequence[NDArray[np.int64]],
    volume: NDArray[np.int64],
) -> NDArray[np.void]:
    """Return bars as ohlcv-1m records, shape (n,) of OHLCV_DTYPE.

    Args:
        symbol: Numbers that stand for symbols; they become the instrument ids.
        minute: Minutes since 1970 (UTC).
        prices: Open, high, low, close in 1e-9 dollars.
        volume: Shares.
    """
    records = np.zeros(len(symbol), OHLCV_DTYPE)
    records["length"] = OHLCV_DTYPE.itemsize // 4
    records["rtype"] = RType.OHLCV_1M
    records["instrument_id"] = symbol
    records["ts_event"] = minute * MINUTE_NS
    for name, column in zip(("open", "high", "low", "close"), prices, strict=True):
        records[name] = column
    records["volume"] = volume
    return records


def write_bars(
    path: Path, dataset: str, symbols: Sequence[str], bars: BarBatch, session_date: date
) -> None:
    """Write a session date's bars as an uncompressed ohlcv-1m file.

    Args:
        path: The file.
        dataset: The dataset's code.
        symbols: The symbols by slot; the instrument id is the slot plus one.
        bars: Their bars.
        session_date: The date, whose last hours may be of the next day in UTC.

    Raises:
        OSError: It cannot be written.
    """
    order = np.lexsort((bars.slot, bars.minute))
    prices = [column[order] for column in (bars.open, bars.high, bars.low, bars.close)]
    records = as_records(
        bars.slot[order].astype(np.int64) + 1, bars.minute[order], prices, bars.volume[order]
    )
    end = session_date + timedelta(days=2)
    mappings = [
        _Mapping(name, [_Interval(session_date, end, str(slot + 1))])
        for slot, name in enumerate(symbols)
    ]
    metadata = dbn.Metadata(
        dataset=dataset,
        start=int(bars.minute.min()) * MINUTE_NS,
        stype_in=cast("Any", dbn.SType.RAW_SYMBOL),
        stype_out=cast("Any", dbn.SType.INSTRUMENT_ID),
        schema=cast("Any", dbn.Schema.OHLCV_1M),
        symbols=["ALL_SYMBOLS"],
        mappings=cast("Any", mappings),
        ts_out=False,
        version=_VERSION,
    )
    with path.open("xb") as file:
        file.write(bytes(metadata))
        file.write(records.tobytes())


def read_bars(path: Path) -> MinuteBars:
    """Return the minute bars of an ohlcv-1m file, by minute.

    Raises:
        InputError: It cannot be read, is damaged, or holds no minute bar with a symbol.
    """
    file = DbnFile(path)
    decoder = ControlDecoder(file.version, ts_out=file.ts_out)
    numbers: dict[tuple[int, int], int] = {}
    names: dict[str, int] = {}
    pieces = [np.empty(0, MINUTE_DTYPE)]
    reader = file.blocks(threading.Event())
    left = b""
    for block in reader:
        raw = left + block.data[block.start : block.end].tobytes()
        reader.release(block)
        records, left, said = _bar_records(raw, path)
        for mapping in (decoder.decode(record) for record in said):
            if isinstance(mapping, Mapping):
                numbers[-1, mapping.instrument_id] = names.setdefault(mapping.symbol, len(names))
        pieces.append(_named(records, file, numbers, names))
    if reader.ending is not None and reader.ending.error:
        raise InputError(f"{reader.ending.error}. Download it again.")
    bars = np.concatenate(pieces)
    if not len(bars):
        raise InputError(
            f"{path} holds no minute bar with a symbol. Name an ohlcv-1m file that maps them."
        )
    return MinuteBars(tuple(names), bars[np.argsort(bars["minute"], kind="stable")])


def _bar_records(raw: bytes, path: Path) -> tuple[NDArray[np.void], bytes, list[bytes]]:
    """Return the ohlcv-1m records among `raw`, the bytes of one that is cut, and mappings.

    Raises:
        InputError: A record is shorter than its header; the message names the file.
    """
    size = OHLCV_DTYPE.itemsize
    whole = len(raw) // size * size
    records = np.frombuffer(raw[:whole], OHLCV_DTYPE)
    if ((records["length"] == size // 4) & (records["rtype"] == RType.OHLCV_1M)).all():
        return records, raw[whole:], []
    found, said, at = [], [], 0
    while at + HEADER_BYTES <= len(raw) and at + raw[at] * 4 <= len(raw):
        length = raw[at] * 4
        if length < HEADER_BYTES:
            raise InputError(f"{path} holds a record without length. Download it again.")
        if raw[at + 1] == RType.OHLCV_1M and length >= size:
            found.append(raw[at : at + size])
        elif raw[at + 1] == RType.SYMBOL_MAPPING:
            said.append(raw[at : at + length])
        at += length
    return np.frombuffer(b"".join(found), OHLCV_DTYPE), raw[at:], said


def _named(
    records: NDArray[np.void],
    file: DbnFile,
    numbers: dict[tuple[int, int], int],
    names: dict[str, int],
) -> NDArray[np.void]:
    """Return records as bars of symbols that count in `names`; those without one are left out."""
    days = (records["ts_event"] // DAY_NS).astype(np.int64)
    symbol = np.full(len(records), -1, np.int64)
    for day in np.unique(days).tolist():
        known = {number: place for (at, number), place in numbers.items() if at in (-1, day)}
        for number, name in sorted(file.symbology.on(utc_date(day * DAY_NS)).items()):
            known[number] = names.setdefault(name, len(names))
        own = days == day
        ids, inverse = np.unique(records["instrument_id"][own], return_inverse=True)
        symbol[own] = np.array([known.get(i, -1) for i in ids.tolist()], np.int64)[inverse]
    kept = symbol >= 0
    bars = np.empty(int(kept.sum()), MINUTE_DTYPE)
    bars["symbol"] = symbol[kept]
    bars["minute"] = records["ts_event"][kept] // MINUTE_NS
    for name in ("open", "high", "low", "close", "volume"):
        bars[name] = records[name][kept]
    return bars
