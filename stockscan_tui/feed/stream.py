"""One live subscription as the engine sees it: over all of its connections.

The feed's thread hands pipes in and asks where to start; everything else belongs to the engine's
thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.feed.control import Control, ControlDecoder, Mapping
from stockscan_tui.feed.pipe import HEADROOM_BYTES, Block, Pipe, Pool
from stockscan_tui.market.dbn import RType
from stockscan_tui.market.symbols import InstrumentIds

RTYPES = {
    "mbp-1": RType.MBP_1,
    "tbbo": RType.MBP_1,
    "trades": RType.TRADE,
    "ohlcv-1s": RType.OHLCV_1S,
    "ohlcv-1m": RType.OHLCV_1M,
    "statistics": RType.STATISTICS,
}
# Why a connection ends that we end ourselves.
STOPPED = "stopped"
_NOTHING: NDArray[np.uint8] = np.zeros(0, np.uint8)


class Link(Enum):
    """How a connection stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    DOWN = "down"
    REFUSED = "refused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How a connection stands, and since when; times are of the monotonic clock, in ns.

    `retry_ns` is when the next attempt is made, 0 where none is planned; `sentence` says why it is
    down or refused.
    """

    link: Link = Link.CONNECTING
    since_ns: int = 0
    retry_ns: int = 0
    sentence: str = ""
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """Where a new connection is to start.

    `start_ns` is None for from now on, 0 for as far back as there is, else ns since 1970. `refusal`
    is the sentence of a final error, empty where there is none; `finished` says that nothing more
    is wanted of this stream.
    """

    start_ns: int | None = None
    refusal: str = ""
    finished: bool = False


class Stream:
    """A subscription to one schema.

    Args:
        schema: `mbp-1`, `tbbo`, `trades`, `ohlcv-1s`, `ohlcv-1m` or `statistics`.
        symbols: What is subscribed to; empty for all symbols.
        clocked: Whether its records move the event clock.
        backfill: Whether its bars stand for minutes that nobody watched.
        from_start: Whether a first start takes all that the gateway can replay.
    """

    def __init__(
        self,
        schema: str,
        *,
        symbols: Sequence[str] = (),
        clocked: bool = True,
        backfill: bool = False,
        from_start: bool = False,
    ) -> None:
        self.schema = schema
        self.rtype = int(RTYPES[schema])
        self.symbols = tuple(symbols)
        self.clocked = clocked
        self.backfill = backfill
        self.from_start = from_start
        self.status = LinkStatus()
        self.finished = False
        self.flowed = False
        self.refused_replays = 0
        self.ids = InstrumentIds()
        self.data = _NOTHING
        self.position = 0
        self.end = 0
        self.final = False
        self.next_ns = 0
        self.version = 3
        self.ts_out = False
        self.pool = Pool()
        self._wake: Callable[[], None] = lambda: None
        self._hang_up: Callable[[], None] = lambda: None
        self._more: Callable[[Sequence[str]], None] = lambda _symbols: None
        self._pipes: deque[Pipe] = deque()
        self._pipe: Pipe | None = None
        self._block: Block | None = None
        self._taken = 0
        self._discarding = False
        self._decoder = ControlDecoder(3, ts_out=False)
        self._asked: Callable[[Answer], None] | None = None

    # --- the feed's side -----------------------------------------------------------------------

    def ask_start(self, answer: Callable[[Answer], None]) -> None:
        """Have `answer` called, by the engine's thread, once all bytes so far are applied."""
        self._asked = answer
        if self.finished:
            self.answer(Answer(finished=True))
        self._wake()

    def new_pipe(self) -> Pipe:
        """Return the pipe of a new connection."""
        pipe = Pipe(self.pool, self._wake)
        self._pipes.append(pipe)
        return pipe

    def more_by(self, more: Callable[[Sequence[str]], None]) -> None:
        """Let `more` be what subscribes to more symbols on the present connection."""
        self._more = more

    def hang_up_by(self, hang_up: Callable[[], None]) -> None:
        """Let `hang_up` be what ends the present connection; it is called from any thread."""
        self._hang_up = hang_up

    def wake(self) -> None:
        """Let the engine look at what is new."""
        self._wake()

    # --- the engine's side ---------------------------------------------------------------------

    def waken_by(self, wake: Callable[[], None]) -> None:
        """Let `wake` be what wakes the engine."""
        self._wake = wake

    @property
    def open(self) -> bool:
        """Whether a connection is being read."""
        return self._pipe is not None

    @property
    def waiting(self) -> bool:
        """Whether a record waits whose time `next_ns` is known."""
        return self.next_ns > 0

    @property
    def ended(self) -> bool:
        """Whether the connection being read has ended, so that what is left is all."""
        return self._pipe is not None and self._pipe.ended

    @property
    def reason(self) -> str:
        """Why the connection being read ended."""
        return self._pipe.reason if self._pipe is not None else ""

    @property
    def asked(self) -> bool:
        """Whether the feed waits to be told where to start, with nothing left to apply."""
        return self._asked is not None and self._pipe is None and not self._pipes

    def answer(self, answer: Answer) -> None:
        """Tell the feed where to start."""
        asked, self._asked = self._asked, None
        if asked is not None:
            asked(answer)

    def answer_start(self, start_ns: int) -> None:
        """Tell the feed to start there."""
        self.answer(Answer(start_ns=start_ns))

    def step_over(self) -> None:
        """Leave the record at the position out."""
        self.position += int(self.data[self.position]) * 4

    def take_up(self) -> bool:
        """Begin to read the next connection, if none is being read and one has begun."""
        if self._pipe is not None or not self._pipes:
            return False
        pipe = self._pipes[0]
        if not pipe.started:
            if pipe.ended:
                # It ended before there was anything to read.
                self._pipes.popleft().release()
            return False
        self._pipe = self._pipes.popleft()
        self._decoder = ControlDecoder(pipe.version, ts_out=pipe.ts_out)
        self.version, self.ts_out = pipe.version, pipe.ts_out
        self.ids = InstrumentIds()
        self.final = False
        self._discarding = False
        return True

    def advance(self) -> bool:
        """Bring in bytes that have come, behind those that are left; False where there are none."""
        came = self._bring_in()
        if came and self._discarding:
            self.position = self.end
        return came

    def _bring_in(self) -> bool:
        if self._pipe is None:
            return False
        if self._block is None:
            self._block = self._pipe.front()
            if self._block is None:
                return False
            self.data = self._block.data
            self.position = self.end = self._taken = HEADROOM_BYTES
        # Looked at in this order: a sealed block is filled for good.
        sealed, filled = self._block.sealed, self._block.filled
        if filled > self._taken:
            if self.data is self._block.data:
                self.end = filled
            else:
                self._append(self._block, self._taken, filled)
            self._taken = filled
            return True
        return sealed and self._next_block(self._pipe)

    def _next_block(self, pipe: Pipe) -> bool:
        """Go over to the next block; what is left of this one is put before its bytes."""
        left = self.data[self.position : self.end].copy()
        block = pipe.next_block()
        if block is None:
            return False
        self._block = block
        self._taken = block.filled
        start = HEADROOM_BYTES - len(left)
        if start >= 0:
            block.data[start:HEADROOM_BYTES] = left
            self.data, self.position, self.end = block.data, start, self._taken
        else:
            # A look ahead over more than a block's headroom: rare enough to copy.
            self.data, self.position, self.end = left, 0, len(left)
            self._append(block, HEADROOM_BYTES, self._taken)
        return True

    def _append(self, block: Block, start: int, end: int) -> None:
        left = self.data[self.position : self.end]
        self.data = np.concatenate([left, block.data[start:end]])
        self.position, self.end = 0, len(self.data)

    def want_more(self, symbols: Sequence[str]) -> None:
        """Subscribe to these symbols too, from now on."""
        self.symbols = (*self.symbols, *symbols)
        self._more(symbols)

    def hang_up(self) -> None:
        """End the present connection; the feed makes another, unless the stream is finished."""
        self._hang_up()

    def finish(self) -> None:
        """Want nothing more of this stream."""
        self.finished = True
        self.put_down()
        self.hang_up()
        self.answer(Answer(finished=True))

    def discard(self) -> None:
        """Take nothing more of this connection: what it sends cannot be read."""
        self._discarding = True
        self.position = self.end
        self.hang_up()

    def put_down(self) -> None:
        """Let go of the connection; a record that it cut in two is dropped."""
        if self._pipe is not None:
            self._pipe.release()
        self._pipe = self._block = None
        self.data = _NOTHING
        self.position = self.end = self.next_ns = 0

    def go_on(self) -> bool:
        """Bring in what has come; at a connection's end put it down. False for nothing more."""
        if self.advance():
            return True
        # Looked at again after its end: what came before that is all there.
        if not self.ended or self.advance():
            return self.ended
        self.put_down()
        return False

    def take_control(self) -> Control | None:
        """Decode the record at the position and step over it."""
        length = int(self.data[self.position]) * 4
        record = self.data[self.position : self.position + length].tobytes()
        self.position += length
        return self._decoder.decode(record)

    def take_mappings(self) -> list[Mapping]:
        """Decode the symbol mappings from the position on and step over them; [] for none.

        A session begins with one for each symbol of the market.
        """
        length, rtype = int(self.data[self.position]) * 4, self.data[self.position + 1]
        if rtype != RType.SYMBOL_MAPPING:
            return []
        heads = self.data[self.position : self.end]
        heads = heads[: len(heads) // length * length].reshape(-1, length)[:, :2]
        other = np.flatnonzero((heads != heads[0]).any(axis=1))
        count = int(other[0]) if len(other) else len(heads)
        records = self.data[self.position : self.position + count * length].tobytes()
        self.position += len(records)
        return self._decoder.decode_mappings(records, length)

    def next_instrument_id(self) -> int:
        """Return the instrument id of the record at the position."""
        at = self.position + 4
        return int.from_bytes(self.data[at : at + 4].tobytes(), "little")
