"""Rare records, decoded by the official library: mappings, definitions, daily bars, messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import databento_dbn as dbn

from stockscan_tui.market.calendar import utc_date
from stockscan_tui.market.dbn import PRICE_SCALE, UNDEF_PRICE, UNDEF_TIMESTAMP, RType


@dataclass(frozen=True, slots=True)
class Mapping:
    """From here on, this id stands for this symbol."""

    instrument_id: int
    symbol: str


@dataclass(frozen=True, slots=True)
class Definition:
    """An instrument's own symbol, for ids that nothing else maps."""

    instrument_id: int
    symbol: str


@dataclass(frozen=True, slots=True)
class DailyBar:
    """A day's bar: its close (dollars) is the official one of that date."""

    instrument_id: int
    day: date
    close: float


@dataclass(frozen=True, slots=True)
class Message:
    """A text from the gateway; `error` tells an error from a system message.

    `code` is the gateway's, None where the version has none; `ts_ns` its clock, 0 where not told.
    """

    text: str
    error: bool
    code: int | None = None
    ts_ns: int = 0


Control = Mapping | Definition | DailyBar | Message

# The official decoder aborts on a record shorter than its version's layout. Bytes by version.
_LEAST_BYTES = {
    RType.STATUS: (40, 40, 40),
    RType.DEFINITION: (360, 400, 520),
    RType.ERROR: (80, 320, 320),
    RType.SYMBOL_MAPPING: (80, 176, 176),
    RType.SYSTEM: (80, 320, 320),
    RType.STATISTICS: (64, 64, 80),
    RType.OHLCV_1D: (56, 56, 56),
}
_NO_CODE = 255
_KNOWN = frozenset(int(rtype) for rtype in _LEAST_BYTES)


class ControlDecoder:
    """Decodes single records of one stream.

    Args:
        version: The stream's DBN version, which fixes the layouts.
        ts_out: Whether records carry a send timestamp at their end.
    """

    def __init__(self, version: int, *, ts_out: bool) -> None:
        self._version = version
        self._ts_out = ts_out

    def decode(self, record: bytes) -> Control | None:
        """Return what the record says; None where it says nothing that is used, or is broken."""
        least = _LEAST_BYTES.get(RType(record[1])) if record[1] in _KNOWN else None
        if least is None or len(record) < least[self._version - 1] + 8 * self._ts_out:
            return None
        decoder = dbn.DBNDecoder(
            has_metadata=False, ts_out=self._ts_out, input_version=self._version
        )
        try:
            decoder.write(record)
            decoded = decoder.decode()
            return _control(decoded[0]) if decoded else None
        except (dbn.DBNError, ValueError):
            return None

    def decode_mappings(self, records: bytes, length: int) -> list[Mapping]:
        """Return what a run of symbol mappings says, each `length` bytes long."""
        if length < _LEAST_BYTES[RType.SYMBOL_MAPPING][self._version - 1] + 8 * self._ts_out:
            return []
        decoder = dbn.DBNDecoder(
            has_metadata=False, ts_out=self._ts_out, input_version=self._version
        )
        try:
            decoder.write(records)
            said = [_control(record) for record in decoder.decode()]
        except (dbn.DBNError, ValueError):
            pieces = (records[at : at + length] for at in range(0, len(records), length))
            said = [self.decode(piece) for piece in pieces]
        return [mapping for mapping in said if isinstance(mapping, Mapping)]


def _control(record: object) -> Control | None:
    match record:
        case dbn.SymbolMappingMsg() | dbn.SymbolMappingMsgV1():
            out = record.stype_out_symbol
            symbol = record.stype_in_symbol if out.isdigit() else out
            said: Control | None = Mapping(record.instrument_id, symbol) if symbol else None
        case dbn.InstrumentDefMsg() | dbn.InstrumentDefMsgV1() | dbn.InstrumentDefMsgV2():
            said = Definition(record.instrument_id, record.raw_symbol or f"#{record.instrument_id}")
        case dbn.OHLCVMsg() if 0 < record.close < UNDEF_PRICE:
            close = record.close / PRICE_SCALE
            said = DailyBar(record.instrument_id, utc_date(record.ts_event), close)
        case dbn.ErrorMsg() | dbn.ErrorMsgV1():
            said = Message(record.err, error=True, code=_code(record), ts_ns=_time(record))
        case dbn.SystemMsg() | dbn.SystemMsgV1():
            said = Message(record.msg, error=False, code=_code(record), ts_ns=_time(record))
        case _:
            said = None
    return said


def _code(record: object) -> int | None:
    """Return a message's code; an older version's heartbeats are told by their text."""
    code = getattr(record, "code", None)
    if code is not None:
        return None if int(code) == _NO_CODE else int(code)
    return 0 if getattr(record, "msg", "") == "Heartbeat" else None


def _time(record: object) -> int:
    ts_ns = int(getattr(record, "ts_event", 0))
    return ts_ns if ts_ns < UNDEF_TIMESTAMP else 0
