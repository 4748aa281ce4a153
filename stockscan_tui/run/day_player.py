"""A replay for a backtest: it keeps the marks of all minutes, and follows what has fired."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS, Calendar, Session, TradingDay
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.user_data import Own
from stockscan_tui.report.outcome import DayMarks, Floats, Followed, Int64s, follow
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.gates import Gates
from stockscan_tui.scan.rules import Rules


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is the same for all jobs of a backtest.

    Attributes:
        rules: What is watched.
        calendar: The exchange's trading days.
        own: The user's watchlists and table.
        gates: What would keep alerts from being delivered.
        names: What may stand in gates besides metrics.
        mark_mode: `kernel.MARK_AUTO`, `MARK_TRADE` or `MARK_MID`.
    """

    rules: Rules
    calendar: Calendar
    own: Own
    gates: Gates
    names: Names
    mark_mode: int


@dataclass(frozen=True, slots=True, eq=False)
class TradeCounts:
    """How many trades the minutes of a day had, a row each, by minute.

    Attributes:
        symbols: All symbols.
        symbol: The places among `symbols`.
        minute: Minutes since 1970, ascending.
        trades: The counts.
    """

    symbols: Sequence[str]
    symbol: Int64s
    minute: Int64s
    trades: Int64s

    def of(self, minute: int) -> tuple[Int64s, Int64s]:
        """Return the symbols that traded in a minute, each once, and how many trades they had."""
        begin, end = np.searchsorted(self.minute, [minute, minute + 1]).tolist()
        return self.symbol[begin:end], self.trades[begin:end]


class DayPlayer(ReplayEngine):
    """A replay without a database that keeps the marks of every minute, and follows firings.

    Args:
        files: What to play.
        given: What the engine works with.
        options: How the run is to go.
        conditions: The rules, and what else counts.
        done: Told each session date's firings once it is over, on the engine's thread.
        counted: How many trades each minute had, where only bars are played.
    """

    def __init__(
        self,
        files: Sequence[DbnFile],
        given: Surroundings,
        options: Options,
        conditions: Conditions,
        done: Callable[[Followed], None],
        counted: TradeCounts | None = None,
    ) -> None:
        super().__init__(files, given, options)
        self._done = done
        self._fired: list[Fired] = []
        self._minutes: list[int] = []
        self._marks: Floats = np.empty((0, 0))
        self._of_bars = all(file.schema == "ohlcv-1m" for file in files)
        if self._of_bars:
            # That nothing is heard between two bars says nothing.
            self._market.silence.break_off()
        self._counted = counted
        self._slot_of = np.zeros(0, np.int64)
        self._movers = {rule.name for rule in conditions.rules.rules if rule.when is None}
        self.know_own(conditions.own)
        self.on_fired(self._fired.extend)

    def _play(self) -> None:
        super()._play()
        day = self._market.day
        if day is not None and not self._stopping.is_set():
            self._follow(day)

    def _begin(self, first_ns: int) -> None:
        super()._begin(first_ns)
        if self._counted is not None:
            self._slot_of = np.array(self._slots(self._counted.symbols), np.int64)
        self._count_trades(first_ns // MINUTE_NS)

    def _close_minute(self) -> None:
        boundary_ns, day = self._boundary_ns, self._market.day
        self._note_trades(boundary_ns // MINUTE_NS - 1)
        super()._close_minute()
        self._count_trades(boundary_ns // MINUTE_NS)
        history = self._market.mark_history
        if day is self._market.day and day is not None and history:
            self._keep_marks(day, boundary_ns, history[-1])

    def _turn_to(self, day: TradingDay, at_ns: int) -> None:
        before = self._market.day
        super()._turn_to(day, at_ns)
        if before is not None:
            self._follow(before)

    def _count_trades(self, minute: int) -> None:
        """Count the trades of a minute that begins, as its bars are about to come whole."""
        if self._counted is None or self._market.session is Session.CLOSED:
            return
        symbol, trades = self._counted.of(minute)
        self._market.rows[self._slot_of[symbol], k.TRADE_COUNT] += trades

    def _note_trades(self, minute: int) -> None:
        """Let the bars of a minute that ends tell how many trades they had."""
        if self._counted is None:
            return
        market = self._market
        symbol, trades = self._counted.of(minute)
        place = market.rows[self._slot_of[symbol], k.NEWEST_BAR] - 1
        log = market.bars.reshape(-1, k.BAR_WIDTH)
        there = (place >= 0) & (log[place, k.BAR_MINUTE] == minute)
        log[place[there], k.BAR_TRADES] = trades[there]

    def _keep_marks(self, day: TradingDay, close_ns: int, marks: Floats) -> None:
        if not day.pre_ns < close_ns <= day.post_end_ns:
            return
        row, count = len(self._minutes), len(marks)
        if count > self._marks.shape[1]:
            # A page that nothing is written to takes no memory.
            minutes = (day.post_end_ns - day.pre_ns) // MINUTE_NS
            wider = np.empty((minutes, max(self._market.capacity, count)))
            wider[:row, : self._marks.shape[1]] = self._marks[:row]
            wider[:row, self._marks.shape[1] :] = np.nan
            self._marks = wider
        self._marks[row, :count] = marks
        self._marks[row, count:] = np.nan
        self._minutes.append(close_ns // MINUTE_NS)

    def _known(self, fired: Fired) -> Fired:
        """Return a firing at the instant at which its price was known.

        A minute's bar happens at its beginning as a record, and tells how the minute ended.
        """
        if not self._of_bars:
            return fired
        within = fired.rule in self._movers or fired.ts_ns % MINUTE_NS > 0
        return replace(fired, ts_ns=(fired.ts_ns // MINUTE_NS + within) * MINUTE_NS)

    def _follow(self, day: TradingDay) -> None:
        """Work out what followed the day's firings, and begin the next day without any."""
        self._tell_fired()
        fired = [self._known(each) for each in self._fired]
        fired.sort(key=lambda each: each.ts_ns)
        self._fired.clear()
        names = self._market.symbols.names
        # Nothing is known of what lies behind the day's last record.
        minute = np.array(self._minutes, np.int64)
        minute = minute[minute <= self._market.clock_ns // MINUTE_NS + 1]
        marks = DayMarks(
            session_date=day.session_date,
            minute=minute,
            dollars=self._marks[: len(minute), : len(names)],
            regular_close=day.post_ns // MINUTE_NS,
        )
        slots = {symbol: slot for slot, symbol in enumerate(names)}
        self._done(follow(fired, marks, slots))
        self._minutes = []
        self._marks = np.empty((0, 0))
