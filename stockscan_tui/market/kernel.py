"""The compiled loop: DBN bytes in, state of every instrument and one-minute bars out.

It belongs to the engine's thread, holds no Python object and no GIL, and is safe on any bytes:
each record is checked against its type's least length before a field is read. It returns at
event-time boundaries that the caller sets, and wherever Python has something to decide.

Layouts (all int64; prices in 1e-9 dollars, 0 for none; times in ns since 1970, UTC):

* `ctl`, one vector of the constants below: what the caller asks, and running counts.
* `state[slot]`, a row of `STATE_WIDTH` values per symbol; its first 64 bytes are all a quote needs.
* `bars`, a log of bars in the order in which they began, written round and round. A symbol's newest
  bar is named by its state, and each bar names the one before it, so a late trade finds its own.
  A bar is overwritten when it is more than an hour old; links to it are recognised as dangling.
* `ids`, an open-addressing hash from instrument id to slot: (id << 32 | slot + 1), 0 where empty.
* `touched`, slots whose mark changed since the last minute close.
* `seen`, slots that had a record in the second that goes on, while anybody watches seconds.
* `instants`, what those symbols stood at as each second ended: `INSTANT_WIDTH` columns.
* `levels[slot]`, the prices that somebody waits for: a row of `LEVEL_WIDTH` values.
* `dirty`, cells changed since they were last taken (their places in the log).
* `late`, trades that the log or the running session no longer hold: rows of `LATE_WIDTH` values.
* `prints`, the last trades of the symbol in focus, written round and round in the order in which
  they came: rows of `PRINT_WIDTH` values.
* `marks`, the watermarks, a row per record type and publisher: what was applied last, and what a
  stream that was taken up again repeats and is to be passed over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.compiled import borrowed, compiled, inlined, prefetch

Bytes = NDArray[np.uint8]
Int64s = NDArray[np.int64]
UInt64s = NDArray[np.uint64]

# ctl: what the caller sets (and from BACKFILLING to HEAL_TO_NS)
POSITION = 0
END = 1
STOP_NS = 2
DAY_START_NS = 3
SESSION_START_NS = 4
IN_SESSION = 5
MARK_MODE = 6
FINAL = 7
PRE_NS = 20
POST_END_NS = 21
BARS = 22
TOUCHED_COUNT = 23
# ctl: what the loop keeps
CLOCK_NS = 8
RECORDS = 9
TRADES = 10
QUOTES = 11
LATE = 12
UNKNOWN = 13
BAD_TIMES = 14
BAD_PRICES = 15
DIRTY_COUNT = 16
LATE_COUNT = 17
FIRST_NS = 18
RESUME_NS = 19
BARS_HEAD = 24
REPEATED = 25
BACKFILLING = 26
HEAL_FROM_NS = 27
HEAL_TO_NS = 28
HEAL_FIRST_NS = 29
HELD_FROM_MINUTE = 30
# The slot whose trades go to `prints`, plus one; 0 for none. How many have gone there since.
FOCUS = 31
PRINTS = 32
# Whether seconds are watched, the end of the one that goes on, and what has come of them.
WATCHING = 33
SECOND_NS = 34
SEEN_COUNT = 35
INSTANTS = 36
# Whether levels are watched; the slot that has reached one, plus one, and the record's time.
LEVELS = 37
MOVED = 38
MOVED_NS = 39
# At the beginning of a cache line.
PIPE = 40
PIPE_DEPTH = 16
CTL_WIDTH = PIPE + PIPE_DEPTH

MARK_AUTO = 0
MARK_TRADE = 1
MARK_MID = 2

# state[slot]
BID = 0
ASK = 1
MARK = 2
QUOTE_NS = 3
TOUCHED = 4
LAST = 5
TRADE_NS = 6
FIRST_MARK = 7
PENDING_PRICE = 8
PENDING_NS = 9
OPEN_NS = 10
OPEN = 11
HIGH = 12
LOW = 13
VOLUME = 14
TRADE_COUNT = 15
DOLLARS = 16
NANOS = 17
BAR_COUNT = 18
SOURCE = 19
ROW_TRADE_NS = 20
ROW_TRADE_COUNT = 21
NEWEST_BAR = 22
TRADES_FROM_NS = 23
STATE_WIDTH = 24

# state[slot, TOUCHED]: noted in `touched`, and in `seen`
TOUCHED_MARK = 1
TOUCHED_SECOND = 2

# state[slot, SOURCE]: which records make the symbol's bars; a better kind replaces a lesser one
FROM_NOTHING = 0
FROM_OHLCV_1M = 1
FROM_OHLCV_1S = 2
FROM_ROWS = 3
FROM_TRADES = 4

# bars[place]
KEPT_MINUTES = 64
# How many of a symbol's bars are gone back over for a late trade.
MOST_STEPS = 4_096
# Sources that take turns may be a minute apart.
SPARE_MINUTES = 2
BAR_MINUTE = 0
BAR_OPEN = 1
BAR_HIGH = 2
BAR_LOW = 3
BAR_CLOSE = 4
BAR_VOLUME = 5
BAR_TRADES = 6
BAR_DOLLARS = 7
BAR_NANOS = 8
BAR_FIRST_NS = 9
BAR_LAST_NS = 10
BAR_FLAGS = 11
BAR_SLOT = 12
BAR_BEFORE = 13
BAR_WIDTH = 14
BAR_DIRTY = 1
BAR_OHLCV = 2
BAR_WHOLE = 4
BAR_BACKFILL = 8

# late rows
LATE_SLOT = 0
LATE_NS = 1
LATE_PRICE = 2
LATE_SIZE = 3
LATE_WHY = 4
LATE_WIDTH = 5
LATE_BAR = 1
LATE_SESSION = 2
# Not late, but of a time that its own flags call wrong.
LATE_DOUBT = 4
BAD_TS_RECV = 8

# prints[place]: ts_recv, price, shares, and the side as the record has it
PRINT_ROOM = 256
PRINT_NS = 0
PRINT_PRICE = 1
PRINT_SIZE = 2
PRINT_SIDE = 3
PRINT_WIDTH = 4
SELL = 0x41
BUY = 0x42

# instants[column * room + row], where there is room for so many rows: the slot, the second's end,
# the symbol's state, and its bar of the minute that goes on (zeros where it has none)
INSTANT_SLOT = 0
INSTANT_NS = 1
INSTANT_STATE = 2
# The fields of the state that are noted: those before SOURCE.
NOTED_STATE = SOURCE
INSTANT_HIGH = INSTANT_STATE + NOTED_STATE
INSTANT_LOW = INSTANT_HIGH + 1
INSTANT_CLOSE = INSTANT_HIGH + 2
INSTANT_VOLUME = INSTANT_HIGH + 3
INSTANT_TRADES = INSTANT_HIGH + 4
INSTANT_DOLLARS = INSTANT_HIGH + 5
INSTANT_NANOS = INSTANT_HIGH + 6
INSTANT_WIDTH = INSTANT_HIGH + 7

# levels[slot]: at or above the first and at or below the second of each pair somebody wants to
# know, and from the instant WAKE_NS on whatever comes
MARK_ABOVE = 0
MARK_BELOW = 1
LAST_ABOVE = 2
LAST_BELOW = 3
MID_ABOVE = 4
MID_BELOW = 5
WAKE_NS = 6
LEVEL_WIDTH = 8
NO_ABOVE = 2**63 - 1
NO_BELOW = 0

# marks[row]: rtype << 16 | publisher, the newest ts_recv applied, the records at it, and the older
# ones that came late behind it; then, while a stream repeats itself, the ts_recv up to which it
# does (0 once it is past), how many records at that instant and how many late ones are still to
# come again, and the ts_recv of the first record beyond it
MARK_KEY = 0
MARK_NS = 1
MARK_COUNT = 2
MARK_LATE = 3
MARK_SKIP_NS = 4
MARK_SKIP_LEFT = 5
MARK_SKIP_LATE = 6
MARK_BEYOND_NS = 7
MARK_WIDTH = 8

# why the loop came back
NEED_BYTES = 0
BOUNDARY = 1
CONTROL = 2
NEW_ID = 3
FLUSH = 4
GROW = 5
CORRUPT = 6
EVALUATE = 7
MOVED_BEYOND = 8

MINUTE_NS = 60_000_000_000
DAY_NS = 86_400_000_000_000
# Two times that are absurd seldom lie so near each other.
AGREEING_NS = 30 * DAY_NS
PRINT_WAIT_NS = 60_000_000_000
NULL_PRICE = 2**63 - 1
# Prices of $9 million and more cannot be kept to 1e-9 in a double, nor summed in 64 bits.
MAX_PRICE = 2**53
MAX_VOLUME = 2**52
MAX_SIZE = 2**32
NANO = 1_000_000_000
EARLIEST_NS = 946_684_800 * NANO
LATEST_NS = 7_258_118_400 * NANO
ACTION_T = 0x54
HASH = np.uint64(0x9E3779B97F4A7C15)


@inlined
def u32(buf: Bytes, at: int) -> int:
    """Return the unsigned 32 bits at a place."""
    o = np.uint64(at)
    return np.int64(
        np.uint32(buf[o])
        | np.uint32(buf[o + np.uint64(1)]) << np.uint32(8)
        | np.uint32(buf[o + np.uint64(2)]) << np.uint32(16)
        | np.uint32(buf[o + np.uint64(3)]) << np.uint32(24)
    )


@inlined
def i64(buf: Bytes, at: int) -> int:
    """Return the signed 64 bits at a place."""
    o = np.uint64(at)
    return np.int64(
        np.uint64(buf[o])
        | np.uint64(buf[o + np.uint64(1)]) << np.uint64(8)
        | np.uint64(buf[o + np.uint64(2)]) << np.uint64(16)
        | np.uint64(buf[o + np.uint64(3)]) << np.uint64(24)
        | np.uint64(buf[o + np.uint64(4)]) << np.uint64(32)
        | np.uint64(buf[o + np.uint64(5)]) << np.uint64(40)
        | np.uint64(buf[o + np.uint64(6)]) << np.uint64(48)
        | np.uint64(buf[o + np.uint64(7)]) << np.uint64(56)
    )


@compiled
def find_slot(ids: UInt64s, instrument_id: int) -> int:
    """Return the slot of an instrument id, -1 where it is not mapped."""
    mask = np.uint64(len(ids) - 1)
    key = np.uint64(instrument_id)
    at = ((key * HASH) >> np.uint64(32)) & mask
    while True:
        entry = ids[at]
        if entry == 0:
            return -1
        if entry >> np.uint64(32) == key:
            return np.int64(entry & np.uint64(0xFFFFFFFF)) - 1
        at = (at + np.uint64(1)) & mask


@compiled
def assign_slots(ids: UInt64s, instrument_ids: Int64s, slots: Int64s) -> None:
    """Map each instrument id to its slot; `ids` must have room (at most half full)."""
    mask = np.uint64(len(ids) - 1)
    for k in range(len(instrument_ids)):
        key = np.uint64(instrument_ids[k])
        at = ((key * HASH) >> np.uint64(32)) & mask
        while ids[at] != 0 and ids[at] >> np.uint64(32) != key:
            at = (at + np.uint64(1)) & mask
        ids[at] = key << np.uint64(32) | np.uint64(slots[k] + 1)


@inlined
def _quote_stands(bid: int, ask: int) -> bool:
    """Two-sided, uncrossed, and no wider than 2 % of its mid."""
    if bid <= 0 or ask < bid:
        return False
    # Prices below MAX_PRICE leave room for the factor.
    return (ask - bid) * 50 <= (bid + ask) >> 1


@inlined
def _touch(state: Int64s, r: int, ctl: Int64s, touched: Int64s) -> None:
    """Note that the symbol's mark changed in this minute."""
    if state[r + TOUCHED] & TOUCHED_MARK == 0:
        state[r + TOUCHED] |= TOUCHED_MARK
        touched[ctl[TOUCHED_COUNT]] = r // STATE_WIDTH
        ctl[TOUCHED_COUNT] += 1


