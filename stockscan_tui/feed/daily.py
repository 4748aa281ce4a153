"""Reference data by trading day: official closes, average volumes, splits; kept on disk.

A day that is kept is not asked for again. What cannot be had is said in words and left out. All
of it is the work of a thread of the caller's own, never the feed's.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import date, time, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import zstandard

from stockscan_tui.feed.history import SUMMARY, History, HistoryError
from stockscan_tui.feed.splits import Rename, Split, Splits
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, Calendar, new_york_ns, new_york_time

LOOK_BACK_DAYS = 10
AVERAGE_SESSIONS = 20
# Just before a session date begins, and once its official closes are out (from about 20:10).
MORNING = time(3, 45)
EVENING = time(20, 15)
RETRY_NS = 5 * MINUTE_NS
# Splits older than the longest average over days change nothing that is shown.
SPLIT_DAYS = 60

_T = TypeVar("_T")
_V = TypeVar("_V", int, float)
_KEPT_FILES = 400
_POLL_S = 0.05
_LEVEL = 9
_MOST_BYTES = 1 << 26
# Larger is no price and no volume.
_MOST_NUMBER = 1e18

Say = Callable[[str], None]
Cancelled = Callable[[], bool]


class DailyCache:
    """Closes and volumes on disk: one small file (JSON, zstd) a kind, dataset and trading day.

    A folder that cannot be written keeps nothing, and a file that cannot be read is as none.

    Args:
        folder: Where the files stand; made at the first need.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def closes(self, dataset: str, day: date) -> dict[str, float] | None:
        """Return the closes (dollars) by symbol that are kept of that day, None for none."""
        return _table(self.read("closes", dataset, day), float)

    def volumes(self, dataset: str, day: date) -> dict[str, int] | None:
        """Return the shares traded by symbol that are kept of that day, None for none."""
        return _table(self.read("volumes", dataset, day), int)

    def read(self, kind: str, dataset: str, day: date) -> object:
        """Return what was kept under that name, None for nothing."""
        try:
            packed = self._path(kind, dataset, day).read_bytes()
            with zstandard.ZstdDecompressor().stream_reader(packed) as stream:
                # A damaged size at its head must not ask for all the memory there is.
                text = stream.read(_MOST_BYTES)
            return json.loads(text)
        except (OSError, zstandard.ZstdError, ValueError, RecursionError):
            return None

    def keep(self, kind: str, dataset: str, day: date, value: object) -> None:
        """Keep a value (JSON) under that name; whole, or not at all."""
        path = self._path(kind, dataset, day)
        partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        text = json.dumps(value, separators=(",", ":")).encode()
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(compressor.compress(text))
            partial.replace(path)
            self._prune()
        except OSError:
            # It is asked for again at the next start.
            return

    def _path(self, kind: str, dataset: str, day: date) -> Path:
        return self._folder / f"{kind}.{quote(dataset, safe='')}.{day}.json.zst"

    def _prune(self) -> None:
        files = sorted(self._folder.glob("*.json.zst"), key=lambda path: path.stat().st_mtime)
        for old in files[:-_KEPT_FILES]:
            old.unlink(missing_ok=True)


def fetch_closes(
    history: History | None,
    cache: DailyCache,
    calendar: Calendar,
    session_date: date,
    *,
    look_back: int = LOOK_BACK_DAYS,
    say: Say,
    cancelled: Cancelled = lambda: False,
    dataset: str = SUMMARY,
) -> dict[date, dict[str, float]]:
    """Return the official closes (dollars) of the trading days before `session_date`, by symbol.

    Today's own, once it is out, is among those before the next session date. A day that is
    missing from the result could not be had yet.

    Args:
        history: Who is asked; None finds only what is kept.
        cache: Where closes are kept.
        calendar: The exchange's trading days.
        session_date: The date whose previous closes are wanted.
        look_back: How many trading days before it.
        say: Told of progress and of what cannot be had, on this thread.
        cancelled: Whether to give up; a request under way is then left to itself.
        dataset: Whose closes.
    """
    days = _days_before(calendar, session_date, look_back)
    known = {day: table for day in days if (table := cache.closes(dataset, day)) is not None}
    missing = [day for day in days if day not in known]
    if missing and history is not None:
        say(f"closes of {dataset}: asking for {_count(len(missing), 'day')}")
        made = _asked(lambda: history.daily_closes(missing, dataset), say, cancelled)
        _learn(known, made or {}, missing, lambda d, t: cache.keep("closes", dataset, d, t))
    symbols = set().union(*known.values())
    if missing and symbols:
        say(f"closes of {dataset}: {_count(len(symbols), 'symbol')}")
    return {day: known[day] for day in days if known.get(day)}


