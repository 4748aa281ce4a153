"""One saved DBN file: what it is, and its records as blocks of bytes from a thread of its own."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import databento_dbn as dbn
import numpy as np
import zstandard
from numpy.typing import NDArray

from stockscan_tui.errors import InputError
from stockscan_tui.feed.seekable import SeekableCopy
from stockscan_tui.feed.symbology import Symbology
from stockscan_tui.feed.zstd_frames import FRAME_MAGIC, SKIPPABLE_MAGICS, FrameWalker
from stockscan_tui.market.dbn import MAGIC

BLOCK_BYTES = 1 << 20
BLOCKS = 6
# Room before a block for the bytes of the record that the block before it cut in two.
HEADROOM_BYTES = 1 << 13
READ_BYTES = 1 << 18
# What is decompressed at once, of which nothing bounds the result but this: 32,768 times as much.
SMALL_READ_BYTES = 1 << 10
MAX_WINDOW_BYTES = 1 << 27
MAX_METADATA_BYTES = 1 << 28
_NEWEST_VERSION = 3


@dataclass(frozen=True, slots=True)
class Block:
    """Record bytes `data[start:end]`; `consumed` is how much of the file was read so far.

    `at` is the place of the first of them among all bytes of records of the file.
    """

    data: NDArray[np.uint8]
    start: int
    end: int
    consumed: int
    at: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """Why no more blocks come: `error` is empty where the file simply ends."""

    error: str = ""
    corrupt: bool = False


class _Readable(Protocol):
    def readinto(self, target: memoryview, /) -> int | None: ...


class _Source:
    """The file's raw bytes, counted and walked as the decompressor asks for them."""

    def __init__(self, file: BinaryIO, walker: FrameWalker | None, size: int) -> None:
        self._file = file
        self._size = size
        self.walker = walker
        self.consumed = 0

    def read(self, size: int = -1) -> bytes:
        left = self._size - self.consumed
        piece = self._file.read(left if size < 0 else min(size, left))
        self.consumed += len(piece)
        if self.walker is not None:
            self.walker.feed(piece)
        return piece

    def readinto(self, target: memoryview) -> int:
        left = self._size - self.consumed
        count = self._file.readinto(target[:left])  # type: ignore[attr-defined]
        self.consumed += count
        return int(count)


class _Decompressed:
    """The bytes of a zstd file's frames, to the last one that can be made.

    At a cut, zstandard's own reader keeps back what it has decompressed and not yet given out.
    """

    def __init__(self, file: BinaryIO, source: _Source, walker: FrameWalker) -> None:
        self._file = file
        self._walker = walker
        self._delivered = 0
        self._rest: memoryview | None = None
        self._reader = _decompressor().stream_reader(
            cast("BinaryIO", source), read_size=READ_BYTES, read_across_frames=True
        )

    def readinto(self, target: memoryview) -> int:
        count = 0 if self._rest is not None else int(self._reader.readinto(target))
        self._delivered += count
        if count == 0 and self._walker.at_block_end:
            if self._rest is None:
                self._rest = memoryview(_decompressed_from(self._file, self._delivered))
            count = min(len(target), len(self._rest))
            target[:count] = self._rest[:count]
            self._rest = self._rest[count:]
        return count


