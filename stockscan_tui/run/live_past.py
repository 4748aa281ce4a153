"""The day so far of a live run, played beside it, while the feed goes on.

What was recorded is played as it came; of what was not, there are the minute bars of the database.
"""

from __future__ import annotations

import gc
import math
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from stockscan_tui.clock import Clock
from stockscan_tui.engine.core import AlertTimes, Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.engine.seeking import Seeking
from stockscan_tui.engine.warming import StoredMinutes
from stockscan_tui.errors import InputError, StockscanError
from stockscan_tui.feed.bar_file import write_bars
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.recorder import Recorder
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.log import LOG
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS, Calendar
from stockscan_tui.market.snapshot import CloseSource, Phase, Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.market.user_data import Own
from stockscan_tui.run.null_sink import Nowhere
from stockscan_tui.run.scratch import Scratch
from stockscan_tui.store.reader import Reader

STOP_S = 5.0
LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Present:
    """What a live run lends to its past.

    Attributes:
        picture: Its newest picture, with a session date.
        calendar: The exchange's trading days.
        options: How it goes.
        recorder: What it records, None where it does not.
        reader: Gives a reader of its database.
        stored_minutes: Its bars of the days before, for indicators.
        alert_times: When there were alerts.
    """

    picture: Snapshot
    calendar: Calendar
    options: Options
    recorder: Recorder | None
    reader: Callable[[], Reader]
    stored_minutes: StoredMinutes
    alert_times: AlertTimes


