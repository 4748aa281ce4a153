"""One stream's records as DBN files, zstd-compressed, one or more for a session date.

Each record stands in them once, whatever a reconnect or a restart brings again, and each file can
be read alone: the symbol mappings known by then stand at its head. The recorder's thread owns all
of it.
"""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, time, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, BinaryIO, cast

import databento_dbn as dbn
import numpy as np
import zstandard
from numpy.typing import NDArray

from stockscan_tui.errors import InputError, StockscanError
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.market.calendar import Calendar, new_york_ns, new_york_time
from stockscan_tui.market.dbn import HEADER_BYTES
from stockscan_tui.market.sieve import (
    CORRUPT,
    MAPPINGS_FULL,
    NEVER_NS,
    STOPPED,
    UNSURE,
    Seen,
    Sifted,
)
from stockscan_tui.market.text import printable

LEVEL = 3
# Twice as fast, and a tenth larger.
HASTY_LEVEL = 1
# So long, messages and mappings wait for a market record whose time names their file.
QUIET_S = 30.0
DAY_START = time(3, 50)
# A mapping ends with the times between which it holds.
_SPAN_BYTES = 16
_NOTHING: NDArray[np.uint8] = np.zeros(0, np.uint8)


@dataclass(slots=True)
class Account:
    """What the recorder's thread tells: problems by kind, each told once, and pieces lost.

    `hasty` is set while so much waits that compression must be quick. `sizes` says of every file
    how many bytes of it end a frame, so that it can be read up to there while it grows.
    """

    problems: dict[str, str] = field(default_factory=dict)
    lost: int = 0
    bytes_written: int = 0
    hasty: bool = False
    sizes: dict[Path, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of one dataset go, and how the days are divided."""

    folder: Path
    dataset: str
    calendar: Calendar
    retry_s: float
    account: Account

    def session_at(self, ns: int) -> tuple[date, int]:
        """Return the session date of an instant, and the instant at which the next one begins."""
        try:
            day = self.calendar.day_at(ns).session_date
            following = self.calendar.next_day(day)
        except StockscanError:
            # A day that the calendar does not know is recorded all the same.
            local = new_york_time(ns)
            day = local.date() - timedelta(days=int(local.time() < DAY_START))
            return day, new_york_ns(day + timedelta(days=1), DAY_START)
        return day, following.start_ns if following else NEVER_NS


class Track:
    """One stream's way into its files (the recorder's thread)."""

    def __init__(self, place: Place, stream: str) -> None:
        self._place = place
        self._account = place.account
        self._stream = stream
        self._suffix = f".{plain(stream)}.dbn.zst"
        self._version = 0
        self._ts_out = False
        self._seen = Seen()
        self._left = _NOTHING
        self._file: _ZstdFile | None = None
        self._own: set[str] = set()
        self._recalled: set[date] = set()
        self._day: date | None = None
        self._day_end_ns = 0
        self._mappings: dict[int, bytes] = {}
        self._numbers: dict[bytes, int] = {}
        self._waiting: list[Sifted] = []
        self._waiting_since = 0.0
        self._retry_at = 0.0

    def begin(self, version: int, ts_out: bool) -> None:
        """Let a connection begin; what is known already it may repeat."""
        self._sift(_NOTHING, 0, final=True)
        if (version, ts_out) != (self._version, self._ts_out):
            self._finish()
            self._mappings.clear()
            self._numbers.clear()
            self._waiting.clear()
            self._version, self._ts_out = version, ts_out
        self._seen.repeat()

    def take(self, pieces: list[NDArray[np.uint8]]) -> None:
        """Write what is new in the pieces, which follow one another."""
        self._sift(np.concatenate(pieces), len(pieces), final=False)

    def flush(self, now: float) -> None:
        """Bring to the disk what was taken; `now` is in seconds of any clock that goes on."""
        if self._waiting and now - self._waiting_since > QUIET_S:
            self._write_waiting()
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                self._fail(error, 1)

    def close(self) -> None:
        """Write what is left and end the file."""
        self._sift(_NOTHING, 0, final=True)
        if self._waiting:
            self._write_waiting()
        self._finish()

    def _sift(self, data: NDArray[np.uint8], pieces: int, *, final: bool) -> None:
        data = np.concatenate((self._left, data)) if len(self._left) else data
        position = 0
        while True:
            found = self._seen.sift(data, position, self._day_end_ns, final=final)
            position = found.position
            if len(found.new):
                self._put(found, pieces)
            if found.reason == STOPPED:
                self._begin_day(found.resume_ns)
            elif found.reason != MAPPINGS_FULL:
                break
        self._left = data[position:].copy() if found.reason == UNSURE else _NOTHING
        if found.reason != UNSURE and position < len(data):
            self._account.lost += pieces
            self._account.problems["bytes"] = (
                f"{self._stream}: the feed sent bytes that are no DBN records; "
                "they were not recorded."
            )

    def _begin_day(self, ns: int) -> None:
        """Let the session date of `ns` begin, with what earlier runs recorded of it."""
        day, self._day_end_ns = self._place.session_at(ns)
        if day != self._day:
            self._finish()
            self._day = day
        if day in self._recalled:
            return
        self._recalled.add(day)
        for path in self._recordings(day):
            try:
                self._recall(path)
            except InputError as error:
                self._account.problems[path.name] = printable(error)

    def _recordings(self, day: date) -> list[Path]:
        """Return the files of this stream and day that another run wrote, in order of name."""
        head = f"{self._place.dataset}-{day:%Y%m%d}-"
        try:
            paths = sorted(self._place.folder.iterdir())
        except OSError:
            # Opening a file tells it.
            return []
        names = [path for path in paths if path.name not in self._own]
        return [p for p in names if p.name.startswith(head) and p.name.endswith(self._suffix)]

    def _recall(self, path: Path) -> None:
        """Take a recording's whole records for seen, and learn its mappings."""
        file = DbnFile(path)
        alike = (file.version, file.ts_out) == (self._version, self._ts_out)
        past = Seen()
        left = _NOTHING
        stop = threading.Event()
        reader = file.blocks(stop)
        block = reader.next_block()
        while block is not None:
            data = np.concatenate((left, block.data[block.start : block.end]))
            reader.release(block)
            block = reader.next_block()
            position = 0
            while True:
                found = past.sift(data, position, NEVER_NS, final=block is None)
                position = found.position
                if alike:
                    self._learn(found)
                if found.reason != MAPPINGS_FULL:
                    break
            left = data[position:]
            if found.reason == CORRUPT:
                stop.set()
                break
        self._seen.absorb(past)

    def _put(self, found: Sifted, pieces: int) -> None:
        if self._file is None and not found.first_ns:
            if not self._waiting:
                self._waiting_since = perf_counter()
            self._waiting.append(replace(found, new=found.new.copy()))
        elif self._file is not None or self._open(found.first_ns, [*self._waiting, found]):
            self._write(found, pieces)
        else:
            self._account.lost += pieces
            self._learn(found)

    def _learn(self, found: Sifted) -> None:
        """Know the mappings among records; of a symbol the newest, or a week's would pile up."""
        for number, record in _mappings_in(found).items():
            symbol = _symbol_in(record)
            before = self._numbers.get(symbol, number)
            # The number it had may be another symbol's by now.
            if before != number and _symbol_in(self._mappings.get(before, b"")) == symbol:
                del self._mappings[before]
            self._numbers[symbol] = number
            self._mappings[number] = record

    def _write_waiting(self) -> None:
        """Write what waited in vain for a market record, by its own time."""
        ns = max(found.control_ns for found in self._waiting)
        self._day, _ = self._place.session_at(ns)
        # The first market record may tell of another day.
        self._day_end_ns = 0
        if not self._open(ns, self._waiting):
            self._account.lost += 1

    def _open(self, ns: int, coming: list[Sifted]) -> bool:
        """Begin a file with a record of time `ns`, and write the waiting records to it.

        The head has the mappings that are not among the coming records.
        """
        waiting, self._waiting = self._waiting, []
        again = {number for found in coming for number in _mappings_in(found)}
        head = [record for number, record in self._mappings.items() if number not in again]
        for found in waiting:
            self._learn(found)
        if perf_counter() < self._retry_at:
            return False
        try:
            # It may have been removed meanwhile.
            self._place.folder.mkdir(parents=True, exist_ok=True)
            self._file = _ZstdFile(self._new_file(ns), self._account)
            self._own.add(self._file.path.name)
            self._file.write_head(b"".join((self._metadata(ns), *head)))
            for found in waiting:
                self._file.write(found.new)
        except OSError as error:
            self._fail(error, 0)
            return False
        return True

    def _new_file(self, ns: int) -> Path:
        """Return the path of a file that is not there yet."""
        stem = f"{self._place.dataset}-{self._day:%Y%m%d}-{new_york_time(ns):%H%M%S}"
        for number in itertools.count(1):
            path = self._place.folder / f"{stem}{f'-{number}' if number > 1 else ''}{self._suffix}"
            if not path.exists():
                break
        return path

    def _write(self, found: Sifted, pieces: int) -> None:
        self._learn(found)
        if self._file is None:
            return
        try:
            self._file.write(found.new)
        except OSError as error:
            self._fail(error, pieces)

    def _finish(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.finish()
            except OSError as error:
                self._file = file
                self._fail(error, 1)

    def _fail(self, error: OSError, pieces: int) -> None:
        """Give the file up; the next piece after a while tries another one."""
        if self._file is not None:
            self._file.abandon()
            self._file = None
        self._retry_at = perf_counter() + self._place.retry_s
        self._account.lost += pieces
        self._account.problems.setdefault(
            "write",
            f"Recording to {printable(self._place.folder)} failed: {error.strerror or error}. "
            "Records are missing in the files; it goes on as soon as they can be written.",
        )

    def _metadata(self, ns: int) -> bytes:
        return bytes(
            dbn.Metadata(
                dataset=self._place.dataset,
                start=ns,
                stype_in=cast("Any", dbn.SType.RAW_SYMBOL),
                stype_out=cast("Any", dbn.SType.INSTRUMENT_ID),
                schema=_schema(self._stream),
                symbols=[],
                mappings=[],
                ts_out=self._ts_out,
                version=self._version,
            )
        )


class _ZstdFile:
    """A file that grows by whole zstd frames.

    With each flush a frame ends: at a cut within one, the official client's reader keeps back what
    it has decompressed last. Frames of a second cost about 1 % of the size.
    """

    def __init__(self, path: Path, account: Account) -> None:
        self.path = path
        self._account = account
        self._frame: zstandard.ZstdCompressionObj | None = None
        self._level = LEVEL
        self._begun = False
        self._size = 0
        # Never an existing file, and no buffer that would fail once more at the end.
        self._file: BinaryIO = cast("BinaryIO", path.open("xb", buffering=0))

    def write_head(self, data: bytes) -> None:
        """Compress what alone would not be worth a file."""
        self._compress(data)

    def write(self, data: NDArray[np.uint8]) -> None:
        """Compress records; a part of them reaches the file at once."""
        if self._compress(data):
            self._begun = True

    def flush(self) -> None:
        """Bring everything written so far to the file."""
        if self._frame is not None:
            frame, self._frame = self._frame, None
            self._write(frame.flush())
            self._begun = True
            self._account.sizes[self.path] = self._size
            if os.fstat(self._file.fileno()).st_nlink == 0:
                self._account.sizes.pop(self.path)
                raise FileNotFoundError(errno.ENOENT, "the file was removed while it was written")

    def finish(self) -> None:
        """Bring everything to the file and close it."""
        self.flush()
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is; one that says nothing is removed."""
        with suppress(OSError):
            self._file.close()
        if not self._begun:
            with suppress(OSError):
                self.path.unlink()

    def _compress(self, data: NDArray[np.uint8] | bytes) -> int:
        level = HASTY_LEVEL if self._account.hasty else LEVEL
        if level != self._level:
            self.flush()
        if self._frame is None:
            self._level = level
            self._frame = zstandard.ZstdCompressor(level=level).compressobj()
        return self._write(self._frame.compress(cast("bytes", data)))

    def _write(self, compressed: bytes) -> int:
        view = memoryview(compressed)
        while view:
            view = view[self._file.write(view) :]
        self._size += len(compressed)
        self._account.bytes_written += len(compressed)
        return len(compressed)


def plain(name: str) -> str:
    """Return a name that is safe within a file's name."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)


def _schema(name: str) -> Any:
    with suppress(dbn.DBNError):
        return dbn.Schema.from_str(name)
    return None


def _symbol_in(record: bytes) -> bytes:
    """Return what a mapping record maps, in a form of its own: all between its head and times."""
    return record[HEADER_BYTES:-_SPAN_BYTES].replace(b"\0", b"")


def _mappings_in(found: Sifted) -> Mapping[int, bytes]:
    """Return instrument id → the last mapping record of it, as bytes."""
    latest: dict[int, bytes] = {}
    for at in found.mappings:
        record = found.new[at : at + int(found.new[at]) * 4].tobytes()
        latest[int.from_bytes(record[4:8], "little")] = record
    return latest
