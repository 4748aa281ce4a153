"""The raw records of live streams, taken down as DBN files without holding up who brings them.

Whoever calls the `Recorder` only puts bytes into a queue; all else belongs to a thread of its own.
"""

from __future__ import annotations

import tempfile
import threading
from collections import deque
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.errors import InputError
from stockscan_tui.feed.recording import Account, Place, Track, plain
from stockscan_tui.market.calendar import Calendar
from stockscan_tui.market.sieve import NEVER_NS, Seen
from stockscan_tui.market.text import printable
from stockscan_tui.priority import step_back

CAPACITY_BYTES = 256_000_000
# Pieces are gathered: the thread comes for them once in `flush_s`, or when so much has come.
WAKE_BYTES = 1 << 20
GATHER_BYTES = 1 << 22
# Compression hurries while more than this part of the capacity waits.
HASTE_PART = 8


@dataclass(frozen=True, slots=True)
class _Begin:
    stream: str
    version: int
    ts_out: bool


@dataclass(frozen=True, slots=True)
class _Piece:
    stream: str
    data: NDArray[np.uint8]


class Recorder:
    """Records streams until it is closed.

    `begin` and `add` belong to one thread; the rest may be called from any.

    Args:
        folder: Where the files go; made if it is not there.
        dataset: The dataset's code, for the files' names and metadata.
        calendar: The exchange's trading days: a file holds records of one session date.
        capacity_bytes: So much may wait to be written; what comes beyond is dropped and counted.
        flush_s: How often what has come is brought to the file, in seconds.

    Raises:
        InputError: The folder cannot be made or written to.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dataset: str,
        calendar: Calendar,
        capacity_bytes: int = CAPACITY_BYTES,
        flush_s: float = 1.0,
    ) -> None:
        _check_folder(folder)
        self._account = Account()
        self._place = Place(folder, plain(dataset), calendar, flush_s, self._account)
        self._capacity_bytes = capacity_bytes
        self._flush_s = flush_s
        self._queue: deque[_Begin | _Piece] = deque()
        # One side writes the first, the other one the second: no lock is needed.
        self._bytes_in = self._bytes_out = 0
        self._overflowed = self._overflowed_bytes = 0
        self._flush_at = 0.0
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._late_end = False
        self._tracks: dict[str, Track] = {}
        # Compiled here, or the first records would wait for it.
        Seen().sift(np.zeros(0, np.uint8), 0, NEVER_NS, final=True)
        self._thread = threading.Thread(target=self._run, name="stockscan-record", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many pieces are not in the files, or not all of them."""
        return self._overflowed + self._account.lost

    @property
    def bytes_written(self) -> int:
        """Compressed bytes written to files so far."""
        return self._account.bytes_written

    def recorded(self, day: date) -> dict[Path, int]:
        """Return the files of a session date, earlier runs' too, and how far each can be read.

        What has come within the last second or two is not in them yet.
        """
        head = f"{self._place.dataset}-{day:%Y%m%d}-"
        own = dict(self._account.sizes)
        found = {}
        for path in sorted(self._place.folder.glob("*.dbn.zst")):
            if path.name.startswith(head):
                size = own.get(path)
                found[path] = path.stat().st_size if size is None else size
        return {path: size for path, size in found.items() if size}

    def problems(self) -> tuple[str, ...]:
        """Return what went wrong so far, a sentence each."""
        told = list(self._account.problems.values())
        if self._overflowed:
            told.append(
                f"Recording cannot keep up: {self._overflowed:,} pieces "
                f"({self._overflowed_bytes / 1e6:,.1f} MB) are missing in the files. "
                "Record to a faster disk, or fewer streams."
            )
        if self._late_end:
            told.append("The recording was ended before everything was written.")
        return tuple(told)

    def begin(self, stream: str, version: int, ts_out: bool) -> None:
        """Let a connection of the stream begin.

        Args:
            stream: The schema's name, as in "mbp-1".
            version: The DBN version of its records, 1 to 3.
            ts_out: Whether each record ends in a send timestamp.
        """
        self._queue.append(_Begin(stream, version, ts_out))

    def add(self, stream: str, data: NDArray[np.uint8]) -> None:
        """Take whole records of the stream's connection; never waits.

        Args:
            stream: The schema's name, as given to `begin`.
            data: The records, a copy that nobody else uses.
        """
        waiting = self._bytes_in - self._bytes_out + len(data)
        if waiting > self._capacity_bytes or self._closing.is_set():
            self._overflowed += 1
            self._overflowed_bytes += len(data)
            return
        self._bytes_in += len(data)
        self._queue.append(_Piece(stream, data))
        if waiting >= WAKE_BYTES and not self._wake.is_set():
            self._wake.set()

    def close(self, timeout_s: float) -> None:
        """Write what is queued and end the files, waiting `timeout_s` at most."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout_s)
        self._late_end = self._thread.is_alive()

    def _run(self) -> None:
        step_back()
        closing = False
        while not closing:
            self._wake.wait(self._flush_s)
            self._wake.clear()
            closing = self._closing.is_set()
            self._drain()
            self._flush_if_due()
        for track in self._tracks.values():
            track.close()

    def _flush_if_due(self) -> None:
        now = perf_counter()
        if now >= self._flush_at:
            self._flush_at = now + self._flush_s
            for track in self._tracks.values():
                track.flush(now)

    def _drain(self) -> None:
        """Give every stream what has come for it, in large pieces."""
        gathered: dict[str, list[NDArray[np.uint8]]] = {}
        sizes: dict[str, int] = {}
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, _Begin):
                self._write(item.stream, gathered.pop(item.stream, []))
                sizes[item.stream] = 0
                track = self._tracks.setdefault(item.stream, Track(self._place, item.stream))
                track.begin(item.version, item.ts_out)
                continue
            gathered.setdefault(item.stream, []).append(item.data)
            sizes[item.stream] = sizes.get(item.stream, 0) + len(item.data)
            if sizes[item.stream] >= GATHER_BYTES:
                self._write(item.stream, gathered.pop(item.stream))
                sizes[item.stream] = 0
        for stream, pieces in gathered.items():
            self._write(stream, pieces)

    def _write(self, stream: str, pieces: list[NDArray[np.uint8]]) -> None:
        track = self._tracks.get(stream)
        waiting = self._bytes_in - self._bytes_out
        self._account.hasty = waiting > self._capacity_bytes // HASTE_PART
        if track is None:
            self._account.lost += len(pieces)
        elif pieces:
            track.take(pieces)
        self._bytes_out += sum(len(piece) for piece in pieces)
        self._flush_if_due()


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"Recordings cannot be written to {printable(folder)}: {error.strerror}. "
            "Name another folder with --record."
        ) from error
