"""Whether a zstd stream ends where a frame ends.

The decompressor hands out what it has when its input stops in mid-frame, without a word. This
walks the frame and block headers as the compressed bytes pass by (RFC 8878, section 3).
"""

from __future__ import annotations

FRAME_MAGIC = b"\x28\xb5\x2f\xfd"
SKIPPABLE_MAGICS = frozenset(bytes([low, 0x2A, 0x4D, 0x18]) for low in range(0x50, 0x60))
CHECKSUM_BYTES = 4
_RLE_BLOCK = 1


class FrameWalker:
    """Follows the frames of a stream that comes in pieces."""

    def __init__(self) -> None:
        self._skip = 0
        self._pending = b""
        self._in_frame = False
        self._checksum = False
        self._lost = False

    @property
    def complete(self) -> bool:
        """Whether the bytes so far end exactly at a frame's end."""
        between = not self._in_frame and self._skip == 0 and not self._pending
        return between and not self._lost

    @property
    def at_block_end(self) -> bool:
        """Whether the bytes so far may end where a block ends in a frame that is not whole."""
        between = self._in_frame and self._skip == 0
        return not self._pending and (between or self._skip == CHECKSUM_BYTES)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the stream."""
        position = 0
        if self._pending:
            piece = self._pending + piece
            self._pending = b""
        while position < len(piece) and not self._lost:
            if self._skip:
                step = min(self._skip, len(piece) - position)
                self._skip -= step
                position += step
                continue
            used = self._header(piece, position)
            if used == 0:
                self._pending = piece[position:]
                return
            position += used

    def _header(self, piece: bytes, position: int) -> int:
        """Read a block's or frame's header; returns its length, 0 where it is not whole yet."""
        if self._in_frame:
            return self._block_header(piece, position)
        return self._frame_header(piece, position)

    def _block_header(self, piece: bytes, position: int) -> int:
        if len(piece) - position < 3:
            return 0
        header = int.from_bytes(piece[position : position + 3], "little")
        size = header >> 3
        self._skip = 1 if (header >> 1) & 3 == _RLE_BLOCK else size
        if header & 1:
            self._in_frame = False
            self._skip += CHECKSUM_BYTES if self._checksum else 0
        return 3

    def _frame_header(self, piece: bytes, position: int) -> int:
        if len(piece) - position < 8:
            return 0
        magic = piece[position : position + 4]
        if magic in SKIPPABLE_MAGICS:
            self._skip = int.from_bytes(piece[position + 4 : position + 8], "little")
            return 8
        if magic != FRAME_MAGIC:
            # Not a frame: the decompressor reports it; nothing more can be said here.
            self._lost = True
            return 8
        descriptor = piece[position + 4]
        single_segment = bool(descriptor & 0x20)
        self._checksum = bool(descriptor & 0x04)
        content_bytes = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
        dictionary_bytes = (0, 1, 2, 4)[descriptor & 3]
        self._in_frame = True
        header = 5 + (0 if single_segment else 1) + dictionary_bytes + content_bytes
        extra = header - 8
        if extra > 0:
            self._skip = extra
            return 8
        return header
