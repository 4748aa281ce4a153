"""Which records of a stream are new: one compiled walk over bytes that may repeat themselves.

After a break the gateway sends again what it had sent before. For each record type and publisher
the table holds the newest time seen and how many records had it; what a later connection brings
up to there is no news. Only market records (those with a `least_length`) are told apart; all
others are always new. The walk holds no GIL and is safe on any bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.compiled import borrowed, compiled, inlined
from stockscan_tui.market.dbn import HEADER_BYTES
from stockscan_tui.market.kernel import (
    AGREEING_NS,
    DAY_NS,
    EARLIEST_NS,
    LATEST_NS,
    Bytes,
    Int64s,
    _agreeing_time,
    _event_time,
    i64,
    least_length,
)

# ctl: what the caller sets
POSITION = 0
END = 1
STOP_NS = 2
FINAL = 3
# ctl: what the walk keeps
CLOCK_NS = 4
OUT = 5
FIRST_NS = 6
RESUME_NS = 7
CONTROL_NS = 8
MAPPINGS = 9
CTL_WIDTH = 10

# table[row]: what was seen, and what a connection that repeats has still to show again
KEY = 0
NEWEST_NS = 1
AT_NEWEST = 2
SKIP_NS = 3
SKIP_LEFT = 4
TABLE_WIDTH = 5
TABLE_ROWS = 1024

# why the walk came back
NEED_BYTES = 0
STOPPED = 1
UNSURE = 2
MAPPINGS_FULL = 3
CORRUPT = 4

MAPPING_ROOM = 4096
NEVER_NS = 2**62
_SYMBOL_MAPPING = 0x16


@compiled
def _row_of(table: Int64s, key: int, guess: int) -> int:
    """Return the key's row, a new one if need be; -1 where the table is full."""
    if table[guess, KEY] == key:
        return guess
    for row in range(len(table)):
        if table[row, KEY] == key:
            return row
        if table[row, KEY] < 0:
            table[row, KEY] = key
            return row
    return -1


@inlined
def _is_new(table: Int64s, row: int, ts: int) -> bool:
    """Whether a record of this time is not one of those seen; notes it if so."""
    if ts < table[row, SKIP_NS]:
        return False
    if ts == table[row, SKIP_NS] and table[row, SKIP_LEFT] > 0:
        table[row, SKIP_LEFT] -= 1
        return False
    if ts > table[row, NEWEST_NS]:
        table[row, NEWEST_NS] = ts
        table[row, AT_NEWEST] = 1
    elif ts == table[row, NEWEST_NS]:
        table[row, AT_NEWEST] += 1
    return True


@inlined
def _keep(buf: Bytes, at: int, out: int, length: int) -> int:
    """Move the record at `at` to the end of the new ones; returns their new end."""
    if at != out:
        for k in range(length):
            buf[out + k] = buf[at + k]
    return out + length


@inlined
def _belief(buf: Bytes, at: int, end: int, clock: int, ts: int, final: int) -> int:
    """Whether the time of the record at `at` is believed: 1, 0, or -1 where more must come first.

    The first of all is, unless the next one lies more than a day before it; later ones that are
    more than a day ahead are if the next one is, too.
    """
    if ts == 0:
        return 0
    if clock != 0 and ts <= clock + DAY_NS:
        return 1
    if clock != 0:
        agrees = _agreeing_time(buf, at, end, clock + DAY_NS, ts + AGREEING_NS)
    else:
        agrees = _agreeing_time(buf, at, end, ts - DAY_NS, LATEST_NS)
    if agrees == -2 or (agrees < 0 and final != 0):
        return 1 if clock == 0 else 0
    return agrees