class DbnFile:
    """A `.dbn` or `.dbn.zst` file that was checked and whose metadata was read.

    Args:
        path: The file.
        size: How many of its bytes there are to be, of a file that still grows.

    Raises:
        InputError: It is missing, a folder, unreadable, empty, or not DBN.
    """

    def __init__(self, path: Path, size: int | None = None) -> None:
        self.path = path
        self.size = min(_checked_size(path), size or sys.maxsize)
        try:
            with path.open("rb") as file:
                source, stream = _open_stream(file, path, self.size)
                self.version, raw = _read_metadata(stream, path)
                self.compressed = source.walker is not None
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}.") from error
        except zstandard.ZstdError as error:
            raise InputError(f"{path} is not a readable zstd file: {error}.") from error
        self._metadata_bytes = len(raw)
        try:
            metadata = dbn.Metadata.decode(raw)
        except (dbn.DBNError, ValueError, OverflowError) as error:
            raise InputError(
                f"{path} has DBN metadata that cannot be read ({error}). Download it again."
            ) from error
        # The library keeps what stands behind the name's end.
        self.dataset = metadata.dataset.partition("\0")[0]
        self.schema = str(metadata.schema) if metadata.schema is not None else ""
        self.ts_out = bool(metadata.ts_out)
        self.start_ns = int(metadata.start)
        self.end_ns = int(metadata.end or 0)
        self.symbology = Symbology(metadata)

    def blocks(
        self, stop: threading.Event, at: int = 0, copy: SeekableCopy | None = None
    ) -> BlockReader:
        """Begin to read the records in a thread; `stop` ends it early.

        Args:
            stop: Ends it early.
            at: How many bytes of records to pass over.
            copy: Receives what is read; only from the first record on.
        """
        return BlockReader(lambda reader: self._read_into(stop, reader, at, copy), at)

    def _read_into(
        self, stop: threading.Event, reader: BlockReader, at: int, copy: SeekableCopy | None
    ) -> None:
        """Fill the reader's blocks until the file ends or `stop` is set (its thread's work)."""
        delivered = at
        ending = Ending()
        try:
            with self.path.open("rb") as file:
                source, stream = _open_stream(file, self.path, self.size)
                if self.compressed:
                    _skip(stream, self._metadata_bytes + at)
                else:
                    file.seek(self._metadata_bytes + at)
                    source.consumed = self._metadata_bytes + at
                while (buffer := reader.free_block(stop)) is not None:
                    count = _fill(stream, buffer.data[HEADROOM_BYTES:])
                    if count == 0:
                        break
                    end = HEADROOM_BYTES + count
                    if copy is not None:
                        copy.add(delivered, buffer.data[HEADROOM_BYTES:end], source.consumed)
                    reader.hand_over(Block(buffer, HEADROOM_BYTES, end, source.consumed, delivered))
                    delivered += count
                if source.walker is not None and not source.walker.complete:
                    ending = Ending(f"{self.path.name} is cut off in the middle of a zstd frame")
        except zstandard.ZstdError as error:
            self._hand_over_rest(delivered, stop, reader, copy)
            ending = Ending(f"{self.path.name} has a corrupt zstd frame ({error})", corrupt=True)
        except OSError as error:
            self._hand_over_rest(delivered, stop, reader, copy)
            ending = Ending(f"{self.path.name} cannot be read on: {error.strerror}", corrupt=True)
        reader.finish(ending)

    def _hand_over_rest(
        self,
        delivered: int,
        stop: threading.Event,
        reader: BlockReader,
        copy: SeekableCopy | None,
    ) -> None:
        """Read what stands between the last block and the bad place, byte by byte.

        Nothing is kept of a call that fails: only the smallest calls lose nothing.
        """
        buffer = reader.free_block(stop)
        if buffer is None:
            return
        count = 0
        with suppress(zstandard.ZstdError, OSError), self.path.open("rb") as file:
            _, stream = _open_stream(file, self.path, self.size)
            _skip(stream, self._metadata_bytes + delivered)
            target = buffer.data[HEADROOM_BYTES:]
            while count < len(target) and stream.readinto(target[count : count + 1]):
                count += 1
        end = HEADROOM_BYTES + count
        if copy is not None:
            copy.add(delivered, buffer.data[HEADROOM_BYTES:end], self.size)
        reader.hand_over(Block(buffer, HEADROOM_BYTES, end, self.size, delivered))


