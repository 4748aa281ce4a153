"""Spoils streams of DBN records: byte by byte, field by field, record by record."""

from __future__ import annotations

import numpy as np

from tests.fuzz.dice import Bytes, Int64s, either, get, put, roll, wide

# What a stream may grow to.
ROOM = 2_048
MOST_CHANGES = 6

RTYPES = np.array(
    [0x00, 0x01, 0x20, 0x21, 0xC3, 0xC4, 0x12, 0x13, 0x15, 0x16, 0x17, 0x18, 0x22, 0x23, 0xA0,
     0xFF],
    np.int64,
)  # fmt: skip
_MINUTE = 60_000_000_000
_DAY = 1_440 * _MINUTE
STEPS = np.array(
    [
        -1, 1, 0, 1_000, 1_000_000_000, -1_000_000_000, _MINUTE, -_MINUTE, 2 * _MINUTE, 5 * _MINUTE,
        -5 * _MINUTE, 60 * _MINUTE, -60 * _MINUTE, 63 * _MINUTE, -63 * _MINUTE, -64 * _MINUTE,
        -65 * _MINUTE, 66 * _MINUTE, _DAY, -_DAY, _DAY + 1, 2 * _DAY, 366 * _DAY, -366 * _DAY,
        30 * 366 * _DAY,
    ],
    np.int64,
)  # fmt: skip
TIMES = np.array(
    [
        0, 1, -1, 2**63 - 1, -(2**63), 946_684_800 * 10**9, 946_684_800 * 10**9 - 1,
        7_258_118_400 * 10**9, 7_258_118_400 * 10**9 + 1, 1_781_530_200 * 10**9, 2**62,
    ],
    np.int64,
)  # fmt: skip
PRICES = np.array(
    [
        0, 1, -1, 2**63 - 1, -(2**63), 2**53, 2**53 - 1, 2**52, 10**9, 10 * 10**9, 12 * 10**9,
        15 * 10**9, 9_999_999_999, -(10**9), 10**18, 2**62, 2**32, 0x7FF8000000000000,
    ],
    np.int64,
)  # fmt: skip
NUMBERS = np.array(
    [0, 1, 2, 3, 7, 8, 63, 64, 255, 256, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 1 << 20, 1_024],
    np.int64,
)
PRICE_PLACES = np.array([16, 24, 32, 40, 48, 56], np.int64)
TIME_PLACES = np.array([8, 32, 40, 72], np.int64)
LENGTHS = np.array([0, 1, 3, 4, 5, 11, 12, 13, 14, 19, 20, 21, 44, 80, 130, 255], np.int64)


@either
def records_in(buf: Bytes, length: int) -> int:
    """Return how many records stand in the first bytes, a cut one included."""
    count = 0
    at = 0
    while at + 16 <= length:
        count += 1
        at += max(int(buf[at]) * 4, 16)
    return count


@either
def record_at(buf: Bytes, length: int, number: int) -> int:
    """Return where a record begins."""
    at = 0
    for _ in range(number):
        at += max(int(buf[at]) * 4, 16)
    return at


@either
def _cut_out(buf: Bytes, length: int, at: int, size: int) -> int:
    for place in range(at, length - size):
        buf[place] = buf[place + size]
    return length - size


@either
def _make_room(buf: Bytes, length: int, at: int, size: int) -> int:
    for place in range(length - 1, at - 1, -1):
        buf[place + size] = buf[place]
    return length + size


@either
def _change_field(dice: Int64s, buf: Bytes, length: int, at: int) -> None:
    """Give one field of the record at `at` a value of the kind that breaks programs."""
    what = roll(dice, 9)
    if what == 0:
        buf[at] = LENGTHS[roll(dice, len(LENGTHS))] if roll(dice, 4) else roll(dice, 256)
    elif what == 1:
        buf[at + 1] = RTYPES[roll(dice, len(RTYPES))] if roll(dice, 8) else roll(dice, 256)
    elif what == 2:
        put(buf, at + 2, NUMBERS[roll(dice, len(NUMBERS))], 2)
    elif what == 3:
        put(buf, at + 4, NUMBERS[roll(dice, len(NUMBERS))], 4)
    elif what <= 5:
        place = at + TIME_PLACES[roll(dice, len(TIME_PLACES))]
        if place + 8 <= length:
            if roll(dice, 4) == 0:
                put(buf, place, TIMES[roll(dice, len(TIMES))], 8)
            else:
                # Half of its value keeps a sum in 64 bits, whatever stood there.
                step = STEPS[roll(dice, len(STEPS))]
                there = get(buf, place, 8)
                put(buf, place, there + step if abs(there) < 2**61 else step, 8)
    elif what <= 7:
        place = at + PRICE_PLACES[roll(dice, len(PRICE_PLACES))]
        if place + 8 <= length:
            put(buf, place, PRICES[roll(dice, len(PRICES))], 8)
    elif at + 32 <= length:
        which = roll(dice, 4)
        if which == 0:
            put(buf, at + 24, NUMBERS[roll(dice, len(NUMBERS))], 4)
        elif which == 1:
            buf[at + 28] = 0x54 if roll(dice, 2) else roll(dice, 256)
        else:
            buf[at + 28 + which] = roll(dice, 256)


@either
def _move_records(
    dice: Int64s, buf: Bytes, length: int, at: int, other: Bytes, other_length: int
) -> int:
    """Take a record out, say it twice, or bring in records of another stream."""
    size = min(max(int(buf[at]) * 4, 16), length - at)
    what = roll(dice, 4)
    if what == 0:
        return _cut_out(buf, length, at, size)
    source = other
    begin = 0
    if what == 1:
        source = buf[at : at + size].copy()
    else:
        begin = record_at(other, other_length, roll(dice, max(records_in(other, other_length), 1)))
        size = min(max(int(other[begin]) * 4, 16), other_length - begin)
        size = min(size * (1 + roll(dice, 3)), other_length - begin)
    place = record_at(buf, length, roll(dice, max(records_in(buf, length), 1)))
    if size <= 0 or length + size > len(buf):
        return length
    length = _make_room(buf, length, place, size)
    for step in range(size):
        buf[place + step] = source[begin + step]
    return length


@either
def mutate(dice: Int64s, buf: Bytes, length: int, other: Bytes, other_length: int) -> int:
    """Spoil the first bytes of `buf` in a few ways; returns how many there are now."""
    for _ in range(1 + roll(dice, MOST_CHANGES)):
        if length < 16:
            length = 16 + 4 * roll(dice, 16)
            put(buf, roll(dice, 8), wide(dice), 8)
        at = record_at(buf, length, roll(dice, records_in(buf, length)))
        what = roll(dice, 16)
        if what == 0:
            buf[roll(dice, length)] ^= 1 << roll(dice, 8)
        elif what == 1:
            buf[roll(dice, length)] = roll(dice, 256)
        elif what == 2:
            length = roll(dice, length)
        elif what == 3 and length >= 8:
            put(buf, roll(dice, length - 7), wide(dice), 8)
        elif what <= 6:
            length = _move_records(dice, buf, length, at, other, other_length)
        else:
            _change_field(dice, buf, length, at)
    return length
