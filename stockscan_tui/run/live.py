"""A live run put together: feed, engine, what an earlier run left, and the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.clock import Clock
from stockscan_tui.config import cache_folder
from stockscan_tui.dispatch import CHECKPOINT_EVERY_S
from stockscan_tui.engine.core import Options, ReferenceData, Surroundings
from stockscan_tui.engine.healing import AskHistory
from stockscan_tui.engine.live import LiveEngine, Saved
from stockscan_tui.feed.bar_file import as_records
from stockscan_tui.feed.exchange import load_calendar
from stockscan_tui.feed.live import Access, LiveFeed, Patience
from stockscan_tui.feed.recorder import Recorder
from stockscan_tui.feed.reference import CloseFile, PreviousCloses, read_closes
from stockscan_tui.feed.stream import Stream
from stockscan_tui.feed.tape_volume import summary_refusal, summary_stream
from stockscan_tui.log import LOG
from stockscan_tui.market import kernel
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, Calendar, utc_date
from stockscan_tui.market.checkpoint import read_header
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.minute_history import KEPT_MINUTES
from stockscan_tui.market.snapshot import CloseSource, Feed, Snapshot, Timeline
from stockscan_tui.market.text import printable
from stockscan_tui.market.user_data import Own
from stockscan_tui.market.vitals import Vitals
from stockscan_tui.run.common import (
    CLOSE_TIMEOUT_S,
    Run,
    Summary,
    learn_closes,
    options_of,
    volumes_of,
)
from stockscan_tui.run.housekeeping import Housekeeping, Keep
from stockscan_tui.run.live_past import Past, Present
from stockscan_tui.run.reference import ReferenceThread, Sources
from stockscan_tui.scan.rules import Rules
from stockscan_tui.scan.rules.ruling import Ruling
from stockscan_tui.store.recovery import Recovering
from stockscan_tui.store.writer import Writer

SCHEMAS = ("mbp-1", "trades", "dual", "tbbo", "ohlcv-1m", "ohlcv-1s")
_STREAMS = {"dual": ("mbp-1", "trades")}
# Nobody waits longer for the end of a session that only adds a column.
SECOND_TIMEOUT_S = 1.0
_KEPT_NS = (KEPT_MINUTES + kernel.SPARE_MINUTES) * MINUTE_NS


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """What to capture and how; see `stockscan live --help` for the meaning of each.

    `tape` is where the whole tape's volume comes from, None for nowhere.
    """

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
    ruling: Ruling = field(default_factory=Ruling)
    reference: Sources | None = None
    tape: Access | None = None
    verify: bool = False
    until_idle: bool = False
    save_s: float = CHECKPOINT_EVERY_S
    keep: Keep = field(default_factory=Keep)
    recovering: Recovering = field(default_factory=Recovering)


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
        self._options = _options(request)
        self._past: Past | None = None
        self._left: list[Past] = []
        self._past_problem = ""
        self._leap = 0
        self._focused: str | None = None
        self._own = Own()
        self._shown: Snapshot | None = None
        self._then: tuple[Snapshot, Vitals, Snapshot] | None = None
        self._shown_for: tuple[int, int, int, str] | None = None
        self.writer = Writer.open(
            request.database,
            dataset=dataset,
            capacity=64,
            resume=True,
            recovering=_recovering(request, calendar, clock),
        )
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
                    stored_fired=self._last_fired,
                    problems=problems,
                ),
                self._options,
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
            if request.verify and not request.schema.startswith("ohlcv"):
                own = Stream("ohlcv-1m", symbols=request.symbols, clocked=False, backfill=True)
                self.engine.verify_by(own)
                feeds.append(own)
            self._feed = LiveFeed(request.access, feeds, clock, patience)
            self._second = self._second_feed(request, patience)
        except BaseException:
            self.writer.close(CLOSE_TIMEOUT_S)
            raise
        self._reference: ReferenceThread | None = None
        if request.reference is not None:
            self._reference = ReferenceThread(
                request.reference, calendar, self.engine, self.writer.reader
            )
            self._reference.start()
        self._housekeeping = Housekeeping(
            self.engine,
            self.writer,
            clock,
            tell=lambda said: self.engine.learn(ReferenceData(problem=said)),
            keep=replace(request.keep, folder=request.record),
        )
        LOG.info("live %s into %s", request.access, printable(self.database))
        self.engine.start()
        self._feed.start()
        if self._second is not None:
            self._second.start()

    def _second_feed(self, request: LiveRequest, patience: Patience | None) -> LiveFeed | None:
        """Return the feed of the second session, None where there is to be none."""
        if request.tape is None:
            return None
        stream = summary_stream(request.symbols)
        self.engine.consolidate_by(stream)
        return LiveFeed(request.tape, [stream], self._clock, patience, refused=summary_refusal)

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
                # A run may have ended on its way back through the night.
                gaps=reader.open_gaps(header.session_date) + reader.gaps(header.session_date),
                of_day=reader.bar_sources(header.clock_ns - DAY_NS, header.symbols),
            )
        finally:
            reader.release()

    # --- now and the past ----------------------------------------------------------------------

    def snapshot(self) -> Snapshot | None:
        """Return the newest picture of the market, or of its past; never waits."""
        past = self._past
        if past is not None and past.problem:
            self._past_problem, self._past = past.problem, None
        picture = past.snapshot() if past is not None else None
        return self._with_present(picture) if picture is not None else self._present()

    def _with_present(self, picture: Snapshot) -> Snapshot:
        """Return a picture of the past with what the capture that goes on knows of itself."""
        vitals = self.engine.vitals
        if self._then is None or self._then[0] is not picture or self._then[1] is not vitals:
            newest = self.engine.snapshot()
            fired = newest.fired if newest is not None else ()
            # No rule is watched in the past: what has fired by then has fired.
            past = tuple(each for each in fired if each.ts_ns <= picture.event_ns)
            self._then = (picture, vitals, replace(picture, vitals=vitals, fired=past))
        return self._then[2]

    def _present(self) -> Snapshot | None:
        """Return the newest picture of the market, with where one could go from it."""
        picture = self.engine.snapshot()
        if picture is None or picture.day is None:
            return picture
        goal_ns = self._past.goal_ns if self._past is not None else 0
        key = (picture.serial, goal_ns, self._leap, self._past_problem)
        if self._shown is None or key != self._shown_for:
            problems = picture.health.problems
            if self._past_problem:
                problems = (*problems, self._past_problem)
            self._shown_for = key
            self._shown = replace(
                picture,
                leap=self._leap,
                timeline=_so_far(picture) if picture.health.bars else None,
                feed=replace(picture.feed, goal_ns=goal_ns),
                health=replace(picture.health, problems=problems),
            )
        return self._shown

    def seek(self, ns: int) -> None:
        """Show the market as it was at an instant, while the feed goes on."""
        if self._past is not None:
            self._past.seek(ns)
        else:
            self._enter_past(ns)

    def seek_by(self, ns: int) -> None:
        """Move back from now, or on and back from where in the past it is."""
        if self._past is not None:
            self._past.seek_by(ns)
        else:
            self._enter_past(self.engine.event_ns + ns)

    def _enter_past(self, ns: int) -> None:
        picture = self.engine.snapshot()
        if picture is None or picture.day is None or ns >= picture.event_ns:
            return
        self._past_problem = ""
        present = Present(
            picture,
            self.engine.calendar,
            replace(self._options, indicators=self.engine.wanted, rules=Rules(), listeners=()),
            self._recorder,
            self.writer.reader,
            self._stored_minutes,
            self._alert_instants,
        )
        self._past = Past(present, self._clock, ns, self._leap)
        self._past.focus(self._focused)
        self._past.know_own(self._own)

    def to_now(self) -> None:
        """Return to now."""
        past, self._past = self._past, None
        if past is not None:
            picture = past.snapshot()
            self._leap = (picture.leap if picture is not None else self._leap) + 1
            past.leave()
            self._then = None
            self._left = [each for each in (*self._left, past) if each.running]

    def set_speed(self, speed: float) -> None:
        """Play the past at `speed` event seconds per second; a live feed has the speed it has."""
        engine = self._past.engine if self._past is not None else None
        if engine is not None:
            engine.set_speed(speed)

    def set_paused(self, paused: bool) -> None:
        """Pause the past, or go on; a live feed goes on."""
        engine = self._past.engine if self._past is not None else None
        if engine is not None:
            engine.set_paused(paused)

    def focus(self, symbol: str | None) -> None:
        """Let the next pictures carry the bars of `symbol`."""
        self._focused = symbol
        super().focus(symbol)
        if self._past is not None:
            self._past.focus(symbol)

    def want(self, indicators: frozenset[IndicatorKey]) -> None:
        """Let the next pictures carry these indicators, and no others."""
        super().want(indicators)
        engine = self._past.engine if self._past is not None else None
        if engine is not None:
            engine.want(indicators)

    def know_own(self, own: Own) -> None:
        """Let the next pictures carry the user's watchlists and table."""
        self._own = own
        super().know_own(own)
        if self._past is not None:
            self._past.know_own(own)

    def stop(self) -> None:
        """Ask to end cleanly; returns at once."""
        super().stop()
        self._stop_feeds()
        if self._past is not None:
            self._past.leave()

    def _stop_feeds(self) -> None:
        self._feed.stop()
        if self._second is not None:
            self._second.stop()

    def close(self) -> Summary:
        """Stop, commit what is in memory, close the database and say what the run came to.

        Raises:
            StockscanError: The run failed, or bars could not be written.
        """
        self.engine.stop()
        self._stop_feeds()
        if self._reference is not None:
            self._reference.stop()
        try:
            return super().close()
        finally:
            for past in [*self._left, *([self._past] if self._past is not None else [])]:
                past.leave()
                past.join(CLOSE_TIMEOUT_S)
            self._feed.join(CLOSE_TIMEOUT_S)
            if self._second is not None:
                self._second.join(SECOND_TIMEOUT_S)
            if self._reference is not None:
                self._reference.join(CLOSE_TIMEOUT_S)
            if self._recorder is not None:
                self._recorder.close(CLOSE_TIMEOUT_S)


def _recovering(request: LiveRequest, calendar: Calendar, clock: Clock) -> Recovering:
    """Return how the database is recovered: today's session is fetched anew where it may be."""
    if not request.backfill or request.recovering.refetched is not None:
        return request.recovering
    today = calendar.day_at(clock.wall_ns()).session_date
    return replace(request.recovering, refetched=today)


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


def _so_far(picture: Snapshot) -> Timeline:
    """Return what of the session date can be gone back to."""
    begin_ns = picture.day.pre_ns if picture.day is not None else picture.event_ns
    nothing = np.zeros(0, np.int64)
    days = (picture.day,) if picture.day is not None else ()
    event_ns = picture.event_ns
    return Timeline(min(begin_ns, event_ns), event_ns, event_ns, nothing, nothing, days)


def _options(request: LiveRequest) -> Options:
    access = request.access
    feed = Feed(
        mode=request.mode,
        title=f"{access.host}:{access.port}",
        dataset=access.dataset,
        schema=request.schema,
        simulated=request.simulated,
    )
    return replace(options_of(request, feed), save_s=request.save_s)
