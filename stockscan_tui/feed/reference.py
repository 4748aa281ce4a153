"""Previous closes: from a file that is given, from one beside the replayed file, or as they come.

A close belongs to a date. The previous close of a session date is the newest close before it,
looking back ten trading days; of two for one date the more trusted source is taken.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from threading import Event

import numpy as np

from stockscan_tui.errors import InputError
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.splits import Splits
from stockscan_tui.market.calendar import DAY_NS, Calendar, utc_date
from stockscan_tui.market.dbn import OHLCV_DTYPE, PRICE_SCALE, UNDEF_PRICE, RType
from stockscan_tui.market.snapshot import CloseSource

LOOK_BACK_DAYS = 10
MOST_BAD_LINES = 5
# Four years of daily bars of every symbol.
MOST_BYTES = 1 << 30
MOST_CSV_BYTES = 1 << 25
_DBN_ENDINGS = (".dbn", ".dbn.zst", ".dbz")
_DAILY = int(RType.OHLCV_1D)


@dataclass(frozen=True, slots=True)
class Close:
    """A symbol's close (dollars) on a date."""

    price: float
    day: date
    source: CloseSource


_Key = tuple[date, CloseSource]


class PreviousCloses:
    """All closes known: for each date and source a table by symbol, as they were traded.

    Args:
        calendar: The exchange's trading days.
    """

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self._splits = Splits()
        self._tables: dict[_Key, dict[str, float]] = {}
        self._adjusted: dict[tuple[_Key, date], Mapping[str, float]] = {}

    @property
    def splits(self) -> Splits:
        """The splits and renames that closes are adjusted by, where they lie between."""
        return self._splits

    @splits.setter
    def splits(self, splits: Splits) -> None:
        self._splits = splits
        self._adjusted.clear()

    def add(self, day: date, source: CloseSource, closes: Mapping[str, float]) -> None:
        """Let the closes of a date be known; they replace those of the same date and source."""
        self._tables.setdefault((day, source), {}).update(closes)
        self._adjusted = {at: t for at, t in self._adjusted.items() if at[0] != (day, source)}

    def before(self, session_date: date) -> list[tuple[Close, int, Mapping[str, float]]]:
        """Return the tables that can hold a previous close of `session_date`, the best first.

        Each comes with a `Close` that names its date and source (its price means nothing) and
        with its age in trading days.
        """
        found = [
            (Close(math.nan, day, source), age, self._as_of((day, source), session_date))
            for day, source in self._tables
            if day < session_date
            and (age := self.calendar.distance(day, session_date)) <= LOOK_BACK_DAYS
        ]
        return sorted(found, key=lambda item: (item[1], item[0].source.value))

    def _as_of(self, key: _Key, session_date: date) -> Mapping[str, float]:
        """Return a table as it compares with `session_date`; a file's closes stand as given."""
        table = self._tables[key]
        if key[1] is CloseSource.FILE or not (self._splits.splits or self._splits.renames):
            return table
        known = self._adjusted.get((key, session_date))
        if known is None:
            known = self._splits.adjusted(table, key[0], session_date)
            self._adjusted[key, session_date] = known
        return known

    def official_on(self, day: date) -> Mapping[str, float]:
        """Return the official closes of that very date, as far as they are known."""
        official: dict[str, float] = {}
        for source in (CloseSource.DAILY, CloseSource.FILE):
            official.update(self._tables.get((day, source), {}))
        return official


@dataclass(frozen=True, slots=True)
class CloseFile:
    """What a file of closes held: dated closes, undated ones (CSV), and what was wrong.

    `volumes` is the average day's volume by symbol of the days in a file of daily bars, and
    `dataset` whose volume that is.
    """

    path: Path
    dated: Mapping[date, Mapping[str, float]] = field(default_factory=dict)
    undated: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    volumes: Mapping[str, float] = field(default_factory=dict)
    dataset: str = ""


def read_closes(path: Path) -> CloseFile:
    """Read previous closes from a CSV (`symbol,close`) or a DBN ohlcv-1d file.

    Raises:
        InputError: The file cannot be read, or holds no close at all.
    """
    if path.name.endswith(_DBN_ENDINGS):
        return _read_daily_bars(path)
    return _read_csv(path)


