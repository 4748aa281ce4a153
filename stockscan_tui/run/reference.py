"""Reference data for a run: fetched beside the feed, at its times, and handed to the engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from stockscan_tui.engine.core import ReferenceData
from stockscan_tui.feed.daily import (
    RETRY_NS,
    DailyCache,
    average_volumes,
    fetch_closes,
    fetch_splits,
    next_fetch_ns,
)
from stockscan_tui.feed.splits import Splits
from stockscan_tui.log import LOG
from stockscan_tui.market.calendar import SECOND_NS, Calendar
from stockscan_tui.market.text import printable
from stockscan_tui.market.usual_bars import UsualPace
from stockscan_tui.market.volume_curve import VolumeCurve
from stockscan_tui.store.reader import Reader

if TYPE_CHECKING:
    from stockscan_tui.engine.core import Engine
    from stockscan_tui.feed.history import History

LOOK_S = 0.2
# So many sessions of the database's own make a better curve than the shipped one.
CURVE_SESSIONS = 10
MOST_CURVE_SESSIONS = 20
_MINUTES = 960


@dataclass(frozen=True, slots=True)
class Sources:
    """Where reference data comes from.

    Attributes:
        folder: Where what was fetched is kept.
        dataset: Whose average volumes are wanted.
        tables: The splits and renames of the config.
        key: The API key; empty asks nobody.
        url: Another host than Databento's; None for theirs.
        max_cost_usd: What a request may cost.
    """

    folder: Path
    dataset: str
    tables: Splits
    key: str = ""
    url: str | None = None
    max_cost_usd: float = 0.0

    def __repr__(self) -> str:
        """Return it without the key."""
        return f"Sources({self.dataset} from {self.url or 'Databento'})"

    def history(self) -> History | None:
        """Return who is asked, None where nobody is."""
        if not self.key:
            return None
        from stockscan_tui.feed.history import History  # noqa: PLC0415

        return History(self.key, url=self.url, max_cost_usd=self.max_cost_usd)


class Fetching:
    """Fetches what one session date needs, and says how it goes.

    Args:
        sources: Where it comes from.
        calendar: The exchange's trading days.
        cancelled: Whether to give up.
        say: Told of progress, in words.
    """

    def __init__(
        self,
        sources: Sources,
        calendar: Calendar,
        *,
        cancelled: Callable[[], bool],
        say: Callable[[str], None] = lambda _said: None,
    ) -> None:
        self._sources = sources
        self._calendar = calendar
        self._cancelled = cancelled
        self._tell = say
        self._history = sources.history()
        self._cache = DailyCache(sources.folder)
        self.problems: list[str] = []

    def _say(self, said: str) -> None:
        LOG.info("%s", printable(said))
        self._tell(said)
        # Sentences tell what could not be had; the rest is progress.
        if said.endswith(".") and said not in self.problems:
            self.problems.append(said)

    def closes(self, session_date: date) -> ReferenceData:
        """Return the official closes before a session date, and the splits in between."""
        splits = fetch_splits(
            self._history, self._cache, session_date, self._sources.tables,
            say=self._say, cancelled=self._cancelled,
        )  # fmt: skip
        closes = fetch_closes(
            self._history, self._cache, self._calendar, session_date,
            say=self._say, cancelled=self._cancelled,
        )  # fmt: skip
        return ReferenceData(closes=closes, splits=splits)

    def volumes(self, session_date: date) -> ReferenceData:
        """Return the average volumes before a session date."""
        volumes = average_volumes(
            self._history, self._cache, self._calendar, session_date, self._sources.dataset,
            say=self._say, cancelled=self._cancelled,
        )  # fmt: skip
        return ReferenceData(volumes=volumes)


class ReferenceThread:
    """Fetches for a live run: at its start, at 03:45 and after 20:15, and when a day turns.

    Args:
        sources: Where it comes from.
        calendar: The exchange's trading days.
        engine: Who is told; its clock is the one that counts.
        reader: Gives a reader of the database, for the curve of a day's volume.
    """

    def __init__(
        self,
        sources: Sources,
        calendar: Calendar,
        engine: Engine,
        reader: Callable[[], Reader],
    ) -> None:
        self._calendar = calendar
        self._engine = engine
        self._reader = reader
        self._stop = threading.Event()
        self._sources = sources
        self._thread = threading.Thread(target=self._run, name="stockscan-reference", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._engine.await_news()
        self._thread.start()

    def stop(self) -> None:
        """End; a request under way is left to itself. Returns at once."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; returns whether it has come."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._keep_up()
        except Exception as error:  # noqa: BLE001 - told to the engine
            # Reference data never ends a capture.
            LOG.exception("the reference thread broke off")
            self._engine.learn(ReferenceData(problem=f"Reference data broke off: {error!r}."))

    def _keep_up(self) -> None:
        while self._engine.session_date is None:
            if self._stop.wait(LOOK_S):
                return
        fetching = Fetching(self._sources, self._calendar, cancelled=self._stop.is_set)
        done: date | None = None
        due_ns = 0
        while not self._stop.is_set():
            now_ns = self._engine.event_ns
            session_date = self._wanted(now_ns)
            if session_date != done or now_ns >= due_ns:
                awaiting, failed = self._fetch(fetching, session_date)
                done = session_date
                due_ns = next_fetch_ns(self._calendar, now_ns, awaiting=awaiting)
                if failed:
                    due_ns = min(due_ns, now_ns + RETRY_NS)
            self._stop.wait(LOOK_S)

    def _wanted(self, now_ns: int) -> date:
        """Return the session date to know about: the present one, from its evening the next."""
        today = self._engine.session_date
        if today is None:
            return date.min
        following = self._calendar.next_day(today)
        evening_ns = self._calendar.day(today).post_end_ns + 15 * 60 * SECOND_NS
        return following.session_date if following and now_ns >= evening_ns else today

    def _fetch(self, fetching: Fetching, session_date: date) -> tuple[bool, bool]:
        """Fetch and hand over.

        Returns whether the last day's closes are still to come, and whether anything failed.
        """
        awaiting = True
        try:
            found = fetching.closes(session_date)
            self._engine.learn(found)
            awaiting = self._calendar.previous(session_date) not in found.closes
            self._engine.learn(fetching.volumes(session_date))
            curve, usual = self._own_days(session_date)
            self._engine.learn(ReferenceData(curve=curve, usual=usual))
        except Exception as error:  # noqa: BLE001 - told to the engine
            # Reference data never ends a capture, nor its own thread.
            LOG.exception("reference data")
            fetching.problems.append(f"Reference data could not be had: {error}.")
        failed = bool(fetching.problems)
        while fetching.problems:
            self._engine.learn(ReferenceData(problem=fetching.problems.pop()))
        return awaiting, failed

    def _own_days(self, session_date: date) -> tuple[VolumeCurve | None, UsualPace]:
        """Return what the database's own days tell of volumes and of bars a minute.

        There is no curve while it has too few days.
        """
        days = [
            self._calendar.day(day)
            for back in range(1, MOST_CURVE_SESSIONS + 1)
            if (day := self._calendar.previous(session_date, back)) is not None
        ]
        spans = [(d.pre_ns, d.post_end_ns) for d in days]
        whole = [span for span in spans if span[1] - span[0] == _MINUTES * 60 * SECOND_NS]
        reader = self._reader()
        try:
            shares = reader.volume_shares(whole, _MINUTES)
            counts = reader.bar_counts(whole, _MINUTES)
        finally:
            reader.release()
        enough = len(shares) >= CURVE_SESSIONS
        return VolumeCurve(shares.mean(axis=0)) if enough else None, UsualPace(counts)


def session_dates(calendar: Calendar, first_ns: int, last_ns: int) -> list[date]:
    """Return the session dates that a span of time touches, 30 of them at most."""
    found = [calendar.day_at(first_ns).session_date]
    end = calendar.day_at(max(first_ns, last_ns)).session_date
    while found[-1] < end and len(found) < 30:
        following = calendar.next_day(found[-1])
        if following is None:
            break
        found.append(following.session_date)
    return found
