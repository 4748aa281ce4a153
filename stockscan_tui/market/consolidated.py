"""Consolidated volume: how many shares of each symbol the whole tape has traded on a session date.

A second session brings it as statistics, one for each trade of the tape, each with the day's total
so far; the newest one of a symbol is all that is needed. Belongs to the engine's thread.

Layout (databento_dbn's StatMsg and StatMsgV1; offsets in bytes): `ts_recv` 16, then `quantity`,
`stat_type` and `update_action` at 40, 56 and 60 (version 3, 64 bits of quantity) or at 40, 52 and
56 (versions 1 and 2, 32 bits). EQUS.SUMMARY's consolidated volume is of type `CLEARED_VOLUME`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from stockscan_tui.market.calendar import Calendar, TradingDay
from stockscan_tui.market.compiled import compiled, inlined
from stockscan_tui.market.kernel import HASH, Bytes, Int64s, UInt64s
from stockscan_tui.market.snapshot import Floats
from stockscan_tui.market.symbols import InstrumentIds, SymbolTable

# Why the walk stops.
NEED_BYTES = 0
CONTROL = 1
NEXT_DAY = 2
BROKEN = 3

CLEARED_VOLUME = 6
_DELETED = 2
_UNKNOWN = -1
_FIRST_ROOM = 1 << 14

# The places of `place`: what the walk is told, and how far it came.
_POSITION = 0
_END = 1
_WIDE = 2
_BEGIN_NS = 3
_NEXT_NS = 4
_FAR_NS = 5
_TAKEN = 6
_WIDTH = 7

_FAR_FUTURE_NS = 2**63 - 1
_STATISTICS = 0x18
_MAPPING = 0x16
_ERROR = 0x15
_SYSTEM = 0x17
_HEADER_BYTES = 16
_NARROW_BYTES = 64
_WIDE_BYTES = 80
_NO_TIME = -1
_NO_WIDE = 2**63 - 1
_NO_NARROW = 2**31 - 1


@inlined
def _u16(data: Bytes, at: int) -> int:
    return int(np.int64(data[at]) | np.int64(data[at + 1]) << 8)


@inlined
def _u32(data: Bytes, at: int) -> int:
    return _u16(data, at) | _u16(data, at + 2) << 16


@inlined
def _i64(data: Bytes, at: int) -> int:
    return _u32(data, at) | _u32(data, at + 4) << 32


@inlined
def _index_of(ids: UInt64s, number: int) -> int:
    """Return what an instrument id stands for, -1 where it is not mapped."""
    mask = np.uint64(len(ids) - 1)
    key = np.uint64(number)
    at = ((key * HASH) >> np.uint64(32)) & mask
    while ids[at] != 0:
        if ids[at] >> np.uint64(32) == key:
            return int(np.int64(ids[at] & np.uint64(0xFFFFFFFF))) - 1
        at = (at + np.uint64(1)) & mask
    return -1


@inlined
def _quantity(data: Bytes, at: int, wide: int) -> int:
    """Return the day's volume that a statistic tells, -1 where it tells something else."""
    action = data[at + 60] if wide else data[at + 56]
    kind = _u16(data, at + 56) if wide else _u16(data, at + 52)
    quantity = _i64(data, at + 40) if wide else _u32(data, at + 40)
    null = _NO_WIDE if wide else _NO_NARROW
    if kind != CLEARED_VOLUME or action == _DELETED or quantity < 0 or quantity >= null:
        return -1
    return quantity


@compiled
def _walk(data: Bytes, place: Int64s, ids: UInt64s, volume: Int64s, seen_ns: Int64s) -> int:
    """Take the statistics from the position on; returns why it stops there.

    A record of the session date after this one stops it; one of another date tells nothing.
    """
    at, end, wide = place[_POSITION], place[_END], place[_WIDE]
    least = _WIDE_BYTES if wide else _NARROW_BYTES
    reason = NEED_BYTES
    while at + _HEADER_BYTES <= end:
        length = np.int64(data[at]) * 4
        rtype = data[at + 1]
        if length < _HEADER_BYTES:
            reason = BROKEN
            break
        if at + length > end:
            break
        if rtype in (_MAPPING, _SYSTEM, _ERROR):
            reason = CONTROL
            break
        if rtype == _STATISTICS and length >= least:
            ts = _i64(data, at + 16)
            if ts == _NO_TIME:
                ts = _i64(data, at + 8)
            if place[_NEXT_NS] <= ts < place[_FAR_NS]:
                reason = NEXT_DAY
                break
            quantity = _quantity(data, at, wide)
            index = _index_of(ids, _u32(data, at + 4))
            known = quantity >= 0 and index >= 0 and place[_BEGIN_NS] <= ts < place[_NEXT_NS]
            # A replay repeats what is known already.
            if known and ts >= seen_ns[index]:
                volume[index] = quantity
                seen_ns[index] = ts
                place[_TAKEN] += 1
        at += length
    place[_POSITION] = at
    return reason


