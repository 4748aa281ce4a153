"""The compiled loop's arrays, small and under guard, and when two sets of them hold the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market import kernel as k
from tests.fuzz.dice import Int64s, either

CAPACITY = 12
# Slots that are never given out: a negative index would reach them.
SPARE = 4
FIRST_BARS = 8
MOST_BARS = 64
ID_ROOM = 64
LATE_ROOM = 6
MARK_ROWS = 4
EDGE = 16
CANARY = 0x5A17_C0DE_0BAD_F00D


class World(NamedTuple):
    """The loop's arrays, each with `EDGE` cells beside it that nobody may touch."""

    whole: Int64s
    ids: NDArray[np.uint64]
    ctl: Int64s
    state: Int64s
    bars: Int64s
    touched: Int64s
    dirty: Int64s
    late: Int64s
    marks: Int64s
    prints: Int64s
    seen: Int64s
    instants: Int64s
    levels: Int64s
    taken: Int64s
    found: Int64s


# What became of a case: counts and marks, which features are made of.
CALLS, STEPS, NAMED, MINUTES, REASONS, LOG, STOPPED = range(7)
FOUND = 20
SLOTS = CAPACITY + SPARE
_SHAPES: tuple[tuple[int, ...], ...] = (
    (k.CTL_WIDTH,),
    (SLOTS * k.STATE_WIDTH,),
    (MOST_BARS * k.BAR_WIDTH,),
    (SLOTS,),
    (CAPACITY,),
    (LATE_ROOM, k.LATE_WIDTH),
    (MARK_ROWS, k.MARK_WIDTH),
    (k.PRINT_ROOM, k.PRINT_WIDTH),
    (SLOTS,),
    (3 * CAPACITY * k.INSTANT_WIDTH,),
    (SLOTS * k.LEVEL_WIDTH,),
)


def new_world() -> World:
    """Return arrays cut out of one block, with guarded cells between them."""
    sizes = [int(np.prod(shape)) for shape in (*_SHAPES, (ID_ROOM,))]
    whole = np.full(sum(sizes) + EDGE * (len(sizes) + 1), CANARY, np.int64)
    views, at = [], EDGE
    for size, shape in zip(sizes, (*_SHAPES, (ID_ROOM,)), strict=True):
        views.append(whole[at : at + size].reshape(shape))
        at += size + EDGE
    *arrays, ids = views
    taken = np.zeros((k.BAR_WIDTH, CAPACITY), np.int64)
    found = np.zeros(FOUND, np.int64)
    return World._make((whole, ids.view(np.uint64), *arrays, taken, found))


_EDGES = np.cumsum([0, *(int(np.prod(shape)) + EDGE for shape in (*_SHAPES, (ID_ROOM,)))])


@either
def guarded(world: World) -> bool:
    """Return whether all that lies between the arrays is as it was."""
    for edge in _EDGES:
        for cell in range(edge, edge + EDGE):
            if world.whole[cell] != CANARY:
                return False
    # Nothing but the next place could be meant by mistake: that is looked at, and the last.
    beyond = world.found[LOG] * k.BAR_WIDTH
    for cell in range(beyond, min(beyond + 2 * k.BAR_WIDTH, len(world.bars))):
        if world.bars[cell] != CANARY:
            return False
    return True


@either
def alike(one: World, other: World) -> bool:
    """Return whether two worlds hold the same, but for how the bytes came."""
    for field in range(k.PIPE):
        own = field in (k.POSITION, k.END, k.FINAL, k.RESUME_NS)
        if not own and one.ctl[field] != other.ctl[field]:
            return False
    if one.found[LOG] != other.found[LOG]:
        return False
    for at in range(len(one.state)):
        if one.state[at] != other.state[at]:
            return False
    for at in range(one.found[LOG] * k.BAR_WIDTH):
        if one.bars[at] != other.bars[at]:
            return False
    for row in range(MARK_ROWS):
        for field in range(k.MARK_WIDTH):
            if one.marks[row, field] != other.marks[row, field]:
                return False
    for row in range(min(one.ctl[k.PRINTS], k.PRINT_ROOM)):
        for field in range(k.PRINT_WIDTH):
            if one.prints[row, field] != other.prints[row, field]:
                return False
    return True
