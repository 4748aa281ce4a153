"""Gathers what a run knows of itself; it belongs to the engine's thread."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from stockscan_tui.clock import Clock
from stockscan_tui.dispatch import Sink
from stockscan_tui.feed.pace import Rate
from stockscan_tui.market import kernel as k
from stockscan_tui.market.batch import Gap
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, TradingDay
from stockscan_tui.market.completeness import share_of
from stockscan_tui.market.dbn import RType
from stockscan_tui.market.snapshot import Feed
from stockscan_tui.market.state import Market
from stockscan_tui.market.troubles import troubles
from stockscan_tui.market.usual_bars import UsualPace
from stockscan_tui.market.vitals import Flow, Lag, LagMeter, Pace, StoreFigures, Vitals
from stockscan_tui.memory import resident_mb

LOOK_NS = SECOND_NS
MEMORY_NS = 3 * SECOND_NS
MOST_GAPS = 200
MOST_LAG_NS = 3600 * SECOND_NS
_KINDS = ("quotes", "trades", "control", "other")


class VitalSigns:
    """What is counted as a run goes, and the figures made of it.

    Args:
        market: Whose counts and bars they are.
        sink: Where batches go.
        clock: Wall time.
    """

    def __init__(self, market: Market, sink: Sink, clock: Clock) -> None:
        self._market = market
        self._sink = sink
        self._clock = clock
        self._gaps: dict[tuple[int, str], Gap] = {}
        self._control = 0
        self._warnings = 0
        self._lag = LagMeter()
        self._measured_ns = 0
        self._rates = {name: Rate() for name in _KINDS}
        self._commits = 0
        self._committed_ns = 0
        self._rss_mb = math.nan
        self._weighed_ns = 0
        self._covered = (-1, 0)
        self._complete = math.nan
        self.looked_ns = 0
        self.usual = self._paced_by = UsualPace()
        self.newest = Vitals()

    # --- what happens ---------------------------------------------------------------------------

    def count_control(self, records: int) -> None:
        """Count records that the compiled loop leaves to Python."""
        self._control += records

    def warn_of_slowness(self) -> None:
        """Count a warning that this machine reads too slowly."""
        self._warnings += 1

    def note_gap(self, gap: Gap) -> None:
        """Keep a gap; a later word on it replaces an earlier one."""
        self._gaps[gap.from_ns, gap.reason] = gap
        while len(self._gaps) > MOST_GAPS:
            del self._gaps[min(self._gaps)]

    def measure_lag(self) -> None:
        """Take the age of the newest record as the lag, if it is newer than the last one taken.

        A market that keeps a time of its own has none.
        """
        newest_ns = self._market.clock_ns
        lag_ns = self._clock.wall_ns() - newest_ns
        if newest_ns > self._measured_ns and abs(lag_ns) < MOST_LAG_NS:
            self._measured_ns = newest_ns
            self._lag.note(self._clock.now_ns(), lag_ns / 1e6)

    # --- what is made of it ----------------------------------------------------------------------

    @property
    def due(self) -> bool:
        """Whether the figures are a second old."""
        return not self.looked_ns or self._clock.now_ns() - self.looked_ns >= LOOK_NS

    def look(self, feed: Feed, *, over: int, silent_s: float) -> None:
        """Make the figures as they stand now.

        Args:
            feed: How the feed stands.
            over: The first minute (since 1970) that is not over.
            silent_s: How long nothing has come, in wall seconds; NaN for no live feed.
        """
        now_ns = self.looked_ns = self._clock.now_ns()
        pace, store = self._pace(over), self._store(now_ns)
        self.newest = Vitals(
            flows=self._flows(now_ns),
            pace=pace,
            silent_s=silent_s,
            gaps=tuple(self._gaps[key] for key in sorted(self._gaps, reverse=True)),
            lag=Lag() if feed.simulated else self._lag.figures(now_ns),
            store=store,
            slow_reader=self._warnings,
            rss_mb=self._memory(now_ns),
            completeness=self._completeness(),
            troubles=troubles(feed, self._market.session, pace, store),
        )

    def _completeness(self) -> float:
        """Return the market's completeness; reckoned anew when a verdict has changed."""
        market = self._market
        version = (market.coverage.version, market.count)
        if version != self._covered:
            self._covered = version
            self._complete = share_of(market.coverage.figures(market.count)).complete
        return self._complete

    def _flows(self, now_ns: int) -> tuple[Flow, ...]:
        ctl, marks = self._market.ctl, self._market.watermarks
        records, quotes, trades = (int(ctl[n]) for n in (k.RECORDS, k.QUOTES, k.TRADES))
        # A trade in a row of quotes is one record with it.
        alone = bool(((marks[:, k.MARK_KEY] >> 16) == RType.TRADE).any())
        other = max(0, records - self._control - quotes - trades * alone)
        counts = (quotes, trades, self._control, other)
        flows = []
        for name, count in zip(_KINDS, counts, strict=True):
            rate = self._rates[name]
            rate.note(now_ns, count)
            flows.append(Flow(name, count, max(0.0, rate.per_s)))
        return tuple(flows)

    def _pace(self, over: int) -> Pace:
        """Return the bars a minute of the session date's minutes that are over."""
        day = self._market.day
        pieces = self._market.minutes.closed
        if day is None or not pieces:
            return Pace()
        first = max(pieces[0].minute, day.pre_ns // MINUTE_NS)
        end = min(over, day.post_end_ns // MINUTE_NS)
        if end <= first:
            return Pace()
        minute = np.arange(first, end)
        bars = np.zeros(len(minute), np.int64)
        for piece in pieces:
            if first <= piece.minute < end:
                bars[piece.minute - first] = len(piece.slot)
        whole = end == over and self._is_whole(day, end - 1)
        before = self.newest.pace
        same = whole == before.whole and self.usual is self._paced_by
        if same and np.array_equal(minute, before.minute) and np.array_equal(bars, before.bars):
            # The same object, so that whoever has drawn it knows that.
            return before
        self._paced_by = self.usual
        usual, source = self.usual.of(day, minute, bars)
        return Pace(minute, bars, usual, source, whole)

    def _is_whole(self, day: TradingDay, minute: int) -> bool:
        """Whether nothing is in doubt about a minute (since 1970)."""
        doubts = self._market.wholeness.doubts(day)
        from_ns = minute * MINUTE_NS
        return not any(d.from_ns < from_ns + MINUTE_NS and d.to_ns > from_ns for d in doubts)

    def _store(self, now_ns: int) -> StoreFigures:
        status = self._sink.status()
        if status.commits != self._commits:
            self._commits = status.commits
            self._committed_ns = now_ns
        age_s = (now_ns - self._committed_ns) / SECOND_NS if self._commits else math.nan
        return StoreFigures(
            queue=status.queue,
            rows=status.rows_written,
            batch_ms=status.last_batch_ms if self._commits else math.nan,
            commit_age_s=age_s,
            file_bytes=status.file_bytes,
            free_bytes=status.free_bytes,
        )

    def _memory(self, now_ns: int) -> float:
        if not self._weighed_ns or now_ns - self._weighed_ns >= MEMORY_NS:
            self._weighed_ns = now_ns
            weighed = resident_mb()
            self._rss_mb = math.nan if weighed is None else weighed
        return self._rss_mb

    def forget_pace(self) -> None:
        """Begin to measure anew: the market has been put back to what it was."""
        self._rates = {name: Rate() for name in _KINDS}
        self.newest = replace(self.newest, pace=Pace())
        self.looked_ns = 0
