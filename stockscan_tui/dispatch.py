"""What leaves the engine for the store: bars, late trades, states and closes, in batches.

It belongs to the engine's thread. A batch goes when its rows are many or have waited, never by
event minute, so that a replay at full speed is not held up by commits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import date
from typing import Protocol

from stockscan_tui.clock import Clock
from stockscan_tui.market import kernel as k
from stockscan_tui.market.bars import BarBuffer, joined
from stockscan_tui.market.batch import (
    BarBatch,
    Batch,
    Checkpoint,
    CloseBatch,
    CoverageBatch,
    DayRecord,
    DifferenceBatch,
    Gap,
    MinuteKinds,
    StateBatch,
    Watermark,
)
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.checkpoint import Place, freeze, pack_marks
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import HISTORY_MINUTES, Floats
from stockscan_tui.market.state import Market
from stockscan_tui.market.states import StateSaver

BATCH_ROWS = 120_000
BATCH_WAIT_NS = SECOND_NS
CHECKPOINT_EVERY_S = 5.0
MOST_WAITING = 2


class SinkStatus(Protocol):
    """How the store is doing."""

    @property
    def queue(self) -> int: ...  # noqa: D102
    @property
    def error(self) -> str: ...  # noqa: D102
    @property
    def commits(self) -> int: ...  # noqa: D102
    @property
    def rows_written(self) -> int: ...  # noqa: D102
    @property
    def last_batch_ms(self) -> float: ...  # noqa: D102
    @property
    def file_bytes(self) -> int: ...  # noqa: D102
    @property
    def free_bytes(self) -> int: ...  # noqa: D102


class Sink(Protocol):
    """Where batches go."""

    def put(self, batch: Batch) -> None: ...  # noqa: D102
    def status(self) -> SinkStatus: ...  # noqa: D102


class Dispatch:
    """Collects what changed in a market and hands it to a sink.

    Args:
        market: Whose bars and states they are.
        sink: Where batches go.
        clock: Wall time, for how long rows have waited.
        save_s: How often a checkpoint is handed over, in wall seconds.
    """

    def __init__(
        self, market: Market, sink: Sink, clock: Clock, save_s: float = CHECKPOINT_EVERY_S
    ) -> None:
        self._save_ns = int(save_s * SECOND_NS)
        self._market = market
        self._sink = sink
        self._clock = clock
        self._buffer = BarBuffer()
        self._late: list[BarBatch] = []
        self._closes: list[CloseBatch] = []
        self._gaps: dict[tuple[int, str], Gap] = {}
        self._coverage: dict[date, CoverageBatch] = {}
        self._kinds: dict[tuple[date, int], MinuteKinds] = {}
        self._differences: list[DifferenceBatch] = []
        self._days: dict[date, DayRecord] = {}
        self._marks: deque[tuple[int, Floats]] = deque(maxlen=HISTORY_MINUTES)
        self._fired: list[Fired] = []
        self._forgotten: tuple[int, int] | None = None
        # Brings what is left to evaluate to its end, before all there is is handed over.
        self.settle: Callable[[], None] = lambda: None
        self._states = StateSaver(market)
        self._serial = 0
        self._told_symbols = 0
        self._sent_ns = clock.now_ns()
        self._sent_clock_ns = 0
        # Whether the store has all of this already: what is taken then is dropped.
        self.muted = False

    def add_closes(self, closes: CloseBatch | None) -> None:
        """Let closes go with the next batch."""
        if closes is not None and not self.muted:
            self._closes.append(closes)

    def collect(self, *, states: bool) -> None:
        """Take changed bars and late trades; hand them over when they are many or have waited.

        Args:
            states: Whether the states that are due by the wall clock go with them.
        """
        self._take()
        now_ns = self._clock.now_ns()
        waited = now_ns - self._sent_ns >= BATCH_WAIT_NS
        some = bool(self._buffer.rows or self._fired)
        if self._buffer.rows >= BATCH_ROWS or self._late or (waited and some):
            self._send(self._states.due(now_ns) if states else ())

    def send_all(self) -> None:
        """Hand over everything there is, with the state of every symbol."""
        self._take()
        self._send(self._states.everything(self._market.clock_ns))

    def keep_marks(self, minute: int, marks: Floats) -> None:
        """Let the marks at a minute's close go with the next checkpoint."""
        self._marks.append((minute, marks))

    def add_gap(self, gap: Gap) -> None:
        """Let a gap go with the next checkpoint; a later word on it replaces an earlier one."""
        self._gaps[gap.from_ns, gap.reason] = gap

    def add_coverage(self, coverage: CoverageBatch) -> None:
        """Let a day's coverage go with the next batch; it replaces one of the day that waits."""
        if not self.muted:
            self._coverage[coverage.session_date] = coverage

    def add_kinds(self, kinds: Iterable[MinuteKinds]) -> None:
        """Let minutes' verdicts go with the next batch; a later one replaces one that waits."""
        if not self.muted:
            self._kinds.update({(each.session_date, each.minute): each for each in kinds})

    def add_differences(self, differences: DifferenceBatch) -> None:
        """Let differences from Databento's bars go with the next batch."""
        if not self.muted and len(differences):
            self._differences.append(differences)

    def add_day(self, day: DayRecord) -> None:
        """Let a day's record go with the next batch; it replaces one of the day that waits."""
        if not self.muted:
            self._days[day.session_date] = day

    def add_fired(self, fired: Iterable[Fired]) -> None:
        """Let alerts go with the next batch."""
        if not self.muted:
            self._fired.extend(fired)

    def forget_fired(self, from_ns: int, to_ns: int) -> None:
        """Let the alerts that the store has between two instants give way to those of this run."""
        self._forgotten = (from_ns, to_ns)

    def flush(self) -> None:
        """Hand over the bars there are, so that they can soon be read."""
        self._take()
        if self._buffer.rows or self._late:
            self._send(())

    def take(self) -> None:
        """Take changed bars and late trades into memory, so that the loop has room again."""
        self._take()

    def checkpoint(self, place: Place, *, force: bool) -> None:
        """Hand over, as one batch, all that a later run needs to go on from this instant.

        Unless forced, wait while the disk is behind: what is not handed over goes with the next.

        Args:
            place: Where the run stands.
            force: Whether it goes at once.
        """
        now_ns = self._clock.now_ns()
        full = self._buffer.rows >= BATCH_ROWS
        if not force and not full and now_ns - self._sent_ns < self._save_ns:
            return
        if not force and self._sink.status().queue >= MOST_WAITING:
            return
        clock_ns = self._market.clock_ns
        if not force and clock_ns == self._sent_clock_ns and not self._gaps:
            return
        self._sent_clock_ns = clock_ns
        self.settle()
        self._take()
        self._send(
            self._states.everything(self._market.clock_ns) if force else self._states.due(now_ns),
            place=place,
        )

    def _take(self) -> None:
        bars, late = self._market.take_bars(), self._market.take_late()
        if self.muted:
            return
        self._buffer.add(bars)
        if late is not None:
            # The bars that are waiting go first: a late trade adds to what they write.
            self._late.append(late)

    def _send(self, states: tuple[StateBatch, ...], *, place: Place | None = None) -> None:
        if self.muted:
            return
        names = self._market.symbols.names
        self._serial += 1
        batch = Batch(
            serial=self._serial,
            first_slot=self._told_symbols,
            symbols=tuple(names[self._told_symbols :]),
            bars=self._buffer.take(),
            late=joined(self._late) if self._late else None,
            states=states,
            closes=tuple(self._closes),
            watermarks=_watermarks(self._market.watermarks),
            gaps=tuple(self._gaps.values()),
            coverage=tuple(self._coverage.values()),
            kinds=tuple(self._kinds.values()),
            differences=tuple(self._differences),
            days=tuple(self._days.values()),
            forgotten=self._forgotten,
            fired=tuple(self._fired),
            checkpoint=self._freeze(place) if place is not None else None,
        )
        self._gaps = {}
        self._fired = []
        self._forgotten = None
        self._coverage = {}
        self._kinds = {}
        self._differences = []
        self._days = {}
        self._told_symbols = len(names)
        self._late = []
        self._closes = []
        self._sink.put(batch)
        self._sent_ns = self._clock.now_ns()

    def _freeze(self, place: Place) -> Checkpoint | None:
        day = self._market.day
        if day is None:
            return None
        marks = tuple((minute, pack_marks(values)) for minute, values in self._marks)
        self._marks.clear()
        return Checkpoint(day.session_date, freeze(self._market, day, place), marks)


def _watermarks(table: k.Int64s) -> tuple[Watermark, ...]:
    return tuple(
        Watermark(key >> 16, key & 0xFFFF, ts_ns, count)
        for key, ts_ns, count in table[:, : k.MARK_LATE].tolist()
        if key >= 0 and ts_ns > 0
    )