class ConsolidatedVolume:
    """The newest total of each symbol on one session date.

    It has a table of symbols of its own: what only the whole tape trades is no part of the market.

    Args:
        calendar: Says when the next session date begins.
    """

    def __init__(self, calendar: Calendar) -> None:
        self.day: TradingDay | None = None
        self._calendar = calendar
        self._symbols = SymbolTable()
        self._volume: Int64s = np.full(_FIRST_ROOM, _UNKNOWN, np.int64)
        self._seen_ns: Int64s = np.zeros(_FIRST_ROOM, np.int64)
        self._place: Int64s = np.zeros(_WIDTH, np.int64)
        self._index: Int64s = np.zeros(0, np.int64)
        self._matched = (0, 0)
        # Compiled now, so that nobody waits for it while records come.
        self.walk(np.zeros(0, np.uint8), 0, 0, InstrumentIds(), 3)

    @property
    def taken(self) -> int:
        """How many statistics were taken."""
        return int(self._place[_TAKEN])

    @property
    def newest_ns(self) -> int:
        """The time of the newest statistic of the day (ns since 1970), 0 before the first."""
        return int(self._seen_ns.max(initial=0))

    def begin_day(self, day: TradingDay) -> None:
        """Know nothing of a session date yet."""
        following = self._calendar.next_day(day.session_date)
        after = self._calendar.next_day(following.session_date) if following else None
        self.day = day
        self._place[_BEGIN_NS] = day.start_ns
        self._place[_NEXT_NS] = following.start_ns if following else _FAR_FUTURE_NS
        self._place[_FAR_NS] = after.start_ns if after else _FAR_FUTURE_NS
        self._volume[:] = _UNKNOWN
        self._seen_ns[:] = 0

    def turn(self) -> None:
        """Go over to the session date after this one."""
        following = self._calendar.next_day(self.day.session_date) if self.day else None
        if following is not None:
            self.begin_day(following)

    def name(self, ids: InstrumentIds, mapped: Iterable[tuple[int, str]]) -> None:
        """Let instrument ids of a connection stand for symbols from now on."""
        pairs = list(mapped)
        indices = self._symbols.slots([symbol for _, symbol in pairs])
        ids.assign(zip([number for number, _ in pairs], indices, strict=True))
        while len(self._symbols) > len(self._volume):
            more = len(self._volume)
            self._volume = np.concatenate([self._volume, np.full(more, _UNKNOWN, np.int64)])
            self._seen_ns = np.concatenate([self._seen_ns, np.zeros(more, np.int64)])

    def walk(
        self, data: Bytes, position: int, end: int, ids: InstrumentIds, version: int
    ) -> tuple[int, int]:
        """Take what the records in `data[position:end]` tell.

        Args:
            data: DBN records.
            position: Where the first one begins.
            end: How far there are bytes.
            ids: What stands for which symbol on this connection.
            version: Of DBN: 1, 2 or 3.

        Returns:
            Why it stopped, and at which record: NEED_BYTES behind the last whole one, CONTROL at
            one for Python, NEXT_DAY at the first of the next session date, BROKEN at what is none.
        """
        place = self._place
        place[_POSITION], place[_END], place[_WIDE] = position, end, version >= 3
        reason = _walk(data, place, ids.table, self._volume, self._seen_ns)
        return int(reason), int(place[_POSITION])

    def by_slot(self, names: Sequence[str]) -> Floats:
        """Return the totals of a market's symbols in their order, NaN where none is known."""
        sizes = (len(names), len(self._symbols))
        if sizes != self._matched:
            self._matched = sizes
            found = (self._symbols.find(name) for name in names)
            self._index = np.array([-1 if at is None else at for at in found], np.int64)
        volume = self._volume[self._index]
        known = (self._index >= 0) & (volume >= 0)
        return np.where(known, volume, np.nan)