@inlined
def _apply_quote(
    state: Int64s, r: int, ctl: Int64s, touched: Int64s, ts: int, bid: int, ask: int
) -> None:
    if ts < state[r + QUOTE_NS]:
        return
    # Null and absurd prices are a missing side.
    if bid <= 0 or bid >= MAX_PRICE:
        bid = 0
    if ask <= 0 or ask >= MAX_PRICE:
        ask = 0
    state[r + BID] = bid
    state[r + ASK] = ask
    state[r + QUOTE_NS] = ts
    if ctl[MARK_MODE] != MARK_TRADE and _quote_stands(bid, ask):
        state[r + MARK] = (bid + ask) >> 1
        _touch(state, r, ctl, touched)
        if state[r + FIRST_MARK] == 0 and ctl[IN_SESSION] != 0:
            state[r + FIRST_MARK] = state[r + MARK]


@inlined
def _suspicious_side(state: Int64s, r: int, price: int) -> int:
    """+1 or -1 for a print far above or below what the symbol stands at, 0 for a good one."""
    bid = state[r + BID]
    ask = state[r + ASK]
    if _quote_stands(bid, ask):
        if price > ask + ask // 10:
            return 1
        return -1 if price < bid - bid // 10 else 0
    mark = state[r + MARK]
    if mark > 0:
        if price > mark + mark // 5:
            return 1
        return -1 if price < mark - mark // 5 else 0
    return 0