def closes_beside(path: Path) -> Path | None:
    """Return the file named like `path` with its schema replaced by ohlcv-1d, if there is one."""
    ending = ".dbn.zst" if path.name.endswith(".dbn.zst") else ".dbn"
    stem = path.name.removesuffix(ending)
    head = stem.rpartition(".")[0] or stem
    for other in (f"{head}.ohlcv-1d.dbn.zst", f"{head}.ohlcv-1d.dbn"):
        candidate = path.with_name(other)
        if candidate != path and candidate.is_file():
            return candidate
    return None


def _read_csv(path: Path) -> CloseFile:
    closes, bad = [], []
    try:
        if path.stat().st_size > MOST_CSV_BYTES:
            raise InputError(f"{path} is too large for a table of closes.")
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                row = _split(line)
                parsed = _parse_row(row)
                if parsed is not None:
                    closes.append(parsed)
                elif "".join(row).strip() and not _is_head(row, number):
                    bad.append(number)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a CSV file of `symbol,close`: {error}.") from error
    if not closes:
        raise InputError(f"{path} holds no line of the form `symbol,close`.")
    return CloseFile(path, undated=dict(closes), problems=_bad_lines(path, bad))


def _split(line: str) -> list[str]:
    """Return a line's fields; line by line, so that a stray quote spoils no other line."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return [line]


def _is_head(row: list[str], number: int) -> bool:
    return number == 1 and row[0].strip().lower() == "symbol"


def _parse_row(row: list[str]) -> tuple[str, float] | None:
    try:
        symbol, price = row[0].strip(), float(row[1])
    except (IndexError, ValueError):
        return None
    return (symbol, price) if symbol and math.isfinite(price) and price > 0 else None


def _bad_lines(path: Path, numbers: list[int]) -> tuple[str, ...]:
    if not numbers:
        return ()
    shown = ", ".join(str(n) for n in numbers[:MOST_BAD_LINES])
    more = f" and {len(numbers) - MOST_BAD_LINES} more" if len(numbers) > MOST_BAD_LINES else ""
    word = "line" if len(numbers) == 1 else "lines"
    return (f"{path.name}: {word} {shown}{more} skipped, not of the form `symbol,close`",)


def _read_daily_bars(path: Path) -> CloseFile:
    file = DbnFile(path)
    stop = Event()
    reader = file.blocks(stop)
    pieces: list[bytes] = []
    for block in reader:
        if block.at > MOST_BYTES:
            stop.set()
            raise InputError(f"{path} holds more than {MOST_BYTES >> 30} GB of records. "
                             "Give an ohlcv-1d file of the days before.")  # fmt: skip
        pieces.append(block.data[block.start : block.end].tobytes())
        reader.release(block)
    problems = [reader.ending.error] if reader.ending and reader.ending.error else []
    bars = _daily_records(b"".join(pieces))
    days = bars["ts_event"] // np.uint64(DAY_NS)
    dated = {}
    totals: dict[str, int] = {}
    for number in np.unique(days):
        day = utc_date(int(number) * DAY_NS)
        names = file.symbology.on(day)
        chosen = bars[(days == number) & (bars["close"] > 0) & (bars["close"] < UNDEF_PRICE)]
        ids, closes = chosen["instrument_id"].tolist(), (chosen["close"] / PRICE_SCALE).tolist()
        dated[day] = {names[i]: c for i, c in zip(ids, closes, strict=True) if i in names}
        for i, volume in zip(ids, chosen["volume"].tolist(), strict=True):
            if i in names:
                totals[names[i]] = totals.get(names[i], 0) + volume
    if not any(dated.values()):
        raise InputError(
            f"{path} holds no daily bar with a symbol. Give an ohlcv-1d file that maps its symbols."
        )
    # A day without a bar is a day without volume.
    averages = {symbol: total / len(dated) for symbol, total in totals.items()}
    return CloseFile(
        path,
        dated=dated,
        problems=tuple(problems),
        volumes=averages,
        dataset=file.dataset,
    )


def _daily_records(raw: bytes) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Return the ohlcv-1d records among `raw`, walking by each record's own length."""
    size = OHLCV_DTYPE.itemsize
    whole = np.frombuffer(raw, OHLCV_DTYPE) if len(raw) % size == 0 else None
    if whole is not None and ((whole["length"] == size // 4) & (whole["rtype"] == _DAILY)).all():
        return whole
    starts = []
    at = 0
    while at + 16 <= len(raw):
        length = raw[at] * 4
        if length < 16 or at + length > len(raw):
            break
        if raw[at + 1] == RType.OHLCV_1D and length >= size:
            starts.append(at)
        at += length
    return np.frombuffer(b"".join(raw[s : s + size] for s in starts), OHLCV_DTYPE)
