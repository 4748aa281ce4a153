"""Holds a run's bars against Databento's own: from a file, or from a session beside the feed's.

It belongs to the engine's thread and never moves the market's clock.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from stockscan_tui.feed import control
from stockscan_tui.feed.history import MinuteBars
from stockscan_tui.feed.stream import Answer, Link, Stream
from stockscan_tui.log import LOG
from stockscan_tui.market import kernel as k
from stockscan_tui.market import verification as v
from stockscan_tui.market.batch import DifferenceBatch
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.minute_history import KEPT_MINUTES
from stockscan_tui.market.state import Market
from stockscan_tui.market.text import printable
from stockscan_tui.market.verification import Difference, Verifier, collect

ROOM = 1 << 14
_END_OF_INTERVAL = 4
_REPLAY_COMPLETED = 3
_MILD = (4, 7)
# So many minutes are given to what comes late.
LATE_MINUTES = 1
# Bars of minutes that are longer ago than this are with the store alone.
_OLDEST = min(KEPT_MINUTES, k.KEPT_MINUTES) - 4

Slots = Callable[[Sequence[str]], Sequence[int]]


class Verifying(ABC):
    """What both ways have in common.

    Args:
        market: Whose bars they are.
        source: Whose bars they are compared with, in words.
        make_room: Takes changed bars out of the market.
    """

    def __init__(self, market: Market, source: str, make_room: Callable[[], None]) -> None:
        self._market = market
        self._verifier = Verifier(market, source, make_room)
        self._settled = 0

    @abstractmethod
    def close_minute(self, minute: int) -> DifferenceBatch | None:
        """A minute (since 1970) is over; returns what was found to differ, of it or others."""

    @abstractmethod
    def end(self, minute: int) -> DifferenceBatch | None:
        """Nothing comes any more after a minute (since 1970); returns what was found to differ."""

    def _settle(self, end: int) -> DifferenceBatch | None:
        """Compare all minutes before one that were not compared yet."""
        market = self._market
        if market.day is None:
            return None
        newest = min(end, market.clock_ns // MINUTE_NS)
        first = max(self._settled, market.day.start_ns // MINUTE_NS, newest - _OLDEST)
        found: list[Difference] = []
        for minute in range(first, end):
            if not market.coverage.is_proved(minute):
                found += self._verifier.settle(minute)
        self._verifier.forget_before(end)
        self._settled = max(self._settled, end)
        return _batch(market, found)


class FileVerifying(Verifying):
    """Compares with the bars of a file.

    Args:
        market: Whose bars they are.
        make_room: Takes changed bars out of the market.
        bars: The file's bars, by minute.
        slots: Gives the slots of symbols.
    """

    def __init__(
        self, market: Market, make_room: Callable[[], None], bars: MinuteBars, slots: Slots
    ) -> None:
        super().__init__(market, "the file's bars", make_room)
        self._bars = bars
        self._slots = slots

    def close_minute(self, minute: int) -> DifferenceBatch | None:
        """A minute (since 1970) is over; returns what was found to differ, of it or others."""
        return self._compare(minute - LATE_MINUTES)

    def end(self, minute: int) -> DifferenceBatch | None:
        """Nothing comes any more after a minute (since 1970); returns what was found to differ."""
        return self._compare(minute)

    def _compare(self, minute: int) -> DifferenceBatch | None:
        """Compare all up to a minute; it may lie before the last one, after a move back in time."""
        bars = self._bars.bars
        # What closed hours were passed over in has to be compared, too.
        first = max(min(self._settled, minute), int(bars["minute"][0]))
        self._settled = first
        begin, end = np.searchsorted(bars["minute"], (first, minute + 1))
        chosen = bars[begin:end]
        names = [self._bars.names[number] for number in chosen["symbol"].tolist()]
        rows = np.empty((len(chosen), v.WIDTH), np.int64)
        rows[:, v.SLOT] = self._slots(names)
        for column, name in enumerate(("minute", *v.FIELDS), v.MINUTE):
            rows[:, column] = chosen[name]
        self._verifier.add(rows)
        return self._settle(min(minute, int(bars["minute"][-1])) + 1)


class StreamVerifying(Verifying):
    """Compares with the bars of a subscription to ohlcv-1m.

    Args:
        market: Whose bars they are.
        make_room: Takes changed bars out of the market.
        stream: The subscription, kept connected by a feed.
        slots: Gives the slots of symbols.
    """

    def __init__(
        self, market: Market, make_room: Callable[[], None], stream: Stream, slots: Slots
    ) -> None:
        super().__init__(market, "Databento's ohlcv-1m", make_room)
        self._stream = stream
        self._slots = slots
        self._rows = np.zeros((ROOM, v.WIDTH), np.int64)
        self._place = np.zeros(v.PLACES, np.int64)
        self._known_until = 0
        self._closed_until = 0
        self._refused_replays = 0
        self._found: DifferenceBatch | None = None
        self.refusal = ""

    def finish(self) -> None:
        """Want nothing more of it."""
        self._stream.finish()

    def begin_from(self, minute: int) -> None:
        """Let nothing before a minute (since 1970) be compared."""
        self._settled = max(self._settled, minute)

    def look(self, boundary_ns: int) -> bool:
        """Take what has come; returns whether there was anything.

        Args:
            boundary_ns: The end of the minute that goes on, in ns since 1970.
        """
        stream = self._stream
        if stream.status.link is Link.REFUSED and not self.refusal:
            self.refusal = f"Bars are not verified: {stream.status.sentence}"
        self._closed_until = boundary_ns // MINUTE_NS - 1 - LATE_MINUTES
        if stream.asked and self._market.day is not None:
            stream.answer(self._start())
        moved = stream.take_up()
        while stream.open and self._take_in():
            moved = True
        return moved

    def close_minute(self, minute: int) -> DifferenceBatch | None:
        """A minute (since 1970) is over; returns what was found to differ, of it or others."""
        self._closed_until = minute + 1 - LATE_MINUTES
        return self.settle()

    def end(self, minute: int) -> DifferenceBatch | None:
        """Nothing comes any more after a minute (since 1970); returns what was found to differ."""
        self._closed_until = minute + 1
        return self.settle()

    def settle(self) -> DifferenceBatch | None:
        """Compare the minutes of which both sides are known."""
        end = min(self._known_until, self._closed_until)
        return self._settle(end) if end > self._settled else None

    def _start(self) -> Answer:
        """Where to begin: with the first minute that is not settled, of which all comes again."""
        self._verifier.forget()
        self._known_until = 0
        if self._refused_replays > 1:
            # What comes is whole from the minute that goes on.
            self._settled = max(self._settled, self._closed_until + LATE_MINUTES)
            return Answer()
        if self._refused_replays:
            return Answer(start_ns=0)
        self._settled = max(self._settled, self._closed_until - _OLDEST)
        return Answer(start_ns=self._settled * MINUTE_NS)

    def _take_in(self) -> bool:
        """Walk over what is there; returns whether there may be more."""
        stream = self._stream
        self._place[v.AT], self._place[v.END] = stream.position, stream.end
        reason = collect(stream.data, self._place, stream.ids.table, self._rows)
        stream.position = int(self._place[v.AT])
        count = int(self._place[v.COUNT])
        if count:
            stream.flowed = True
            self._refused_replays = 0
            rows = self._rows[:count]
            self._verifier.add(rows.copy())
            # The bars of a minute come together, after all of those before.
            self._known_until = max(self._known_until, int(rows[:, v.MINUTE].max()))
        if reason == v.CONTROL:
            self._control()
            return True
        if reason == v.BROKEN:
            LOG.warning("ohlcv-1m: the gateway sent what is not a record")
            stream.discard()
            return False
        return reason == v.FULL or stream.go_on()

    def _control(self) -> None:
        stream = self._stream
        start = stream.position
        mappings = stream.take_mappings()
        if mappings or stream.position > start:
            slots = self._slots([mapping.symbol for mapping in mappings])
            ids = [mapping.instrument_id for mapping in mappings]
            stream.ids.assign(zip(ids, slots, strict=True))
            return
        said = stream.take_control()
        if not isinstance(said, control.Message):
            return
        stream.flowed = True
        if said.error:
            self._take_error(said)
        elif said.code == _END_OF_INTERVAL:
            self._known_until = max(self._known_until, said.ts_ns // MINUTE_NS)

    def _take_error(self, said: control.Message) -> None:
        LOG.warning("ohlcv-1m: the gateway said: %s", printable(said.text))
        if said.code not in _MILD:
            self._refused_replays += 1
            self._stream.hang_up()


def _batch(market: Market, found: Sequence[Difference]) -> DifferenceBatch | None:
    if not found or market.day is None:
        return None
    return DifferenceBatch(
        session_date=market.day.session_date,
        slot=np.array([each.slot for each in found], np.int32),
        minute=np.array([each.minute for each in found], np.int64),
        field=tuple(each.field for each in found),
        ours=np.array([each.ours for each in found]),
        theirs=np.array([each.theirs for each in found]),
        healed=np.array([each.healed for each in found], np.bool_),
    )
