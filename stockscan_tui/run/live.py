"""A live run put together: feed, engine, what an earlier run left, and the database."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.clock import Clock
from stockscan_tui.config import cache_folder
from stockscan_tui.dispatch import CHECKPOINT_EVERY_S
from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.healing import AskHistory, as_records
from stockscan_tui.engine.live import LiveEngine, Saved
from stockscan_tui.feed.exchange import load_calendar
from stockscan_tui.feed.live import Access, LiveFeed, Patience
from stockscan_tui.feed.recorder import Recorder
from stockscan_tui.feed.reference import CloseFile, PreviousCloses, read_closes
from stockscan_tui.feed.stream import Stream
from stockscan_tui.log import LOG
from stockscan_tui.market import kernel
from stockscan_tui.market.calendar import MINUTE_NS, utc_date
from stockscan_tui.market.checkpoint import read_header
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.minute_history import KEPT_MINUTES
from stockscan_tui.market.snapshot import CloseSource, Feed
from stockscan_tui.market.text import printable
from stockscan_tui.run.common import (
    CLOSE_TIMEOUT_S,
    MARK_MODES,
    Run,
    Summary,
    learn_closes,
    volumes_of,
)
from stockscan_tui.run.reference import ReferenceThread, Sources
from stockscan_tui.store.writer import Writer

SCHEMAS = ("mbp-1", "trades", "dual", "tbbo", "ohlcv-1m", "ohlcv-1s")
_STREAMS = {"dual": ("mbp-1", "trades")}
_KEPT_NS = (KEPT_MINUTES + kernel.SPARE_MINUTES) * MINUTE_NS


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """What to capture and how; see `stockscan live --help` for the meaning of each."""

    access: Access
    database: Path
    schema: str = "mbp-1"
    symbols: tuple[str, ...] = ()
    mode: str = "LIVE"
    simulated: bool = False
    backfill: bool = True
    prev_close: Path | None = None
    record: Path | None = None
    trades_for_leaders: bool = False
    mark: str = "auto"
    refresh_s: float = 0.1
    indicators: frozenset[IndicatorKey] = frozenset()
    reference: Sources | None = None
    until_idle: bool = False
    save_s: float = CHECKPOINT_EVERY_S


class LiveRun(Run):
    """A live run in progress.

    Args:
        request: What to capture.
        clock: Wall time.
        patience: How long the feed waits for what; None for the usual.

    Raises:
        StockscanError: The closes, the calendar or the database cannot be used.
    """

    engine: LiveEngine

    def __init__(
        self, request: LiveRequest, clock: Clock, patience: Patience | None = None
    ) -> None:
        super().__init__(clock)
        calendar = load_calendar(cache_folder(), utc_date(clock.wall_ns()))
        closes = PreviousCloses(calendar)
        found: list[tuple[CloseFile, CloseSource]] = []
        if request.prev_close is not None:
            found.append((read_closes(request.prev_close), CloseSource.FILE))
        undated, problems = learn_closes(closes, found)
        self.database = request.database
        dataset = request.access.dataset
        self._recorder: Recorder | None = None
        self.writer = Writer.open(request.database, dataset=dataset, capacity=64, resume=True)
        try:
            if request.record is not None:
                self._recorder = Recorder(request.record, dataset=dataset, calendar=calendar)
            streams, history = _streams(request)
            self.engine = LiveEngine(
                streams,
                Surroundings(
                    calendar=calendar,
                    closes=closes,
                    sink=self.writer,
                    clock=clock,
                    undated=undated,
                    volumes=volumes_of(found, dataset),
                    stored_closes=self._stored_closes,
                    stored_minutes=self._stored_minutes,
                    stored_alerts=self._stored_alerts,
                    problems=problems,
                ),
                _options(request),
                history=history,
                saved=self._saved(),
                recorder=self._recorder,
                until_idle=request.until_idle,
            )
            if request.backfill:
                self.engine.heal_by(self._connect, self._ask_history(request))
            if request.trades_for_leaders:
                self.engine.follow_leaders_by(self._connect, Stream("trades", clocked=False))
            feeds = [*streams, *([history] if history is not None else [])]
            self._feed = LiveFeed(request.access, feeds, clock, patience)
        except BaseException:
            self.writer.close(CLOSE_TIMEOUT_S)
            raise
        self._reference: ReferenceThread | None = None
        if request.reference is not None:
            self._reference = ReferenceThread(
                request.reference, calendar, self.engine, self.writer.reader
            )
            self._reference.start()
        LOG.info("live %s into %s", request.access, printable(self.database))
        self.engine.start()
        self._feed.start()

    def _connect(self, stream: Stream) -> None:
        self._feed.add(stream)

    def _ask_history(self, request: LiveRequest) -> AskHistory | None:
        """Return what asks the historical API for minute bars, None where nobody may be asked."""
        history = request.reference.history() if request.reference is not None else None
        if history is None:
            return None
        asked = history
        dataset = request.access.dataset

        def ask(
            symbols: Sequence[str], from_ns: int, to_ns: int
        ) -> tuple[Sequence[str], NDArray[np.void]]:
            found = asked.minute_bars(dataset, symbols, from_ns, to_ns)
            bars = found.bars
            prices = [bars[name] for name in ("open", "high", "low", "close")]
            return found.names, as_records(bars["symbol"], bars["minute"], prices, bars["volume"])

        return ask

    def _saved(self) -> Saved | None:
        """Read what an earlier run left, None where there is nothing or it cannot be used."""
        reader = self.writer.reader()
        try:
            state = reader.checkpoint()
            header = read_header(state) if state is not None else None
            if state is None or header is None:
                return None
            return Saved(
                state=state,
                marks=reader.minute_marks(),
                bars=reader.bars_since(header.clock_ns - _KEPT_NS, header.symbols),
                gaps=reader.gaps(header.session_date),
            )
        finally:
            reader.release()

    def set_speed(self, speed: float) -> None:
        """A live feed has the speed it has."""

    def set_paused(self, paused: bool) -> None:
        """A live feed goes on."""

    def stop(self) -> None:
        """Ask to end cleanly; returns at once."""
        super().stop()
        self._feed.stop()

    def close(self) -> Summary:
        """Stop, commit what is in memory, close the database and say what the run came to.

        Raises:
            StockscanError: The run failed, or bars could not be written.
        """
        self.engine.stop()
        self._feed.stop()
        if self._reference is not None:
            self._reference.stop()
        try:
            return super().close()
        finally:
            self._feed.join(CLOSE_TIMEOUT_S)
            if self._reference is not None:
                self._reference.join(CLOSE_TIMEOUT_S)
            if self._recorder is not None:
                self._recorder.close(CLOSE_TIMEOUT_S)


def _streams(request: LiveRequest) -> tuple[Sequence[Stream], Stream | None]:
    """Return the subscriptions of a request, and the one that brings the session so far."""
    bars = request.schema.startswith("ohlcv")
    streams = [
        Stream(
            schema,
            symbols=request.symbols,
            clocked=True,
            from_start=bars and request.backfill,
        )
        for schema in _STREAMS.get(request.schema, (request.schema,))
    ]
    if bars or not request.backfill:
        return streams, None
    return streams, Stream("ohlcv-1m", symbols=request.symbols, clocked=False, backfill=True)


def _options(request: LiveRequest) -> Options:
    access = request.access
    feed = Feed(
        mode=request.mode,
        title=f"{access.host}:{access.port}",
        dataset=access.dataset,
        schema=request.schema,
        simulated=request.simulated,
    )
    return Options(
        feed=feed,
        mark_mode=MARK_MODES[request.mark],
        refresh_s=request.refresh_s,
        indicators=request.indicators,
        behind_screen=math.isfinite(request.refresh_s),
        save_s=request.save_s,
    )