class Past:
    """A replay of what has been captured, opened and ended in a thread of its own.

    No method waits. What is asked for while it is being opened is done once it is open.

    Args:
        present: The live run.
        clock: Wall time.
        goal_ns: The instant to begin at, in ns since 1970.
        leap: What the pictures' leaps are counted on from.
    """

    def __init__(self, present: Present, clock: Clock, goal_ns: int, leap: int) -> None:
        self._present = present
        self._clock = clock
        self._leap = leap
        self._goal_ns = goal_ns
        self._lock = threading.Lock()
        self._engine: ReplayEngine | None = None
        self._picture: Snapshot | None = None
        self._shown: Snapshot | None = None
        self._own: Own | None = None
        self._focus: str | None = None
        self._leaving = threading.Event()
        self.problem = ""
        self._thread = threading.Thread(target=self._run, name="stockscan-past", daemon=True)
        self._thread.start()

    @property
    def goal_ns(self) -> int:
        """The instant that it is being opened at."""
        return self._goal_ns

    @property
    def engine(self) -> ReplayEngine | None:
        """What plays it, None while it is being opened."""
        return self._engine

    def snapshot(self) -> Snapshot | None:
        """Return its newest picture, None before the first."""
        engine = self._engine
        picture = engine.snapshot() if engine is not None else None
        if picture is not None and picture.leap and picture is not self._picture:
            self._picture = picture
            line = picture.timeline
            if line is not None:
                line = replace(line, end_ns=max(line.end_ns, self._present.picture.event_ns))
            self._shown = replace(picture, leap=self._leap + picture.leap, timeline=line)
        return self._shown

    def seek(self, ns: int) -> None:
        """Move to an instant, in ns since 1970."""
        with self._lock:
            self._goal_ns = ns
            if self._engine is not None:
                self._engine.seek(ns)

    def seek_by(self, ns: int) -> None:
        """Move on or back from where it is, or is being moved to."""
        with self._lock:
            self._goal_ns += ns
            if self._engine is not None:
                self._engine.seek_by(ns)

    def focus(self, symbol: str | None) -> None:
        """Let the next pictures carry the bars of a symbol."""
        with self._lock:
            self._focus = symbol
            if self._engine is not None:
                self._engine.focus(symbol)

    def know_own(self, own: Own) -> None:
        """Let the next pictures carry the user's watchlists and table."""
        with self._lock:
            self._own = own
            if self._engine is not None:
                self._engine.know_own(own)

    @property
    def running(self) -> bool:
        """Whether it has not come to its end."""
        return self._thread.is_alive()

    def leave(self) -> None:
        """End it; returns at once."""
        self._leaving.set()

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    # --- its own thread ----------------------------------------------------------------------

    def _run(self) -> None:
        scratch: Scratch | None = None
        try:
            scratch = Scratch()
            self._play(scratch)
        except (StockscanError, OSError) as error:
            self.problem = f"The past cannot be shown: {printable(str(error))}"
            LOG.warning("%s", self.problem)
        except Exception as error:  # noqa: BLE001 - told on the screen, and the feed goes on
            self.problem = f"The past cannot be shown: {printable(repr(error))}"
            LOG.exception("the past")
        finally:
            if scratch is not None:
                scratch.close()
            # An engine's parts know one another, and the collector does not see how large they are.
            gc.collect()

    def _play(self, scratch: Scratch) -> None:
        engine = self._opened(scratch)
        with self._lock:
            engine.set_paused(True)
            engine.seek(self._goal_ns)
            engine.focus(self._focus)
            if self._own is not None:
                engine.know_own(self._own)
            self._engine = engine
        engine.start()
        try:
            while not self._leaving.wait(LOOK_S):
                picture = engine.snapshot()
                if not engine.running:
                    raise InputError(engine.failure() or "it broke off.")
                if engine.phase is Phase.ENDED and picture is not None and not picture.leap:
                    raise InputError("there is nothing to play in what was captured.")
        finally:
            engine.stop()
            engine.join(STOP_S)
            with self._lock:
                self._engine = self._picture = self._shown = None

    def _opened(self, scratch: Scratch) -> ReplayEngine:
        present, picture = self._present, self._present.picture
        files = [*self._recorded(), *self._stored(scratch)]
        if not files:
            raise InputError("nothing of today is recorded, and the database has no bars of it.")
        feed = replace(picture.feed, message="", since_s=0.0, retry_s=0.0)
        average = picture.average_volume.tolist()
        return ReplayEngine(
            files,
            Surroundings(
                calendar=present.calendar,
                closes=self._closes(),
                sink=Nowhere(),
                clock=self._clock,
                stored_minutes=present.stored_minutes,
                alert_times=present.alert_times,
                volumes={
                    name: volume
                    for name, volume in zip(picture.symbols, average, strict=True)
                    if math.isfinite(volume)
                },
            ),
            replace(present.options, feed=feed, behind_screen=True),
            seeking=Seeking(scratch.path),
        )

    def _recorded(self) -> list[DbnFile]:
        """Return today's recordings, as far as they have come."""
        recorder, day = self._present.recorder, self._present.picture.session_date
        if recorder is None or day is None:
            return []
        found = []
        for path, size in recorder.recorded(day).items():
            with suppress(InputError):
                # One that was cut short by a crash may hold nothing yet.
                found.append(DbnFile(path, size))
        return found

    def _stored(self, scratch: Scratch) -> list[DbnFile]:
        """Return today's bars of the database as a file; of minutes not recorded, if any are."""
        picture = self._present.picture
        if picture.session_date is None or picture.day is None:
            return []
        reader = self._present.reader()
        try:
            bars = reader.bars_since(picture.day.start_ns, picture.symbols)
        finally:
            reader.release()
        begun = [file.start_ns for file in self._recorded()]
        until = min((ns for ns in begun if ns > k.EARLIEST_NS), default=picture.event_ns)
        bars = bars.where(bars.minute < until // MINUTE_NS)
        if not len(bars):
            return []
        path = scratch.path / "bars.ohlcv-1m.dbn"
        write_bars(path, picture.feed.dataset, picture.symbols, bars, picture.session_date)
        return [DbnFile(path)]

    def _closes(self) -> PreviousCloses:
        """Return the closes as the live run has them, in today's shares."""
        picture, calendar = self._present.picture, self._present.calendar
        closes = PreviousCloses(calendar)
        tables: dict[tuple[int, int], dict[str, float]] = {}
        rows = zip(
            picture.symbols,
            picture.prev_close.tolist(),
            picture.close_age.tolist(),
            picture.close_source.tolist(),
            strict=True,
        )
        for symbol, price, age, source in rows:
            if math.isfinite(price):
                tables.setdefault((age, source), {})[symbol] = price
        for (age, source), table in tables.items():
            before = calendar.previous(picture.session_date, age) if picture.session_date else None
            if before is not None:
                closes.add(before, CloseSource(source), table)
        return closes
