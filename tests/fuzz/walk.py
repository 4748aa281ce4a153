"""Plays one stream through the compiled loop as an engine does, over small arrays under guard.

What is found wrong is returned as one of `FAULTS`. All of it runs compiled and as plain Python.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market import kernel as k
from tests.fuzz.dice import Bytes, Int64s, either, get, roll
from tests.fuzz.world import (
    CALLS,
    CANARY,
    CAPACITY,
    FIRST_BARS,
    ID_ROOM,
    LOG,
    MINUTES,
    MOST_BARS,
    NAMED,
    REASONS,
    SLOTS,
    STEPS,
    STOPPED,
    World,
    alike,
    guarded,
)

FAULTS = (
    "",
    "the position is outside of the piece that was given",
    "the event clock went back",
    "it never ends",
    "memory beside an array was written",
    "a slot is none of those given out",
    "a count lies outside of its array",
    "a link of the log of bars leads out of it",
    "records were lost or counted twice",
    "a bar's prices or times contradict one another",
    "it came back for no reason",
    "other pieces of the same bytes have another result",
    "a level was reached by a symbol that there is not",
)
(
    _FINE, POSITION, CLOCK, ENDLESS, GUARD, SLOT, COUNT, LINK, LOST, BAR, REASON, PIECES, LEVEL,
) = range(len(FAULTS))  # fmt: skip

# knobs: how a case is played
MARK_MODE = 0
WATCHING = 1
LEVELS = 2
FOCUS = 3
BACKFILLING = 4
HEALING = 5
SESSION = 6
PRIOR = 7
SKIPPING = 8
SEED = 9
KNOBS = 10


@either
def _reset(world: World, knobs: Int64s) -> None:
    world.ctl[:] = 0
    world.state[:] = 0
    # What the case before used of the log, all of it at first.
    used = world.found[LOG] if world.found[LOG] != 0 else MOST_BARS
    world.bars[: used * k.BAR_WIDTH] = CANARY
    world.bars[: FIRST_BARS * k.BAR_WIDTH] = 0
    world.ids[:] = 0
    world.marks[:] = 0
    world.marks[:, k.MARK_KEY] = -1
    world.levels[:] = k.NO_BELOW
    world.found[:] = 0
    world.found[LOG] = FIRST_BARS
    ctl = world.ctl
    ctl[k.MARK_MODE] = knobs[MARK_MODE]
    ctl[k.WATCHING] = knobs[WATCHING]
    ctl[k.LEVELS] = knobs[LEVELS]
    ctl[k.FOCUS] = knobs[FOCUS]
    ctl[k.BACKFILLING] = knobs[BACKFILLING]
    for slot in range(SLOTS):
        o = slot * k.LEVEL_WIDTH
        far = 10 * k.NANO + slot * k.NANO
        world.levels[o + k.MARK_ABOVE] = far if knobs[LEVELS] == 1 else k.NO_ABOVE
        world.levels[o + k.LAST_ABOVE] = far if knobs[LEVELS] == 2 else k.NO_ABOVE
        world.levels[o + k.MID_ABOVE] = far if knobs[LEVELS] == 3 else k.NO_ABOVE
        world.levels[o + k.WAKE_NS] = k.NO_ABOVE


@either
def _start(world: World, knobs: Int64s, ns: int) -> None:
    """Let the day be as it is where the first record tells the time."""
    ctl = world.ctl
    day = ns // k.DAY_NS * k.DAY_NS
    ctl[k.DAY_START_NS] = day if knobs[SESSION] < 3 else ns
    ctl[k.SESSION_START_NS] = day + 8 * 60 * k.MINUTE_NS if knobs[SESSION] & 1 else ns
    ctl[k.IN_SESSION] = 1 if knobs[SESSION] != 2 else 0
    ctl[k.PRE_NS] = day
    ctl[k.POST_END_NS] = day + k.DAY_NS
    if knobs[HEALING]:
        ctl[k.HEAL_FROM_NS] = ns - 10 * k.MINUTE_NS
        ctl[k.HEAL_TO_NS] = ns + 10 * k.MINUTE_NS
    if knobs[PRIOR]:
        ctl[k.HELD_FROM_MINUTE] = ns // k.MINUTE_NS - knobs[PRIOR]
    if knobs[SKIPPING]:
        for row in range(2):
            world.marks[row, k.MARK_KEY] = row << 16 | 95
            world.marks[row, k.MARK_NS] = ns + knobs[SKIPPING] * k.NANO
            world.marks[row, k.MARK_SKIP_NS] = ns + knobs[SKIPPING] * k.NANO
            world.marks[row, k.MARK_SKIP_LEFT] = 2
            world.marks[row, k.MARK_SKIP_LATE] = 1


@either
def _assign(world: World, number: int, slot: int) -> None:
    """Let an id stand for a slot; where the table is half full it begins anew."""
    found = world.found
    if k.find_slot(world.ids, number) < 0:
        found[NAMED] += 1
        if found[NAMED] * 2 > ID_ROOM:
            world.ids[:] = 0
            found[NAMED] = 1
    ids = np.zeros(1, np.int64)
    slots = np.zeros(1, np.int64)
    ids[0] = number
    slots[0] = slot
    k.assign_slots(world.ids, ids, slots)


@either
def _close_minute(world: World, marks: NDArray[np.float64], knobs: Int64s) -> None:
    """What stands at the end of a minute, and a new session now and then."""
    ctl = world.ctl
    if ctl[k.WATCHING] != 0 and ctl[k.SECOND_NS] <= ctl[k.STOP_NS]:
        if not k.close_second(world.state, world.bars, ctl, world.seen, world.instants):
            ctl[k.INSTANTS] = 0
            k.close_second(world.state, world.bars, ctl, world.seen, world.instants)
        ctl[k.SECOND_NS] = ctl[k.STOP_NS]
    k.take_marks(world.state, world.touched, int(ctl[k.TOUCHED_COUNT]), marks)
    ctl[k.TOUCHED_COUNT] = 0
    world.found[MINUTES] += 1
    if world.found[MINUTES] % 5 == 0 and knobs[SESSION] != 2:
        for slot in range(SLOTS):
            for field in range(k.OPEN_NS, k.NANOS + 1):
                world.state[slot * k.STATE_WIDTH + field] = 0
        ctl[k.SESSION_START_NS] = ctl[k.RESUME_NS]


@either
def _flush(world: World) -> int:
    """Take the bars that changed and the late trades; returns a fault."""
    ctl = world.ctl
    fault = _counts(world)
    if fault != 0:
        return fault
    count = int(ctl[k.DIRTY_COUNT])
    k.gather_dirty(world.bars, world.dirty, count, world.taken)
    for bar in range(count):
        low, high = world.taken[k.BAR_LOW, bar], world.taken[k.BAR_HIGH, bar]
        for field in (k.BAR_OPEN, k.BAR_CLOSE):
            if not low <= world.taken[field, bar] <= high:
                return BAR
        if low <= 0 or world.taken[k.BAR_FIRST_NS, bar] > world.taken[k.BAR_LAST_NS, bar]:
            return BAR
        if world.taken[k.BAR_FIRST_NS, bar] // k.MINUTE_NS != world.taken[k.BAR_MINUTE, bar]:
            return BAR
        if not 0 <= world.taken[k.BAR_SLOT, bar] < CAPACITY:
            return SLOT
    ctl[k.DIRTY_COUNT] = 0
    ctl[k.LATE_COUNT] = 0
    return 0


@either
def _counts(world: World) -> int:
    """Return a fault where a count or what is counted lies outside; 0 where all is well."""
    ctl, found = world.ctl, world.found
    if not 0 <= ctl[k.DIRTY_COUNT] <= len(world.dirty):
        return COUNT
    if not 0 <= ctl[k.LATE_COUNT] <= len(world.late):
        return COUNT
    if not (0 <= ctl[k.TOUCHED_COUNT] <= CAPACITY and 0 <= ctl[k.SEEN_COUNT] <= CAPACITY):
        return COUNT
    if not 0 <= ctl[k.INSTANTS] * k.INSTANT_WIDTH <= len(world.instants):
        return COUNT
    if not 0 <= ctl[k.BARS_HEAD] < found[LOG]:
        return COUNT
    for place in range(ctl[k.DIRTY_COUNT]):
        if not 0 <= world.dirty[place] < found[LOG]:
            return LINK
    for place in range(ctl[k.LATE_COUNT]):
        if not 0 <= world.late[place, k.LATE_SLOT] < CAPACITY:
            return SLOT
    for place in range(ctl[k.TOUCHED_COUNT]):
        if not 0 <= world.touched[place] < CAPACITY:
            return SLOT
    for place in range(ctl[k.SEEN_COUNT]):
        if not 0 <= world.seen[place] < CAPACITY:
            return SLOT
    return 0


@either
def _links(world: World) -> int:
    """Return a fault where a link leads out of the log, or a slot that is not given out is used."""
    log = world.found[LOG]
    for slot in range(SLOTS):
        r = slot * k.STATE_WIDTH
        if slot >= CAPACITY:
            for field in range(k.STATE_WIDTH):
                if world.state[r + field] != 0:
                    return SLOT
        if not 0 <= world.state[r + k.NEWEST_BAR] <= log:
            return LINK
        if world.state[r + k.LOW] > world.state[r + k.HIGH]:
            return BAR
    for bar in range(log):
        c = bar * k.BAR_WIDTH
        if not 0 <= world.bars[c + k.BAR_BEFORE] <= log:
            return LINK
        if not 0 <= world.bars[c + k.BAR_SLOT] < CAPACITY:
            return SLOT
    return 0


@either
def _answer(
    world: World, buf: Bytes, knobs: Int64s, reason: int, marks: NDArray[np.float64]
) -> int:
    """Do what an engine does when the loop comes back; returns a fault."""
    ctl, found = world.ctl, world.found
    at = int(ctl[k.POSITION])
    if reason == k.BOUNDARY:
        ns = int(ctl[k.RESUME_NS])
        if ns < ctl[k.STOP_NS]:
            return REASON
        if found[MINUTES] == 0:
            _start(world, knobs, ns)
            found[MINUTES] = 1
        else:
            _close_minute(world, marks, knobs)
        ctl[k.STOP_NS] = ns // k.MINUTE_NS * k.MINUTE_NS + k.MINUTE_NS
    elif reason == k.CONTROL:
        number = get(buf, at + 4, 4)
        if buf[at + 1] == 0x16:
            _assign(world, number, number % CAPACITY)
        ctl[k.POSITION] = at + int(buf[at]) * 4
        found[STEPS] += 1
    elif reason == k.NEW_ID:
        number = get(buf, at + 4, 4)
        _assign(world, number, number % CAPACITY)
    elif reason == k.FLUSH:
        return _flush(world)
    elif reason == k.GROW:
        log = found[LOG] * k.BAR_WIDTH
        if 2 * log > len(world.bars):
            found[STOPPED] = 1
        else:
            world.bars[log : 2 * log] = 0
            ctl[k.BARS_HEAD] = found[LOG]
            found[LOG] *= 2
    elif reason == k.EVALUATE:
        ctl[k.INSTANTS] = 0
    elif reason == k.MOVED_BEYOND:
        if not 0 < ctl[k.MOVED] <= CAPACITY:
            return LEVEL
    else:
        return REASON
    return 0


@either
def play(world: World, buf: Bytes, length: int, knobs: Int64s, pieces: bool) -> int:
    """Play the first bytes of a stream, in random pieces or at once; returns a fault, 0 for none.

    Args:
        world: What is played into; set back first.
        buf: The stream.
        length: How many of its bytes.
        knobs: How, `KNOBS` numbers.
        pieces: Whether the bytes come little by little.
    """
    _reset(world, knobs)
    ctl, found = world.ctl, world.found
    dice = np.zeros(1, np.int64)
    dice[0] = knobs[SEED] + 1
    marks = np.zeros(SLOTS, np.float64)
    end = 0 if pieces else length
    walked = 0
    while True:
        found[CALLS] += 1
        if found[CALLS] > 8 * length + 400:
            return ENDLESS
        before, clock = int(ctl[k.POSITION]), ctl[k.CLOCK_NS]
        ctl[k.END] = end
        bars = world.bars[: found[LOG] * k.BAR_WIDTH]
        # Beyond its end there is nothing that could be read.
        reason = k.consume(
            buf[:end], ctl, world.state, bars, world.ids, world.touched, world.dirty, world.late,
            world.marks, world.prints, world.seen, world.instants, world.levels,
        )  # fmt: skip
        found[REASONS] |= 1 << reason
        if not before <= ctl[k.POSITION] <= end:
            return POSITION
        if ctl[k.CLOCK_NS] < clock:
            return CLOCK
        at = before
        while at < ctl[k.POSITION]:
            at += int(buf[at]) * 4
            walked += 1
        if at != ctl[k.POSITION]:
            return POSITION
        fault = _counts(world)
        if fault != 0:
            return fault
        if reason == k.NEED_BYTES:
            if end < length:
                end = min(length, end + 1 + roll(dice, 420))
            elif ctl[k.FINAL] == 0:
                ctl[k.FINAL] = 1
            else:
                break
        elif reason == k.CORRUPT:
            break
        else:
            fault = _answer(world, buf, knobs, reason, marks)
            if fault != 0:
                return fault
            if found[STOPPED] != 0:
                break
    if ctl[k.RECORDS] + ctl[k.REPEATED] != walked:
        return LOST
    if not guarded(world):
        return GUARD
    fault = _links(world)
    return fault if fault != 0 else _flush(world)


@either
def case_fault(one: World, other: World, buf: Bytes, length: int, knobs: Int64s) -> int:
    """Play a stream at once and in pieces; returns a fault, 0 for none."""
    fault = play(one, buf, length, knobs, False)
    if fault == 0:
        fault = play(other, buf, length, knobs, True)
    if fault == 0 and one.found[STOPPED] == 0 and not alike(one, other):
        fault = PIECES
    return fault


@either
def spin(dice: Int64s, knobs: Int64s) -> None:
    """Set the knobs by chance."""
    knobs[MARK_MODE] = roll(dice, 3)
    knobs[WATCHING] = roll(dice, 2)
    knobs[LEVELS] = roll(dice, 4)
    knobs[FOCUS] = roll(dice, CAPACITY + 1)
    knobs[BACKFILLING] = roll(dice, 4) == 0
    knobs[HEALING] = roll(dice, 6) == 0
    knobs[SESSION] = roll(dice, 4)
    knobs[PRIOR] = roll(dice, 3) if roll(dice, 4) == 0 else 0
    knobs[SKIPPING] = roll(dice, 200) if roll(dice, 4) == 0 else 0
    knobs[SEED] = roll(dice, 1 << 30)
