"""Saved files as one timeline: each file is a source, and sources that overlap are interleaved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.feed.control import Control, ControlDecoder
from stockscan_tui.feed.dbn_file import Block, DbnFile
from stockscan_tui.feed.record_stream import RecordStream
from stockscan_tui.feed.seekable import SeekableCopy
from stockscan_tui.market.calendar import DAY_NS, utc_date
from stockscan_tui.market.kernel import EARLIEST_NS, LATEST_NS, Int64s
from stockscan_tui.market.symbols import InstrumentIds

NEVER_NS = 2**63 - 1
_NOTHING: NDArray[np.uint8] = np.zeros(0, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a source stands: `at` bytes of records have been applied; the rest as in `Source`."""

    at: int
    next_ns: int
    day_number: int
    ended: bool
    problem: str
    corrupt: bool
    begin_ns: int
    end_ns: int
    ids: Int64s


class Source:
    """One file while it is played: the bytes at hand, and what its ids stand for.

    Between `position` and `end` of `data` stand records that are not yet applied; `next_ns` is
    the event time of the first of them once it is known. The file is whole from `begin_ns` on, 0
    while that is not known, up to `end_ns`, which its last record shows. `day_number` counts the
    UTC days since 1970 for which ids are mapped.

    Args:
        file: The file.
        copy: Lets a compressed file be moved back in; None where nobody will.
    """

    def __init__(self, file: DbnFile, copy: SeekableCopy | None = None) -> None:
        self.file = file
        self.ids = InstrumentIds()
        self.data = _NOTHING
        self.position = 0
        self.end = 0
        self.final = False
        self.ended = False
        self.next_ns = 0
        self.day_number = -1
        self.problem = ""
        self.corrupt = False
        sane = EARLIEST_NS < file.start_ns < LATEST_NS
        self.begin_ns = file.start_ns if sane else 0
        self.end_ns = NEVER_NS
        self.consumed = 0
        self._decoder = ControlDecoder(file.version, ts_out=file.ts_out)
        self._keeps = copy is not None
        self._stream = RecordStream(file, copy)
        self._end_at = 0
        self._block: Block | None = None

    def map_day(self, ns: int, slots: Callable[[Sequence[str]], Sequence[int]]) -> None:
        """Map the file's ids as its metadata has them on the UTC date of `ns`.

        Args:
            ns: An instant, in ns since 1970.
            slots: Gives the slots of symbols, new ones to those that have none.
        """
        day_number = ns // DAY_NS
        if day_number == self.day_number:
            return
        self.day_number = day_number
        names = self.file.symbology.on(utc_date(ns))
        # Sorted, because the library's own order changes from run to run, and slots must not.
        numbers = sorted(names, key=names.__getitem__)
        self.ids.assign(zip(numbers, slots([names[n] for n in numbers]), strict=True))

    def advance(self) -> bool:
        """Bring in the next block, behind the bytes that are left; False at the file's end."""
        left = self.data[self.position : self.end]
        block = self._stream.next_block()
        if block is None:
            return self._at_end(len(left))
        start = block.start - len(left)
        if start >= 0:
            block.data[start : block.start] = left
            self.data, self.position, self.end = block.data, start, block.end
        else:
            # A look ahead over more than a block's headroom: rare enough to copy.
            self.data = np.concatenate([left, block.data[block.start : block.end]])
            self.position, self.end = 0, len(self.data)
        if self._block is not None:
            self._stream.release(self._block)
        self._block = block
        self._end_at = block.at + block.end - block.start
        self.consumed = block.consumed
        return True

    def _at_end(self, left: int) -> bool:
        """Allow one more pass over what is left without looking ahead, then end."""
        if not self.final:
            self.final = True
            return True
        ending = self._stream.ending
        if ending is not None and ending.error:
            self.fail(ending.error, corrupt=ending.corrupt)
        elif left:
            self.fail(f"{self.file.path.name} ends in the middle of a record", corrupt=False)
        self._end()
        return False

    def fail(self, problem: str, *, corrupt: bool) -> None:
        """End here: `problem` says why; all records before it have been applied."""
        self.problem = problem
        self.corrupt = corrupt
        self._end()

    def _end(self) -> None:
        self.ended = True
        if self._keeps:
            self._let_go()
        else:
            self.close()
        self.ids = InstrumentIds()

    def close(self) -> None:
        """Let the reading thread end, and give up its memory."""
        self._stream.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._block is not None:
            self._stream.release(self._block)
        self.data = _NOTHING
        self.position = self.end = 0
        self._block = None

    def park(self) -> None:
        """Close the file until its time comes, if nothing of it was applied yet."""
        if self._block is not None and self.position == self._block.start and not self.final:
            self.close()
            self._end_at = 0
            self.consumed = 0

    def place(self) -> Place:
        """Return where the source stands, for `move_to`."""
        return Place(
            at=self._end_at - (self.end - self.position),
            next_ns=self.next_ns,
            day_number=self.day_number,
            ended=self.ended,
            problem=self.problem,
            corrupt=self.corrupt,
            begin_ns=self.begin_ns,
            end_ns=self.end_ns,
            ids=self.ids.pairs(),
        )

    def move_to(self, place: Place) -> None:
        """Stand where the source stood before."""
        self._let_go()
        self._end_at = place.at
        self.final = self.ended = place.ended
        self.next_ns = place.next_ns
        self.day_number = place.day_number
        self.problem = place.problem
        self.corrupt = place.corrupt
        self.begin_ns = place.begin_ns
        self.end_ns = place.end_ns
        self.ids = InstrumentIds()
        if not place.ended:
            numbers, slots = place.ids.tolist()
            self.ids.assign(zip(numbers, slots, strict=True))
            self._stream.move_to(place.at)

    def take_control(self) -> Control | None:
        """Decode the record at the position and step over it."""
        length = int(self.data[self.position]) * 4
        record = self.data[self.position : self.position + length].tobytes()
        self.position += length
        return self._decoder.decode(record)

    def next_instrument_id(self) -> int:
        """Return the instrument id of the record at the position."""
        at = self.position + 4
        return int.from_bytes(self.data[at : at + 4].tobytes(), "little")
