"""Consolidated volume from a second session, beside the market's own and after it.

The engine's thread takes it in small pieces when the market's own records are applied. It never
moves the market's clock, adds no symbols to it, and whatever happens to it is told once, in words.
"""

from __future__ import annotations

from stockscan_tui.clock import Clock
from stockscan_tui.feed import control
from stockscan_tui.feed.stream import Answer, Link, Stream
from stockscan_tui.log import LOG
from stockscan_tui.market.calendar import SECOND_NS, Calendar
from stockscan_tui.market.consolidated import (
    BROKEN,
    CONTROL,
    NEXT_DAY,
    ConsolidatedVolume,
)
from stockscan_tui.market.state import Market
from stockscan_tui.market.text import printable

# A turn of the engine takes so much at most: a fraction of a millisecond.
_TURN_BYTES = 1 << 20
_PUBLISH_NS = SECOND_NS // 10
# The gateway filters on ts_event, which is before ts_recv by as much as this.
_OVERLAP_NS = 60 * SECOND_NS
# A day's statistics are gigabytes, and each of them is a total: who traded in the last quarter of
# an hour is known by that alone, and everybody else with the next trade.
_FIRST_NS = 15 * 60 * SECOND_NS
_TELL_AFTER_NS = 10 * SECOND_NS
_HEARTBEAT = 0
_MILD = (4, 7)
_FINAL = (1, 2)
_INVALID = 5
_AGED_OUT = 8


class Consolidating:
    """Brings a market its consolidated volume.

    Args:
        market: Whose `tape_volume` it is.
        calendar: The exchange's trading days.
        clock: Wall time.
        stream: The subscription to statistics.
    """

    def __init__(self, market: Market, calendar: Calendar, clock: Clock, stream: Stream) -> None:
        self._market = market
        self._clock = clock
        self._stream = stream
        self._volume = ConsolidatedVolume(calendar)
        self._published_ns = 0
        self._published = 0
        self._replays = False
        self._refused_replays = 0
        self._refusal = ""

    def problems(self) -> tuple[str, ...]:
        """Return what is wrong with it, in a sentence."""
        if self._refusal:
            return (self._refusal,)
        status = self._stream.status
        lasting = self._clock.now_ns() - status.since_ns > _TELL_AFTER_NS
        if not status.sentence or not lasting or self._stream.finished:
            return ()
        return (f"tape_volume stands still: its session is down, {status.sentence}.",)

    def finish(self) -> None:
        """Want nothing more of it."""
        self._stream.finish()

    @property
    def waiting(self) -> bool:
        """Whether a connection waits to be told that there is room for its replay."""
        return self._stream.asked

    def begin(self) -> None:
        """Let a connection that waits begin, once it is known which day it is."""
        if self._volume.day is not None:
            self._stream.answer(self._start())

    def look(self) -> bool:
        """Take what has come, a piece of it at most; returns whether more is there."""
        day, own = self._market.day, self._volume.day
        if day is not None and (own is None or own.start_ns < day.start_ns):
            self._volume.begin_day(day)
        stream = self._stream
        if stream.status.link is Link.REFUSED and not self._refusal:
            self._refusal = stream.status.sentence
        stream.take_up()
        return stream.open and self._take_in()

    def _start(self) -> Answer:
        """Where to begin: a while before now, or shortly before the newest that is known."""
        day = self._volume.day
        if day is None or self._refused_replays > 1:
            self._replays = False
            return Answer()
        self._replays = True
        if self._refused_replays:
            # What the gateway has, where it has not what was asked for.
            return Answer(start_ns=0)
        newest_ns = self._volume.newest_ns
        since_ns = newest_ns - _OVERLAP_NS if newest_ns else self._market.clock_ns - _FIRST_NS
        return Answer(start_ns=max(day.start_ns, since_ns))

    def _take_in(self) -> bool:
        stream, volume = self._stream, self._volume
        taken, left = volume.taken, _TURN_BYTES
        more = True
        while more and left > 0:
            start, end = stream.position, min(stream.end, stream.position + left)
            reason, stream.position = volume.walk(
                stream.data, start, end, stream.ids, stream.version
            )
            left -= stream.position - start
            if reason == CONTROL:
                left -= self._control()
            elif reason == BROKEN:
                LOG.warning("statistics: the gateway sent what is not a record")
                stream.discard()
            elif reason == NEXT_DAY:
                volume.turn()
            elif end < stream.end:
                # What is left of the turn is less than a record.
                left = 0
            else:
                more = stream.go_on()
        if volume.taken != taken:
            stream.flowed = True
            self._refused_replays = 0
        return more

    def _control(self) -> int:
        """Do what a rare record asks for; returns how many bytes it has."""
        stream, volume = self._stream, self._volume
        start = stream.position
        mappings = stream.take_mappings()
        if mappings:
            volume.name(stream.ids, ((said.instrument_id, said.symbol) for said in mappings))
        said = stream.take_control() if stream.position == start else None
        size = stream.position - start
        if isinstance(said, control.Message) and said.error:
            self._take_error(said)
        elif isinstance(said, control.Message) and said.code == _HEARTBEAT:
            stream.flowed = True
        return size

    def _take_error(self, said: control.Message) -> None:
        stream = self._stream
        LOG.warning("statistics: the gateway said: %s", printable(said.text))
        if said.code in _MILD:
            return
        if said.code == _AGED_OUT or (said.code == _INVALID and self._replays):
            # What it is asked to replay may be what it refuses.
            self._refused_replays += 1
            stream.hang_up()
        elif said.code in _FINAL or said.code == _INVALID:
            self._refusal = (
                f"There is no consolidated volume (tape_volume): the gateway said: "
                f"{said.text.rstrip('.')}."
            )
            stream.finish()

    def publish(self, *, force: bool = False) -> bool:
        """Let the market have the newest totals, now and then; returns whether any are new."""
        now_ns = self._clock.now_ns()
        market, volume = self._market, self._volume
        if not force and now_ns - self._published_ns < _PUBLISH_NS:
            return False
        self._published_ns = now_ns
        if market.day is None or volume.day is None:
            return False
        names = market.symbols.names
        if volume.day.session_date == market.day.session_date:
            market.tape_volume[: len(names)] = volume.by_slot(names)
        fresh = volume.taken != self._published
        self._published = volume.taken
        return fresh
