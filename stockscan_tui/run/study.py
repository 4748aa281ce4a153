"""Reads what the database has of one symbol, in a thread of its own: nobody waits for a query."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Protocol

import numpy as np

from stockscan_tui.errors import StockscanError
from stockscan_tui.feed.splits import Splits
from stockscan_tui.log import LOG
from stockscan_tui.market.calendar import DAY_NS, Calendar, TradingDay
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.study import Study
from stockscan_tui.market.symbol_bars import SymbolBars
from stockscan_tui.market.text import printable
from stockscan_tui.store.reader import Reader

DAYS_BEFORE = 10


class Market(Protocol):
    """What is asked of the engine, from any thread; none of it waits."""

    def snapshot(self) -> Snapshot | None:
        """Return the newest picture."""
        ...

    @property
    def calendar(self) -> Calendar:
        """The exchange's trading days."""
        ...

    @property
    def splits(self) -> Splits:
        """The splits and renames as they are known now."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Before:
    """What was read of a symbol besides the bars of a session date."""

    symbol: str
    session_date: date
    bars: SymbolBars
    alerts: tuple[Fired, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """A symbol on a session date, and who is told of what was found; every one is another."""

    symbol: str
    session_date: date
    leap: int
    ready: Callable[[], None]


class Studies:
    """Reads, for the symbol that was asked for last, its bars and alerts: first those of today.

    Its thread begins with the first question. A newer question takes the place of an older one.

    Args:
        market: Whose session date and splits count.
        reader: Gives a reader of the database.
    """

    def __init__(self, market: Market, reader: Callable[[], Reader]) -> None:
        self._market = market
        self._new_reader = reader
        self._changed = threading.Condition()
        self._asked: _Question | None = None
        self._answering: _Question | None = None
        self._ended = False
        self._latest: Study | None = None
        self._before: _Before | None = None
        self._thread: threading.Thread | None = None

    # --- called from other threads ---------------------------------------------------------

    def ask(self, symbol: str | None, ready: Callable[[], None]) -> None:
        """Read what there is of a symbol, None for no more; returns at once.

        Args:
            symbol: Which.
            ready: Called from the thread whenever there is something new to be taken.
        """
        snapshot = self._market.snapshot()
        question = None
        if symbol is not None and snapshot is not None and snapshot.session_date is not None:
            question = _Question(symbol, snapshot.session_date, snapshot.leap, ready)
        with self._changed:
            self._asked = question
            if question is not None and self._thread is None and not self._ended:
                self._thread = threading.Thread(target=self._run, name="study", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def latest(self) -> Study | None:
        """Return what was read last, None before anything was; never waits."""
        return self._latest

    def stop(self) -> None:
        """End; a query under way comes to its end, and nobody is told of it. Returns at once."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; returns whether it has come."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    # --- its own thread ----------------------------------------------------------------------

    def _run(self) -> None:
        reader = self._new_reader()
        try:
            while (question := self._next()) is not None:
                self._answer(question, reader)
        finally:
            reader.release()

    def _next(self) -> _Question | None:
        """Wait for a question that was not answered yet; None at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or self._asked not in (None, self._answering)
            )
            self._answering = None if self._ended else self._asked
            return self._answering

    def _answer(self, question: _Question, reader: Reader) -> None:
        study = Study(question.symbol, leap=question.leap)
        try:
            for study in self._read(question, reader):
                self._publish(question, study)
        except StockscanError as error:
            self._publish(question, replace(study, problem=str(error)))
        except Exception as error:  # noqa: BLE001 - told on the screen, and the next one is read
            LOG.exception("the database's bars of %s", printable(question.symbol))
            self._publish(question, replace(study, problem=f"The database: {printable(error)}."))

    def _read(self, question: _Question, reader: Reader) -> Iterator[Study]:
        """Yield what there is of today, then all; a read that nobody wants any more breaks off.

        When a symbol is asked for again, what was known of the days before stands until then.
        """
        *earlier, today = self._days(question.session_date)
        bars = self._bars(question, reader, today)
        before = self._known_before(question)
        yield _study(question, before, bars)
        found = [SymbolBars.none()]
        # Day by day: a newer question is not to wait for all of them.
        for day in reversed(earlier):
            if not self._wanted(question):
                return
            found.append(self._bars(question, reader, day))
        begin_ns = earlier[0].start_ns if earlier else today.start_ns
        self._before = _Before(
            question.symbol,
            question.session_date,
            _joined(found[::-1]),
            reader.fired(question.symbol, begin_ns, self._end_ns(today)),
        )
        yield _study(question, self._before, bars)

    def _days(self, session_date: date) -> list[TradingDay]:
        """Return the days to read, oldest first; the last is the session date itself."""
        calendar = self._market.calendar
        before = (calendar.previous(session_date, back) for back in range(DAYS_BEFORE, 0, -1))
        return [calendar.day(day) for day in (*before, session_date) if day is not None]

    def _end_ns(self, day: TradingDay) -> int:
        following = self._market.calendar.next_day(day.session_date)
        return following.start_ns if following is not None else day.start_ns + DAY_NS

    def _known_before(self, question: _Question) -> _Before | None:
        """Return what an earlier question found, None where it was another one."""
        before = self._before
        if before is None or before.symbol != question.symbol:
            return None
        return before if before.session_date == question.session_date else None

    def _bars(self, question: _Question, reader: Reader, day: TradingDay) -> SymbolBars:
        """Read a day's bars, in the shares of the session date."""
        symbol = question.symbol
        bars = reader.bars(symbol, day.start_ns, self._end_ns(day))
        splits = self._market.splits
        ratios = splits.ratios((symbol,), day.session_date, question.session_date)
        return _rescaled(bars, float(ratios[0]))

    def _publish(self, question: _Question, study: Study) -> None:
        """Tell what was read, if anybody still wants it."""
        with self._changed:
            if not self._wanted(question):
                return
            self._latest = study
        try:
            question.ready()
        except Exception:  # noqa: BLE001 - whoever asked may be gone by now
            LOG.exception("nobody could be told of a symbol's bars")

    def _wanted(self, question: _Question) -> bool:
        return self._asked is question and not self._ended


def _study(question: _Question, before: _Before | None, today: SymbolBars) -> Study:
    """Return what is known: the whole of it where the days before are there."""
    if before is None:
        return Study(question.symbol, today, leap=question.leap)
    bars = _joined([before.bars, today])
    return Study(question.symbol, bars, before.alerts, whole=True, leap=question.leap)


def _joined(parts: Sequence[SymbolBars]) -> SymbolBars:
    """Return bars that follow each other as one."""
    return SymbolBars(
        **{
            f.name: np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(SymbolBars)
        }
    )


def _rescaled(bars: SymbolBars, ratio: float) -> SymbolBars:
    """Return bars in shares of which one of theirs is `ratio`."""
    if ratio == 1.0:
        return bars
    prices = {name: getattr(bars, name) / ratio for name in ("open", "high", "low", "close")}
    return replace(bars, volume=np.round(bars.volume * ratio).astype(np.int64), **prices)