def average_volumes(
    history: History | None,
    cache: DailyCache,
    calendar: Calendar,
    session_date: date,
    dataset: str,
    *,
    sessions: int = AVERAGE_SESSIONS,
    say: Say,
    cancelled: Cancelled = lambda: False,
) -> dict[str, float]:
    """Return the average daily volume (shares) by symbol over the sessions before `session_date`.

    A day without a trade counts as nothing, from a symbol's first day among them on. The
    arguments are those of `fetch_closes`; a dataset's volume is compared with its own only.
    """
    days = _days_before(calendar, session_date, sessions)
    known = {day: table for day in days if (table := cache.volumes(dataset, day)) is not None}
    missing = [day for day in days if day not in known]
    if missing and history is not None:
        say(f"volumes of {dataset}: asking for {_count(len(missing), 'day')}")
        made = _asked(lambda: history.daily_volumes(dataset, missing), say, cancelled)
        _learn(known, made or {}, missing, lambda d, t: cache.keep("volumes", dataset, d, t))
    tables = [known[day] for day in days if known.get(day)]
    sums: dict[str, int] = {}
    first: dict[str, int] = {}
    for number, table in enumerate(tables):
        for symbol, volume in table.items():
            sums[symbol] = sums.get(symbol, 0) + volume
            first.setdefault(symbol, number)
    return {symbol: total / (len(tables) - first[symbol]) for symbol, total in sums.items()}


def fetch_splits(
    history: History | None,
    cache: DailyCache,
    session_date: date,
    tables: Splits,
    *,
    say: Say,
    cancelled: Cancelled = lambda: False,
) -> Splits:
    """Return the splits and renames that matter on `session_date`; the config's `tables` go first.

    What is kept of that date is not asked for again; the other arguments are those of
    `fetch_closes`.
    """
    kept = _splits_of(cache.read("splits", "US", session_date))
    if kept is None and history is not None:
        start, end = session_date - timedelta(days=SPLIT_DAYS), session_date + timedelta(days=1)
        splits = _asked(lambda: history.splits(start, end), say, cancelled)
        renames = None
        if splits is not None and not cancelled():
            renames = _asked(lambda: history.renames(start, end), say, cancelled)
        kept = Splits(splits or (), renames or ())
        if splits is not None and renames is not None:
            cache.keep("splits", "US", session_date, _json_of(kept))
    return tables.over(kept or Splits())


def next_fetch_ns(calendar: Calendar, now_ns: int, *, awaiting: bool = False) -> int:
    """Return when reference data is fetched next: 03:45 and 20:15 New York on trading days.

    Args:
        calendar: The exchange's trading days.
        now_ns: Now, in ns since 1970 (UTC).
        awaiting: Whether the day's official closes were asked for and are not there yet: they
            are asked for every five minutes from 20:15 until the next morning.
    """
    today = new_york_time(now_ns).date()
    moments = [
        new_york_ns(day, clock)
        for day in (today + timedelta(days=n) for n in range(-14, 15))
        if calendar.previous(day + timedelta(days=1)) == day
        for clock in (MORNING, EVENING)
    ]
    later = [moment for moment in moments if moment > now_ns]
    # Beyond the calendar's end a day is as good as any.
    following = later[0] if later else now_ns + DAY_NS
    passed = [moment for moment in moments if moment <= now_ns]
    if awaiting and passed and new_york_time(passed[-1]).time() == EVENING:
        return min(following, now_ns + RETRY_NS)
    return following


def _days_before(calendar: Calendar, session_date: date, count: int) -> list[date]:
    """Return the trading days before a date, the oldest first."""
    found = [calendar.previous(session_date, back) for back in range(count, 0, -1)]
    return [day for day in found if day is not None]


def _asked(request: Callable[[], _T], say: Say, cancelled: Cancelled) -> _T | None:
    """Make a request; None where it failed, which is said once, or was given up.

    A blocking request cannot be ended: it runs in a thread that is left behind when cancelled.
    """
    answer: Future[_T] = Future()

    def run() -> None:
        try:
            answer.set_result(request())
        except BaseException as error:  # noqa: BLE001 - raised again where the answer is awaited
            answer.set_exception(error)

    if cancelled():
        return None
    threading.Thread(target=run, name="stockscan-history", daemon=True).start()
    while not wait((answer,), _POLL_S).done:
        if cancelled():
            return None
    try:
        return answer.result()
    except HistoryError as error:
        if not error.repeated:
            say(str(error))
        return None


def _learn(
    known: dict[date, dict[str, _V]],
    made: Mapping[date, dict[str, _V]],
    missing: Sequence[date],
    keep: Callable[[date, dict[str, _V]], None],
) -> None:
    """Take and keep the days that came; one that did not, though a later one did, is empty."""
    newest = max(made, default=date.min)
    for day in missing:
        if day <= newest:
            known[day] = made.get(day, {})
            keep(day, known[day])


def _table(value: object, kind: type[_V]) -> dict[str, _V] | None:
    """Return a kept table, None where it is none of symbols and numbers from 0 on."""
    if not isinstance(value, dict):
        return None
    whole = all(
        isinstance(number, int | kind)
        and not isinstance(number, bool)
        and 0 <= number < _MOST_NUMBER
        for number in value.values()
    )
    return value if whole else None


def _json_of(known: Splits) -> object:
    return {
        "splits": [[s.symbol, str(s.ex_date), s.ratio, s.source] for s in known.splits],
        "renames": [[r.old, r.new, str(r.day) if r.day else None] for r in known.renames],
    }


def _splits_of(value: object) -> Splits | None:
    """Return kept splits and renames, None where they are none."""
    try:
        return Splits(
            [
                Split(str(symbol), date.fromisoformat(day), float(ratio), str(source))
                for symbol, day, ratio, source in value["splits"]  # type: ignore[index]
            ],
            [
                Rename(str(old), str(new), date.fromisoformat(day) if day else None)
                for old, new, day in value["renames"]  # type: ignore[index]
            ],
        )
    except (TypeError, KeyError, ValueError, OverflowError):
        return None


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
