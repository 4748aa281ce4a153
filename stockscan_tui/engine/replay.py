"""The engine that plays saved files, as one timeline and at a pace of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import time

import numpy as np

from stockscan_tui.engine.alerting import FLUSH_NS, UNPACED_FLUSH_NS, Prime
from stockscan_tui.engine.core import Engine, Options, Surroundings
from stockscan_tui.engine.file_gaps import Covered
from stockscan_tui.engine.savepoints import Savepoint, Standing
from stockscan_tui.engine.seeking import Seeking
from stockscan_tui.engine.verifying import FileVerifying
from stockscan_tui.errors import StoreError
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.history import MinuteBars
from stockscan_tui.feed.pace import Pacer, Rate
from stockscan_tui.feed.replay import Source
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import (
    DAY_NS,
    MINUTE_NS,
    SECOND_NS,
    TradingDay,
    new_york_ns,
    new_york_time,
)
from stockscan_tui.market.snapshot import Feed, Phase, Snapshot, Timeline

WAIT_S = 0.02
# So far ahead stored alerts are looked for.
ALERTS_NS = 366 * DAY_NS


class ReplayEngine(Engine):
    """Plays DBN files into a market.

    Args:
        files: What to play, as one timeline.
        given: What the engine works with.
        options: How the run is to go.
        speed: Event seconds per second; `math.inf` for as fast as it goes.
        start_at: New York time on the first session date up to which records are taken in at
            full speed; None to play from the first record.
        seeking: Lets it be moved through time; None where nobody will.
        verify: Databento's own bars, to hold ours against; None to do without.
    """

    _waits = True

    def __init__(
        self,
        files: Sequence[DbnFile],
        given: Surroundings,
        options: Options,
        *,
        speed: float = math.inf,
        start_at: time | None = None,
        seeking: Seeking | None = None,
        verify: MinuteBars | None = None,
    ) -> None:
        mapped = sum(len(file.symbology) for file in files)
        super().__init__(given, options, capacity=max(mapped, 4096))
        self._files = sorted(files, key=lambda file: file.start_ns)
        self._start_at = start_at
        self._pacer = Pacer(speed)
        self._wanted = (speed, False)
        self._sources: list[Source] = []
        self._goal_ns = 0
        self._seeking = seeking
        self._market.notes_changes = seeking is not None
        if verify is not None:
            take = self._dispatch.take
            self._verifying = FileVerifying(self._market, take, verify, self._slots)
        # The furthest instant that was played: the store has all up to it.
        self._reached_ns = 0
        self._moving = False
        self._whole = False
        self._covered = Covered(0)
        self._alert_times = given.alert_times
        self._alerts = np.zeros(0, np.int64)
        self._alerts_ns: list[int] = []
        self._rules_from_ns = 0

    # --- called from other threads ---------------------------------------------------------

    def set_speed(self, speed: float) -> None:
        """Play at `speed` event seconds per second from now on."""
        self._wanted = (speed, self._wanted[1])
        self._wake.set()

    def set_paused(self, paused: bool) -> None:
        """Pause, or go on."""
        self._wanted = (self._wanted[0], paused)
        self._wake.set()

    def seek(self, ns: int) -> None:
        """Move to an instant, in ns since 1970; returns at once."""
        if self._seeking is not None:
            self._seeking.ask(ns)
            self._wake.set()

    def seek_by(self, ns: int) -> None:
        """Move on or back from where the replay is, or is being moved to; returns at once."""
        if self._seeking is not None:
            self._seeking.ask_by(ns)
            self._wake.set()

    # --- the engine's thread -----------------------------------------------------------------

    def _play(self) -> None:
        self._open_sources()
        waiting = self._waiting()
        if waiting and not self._stopping.is_set():
            self._begin(min(source.next_ns for source in waiting))
        while not self._stopping.is_set():
            self._wake.clear()
            self._obey()
            self._take_news()
            # Faster than anybody looks on, whole minutes are evaluated at once.
            unpaced = math.isinf(self._pacer.speed)
            self._look_at_rules(UNPACED_FLUSH_NS if unpaced else FLUSH_NS)
            if self._ran_out():
                self._end()
                if not self._options.behind_screen:
                    return
                # Whoever looks on may still ask: for a symbol's bars, an indicator, another time.
                self._rest()
                continue
            stop_ns = self._next_stop()
            if stop_ns is None:
                self._rest()
                continue
            self._play_until(stop_ns)
            if not self._ran_out():
                self._reach(stop_ns)
            self._show(force=False)
        if self._phase is not Phase.ENDED:
            self._end()

    def _rest(self) -> None:
        """Wait for what is asked for next."""
        self._show(force=False)
        self._clock.wait(self._wake, WAIT_S)

    def _close(self) -> None:
        for source in self._sources:
            source.close()
        if self._seeking is not None:
            self._seeking.close()

    def _corrupt(self) -> bool:
        return any(source.corrupt for source in self._sources)

    def _waiting(self) -> list[Source]:
        return [source for source in self._sources if not source.ended]

    def _ran_out(self) -> bool:
        return not self._waiting()

    def _due_ns(self) -> int:
        return min((source.next_ns for source in self._waiting()), default=0)

    def _open_sources(self) -> None:
        """Open every file and look up when its first record happens."""
        for file in self._files:
            moved = self._seeking is not None and file.compressed
            source = Source(file, self._seeking.copy() if self._seeking and moved else None)
            self._sources.append(source)
            if file.start_ns > k.EARLIEST_NS and file.start_ns < k.LATEST_NS:
                source.map_day(file.start_ns, self._slots)
                self._market.ctl[k.CLOCK_NS] = file.start_ns
            self._play_source(source, 0)
        self._market.ctl[k.CLOCK_NS] = 0
        waiting = sorted(self._waiting(), key=lambda source: source.next_ns)
        for source in waiting[1:]:
            source.park()

    def _doubt_before(self, first_ns: int) -> None:
        """A file is whole from its metadata's start on; of what lies before it nothing is known."""
        day = self._market.day
        starts = [source.file.start_ns for source in self._sources]
        start_ns = min((ns for ns in starts if ns >= k.EARLIEST_NS), default=first_ns)
        if day is not None and start_ns > day.pre_ns:
            self._market.wholeness.doubt(day.pre_ns, start_ns, "before the file")
        self._covered = Covered(first_ns)

    def _doubt_holes(self, until_ns: int) -> None:
        """Let the time up to an instant be in doubt in which there was no file."""
        spans = [(source.begin_ns, source.end_ns) for source in self._sources]
        hole = self._covered.reach(until_ns, spans)
        if hole is not None:
            self._market.wholeness.doubt(*hole, "between files")

    def _begin(self, first_ns: int) -> None:
        super()._begin(first_ns)
        self._doubt_before(first_ns)
        if self._options.fresh_alerts:
            self._dispatch.forget_fired(0, k.LATEST_NS)
        if self._alert_times is not None and not self._options.fresh_alerts:
            try:
                self._alerts = self._alert_times(first_ns, first_ns + ALERTS_NS)
            except StoreError as error:
                self._tell(f"stored alerts could not be read: {error}")
        self._goal_ns = first_ns
        if self._start_at is not None and self._market.day is not None:
            self._goal_ns = new_york_ns(self._market.day.session_date, self._start_at)
        self._phase = Phase.PRIMING
        self._pacer.anchor(first_ns, self._clock.now_ns())
        self._rules_from_ns = max(self._goal_ns, first_ns)
        if self._goal_ns <= first_ns:
            self._phase = Phase.PLAYING
            self._alerting.begin(first_ns, Prime.NONE)
        if self._seeking is not None:
            self._dispatch.take()
            self._seeking.save(self._market, self._standing())

    def _obey(self) -> None:
        """Take up what was asked for: another time, speed, or a pause."""
        if self._seeking is not None and self._boundary_ns:
            goal_ns = self._seeking.goal_ns(self._goal_ns if self._moving else self._now_ns)
            if goal_ns is not None:
                self._move_to(max(goal_ns, self._first_ns))
        speed, paused = self._wanted
        if speed != self._pacer.speed or paused != self._pacer.paused:
            self._pacer.set(self._now_ns, self._clock.now_ns(), speed=speed, paused=paused)

    def _next_stop(self) -> int | None:
        """Return the instant to play up to next, None while nothing is due."""
        limit = self._boundary_ns
        due = [source.next_ns for source in self._waiting()]
        overlapping = sum(ns < limit for ns in due) > 1
        if overlapping:
            # Files that overlap take turns second by second.
            limit = min(limit, min(due) // SECOND_NS * SECOND_NS + SECOND_NS)
        if self._now_ns < self._reached_ns:
            # There the store goes on.
            limit = min(limit, self._reached_ns)
        if self._now_ns < self._rules_from_ns:
            # There rules begin, whatever the way to it.
            limit = min(limit, self._rules_from_ns)
        if self._now_ns < self._goal_ns:
            return min(limit, self._goal_ns)
        target_ns = self._pacer.target_ns(self._clock.now_ns())
        if target_ns is None:
            return limit
        if overlapping and target_ns < limit:
            # At any speed in the same order.
            return None
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
                source.begin_ns = source.begin_ns or source.next_ns
                return
            if reason == k.NEED_BYTES:
                if self._stopping.is_set() or not source.advance():
                    self._end_source(source)
                    return
                self._show(force=False)
            elif reason == k.CONTROL:
                self._take_control(source.take_control(), source.ids)
            elif reason == k.NEW_ID:
                self._name_unmapped(source.next_instrument_id(), source.ids)
            elif reason == k.FLUSH:
                self._collect()
            elif reason == k.EVALUATE:
                self._alerting.flush()
            elif reason == k.MOVED_BEYOND:
                self._alerting.moved()
            elif reason == k.GROW:
                market.grow_bars()
            else:
                source.fail(f"{source.file.path.name} holds a record without length", corrupt=True)
                self._end_source(source)
                return

    def _end_source(self, source: Source) -> None:
        # Its end passes the minute of its last record.
        source.end_ns = (self._market.clock_ns // MINUTE_NS + 1) * MINUTE_NS
        if source.problem:
            used = f"{int(self._market.ctl[k.RECORDS]):,} records were used"
            clock_ns = self._market.clock_ns
            until = f", up to {new_york_time(clock_ns):%Y-%m-%d %H:%M:%S} New York" * bool(clock_ns)
            self._tell(f"{source.problem}: {used}{until}")

    def _reach(self, stop_ns: int) -> None:
        self._now_ns = stop_ns
        if stop_ns == self._boundary_ns:
            self._pass_minute()
        if self._now_ns >= self._reached_ns:
            self._reached_ns = self._now_ns
            if self._dispatch.muted and not self._whole:
                self._settle_seconds()
                # What has been applied up to here is with the store already.
                self._dispatch.take()
                self._dispatch.muted = False
        if not self._alerting.begun and self._now_ns >= self._rules_from_ns:
            self._alerting.begin(self._now_ns, Prime.ALL)
        if self._phase is Phase.PRIMING and self._now_ns >= self._goal_ns:
            self._arrive()

    def _settle_seconds(self) -> None:
        """Evaluate all that is over at this very instant, though nothing has come since."""
        self._alerting.close_second(self._now_ns)
        self._settle_alerts()

    def _pass_minute(self) -> None:
        boundary_ns = self._boundary_ns
        self._doubt_holes(boundary_ns)
        self._close_minute()
        if self._skip_closed_hours():
            self._pacer.anchor(self._boundary_ns, self._clock.now_ns())
        seeking = self._seeking
        if seeking is None:
            return
        seeking.passed.close(boundary_ns // MINUTE_NS - 1, int(self._market.ctl[k.RECORDS]))
        if self._now_ns <= seeking.points.newest_ns:
            # The image of this instant, or of a later one, holds what has changed so far.
            self._market.changes.clear()
        elif seeking.due(self._market, self._now_ns):
            self._settle_alerts()
            self._dispatch.take()
            seeking.save(self._market, self._standing())

    def _arrive(self) -> None:
        """Go on from the instant that was to be reached."""
        self._phase = Phase.PLAYING
        self._pacer.anchor(self._now_ns, self._clock.now_ns())
        if self._moving:
            self._moving = False
            # The picture has what fires up to that very instant.
            self._settle_seconds()
            self._keep_wanted(wait=True)
            self._show(force=True)

    def _collect(self) -> None:
        self._dispatch.collect(states=not math.isinf(self._pacer.speed))

    def _end(self) -> None:
        """Hand over all that is left, once; the end of the files passes the minute it falls in."""
        if self._phase is Phase.ENDED:
            if self._seen is None or self.wanted != self._market.indicators.keys:
                self._keep_wanted(wait=True)
                self._show(force=True)
            return
        market = self._market
        if market.day is not None:
            if self._ran_out() and not self._stopping.is_set():
                self._close_minute()
                self._now_ns = self._boundary_ns - MINUTE_NS
                self._whole = True
            if market.clock_ns >= market.day.post_ns:
                self._keep_closes(market.day)
            self._hand_over()
        self._dispatch.muted = self._whole
        self._reached_ns = max(self._reached_ns, self._now_ns)
        self._moving = False
        self._keep_wanted(wait=True)
        self._phase = Phase.ENDED
        self._show(force=True)

    # --- moving through time --------------------------------------------------------------------

    def _standing(self) -> Standing:
        return Standing(
            now_ns=self._now_ns,
            boundary_ns=self._boundary_ns,
            next_day=self._next_day,
            unmapped=self._unmapped,
            covered=replace(self._covered),
            places=tuple(source.place() for source in self._sources),
        )

    def _move_to(self, goal_ns: int) -> None:
        """Begin to move: from the nearest image before the instant, or on from here."""
        seeking = self._seeking
        if seeking is None or (goal_ns > self._now_ns and self._phase is Phase.ENDED):
            return
        point = seeking.points.before(goal_ns)
        back = goal_ns < self._now_ns
        if point is not None and (back or point.ns > self._now_ns):
            self._leave_front()
            if not self._restore(seeking, point):
                return
        elif back:
            return
        seeking.leap += 1
        self._goal_ns = goal_ns
        self._moving = True
        self._phase = Phase.PRIMING
        # At full speed the instant would be gone before it is seen.
        self._wanted = (self._wanted[0], self._wanted[1] or math.isinf(self._wanted[0]))
        if self._now_ns >= goal_ns:
            self._arrive()

    def _leave_front(self) -> None:
        """Hand over everything there is, before the engine stands where the store has all."""
        if not self._dispatch.muted:
            self._settle_seconds()
            self._dispatch.take()
            self._tell_verdicts()
            self._tell_counts()
            self._dispatch.send_all()
        self._dispatch.muted = True

    def _restore(self, seeking: Seeking, point: Savepoint) -> bool:
        """Let everything be as it was at an image; returns whether it is."""
        try:
            standing = seeking.points.restore(self._market, point)
        except OSError as error:
            self._tell(f"The replay cannot be moved there: {error}. Free some space, start again.")
            self._dispatch.muted = self._now_ns < self._reached_ns or self._whole
            return False
        self._now_ns = standing.now_ns
        self._boundary_ns = standing.boundary_ns
        self._next_day = standing.next_day
        self._unmapped = standing.unmapped
        self._covered = replace(standing.covered)
        for source, place in zip(self._sources, standing.places, strict=True):
            source.move_to(place)
        self._warming = None
        self._judged = None
        self._rate = Rate()
        self._vitals.forget_pace()
        self._photographer.forget()
        if self._now_ns < self._rules_from_ns:
            self._alerting.end()
        else:
            self._alerting.restored(self._now_ns)
        seeking.passed.go_on_from(int(self._market.ctl[k.RECORDS]))
        return True

    def _placed(self, picture: Snapshot) -> Snapshot:
        """Return a picture with where it stands in time."""
        seeking = self._seeking
        if seeking is None:
            return picture
        reached_ns = max(self._reached_ns, picture.event_ns)
        minute, records = seeking.passed.arrays()
        ends = [source.file.end_ns for source in self._sources]
        known_ns = max((ns for ns in ends if ns < k.LATEST_NS), default=0)
        end_ns = reached_ns if self._whole else max(known_ns, reached_ns)
        timeline = Timeline(
            begin_ns=self._first_ns,
            end_ns=end_ns,
            reached_ns=reached_ns,
            minute=minute,
            records=records,
            days=self._days(end_ns),
            alerts=self._alert_instants(),
            doubts=picture.doubts,
        )
        return replace(picture, timeline=timeline, leap=seeking.leap)

    def _alert_instants(self) -> k.Int64s:
        """Return when there were alerts, each instant once, oldest first."""
        if self._alerts_ns:
            self._alerts = np.unique(np.append(self._alerts, self._alerts_ns))
            self._alerts_ns = []
        return self._alerts

    def _days(self, until_ns: int) -> tuple[TradingDay, ...]:
        """Return the trading days from the beginning up to an instant."""
        if not self._first_ns:
            return ()
        day: TradingDay | None = self._calendar.day_at(self._first_ns)
        days = []
        while day is not None and day.start_ns <= until_ns:
            days.append(day)
            day = self._calendar.next_day(day.session_date)
        return tuple(days)

    def _take_fired(self) -> None:
        before = len(self._untold)
        super()._take_fired()
        self._alerts_ns += [fired.ts_ns for fired in self._untold[before:]]

    def _closes_known(self) -> bool:
        market = self._market
        return bool(np.isfinite(market.prev_close[: market.count]).any())

    def feed(self) -> Feed:
        """Return what is being played and how, as it stands."""
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
            goal_ns=self._goal_ns if self._moving else 0,
        )
