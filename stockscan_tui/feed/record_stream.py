"""The bytes of one file's records, read ahead by a thread, from any place on."""

from __future__ import annotations

import threading

from stockscan_tui.feed.dbn_file import Block, BlockReader, DbnFile, Ending
from stockscan_tui.feed.seekable import SeekableCopy


class RecordStream:
    """Blocks of one file in order; `move_to` goes on from another place.

    What has been read of a compressed file comes from the copy. The reader that has come furthest
    is kept where it is meanwhile, and goes on when its place is reached again.

    Args:
        file: The file.
        copy: Where what is read of a compressed file is kept; None to keep nothing, so that moving
            back decompresses the file from its beginning.
    """

    def __init__(self, file: DbnFile, copy: SeekableCopy | None = None) -> None:
        self._file = file
        self._copy = copy if file.compressed else None
        self._stop = threading.Event()
        self._front: BlockReader | None = None
        self._back: BlockReader | None = None
        self._back_stop = threading.Event()
        # Who filled the blocks that are in use, by their identity.
        self._lent: dict[int, BlockReader] = {}
        self.ending: Ending | None = None

    def next_block(self) -> Block | None:
        """Return the next block, waiting for it; None at the end, when `ending` says why."""
        if self._back is not None:
            block = self._back.next_block()
            if block is not None:
                return self._lend(block, self._back)
            failed = self._back.ending
            self._end_back()
            if failed is not None and failed.error:
                self.ending = failed
                return None
        if self._front is None:
            self._front = self._file.blocks(self._stop, copy=self._copy)
        block = self._front.next_block()
        if block is None:
            self.ending = self._front.ending
            return None
        return self._lend(block, self._front)

    def _lend(self, block: Block, reader: BlockReader) -> Block:
        self._lent[id(block)] = reader
        return block

    def release(self, block: Block) -> None:
        """Give a block back to be filled again."""
        reader = self._lent.pop(id(block), None)
        if reader is not None:
            reader.release(block)

    def move_to(self, at: int) -> None:
        """Let the next block begin with byte `at` of the file's records; no block may be in use."""
        self._end_back()
        self.ending = None
        front = self._front
        if front is not None and at == front.next_at:
            return
        copy = self._copy
        if copy is not None and front is not None and copy.holds(at, front.next_at):
            until, stop = front.next_at, self._back_stop

            def fill(reader: BlockReader) -> None:
                _fill_from_copy(copy, at, until, stop, reader)

            self._back = BlockReader(fill, at)
            return
        self.close()
        self._front = self._file.blocks(self._stop, at, self._copy)

    def _end_back(self) -> None:
        self._back_stop.set()
        self._back_stop = threading.Event()
        self._back = None

    def close(self) -> None:
        """Let the reading threads end, and give up their memory; `move_to` begins anew."""
        self._end_back()
        self._stop.set()
        self._stop = threading.Event()
        self._front = None
        self._lent.clear()


def _fill_from_copy(
    copy: SeekableCopy, at: int, until: int, stop: threading.Event, reader: BlockReader
) -> None:
    """Fill a reader's blocks from the copy (its thread's work)."""
    ending = Ending()
    try:
        for piece, consumed in copy.pieces(at, until):
            if not reader.deliver(piece, consumed, stop):
                break
    except OSError as error:
        ending = Ending(f"the copy of its records cannot be read: {error}", corrupt=True)
    reader.finish(ending)
