"""The engine that takes live streams as they come, and goes on where an earlier run ended."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import zstandard

from stockscan_tui.engine.alerting import Prime
from stockscan_tui.engine.breaks import IDLE_NS, Breaks
from stockscan_tui.engine.catching import Catching
from stockscan_tui.engine.consolidating import Consolidating
from stockscan_tui.engine.core import Engine, Options, Surroundings
from stockscan_tui.engine.healing import AskHistory, Healing
from stockscan_tui.engine.leader_trades import Following
from stockscan_tui.engine.link_status import phase_of, progress_of, shown
from stockscan_tui.engine.so_far import SoFar
from stockscan_tui.engine.verifying import StreamVerifying
from stockscan_tui.errors import StockscanError
from stockscan_tui.feed import control
from stockscan_tui.feed.closing import keep_better, known_closes
from stockscan_tui.feed.recorder import Recorder
from stockscan_tui.feed.stream import STOPPED, Answer, Link, Stream
from stockscan_tui.market import kernel as k
from stockscan_tui.market.batch import BarBatch, Gap
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, SECOND_NS, TradingDay
from stockscan_tui.market.checkpoint import (
    Header,
    Place,
    read_header,
    restore_bars,
    thaw,
    unpack_marks,
)
from stockscan_tui.market.coverage import BarSources
from stockscan_tui.market.snapshot import Feed, Health, Phase
from stockscan_tui.market.wholeness import LASTING_NS

WAIT_S = 0.05
# How long the streams of one market may lie apart at a minute's end.
GRACE_NS = SECOND_NS // 4
MOST_LAG_NS = 3600 * SECOND_NS
# So long rules wait for closes that are being fetched.
NEWS_WAIT_NS = 60 * SECOND_NS
# What was saved so long ago, or is to come, is of a clock of its own.
MOST_APART_NS = 7 * DAY_NS

HEARTBEAT = 0
SLOW_READER = 2
REPLAY_COMPLETED = 3
_FINAL_ERRORS = {
    1: "The gateway refused the key: {}. Check DATABENTO_API_KEY.",
    2: "The key was deactivated: {}. Set DATABENTO_API_KEY to one that is active.",
    5: "The gateway refused the subscription: {}. Check --schema, --symbols and --dataset.",
}
_NOT_FATAL = (4, 7)
_SKIPPED = 7
_INVALID = 5
_AGED_OUT = 8


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """What the store holds of an earlier run: all as of one instant.

    `bars` are those of the last hour, with slots by the order of `symbols` in `state`; `of_day`
    tells of every bar of the session date.
    """

    state: bytes
    marks: Sequence[bytes]
    bars: BarBatch
    gaps: tuple[Gap, ...] = ()
    of_day: BarSources | None = None


class LiveEngine(Engine):
    """Applies live streams to a market.

    Args:
        streams: The subscriptions whose records make the market.
        given: What the engine works with.
        options: How the run is to go.
        history: Brings the session's minute bars up to now on a first start; None to do without.
        saved: What an earlier run left, None on a first start.
        recorder: Keeps the raw records; None to keep none.
        until_idle: Whether to end once all has been replayed and nothing more comes.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        given: Surroundings,
        options: Options,
        *,
        history: Stream | None = None,
        saved: Saved | None = None,
        recorder: Recorder | None = None,
        until_idle: bool = False,
    ) -> None:
        super().__init__(given, options)
        self._tracks = [Catching(stream) for stream in streams]
        self._so_far = SoFar(Catching(history), given.clock) if history is not None else None
        self._saved = saved
        self._recorder = recorder
        self._until_idle = until_idle
        self._subscription = _subscription(streams)
        self._unknown_from_ns = 0
        self._made_ns = given.clock.now_ns()
        # The day that was gone on from while it was over already, and since when there is another.
        self._left_day: TradingDay | None = None
        self._new_day_ns = 0
        self._boundary_since_ns = 0
        self._refusal = ""
        self._breaks = Breaks(self._market, given.clock, self._keep_gap)
        self._healing = Healing(self._market, given.clock)
        self._following: Following | None = None
        self._consolidating: Consolidating | None = None
        self._own_bars: StreamVerifying | None = None
        for track in self._all():
            track.stream.waken_by(self._wake.set)

    def _all(self) -> list[Catching]:
        return [*self._tracks, *([self._so_far.track] if self._so_far is not None else [])]

    def heal_by(
        self, connect: Callable[[Stream], None] | None, ask_history: AskHistory | None
    ) -> None:
        """Let bars behind gaps be fetched so; to be called before the start.

        Args:
            connect: Has one more stream connected.
            ask_history: Asks the historical API.
        """
        self._healing = Healing(self._market, self._clock, connect, ask_history)
        self._healing.flush = self._dispatch.take

    def follow_leaders_by(self, connect: Callable[[Stream], None], stream: Stream) -> None:
        """Take the trades of symbols as they enter the leaderboard; to be called before the start.

        Args:
            connect: Has the stream connected, once there is a leader.
            stream: A subscription to trades without symbols.
        """
        self._subscription += " and trades of leaders"
        self._following = Following(self._market, self._clock, connect, stream)
        stream.waken_by(self._wake.set)

    def consolidate_by(self, stream: Stream) -> None:
        """Take the whole tape's volume from a second session; to be called before the start.

        Args:
            stream: A subscription to statistics, kept connected by a feed of its own.
        """
        self._consolidating = Consolidating(self._market, self._calendar, self._clock, stream)

    def verify_by(self, stream: Stream) -> None:
        """Hold the bars against Databento's own; to be called before the start.

        Args:
            stream: A subscription to ohlcv-1m, kept connected by a feed.
        """
        take = self._dispatch.take
        self._own_bars = StreamVerifying(self._market, take, stream, self._slots)
        self._verifying = self._own_bars
        stream.waken_by(self._wake.set)

    def _verify(self) -> bool:
        """Take in Databento's bars; returns whether there were any."""
        own = self._own_bars
        if own is None or not self._boundary_ns or (self._so_far and self._so_far.pending):
            return False
        moved = own.look(self._boundary_ns)
        if moved:
            self._tell_differences(own.settle())
        if own.refusal:
            self._tell(own.refusal)
        return moved

    def _consolidate(self) -> bool:
        """Take a piece of what the second session brought; returns whether more is there."""
        beside = self._consolidating
        if beside is None:
            return False
        # Its replay is large: it waits until the market's own is through.
        if beside.waiting and self._standing() in (Phase.LIVE, Phase.SILENT):
            beside.begin()
        return beside.look()

    def _follow_leaders(self) -> None:
        if self._following is not None and self._following.look():
            self._tracks.append(self._following.track)

    @property
    def phase(self) -> Phase:
        """How the feed stands."""
        over = self._phase in (Phase.ENDED, Phase.FAILED)
        return self._phase if over else self._standing()

    def _standing(self) -> Phase:
        return phase_of(tuple(self._tracks), self._so_far, self._clock.now_ns())

    def health(self) -> Health:
        """Return the counts as they stand."""
        health = super().health()
        recording = self._recorder.problems() if self._recorder is not None else ()
        beside = self._consolidating.problems() if self._consolidating is not None else ()
        return replace(
            health,
            gaps=self._breaks.begun,
            healed=self._breaks.healed,
            lag_ms=self._lag_ms(),
            problems=health.problems + recording + beside,
        )

    def _lag_ms(self) -> float:
        """Return how long ago the newest record was received by the market, NaN where unknown.

        A simulated market keeps its own time: no lag is told from that.
        """
        lag_ns = self._clock.wall_ns() - self._market.clock_ns
        return lag_ns / 1e6 if abs(lag_ns) < MOST_LAG_NS else math.nan

    # --- the engine's thread -----------------------------------------------------------------

    def _play(self) -> None:
        if self._saved is not None:
            self._restore(self._saved)
            self._saved = None
        while not self._stopping.is_set() and not self._refusal:
            self._wake.clear()
            moved = self._take_in()
            self._look_at_links()
            self._answer_all()
            self._take_news()
            self._watch_rules()
            self._look_at_rules()
            if self._boundary_ns:
                moved |= self._heal()
                self._follow_leaders()
                self._collect()
                moved |= self._verify()
                moved |= self._consolidate()
            self._show(force=False)
            if self._until_idle and self._idle():
                break
            if not moved:
                self._clock.wait(self._wake, WAIT_S)
        self._finish()
        if self._refusal:
            raise StockscanError(self._refusal)

    def _goes_on(self, day: TradingDay) -> bool:
        """Whether what was saved is of the session date that it is now, by the clock or ours.

        A simulated market keeps its own time.
        """
        wall_ns = self._clock.wall_ns()
        apart = abs(wall_ns - day.post_end_ns) > MOST_APART_NS
        return apart or self._calendar.day_at(wall_ns).session_date == day.session_date

    def _watch_rules(self) -> None:
        """Begin to watch rules once the present is reached: what is true by then does not fire."""
        if self._alerting.begun or not self._boundary_ns:
            return
        if self._so_far is not None and self._so_far.pending:
            return
        if self._awaits_news and self._clock.now_ns() - self._made_ns < NEWS_WAIT_NS:
            return
        if self._marks_told() and not any(track.active for track in self._tracks):
            self._alerting.begin(self.event_ns, Prime.ALL)

    def _marks_told(self) -> bool:
        """Whether there are marks of the day.

        Of who came in mid-session without the bars of before, the first minute tells them.
        """
        if self._left_day is None:
            return self._so_far is not None or bool(self._market.mark_history)
        day = self._market.day
        if day is None or day is self._left_day or self._market.clock_ns < day.start_ns:
            return False
        self._new_day_ns = self._new_day_ns or self._boundary_ns
        return self._boundary_ns > self._new_day_ns

    def _behind_ns(self, ns: int) -> int:
        goal_ns = max((track.goal_ns for track in self._tracks if track.active), default=0)
        lag_ns = self._clock.wall_ns() - ns
        # A simulated market keeps its own time.
        return max(goal_ns - ns, lag_ns if lag_ns < MOST_LAG_NS else 0)

    def _idle(self) -> bool:
        """Whether every stream has caught up, and nothing has come for a while."""
        now_ns = self._clock.now_ns()
        return self._first_ns > 0 and all(
            t.stream.open and not t.active and now_ns - t.heard_ns > IDLE_NS for t in self._tracks
        )

    def _close(self) -> None:
        for track in self._all():
            track.stream.finish()
        if self._consolidating is not None:
            self._consolidating.finish()
        if self._own_bars is not None:
            self._own_bars.finish()

    def _restore(self, saved: Saved) -> None:
        """Let the market be as it was when the earlier run handed over last."""
        header = read_header(saved.state)
        if header is None or not self._fits(header) or not self._thaw(saved, header):
            self._leave(saved, header)
            return
        if self._so_far is not None:
            self._so_far.track.stream.finish()
            self._so_far = None
        market, day = self._market, self._market.day
        if day is None:
            return
        self._first_ns = self._now_ns = market.clock_ns
        self._boundary_ns = header.place.boundary_ns
        running = self._boundary_ns // MINUTE_NS - 1
        market.coverage.pass_by(running, market.count, market.wholeness.doubts(day))
        self._next_day = self._calendar.next_day(day.session_date)
        self._learn_closes(day)
        known = known_closes(market)
        self._resolve(range(market.count))
        keep_better(market, known)
        # All there are: they were stored with this very state.
        self._learn_alerts(day, k.LATEST_NS)
        if self._following is not None and self._following.go_on():
            self._tracks.append(self._following.track)
        # The last minute may be closed without a record after it.
        closed_ns = self._boundary_ns - MINUTE_NS
        if not self._goes_on(day):
            self._left_day = day
        elif market.rule_memories:
            # Else the earlier run had not begun to watch them.
            self._keep_wanted(wait=bool(self._ruled_indicators))
            self._alerting.begin(max(market.clock_ns, closed_ns), Prime.NEW)
        for track in self._tracks:
            track.heartbeat_ns = header.place.proven_ns.get(track.stream.rtype, 0)
            reason = self._reason(track, "stockscan was not running")
            self._breaks.broke(track, day, reason)
        begun = {track.gap.from_ns // 1000 for track in self._tracks if track.gap is not None}
        for gap in saved.gaps:
            self._vitals.note_gap(gap)
            if gap.to_ns and not gap.healed_ns:
                market.wholeness.doubt(gap.from_ns, gap.to_ns, gap.reason)
            if gap.to_ns == 0 and gap.from_ns // 1000 not in begun:
                # Its replay had come so far without leaving anything out.
                clock_ns = market.clock_ns
                self._keep_gap(replace(gap, to_ns=clock_ns, healed_ns=clock_ns))

    def _fits(self, header: Header) -> bool:
        """Whether a run with these subscriptions can go on from what was saved."""
        begun = any(header.saw(track.stream.rtype) for track in self._tracks)
        return begun and header.place.subscription == self._subscription

    def _thaw(self, saved: Saved, header: Header) -> bool:
        market = self._market
        if header.clock_ns == 0 or not thaw(market, saved.state, self._calendar):
            return False
        running = header.clock_ns // MINUTE_NS
        closing = header.place.boundary_ns // MINUTE_NS - 1
        market.minutes.restore(saved.bars.where(saved.bars.minute < closing))
        held = saved.bars.minute >= running - k.KEPT_MINUTES - k.SPARE_MINUTES
        restore_bars(market, saved.bars.where(held))
        if saved.of_day is not None:
            market.coverage.restore(saved.of_day)
        try:
            market.mark_history.extend(unpack_marks(marks) for marks in saved.marks)
        except zstandard.ZstdError:
            market.mark_history.clear()
        return True

    def _leave(self, saved: Saved, header: Header | None) -> None:
        """Begin anew: what lies between the earlier run and the first record is not known."""
        if header is None:
            return
        if any(header.saw(track.stream.rtype) for track in self._tracks):
            self._tell(
                "The state saved with another --schema, --symbols or --mark was not taken up; "
                "the session so far is fetched again."
            )
        if self._so_far is None and header.watermarks.size:
            self._unknown_from_ns = header.clock_ns
        for gap in saved.gaps:
            if gap.to_ns == 0:
                self._keep_gap(replace(gap, to_ns=header.clock_ns))

    # --- records ------------------------------------------------------------------------------

    def _take_in(self) -> bool:
        """Apply what has come; returns whether there was anything."""
        moved = False
        for track in self._all():
            if track.stream.take_up():
                self._take_up(track)
                moved = True
        so_far = self._so_far
        if so_far is not None and so_far.pending:
            # Until its bars are in, they alone move the clock.
            moved |= self._apply(so_far.track, so_far.stop_ns(self._boundary_ns))
            if so_far.look():
                self._end_so_far(so_far)
        else:
            clock_ns = newest_ns = int(self._market.ctl[k.CLOCK_NS])
            for track in self._tracks:
                self._market.ctl[k.CLOCK_NS] = self._clock_of(track, clock_ns)
                moved |= self._apply(track, self._stop_ns())
                if self._boundary_ns:
                    newest_ns = max(newest_ns, int(self._market.ctl[k.CLOCK_NS]))
            self._market.ctl[k.CLOCK_NS] = newest_ns
            self._note_unknown()
        self._breaks.look(self._tracks, self.event_ns)
        if moved and not any(track.active for track in self._tracks):
            self._vitals.measure_lag()
        return self._pass_boundaries() or moved

    def _clock_of(self, track: Catching, clock_ns: int) -> int:
        """Return the event time that a stream's next records are held against.

        Nothing is late for what other streams have brought meanwhile; and before the very first
        record the gateway's own clock says what is absurd.
        """
        if not self._boundary_ns:
            return track.goal_ns
        if not track.active and len(self._tracks) == 1:
            return clock_ns
        own_ns = track.last_ns(self._market.watermarks) or clock_ns - 3 * MINUTE_NS
        return max(0, min(clock_ns, own_ns))

    def _take_up(self, track: Catching) -> None:
        """A new connection of a stream begins."""
        track.goal_ns = 0
        track.replayed = track.beaten = False
        track.begun_ns = track.heard_ns = self._clock.now_ns()
        stream = track.stream
        if self._recorder is not None and not stream.backfill:
            self._recorder.begin(stream.schema, stream.version, stream.ts_out)

    def _stop_ns(self) -> int:
        """Return the instant up to which records may be applied now.

        Streams that replay their way back to the present take turns second by second.
        """
        if not self._boundary_ns:
            return 0
        open_ones = [t for t in self._tracks if t.stream.clocked and t.stream.open]
        if len(open_ones) < 2 or not any(t.active for t in open_ones):
            return self._boundary_ns
        marks = self._market.watermarks
        reached = [
            t.stream.next_ns if t.stream.waiting else t.last_ns(marks)
            for t in open_ones
            if t.active or t.stream.waiting
        ]
        return min(self._boundary_ns, min(reached) // SECOND_NS * SECOND_NS + SECOND_NS)

    def _apply(self, track: Catching, stop_ns: int) -> bool:
        """Apply a stream's records before `stop_ns`; returns whether there were any."""
        stream, ctl = track.stream, self._market.ctl
        moved = False
        if stream.waiting and stream.next_ns >= stop_ns > 0:
            return False
        ctl[k.BACKFILLING] = stream.backfill
        ctl[k.STOP_NS] = stop_ns
        while stream.open:
            ctl[k.POSITION], ctl[k.END], ctl[k.FINAL] = stream.position, stream.end, stream.final
            reason = self._market.consume(stream.data, stream.ids)
            if int(ctl[k.POSITION]) != stream.position:
                moved = stream.flowed = True
                self._record(track, stream.position, int(ctl[k.POSITION]))
            stream.position = int(ctl[k.POSITION])
            stream.next_ns = 0
            if reason == k.NEED_BYTES:
                if not self._more_bytes(track):
                    return moved or not stream.open
            elif reason == k.BOUNDARY:
                stream.next_ns = int(ctl[k.RESUME_NS])
                if stop_ns:
                    return moved
                # The very first record: the market begins with it.
                ctl[k.CLOCK_NS] = 0
                self._begin_with(stream)
                return True
            else:
                moved = True
                self._see_to(reason, track)
        return moved

    def _begin_with(self, stream: Stream) -> None:
        """Let the market begin with a stream's first record, if its time can be."""
        try:
            self._begin(stream.next_ns)
            self._watch_from_start(stream)
            if self._so_far is None and self._own_bars is not None:
                # Nobody asked for what came before, and the first minute is not whole.
                self._own_bars.begin_from(stream.next_ns // MINUTE_NS + 1)
            if self._so_far is None and self._market.day is not None:
                # Nobody asked for what came before.
                pre_ns = self._market.day.pre_ns
                self._market.wholeness.doubt(pre_ns, stream.next_ns, "before the first record")
        except StockscanError as error:
            self._tell(f"{stream.schema}: a record was left out. {error}")
            stream.step_over()

    def _watch_from_start(self, stream: Stream) -> None:
        """Watch rules from the first record on, where it is the day's first."""
        day = self._market.day
        bars = self._so_far is not None and self._so_far.track.stream is stream
        first = day is not None and stream.next_ns <= day.pre_ns + MINUTE_NS
        if self._until_idle or (first and not bars):
            self._alerting.begin(stream.next_ns, Prime.NONE)

    def _more_bytes(self, track: Catching) -> bool:
        """Bring in what has come; at a connection's end let go of it. False for nothing more."""
        stream = track.stream
        if stream.advance():
            track.heard_ns = self._clock.now_ns()
            return True
        # Looked at again after its end: what came before that is all there.
        if not stream.ended or stream.advance():
            return stream.ended
        if not stream.final:
            # One more pass over what is left, which need not wait for what follows.
            stream.final = True
            return True
        self._connection_ended(track)
        return False

    def _see_to(self, reason: int, track: Catching) -> None:
        """Do what the compiled loop leaves to Python."""
        stream = track.stream
        if reason == k.CONTROL:
            self._control(track)
        elif reason == k.NEW_ID:
            self._name_unmapped(stream.next_instrument_id(), stream.ids)
        elif reason == k.FLUSH:
            self._dispatch.take()
        elif reason == k.EVALUATE:
            self._alerting.flush()
        elif reason == k.MOVED_BEYOND:
            self._alerting.moved()
        elif reason == k.GROW:
            self._market.grow_bars()
        else:
            self._tell(f"{stream.schema}: the gateway sent what is not a record")
            stream.discard()

    def _record(self, track: Catching, start: int, end: int) -> None:
        if self._recorder is not None and not track.stream.backfill:
            self._recorder.add(track.stream.schema, track.stream.data[start:end].copy())

    def _control(self, track: Catching) -> None:
        stream = track.stream
        start = stream.position
        mappings = stream.take_mappings()
        if mappings or stream.position > start:
            slots = self._slots([mapping.symbol for mapping in mappings])
            ids = [mapping.instrument_id for mapping in mappings]
            changed = stream.ids.assign(zip(ids, slots, strict=True))
            self._market.symbols.note_remapped(changed)
            self._market.ctl[k.RECORDS] += len(mappings)
            self._vitals.count_control(len(mappings))
            self._record(track, start, stream.position)
            return
        said = stream.take_control()
        self._record(track, start, stream.position)
        if not isinstance(said, control.Message):
            self._take_control(said, track.stream.ids)
            return
        self._market.ctl[k.RECORDS] += 1
        self._vitals.count_control(1)
        if said.ts_ns > k.EARLIEST_NS:
            track.goal_ns = track.goal_ns or said.ts_ns
            if not self._boundary_ns:
                # Against it the first record's time is held.
                self._market.ctl[k.CLOCK_NS] = track.goal_ns
        if said.error:
            self._take_error(track, said)
        elif said.code == HEARTBEAT:
            track.beaten = True
            if not track.active:
                track.heartbeat_ns = max(track.heartbeat_ns, said.ts_ns)
        elif said.code == REPLAY_COMPLETED:
            track.replayed = True
            track.active = False
        elif said.code == SLOW_READER:
            self._vitals.warn_of_slowness()
            self._tell(f"the gateway warns that this machine reads too slowly: {said.text}")
            self._doubt_running(f"{stream.schema}: read too slowly")

    def _doubt_running(self, reason: str) -> None:
        """Let the minute that goes on, and the one before it, be in doubt until verified."""
        from_ns = self._boundary_ns - 2 * MINUTE_NS
        if from_ns > 0:
            self._market.wholeness.doubt(from_ns, self._boundary_ns, reason)

    def _take_error(self, track: Catching, said: control.Message) -> None:
        stream = track.stream
        if said.code in _NOT_FATAL:
            self._tell(f"the feed said: {said.text}")
            if said.code == _SKIPPED:
                self._doubt_running(f"{stream.schema}: records were skipped")
        elif self._so_far is not None and track is self._so_far.track:
            self._tell(f"the session so far cannot be fetched: {said.text}")
            self._so_far.give_up()
            self._end_so_far(self._so_far)
        elif said.code == _AGED_OUT or (said.code == _INVALID and track.asked_replay):
            # What it is asked to replay may be what it refuses.
            stream.refused_replays += 1
            stream.hang_up()
            self._tell(f"the gateway cannot replay from there: {said.text}")
        elif said.code in _FINAL_ERRORS and stream.clocked:
            self._refusal = _FINAL_ERRORS[said.code].format(said.text.rstrip("."))
        else:
            self._tell(f"the feed said: {said.text}")

    def _look_at_links(self) -> None:
        """Notice what is of no use to go on with."""
        for track in list(self._tracks):
            status = track.stream.status
            if track.stream.flowed:
                track.stream.refused_replays = 0
            if status.link is Link.REFUSED and track.stream.clocked:
                self._refusal = status.sentence
            elif status.link is Link.REFUSED:
                self._tell(status.sentence)
                self._tracks.remove(track)

    def _heal(self) -> bool:
        self._healing.look(self._boundary_ns - MINUTE_NS, self._wake.set)
        moved = self._healing.advance(self._wake.set)
        if moved:
            self._dispatch.take()
        return moved

    # --- breaks and how they mend -------------------------------------------------------------

    def _keep_gap(self, gap: Gap) -> None:
        wholeness = self._market.wholeness
        if gap.healed_ns:
            wholeness.settle(gap.from_ns, gap.reason)
        else:
            # What is over while it lasts is in doubt, too.
            wholeness.doubt(gap.from_ns, gap.to_ns or LASTING_NS, gap.reason)
        if self._market.day is not None:
            self._market.coverage.doubt(wholeness.doubts(self._market.day))
        self._healing.note(gap)
        self._vitals.note_gap(gap)
        self._dispatch.add_gap(gap)

    def _connection_ended(self, track: Catching) -> None:
        reason = track.stream.reason
        track.stream.put_down()
        over = self._stopping.is_set() or reason == STOPPED
        if track in self._tracks and self._market.day is not None and not over:
            self._breaks.broke(track, self._market.day, self._reason(track, reason))

    def _reason(self, track: Catching, reason: str) -> str:
        return f"{track.stream.schema}: {reason}" if len(self._tracks) > 1 else reason

    def _answer_all(self) -> None:
        """Tell the feed where connections are to start, as far as that is known."""
        for track in self._all():
            if track.stream.asked:
                answer = self._where_to_start(track)
                if answer is not None:
                    track.stream.answer(answer)

    def _where_to_start(self, track: Catching) -> Answer | None:
        if self._refusal or track.stream.finished:
            return Answer(refusal=self._refusal, finished=track.stream.finished)
        if self._so_far is not None and track is self._so_far.track:
            return self._so_far.ask()
        answer = self._resumed(track) or self._first_start(track)
        if answer is not None:
            track.active = track.asked_replay = answer.start_ns is not None
        return answer

    def _resumed(self, track: Catching) -> Answer | None:
        """Return where to go on from, None where nothing came yet."""
        resume_ns = track.resume_ns(self._market.watermarks)
        refused = track.stream.refused_replays
        if resume_ns is not None:
            track.expect_repeats(self._market.watermarks)
        if refused:
            # What it has, where it has not what was asked for; else what comes from now on.
            return Answer(start_ns=0 if refused == 1 else None)
        return Answer(start_ns=resume_ns) if resume_ns is not None else None

    def _first_start(self, track: Catching) -> Answer | None:
        """Where to start with nothing held: at the minute that the session so far leads up to."""
        if self._so_far is not None and track.stream.clocked:
            return self._so_far.start_of_rest()
        return Answer(start_ns=0 if track.stream.from_start else None)

    def _end_so_far(self, so_far: SoFar) -> None:
        """The bars of the session so far are in, or will not be."""
        if so_far.failed:
            self._tell("the session so far could not be fetched: its minutes are unknown")
            self._unknown_from_ns = self._market.clock_ns or 1
            return
        while self._boundary_ns and self._boundary_ns <= so_far.end_ns:
            self._reach()
        day = self._market.day
        if day is not None:
            # What came of these minutes were Databento's own bars.
            for minute in range(day.pre_ns // MINUTE_NS, so_far.end_ns // MINUTE_NS):
                self._market.coverage.prove(minute)

    def _note_unknown(self) -> None:
        """Once there are records, note what lies before them and was not fetched."""
        day, from_ns = self._market.day, self._unknown_from_ns
        if not from_ns or day is None:
            return
        marks = self._market.watermarks
        first = [t.goal_ns or t.last_ns(marks) for t in self._tracks if t.last_ns(marks)]
        if not first:
            return
        self._unknown_from_ns = 0
        from_ns = max(from_ns, day.pre_ns) if from_ns == 1 else from_ns
        if min(first) > from_ns + MINUTE_NS:
            reason = "the session so far could not be fetched"
            self._breaks.note_unknown(Gap(day.session_date, from_ns, min(first), reason))

    # --- time ---------------------------------------------------------------------------------

    def _pass_boundaries(self) -> bool:
        """Close the minutes that all streams have passed; returns whether there were any."""
        passed = False
        while self._boundary_ns and self._passed(self._boundary_ns):
            self._reach()
            passed = True
        return passed

    def _passed(self, boundary_ns: int) -> bool:
        if self._so_far is not None and self._so_far.pending:
            return self._so_far.passed(boundary_ns)
        open_ones = [t for t in self._tracks if t.stream.clocked and t.stream.open]
        beyond = [
            t
            for t in open_ones
            if (t.stream.waiting and t.stream.next_ns >= boundary_ns)
            or (not t.active and not t.stream.waiting and t.heartbeat_ns >= boundary_ns)
        ]
        if not beyond:
            self._boundary_since_ns = 0
            return False
        if len(beyond) == len(open_ones):
            return True
        if any(t.active for t in open_ones if t not in beyond):
            return False
        now_ns = self._clock.now_ns()
        self._boundary_since_ns = self._boundary_since_ns or now_ns
        return now_ns - self._boundary_since_ns >= GRACE_NS

    def _reach(self) -> None:
        self._now_ns = self._boundary_ns
        self._boundary_since_ns = 0
        minute = self._boundary_ns // MINUTE_NS - 1
        day = self._market.day
        self._close_minute()
        if self._market.day is day and self._market.mark_history:
            self._dispatch.keep_marks(minute, self._market.mark_history[-1])
        self._skip_closed_hours()

    def _due_ns(self) -> int:
        waiting = [t.stream.next_ns for t in self._all() if t.stream.waiting]
        return min(waiting) if waiting else max((t.heartbeat_ns for t in self._tracks), default=0)

    # --- what goes out ------------------------------------------------------------------------

    def _collect(self) -> None:
        self._dispatch.checkpoint(self._place(), force=False)

    def _hand_over(self) -> None:
        self._tell_all_verdicts()
        self._dispatch.checkpoint(self._place(), force=True)

    def _place(self) -> Place:
        marks = self._market.watermarks
        proven = {track.stream.rtype: track.proven_ns(marks) for track in self._tracks}
        return Place(self._subscription, self._boundary_ns, proven)

    def _finish(self) -> None:
        """Hand over all that is in memory."""
        if self._market.day is not None:
            if self._market.clock_ns >= self._market.day.post_ns:
                self._keep_closes(self._market.day)
            self._hand_over()
        self._phase = Phase.ENDED
        self._show(force=True)

    # --- pictures -----------------------------------------------------------------------------

    def _silent_s(self) -> float:
        heard_ns = max((track.heard_ns for track in self._tracks), default=0)
        return (self._clock.now_ns() - heard_ns) / SECOND_NS if heard_ns else math.nan

    def _beat(self) -> int:
        return self._vitals.looked_ns

    def _show(self, *, force: bool) -> None:
        """Make a new picture when it is time for one, with the newest consolidated volume."""
        if self._consolidating is not None and self._consolidating.publish(force=force):
            self._seen = None
        super()._show(force=force)

    def feed(self) -> Feed:
        """Return what is being played and how, as it stands."""
        self._phase = self.phase
        goal_ns = max((track.goal_ns for track in self._all()), default=0)
        progress = progress_of(self._phase, goal_ns, self.event_ns, self._market.day)
        now_ns = self._clock.now_ns()
        return shown(self._options.feed, self._tracks, self._phase, progress, now_ns)


def _subscription(streams: Sequence[Stream]) -> str:
    """Return what streams are subscribed to: only the same can go on with what they left."""
    symbols = ",".join(sorted({symbol for stream in streams for symbol in stream.symbols}))
    seal = hashlib.sha256(symbols.encode()).hexdigest()[:16] if symbols else "all"
    return f"{'+'.join(stream.schema for stream in streams)} of {seal}"
