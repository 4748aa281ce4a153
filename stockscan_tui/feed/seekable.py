"""A compressed file's records once more, in frames that can be read from anywhere.

Who plays a file back and forth cannot decompress it from its beginning at every step. The copy is
written as the file is first read, by the thread that reads it, and lives as long as the run.
"""

from __future__ import annotations

import bisect
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from stockscan_tui.log import LOG
from stockscan_tui.market.text import printable

if TYPE_CHECKING:
    from stockscan_tui.feed.dbn_file import BlockReader

# Faster than the disk, and a third of the size.
LEVEL = -3
SPARE_BYTES = 1 << 30
LOOK_EVERY_BYTES = 1 << 26


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a piece of records is.

    `at` and `size` count the bytes of records, `place` and `packed` those of the copy; `consumed`
    is how much of the file had been read by then.
    """

    at: int
    size: int
    place: int
    packed: int
    consumed: int


class SeekableCopy:
    """The records of one file that have been read so far.

    Args:
        path: Where the copy is kept; nothing may be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("xb")
        self._frames: list[Frame] = []
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)
        self._looked_at = 0
        self._lock = threading.Lock()
        self.whole = True

    @property
    def reached(self) -> int:
        """How many bytes of records it holds."""
        return self._frames[-1].at + self._frames[-1].size if self._frames else 0

    def add(self, at: int, piece: memoryview, consumed: int) -> None:
        """Keep a piece that follows those before; a disk without room ends the copy, not the run.

        Args:
            at: The place of its first byte among the file's records; others than the next one
                are passed over.
            piece: Bytes of records.
            consumed: How much of the file has been read.
        """
        with self._lock:
            if self.whole and at == self.reached:
                self._append(at, piece, consumed)

    def _append(self, at: int, piece: memoryview, consumed: int) -> None:
        place = self._frames[-1].place + self._frames[-1].packed if self._frames else 0
        try:
            if place >= self._looked_at:
                self._looked_at = place + LOOK_EVERY_BYTES
                if shutil.disk_usage(self._path.parent).free < SPARE_BYTES:
                    raise OSError(f"less than {SPARE_BYTES >> 30} GB would be left")
            packed = self._compressor.compress(piece)
            self._file.write(packed)
            # Another thread may read it at once.
            self._file.flush()
        except OSError as error:
            self.whole = False
            LOG.warning("no seekable copy in %s: %s", printable(self._path), printable(str(error)))
            return
        self._frames.append(Frame(at, len(piece), place, len(packed), consumed))

    def holds(self, at: int, until: int) -> bool:
        """Whether the records from byte `at` up to `until` are here."""
        return self.whole and 0 <= at <= until <= self.reached

    def read_into(self, at: int, until: int, stop: threading.Event, reader: BlockReader) -> None:
        """Fill the reader's blocks with the records from byte `at` up to `until`.

        Raises:
            OSError: The copy cannot be read.
            zstandard.ZstdError: It is damaged.
        """
        decompressor = zstandard.ZstdDecompressor()
        first = max(bisect.bisect_right(self._frames, at, key=lambda frame: frame.at) - 1, 0)
        with self._path.open("rb") as file:
            for frame in self._frames[first:]:
                if frame.at >= until:
                    return
                file.seek(frame.place)
                piece = decompressor.decompress(file.read(frame.packed))
                skipped = max(at - frame.at, 0)
                if not reader.deliver(memoryview(piece)[skipped:], frame.consumed, stop):
                    return

    def close(self) -> None:
        """Remove the copy."""
        self._file.close()
        self._path.unlink(missing_ok=True)
