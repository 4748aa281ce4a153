"""The engine that plays saved files, as one timeline and at a pace of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import time

import numpy as np

from stockscan_tui.engine.core import Engine, Options, Surroundings
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.pace import Pacer
from stockscan_tui.feed.replay import Source
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, new_york_ns, new_york_time
from stockscan_tui.market.snapshot import Feed, Phase

WAIT_S = 0.02


class ReplayEngine(Engine):
    """Plays DBN files into a market.

    Args:
        files: What to play, as one timeline.
        given: What the engine works with.
        options: How the run is to go.
        speed: Event seconds per second; `math.inf` for as fast as it goes.
        start_at: New York time on the first session date up to which records are taken in at
            full speed; None to play from the first record.
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
    ) -> None:
        mapped = sum(len(file.symbology) for file in files)
        super().__init__(given, options, capacity=max(mapped, 4096))
        self._files = sorted(files, key=lambda file: file.start_ns)
        self._start_at = start_at
        self._pacer = Pacer(speed)
        self._wanted = (speed, False)
        self._sources: list[Source] = []
        self._goal_ns = 0

    # --- called from other threads ---------------------------------------------------------

    def set_speed(self, speed: float) -> None:
        """Play at `speed` event seconds per second from now on."""
        self._wanted = (speed, self._wanted[1])
        self._wake.set()

    def set_paused(self, paused: bool) -> None:
        """Pause, or go on."""
        self._wanted = (self._wanted[0], paused)
        self._wake.set()

    # --- the engine's thread -----------------------------------------------------------------

    def _play(self) -> None:
        self._open_sources()
        waiting = self._waiting()
        if waiting and not self._stopping.is_set():
            self._begin(min(source.next_ns for source in waiting))
        while not self._stopping.is_set() and not self._ran_out():
            self._obey()
            self._take_news()
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

    def _close(self) -> None:
        for source in self._sources:
            source.close()

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

    def _doubt_before(self, first_ns: int) -> None:
        """A file is whole from its metadata's start on; of what lies before it nothing is known."""
        day = self._market.day
        starts = [source.file.start_ns for source in self._sources]
        start_ns = min((ns for ns in starts if ns >= k.EARLIEST_NS), default=first_ns)
        if day is not None and start_ns > day.pre_ns:
            self._market.wholeness.doubt(day.pre_ns, start_ns, "before the file")

    def _begin(self, first_ns: int) -> None:
        super()._begin(first_ns)
        self._doubt_before(first_ns)
        self._goal_ns = first_ns
        if self._start_at is not None and self._market.day is not None:
            self._goal_ns = new_york_ns(self._market.day.session_date, self._start_at)
        self._phase = Phase.PRIMING
        self._pacer.anchor(first_ns, self._clock.now_ns())
        if self._goal_ns <= first_ns:
            self._phase = Phase.PLAYING

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
                self._take_control(source.take_control(), source.ids)
            elif reason == k.NEW_ID:
                self._name_unmapped(source.next_instrument_id(), source.ids)
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

    def _reach(self, stop_ns: int) -> None:
        self._now_ns = stop_ns
        if stop_ns == self._boundary_ns:
            self._close_minute()
            if self._skip_closed_hours():
                self._pacer.anchor(self._boundary_ns, self._clock.now_ns())
        if self._phase is Phase.PRIMING and self._now_ns >= self._goal_ns:
            self._phase = Phase.PLAYING
            self._pacer.anchor(self._now_ns, self._clock.now_ns())

    def _collect(self) -> None:
        self._dispatch.collect(states=not math.isinf(self._pacer.speed))

    def _finish(self) -> None:
        """Hand over all that is left; the end of the files passes the minute it falls in."""
        market = self._market
        if market.day is not None:
            if self._ran_out() and not self._stopping.is_set():
                self._close_minute()
                self._now_ns = self._boundary_ns - MINUTE_NS
            if market.clock_ns >= market.day.post_ns:
                self._keep_closes(market.day)
            self._hand_over()
        self._keep_wanted(wait=True)
        self._phase = Phase.ENDED
        self._show(force=True)
        while self._options.behind_screen and not self._stopping.is_set():
            # Whoever looks on may still ask for a symbol's bars, an indicator, a watchlist.
            self._wake.clear()
            if self._seen is None or self._wanted_indicators != self._market.indicators.keys:
                self._keep_wanted(wait=True)
                self._show(force=True)
            self._clock.wait(self._wake, WAIT_S)

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
        )