@inlined
def _good_print(state: Int64s, r: int, ctl: Int64s, touched: Int64s, ts: int, price: int) -> None:
    """Let a trusted print touch mark, open, high and low."""
    if ts >= state[r + TRADE_NS] and ctl[MARK_MODE] != MARK_MID:
        stands = ctl[MARK_MODE] == MARK_AUTO and _quote_stands(state[r + BID], state[r + ASK])
        if not stands:
            state[r + MARK] = price
            _touch(state, r, ctl, touched)
            if state[r + FIRST_MARK] == 0 and ctl[IN_SESSION] != 0:
                state[r + FIRST_MARK] = price
    if ctl[IN_SESSION] == 0 or ts < ctl[SESSION_START_NS]:
        return
    if state[r + OPEN_NS] == 0 or ts < state[r + OPEN_NS]:
        state[r + OPEN] = price
        state[r + OPEN_NS] = ts
    if price > state[r + HIGH]:
        state[r + HIGH] = price
    if state[r + LOW] == 0 or price < state[r + LOW]:
        state[r + LOW] = price


@inlined
def _guard_print(state: Int64s, r: int, ctl: Int64s, touched: Int64s, ts: int, price: int) -> None:
    """Hold a print far off until a second one on its side within a minute agrees."""
    side = _suspicious_side(state, r, price)
    if side == 0:
        _good_print(state, r, ctl, touched, ts, price)
        return
    pending = state[r + PENDING_PRICE]
    pending_side = 1 if pending > 0 else -1
    agrees = pending != 0 and pending_side == side
    if agrees and abs(ts - state[r + PENDING_NS]) <= PRINT_WAIT_NS:
        _good_print(state, r, ctl, touched, state[r + PENDING_NS], abs(pending))
        _good_print(state, r, ctl, touched, ts, price)
        state[r + PENDING_PRICE] = 0
        return
    state[r + PENDING_PRICE] = price * side
    state[r + PENDING_NS] = ts


