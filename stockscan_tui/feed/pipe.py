"""The bytes of one live connection, from the feed's thread to the engine's, without a copy.

The feed writes where the socket is read, straight into a block; the engine reads behind it up to
`filled`. A block that is full is sealed once the next one stands behind it. Blocks come from a
pool that is bounded: where the engine falls far behind, the socket is not read until it has
caught up, and the network holds the rest.
"""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Callable
from threading import Lock

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 1 << 20
# Room before a block for the bytes of the record that the block before it cut in two.
HEADROOM_BYTES = 1 << 13
# A block with less room than this is done with.
LEAST_ROOM_BYTES = 1 << 14
MOST_BLOCKS = 96
# After a burst the others go back to the system.
KEPT_BLOCKS = 8


class Block:
    """A piece of memory; bytes stand in `data[HEADROOM_BYTES:filled]`."""

    __slots__ = ("data", "filled", "sealed")

    def __init__(self) -> None:
        # Mapped: the system has it back at once, whatever else the heap holds.
        memory = mmap.mmap(-1, HEADROOM_BYTES + BLOCK_BYTES)
        self.data: NDArray[np.uint8] = np.frombuffer(memory, np.uint8)
        self.filled = HEADROOM_BYTES
        self.sealed = False


class Pool:
    """Blocks that are free, `MOST_BLOCKS` in all; for any thread."""

    def __init__(self, most: int = MOST_BLOCKS) -> None:
        self._free: list[Block] = []
        self._left = most
        self._lock = Lock()

    def take(self) -> Block | None:
        """Return a free block, None where all are in use."""
        with self._lock:
            if self._free:
                block = self._free.pop()
                block.filled, block.sealed = HEADROOM_BYTES, False
                return block
            if self._left == 0:
                return None
            self._left -= 1
        return Block()

    def give(self, block: Block) -> None:
        """Take a block back; where enough are free already, its memory is let go."""
        with self._lock:
            if len(self._free) < KEPT_BLOCKS:
                self._free.append(block)
            else:
                self._left += 1

    def replace(self) -> None:
        """Let another block be made in place of one that does not come back."""
        with self._lock:
            self._left += 1


class Pipe:
    """One connection's record bytes.

    Args:
        pool: Where blocks come from.
        wake: Called when there is something new for the engine.
    """

    def __init__(self, pool: Pool, wake: Callable[[], None]) -> None:
        self.version = 0
        self.ts_out = False
        self.started = False
        self.ended = False
        self.reason = ""
        self.bytes_in = 0
        self._pool = pool
        self._wake = wake
        self._blocks: deque[Block] = deque()
        self._resume: Callable[[], None] | None = None

    # --- the feed's side -----------------------------------------------------------------------

    def begin(self, version: int, ts_out: bool) -> None:
        """The metadata has come: records of that version follow."""
        self.version, self.ts_out = version, ts_out
        self.started = True
        self._wake()

    def room(self) -> memoryview | None:
        """Return where the next bytes go, None where the engine must first catch up."""
        block = self._blocks[-1] if self._blocks else None
        if block is None or len(block.data) - block.filled < LEAST_ROOM_BYTES:
            following = self._pool.take()
            if following is None:
                return None
            self._blocks.append(following)
            if block is not None:
                block.sealed = True
            block = following
        return block.data.data[block.filled :]

    def wrote(self, count: int) -> None:
        """`count` bytes were written where `room` said."""
        if self._blocks:
            self._blocks[-1].filled += count
        self.bytes_in += count
        self._wake()

    def wait_for_room(self, resume: Callable[[], None]) -> None:
        """Have `resume` called, by the engine's thread, once there is room again."""
        self._resume = resume

    def end(self, reason: str) -> None:
        """No more bytes come, because of `reason`."""
        self.reason = reason
        self.ended = True
        self._wake()

    # --- the engine's side ---------------------------------------------------------------------

    def front(self) -> Block | None:
        """Return the block that is to be read, None before the first."""
        return self._blocks[0] if self._blocks else None

    def next_block(self) -> Block | None:
        """Give the front block back and return the one behind it, if the front is sealed."""
        if not self._blocks[0].sealed:
            return None
        self._pool.give(self._blocks.popleft())
        resume, self._resume = self._resume, None
        if resume is not None:
            resume()
        return self._blocks[0]

    def release(self) -> None:
        """Give all blocks back; the pipe is of no use any more."""
        while self._blocks:
            block = self._blocks.popleft()
            if self.ended:
                self._pool.give(block)
            else:
                # The socket may still be read into it.
                self._pool.replace()
