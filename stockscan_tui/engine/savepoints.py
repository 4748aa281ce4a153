"""Images of a replay, on disk: what it goes back to when it is moved to another instant.

The engine's thread copies an image into memory that is used again and again, and goes on; a thread
of its own packs it and writes it. All of it lives in one file, and as long as the run.
"""

from __future__ import annotations

import bisect
import pickle
import queue
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import zstandard
from numpy.typing import NDArray

from stockscan_tui.engine.file_gaps import Covered
from stockscan_tui.feed.replay import Place
from stockscan_tui.log import LOG
from stockscan_tui.market import image
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS, TradingDay
from stockscan_tui.market.kernel import Int64s
from stockscan_tui.market.state import Market
from stockscan_tui.market.text import printable

LEVEL = 1
ROOMS = 2
_LINE = 64
_BARS_NS = (k.KEPT_MINUTES + k.SPARE_MINUTES + 1) * MINUTE_NS


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an engine stands besides its market; times are ns since 1970."""

    now_ns: int
    boundary_ns: int
    next_day: TradingDay | None
    unmapped: int
    covered: Covered
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class _Span:
    """Where something is in the file."""

    place: int
    packed: int
    size: int


@dataclass(slots=True)
class Savepoint:
    """One image: its instant (ns since 1970), that of the newest record before it, and where its
    arrays lie within the unpacked bytes.

    `state` and `bars` are where it is kept, once it is.
    """

    ns: int
    clock_ns: int
    head: int
    arrays: tuple[tuple[int, int], ...]
    state: _Span | None = None
    bars: _Span | None = None


class Savepoints:
    """The images of one run.

    Args:
        path: The file that they are kept in; nothing may be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("xb+")
        self._points: list[Savepoint] = []
        self._pieces = image.Pieces()
        self._spans: dict[int, _Span] = {}
        self._end = 0
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)
        self._decompressor = zstandard.ZstdDecompressor()
        self._rooms: queue.SimpleQueue[NDArray[np.uint8]] = queue.SimpleQueue()
        for _ in range(ROOMS):
            self._rooms.put(np.zeros(0, np.uint8))
        self._work: queue.Queue[tuple[Savepoint, image.Image, NDArray[np.uint8], int] | None] = (
            queue.Queue()
        )
        self.failed = ""
        self._thread = threading.Thread(target=self._write_all, name="stockscan-save", daemon=True)
        self._thread.start()

    @property
    def newest_ns(self) -> int:
        """The instant of the newest image, 0 where there is none."""
        return self._points[-1].ns if self._points else 0

    @property
    def busy(self) -> bool:
        """Whether the ones before are still being written, so that another has to wait."""
        return self._rooms.empty()

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._end

    def before(self, ns: int) -> Savepoint | None:
        """Return the newest image that is not later than an instant."""
        place = bisect.bisect_right(self._points, ns, key=lambda point: point.ns)
        return self._points[place - 1] if place else None

    def save(self, market: Market, standing: Standing) -> None:
        """Keep everything as it stands, which is later than all before."""
        room = self._rooms.get()
        made = image.take(market, standing, self._pieces)
        arrays, end = [], -(-len(made.head) // _LINE) * _LINE
        for array in made.arrays:
            arrays.append((end, array.nbytes))
            end += -(-array.nbytes // _LINE) * _LINE
        if len(room) < end:
            room = np.zeros(end, np.uint8)
        room[: len(made.head)] = np.frombuffer(made.head, np.uint8)
        for (start, size), array in zip(arrays, made.arrays, strict=True):
            room[start : start + size] = np.frombuffer(array, np.uint8)
        point = Savepoint(standing.now_ns, market.clock_ns, len(made.head), tuple(arrays))
        self._points.append(point)
        self._work.put((point, made, room, end))

    def restore(self, market: Market, point: Savepoint) -> Standing:
        """Let a market be as it was at an image; returns where the engine stood then.

        Raises:
            OSError: It cannot be read, or could not be written.
        """
        self._work.join()
        if self.failed or point.state is None:
            raise OSError(self.failed)
        raw = memoryview(bytearray(self._read(point.state)))
        pieces: dict[int, image.Piece] = {}

        def piece(number: int) -> image.Piece:
            found = self._pieces.held(number)
            if found is None:
                # Written by this very process, into a folder that nobody else can write.
                found = pickle.loads(self._read(self._spans[number]))  # noqa: S301
            pieces[number] = found
            return found

        beside = image.restore(
            market,
            bytes(raw[: point.head]),
            [raw[start : start + size] for start, size in point.arrays],
            piece,
            self._bars(point),
        )
        self._pieces.hold(pieces)
        return cast("Standing", beside)

    def _bars(self, point: Savepoint) -> list[Int64s]:
        """Return the changed bars of an image and of those an hour before it, oldest first."""
        last = self._points.index(point)
        # Where nothing came for long, an hour of bars is longer ago.
        oldest_ns = min(point.ns, point.clock_ns) - _BARS_NS
        found: list[Int64s] = []
        for earlier in self._points[last::-1]:
            if earlier.bars is not None:
                rows = np.frombuffer(self._read(earlier.bars), np.int64)
                found.append(rows.reshape(-1, k.BAR_WIDTH))
            if earlier.ns < oldest_ns:
                break
        return found[::-1]

    def _read(self, span: _Span) -> bytes:
        self._file.seek(span.place)
        packed = self._file.read(span.packed)
        return self._decompressor.decompress(packed, max_output_size=span.size)

    def _write_all(self) -> None:
        while (work := self._work.get()) is not None:
            point, made, room, end = work
            try:
                if not self.failed:
                    self._write(point, made, room[:end])
            except Exception as error:  # noqa: BLE001 - who waits for it must not wait for ever
                self.failed = f"{printable(self._path)}: {printable(str(error))}"
                LOG.warning("a replay cannot be moved back: %s", self.failed)
            finally:
                self._rooms.put(room)
                self._work.task_done()

    def _write(self, point: Savepoint, made: image.Image, state: NDArray[np.uint8]) -> None:
        for number, piece in made.pieces.items():
            self._spans[number] = self._append(pickle.dumps(piece, protocol=5))
        point.bars = self._append(made.bars.tobytes())
        point.state = self._append(state.data)

    def _append(self, content: bytes | memoryview) -> _Span:
        packed = self._compressor.compress(content)
        self._file.seek(self._end)
        self._file.write(packed)
        span = _Span(self._end, len(packed), len(content))
        self._end += len(packed)
        return span

    def close(self) -> None:
        """End, and remove the file."""
        self._work.put(None)
        self._thread.join()
        with suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)
