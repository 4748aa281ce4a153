"""What every engine does: minutes, sessions and days at exact event times, pictures, and the end.

An engine is one thread. It owns the market's arrays. Finished bars and states go to a sink (the
store), pictures of the market into one slot that anybody may read. It knows event time only; wall
time, for pace and for how often it shows itself, comes from a clock that is passed in.
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.clock import Clock
from stockscan_tui.dispatch import CHECKPOINT_EVERY_S, Dispatch, Sink
from stockscan_tui.engine.alerting import FLUSH_NS, Alerting, Ground
from stockscan_tui.engine.day_counts import DayCounts
from stockscan_tui.engine.verifying import Verifying
from stockscan_tui.engine.vitals import VitalSigns
from stockscan_tui.engine.warming import StoredMinutes, Warming
from stockscan_tui.errors import StockscanError, StoreError
from stockscan_tui.feed import control
from stockscan_tui.feed.closing import keep_closes, resolve_closes
from stockscan_tui.feed.pace import Rate
from stockscan_tui.feed.reference import LOOK_BACK_DAYS, PreviousCloses
from stockscan_tui.feed.splits import Splits, looks_like_split
from stockscan_tui.market import kernel as k
from stockscan_tui.market.arithmetic import to_dollars
from stockscan_tui.market.batch import CoverageBatch, DifferenceBatch, MinuteKinds
from stockscan_tui.market.calendar import (
    MINUTE_NS,
    SECOND_NS,
    Calendar,
    Session,
    TradingDay,
)
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.metrics import indicator_of
from stockscan_tui.market.minute_history import KEPT_MINUTES, rescaled
from stockscan_tui.market.minutes import MinuteBars
from stockscan_tui.market.snapshot import (
    CloseSource,
    Feed,
    Flags,
    Health,
    Integers,
    Phase,
    Snapshot,
)
from stockscan_tui.market.state import Market, first_marks
from stockscan_tui.market.symbols import InstrumentIds
from stockscan_tui.market.user_data import Own
from stockscan_tui.market.usual_bars import UsualPace
from stockscan_tui.market.view import Photographer
from stockscan_tui.market.vitals import Vitals
from stockscan_tui.market.volume_curve import VolumeCurve
from stockscan_tui.priority import step_back
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.gates import SHIPPED, Gates
from stockscan_tui.scan.rules import Rules

MOST_PROBLEMS = 50
# A hostile feed could name symbols without end; those beyond are one.
MOST_SYMBOLS = 500_000
MORE = "#more"
# How often each symbol's verdicts are counted for the store, in wall time.
COUNT_EVERY_NS = 60 * SECOND_NS


StoredAlerts = Callable[[int, int], tuple[Mapping[str, int], Mapping[str, int]]]
AlertTimes = Callable[[int, int], NDArray[np.int64]]
StoredFired = Callable[[int, int], Sequence[Fired]]
Listener = Callable[[Sequence[Fired]], None]
StoredCloses = Callable[[date, date], dict[str, tuple[float, date, bool]]]


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is to go.

    Attributes:
        feed: Mode, title and whether the data is simulated, as shown.
        mark_mode: `kernel.MARK_AUTO`, `MARK_TRADE` or `MARK_MID`.
        refresh_s: How often a picture is made, in wall seconds; `math.inf` for at the end only.
        behind_screen: Whether a screen of this process is to have the processor first.
        save_s: How often a live run saves what a later one goes on from, in wall seconds.
        indicators: Those that are kept from the first minute on.
        rules: Those that are watched from the first record on.
        gates: What keeps noise off the board, and alerts of it from being delivered.
        names: What may stand in gates besides metrics.
        listeners: Who is told of alerts from the first one on.
        own: The user's watchlists and table.
        fresh_alerts: Whether the alerts that the store has give way to those of this run.
    """

    feed: Feed
    mark_mode: int = k.MARK_AUTO
    refresh_s: float = 0.1
    behind_screen: bool = False
    save_s: float = CHECKPOINT_EVERY_S
    indicators: frozenset[IndicatorKey] = frozenset()
    rules: Rules = field(default_factory=Rules)
    gates: Gates = SHIPPED
    names: Names = field(default_factory=Names)
    listeners: tuple[Listener, ...] = ()
    own: Own = field(default_factory=Own)
    fresh_alerts: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to; times are ns since 1970."""

    health: Health
    symbols: int
    alerts: int
    first_ns: int
    last_ns: int
    corrupt: bool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an engine is given to work with.

    Attributes:
        calendar: The exchange's trading days.
        closes: Previous closes known beforehand.
        sink: Where batches go.
        clock: Wall time.
        undated: Closes (symbol → dollars) of the trading day before the first session date.
        volumes: The average day's volume by symbol, as far as it is known beforehand.
        stored_closes: Closes that the store has between two dates, oldest excluded last.
        stored_minutes: The bars of the days before that the store has, by minute.
        stored_alerts: How many alerts each symbol and each rule had between two instants (ns).
        stored_fired: The last alerts between two instants (ns), oldest first.
        alert_times: When there were any between two instants (ns), oldest first.
        problems: What went wrong before the engine began.
    """

    calendar: Calendar
    closes: PreviousCloses
    sink: Sink
    clock: Clock
    undated: Mapping[str, float] | None = None
    volumes: Mapping[str, float] = field(default_factory=dict)
    stored_closes: StoredCloses | None = None
    stored_minutes: StoredMinutes | None = None
    stored_alerts: StoredAlerts | None = None
    stored_fired: StoredFired | None = None
    alert_times: AlertTimes | None = None
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ReferenceData:
    """What was fetched about the days before: all of it, or what is new of it.

    Attributes:
        closes: Official closes (dollars) by trading day and symbol, as they were traded.
        splits: The splits and renames that are known; None leaves them as they are.
        volumes: The average day's volume by symbol.
        curve: The share of a day's volume by minute; None leaves it as it is.
        usual: How many bars a minute are usual; None leaves it as it is.
        problem: What could not be had, in a sentence; empty where nothing is missing.
    """

    closes: Mapping[date, Mapping[str, float]] = field(default_factory=dict)
    splits: Splits | None = None
    volumes: Mapping[str, float] = field(default_factory=dict)
    curve: VolumeCurve | None = None
    usual: UsualPace | None = None
    problem: str = ""


