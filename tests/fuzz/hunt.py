"""Millions of spoilt streams through the compiled loop, kept where they do what none did before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market import kernel as k
from tests.fuzz import walk
from tests.fuzz.dice import Bytes, Int64s, either, roll
from tests.fuzz.mutate import ROOM, mutate
from tests.fuzz.walk import KNOBS
from tests.fuzz.world import CALLS, CAPACITY, LOG, MARK_ROWS, MINUTES, REASONS, World

POOL = 8_192
_MAP = 1 << 20
_COUNTED = np.array(
    [
        k.RECORDS, k.TRADES, k.QUOTES, k.LATE, k.UNKNOWN, k.BAD_TIMES, k.BAD_PRICES, k.BARS,
        k.REPEATED, k.PRINTS, k.INSTANTS, k.SEEN_COUNT,
    ],
    np.int64,
)  # fmt: skip
_FEATURES = len(_COUNTED) + 10


class Pool(NamedTuple):
    """Streams worth changing further, the features they have shown, and the case at hand."""

    streams: NDArray[np.uint8]
    lengths: Int64s
    knobs: Int64s
    seen: NDArray[np.uint8]
    # How many streams there are, how many features were seen, and what is played now.
    counts: Int64s
    buf: Bytes
    case: Int64s


STREAMS, BEHAVIOURS, LENGTH = range(3)


def new_pool(seeds: list[bytes], buf: Bytes, case: Int64s) -> Pool:
    """Return a pool of streams to begin with; `buf` and `case` receive what is played."""
    streams = np.zeros((POOL, ROOM), np.uint8)
    lengths = np.zeros(POOL, np.int64)
    for place, seed in enumerate(seeds[: POOL // 2]):
        lengths[place] = min(len(seed), ROOM)
        streams[place, : lengths[place]] = np.frombuffer(seed[:ROOM], np.uint8)
    counts = np.array([min(len(seeds), POOL // 2), 0, 0], np.int64)
    knobs = np.zeros((POOL, KNOBS), np.int64)
    return Pool(streams, lengths, knobs, np.zeros(_MAP, np.uint8), counts, buf, case)


@either
def _size(value: int) -> int:
    """Return how large a number is, in powers of two."""
    size = 0
    while value > 0 and size < 15:
        value >>= 1
        size += 1
    return size


@either
def _features(world: World, features: Int64s) -> None:
    """Write what a case has done: counts by size, kinds of bars, the ways it came back."""
    found, ctl = world.found, world.ctl
    for place in range(len(_COUNTED)):
        features[place] = _size(ctl[_COUNTED[place]])
    at = len(_COUNTED)
    features[at : at + 10] = 0
    features[at] = found[REASONS]
    features[at + 1] = _size(found[CALLS])
    features[at + 2] = _size(found[MINUTES])
    features[at + 3] = found[LOG]
    for slot in range(CAPACITY):
        r = slot * k.STATE_WIDTH
        features[at + 4] |= 1 << world.state[r + k.SOURCE]
        features[at + 5] |= (world.state[r + k.PENDING_PRICE] != 0) << (
            world.state[r + k.FIRST_MARK] != 0
        )
        features[at + 6] = max(features[at + 6], _size(world.state[r + k.ROW_TRADE_COUNT]))
    for bar in range(found[LOG]):
        c = bar * k.BAR_WIDTH
        features[at + 7] |= 1 << (world.bars[c + k.BAR_FLAGS] & 15)
        features[at + 8] += world.bars[c + k.BAR_BEFORE] != 0
    features[at + 8] = _size(features[at + 8])
    for row in range(MARK_ROWS):
        features[at + 9] += (world.marks[row, k.MARK_LATE] > 0) + 4 * (
            world.marks[row, k.MARK_BEYOND_NS] > 0
        )


@either
def _news(pool: Pool, features: Int64s) -> int:
    """Return how many pairs of features no case before had, and note them."""
    fresh = 0
    for one in range(_FEATURES):
        for other in range(one, _FEATURES):
            place = (
                (one * _FEATURES + other) * 2_654_435
                + features[one] * 40_503
                + features[other] * 7_368_787
            ) & (_MAP - 1)
            if pool.seen[place] == 0:
                pool.seen[place] = 1
                fresh += 1
    return fresh


@either
def make_case(dice: Int64s, pool: Pool) -> int:
    """Put a spoilt stream and how to play it into `buf` and `case`; returns its length."""
    chosen, other = roll(dice, pool.counts[STREAMS]), roll(dice, pool.counts[STREAMS])
    length = pool.lengths[chosen]
    pool.buf[:length] = pool.streams[chosen, :length]
    pool.case[:] = pool.knobs[chosen]
    if pool.case[walk.SEED] == 0 or roll(dice, 3) == 0:
        walk.spin(dice, pool.case)
    length = mutate(dice, pool.buf, length, pool.streams[other], pool.lengths[other])
    pool.counts[LENGTH] = length
    return length


@either
def hunt(dice: Int64s, one: World, other: World, pool: Pool, cases: int) -> tuple[int, int]:
    """Play spoilt streams; returns how many, and the fault of the last one, 0 for none."""
    features = np.zeros(_FEATURES, np.int64)
    for done in range(cases):
        length = make_case(dice, pool)
        fault = walk.case_fault(one, other, pool.buf, length, pool.case)
        if fault != 0:
            return done + 1, fault
        _features(other, features)
        fresh = _news(pool, features)
        if fresh > 0:
            pool.counts[BEHAVIOURS] += fresh
            place = pool.counts[STREAMS]
            if place < POOL:
                pool.counts[STREAMS] += 1
            else:
                place = roll(dice, POOL)
            pool.streams[place, :length] = pool.buf[:length]
            pool.lengths[place] = length
            pool.knobs[place] = pool.case
    return cases, 0
