"""A compressed file's records once more, as they are, so that they can be read from anywhere.

Who plays a file back and forth cannot decompress it from its beginning at every step. The copy is
written as the file is first read, by the thread that reads it, and lives as long as the run. It is
not compressed: that would take longer than all else that is done with a record.
"""

from __future__ import annotations

import bisect
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from stockscan_tui.log import LOG
from stockscan_tui.market.text import printable

SPARE_BYTES = 2 << 30
LOOK_EVERY_BYTES = 1 << 26
PIECE_BYTES = 1 << 20


class SeekableCopy:
    """The records of one file that have been read so far.

    Args:
        path: Where the copy is kept; nothing may be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("xb", buffering=0)
        # Where pieces end, and how much of the compressed file had been read by then.
        self._ends: list[int] = [0]
        self._consumed: list[int] = [0]
        self._looked_at = 0
        self._lock = threading.Lock()
        self.whole = True

    @property
    def reached(self) -> int:
        """How many bytes of records it holds."""
        return self._ends[-1]

    def add(self, at: int, piece: memoryview, consumed: int) -> None:
        """Keep a piece that follows those before; a disk without room ends the copy, not the run.

        Args:
            at: The place of its first byte among the file's records; others than the next one
                are passed over.
            piece: Bytes of records.
            consumed: How much of the file has been read.
        """
        with self._lock:
            if not self.whole or at != self.reached:
                return
            try:
                self._look_for_room(at)
                left = piece
                while left:
                    left = left[self._file.write(left) :]
            except OSError as error:
                self.whole = False
                said = printable(str(error))
                LOG.warning("no seekable copy in %s: %s", printable(self._path), said)
                return
            self._ends.append(at + len(piece))
            self._consumed.append(consumed)

    def _look_for_room(self, at: int) -> None:
        if at >= self._looked_at:
            self._looked_at = at + LOOK_EVERY_BYTES
            if shutil.disk_usage(self._path.parent).free < SPARE_BYTES:
                raise OSError(f"less than {SPARE_BYTES >> 30} GB would be left")

    def holds(self, at: int, until: int) -> bool:
        """Whether the records from byte `at` up to `until` are here."""
        return self.whole and 0 <= at <= until <= self.reached

    def pieces(self, at: int, until: int) -> Iterator[tuple[memoryview, int]]:
        """Yield the records from byte `at` up to `until`, with how much of the file they end at.

        Raises:
            OSError: The copy cannot be read.
        """
        with self._path.open("rb", buffering=0) as file:
            file.seek(at)
            while at < until:
                piece = file.read(min(PIECE_BYTES, until - at))
                if not piece:
                    raise OSError("it has become shorter")
                at += len(piece)
                yield memoryview(piece), self._consumed[bisect.bisect_left(self._ends, at)]

    def close(self) -> None:
        """Remove the copy."""
        with self._lock:
            self.whole = False
            self._file.close()
        self._path.unlink(missing_ok=True)
