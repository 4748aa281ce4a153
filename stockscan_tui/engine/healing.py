"""Bars for what a gap took: of symbols on the leaderboard, from the gateway or from history.

It belongs to the engine's thread. A gap that no replay could fill stays a gap; but where a symbol
that traders look at has holes in its last half hour, its minutes are fetched, once for each gap.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.clock import Clock
from stockscan_tui.feed import control
from stockscan_tui.feed.stream import Link, Stream
from stockscan_tui.log import LOG
from stockscan_tui.market import kernel as k
from stockscan_tui.market.arithmetic import percent_over, to_dollars
from stockscan_tui.market.batch import Gap
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.state import Market
from stockscan_tui.market.symbols import InstrumentIds
from stockscan_tui.market.text import printable

LEADERS = 50
LOOK_BACK_NS = 30 * MINUTE_NS
LOOK_EVERY_NS = SECOND_NS
MOST_AT_ONCE = 2
MOST_SYMBOLS = 500
LEAD_NS = 5 * MINUTE_NS
PATIENCE_NS = 20 * SECOND_NS
# A symbol that is not known, records that were skipped: the rest comes all the same.
MILD_ERRORS = (4, 7)
_REPLAY_COMPLETED = 3

# Takes symbols and a span in ns since 1970; returns names and ohlcv-1m records whose instrument
# ids count in them, None where history cannot be asked.
AskHistory = Callable[[Sequence[str], int, int], tuple[Sequence[str], NDArray[np.void]] | None]


def leaders(market: Market, count: int = LEADERS) -> set[int]:
    """Return the slots of the first gainers, losers and five-minute movers."""
    marks = to_dollars(market.rows[:, k.MARK])
    change = percent_over(marks, market.prev_close[: market.count])
    found = {*_first(change, count), *_first(-change, count)}
    if len(market.mark_history) > 5:
        before = np.full(market.count, np.nan)
        past = market.mark_history[-6]
        before[: len(past)] = past
        found.update(_first(np.abs(percent_over(marks, before)), count))
    return found


def _first(values: NDArray[np.float64], count: int) -> list[int]:
    known = np.flatnonzero(np.isfinite(values))
    if len(known) > count:
        known = known[np.argpartition(-values[known], count)[:count]]
    found: list[int] = known.tolist()
    return found


@dataclass(slots=True, eq=False)
class Request:
    """One request for the minutes of a gap.

    Attributes:
        symbols: Whose.
        from_ns: The first minute's beginning.
        to_ns: The end of the last minute.
        stream: The gateway's answer, None once history is asked.
        since_ns: The monotonic clock when it was made.
        first_ns: The earliest bar that the gateway sent, 0 before there is one.
        answer: History's: names and records; empty while it is awaited.
    """

    symbols: tuple[str, ...]
    from_ns: int
    to_ns: int
    stream: Stream | None
    since_ns: int
    first_ns: int = 0
    answer: deque[tuple[Sequence[str], NDArray[np.void]] | None] = field(default_factory=deque)


class Healing:
    """Finds holes behind leaders, and fills them.

    Args:
        market: Whose bars they are.
        clock: Wall time, for patience.
        connect: Has a stream connected; None to ask no gateway.
        ask_history: Asks history; None to ask none.

    Attributes:
        flush: Takes the changed bars, so that there is room for more.
    """

    def __init__(
        self,
        market: Market,
        clock: Clock,
        connect: Callable[[Stream], None] | None = None,
        ask_history: AskHistory | None = None,
    ) -> None:
        self._market = market
        self._clock = clock
        self._connect = connect
        self._ask_history = ask_history
        self._gaps: list[Gap] = []
        self._asked: dict[int, set[str]] = {}
        self._looked_ns = 0
        self.flush: Callable[[], None] = lambda: None
        self.running: list[Request] = []
        self.healed = 0

    def note(self, gap: Gap) -> None:
        """Remember a gap that was not healed."""
        if gap.to_ns and not gap.healed_ns:
            self._gaps.append(gap)

    def look(self, now_ns: int, wake: Callable[[], None]) -> None:
        """Ask for what is missing behind the leaders as of event time `now_ns`."""
        wall_ns = self._clock.now_ns()
        if not self._gaps or wall_ns - self._looked_ns < LOOK_EVERY_NS:
            return
        self._looked_ns = wall_ns
        self._gaps = [gap for gap in self._gaps if gap.to_ns > now_ns - LOOK_BACK_NS]
        for gap in self._gaps:
            if len(self.running) < MOST_AT_ONCE:
                self._ask(gap, now_ns, wall_ns, wake)

    def _ask(self, gap: Gap, now_ns: int, wall_ns: int, wake: Callable[[], None]) -> None:
        from_ns = gap.from_ns // MINUTE_NS * MINUTE_NS
        to_ns = -(-gap.to_ns // MINUTE_NS) * MINUTE_NS
        if to_ns > now_ns:
            # The minute it ends in still goes on.
            return
        asked = self._asked.setdefault(gap.from_ns, set())
        names = self._market.symbols.names
        known = {names[slot] for slot in leaders(self._market)}
        wanted = sorted(name for name in known - asked if not name.startswith("#"))[:MOST_SYMBOLS]
        if not wanted:
            return
        asked.update(wanted)
        request = Request(tuple(wanted), from_ns, to_ns, None, wall_ns)
        self.running.append(request)
        LOG.info("asking for the bars of %d symbols behind a gap", len(wanted))
        if self._connect is None:
            self._turn_to_history(request, wake)
            return
        request.stream = Stream("ohlcv-1m", symbols=wanted, clocked=False, backfill=True)
        request.stream.waken_by(wake)
        self._connect(request.stream)

    def _turn_to_history(self, request: Request, wake: Callable[[], None]) -> None:
        """Ask history in a thread that may take its time."""
        if request.stream is not None:
            request.stream.finish()
            request.stream = None
        ask = self._ask_history
        if ask is None:
            self.running.remove(request)
            return
        request.since_ns = self._clock.now_ns()

        def run() -> None:
            try:
                request.answer.append(ask(request.symbols, request.from_ns, request.to_ns))
            except Exception as error:  # noqa: BLE001 - a failing history must not end a capture
                LOG.warning("bars behind a gap: %s", printable(error))
                request.answer.append(None)
            wake()

        threading.Thread(target=run, name="stockscan-backfill", daemon=True).start()

    def advance(self, wake: Callable[[], None]) -> bool:
        """Take in what has come; returns whether there was anything."""
        moved = False
        for request in list(self.running):
            if request.stream is not None:
                moved |= self._take_stream(request, request.stream, wake)
            elif request.answer:
                self._take_history(request)
                moved = True
            elif self._clock.now_ns() - request.since_ns > 3 * PATIENCE_NS:
                self.running.remove(request)
        return moved

    def _take_stream(self, request: Request, stream: Stream, wake: Callable[[], None]) -> bool:
        if stream.asked:
            stream.answer_start(request.from_ns - LEAD_NS)
        moved = stream.take_up()
        complete = refused = False
        while stream.open:
            reason = self._consume(request, stream)
            if reason == k.NEED_BYTES and not stream.advance():
                refused = stream.ended
                break
            if reason == k.CONTROL:
                said = self._control(stream)
                moved = True
                if isinstance(said, control.Message):
                    complete |= said.code == _REPLAY_COMPLETED
                    refused |= said.error and said.code not in MILD_ERRORS
            elif reason == k.NEW_ID:
                stream.step_over()
            elif reason == k.FLUSH:
                self.flush()
            elif reason not in (k.NEED_BYTES, k.BOUNDARY, k.GROW):
                refused = True
                break
            if complete or refused:
                break
        late = self._clock.now_ns() - request.since_ns > PATIENCE_NS
        # A replay that goes back to before the gap leaves nothing of it out.
        whole = 0 < request.first_ns < request.from_ns or self._ask_history is None
        if complete and whole:
            stream.finish()
            self.running.remove(request)
        elif complete or refused or late or stream.status.link is Link.REFUSED:
            self._turn_to_history(request, wake)
        return moved

    def _control(self, stream: Stream) -> control.Control | None:
        mappings = stream.take_mappings()
        if not mappings:
            return stream.take_control()
        names = self._market.symbols
        pairs = ((m.instrument_id, names.find(m.symbol)) for m in mappings)
        stream.ids.assign((number, slot) for number, slot in pairs if slot is not None)
        return None

    def _consume(self, request: Request, stream: Stream) -> int:
        """Apply the stream's bars that lie within the gap."""
        ctl = self._market.ctl
        ctl[k.POSITION], ctl[k.END], ctl[k.FINAL] = stream.position, stream.end, True
        reason = self._applied(request, stream.data, stream.ids)
        stream.position = int(ctl[k.POSITION])
        return reason

    def _applied(self, request: Request, data: k.Bytes, ids: InstrumentIds) -> int:
        ctl = self._market.ctl
        kept = [(field, int(ctl[field])) for field in (k.CLOCK_NS, k.LATE, k.RECORDS)]
        dirty = int(ctl[k.DIRTY_COUNT])
        ctl[k.STOP_NS] = 2**63 - 1
        ctl[k.HEAL_FROM_NS], ctl[k.HEAL_TO_NS] = request.from_ns, request.to_ns
        ctl[k.HEAL_FIRST_NS] = request.first_ns
        reason = self._market.consume(data, ids)
        request.first_ns = int(ctl[k.HEAL_FIRST_NS])
        self.healed += int(ctl[k.DIRTY_COUNT]) - dirty
        if reason == k.GROW:
            self._market.grow_bars()
        ctl[k.HEAL_FROM_NS] = ctl[k.HEAL_TO_NS] = 0
        for place, value in kept:
            ctl[place] = value
        return reason

    def _take_history(self, request: Request) -> None:
        """Apply history's bars as if a gateway had sent them."""
        self.running.remove(request)
        answer = request.answer.popleft()
        if answer is None:
            return
        names, records = answer
        ids = InstrumentIds()
        found = ((at, self._market.symbols.find(name)) for at, name in enumerate(names))
        ids.assign((at, slot) for at, slot in found if slot is not None)
        known = np.isin(records["instrument_id"], [at for at in range(len(names)) if at in ids])
        data = np.frombuffer(records[known].tobytes(), np.uint8)
        ctl = self._market.ctl
        ctl[k.POSITION], ctl[k.END], ctl[k.FINAL] = 0, len(data), True
        while self._applied(request, data, ids) in (k.FLUSH, k.GROW):
            self.flush()
