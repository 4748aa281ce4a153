"""What every run has: an engine, a database, a way to end, and a summary of what it came to."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.clock import Clock
from stockscan_tui.engine.core import Engine, Options, Outcome
from stockscan_tui.errors import StoreError
from stockscan_tui.feed.reference import CloseFile, PreviousCloses
from stockscan_tui.feed.splits import Splits
from stockscan_tui.log import LOG
from stockscan_tui.market import kernel
from stockscan_tui.market.calendar import SECOND_NS, Calendar
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.minutes import MinuteBars
from stockscan_tui.market.snapshot import MOST_FIRED, CloseSource, Feed, Snapshot
from stockscan_tui.market.study import Study
from stockscan_tui.market.text import printable
from stockscan_tui.market.user_data import Own
from stockscan_tui.run.housekeeping import Housekeeping
from stockscan_tui.run.study import Studies
from stockscan_tui.scan.rules import Rules
from stockscan_tui.scan.rules.ruling import Ruling
from stockscan_tui.store.recovery_report import Recovered
from stockscan_tui.store.writer import Writer

MARK_MODES = {
    "auto": kernel.MARK_AUTO,
    "trade": kernel.MARK_TRADE,
    "mid": kernel.MARK_MID,
}
# As far back as an indicator looks: a week, with its nights.
STORED_MINUTES = 7 * 1440
CLOSE_TIMEOUT_S = 10.0
STUDY_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to, as `--headless` prints it."""

    records: int
    trades: int
    quotes: int
    symbols: int
    bars: int
    alerts: int
    gaps: int
    healed: int
    late: int
    elapsed_s: float
    records_per_s: float
    first_ts: int
    last_ts: int
    db: str
    problems: tuple[str, ...]
    corrupt: bool


class Wished(Protocol):
    """What every run is asked for."""

    @property
    def mark(self) -> str:
        """Which prices count, a key of `MARK_MODES`."""

    @property
    def refresh_s(self) -> float:
        """The seconds between two pictures; infinite where no screen waits for them."""

    @property
    def indicators(self) -> frozenset[IndicatorKey]:
        """Those that columns and filters need."""

    @property
    def ruling(self) -> Ruling:
        """The rules, and what goes with them."""


