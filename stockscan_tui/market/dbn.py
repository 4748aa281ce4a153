"""The wire layout of DBN records: types, lengths, nulls, flags.

Source: Databento's DBN specification, https://databento.com/docs/standards-and-conventions/
databento-binary-encoding. All fields are little-endian. A record's header holds its length in
4-byte words, and a reader goes by that length, never by a struct's size: `ts_out` adds 8 bytes.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

MAGIC = b"DBN"
HEADER_BYTES = 16
MAX_RECORD_BYTES = 255 * 4

UNDEF_PRICE = 2**63 - 1
UNDEF_TIMESTAMP = 2**64 - 1
PRICE_SCALE = 1_000_000_000

FLAG_LAST = 128
FLAG_TOB = 64
FLAG_BAD_TS_RECV = 8

ACTION_TRADE = ord("T")


class RType(IntEnum):
    """Record types that stockscan knows by name; the rest is counted and skipped."""

    TRADE = 0x00
    MBP_1 = 0x01
    STATUS = 0x12
    DEFINITION = 0x13
    ERROR = 0x15
    SYMBOL_MAPPING = 0x16
    SYSTEM = 0x17
    STATISTICS = 0x18
    OHLCV_1S = 0x20
    OHLCV_1M = 0x21
    OHLCV_1H = 0x22
    OHLCV_1D = 0x23
    BBO_1S = 0xC3
    BBO_1M = 0xC4


_HEADER = [
    ("length", "u1"),
    ("rtype", "u1"),
    ("publisher_id", "<u2"),
    ("instrument_id", "<u4"),
    ("ts_event", "<u8"),
]
_TRADE = [
    *_HEADER,
    ("price", "<i8"),
    ("size", "<u4"),
    ("action", "S1"),
    ("side", "S1"),
    ("flags", "u1"),
    ("depth", "u1"),
    ("ts_recv", "<u8"),
    ("ts_in_delta", "<i4"),
    ("sequence", "<u4"),
]

TRADE_DTYPE = np.dtype(_TRADE)
MBP1_DTYPE = np.dtype(
    [
        *_TRADE,
        ("bid_px", "<i8"),
        ("ask_px", "<i8"),
        ("bid_sz", "<u4"),
        ("ask_sz", "<u4"),
        ("bid_ct", "<u4"),
        ("ask_ct", "<u4"),
    ]
)
# Of version 3.
STATISTICS_DTYPE = np.dtype(
    [
        *_HEADER,
        ("ts_recv", "<u8"),
        ("ts_ref", "<u8"),
        ("price", "<i8"),
        ("quantity", "<i8"),
        ("sequence", "<u4"),
        ("ts_in_delta", "<i4"),
        ("stat_type", "<u2"),
        ("channel_id", "<u2"),
        ("update_action", "u1"),
        ("stat_flags", "u1"),
        ("reserved", "S18"),
    ]
)
OHLCV_DTYPE = np.dtype(
    [
        *_HEADER,
        ("open", "<i8"),
        ("high", "<i8"),
        ("low", "<i8"),
        ("close", "<i8"),
        ("volume", "<u8"),
    ]
)
