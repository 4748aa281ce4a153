"""The engine: one thread that plays sources through the compiled loop, at exact event times.

It owns the market's arrays. Finished bars and states go to a sink (the store), pictures of the
market into one slot that anybody may read. It knows event time only; wall time, for pace and for
how often it shows itself, comes from a clock that is passed in.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time

import numpy as np

from stockscan_tui.clock import Clock
from stockscan_tui.dispatch import Dispatch, Sink
from stockscan_tui.errors import StockscanError
from stockscan_tui.feed import control
from stockscan_tui.feed.closing import keep_closes, resolve_closes
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.pace import Pacer, Rate
from stockscan_tui.feed.reference import LOOK_BACK_DAYS, PreviousCloses
from stockscan_tui.feed.replay import Source
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import (
    MINUTE_NS,
    SECOND_NS,
    Calendar,
    Session,
    TradingDay,
    new_york_ns,
    new_york_time,
)
from stockscan_tui.market.snapshot import CloseSource, Feed, Health, Phase, Snapshot
from stockscan_tui.market.state import Market
from stockscan_tui.market.view import Photographer
from stockscan_tui.priority import step_back

WAIT_S = 0.02
MOST_PROBLEMS = 50


StoredCloses = Callable[[date, date], dict[str, tuple[float, date, bool]]]


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is to go.

    Attributes:
        feed: Mode, title and whether the data is simulated, as shown.
        speed: Event seconds per second; `math.inf` for as fast as it goes.
        start_at: New York time on the first session date up to which records are taken in at
            full speed; None to play from the first record.
        mark_mode: `kernel.MARK_AUTO`, `MARK_TRADE` or `MARK_MID`.
        refresh_s: How often a picture is made, in wall seconds; `math.inf` for at the end only.
        behind_screen: Whether a screen of this process is to have the processor first.
    """

    feed: Feed
    speed: float = math.inf
    start_at: time | None = None
    mark_mode: int = k.MARK_AUTO
    refresh_s: float = 0.1
    behind_screen: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to; times are ns since 1970."""

    health: Health
    symbols: int
    first_ns: int
    last_ns: int
    corrupt: bool


class Engine:
    """Plays DBN files into a market.

    Args:
        files: What to play, as one timeline.
        calendar: The exchange's trading days.
        closes: Previous closes known beforehand.
        undated: Closes (symbol → dollars) of the trading day before the first session date.
        stored_closes: Closes that the store has between two dates, oldest excluded last.
        sink: Where batches go.
        options: How the run is to go.
        clock: Wall time.
    """

    def __init__(
        self,
        files: Sequence[DbnFile],
        *,
        calendar: Calendar,
        closes: PreviousCloses,
        sink: Sink,
        options: Options,
        clock: Clock,
        undated: Mapping[str, float] | None = None,
        stored_closes: StoredCloses | None = None,
        problems: Sequence[str] = (),
    ) -> None:
        self._files = sorted(files, key=lambda file: file.start_ns)
        self._calendar = calendar
        self._closes = closes
        self._undated = undated or {}
        self._stored_closes = stored_closes
        self._sink = sink
        self._options = options
        self._clock = clock
        self._problems = list(problems)
        mapped = sum(len(file.symbology) for file in files)
        self._market = Market(options.mark_mode, capacity=max(mapped, 4096))
        self._photographer = Photographer(self._market, calendar)
        self._pacer = Pacer(options.speed)
        self._wanted = (options.speed, False)
        self._dispatch = Dispatch(self._market, sink, clock)
        self._sources: list[Source] = []
        self._boundary_ns = 0
        self._now_ns = 0
        self._first_ns = 0
        self._goal_ns = 0
        self._next_day: TradingDay | None = None
        self._unmapped = 0
        self._rate = Rate()
        self._phase = Phase.OPENING
        self._snapshot: Snapshot | None = None
        self._shown_ns = 0
        self._focus: str | None = None
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="stockscan-engine", daemon=True)

    # --- called from other threads ---------------------------------------------------------

    def start(self) -> None:
        """Begin to play."""
        self._thread.start()

    def snapshot(self) -> Snapshot | None:
        """Return the newest picture of the market, None before the first; never waits."""
        return self._snapshot

    def set_speed(self, speed: float) -> None:
        """Play at `speed` event seconds per second from now on."""
        self._wanted = (speed, self._wanted[1])
        self._wake.set()

    def set_paused(self, paused: bool) -> None:
        """Pause, or go on."""
        self._wanted = (self._wanted[0], paused)
        self._wake.set()

    def focus(self, symbol: str | None) -> None:
        """Let the next pictures carry the bars of `symbol`."""
        self._focus = symbol
        self._wake.set()

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
        """Whether records are still being played."""
        return self._thread.is_alive()

    @property
    def phase(self) -> Phase:
        """How far the run has come."""
        return self._phase

    @property
    def event_ns(self) -> int:
        """The event time that has been reached, 0 before the first record."""
        return max(self._now_ns, self._market.clock_ns)

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
            first_ns=self._first_ns,
            last_ns=self._market.clock_ns,
            corrupt=any(source.corrupt for source in self._sources),
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
            for source in self._sources:
                source.close()

    def _play(self) -> None:
        self._open_sources()
        waiting = self._waiting()
        if waiting and not self._stopping.is_set():
            self._begin(min(source.next_ns for source in waiting))
        while not self._stopping.is_set() and not self._ran_out():
            self._obey()
            stop_ns = self._next_stop()
            if stop_ns is None:
                self._show(force=False)
                self._wake.clear()
                self._clock.wait(self._wake, WAIT_S)
                continue
            self._play_until(stop_ns)
            if not self._ran_out():
                self._reach(stop_ns)
            self._show(force=False)
        self._finish()

    def _waiting(self) -> list[Source]:
        return [source for source in self._sources if not source.ended]

    def _ran_out(self) -> bool:
        return not self._waiting()

    def _open_sources(self) -> None:
        """Open every file and look up when its first record happens."""
        for file in self._files:
            source = Source(file)
            self._sources.append(source)
            if file.start_ns > k.EARLIEST_NS and file.start_ns < k.LATEST_NS:
                source.map_day(file.start_ns, self._slots)
                self._market.ctl[k.CLOCK_NS] = file.start_ns
            self._play_source(source, 0)
        self._market.ctl[k.CLOCK_NS] = 0
        waiting = sorted(self._waiting(), key=lambda source: source.next_ns)
        for source in waiting[1:]:
            source.park()

    def _begin(self, first_ns: int) -> None:
        self._first_ns = first_ns
        self._now_ns = first_ns
        self._boundary_ns = first_ns // MINUTE_NS * MINUTE_NS + MINUTE_NS
        day = self._calendar.day_at(first_ns)
        self._learn_closes(day)
        self._turn_to(day, first_ns)
        self._goal_ns = first_ns
        if self._options.start_at is not None:
            self._goal_ns = new_york_ns(day.session_date, self._options.start_at)
        self._phase = Phase.PRIMING
        self._pacer.anchor(first_ns, self._clock.now_ns())
        if self._goal_ns <= first_ns:
            self._phase = Phase.PLAYING

    def _learn_closes(self, day: TradingDay) -> None:
        """Add undated and stored closes, now that the first session date is known."""
        before = self._calendar.previous(day.session_date)
        if before is not None and self._undated:
            self._closes.add(before, CloseSource.FILE, self._undated)
        oldest = self._calendar.previous(day.session_date, LOOK_BACK_DAYS)
        if self._stored_closes is not None and oldest is not None:
            stored = self._stored_closes(day.session_date, oldest)
            for symbol, (price, on, _official) in stored.items():
                self._closes.add(on, CloseSource.DATABASE, {symbol: price})

    def _obey(self) -> None:
        """Take up a change of speed or pause that was asked for."""
        speed, paused = self._wanted
        if speed != self._pacer.speed or paused != self._pacer.paused:
            self._pacer.set(self._now_ns, self._clock.now_ns(), speed=speed, paused=paused)

    def _next_stop(self) -> int | None:
        """Return the instant to play up to next, None while nothing is due."""
        limit = self._boundary_ns
        due = [source.next_ns for source in self._waiting()]
        if sum(ns < limit for ns in due) > 1:
            # Files that overlap take turns second by second.
            limit = min(limit, min(due) // SECOND_NS * SECOND_NS + SECOND_NS)
        if self._now_ns < self._goal_ns:
            return min(limit, self._goal_ns)
        target_ns = self._pacer.target_ns(self._clock.now_ns())
        if target_ns is None:
            return limit
        return min(limit, target_ns) if target_ns > self._now_ns else None

    def _play_until(self, stop_ns: int) -> None:
        ctl = self._market.ctl
        clock_ns = newest_ns = int(ctl[k.CLOCK_NS])
        for source in self._sources:
            if source.ended or source.next_ns >= stop_ns:
                continue
            source.map_day(stop_ns - 1, self._slots)
            ctl[k.CLOCK_NS] = clock_ns
            self._play_source(source, stop_ns)
            newest_ns = max(newest_ns, int(ctl[k.CLOCK_NS]))
        ctl[k.CLOCK_NS] = newest_ns

    def _play_source(self, source: Source, stop_ns: int) -> None:
        """Apply the source's records before `stop_ns`; sets when its next one happens."""
        market = self._market
        ctl = market.ctl
        ctl[k.STOP_NS] = stop_ns
        while True:
            ctl[k.POSITION] = source.position
            ctl[k.END] = source.end
            ctl[k.FINAL] = source.final
            reason = market.consume(source.data, source.ids)
            source.position = int(ctl[k.POSITION])
            if reason == k.BOUNDARY:
                source.next_ns = int(ctl[k.RESUME_NS])
                return
            if reason == k.NEED_BYTES:
                if self._stopping.is_set() or not source.advance():
                    self._end_source(source)
                    return
                self._show(force=False)
            elif reason == k.CONTROL:
                self._take_control(source)
            elif reason == k.NEW_ID:
                self._name_unmapped(source)
            elif reason == k.FLUSH:
                self._collect()
            elif reason == k.GROW:
                market.grow_bars()
            else:
                source.fail(f"{source.file.path.name} holds a record without length", corrupt=True)
                self._end_source(source)
                return

    def _end_source(self, source: Source) -> None:
        if source.problem:
            used = f"{int(self._market.ctl[k.RECORDS]):,} records were used"
            clock_ns = self._market.clock_ns
            until = f", up to {new_york_time(clock_ns):%Y-%m-%d %H:%M:%S} New York" * bool(clock_ns)
            self._tell(f"{source.problem}: {used}{until}")

    def _tell(self, problem: str) -> None:
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(problem)

    def _slots(self, symbols: Sequence[str]) -> list[int]:
        """Return the symbols' slots; new ones get their previous closes."""
        known = self._market.count
        slots = self._market.slots(symbols)
        if self._market.count > known:
            resolve_closes(self._market, self._closes, range(known, self._market.count))
        return slots

    def _slot(self, symbol: str) -> int:
        return self._slots((symbol,))[0]

    def _take_control(self, source: Source) -> None:
        said = source.take_control()
        self._market.ctl[k.RECORDS] += 1
        match said:
            case control.Mapping(number, symbol):
                source.ids.assign([(number, self._slot(symbol))])
            case control.Definition(number, symbol) if number not in source.ids:
                source.ids.assign([(number, self._slot(symbol))])
            case control.DailyBar(number, day, price):
                slot = source.ids.slot(number)
                if slot is not None:
                    symbol = self._market.symbols.names[slot]
                    self._closes.add(day, CloseSource.DAILY, {symbol: price})
                    resolve_closes(self._market, self._closes, (slot,))
            case control.Message(text, True):
                self._tell(f"the feed said: {text}")
            case _:
                pass

    def _name_unmapped(self, source: Source) -> None:
        """Give an id that nothing maps a symbol made of its number."""
        number = source.next_instrument_id()
        self._unmapped += 1
        source.ids.assign([(number, self._slot(f"#{number}"))])

    # --- boundaries of event time --------------------------------------------------------------

    def _reach(self, stop_ns: int) -> None:
        self._now_ns = stop_ns
        if stop_ns == self._boundary_ns:
            self._close_minute()
            self._skip_closed_hours()
        if self._phase is Phase.PRIMING and self._now_ns >= self._goal_ns:
            self._phase = Phase.PLAYING
            self._pacer.anchor(self._now_ns, self._clock.now_ns())

    def _close_minute(self) -> None:
        boundary_ns = self._boundary_ns
        market = self._market
        market.close_minute()
        self._collect()
        if self._next_day is not None and boundary_ns >= self._next_day.start_ns:
            self._turn_to(self._calendar.day_at(boundary_ns), boundary_ns)
        elif market.day is not None:
            before = market.session
            market.begin_session(market.day.session_at(boundary_ns), boundary_ns)
            if before is Session.REGULAR and market.session is not before:
                self._keep_closes(market.day)
        self._boundary_ns = boundary_ns + MINUTE_NS

    def _skip_closed_hours(self) -> None:
        """Between sessions go straight to the next record or the next day's beginning."""
        due = [source.next_ns for source in self._waiting()]
        if self._market.session is not Session.CLOSED or not due:
            return
        goal_ns = min(due) // MINUTE_NS * MINUTE_NS
        if self._next_day is not None:
            goal_ns = min(goal_ns, self._next_day.start_ns)
        if goal_ns > self._boundary_ns:
            self._boundary_ns = goal_ns
            self._now_ns = goal_ns - MINUTE_NS
            self._pacer.anchor(goal_ns, self._clock.now_ns())

    def _turn_to(self, day: TradingDay, at_ns: int) -> None:
        """End the session date, if one is running, and begin the next."""
        if self._market.day is not None:
            self._keep_closes(self._market.day)
            self._dispatch.send_all()
        self._market.begin_day(day, at_ns)
        self._next_day = self._calendar.next_day(day.session_date)
        resolve_closes(self._market, self._closes, range(self._market.count))

    # --- what goes out ---------------------------------------------------------------------------

    def _collect(self) -> None:
        self._dispatch.collect(states=not math.isinf(self._pacer.speed))

    def _keep_closes(self, day: TradingDay) -> None:
        self._dispatch.add_closes(keep_closes(self._market, self._closes, day))

    def _finish(self) -> None:
        """Hand over all that is left; the end of the files passes the minute it falls in."""
        market = self._market
        if market.day is not None:
            if self._ran_out() and not self._stopping.is_set():
                self._close_minute()
                self._now_ns = self._boundary_ns - MINUTE_NS
            if market.clock_ns >= market.day.post_ns:
                self._keep_closes(market.day)
            self._dispatch.send_all()
        self._phase = Phase.ENDED
        self._show(force=True)

    def _show(self, *, force: bool) -> None:
        """Make a new picture when it is time for one."""
        wall_ns = self._clock.now_ns()
        self._rate.note(wall_ns, int(self._market.ctl[k.RECORDS]))
        if not force and wall_ns - self._shown_ns < self._options.refresh_s * SECOND_NS:
            return
        self._shown_ns = wall_ns
        market = self._market
        self._snapshot = self._photographer.take(
            event_ns=self.event_ns,
            feed=self._feed(),
            health=self.health(),
            closes_known=bool(np.isfinite(market.prev_close[: market.count]).any()),
            focus=self._focus,
        )

    def _feed(self) -> Feed:
        total = sum(source.file.size for source in self._sources) or 1
        read = sum(
            source.file.size if source.ended else source.consumed for source in self._sources
        )
        phase = self._phase
        if phase is Phase.PLAYING and self._pacer.paused:
            phase = Phase.PAUSED
        return replace(
            self._options.feed,
            speed=self._pacer.speed,
            progress=min(read / total, 1.0),
            phase=phase,
        )
