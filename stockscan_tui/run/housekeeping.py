"""What a run does beside its feed: copies for other programs, a line a minute, letting go.

A thread of its own; nothing in it holds up the feed, the engine or the writer, and none of its
failures ends a run.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from stockscan_tui.clock import Clock
from stockscan_tui.errors import StockscanError
from stockscan_tui.feed.outdated import remove_recordings
from stockscan_tui.log import LOG
from stockscan_tui.market.calendar import SECOND_NS, Session
from stockscan_tui.market.text import printable
from stockscan_tui.memory import give_back
from stockscan_tui.store.pruning import Limits

if TYPE_CHECKING:
    from stockscan_tui.engine.core import Engine
    from stockscan_tui.store.writer import Writer

LOOK_S = 1.0
LINE_EVERY_S = 60.0
FIRST_COPY_S = 60.0
COPY_EVERY_S = 300.0
# A copy of a large database takes long: it is made so seldom that this part of the time is left.
_REST = 20


@dataclass(frozen=True, slots=True)
class Keep:
    """How many days what is kept, and where recordings are; None for no recordings."""

    bars: int = 365
    alerts: int = 365
    recordings: int = 30
    folder: Path | None = None


class Housekeeping:
    """The chores of one run.

    Args:
        engine: Whose time and counts they go by.
        writer: Whose database it is.
        clock: Wall time.
        tell: Told of what goes wrong, in a sentence.
        keep: What is let go while the market is closed; None for nothing.
        copies: Whether copies are made unasked, too.
    """

    def __init__(
        self,
        engine: Engine,
        writer: Writer,
        clock: Clock,
        *,
        tell: Callable[[str], None] = lambda _said: None,
        keep: Keep | None = None,
        copies: bool = True,
    ) -> None:
        self._engine = engine
        self._writer = writer
        self._clock = clock
        self._tell = tell
        self._keep = keep
        self._file = writer.snapshot_file()
        now_ns = clock.now_ns()
        self._copy_ns = now_ns + int(FIRST_COPY_S * SECOND_NS) if copies else 0
        self._line_ns = now_ns + int(LINE_EVERY_S * SECOND_NS)
        self._pruned: date | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stockscan-chores", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a copy under way is broken off."""
        self._stop.set()
        self._file.interrupt()

    def close(self) -> None:
        """End, once the database is closed: whoever wants to read it can, and needs no copy."""
        self.stop()
        self._thread.join()
        with suppress(OSError):
            self._file.remove()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - told, and tried again
                # A chore never ends a capture.
                LOG.exception("a chore broke off")
                self._tell(f"A chore beside the capture broke off: {printable(repr(error))}.")
            self._clock.wait(self._stop, LOOK_S)

    def _look(self) -> None:
        now_ns = self._clock.now_ns()
        if self._file.requested() or (self._copy_ns and now_ns >= self._copy_ns):
            self._copy()
        if now_ns >= self._line_ns:
            self._line_ns = now_ns + int(LINE_EVERY_S * SECOND_NS)
            self._write_line()
        for said in self._writer.said():
            LOG.warning("%s", said)
            self._tell(said)
        if self._keep is not None:
            self._let_go(self._keep)

    def _copy(self) -> None:
        took_s = 0.0
        try:
            took_s = self._file.make()
            LOG.info("a copy of the database for other programs, in %.1f s", took_s)
        except StockscanError as error:
            if not self._stop.is_set():
                LOG.warning("%s", printable(str(error)))
                self._tell(str(error))
        if self._copy_ns:
            wait_s = max(COPY_EVERY_S, took_s * _REST)
            self._copy_ns = self._clock.now_ns() + int(wait_s * SECOND_NS)

    def _write_line(self) -> None:
        health = self._engine.health()
        whole = self._engine.vitals.completeness * 100
        LOG.info(
            "captured %d records, %d bars of %d symbols; completeness %s; lag %s; %d batches wait",
            health.records,
            health.bars,
            health.symbols,
            "-" if math.isnan(whole) else f"{whole:.2f} %",
            "-" if math.isnan(health.lag_ms) else f"{health.lag_ms:.0f} ms",
            health.queue,
        )

    def _let_go(self, keep: Keep) -> None:
        """While the market is closed, let go what is kept no longer, once a session date."""
        today = self._engine.session_date
        if today is None or today == self._pruned or not self._closed():
            return
        self._pruned = today
        # It can take a quarter of a second, for which others who want memory wait.
        give_back()
        self._writer.prune(
            Limits(today - timedelta(days=keep.bars), today - timedelta(days=keep.alerts))
        )
        if keep.folder is None:
            return
        before = today - timedelta(days=keep.recordings)
        try:
            for path in remove_recordings(keep.folder, self._engine.feed().dataset, before):
                LOG.info("removed the recording %s", printable(path.name))
        except OSError as error:
            LOG.warning("old recordings stay for now: %s", printable(str(error)))

    def _closed(self) -> bool:
        event_ns = self._engine.event_ns
        day = self._engine.calendar.day_at(event_ns)
        return day.session_at(event_ns) is Session.CLOSED