@compiled
def _sift(  # noqa: PLR0915 - one loop
    buf: Bytes, ctl: Int64s, table: Int64s, mappings: Int64s
) -> int:
    """Move the new records in `ctl[POSITION]` to `ctl[END]` together, up to `ctl[STOP_NS]`.

    They stand from the first position to `ctl[OUT]` afterwards. Returns why it came back:
    `NEED_BYTES` (no whole record is left), `STOPPED` (the next record is a market record of time
    `ctl[RESUME_NS]`, at or past the stop), `UNSURE` (whether the next one's time is true only
    later ones can tell), `MAPPINGS_FULL`, `CORRUPT` (a length below a header's). Records whose
    time is not believed are always new.
    """
    buf = borrowed(buf)
    ctl = borrowed(ctl)
    table = borrowed(table)
    mappings = borrowed(mappings)
    at = int(ctl[POSITION])
    end = int(ctl[END])
    out = at
    clock = int(ctl[CLOCK_NS])
    first = 0
    control = 0
    mapped = 0
    row = 0
    reason = NEED_BYTES
    while at + HEADER_BYTES <= end:
        length = int(np.int64(buf[at])) * 4
        if length < HEADER_BYTES:
            reason = CORRUPT
            break
        if at + length > end:
            break
        rtype = int(np.int64(buf[at + 1]))
        least = least_length(rtype)
        if least == 0 or length < least:
            if rtype == _SYMBOL_MAPPING:
                if mapped == len(mappings):
                    reason = MAPPINGS_FULL
                    break
                mappings[mapped] = out
                mapped += 1
            ts = i64(buf, at + 8)
            if EARLIEST_NS <= ts <= LATEST_NS:
                control = max(control, ts)
            out = _keep(buf, at, out, length)
            at += length
            continue
        ts = _event_time(buf, at, rtype)
        believed = _belief(buf, at, end, clock, ts, int(ctl[FINAL]))
        if believed < 0:
            reason = UNSURE
            break
        if believed > 0:
            if ts >= ctl[STOP_NS]:
                ctl[RESUME_NS] = ts
                reason = STOPPED
                break
            clock = max(clock, ts)
            key = rtype << 16 | int(np.int64(buf[at + 2])) | int(np.int64(buf[at + 3])) << 8
            row = max(_row_of(table, key, row), 0)
            if table[row, KEY] == key and not _is_new(table, row, ts):
                at += length
                continue
            first = ts if first == 0 else first
        out = _keep(buf, at, out, length)
        at += length
    ctl[POSITION] = at
    ctl[OUT] = out
    ctl[CLOCK_NS] = clock
    ctl[FIRST_NS] = first
    ctl[CONTROL_NS] = control
    ctl[MAPPINGS] = mapped
    return reason


@dataclass(frozen=True, slots=True)
class Sifted:
    """What a walk found.

    `new` is a view of the bytes walked over, where the new records stand one behind another, and
    `mappings` are the places of symbol mappings in it. `position` is where the walk stopped,
    `resume_ns` the time of the record there (after `STOPPED`), `first_ns` that of the first new
    market record and `control_ns` the newest `ts_event` of the others; 0 where there is none.
    """

    reason: int
    position: int
    new: NDArray[np.uint8]
    mappings: tuple[int, ...]
    first_ns: int
    control_ns: int
    resume_ns: int


class Seen:
    """What one stream has shown so far."""

    def __init__(self) -> None:
        self._table = np.zeros((TABLE_ROWS, TABLE_WIDTH), np.int64)
        self._table[:, KEY] = -1
        self._ctl = np.zeros(CTL_WIDTH, np.int64)
        self._mappings = np.zeros(MAPPING_ROOM, np.int64)

    def repeat(self) -> None:
        """Expect everything seen so far once more, from a new connection."""
        self._table[:, SKIP_NS] = self._table[:, NEWEST_NS]
        self._table[:, SKIP_LEFT] = self._table[:, AT_NEWEST]

    def sift(self, data: Bytes, position: int, stop_ns: int, *, final: bool) -> Sifted:
        """Find the new records from `position` on, moving them together within `data`.

        Args:
            data: Whole records; writable, and changed.
            position: Where to begin.
            stop_ns: The walk ends before the first market record at or past this time.
            final: No bytes follow these that could tell a false time from a true one.
        """
        ctl = self._ctl
        ctl[POSITION] = position
        ctl[END] = len(data)
        ctl[STOP_NS] = stop_ns
        ctl[FINAL] = final
        reason = _sift(data, ctl, self._table, self._mappings)
        places = self._mappings[: ctl[MAPPINGS]] - position
        return Sifted(
            reason=reason,
            position=int(ctl[POSITION]),
            new=data[position : int(ctl[OUT])],
            mappings=tuple(places.tolist()),
            first_ns=int(ctl[FIRST_NS]),
            control_ns=int(ctl[CONTROL_NS]),
            resume_ns=int(ctl[RESUME_NS]) if reason == STOPPED else 0,
        )

    def absorb(self, other: Seen) -> None:
        """Take over what other records of this stream have shown, and expect it once more."""
        self._ctl[CLOCK_NS] = max(self._ctl[CLOCK_NS], other._ctl[CLOCK_NS])
        for theirs in other._table[other._table[:, KEY] >= 0]:
            row = _row_of(self._table, int(theirs[KEY]), 0)
            if row < 0:
                return
            ours = self._table[row]
            for time, count in ((NEWEST_NS, AT_NEWEST), (SKIP_NS, SKIP_LEFT)):
                if theirs[NEWEST_NS] > ours[time]:
                    ours[time] = theirs[NEWEST_NS]
                    ours[count] = theirs[AT_NEWEST]
                elif theirs[NEWEST_NS] == ours[time]:
                    ours[count] += theirs[AT_NEWEST]
