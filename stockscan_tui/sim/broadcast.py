"""A session's subscriptions, and what each has still to send."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.sim import messages
from stockscan_tui.sim.handshake import Request
from stockscan_tui.sim.options import EventClock, Options
from stockscan_tui.sim.outlet import SEND_BYTES, CutError, Outlet
from stockscan_tui.sim.tape import Stream, Tape

# A replay that took longer than this has let the clock run on: another pass follows.
_CAUGHT_UP_S = 0.05
# No record's ts_event lies further after its ts_recv than clocks differ.
_SKEW_NS = 60 * SECOND_NS


@dataclass(eq=False)
class _Subscription:
    """`wanted` is None for all symbols; `replays` until its replay has been told as completed."""

    stream: Stream
    wanted: frozenset[str] | None
    start_ns: int
    replays: bool
    position: int
    numbers: dict[int, NDArray[Any]] = field(default_factory=dict)


class Broadcast:
    """Sends a session's records as they fall due.

    Args:
        tape: What is played.
        clock: Running.
        options: The gateway's.
        outlet: The connection.
        ts_out: Whether each record carries its time of sending.
    """

    def __init__(
        self, tape: Tape, clock: EventClock, options: Options, outlet: Outlet, ts_out: bool
    ) -> None:
        self._tape = tape
        self._clock = clock
        self._options = options
        self._outlet = outlet
        self._ts_out = ts_out
        self._subscriptions: list[_Subscription] = []
        self._announced: set[str] = set()
        self._epoch = -1

    async def open(self, request: Request, *, late: bool = False) -> None:
        """Add a subscription: mappings and its acknowledgement go out, or an error.

        Args:
            request: What the client asks for.
            late: It comes in mid-session.

        Raises:
            CutError: The schema or the kind of symbols is not served.
        """
        stream = await asyncio.to_thread(self._tape.stream, request.schema)
        if stream is None:
            await self._error(f"Schema {request.schema} is not served")
            raise CutError(reset=False)
        if request.stype_in not in ("raw_symbol", "instrument_id"):
            await self._error(f"Symbols of type {request.stype_in} are not served")
            raise CutError(reset=False)
        refusal = self._refusal(request, late=late)
        if refusal:
            await self._error(refusal)
            return
        subscription = self._begun(stream, request, late=late)
        if self._epoch < 0:
            self._epoch = self._tape.epoch(self._begin_ns(subscription))
        await self._resolve(subscription, request)
        number = f" {request.number}" if request.number else ""
        said = f"Subscription request{number} for {request.schema} data succeeded"
        await self._system(messages.SUBSCRIPTION_ACK, said)
        self._subscriptions.append(subscription)

    async def advance(self) -> bool:
        """Send what is due; True where the clock ran on meanwhile and more may be."""
        behind = False
        for subscription in self._subscriptions:
            began_s = time.monotonic()
            stream = subscription.stream
            limit = stream.by(self._clock.due_ns())
            while subscription.position < limit:
                await self._slice(subscription, limit)
            late = time.monotonic() - began_s > _CAUGHT_UP_S
            caught_up = not late or limit == len(stream.records)
            behind |= not caught_up
            if subscription.replays and caught_up:
                subscription.replays = False
                said = f"Finished {stream.schema} replay"
                await self._system(messages.REPLAY_COMPLETED, said)
        if self._tape.turns and self._epoch >= 0:
            await self._announce(self._tape.epoch(self._clock.now_ns()))
        return behind

    def _refusal(self, request: Request, *, late: bool) -> str:
        if request.start_ns is None:
            return ""
        if late:
            return "start is not allowed after the session has started"
        return "start is in the future" if request.start_ns > self._clock.now_ns() else ""

    def _begun(self, stream: Stream, request: Request, *, late: bool) -> _Subscription:
        from_clock = late or (request.start_ns is None and self._options.live_only)
        start_ns = 0 if request.start_ns is None else request.start_ns
        window_s = self._options.replay_window_s
        if window_s is not None:
            start_ns = max(start_ns, self._clock.now_ns() - int(window_s * SECOND_NS))
        if from_clock:
            start_ns, position = 0, stream.before(self._clock.now_ns())
        else:
            position = stream.before(start_ns - _SKEW_NS)
        wanted = None if request.symbols is None else frozenset(request.symbols)
        replays = request.start_ns is not None
        return _Subscription(stream, wanted, start_ns, replays, position)

    def _begin_ns(self, subscription: _Subscription) -> int:
        if subscription.position < len(subscription.stream.records):
            return subscription.stream.at_ns(subscription.position)
        return self._clock.now_ns()

    async def _resolve(self, subscription: _Subscription, request: Request) -> None:
        """Send the mappings that the client lacks, and an error for each unknown symbol."""
        known = self._tape.symbols(self._epoch)
        wanted = request.symbols
        if wanted is not None and request.stype_in == "instrument_id":
            names = {str(number): symbol for symbol, number in known.items()}
            subscription.wanted = frozenset(names.get(number, number) for number in wanted)
            wanted = tuple(names.get(number, number) for number in wanted)
        unknown = [] if wanted is None else [symbol for symbol in wanted if symbol not in known]
        for symbol in unknown:
            said = f"Failed to resolve symbol {symbol}"
            last = symbol == unknown[-1]
            await self._error(said, messages.SYMBOL_RESOLUTION_FAILED, last=last)
        fresh = [
            symbol
            for symbol in (known if wanted is None else wanted)
            if symbol in known and symbol not in self._announced
        ]
        self._announced.update(fresh)
        await self._map(fresh, [known[symbol] for symbol in fresh], self._clock.now_ns())

    async def _announce(self, epoch: int) -> None:
        """Bring the client's mappings of what is remapped to where the records are."""
        if epoch == self._epoch:
            return
        before, now = self._tape.symbols(self._epoch), self._tape.symbols(epoch)
        self._epoch = epoch
        remapped = {remap.symbol for remap in self._tape.remaps} & self._announced
        ts_ns = self._tape.turns[epoch - 1] if epoch else self._tape.first_ns
        changed = [s for s in sorted(remapped) if s in now and before.get(s) != now[s]]
        await self._map(changed, [now[symbol] for symbol in changed], ts_ns)

    async def _slice(self, subscription: _Subscription, limit: int) -> None:
        """Send the next records of a subscription, at most to `limit`."""
        stream, position = subscription.stream, subscription.position
        due_ns = stream.due_ns(position)
        # A bar that is due as numbers change has the number of its interval.
        epoch = self._tape.epoch(stream.at_ns(position))
        end = min(limit, position + SEND_BYTES // stream.record_bytes)
        if epoch < len(self._tape.turns):
            end = min(end, stream.before(self._tape.turns[epoch]))
        if stream.interval_ns:
            # An interval's bars are due together, and a message follows the last of them.
            end = stream.by(due_ns)
        await self._announce(epoch)
        subscription.position = end
        data = self._chosen(subscription, position, end, epoch)
        await self._outlet.send(data, stream.record_bytes + (8 if self._ts_out else 0))
        # What the kernel takes at once, or nobody wanted, must not hold up the other sessions.
        await asyncio.sleep(0)
        if stream.interval_ns and due_ns - stream.interval_ns >= subscription.start_ns:
            said = f"End of interval for {stream.schema}"
            await self._system(messages.END_OF_INTERVAL, said, due_ns)

    def _chosen(self, subscription: _Subscription, begin: int, end: int, epoch: int) -> memoryview:
        """Return the wanted records' bytes, uncopied where all of them are wanted."""
        stream = subscription.stream
        rows = stream.records[begin:end]
        keep = None
        if subscription.start_ns:
            keep = rows["ts_event"] >= np.uint64(subscription.start_ns)
        if subscription.wanted is not None:
            mine = np.isin(rows["instrument_id"], self._numbers(subscription, epoch))
            keep = mine if keep is None else keep & mine
        if keep is not None and not keep.all():
            rows = rows[keep]
        if self._ts_out:
            rows = messages.stamped(rows, self._clock.now_ns())
        return messages.bytes_of(rows)

    def _numbers(self, subscription: _Subscription, epoch: int) -> NDArray[Any]:
        if epoch not in subscription.numbers:
            known = self._tape.symbols(epoch)
            mine = [known[symbol] for symbol in subscription.wanted or () if symbol in known]
            subscription.numbers[epoch] = np.array(mine, np.uint32)
        return subscription.numbers[epoch]

    async def _map(self, symbols: list[str], numbers: list[int], ts_ns: int) -> None:
        if symbols:
            rows = messages.mappings(symbols, numbers, ts_ns)
            if self._ts_out:
                rows = messages.stamped(rows, self._clock.now_ns())
            await self._outlet.send(messages.bytes_of(rows))

    async def _system(self, code: int, text: str, ts_ns: int | None = None) -> None:
        now_ns = self._clock.now_ns()
        await self._send(messages.system(now_ns if ts_ns is None else ts_ns, code, text))

    async def _error(
        self, text: str, code: int = messages.INVALID_SUBSCRIPTION, *, last: bool = True
    ) -> None:
        await self._send(messages.error(self._clock.now_ns(), code, text, last=last))

    async def _send(self, record: bytes) -> None:
        now_ns = self._clock.now_ns()
        await self._outlet.send(messages.stamped_one(record, now_ns) if self._ts_out else record)
