"""The market as arrays: one row per symbol, owned by the engine's thread.

The compiled loop writes the arrays; this class grows them, closes minutes, and turns the pages
of sessions and days. Prices are int64 in 1e-9 dollars, 0 for none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market import kernel as k
from stockscan_tui.market.batch import BarBatch, BarSource
from stockscan_tui.market.calendar import MINUTE_NS, Session, TradingDay
from stockscan_tui.market.coverage import UNSURE, Coverage
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.indicators import Indicators
from stockscan_tui.market.kernel import Bytes, Int64s
from stockscan_tui.market.minute_history import MinuteHistory
from stockscan_tui.market.opening import Opening
from stockscan_tui.market.rule_memory import RuleMemory
from stockscan_tui.market.silence import Silence
from stockscan_tui.market.snapshot import (
    HISTORY_MINUTES,
    MOST_FIRED,
    CloseSource,
    Floats,
    Verification,
)
from stockscan_tui.market.symbols import InstrumentIds, SymbolTable
from stockscan_tui.market.wholeness import Wholeness

LATE_ROOM = 4096
FIRST_BARS = 1 << 15
WATERMARK_ROWS = 64
# The part of a state row that belongs to the running session.
SESSION_FIELDS = slice(k.OPEN_NS, k.NANOS + 1)
SESSION_WIDTH = k.NANOS + 1 - k.OPEN_NS
FAR_FUTURE_NS = 2**63 - 1


def first_marks(rows: Int64s) -> Int64s:
    """Return the day's first marks (1e-9 dollars) of state rows, (n, `kernel.STATE_WIDTH`).

    Before there is one in a session it is the mark that stands since before; 0 where there is none.
    """
    first = rows[:, k.FIRST_MARK]
    marks: Int64s = np.where(first > 0, first, rows[:, k.MARK])
    return marks


class Market:
    """State of all symbols on one session date.

    Args:
        mark_mode: `kernel.MARK_AUTO`, `MARK_TRADE` or `MARK_MID`.
        capacity: Symbols to make room for at first; it doubles when they are more.
    """

    def __init__(self, mark_mode: int = k.MARK_AUTO, capacity: int = 4096) -> None:
        self.symbols = SymbolTable()
        self.capacity = capacity
        self.ctl: Int64s = np.zeros(k.CTL_WIDTH, np.int64)
        self.ctl[k.MARK_MODE] = mark_mode
        self.ctl[k.STOP_NS] = FAR_FUTURE_NS
        self.state = _aligned(capacity * k.STATE_WIDTH)
        self.bars: Int64s = np.zeros(FIRST_BARS * k.BAR_WIDTH, np.int64)
        # Places in the log of the bars that changed, for an image; noted where somebody asks.
        self.changes: list[Int64s] = []
        self.notes_changes = False
        self.touched: Int64s = np.zeros(capacity, np.int64)
        self.dirty: Int64s = np.zeros(2 * capacity, np.int64)
        self.late: Int64s = np.zeros((LATE_ROOM, k.LATE_WIDTH), np.int64)
        self.seen: Int64s = np.zeros(capacity, np.int64)
        self.instants: Int64s = np.zeros(_instant_room(capacity), np.int64)
        self.levels = _aligned(capacity * k.LEVEL_WIDTH)
        no_levels(self.levels.reshape(-1, k.LEVEL_WIDTH))
        self.watermarks: Int64s = np.zeros((WATERMARK_ROWS, k.MARK_WIDTH), np.int64)
        self.watermarks[:, k.MARK_KEY] = -1
        self.prints: Int64s = np.zeros((k.PRINT_ROOM, k.PRINT_WIDTH), np.int64)
        # The finished sessions of the day, by Session: what SESSION_FIELDS held at their end.
        self.sessions: Int64s = np.zeros((len(Session), capacity, SESSION_WIDTH), np.int64)
        # Goes up whenever the figures of a finished session change.
        self.sessions_version = 0
        self.regular_close: Int64s = np.zeros(capacity, np.int64)
        self.regular_close_ns: Int64s = np.zeros(capacity, np.int64)
        self.prev_close: Floats = np.full(capacity, np.nan)
        self.close_source: NDArray[np.uint8] = np.zeros(capacity, np.uint8)
        self.close_age: NDArray[np.uint8] = np.zeros(capacity, np.uint8)
        self.average_volume: Floats = np.full(capacity, np.nan)
        # The whole tape's, where a second session tells it; NaN where not.
        self.tape_volume: Floats = np.full(capacity, np.nan)
        self.split_suspect: NDArray[np.bool_] = np.zeros(capacity, np.bool_)
        self.mark_history: deque[Floats] = deque(maxlen=HISTORY_MINUTES)
        self.ssr_carried: NDArray[np.bool_] = np.zeros(capacity, np.bool_)
        self.minutes = MinuteHistory()
        self.silence = Silence()
        self.wholeness = Wholeness()
        self.coverage = Coverage()
        self.verification = Verification()
        self.alerts: Int64s = np.zeros(capacity, np.int64)
        # As of the last minute's close, before what that fires: what rules see of them.
        self.closed_alerts: Int64s = np.zeros(capacity, np.int64)
        # The last alerts of the session date, and what each rule remembers, by its condition.
        self.fired: deque[Fired] = deque(maxlen=MOST_FIRED)
        self.fired_by_rule: dict[str, int] = {}
        self.rule_memories: dict[str, RuleMemory] = {}
        self.opening = Opening()
        # Who was on the leaderboard at the last minute's close, where a rule asks for that.
        self.leaders: NDArray[np.bool_] = np.zeros(capacity, np.bool_)
        self.indicators = Indicators()
        self.session = Session.CLOSED
        self.day: TradingDay | None = None

    @property
    def count(self) -> int:
        """The number of symbols."""
        return len(self.symbols)

    @property
    def rows(self) -> Int64s:
        """The state of the symbols there are, shape (count, STATE_WIDTH); a view."""
        return self.state.reshape(self.capacity, k.STATE_WIDTH)[: self.count]

    @property
    def clock_ns(self) -> int:
        """The event time of the newest record applied, 0 before the first."""
        return int(self.ctl[k.CLOCK_NS])

    def slots(self, symbols: Sequence[str]) -> list[int]:
        """Return the symbols' slots; new symbols get the next ones, with room made for them."""
        slots = self.symbols.slots(symbols)
        while self.count > self.capacity:
            self._grow(2 * self.capacity)
        return slots

    def _grow(self, capacity: int) -> None:
        self.state = _enlarged(self.state, capacity * k.STATE_WIDTH)
        self.touched = np.concatenate([self.touched, np.zeros_like(self.touched)])
        self.dirty = np.concatenate([self.dirty, np.zeros_like(self.dirty)])
        self.seen = np.concatenate([self.seen, np.zeros_like(self.seen)])
        # What an image leaves out may be of a later, larger market, which may be gone on to again.
        if _instant_room(capacity) > len(self.instants):
            noted = self.noted
            self.instants = np.zeros(_instant_room(capacity), np.int64)
            self.noted[:] = noted
        if capacity * k.LEVEL_WIDTH > len(self.levels):
            self.levels = _enlarged(self.levels, capacity * k.LEVEL_WIDTH)
        no_levels(self.levels.reshape(-1, k.LEVEL_WIDTH)[self.capacity :])
        more = capacity - self.capacity
        self.sessions = np.concatenate(
            [self.sessions, np.zeros((len(Session), more, SESSION_WIDTH), np.int64)], axis=1
        )
        zeros = np.zeros(more, np.int64)
        self.regular_close = np.concatenate([self.regular_close, zeros])
        self.regular_close_ns = np.concatenate([self.regular_close_ns, zeros])
        self.prev_close = np.concatenate([self.prev_close, np.full(more, np.nan)])
        self.average_volume = np.concatenate([self.average_volume, np.full(more, np.nan)])
        self.tape_volume = np.concatenate([self.tape_volume, np.full(more, np.nan)])
        self.split_suspect = np.concatenate([self.split_suspect, np.zeros(more, np.bool_)])
        self.close_source = np.concatenate([self.close_source, zeros.astype(np.uint8)])
        self.close_age = np.concatenate([self.close_age, zeros.astype(np.uint8)])
        self.alerts = np.concatenate([self.alerts, zeros])
        self.closed_alerts = np.concatenate([self.closed_alerts, zeros])
        self.ssr_carried = np.concatenate([self.ssr_carried, np.zeros(more, np.bool_)])
        self.leaders = np.concatenate([self.leaders, np.zeros(more, np.bool_)])
        self.capacity = capacity

    def grow_bars(self) -> None:
        """Make the log of bars twice as long; what is in it keeps its place."""
        filled = len(self.bars)
        self.bars = np.concatenate([self.bars, np.zeros(filled, np.int64)])
        self.ctl[k.BARS_HEAD] = filled // k.BAR_WIDTH

    def consume(self, data: Bytes, ids: InstrumentIds) -> int:
        """Run the compiled loop over `data` between `ctl[POSITION]` and `ctl[END]`."""
        return k.consume(
            data,
            self.ctl,
            self.state,
            self.bars,
            ids.table,
            self.touched,
            self.dirty,
            self.late,
            self.watermarks,
            self.prints,
            self.seen,
            self.instants,
            self.levels,
        )

    def forget_seen(self) -> None:
        """Let nobody have been seen in the second that goes on: nobody watches seconds any more."""
        self.rows[:, k.TOUCHED] &= ~k.TOUCHED_SECOND
        self.ctl[k.SEEN_COUNT] = 0
        self.ctl[k.SECOND_NS] = 0

    def close_second(self, ns: int) -> None:
        """Let the second be over that ends at `ns`, or before."""
        if self.ctl[k.WATCHING] and self.ctl[k.SECOND_NS] <= ns:
            k.close_second(self.state, self.bars, self.ctl, self.seen, self.instants)

    def note_close(self, ns: int) -> bool:
        """Note all symbols as they stand at a minute's close; False where there is no room."""
        first = int(self.ctl[k.INSTANTS])
        if first + self.count > len(self.instants) // k.INSTANT_WIDTH:
            return False
        k.note_all(self.state, self.count, self.instants, first, ns)
        self.ctl[k.INSTANTS] = first + self.count
        return True

    @property
    def noted(self) -> Int64s:
        """The rows that are noted, shape (`kernel.INSTANT_WIDTH`, rows); a view."""
        noted: Int64s = self.instants.reshape(k.INSTANT_WIDTH, -1)[:, : self.ctl[k.INSTANTS]]
        return noted

    def focus_on(self, slot: int | None) -> None:
        """Keep the trades of this symbol from now on, and forget those of another."""
        focus = 0 if slot is None else slot + 1
        if focus != self.ctl[k.FOCUS]:
            self.ctl[k.FOCUS] = focus
            self.ctl[k.PRINTS] = 0

    def last_prints(self, most: int) -> Int64s:
        """Return the last trades of the symbol in focus as they came, shape (n, PRINT_WIDTH).

        The oldest is first; a late one stands where it came. `most` is `PRINT_ROOM` at most.
        """
        end = int(self.ctl[k.PRINTS])
        return self.prints[np.arange(max(0, end - most), end) % k.PRINT_ROOM]

    def close_minute(self) -> None:
        """Keep every symbol's mark as that of the minute that just ended."""
        marks = np.full(self.count, np.nan)
        if self.mark_history:
            before = self.mark_history[-1]
            marks[: len(before)] = before
        k.take_marks(self.state, self.touched, int(self.ctl[k.TOUCHED_COUNT]), marks)
        self.ctl[k.TOUCHED_COUNT] = 0
        self.mark_history.append(marks)

    def close_bars(self, minute: int) -> None:
        """Keep the bars of the minute that just ended, and what is reckoned from them.

        Those of its bars that changed must have been taken.
        """
        bars = self.minutes.close(self.ctl, self.bars, minute)
        self.indicators.close_minute(bars, self.count)
        regular = self.session is Session.REGULAR
        self.silence.close_minute(self.rows, self.minutes.closed, minute, regular=regular)
        if self.day is not None:
            if regular:
                self.opening.close_minute(self.rows, minute + 1 - self.day.regular_ns // MINUTE_NS)
            doubts = self.wholeness.doubts(self.day)
            self.coverage.pass_by(minute + 1, self.count, doubts)

    def take_bars(self) -> BarBatch | None:
        """Return the bars that changed since they were last taken, None where there are none."""
        count = int(self.ctl[k.DIRTY_COUNT])
        if count == 0:
            return None
        bars = np.empty((k.BAR_WIDTH, count), np.int64)
        k.gather_dirty(self.bars, self.dirty, count, bars)
        self.ctl[k.DIRTY_COUNT] = 0
        if self.notes_changes:
            self.changes.append(self.dirty[:count].copy())
        flags = bars[k.BAR_FLAGS]
        from_ohlcv = np.where(flags & k.BAR_BACKFILL, BarSource.BACKFILL, BarSource.OHLCV)
        batch = BarBatch(
            slot=bars[k.BAR_SLOT].astype(np.int32),
            minute=bars[k.BAR_MINUTE],
            open=bars[k.BAR_OPEN],
            high=bars[k.BAR_HIGH],
            low=bars[k.BAR_LOW],
            close=bars[k.BAR_CLOSE],
            volume=bars[k.BAR_VOLUME],
            trades=bars[k.BAR_TRADES],
            notional_dollars=bars[k.BAR_DOLLARS],
            notional_nanos=bars[k.BAR_NANOS],
            first_ns=bars[k.BAR_FIRST_NS],
            last_ns=bars[k.BAR_LAST_NS],
            source=np.where(flags & k.BAR_OHLCV, from_ohlcv, BarSource.TRADES).astype(np.uint8),
        )
        self.minutes.correct(batch)
        self.coverage.take(batch)
        return batch

    def take_late(self) -> BarBatch | None:
        """Settle the trades that came too late; return those whose bar only the store has."""
        count = int(self.ctl[k.LATE_COUNT])
        if count == 0:
            return None
        late = self.late[:count].copy()
        self.ctl[k.LATE_COUNT] = 0
        for row in late[late[:, k.LATE_WHY] & k.LATE_SESSION != 0]:
            self._correct_session(*(int(value) for value in row[: k.LATE_WHY]))
        for row in late[late[:, k.LATE_WHY] & k.LATE_DOUBT != 0]:
            self.coverage.note(int(row[k.LATE_NS]) // MINUTE_NS, row[[k.LATE_SLOT]], UNSURE)
        late = late[late[:, k.LATE_WHY] & k.LATE_BAR != 0]
        if not len(late):
            return None
        single = _single_trades(late)
        self.coverage.take(single)
        return single

    def _correct_session(self, slot: int, ts_ns: int, price: int, size: int) -> None:
        """Add a trade to the figures of an earlier session of the day."""
        if self.day is None:
            return
        session = self.day.session_at(ts_ns)
        if session is Session.CLOSED:
            return
        self.sessions_version += 1
        figures = self.sessions[session, slot]
        at = k.OPEN_NS
        if figures[k.OPEN_NS - at] == 0 or ts_ns < figures[k.OPEN_NS - at]:
            figures[k.OPEN_NS - at] = ts_ns
            figures[k.OPEN - at] = price
        figures[k.HIGH - at] = max(figures[k.HIGH - at], price)
        low = figures[k.LOW - at]
        figures[k.LOW - at] = price if low == 0 else min(low, price)
        figures[k.VOLUME - at] += size
        figures[k.TRADE_COUNT - at] += 1
        nanos = int(figures[k.NANOS - at]) + price % k.NANO * size
        figures[k.DOLLARS - at] += price // k.NANO * size + nanos // k.NANO
        figures[k.NANOS - at] = nanos % k.NANO
        if session is Session.REGULAR and ts_ns >= self.regular_close_ns[slot]:
            self.regular_close[slot] = price
            self.regular_close_ns[slot] = ts_ns

    def heal_session(self, slot: int, minute: int, prices: Sequence[int], volume: int) -> None:
        """Let a bar that was put in the place of ours count in its session, if that is over.

        Args:
            slot: The symbol.
            minute: The bar's minute, since 1970.
            prices: Its open, high, low and close in 1e-9 dollars.
            volume: How many shares more it has than ours had.
        """
        ts_ns = minute * MINUTE_NS + MINUTE_NS - 1
        if self.day is None or not self.day.start_ns <= ts_ns < int(self.ctl[k.SESSION_START_NS]):
            return
        session = self.day.session_at(ts_ns)
        if session in (Session.CLOSED, self.session):
            return
        _, high, low, close = prices
        self._correct_session(slot, ts_ns, close, volume)
        figures = self.sessions[session, slot]
        figures[k.HIGH - k.OPEN_NS] = max(figures[k.HIGH - k.OPEN_NS], high)
        figures[k.LOW - k.OPEN_NS] = min(figures[k.LOW - k.OPEN_NS], low)

    def take_fired(self, fired: Iterable[Fired]) -> None:
        """Take note of alerts, oldest first."""
        for each in fired:
            self.fired.append(each)
            self.fired_by_rule[each.rule] = self.fired_by_rule.get(each.rule, 0) + 1

    def begin_session(self, session: Session, at_ns: int) -> None:
        """Put the running session's figures away and begin the next one of the day at `at_ns`."""
        if self.day is None or session is self.session:
            return
        rows = self.rows
        self.sessions_version += 1
        self.sessions[self.session, : self.count] = rows[:, SESSION_FIELDS]
        rows[:, SESSION_FIELDS] = 0
        if self.session is Session.REGULAR:
            self._note_regular_close(self.day)
        self._enter(session, at_ns)

    def _enter(self, session: Session, begin_ns: int) -> None:
        self.session = session
        self.ctl[k.SESSION_START_NS] = begin_ns
        self.ctl[k.IN_SESSION] = session is not Session.CLOSED

    def _note_regular_close(self, day: TradingDay) -> None:
        rows = self.rows
        times = rows[:, k.TRADE_NS]
        traded = (times >= day.regular_ns) & (times < day.post_ns)
        self.regular_close[: self.count][traded] = rows[traded, k.LAST]
        self.regular_close_ns[: self.count][traded] = times[traded]

    def begin_day(self, day: TradingDay, at_ns: int) -> None:
        """Start afresh on a new session date, in the session that `at_ns` falls in."""
        self.ssr_carried[: self.count] = self._restricted()
        rows = self.state.reshape(self.capacity, k.STATE_WIDTH)
        rows[:, : k.NEWEST_BAR] = 0
        self.ctl[k.TOUCHED_COUNT] = 0
        self.ctl[k.SEEN_COUNT] = 0
        self.sessions_version += 1
        self.sessions[:] = 0
        self.regular_close[:] = 0
        self.regular_close_ns[:] = 0
        self.prev_close[:] = np.nan
        self.close_source[:] = CloseSource.NONE.value
        self.close_age[:] = 0
        self.split_suspect[:] = False
        self.tape_volume[:] = np.nan
        self.mark_history.clear()
        self.silence.clear()
        self.wholeness.begin_day(day)
        self.coverage.begin_day(day)
        self.verification = Verification(source=self.verification.source)
        self.alerts[:] = 0
        self.closed_alerts[:] = 0
        self.fired.clear()
        self.fired_by_rule = {}
        for memory in self.rule_memories.values():
            memory.clear()
        self.opening.clear()
        self.leaders[:] = False
        self.day = day
        self.ctl[k.DAY_START_NS] = day.start_ns
        self.ctl[k.PRE_NS] = day.pre_ns
        self.ctl[k.POST_END_NS] = day.post_end_ns
        session = day.session_at(at_ns)
        ended = at_ns >= day.post_end_ns
        self._enter(session, day.post_end_ns if ended else day.begin_ns(session))

    def rescale(self, ratios: Floats) -> None:
        """Let what is kept of earlier days be in today's shares, after splits."""
        if (ratios != 1.0).any():
            self.minutes.rescale(ratios)
            self.indicators.rescale(ratios)

    def restricted(self) -> NDArray[np.bool_]:
        """Whether short sales are restricted: down 10 % on the close, today or the day before."""
        carried: NDArray[np.bool_] = self.ssr_carried[: self.count] | self._restricted()
        return carried

    def _restricted(self) -> NDArray[np.bool_]:
        low = self.figures(Session.REGULAR)[:, k.LOW - k.OPEN_NS]
        return fallen(low, self.prev_close[: self.count])

    def figures(self, session: Session) -> Int64s:
        """Return the day's figures of one session so far, shape (count, SESSION_WIDTH)."""
        if session is self.session and session is not Session.CLOSED:
            return self.rows[:, SESSION_FIELDS]
        return self.sessions[session, : self.count]

    def last_bars(self, slot: int) -> Int64s:
        """Return one symbol's bars of the last hour, oldest first, shape (bars, BAR_WIDTH)."""
        log = self.bars.reshape(-1, k.BAR_WIDTH)
        oldest = self.clock_ns // MINUTE_NS - k.KEPT_MINUTES
        found = []
        before = 2**62
        place = int(self.state[slot * k.STATE_WIDTH + k.NEWEST_BAR])
        while place:
            bar = log[place - 1]
            minute = int(bar[k.BAR_MINUTE])
            if bar[k.BAR_SLOT] != slot or not oldest < minute < before:
                break
            found.append(bar)
            before = minute
            place = int(bar[k.BAR_BEFORE])
        return np.array(found[::-1], np.int64).reshape(-1, k.BAR_WIDTH)


def fallen(low: Int64s, close: Floats) -> NDArray[np.bool_]:
    """Return which lows (1e-9 dollars) are at or under 10 % below previous closes (dollars)."""
    before = np.rint(np.nan_to_num(close) * 1e9).astype(np.int64)
    # In whole numbers: 2.97 is exactly 10 % under 3.30.
    down: NDArray[np.bool_] = (low > 0) & (low * 10 <= before * 9)
    return down


def no_levels(levels: Int64s) -> None:
    """Let nobody wait for any price of some symbols; `levels` has shape (n, LEVEL_WIDTH)."""
    levels[:] = k.NO_BELOW
    levels[:, [k.MARK_ABOVE, k.LAST_ABOVE, k.MID_ABOVE, k.WAKE_NS]] = k.NO_ABOVE


def _instant_room(capacity: int) -> int:
    """Return the values of a log of instants that holds every symbol three times."""
    # Three lines more, so that a row's columns do not all fall into the same set of a cache.
    return (3 * capacity + 24) * k.INSTANT_WIDTH


def _aligned(size: int) -> Int64s:
    """Return zeros that begin at a cache line, so that a quote touches one line."""
    block = np.zeros(size + 8, np.int64)
    offset = (-block.ctypes.data % 64) // 8
    return block[offset : offset + size]


def _enlarged(array: Int64s, size: int) -> Int64s:
    larger = _aligned(size)
    larger[: len(array)] = array
    return larger


def _single_trades(late: Int64s) -> BarBatch:
    """Return each late trade as a bar of its own."""
    price = late[:, k.LATE_PRICE].copy()
    size = late[:, k.LATE_SIZE].copy()
    times = late[:, k.LATE_NS].copy()
    nanos = price % k.NANO * size
    return BarBatch(
        slot=late[:, k.LATE_SLOT].astype(np.int32),
        minute=times // MINUTE_NS,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=size,
        trades=np.ones(len(late), np.int64),
        notional_dollars=price // k.NANO * size + nanos // k.NANO,
        notional_nanos=nanos % k.NANO,
        first_ns=times,
        last_ns=times,
        source=np.zeros(len(late), np.uint8),
    )
