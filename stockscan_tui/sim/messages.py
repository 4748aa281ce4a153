"""The records with which a live session speaks of itself, as bytes (DBN version 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import databento_dbn as dbn
import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.dbn import HEADER_BYTES, UNDEF_TIMESTAMP, RType

HEARTBEAT = 0
SUBSCRIPTION_ACK = 1
SLOW_READER = 2
REPLAY_COMPLETED = 3
END_OF_INTERVAL = 4

SYMBOL_RESOLUTION_FAILED = 4
INVALID_SUBSCRIPTION = 5
SKIPPED_RECORDS = 7
# After these errors a session goes on.
NOT_FATAL = frozenset({SYMBOL_RESOLUTION_FAILED, SKIPPED_RECORDS})

_MAPPING_DTYPE = np.dtype(
    [
        ("length", "u1"),
        ("rtype", "u1"),
        ("publisher_id", "<u2"),
        ("instrument_id", "<u4"),
        ("ts_event", "<u8"),
        ("stype_in", "u1"),
        ("stype_in_symbol", "S71"),
        ("stype_out", "u1"),
        ("stype_out_symbol", "S71"),
        ("start_ts", "<u8"),
        ("end_ts", "<u8"),
    ]
)
_SYSTEM_TEXT = 303
_ERROR_TEXT = 302
_RAW_SYMBOL = 1
_INSTRUMENT_ID = 0


def metadata(dataset: str, *, ts_out: bool) -> bytes:
    """Return the metadata that opens a live session's data: no schema, no symbols."""
    return bytes(
        dbn.Metadata(
            dataset=dataset,
            start=0,
            stype_in=None,
            stype_out=cast("Any", dbn.SType.INSTRUMENT_ID),
            schema=None,
            ts_out=ts_out,
            version=3,
        )
    )


def mappings(symbols: Sequence[str], numbers: Sequence[int], ts_ns: int) -> NDArray[Any]:
    """Return a SymbolMappingMsg for each symbol, shape (len(symbols),)."""
    rows = np.zeros(len(symbols), _MAPPING_DTYPE)
    rows["length"] = _MAPPING_DTYPE.itemsize // 4
    rows["rtype"] = RType.SYMBOL_MAPPING
    rows["instrument_id"] = numbers
    rows["ts_event"] = ts_ns
    rows["stype_in"] = _RAW_SYMBOL
    rows["stype_out"] = _INSTRUMENT_ID
    names = np.array([symbol.encode() for symbol in symbols], "S70")
    rows["stype_in_symbol"] = names
    rows["stype_out_symbol"] = names
    rows["start_ts"] = UNDEF_TIMESTAMP
    rows["end_ts"] = UNDEF_TIMESTAMP
    return rows


def system(ts_ns: int, code: int, text: str) -> bytes:
    """Return a SystemMsg; the text is cut to what it can hold."""
    head = _head(RType.SYSTEM, _SYSTEM_TEXT + 1, ts_ns)
    return head + _text(text, _SYSTEM_TEXT) + bytes([code])


def error(ts_ns: int, code: int, text: str, *, last: bool = True) -> bytes:
    """Return an ErrorMsg; `last` is false where more errors of the same cause follow."""
    head = _head(RType.ERROR, _ERROR_TEXT + 2, ts_ns)
    return head + _text(text, _ERROR_TEXT) + bytes([code, last])


def bytes_of(rows: NDArray[Any]) -> memoryview:
    """Return the bytes of contiguous records, not copied."""
    return memoryview(cast("Any", rows.view(np.uint8)))


def stamped(rows: NDArray[Any], ts_ns: int) -> NDArray[Any]:
    """Return a copy of the records with `ts_out` appended."""
    dtype = np.dtype([*rows.dtype.descr, ("ts_out", "<u8")])
    longer = np.zeros(len(rows), dtype)
    for name in cast("tuple[str, ...]", rows.dtype.names):
        longer[name] = rows[name]
    longer["length"] = dtype.itemsize // 4
    longer["ts_out"] = ts_ns
    return longer


def stamped_one(record: bytes, ts_ns: int) -> bytes:
    """Return one record with `ts_out` appended."""
    return bytes([record[0] + 2]) + record[1:] + ts_ns.to_bytes(8, "little")


def _head(rtype: RType, body_bytes: int, ts_ns: int) -> bytes:
    return bytes([(HEADER_BYTES + body_bytes) // 4, rtype, *bytes(6)]) + ts_ns.to_bytes(8, "little")


def _text(text: str, room: int) -> bytes:
    # The last byte stays zero: the text ends there for a reader in C.
    return text.encode()[: room - 1].decode(errors="ignore").encode().ljust(room, b"\0")