@inlined
def _add_money(
    state: Int64s, r: int, dollars_at: int, nanos_at: int, price: int, size: int
) -> None:
    """Add price × size in two integers: whole dollars, and 1e-9 dollars below 1e9."""
    nanos = state[r + nanos_at] + (price % NANO) * size
    state[r + dollars_at] += (price // NANO) * size + nanos // NANO
    state[r + nanos_at] = nanos % NANO


@inlined
def _note_late(
    ctl: Int64s, late: Int64s, slot: int, ts: int, price: int, size: int, why: int
) -> None:
    at = ctl[LATE_COUNT]
    late[at, LATE_SLOT] = slot
    late[at, LATE_NS] = ts
    late[at, LATE_PRICE] = price
    late[at, LATE_SIZE] = size
    late[at, LATE_WHY] = why
    ctl[LATE_COUNT] += 1


@inlined
def _bar_of(state: Int64s, bars: Int64s, ctl: Int64s, slot: int, minute: int) -> int:
    """Return where the symbol's bar of that minute begins in the log; begin it if there is none.

    A new bar has no volume yet. -1 where the bar may have been there and was overwritten.
    """
    r = slot * STATE_WIDTH
    place = state[r + NEWEST_BAR]
    newer = -1
    bound = np.int64(2**62)
    steps = 0
    while place != 0:
        steps += 1
        if steps > MOST_STEPS:
            # No market trades so far back so often: the store puts it where it belongs.
            return -1
        c: int = (place - 1) * BAR_WIDTH
        found = bars[c + BAR_MINUTE]
        if bars[c + BAR_SLOT] != slot or found >= bound:
            # A dangling link: bars before this one were more than an hour old.
            if minute <= ctl[CLOCK_NS] // MINUTE_NS - KEPT_MINUTES:
                return -1
            break
        if found == minute:
            return c
        if found < minute:
            break
        bound = found
        newer = c
        place = bars[c + BAR_BEFORE]
    if minute < ctl[HELD_FROM_MINUTE]:
        # An earlier run had this minute, and only the store knows whether it had the bar.
        return -1
    head = ctl[BARS_HEAD]
    c = head * BAR_WIDTH
    for f in range(BAR_WIDTH):
        bars[c + f] = 0
    bars[c + BAR_MINUTE] = minute
    bars[c + BAR_SLOT] = slot
    bars[c + BAR_BEFORE] = place
    if newer < 0:
        state[r + NEWEST_BAR] = head + 1
    else:
        bars[newer + BAR_BEFORE] = head + 1
    ctl[BARS_HEAD] = head + 1 if (head + 2) * BAR_WIDTH <= len(bars) else 0
    ctl[BARS] += 1
    return c


@inlined
def _set_bar(bars: Int64s, c: int, ts: int, price: int) -> None:
    """Let a new bar begin with its first trade."""
    bars[c + BAR_OPEN] = price
    bars[c + BAR_HIGH] = price
    bars[c + BAR_LOW] = price
    bars[c + BAR_CLOSE] = price
    bars[c + BAR_FIRST_NS] = ts
    bars[c + BAR_LAST_NS] = ts


@inlined
def _mark_dirty(bars: Int64s, c: int, ctl: Int64s, dirty: Int64s) -> None:
    if bars[c + BAR_FLAGS] & BAR_DIRTY == 0:
        bars[c + BAR_FLAGS] |= BAR_DIRTY
        dirty[ctl[DIRTY_COUNT]] = c // BAR_WIDTH
        ctl[DIRTY_COUNT] += 1


@inlined
def _add_to_bar(bars: Int64s, c: int, ts: int, price: int, size: int) -> None:
    if price > bars[c + BAR_HIGH]:
        bars[c + BAR_HIGH] = price
    if price < bars[c + BAR_LOW]:
        bars[c + BAR_LOW] = price
    if ts < bars[c + BAR_FIRST_NS]:
        bars[c + BAR_FIRST_NS] = ts
        bars[c + BAR_OPEN] = price
    if ts >= bars[c + BAR_LAST_NS]:
        bars[c + BAR_LAST_NS] = ts
        bars[c + BAR_CLOSE] = price
    bars[c + BAR_VOLUME] += size
    bars[c + BAR_TRADES] += 1
    _add_money(bars, c, BAR_DOLLARS, BAR_NANOS, price, size)


@inlined
def _count_bar(state: Int64s, r: int, ctl: Int64s, ts: int) -> None:
    if ctl[PRE_NS] <= ts < ctl[POST_END_NS]:
        state[r + BAR_COUNT] += 1


@inlined
def _apply_trade(
    state: Int64s,
    bars: Int64s,
    ctl: Int64s,
    touched: Int64s,
    dirty: Int64s,
    late: Int64s,
    slot: int,
    ts: int,
    price: int,
    size: int,
) -> None:
    """One trade into its bar, its session's figures, last and mark."""
    r = slot * STATE_WIDTH
    minute = ts // MINUTE_NS
    c = _bar_of(state, bars, ctl, slot, minute)
    why = 0
    # A bar record already counted this minute's volume.
    counted = c >= 0 and bars[c + BAR_FLAGS] & BAR_OHLCV != 0
    if c < 0:
        why |= LATE_BAR
    elif not counted:
        if bars[c + BAR_VOLUME] == 0:
            _set_bar(bars, c, ts, price)
            _count_bar(state, r, ctl, ts)
        _mark_dirty(bars, c, ctl, dirty)
        _add_to_bar(bars, c, ts, price, size)
    if ts >= ctl[DAY_START_NS]:
        _guard_print(state, r, ctl, touched, ts, price)
        if ts >= state[r + TRADE_NS]:
            state[r + LAST] = price
            state[r + TRADE_NS] = ts
        if ts < ctl[SESSION_START_NS]:
            if not counted:
                why |= LATE_SESSION
        elif ctl[IN_SESSION] != 0 and not counted:
            state[r + VOLUME] += size
            state[r + TRADE_COUNT] += 1
            _add_money(state, r, DOLLARS, NANOS, price, size)
    if why != 0:
        _note_late(ctl, late, slot, ts, price, size, why)


@inlined
def _note_print(ctl: Int64s, prints: Int64s, ts: int, price: int, size: int, side: int) -> None:
    at = ctl[PRINTS] & (PRINT_ROOM - 1)
    prints[at, PRINT_NS] = ts
    prints[at, PRINT_PRICE] = price
    prints[at, PRINT_SIZE] = size
    prints[at, PRINT_SIDE] = side
    ctl[PRINTS] += 1


@inlined
def _counts_row_trade(state: Int64s, r: int, ts: int) -> bool:
    """Whether a `T` row makes bars here: not where the symbol's trades come as trade records."""
    if state[r + SOURCE] == FROM_TRADES:
        # Those records may begin in mid-session, ahead of the rows.
        before: bool = ts < state[r + TRADES_FROM_NS]
        return before
    state[r + SOURCE] = FROM_ROWS
    if ts != state[r + ROW_TRADE_NS]:
        state[r + ROW_TRADE_NS] = ts
        state[r + ROW_TRADE_COUNT] = 0
    state[r + ROW_TRADE_COUNT] += 1
    return True


@inlined
def _counts_trade_record(state: Int64s, r: int, ts: int) -> bool:
    """Whether a trade record is new: the `T` rows before it may have brought the same trades."""
    if state[r + SOURCE] != FROM_TRADES:
        state[r + SOURCE] = FROM_TRADES
        state[r + TRADES_FROM_NS] = ts
    if ts > state[r + ROW_TRADE_NS]:
        return True
    if ts == state[r + ROW_TRADE_NS] and state[r + ROW_TRADE_COUNT] == 0:
        return True
    if ts == state[r + ROW_TRADE_NS]:
        state[r + ROW_TRADE_COUNT] -= 1
    return False


@inlined
def _good_trade(ctl: Int64s, price: int, size: int) -> bool:
    if price <= 0 or price >= MAX_PRICE:
        ctl[BAD_PRICES] += 1
        return False
    return size > 0


@inlined
def _apply_ohlcv(
    buf: Bytes,
    at: int,
    rank: int,
    state: Int64s,
    bars: Int64s,
    ctl: Int64s,
    touched: Int64s,
    dirty: Int64s,
    slot: int,
    ts: int,
) -> None:
    """A bar record as it stands (minutes), or added to its minute (seconds)."""
    opening = i64(buf, at + 16)
    high = i64(buf, at + 24)
    low = i64(buf, at + 32)
    close = i64(buf, at + 40)
    volume = i64(buf, at + 48)
    r = slot * STATE_WIDTH
    minute = ts // MINUTE_NS
    if state[r + SOURCE] > rank and not (
        # The minute in which a symbol's trade records began is whole in its bar alone.
        rank == FROM_OHLCV_1M
        and state[r + SOURCE] == FROM_TRADES
        and minute == state[r + TRADES_FROM_NS] // MINUTE_NS
        and state[r + TRADES_FROM_NS] > state[r + ROW_TRADE_NS]
    ):
        return
    if low <= 0 or high >= MAX_PRICE or not (low <= opening <= high and low <= close <= high):
        ctl[BAD_PRICES] += 1
        return
    if volume <= 0 or volume > MAX_VOLUME:
        return
    state[r + SOURCE] = max(state[r + SOURCE], rank)
    c = _bar_of(state, bars, ctl, slot, minute)
    if c < 0:
        return
    if rank == FROM_OHLCV_1S and bars[c + BAR_FLAGS] & BAR_WHOLE != 0:
        # The minute's own bar was here before its seconds.
        return
    replaced = bars[c + BAR_VOLUME]
    if replaced == 0:
        _count_bar(state, r, ctl, ts)
    if replaced == 0 or rank == FROM_OHLCV_1M:
        _set_bar(bars, c, ts, opening)
    if rank == FROM_OHLCV_1M:
        bars[c + BAR_FLAGS] |= BAR_WHOLE
        bars[c + BAR_VOLUME] = 0
        if ctl[IN_SESSION] != 0 and ts >= ctl[SESSION_START_NS]:
            state[r + VOLUME] -= replaced
    _mark_dirty(bars, c, ctl, dirty)
    bars[c + BAR_FLAGS] |= BAR_OHLCV
    if ctl[BACKFILLING] != 0:
        bars[c + BAR_FLAGS] |= BAR_BACKFILL
    bars[c + BAR_HIGH] = max(bars[c + BAR_HIGH], high)
    bars[c + BAR_LOW] = min(bars[c + BAR_LOW], low)
    if ts >= bars[c + BAR_LAST_NS]:
        bars[c + BAR_CLOSE] = close
        bars[c + BAR_LAST_NS] = ts
    if ts < bars[c + BAR_FIRST_NS]:
        bars[c + BAR_OPEN] = opening
        bars[c + BAR_FIRST_NS] = ts
    bars[c + BAR_VOLUME] += volume
    bars[c + BAR_TRADES] = -1
    bars[c + BAR_DOLLARS] = -1
    if ts < ctl[DAY_START_NS]:
        return
    for price in (opening, high, low, close):
        _good_print(state, r, ctl, touched, ts, price)
    if ts >= state[r + TRADE_NS]:
        state[r + LAST] = close
        state[r + TRADE_NS] = ts
    if ctl[IN_SESSION] != 0 and ts >= ctl[SESSION_START_NS]:
        state[r + VOLUME] += volume
        if (replaced == 0 or rank == FROM_OHLCV_1S) and volume < MAX_SIZE:
            # Its notional is not told: the typical price stands in for its vwap.
            _add_money(state, r, DOLLARS, NANOS, (high + low + close) // 3, volume)


@inlined
def _replace_bar(
    state: Int64s,
    bars: Int64s,
    ctl: Int64s,
    dirty: Int64s,
    slot: int,
    minute: int,
    opening: int,
    high: int,
    low: int,
    close: int,
    volume: int,
    least: int,
) -> bool:
    """Put a minute's own bar in the place of ours, if that has a smaller volume, or at `least`.

    Whether it was done: not where only the store has the bar, nor for an absurd one.
    """
    if low <= 0 or high >= MAX_PRICE or not (low <= opening <= high and low <= close <= high):
        ctl[BAD_PRICES] += 1
        return False
    if volume < max(least, 1) or volume >= MAX_SIZE:
        return False
    c = _bar_of(state, bars, ctl, slot, minute)
    if c < 0:
        return False
    if least > 0 and volume <= bars[c + BAR_VOLUME]:
        return False
    r = slot * STATE_WIDTH
    ts = minute * MINUTE_NS + MINUTE_NS - 1
    replaced = bars[c + BAR_VOLUME]
    if replaced == 0:
        _count_bar(state, r, ctl, ts)
    in_session = ctl[IN_SESSION] != 0 and ts >= ctl[SESSION_START_NS]
    if in_session:
        state[r + VOLUME] += volume - replaced
        # What came of the minute counts at its own prices, the rest at the typical one.
        _add_money(state, r, DOLLARS, NANOS, (high + low + close) // 3, volume - replaced)
        if high > state[r + HIGH]:
            state[r + HIGH] = high
        if state[r + LOW] == 0 or low < state[r + LOW]:
            state[r + LOW] = low
        start = minute * MINUTE_NS
        if state[r + OPEN_NS] == 0 or start < state[r + OPEN_NS]:
            state[r + OPEN] = opening
            state[r + OPEN_NS] = start
    _set_bar(bars, c, minute * MINUTE_NS, opening)
    bars[c + BAR_HIGH] = high
    bars[c + BAR_LOW] = low
    bars[c + BAR_CLOSE] = close
    bars[c + BAR_LAST_NS] = ts
    bars[c + BAR_VOLUME] = volume
    bars[c + BAR_TRADES] = -1
    bars[c + BAR_DOLLARS] = -1
    bars[c + BAR_FLAGS] |= BAR_OHLCV | BAR_WHOLE | BAR_BACKFILL
    _mark_dirty(bars, c, ctl, dirty)
    return True


@inlined
def _heal_bar(
    buf: Bytes,
    at: int,
    state: Int64s,
    bars: Int64s,
    ctl: Int64s,
    dirty: Int64s,
    slot: int,
    ts: int,
) -> None:
    """Put a minute's own bar in the place of one that a gap of the feed has made too small."""
    opening = i64(buf, at + 16)
    high = i64(buf, at + 24)
    low = i64(buf, at + 32)
    close = i64(buf, at + 40)
    volume = i64(buf, at + 48)
    minute = ts // MINUTE_NS
    _replace_bar(state, bars, ctl, dirty, slot, minute, opening, high, low, close, volume, 1)


@compiled
def replace_bars(
    rows: Int64s,
    done: int,
    replaced: NDArray[np.bool_],
    ctl: Int64s,
    state: Int64s,
    bars: Int64s,
    dirty: Int64s,
) -> int:
    """Put bars in the place of ours: `rows` of slot, minute, open, high, low, close, volume.

    Begins with row `done` and returns how many are done: fewer than all where `dirty` or the log
    is full. `replaced` tells which of them could be.
    """
    while done < len(rows) and ctl[DIRTY_COUNT] < len(dirty) and _log_waits(bars, ctl) == 0:
        slot, minute, opening, high, low, close, volume = rows[done]
        replaced[done] = _replace_bar(
            state, bars, ctl, dirty, slot, minute, opening, high, low, close, volume, 0
        )
        done += 1
    return done


@inlined
def _makes_bar(buf: Bytes, at: int, rtype: int) -> bool:
    if rtype == 0x01:
        is_trade: bool = buf[at + 28] == ACTION_T
        return is_trade
    return rtype < 0xC3


@inlined
def _log_waits(bars: Int64s, ctl: Int64s) -> int:
    """Why the next place of the log cannot be written: `FLUSH`, `GROW`, or 0 where it can."""
    c = int(ctl[BARS_HEAD]) * BAR_WIDTH
    if bars[c + BAR_FLAGS] & BAR_DIRTY != 0:
        return FLUSH
    oldest = ctl[CLOCK_NS] // MINUTE_NS - KEPT_MINUTES - SPARE_MINUTES
    minute = bars[c + BAR_MINUTE]
    return GROW if minute != 0 and minute > oldest else 0


@inlined
def _mark_row(marks: Int64s, key: int) -> int:
    """Return the row of a record type and publisher, a new one to one not seen before.

    -1 where there is no room left.
    """
    for row in range(len(marks)):
        if marks[row, MARK_KEY] == key:
            return row
        if marks[row, MARK_KEY] < 0:
            marks[row, MARK_KEY] = key
            return row
    return -1


@inlined
def _repeats(marks: Int64s, row: int, ts: int) -> bool:
    """Whether the stream brought this record before it was taken up again."""
    skip_ns = marks[row, MARK_SKIP_NS]
    if skip_ns == 0 or ts > skip_ns:
        if skip_ns != 0:
            marks[row, MARK_SKIP_NS] = 0
            marks[row, MARK_BEYOND_NS] = ts
        return False
    if ts == skip_ns:
        if marks[row, MARK_SKIP_LEFT] == 0:
            return False
        marks[row, MARK_SKIP_LEFT] -= 1
        return True
    if marks[row, MARK_SKIP_LEFT] > 0:
        return True
    # Behind all that was seen at the newest instant: late ones, seen or new.
    if marks[row, MARK_SKIP_LATE] == 0:
        return False
    marks[row, MARK_SKIP_LATE] -= 1
    return True


@inlined
def _note_watermark(marks: Int64s, row: int, ts: int) -> None:
    if ts > marks[row, MARK_NS]:
        marks[row, MARK_NS] = ts
        marks[row, MARK_COUNT] = 1
        marks[row, MARK_LATE] = 0
    elif ts == marks[row, MARK_NS]:
        marks[row, MARK_COUNT] += 1
    else:
        marks[row, MARK_LATE] += 1


@inlined
def least_length(rtype: int) -> int:
    """Return the bytes a market record of this type must have, 0 for every other type."""
    if rtype == 0x01 or rtype == 0xC3 or rtype == 0xC4:
        return 80
    if rtype == 0x00:
        return 48
    if rtype == 0x20 or rtype == 0x21:
        return 56
    return 0


@inlined
def _event_time(buf: Bytes, at: int, rtype: int) -> int:
    """`ts_recv`, else `ts_event`, of a market record; for a bar its interval's last nanosecond.

    0 where neither is a plausible time.
    """
    if rtype == 0x20 or rtype == 0x21:
        ts = i64(buf, at + 8)
        if ts < EARLIEST_NS or ts > LATEST_NS:
            return 0
        return ts + (NANO if rtype == 0x20 else MINUTE_NS) - 1
    ts = i64(buf, at + 32)
    if ts < EARLIEST_NS or ts > LATEST_NS:
        ts = i64(buf, at + 8)
    if ts < EARLIEST_NS or ts > LATEST_NS:
        return 0
    return ts


@inlined
def _agreeing_time(buf: Bytes, at: int, end: int, limit: int, most: int) -> int:
    """Look past the record at `at` for the next time: 1 it is between the limits too, 0 it is not.

    -1 where the bytes end first, -2 where what follows is no record.
    """
    at += np.int64(buf[at]) * 4
    while at + 16 <= end:
        length = np.int64(buf[at]) * 4
        if length < 16:
            return -2
        if at + length > end:
            break
        least = least_length(buf[at + 1])
        if least != 0 and length >= least:
            ts = _event_time(buf, at, buf[at + 1])
            if ts != 0:
                return 1 if limit < ts <= most else 0
        at += length
    return -1


@inlined
def _locate(buf: Bytes, ctl: Int64s, state: Int64s, ids: UInt64s, at: int, place: int) -> int:
    """Find the slot of the record at `at` ahead of its turn and have its memory fetched.

    The slot goes to the pipe at `place`; returns the next record's position, `at` where there is
    no whole header. Without this the loop waits for memory half of its time.
    """
    if at + 32 > ctl[END]:
        return at
    slot = find_slot(ids, u32(buf, at + 4))
    ctl[PIPE + place] = slot
    if slot >= 0:
        r = slot * STATE_WIDTH
        prefetch(state, r)
        if buf[at + 28] == ACTION_T or buf[at + 1] == 0:
            prefetch(state, r + 8)
            prefetch(state, r + 16)
    return at + np.int64(buf[at]) * 4


@inlined
def _see(state: Int64s, slot: int, ctl: Int64s, seen: Int64s) -> None:
    """Note that the symbol had a record in this second."""
    r = slot * STATE_WIDTH
    if state[r + TOUCHED] & TOUCHED_SECOND == 0:
        state[r + TOUCHED] |= TOUCHED_SECOND
        seen[ctl[SEEN_COUNT]] = slot
        ctl[SEEN_COUNT] += 1


@compiled
def note_instant(
    state: Int64s, bars: Int64s, slot: int, ns: int, instants: Int64s, row: int
) -> None:
    """Write what a symbol stands at to a row of `instants`."""
    room = len(instants) // INSTANT_WIDTH
    r = slot * STATE_WIDTH
    instants[INSTANT_SLOT * room + row] = slot
    instants[INSTANT_NS * room + row] = ns
    for f in range(NOTED_STATE):
        instants[(INSTANT_STATE + f) * room + row] = state[r + f]
    c = (state[r + NEWEST_BAR] - 1) * BAR_WIDTH
    if c >= 0 and bars[c + BAR_SLOT] == slot and bars[c + BAR_MINUTE] == (ns - 1) // MINUTE_NS:
        instants[INSTANT_HIGH * room + row] = bars[c + BAR_HIGH]
        instants[INSTANT_LOW * room + row] = bars[c + BAR_LOW]
        instants[INSTANT_CLOSE * room + row] = bars[c + BAR_CLOSE]
        instants[INSTANT_VOLUME * room + row] = bars[c + BAR_VOLUME]
        instants[INSTANT_TRADES * room + row] = bars[c + BAR_TRADES]
        instants[INSTANT_DOLLARS * room + row] = bars[c + BAR_DOLLARS]
        instants[INSTANT_NANOS * room + row] = bars[c + BAR_NANOS]
    else:
        for f in range(INSTANT_HIGH, INSTANT_WIDTH):
            instants[f * room + row] = 0


@compiled
def close_second(state: Int64s, bars: Int64s, ctl: Int64s, seen: Int64s, instants: Int64s) -> bool:
    """Keep what the symbols seen in the second that ends at `ctl[SECOND_NS]` stand at.

    False where `instants` has no room for them all: then nothing is done.
    """
    count = ctl[SEEN_COUNT]
    row = ctl[INSTANTS]
    if row + count > len(instants) // INSTANT_WIDTH:
        return False
    for k in range(count):
        slot = seen[k]
        note_instant(state, bars, slot, ctl[SECOND_NS], instants, row + k)
        state[slot * STATE_WIDTH + TOUCHED] &= ~TOUCHED_SECOND
    ctl[INSTANTS] = row + count
    ctl[SEEN_COUNT] = 0
    return True


@compiled
def note_all(state: Int64s, count: int, instants: Int64s, first: int, ns: int) -> None:
    """Write what all `count` symbols stand at, without a bar, to `instants` from a row on."""
    room = len(instants) // INSTANT_WIDTH
    # A cache line of each column at a time.
    for begin in range(0, count, 8):
        end = min(begin + 8, count)
        for slot in range(begin, end):
            instants[INSTANT_SLOT * room + first + slot] = slot
            instants[INSTANT_NS * room + first + slot] = ns
        for f in range(NOTED_STATE):
            o = (INSTANT_STATE + f) * room + first
            for slot in range(begin, end):
                instants[o + slot] = state[slot * STATE_WIDTH + f]
    for f in range(INSTANT_HIGH, INSTANT_WIDTH):
        for slot in range(count):
            instants[f * room + first + slot] = 0


@inlined
def _beyond(state: Int64s, levels: Int64s, slot: int, ts: int) -> bool:
    """Whether a record has brought one of the symbol's prices to a level."""
    r = slot * STATE_WIDTH
    o = slot * LEVEL_WIDTH
    if ts >= levels[o + WAKE_NS]:
        return True
    mark = state[r + MARK]
    if mark > 0 and (mark >= levels[o + MARK_ABOVE] or mark <= levels[o + MARK_BELOW]):
        return True
    last = state[r + LAST]
    far = last > 0 and (last >= levels[o + LAST_ABOVE] or last <= levels[o + LAST_BELOW])
    # A print far off waits for a second one.
    held = abs(state[r + PENDING_PRICE]) == last and state[r + PENDING_NS] == state[r + TRADE_NS]
    if far and not held:
        return True
    if levels[o + MID_ABOVE] == NO_ABOVE and levels[o + MID_BELOW] == NO_BELOW:
        return False
    bid = state[r + BID]
    ask = state[r + ASK]
    mid = (bid + ask) >> 1
    beyond = mid >= levels[o + MID_ABOVE] or mid <= levels[o + MID_BELOW]
    return beyond and _quote_stands(bid, ask)


@compiled
def consume(
    buf: Bytes,
    ctl: Int64s,
    state: Int64s,
    bars: Int64s,
    ids: UInt64s,
    touched: Int64s,
    dirty: Int64s,
    late: Int64s,
    marks: Int64s,
    prints: Int64s,
    seen: Int64s,
    instants: Int64s,
    levels: Int64s,
) -> int:
    """Apply records from `ctl[POSITION]` on, up to `ctl[END]` or event time `ctl[STOP_NS]`.

    Returns why it came back: `NEED_BYTES` (no whole record is left), `BOUNDARY` (the next record
    is at or past the stop), `CONTROL` (a record for Python to decode stands at the position),
    `NEW_ID` (so does one whose id is not mapped), `FLUSH` (`dirty` or `late` is full, or
    the log's next bar was not taken), `GROW` (the log is too small to keep an hour), `CORRUPT`
    (a record's length is less than a header's), `EVALUATE` (`instants` is full), `MOVED_BEYOND`
    (the record before the position has reached a level). The position is that of the next record.
    """
    buf = borrowed(buf)
    ctl = borrowed(ctl)
    state = borrowed(state)
    bars = borrowed(bars)
    ids = borrowed(ids)
    touched = borrowed(touched)
    dirty = borrowed(dirty)
    late = borrowed(late)
    marks = borrowed(marks)
    prints = borrowed(prints)
    seen = borrowed(seen)
    instants = borrowed(instants)
    levels = borrowed(levels)
    at = ctl[POSITION]
    end = ctl[END]
    stop_ns = ctl[STOP_NS]
    clock = ctl[CLOCK_NS]
    records = 0
    trades = 0
    quotes = 0
    reason = NEED_BYTES
    focus = ctl[FOCUS] - 1
    healing = ctl[HEAL_TO_NS] != 0
    watching = ctl[WATCHING] != 0 and not healing
    leveled = ctl[LEVELS] != 0 and not healing
    room_dirty = len(dirty)
    room_late = len(late)
    ahead = at
    place = 0
    for k in range(PIPE_DEPTH):
        ctl[PIPE + k] = -1
        ahead = _locate(buf, ctl, state, ids, ahead, k)
    while at + 16 <= end:
        length = np.int64(buf[at]) * 4
        if length < 16:
            reason = CORRUPT
            break
        if at + length > end:
            break
        slot = ctl[PIPE + place]
        ahead = _locate(buf, ctl, state, ids, ahead, place)
        place = (place + 1) & (PIPE_DEPTH - 1)
        rtype = np.int64(buf[at + 1])
        least = least_length(rtype)
        if least == 0:
            if 0x12 <= rtype <= 0x18 or rtype == 0x23:
                reason = CONTROL
                break
            ctl[UNKNOWN] += 1
            records += 1
            at += length
            continue
        if length < least:
            ctl[UNKNOWN] += 1
            records += 1
            at += length
            continue
        ts = _event_time(buf, at, rtype)
        if ts == 0:
            ctl[BAD_TIMES] += 1
            records += 1
            at += length
            continue
        if ts >= stop_ns:
            if clock != 0 and ts > clock + DAY_NS:
                agrees = _agreeing_time(buf, at, end, clock + DAY_NS, ts + AGREEING_NS)
                if agrees == -1 and ctl[FINAL] == 0:
                    ctl[RESUME_NS] = 0
                    break
                if agrees <= 0:
                    ctl[BAD_TIMES] += 1
                    records += 1
                    at += length
                    continue
            ctl[RESUME_NS] = ts
            reason = BOUNDARY
            break
        row = _mark_row(marks, rtype << 16 | np.int64(buf[at + 2]) | np.int64(buf[at + 3]) << 8)
        if row >= 0 and ctl[HEAL_TO_NS] == 0 and _repeats(marks, row, ts):
            ctl[REPEATED] += 1
            at += length
            continue
        if slot < 0:
            reason = NEW_ID
            break
        if _makes_bar(buf, at, rtype):
            ctl[CLOCK_NS] = clock
            # A trade may be late and of a doubtful time at once.
            if ctl[DIRTY_COUNT] >= room_dirty or ctl[LATE_COUNT] + 1 >= room_late:
                reason = FLUSH
                break
            reason = _log_waits(bars, ctl)
            if reason != 0:
                break
        if watching and ts >= ctl[SECOND_NS]:
            if not close_second(state, bars, ctl, seen, instants):
                reason = EVALUATE
                break
            ctl[SECOND_NS] = ts // NANO * NANO + NANO
        records += 1
        if healing:
            if ctl[HEAL_FIRST_NS] == 0 or ts < ctl[HEAL_FIRST_NS]:
                ctl[HEAL_FIRST_NS] = ts
            if rtype == 0x21 and ctl[HEAL_FROM_NS] <= ts < ctl[HEAL_TO_NS]:
                _heal_bar(buf, at, state, bars, ctl, dirty, slot, ts)
            at += length
            continue
        if row >= 0:
            _note_watermark(marks, row, ts)
        if rtype == 0x01:
            quotes += 1
            if ts >= ctl[DAY_START_NS]:
                _apply_quote(
                    state,
                    slot * STATE_WIDTH,
                    ctl,
                    touched,
                    ts,
                    i64(buf, at + 48),
                    i64(buf, at + 56),
                )
            if buf[at + 28] == ACTION_T:
                price = i64(buf, at + 16)
                size = u32(buf, at + 24)
                if _good_trade(ctl, price, size) and _counts_row_trade(
                    state, slot * STATE_WIDTH, ts
                ):
                    trades += 1
                    _apply_trade(state, bars, ctl, touched, dirty, late, slot, ts, price, size)
                    if buf[at + 30] & BAD_TS_RECV != 0:
                        _note_late(ctl, late, slot, ts, price, size, LATE_DOUBT)
                    if slot == focus:
                        _note_print(ctl, prints, ts, price, size, np.int64(buf[at + 29]))
        elif rtype == 0x00:
            price = i64(buf, at + 16)
            size = u32(buf, at + 24)
            if _good_trade(ctl, price, size) and _counts_trade_record(
                state, slot * STATE_WIDTH, ts
            ):
                trades += 1
                _apply_trade(state, bars, ctl, touched, dirty, late, slot, ts, price, size)
                if buf[at + 30] & BAD_TS_RECV != 0:
                    _note_late(ctl, late, slot, ts, price, size, LATE_DOUBT)
                if slot == focus:
                    _note_print(ctl, prints, ts, price, size, np.int64(buf[at + 29]))
        elif rtype >= 0xC3:
            quotes += 1
            if ts >= ctl[DAY_START_NS]:
                _apply_quote(
                    state,
                    slot * STATE_WIDTH,
                    ctl,
                    touched,
                    ts,
                    i64(buf, at + 48),
                    i64(buf, at + 56),
                )
        else:
            rank = FROM_OHLCV_1M if rtype == 0x21 else FROM_OHLCV_1S
            _apply_ohlcv(buf, at, rank, state, bars, ctl, touched, dirty, slot, ts)
        if ts < clock:
            ctl[LATE] += 1
        else:
            clock = ts
        at += length
        if watching:
            _see(state, slot, ctl, seen)
        if leveled and _beyond(state, levels, slot, ts):
            ctl[MOVED] = slot + 1
            ctl[MOVED_NS] = ts
            reason = MOVED_BEYOND
            break
    ctl[POSITION] = at
    ctl[CLOCK_NS] = clock
    ctl[RECORDS] += records
    ctl[TRADES] += trades
    ctl[QUOTES] += quotes
    return reason


@compiled
def gather_dirty(bars: Int64s, dirty: Int64s, count: int, taken: Int64s) -> None:
    """Copy the changed bars out and mark them as taken.

    `taken`, shape (BAR_WIDTH, count), receives them.
    """
    for k in range(count):
        c = dirty[k] * BAR_WIDTH
        bars[c + BAR_FLAGS] &= ~BAR_DIRTY
        for f in range(BAR_WIDTH):
            taken[f, k] = bars[c + f]


@compiled
def take_marks(state: Int64s, touched: Int64s, count: int, marks: NDArray[np.float64]) -> None:
    """Bring `marks` (dollars by slot) up to date for the touched symbols, and forget them."""
    for k in range(count):
        r = touched[k] * STATE_WIDTH
        marks[touched[k]] = state[r + MARK] / 1e9
        state[r + TOUCHED] &= ~TOUCHED_MARK