class Run(ABC):
    """A run in progress; the player that the screen holds on to.

    Attributes:
        engine: Its engine.
        writer: Its database.
        database: The database's file.
    """

    engine: Engine
    writer: Writer
    database: Path

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_ns = clock.now_ns()
        self._studies: Studies | None = None
        self._housekeeping: Housekeeping | None = None

    def snapshot(self) -> Snapshot | None:
        """Return the newest picture of the market; never waits."""
        return self.engine.snapshot()

    def failure(self) -> str:
        """Return why the run failed, empty while it has not."""
        return self.engine.failure()

    @abstractmethod
    def set_speed(self, speed: float) -> None:
        """Play at `speed` event seconds per second from now on, where that can be chosen."""

    @abstractmethod
    def set_paused(self, paused: bool) -> None:
        """Pause, or go on, where that can be chosen."""

    @abstractmethod
    def seek(self, ns: int) -> None:
        """Move to an instant, in ns since 1970, where there is a past to move to."""

    @abstractmethod
    def seek_by(self, ns: int) -> None:
        """Move on or back from where it is, or is being moved to."""

    @abstractmethod
    def to_now(self) -> None:
        """Return from the past of a live run to now; a replay has none."""

    @property
    def recovered(self) -> tuple[Recovered, ...]:
        """The recoveries of a damaged database, oldest first; empty where none was needed."""
        return self.writer.recovered

    def focus(self, symbol: str | None) -> None:
        """Let the next pictures carry the bars of `symbol`."""
        self.engine.focus(symbol)

    def want(self, indicators: frozenset[IndicatorKey]) -> None:
        """Let the next pictures carry these indicators, and no others."""
        self.engine.want(indicators)

    def know_own(self, own: Own) -> None:
        """Let the next pictures carry the user's watchlists and table."""
        self.engine.know_own(own)

    def know_rules(self, rules: Rules) -> None:
        """Let these rules be watched, and no others."""
        self.engine.know_rules(rules)

    def on_fired(self, listener: Callable[[Sequence[Fired]], None]) -> None:
        """Let alerts be told as they fire, from the engine's thread; `listener` must not wait."""
        self.engine.on_fired(listener)

    @property
    def calendar(self) -> Calendar:
        """The exchange's trading days."""
        return self.engine.calendar

    @property
    def splits(self) -> Splits:
        """The splits and renames as they are known now."""
        return self.engine.splits

    def study(self, symbol: str | None, ready: Callable[[], None] = lambda: None) -> None:
        """Read what the database has of a symbol, None for no more; returns at once.

        `ready` is called from another thread whenever there is something new.
        """
        if self._studies is None:
            self._studies = Studies(self, self.writer.reader)
        self._studies.ask(symbol, ready)

    def studied(self) -> Study | None:
        """Return what was read last; None while nothing was asked for or read."""
        return self._studies.latest() if self._studies is not None else None

    def stop(self) -> None:
        """Ask to end cleanly; returns at once."""
        self.engine.stop()
        if self._studies is not None:
            self._studies.stop()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the engine's end; returns whether it has come."""
        return self.engine.join(timeout_s)

    def close(self) -> Summary:
        """Stop, commit what is in memory, close the database and say what the run came to.

        Raises:
            StockscanError: The run failed, or bars could not be written.
        """
        self.engine.stop()
        if self._studies is not None:
            self._studies.stop()
            self._studies.join(STUDY_TIMEOUT_S)
        if self._housekeeping is not None:
            self._housekeeping.stop()
        failure: StoreError | None = None
        while not self.engine.join(0.2):
            # A full disk holds the engine up: it is let go by closing the store.
            if self.writer.status().error:
                with suppress(StoreError):
                    self.writer.close(CLOSE_TIMEOUT_S)
        self.writer.drain(CLOSE_TIMEOUT_S)
        elapsed_s = (self._clock.now_ns() - self._began_ns) / SECOND_NS
        try:
            self.writer.close(CLOSE_TIMEOUT_S)
        except StoreError as error:
            failure = error
        if self._housekeeping is not None:
            self._housekeeping.close()
        outcome = self.engine.outcome()
        if failure is not None:
            raise failure
        return self._summary(outcome, elapsed_s)

    def _summary(self, outcome: Outcome, elapsed_s: float) -> Summary:
        health = outcome.health
        for problem in health.problems:
            LOG.warning("%s", printable(problem))
        LOG.info("%s records, %s bars in %.1f s", health.records, health.bars, elapsed_s)
        return Summary(
            records=health.records,
            trades=health.trades,
            quotes=health.quotes,
            symbols=outcome.symbols,
            bars=health.bars,
            alerts=outcome.alerts,
            gaps=health.gaps,
            healed=health.healed,
            late=health.late,
            elapsed_s=round(elapsed_s, 3),
            records_per_s=round(health.records / elapsed_s, 1),
            first_ts=outcome.first_ns,
            last_ts=outcome.last_ns,
            db=str(self.database),
            problems=health.problems,
            corrupt=outcome.corrupt,
        )

    def _stored_closes(self, before: date, oldest: date) -> dict[str, tuple[float, date, bool]]:
        reader = self.writer.reader()
        try:
            return reader.previous_closes(before, oldest)
        finally:
            reader.release()

    def _stored_alerts(self, begin_ns: int, end_ns: int) -> tuple[dict[str, int], dict[str, int]]:
        reader = self.writer.reader()
        try:
            return reader.alerts(begin_ns, end_ns), reader.alerts_by_rule(begin_ns, end_ns)
        finally:
            reader.release()

    def fired_between(self, begin_ns: int, end_ns: int, most: int = 100_000) -> tuple[Fired, ...]:
        """Return the newest alerts that the database has between two instants, oldest first.

        It waits for the database: not for the screen's thread.

        Raises:
            StoreError: The database cannot be read.
        """
        reader = self.writer.reader()
        try:
            return reader.fired_between(begin_ns, end_ns, most)
        finally:
            reader.release()

    def _last_fired(self, begin_ns: int, end_ns: int) -> tuple[Fired, ...]:
        return self.fired_between(begin_ns, end_ns, MOST_FIRED)

    def _alert_instants(self, begin_ns: int, end_ns: int) -> NDArray[np.int64]:
        reader = self.writer.reader()
        try:
            return reader.alert_times(begin_ns, end_ns)
        finally:
            reader.release()

    def _stored_minutes(self, before: int, symbols: Sequence[str]) -> Iterator[MinuteBars]:
        """Return the minutes of the last days before one, oldest first."""
        reader = self.writer.reader()
        try:
            yield from reader.minutes(before - STORED_MINUTES, before, symbols)
        finally:
            reader.release()


def volumes_of(found: list[tuple[CloseFile, CloseSource]], dataset: str) -> dict[str, float]:
    """Return the average day's volumes that files of daily bars of a dataset tell."""
    volumes: dict[str, float] = {}
    for file, _source in found:
        if file.dataset == dataset:
            volumes.update(file.volumes)
    return volumes


def learn_closes(
    closes: PreviousCloses, found: list[tuple[CloseFile, CloseSource]]
) -> tuple[dict[str, float], list[str]]:
    """Add what files of closes hold; returns their undated closes and their problems."""
    undated: dict[str, float] = {}
    problems: list[str] = []
    for file, source in found:
        for day, prices in file.dated.items():
            closes.add(day, source, prices)
        undated.update(file.undated)
        problems.extend(file.problems)
    return undated, problems


def options_of(request: Wished, feed: Feed) -> Options:
    """Return what an engine is told of a run's wishes.

    Args:
        request: What the user asked for.
        feed: What is being played.
    """
    ruling = request.ruling
    return Options(
        feed=feed,
        mark_mode=MARK_MODES[request.mark],
        refresh_s=request.refresh_s,
        indicators=request.indicators,
        rules=ruling.rules,
        gates=ruling.gates,
        names=ruling.names,
        listeners=ruling.listeners,
        own=ruling.own,
        behind_screen=math.isfinite(request.refresh_s),
    )