class Engine(ABC):
    """A thread that applies records to a market.

    `_waits` says whether it may wait for the store at its first minute: a feed may not.

    Args:
        given: What it works with.
        options: How the run is to go.
        capacity: Symbols to make room for at first.
    """

    _waits = False

    def __init__(self, given: Surroundings, options: Options, capacity: int = 4096) -> None:
        self._calendar = given.calendar
        self._closes = given.closes
        self._undated = given.undated or {}
        self._stored_closes = given.stored_closes
        self._stored_minutes = given.stored_minutes
        self._stored_alerts = given.stored_alerts
        self._stored_fired = given.stored_fired
        self._sink = given.sink
        self._clock = given.clock
        self._options = options
        self._problems = list(given.problems)
        self._market = Market(options.mark_mode, capacity=capacity)
        self._photographer = Photographer(self._market, given.calendar, own=options.own)
        self._dispatch = Dispatch(self._market, given.sink, given.clock, options.save_s)
        self._vitals = VitalSigns(self._market, given.sink, given.clock)
        self._boundary_ns = 0
        self._now_ns = 0
        self._first_ns = 0
        self._next_day: TradingDay | None = None
        self._unmapped = 0
        self._rate = Rate()
        self._phase = Phase.OPENING
        self._snapshot: Snapshot | None = None
        self._shown_ns = 0
        self._focus: str | None = None
        # What the last picture was made of; None where something else has changed since.
        self._seen: object = None
        self._news: deque[ReferenceData] = deque()
        self._volumes: Mapping[str, float] = given.volumes
        self._asked_indicators = options.indicators
        self._ruled_indicators = _indicators_of(options.rules)
        self._alerting = Alerting(
            self._market,
            Ground(
                photographer=self._photographer,
                gates=options.gates,
                names=options.names,
                feed=lambda: options.feed,
                closes_known=self._closes_known,
                suspicious=self._look_split,
                behind_ns=self._behind_ns,
            ),
        )
        self._alerting.know(options.rules)
        self._dispatch.settle = self._settle_alerts
        self._listeners = options.listeners
        # Whether closes are being fetched that nobody has told of yet.
        self._awaits_news = False
        self._untold: list[Fired] = []
        self._told_alerts = 0
        self._flushed_ns = 0
        self._warming: Warming | None = None
        self._first_closed = False
        # What splits were last looked for in: None for nothing yet.
        self._judged: tuple[Splits, TradingDay | None, k.Int64s] | None = None
        self._verifying: Verifying | None = None
        self._counted_ns = 0
        self._day_counts = DayCounts()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="stockscan-engine", daemon=True)

    # --- called from other threads ---------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def snapshot(self) -> Snapshot | None:
        """Return the newest picture of the market, None before the first; never waits."""
        return self._snapshot

    def focus(self, symbol: str | None) -> None:
        """Let the next pictures carry the bars of `symbol`."""
        if symbol != self._focus:
            self._focus = symbol
            self._seen = None
            self._wake.set()

    def learn(self, news: ReferenceData) -> None:
        """Let closes, splits and volumes that were fetched be known; returns at once."""
        self._news.append(news)
        self._wake.set()

    def await_news(self) -> None:
        """Let rules begin once reference data has come, or could not be had; before the start."""
        self._awaits_news = True

    def know_own(self, own: Own) -> None:
        """Let the next pictures carry the user's watchlists and table."""
        self._photographer.own = own
        self._seen = None
        self._wake.set()

    def want(self, indicators: frozenset[IndicatorKey]) -> None:
        """Let these indicators be kept, and no others."""
        self._asked_indicators = indicators
        self._wake.set()

    def know_rules(self, rules: Rules) -> None:
        """Let these rules be watched from the next second on, and no others.

        One that is new does not fire for whom it is true already.
        """
        self._ruled_indicators = _indicators_of(rules)
        self._alerting.know(rules)
        self._wake.set()

    def on_fired(self, listener: Listener) -> None:
        """Let `listener` be told of alerts as they fire, oldest first, by the engine's thread.

        It must return at once. What a replay that was moved back fires again is not told again.
        """
        self._listeners = (*self._listeners, listener)

    @property
    def calendar(self) -> Calendar:
        """The exchange's trading days."""
        return self._calendar

    @property
    def splits(self) -> Splits:
        """The splits and renames as they are known now; what is returned never changes."""
        return self._closes.splits

    @property
    def wanted(self) -> frozenset[IndicatorKey]:
        """The indicators that are asked for, by the screen or by rules."""
        return self._asked_indicators | self._ruled_indicators

    @property
    def session_date(self) -> date | None:
        """The session date that the market is in, None before the first record."""
        day = self._market.day
        return day.session_date if day is not None else None

    def stop(self) -> None:
        """Ask to end cleanly: what is in memory is still handed to the sink. Returns at once."""
        self._stopping.set()
        self._wake.set()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; returns whether it has come."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def running(self) -> bool:
        """Whether records are still being applied."""
        return self._thread.is_alive()

    @property
    def phase(self) -> Phase:
        """How far the run has come."""
        return self._phase

    @property
    def event_ns(self) -> int:
        """The event time that has been reached, 0 before the first record."""
        return max(self._now_ns, self._market.clock_ns)

    @property
    def vitals(self) -> Vitals:
        """What the run knows of itself, as of a second ago at most."""
        return self._vitals.newest

    def failure(self) -> str:
        """Return why the engine broke off, empty while it has not."""
        return "" if self._error is None else str(self._error) or repr(self._error)

    def health(self) -> Health:
        """Return the counts as they stand."""
        ctl = self._market.ctl
        status = self._sink.status()
        return Health(
            records=int(ctl[k.RECORDS]),
            trades=int(ctl[k.TRADES]),
            quotes=int(ctl[k.QUOTES]),
            bars=int(ctl[k.BARS]),
            symbols=self._market.count,
            late=int(ctl[k.LATE]),
            repeated=int(ctl[k.REPEATED]),
            unmapped=self._unmapped,
            unknown_records=int(ctl[k.UNKNOWN]),
            bad_timestamps=int(ctl[k.BAD_TIMES]),
            bad_prices=int(ctl[k.BAD_PRICES]),
            records_per_s=self._rate.per_s,
            queue=status.queue,
            store_error=status.error,
            problems=tuple(self._problems),
        )

    def outcome(self) -> Outcome:
        """Return what the run came to.

        Raises:
            BaseException: What ended the thread, if it did not end by itself.
        """
        if self._error is not None:
            raise self._error
        return Outcome(
            health=self.health(),
            symbols=self._market.count,
            alerts=self._told_alerts,
            first_ns=self._first_ns,
            last_ns=self._market.clock_ns,
            corrupt=self._corrupt(),
        )

    # --- the engine's thread -----------------------------------------------------------------

    def _run(self) -> None:
        if self._options.behind_screen:
            step_back()
        try:
            self._play()
        except BaseException as error:  # noqa: BLE001 - told by outcome() to whoever joins
            self._error = error
            if isinstance(error, StockscanError):
                self._problems.append(str(error))
            self._phase = Phase.FAILED
        finally:
            self._stopping.set()
            self._close()

    @abstractmethod
    def _play(self) -> None:
        """Apply records until there are no more or the engine is to stop."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of where the records come from."""

    @abstractmethod
    def feed(self) -> Feed:
        """Return what is being played and how, as it stands."""

    @abstractmethod
    def _due_ns(self) -> int:
        """Return the event time of the first record that waits, 0 where none does."""

    @abstractmethod
    def _collect(self) -> None:
        """Hand over what has changed, if it is time to."""

    def _corrupt(self) -> bool:
        """Whether a source broke off in its middle."""
        return False

    def _begin(self, first_ns: int) -> None:
        """Let the run begin with the record at `first_ns`."""
        self._first_ns = first_ns
        self._now_ns = first_ns
        self._boundary_ns = first_ns // MINUTE_NS * MINUTE_NS + MINUTE_NS
        day = self._calendar.day_at(first_ns)
        self._learn_closes(day)
        self._turn_to(day, first_ns)
        self._learn_alerts(day, first_ns)

    def _learn_closes(self, day: TradingDay) -> None:
        """Add undated and stored closes, now that the first session date is known."""
        before = self._calendar.previous(day.session_date)
        if before is not None and self._undated:
            self._closes.add(before, CloseSource.FILE, self._undated)
        oldest = self._calendar.previous(day.session_date, LOOK_BACK_DAYS)
        if self._stored_closes is not None and oldest is not None:
            stored: Mapping[str, tuple[float, date, bool]] = {}
            try:
                stored = self._stored_closes(day.session_date, oldest)
            except StoreError as error:
                self._tell(f"stored closes could not be read: {error}")
            for symbol, (price, on, _official) in stored.items():
                self._closes.add(on, CloseSource.DATABASE, {symbol: price})

    def _learn_alerts(self, day: TradingDay, until_ns: int) -> None:
        """Take up the day's alerts before an instant: how many of whom, of which rule, the last."""
        if self._stored_alerts is None:
            return
        try:
            counts, by_rule = self._stored_alerts(day.start_ns, until_ns)
            if self._stored_fired is not None:
                self._market.take_fired(self._stored_fired(day.start_ns, until_ns))
            self._market.fired_by_rule = dict(by_rule)
        except StoreError as error:
            self._tell(f"stored alerts could not be read: {error}")
            return
        slots = self._slots(list(counts))
        self._market.alerts[slots] = list(counts.values())

    def _take_news(self) -> None:
        """Take up reference data that came meanwhile."""
        if not self._news:
            return
        # What is over is judged by what was known then.
        self._alerting.flush()
        before = self._alerting.true_now(self.event_ns)
        while self._news:
            news = self._news.popleft()
            if news.closes or news.problem or news.usual is not None:
                self._awaits_news = False
            for day, table in news.closes.items():
                self._closes.add(day, CloseSource.DAILY, table)
            if news.splits is not None:
                self._closes.splits = news.splits
            if news.volumes:
                self._volumes = {**self._volumes, **news.volumes}
            if news.curve is not None:
                self._photographer.curve = news.curve
            if news.usual is not None:
                self._vitals.usual = news.usual
            if news.problem:
                self._tell(news.problem)
            self._seen = None
            self._resolve(range(self._market.count))
            self._suspect_splits()
            self._alerting.relevel()
        self._alerting.excuse(before, self.event_ns)

    def _resolve(self, slots: Sequence[int]) -> None:
        """Look up what reference data says of some symbols."""
        resolve_closes(self._market, self._closes, slots)
        names = self._market.symbols.names
        found = [slot for slot in slots if names[slot] in self._volumes]
        self._market.average_volume[found] = [self._volumes[names[slot]] for slot in found]

    def _suspect_splits(self) -> None:
        """Mark overnight moves that look like a split, where none is known.

        Only who has another first mark or close than at the last minute's end is looked at.
        """
        market, splits = self._market, self._closes.splits
        count = market.count
        now = np.stack([first_marks(market.rows), market.prev_close[:count].view(np.int64)])
        judged = self._judged
        if judged is None or judged[0] is not splits or judged[1] is not market.day:
            changed = np.arange(count)
        else:
            before = judged[2]
            same = (now[:, : before.shape[1]] == before).all(axis=0)
            changed = np.append(np.flatnonzero(~same), np.arange(before.shape[1], count))
        self._judged = (splits, market.day, now)
        if not len(changed):
            return
        market.split_suspect[changed] = self._look_split(changed, now[0, changed])

    def _look_split(self, slots: Integers, first: Integers) -> Flags:
        """Return where first marks (1e-9) look like a split that nothing confirms."""
        market = self._market
        suspect = looks_like_split(market.prev_close[slots], to_dollars(first))
        if suspect.any():
            known = {split.symbol for split in self._closes.splits.splits}
            names = market.symbols.names
            for place in np.flatnonzero(suspect):
                suspect[place] = names[slots[place]] not in known
        return suspect

    def _behind_ns(self, ns: int) -> int:
        """Return for how long what happened at an instant has been over; 0 for a replay."""
        return 0

    def _closes_known(self) -> bool:
        """Whether changes are against previous closes; else they are from the first trades."""
        return True

    def _tell(self, problem: str) -> None:
        if len(self._problems) < MOST_PROBLEMS and problem not in self._problems:
            self._problems.append(problem)

    # --- symbols and rare records ---------------------------------------------------------------

    def _slots(self, symbols: Sequence[str]) -> list[int]:
        """Return the symbols' slots; new ones get their previous closes."""
        known = self._market.count
        if known + len(symbols) > MOST_SYMBOLS:
            symbols = self._bounded(symbols)
        slots = self._market.slots(symbols)
        if self._market.count > known:
            self._resolve(range(known, self._market.count))
            self._alerting.add(range(known, self._market.count))
        return slots

    def _bounded(self, symbols: Sequence[str]) -> Sequence[str]:
        """Let one symbol stand for all that are beyond what any market has."""
        table, fresh = self._market.symbols, set[str]()
        room = MOST_SYMBOLS - self._market.count
        for symbol in symbols:
            if len(fresh) < room and table.find(symbol) is None:
                fresh.add(symbol)
        named = [s if s in fresh or table.find(s) is not None else MORE for s in symbols]
        if MORE in named:
            self._tell(
                f"The feed names more than {MOST_SYMBOLS:,} symbols: the rest are counted "
                f"together, as {MORE}."
            )
            self._market.coverage.distrust(self._market.slots((MORE,))[0])
        return named

    def _slot(self, symbol: str) -> int:
        return self._slots((symbol,))[0]

    def _take_control(self, said: control.Control | None, ids: InstrumentIds) -> None:
        """Do what a rare record asks for."""
        self._market.ctl[k.RECORDS] += 1
        self._vitals.count_control(1)
        match said:
            case control.Mapping(number, symbol):
                changed = ids.assign([(number, self._slot(symbol))])
                self._market.symbols.note_remapped(changed)
            case control.Definition(number, symbol) if number not in ids:
                ids.assign([(number, self._slot(symbol))])
            case control.DailyBar(number, day, price):
                slot = ids.slot(number)
                if slot is not None:
                    symbol = self._market.symbols.names[slot]
                    self._alerting.flush()
                    self._closes.add(day, CloseSource.DAILY, {symbol: price})
                    resolve_closes(self._market, self._closes, (slot,))
                    first = first_marks(self._market.rows[[slot]])
                    self._market.split_suspect[slot] = self._look_split(np.array([slot]), first)[0]
                    self._alerting.add((slot,))
            case control.Message(text, error=True):
                self._tell(f"the feed said: {text}")
            case _:
                pass

    def _name_unmapped(self, number: int, ids: InstrumentIds) -> None:
        """Give an id that nothing maps a symbol made of its number."""
        self._unmapped += 1
        slot = self._slot(f"#{number}")
        self._market.coverage.distrust(slot)
        ids.assign([(number, slot)])

    # --- boundaries of event time --------------------------------------------------------------

    def _close_minute(self) -> None:
        boundary_ns = self._boundary_ns
        market = self._market
        self._alerting.close_second(boundary_ns)
        market.close_minute()
        self._suspect_splits()
        self._collect()
        market.close_bars(boundary_ns // MINUTE_NS - 1)
        if self._verifying is not None:
            self._tell_differences(self._verifying.close_minute(boundary_ns // MINUTE_NS - 1))
        self._tell_verdicts()
        # What rules look at is there from one and the same minute on, however fast it goes.
        awaited = not self._first_closed or bool(self._ruled_indicators)
        self._keep_wanted(wait=self._waits and awaited, close=True)
        self._first_closed = True
        self._alerting.close_minute(boundary_ns)
        if self._turns(boundary_ns):
            # What waits is evaluated on the session that ends here.
            self._alerting.flush()
        self._take_fired()
        if self._next_day is not None and boundary_ns >= self._next_day.start_ns:
            self._turn_to(self._calendar.day_at(boundary_ns), boundary_ns)
        elif market.day is not None:
            before = market.session
            market.begin_session(market.day.session_at(boundary_ns), boundary_ns)
            if market.session is not before:
                self._alerting.turn(boundary_ns)
            if before is Session.REGULAR and market.session is not before:
                self._keep_closes(market.day)
        self._boundary_ns = boundary_ns + MINUTE_NS

    def _turns(self, boundary_ns: int) -> bool:
        """Whether another session, or another day, begins at a minute's end."""
        day = self._market.day
        if self._next_day is not None and boundary_ns >= self._next_day.start_ns:
            return True
        return day is not None and day.session_at(boundary_ns) is not self._market.session

    def _skip_closed_hours(self) -> bool:
        """Between sessions go straight to the next record or the next day's beginning."""
        due_ns = self._due_ns()
        if self._market.session is not Session.CLOSED or not due_ns:
            return False
        goal_ns = due_ns // MINUTE_NS * MINUTE_NS
        if self._next_day is not None:
            goal_ns = min(goal_ns, self._next_day.start_ns)
        if goal_ns <= self._boundary_ns:
            return False
        self._boundary_ns = goal_ns
        self._now_ns = goal_ns - MINUTE_NS
        return True

    def _turn_to(self, day: TradingDay, at_ns: int) -> None:
        """End the session date, if one is running, and begin the next."""
        before = self._market.day
        if before is not None:
            self._keep_closes(before)
            self._hand_over()
        self._market.begin_day(day, at_ns)
        self._market.symbols.remapped.clear()
        if before is not None:
            names = self._market.symbols.names
            ratios = self._closes.splits.ratios(names, before.session_date, day.session_date)
            self._market.rescale(ratios)
            self._day_counts.begin_day(at_ns, self.health())
        self._next_day = self._calendar.next_day(day.session_date)
        self._resolve(range(self._market.count))
        self._alerting.turn(at_ns)

    def _hand_over(self) -> None:
        """Hand over everything there is."""
        self._settle_alerts()
        self._tell_all_verdicts()
        self._dispatch.send_all()

    # --- alerts ----------------------------------------------------------------------------------

    def _settle_alerts(self) -> None:
        """Evaluate all that is over."""
        self._alerting.flush()
        self._take_fired()

    def _look_at_rules(self, within_ns: int = FLUSH_NS) -> None:
        """Evaluate what has come, soon enough for whoever waits, and take up other rules."""
        self._alerting.look(self.event_ns)
        if self._alerting.waiting:
            wall_ns = self._clock.now_ns()
            if wall_ns - self._flushed_ns >= within_ns:
                self._flushed_ns = wall_ns
                self._settle_alerts()

    def _take_fired(self) -> None:
        """Let what has fired be kept and told."""
        fired = self._alerting.take_fired()
        if not fired:
            return
        # Of a market that stands still, too, there is something new.
        self._seen = None
        if self._dispatch.muted:
            return
        self._told_alerts += len(fired)
        self._dispatch.add_fired(fired)
        self._untold += fired
        # Nobody waits for the next picture's turn.
        self._shown_ns = 0

    def _tell_fired(self) -> None:
        """Tell of what has fired, once the picture that shows it is there."""
        if self._untold:
            told, self._untold = tuple(self._untold), []
            for listener in self._listeners:
                try:
                    listener(told)
                except Exception as error:  # noqa: BLE001 - whoever listens ends no capture
                    self._tell(f"alerts could not be told: {error!r}")

    # --- what goes to the store ------------------------------------------------------------------

    def _keep_closes(self, day: TradingDay) -> None:
        self._dispatch.add_closes(keep_closes(self._market, self._closes, day))

    def _keep_wanted(self, *, wait: bool = False, close: bool = False) -> None:
        """Begin to keep the indicators that are newly wanted, from the bars of before.

        Args:
            wait: Whether to wait until they have been brought up to now.
            close: Whether a minute closes.
        """
        if not self._boundary_ns:
            # Nothing has begun: it is not known yet what came before.
            return
        self._take_warmed(wait=wait, close=close)
        indicators, wanted = self._market.indicators, self.wanted
        for key in indicators.keys - wanted:
            indicators.remove(key)
        missing = wanted - indicators.keys
        if self._warming is not None or not missing:
            return
        # What it is to read has to be on its way to the store.
        self._dispatch.flush()
        self._warming = Warming(
            missing,
            self._adjusted_minutes if self._stored_minutes is not None else None,
            tuple(self._market.minutes.closed),
            self._boundary_ns // MINUTE_NS - 1,
            tuple(self._market.symbols.names),
            lambda: self._sink.status().queue == 0,
        )
        self._take_warmed(wait=wait, close=close)

    def _take_warmed(self, *, wait: bool, close: bool) -> None:
        """Take over indicators that have been brought up to now."""
        if self._warming is None:
            return
        played = self._waits and self._phase is Phase.PLAYING
        if played and not (wait or close) and self._warming.keys & self._ruled_indicators:
            # A replay's rules see them from a minute's close on, however fast it goes.
            return
        if wait:
            self._warming.wait()
        if self._warming.ready:
            market = self._market
            self._warming.hand_over(market.indicators, market.minutes.closed, KEPT_MINUTES)
            self._warming = None
            self._seen = None

    def _adjusted_minutes(self, before: int, symbols: Sequence[str]) -> Iterator[MinuteBars]:
        """Return stored minutes as they compare with the session date's shares."""
        if self._stored_minutes is None or self._market.day is None:
            return
        today, splits = self._market.day.session_date, self._closes.splits
        ratios: dict[date, NDArray[np.float64]] = {}
        for bars in self._stored_minutes(before, symbols):
            on = self._calendar.day_at(bars.minute * MINUTE_NS).session_date
            if on not in ratios:
                ratios[on] = splits.ratios(symbols, on, today)
            yield rescaled(bars, ratios[on])

    def _tell_differences(self, found: DifferenceBatch | None) -> None:
        if found is not None:
            self._dispatch.add_differences(found)

    def _tell_verdicts(self) -> None:
        """Let the verdicts that changed go to the store: by minute, and now and then by symbol."""
        market = self._market
        if market.day is None:
            return
        # A bar that is not taken yet would make a traded minute a quiet one until the next.
        self._dispatch.take()
        on = market.day.session_date
        changed = market.coverage.take_changed(market.count)
        self._dispatch.add_kinds(MinuteKinds(on, minute, kinds) for minute, kinds in changed)
        wall_ns = self._clock.now_ns()
        if wall_ns - self._counted_ns >= COUNT_EVERY_NS:
            self._counted_ns = wall_ns
            self._tell_counts()

    def _tell_all_verdicts(self) -> None:
        self._dispatch.take()
        if self._verifying is not None:
            # What goes on is not over.
            over = self._boundary_ns // MINUTE_NS - 2
            self._tell_differences(self._verifying.end(over))
            self._dispatch.take()
        self._tell_verdicts()
        self._tell_counts()

    def _tell_counts(self) -> None:
        """Let each symbol's counts of verdicts go to the store."""
        market = self._market
        if market.day is None or not market.coverage.elapsed:
            return
        figures = market.coverage.figures(market.count)
        self._dispatch.add_coverage(
            CoverageBatch(
                session_date=market.day.session_date,
                slot=np.arange(market.count, dtype=np.int32),
                elapsed=figures.elapsed,
                traded=figures.traded,
                backfilled=figures.backfilled,
                quiet=figures.quiet,
                missing=figures.missing,
                unknown=figures.unknown,
                verified=figures.verified if market.verification.source else None,
            )
        )
        self._dispatch.add_day(
            self._day_counts.record(market, market.day, figures, self.health(), self._first_ns)
        )

    # --- pictures --------------------------------------------------------------------------------

    def _look_at_focus(self) -> None:
        """Let the market keep the trades of the symbol in focus, as soon as there is one."""
        symbol = self._focus
        self._market.focus_on(self._market.symbols.find(symbol) if symbol else None)

    def _show(self, *, force: bool) -> None:
        """Make a new picture when it is time for one."""
        wall_ns = self._clock.now_ns()
        self._rate.note(wall_ns, int(self._market.ctl[k.RECORDS]))
        self._look_at_focus()
        self._look_at_itself(force=force)
        self._make_picture(wall_ns, force=force)
        self._tell_fired()

    def _make_picture(self, wall_ns: int, *, force: bool) -> None:
        if not force and wall_ns - self._shown_ns < self._options.refresh_s * SECOND_NS:
            return
        self._shown_ns = wall_ns
        self._keep_wanted()
        feed, health = self.feed(), self.health()
        # What stands still is not painted anew: a paused board is to cost next to nothing.
        seen = (self.event_ns, feed, replace(health, lag_ms=0.0), self._beat())
        if seen == self._seen and not force:
            return
        self._seen = seen
        picture = self._photographer.take(
            event_ns=self.event_ns,
            feed=feed,
            health=health,
            closes_known=self._closes_known(),
            focus=self._focus,
            vitals=self._vitals.newest,
            made_ns=wall_ns,
        )
        self._snapshot = self._placed(picture)

    def _look_at_itself(self, *, force: bool) -> None:
        """Take stock of the run, once a second."""
        if force or self._vitals.due:
            self._vitals.look(
                self.feed(),
                over=self._boundary_ns // MINUTE_NS - 1,
                silent_s=self._silent_s(),
            )

    def _silent_s(self) -> float:
        """Return for how long nothing has come, in wall seconds; NaN for no live feed."""
        return math.nan

    def _beat(self) -> int:
        """Return what changes when a picture is due of a market that stands still."""
        return 0

    def _placed(self, picture: Snapshot) -> Snapshot:
        """Return a picture with where it stands in time."""
        return picture


def _indicators_of(rules: Rules) -> frozenset[IndicatorKey]:
    """Return the indicators that rules look at."""
    found = (indicator_of(key) for key in rules.keys)
    return frozenset(key for key in found if key is not None)