class BlockReader:
    """Blocks of one file, made by a thread that decompresses ahead of whoever iterates.

    Args:
        fill: Fills its blocks and says when there are no more; run in the thread.
        at: The place of the first byte among all bytes of records of the file.
    """

    def __init__(self, fill: Callable[[BlockReader], None], at: int = 0) -> None:
        self._free: queue.SimpleQueue[NDArray[np.uint8]] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[Block | Ending] = queue.SimpleQueue()
        for _ in range(BLOCKS):
            self._free.put(np.zeros(HEADROOM_BYTES + BLOCK_BYTES, np.uint8))
        self.ending: Ending | None = None
        self.next_at = at
        self._filled_at = at
        self._thread = threading.Thread(
            target=fill, args=(self,), name="stockscan-read", daemon=True
        )
        self._thread.start()

    def __iter__(self) -> Iterator[Block]:
        while (block := self.next_block()) is not None:
            yield block

    def next_block(self) -> Block | None:
        """Return the next block, waiting for it; None at the end, when `ending` says why."""
        if self.ending is not None:
            return None
        item = self._full.get()
        if isinstance(item, Ending):
            self.ending = item
            return None
        self.next_at = item.at + item.end - item.start
        return item

    def release(self, block: Block) -> None:
        """Give a block back to be filled again."""
        self._free.put(block.data)

    def free_block(self, stop: threading.Event) -> NDArray[np.uint8] | None:
        """Return a buffer to fill, None once `stop` is set (the reading thread's side)."""
        while not stop.is_set():
            try:
                return self._free.get(timeout=0.2)
            except queue.Empty:
                continue
        return None

    def hand_over(self, block: Block) -> None:
        """Pass a filled block on (the reading thread's side)."""
        self._full.put(block)

    def deliver(self, piece: memoryview, consumed: int, stop: threading.Event) -> bool:
        """Pass bytes on, at most a block of them; False once `stop` is set (the thread's side)."""
        buffer = self.free_block(stop)
        if buffer is None:
            return False
        end = HEADROOM_BYTES + len(piece)
        buffer[HEADROOM_BYTES:end] = piece
        self.hand_over(Block(buffer, HEADROOM_BYTES, end, consumed, self._filled_at))
        self._filled_at += len(piece)
        return True

    def finish(self, ending: Ending) -> None:
        """Say that no more blocks come (the reading thread's side)."""
        self._full.put(ending)


def _checked_size(path: Path) -> int:
    if path.is_dir():
        raise InputError(f"{path} is a folder. Name the DBN files in it, as in {path}/*.dbn.zst.")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror}.") from error
    if size == 0:
        raise InputError(f"{path} is empty. Download or record it again.")
    return size


def _open_stream(file: BinaryIO, path: Path, size: int) -> tuple[_Source, _Readable]:
    """Return the counted source and the stream of DBN bytes, decompressed where need be."""
    head = file.read(4)
    file.seek(0)
    if head[:3] == MAGIC:
        source = _Source(file, None, size)
        return source, source
    if head == FRAME_MAGIC or head in SKIPPABLE_MAGICS:
        walker = FrameWalker()
        source = _Source(file, walker, size)
        return source, _Decompressed(file, source, walker)
    hint = " Convert it with `dbn` first." if path.suffix == ".dbz" else ""
    what = "is in the old DBZ encoding" if path.suffix == ".dbz" else "is not a DBN file"
    raise InputError(f"{path} {what}: it begins with {head!r}, not with 'DBN' or zstd.{hint}")


def _decompressor() -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)


def _decompressed_from(file: BinaryIO, start: int) -> bytes:
    """Decompress a file that ends in mid-frame anew; returns its bytes from `start` on."""
    file.seek(0)
    frame = _decompressor().decompressobj(read_across_frames=True)
    done, kept = 0, []
    while piece := file.read(SMALL_READ_BYTES):
        made = frame.decompress(piece)
        kept.append(made[max(start - done, 0) :])
        done += len(made)
    return b"".join(kept)


def _fill(stream: _Readable, target: memoryview) -> int:
    """Read until `target` is full or the stream ends; returns the bytes read."""
    count = 0
    while count < len(target):
        got = stream.readinto(target[count:])
        if not got:
            break
        count += got
    return count


def _read_exactly(stream: _Readable, size: int) -> bytes:
    buffer = bytearray(size)
    return bytes(buffer[: _fill(stream, memoryview(buffer))])


def _skip(stream: _Readable, size: int) -> None:
    while size > 0:
        size -= len(_read_exactly(stream, min(size, BLOCK_BYTES))) or size


def _read_metadata(stream: _Readable, path: Path) -> tuple[int, bytes]:
    """Return the DBN version and the metadata's bytes, prelude included."""
    prelude = _read_exactly(stream, 8)
    if len(prelude) < 8 or prelude[:3] != MAGIC:
        raise InputError(f"{path} is not a DBN file: its content begins with {prelude[:4]!r}.")
    version = prelude[3]
    if not 1 <= version <= _NEWEST_VERSION:
        raise InputError(
            f"{path} has DBN version {version}; this program reads 1 to {_NEWEST_VERSION}. "
            "Upgrade stockscan."
        )
    length = int.from_bytes(prelude[4:8], "little")
    if length > MAX_METADATA_BYTES:
        raise InputError(f"{path} claims {length:,} bytes of metadata: it is not a sound DBN file.")
    body = _read_exactly(stream, length)
    if len(body) < length:
        raise InputError(f"{path} is cut off within its metadata. Download it again.")
    return version, prelude + body
