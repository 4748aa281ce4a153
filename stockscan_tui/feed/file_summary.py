"""Which DBN files a folder holds, and what each is, from its metadata alone.

The layout is that of the DBN specification, https://databento.com/docs/standards-and-conventions/
databento-binary-encoding. The mappings are counted and not decoded: of a whole market that
would take twenty times as long.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard

from stockscan_tui.feed.zstd_frames import FRAME_MAGIC, SKIPPABLE_MAGICS
from stockscan_tui.market.dbn import MAGIC, UNDEF_TIMESTAMP

ENDINGS = (".dbn", ".dbn.zst")
HEAD_BYTES = 4
MAX_METADATA_BYTES = 1 << 28
MAX_WINDOW_BYTES = 1 << 27
_NEWEST_VERSION = 3
_READ_BYTES = 1 << 17
# Dataset, schema, start, end, limit; the first version counted its records too.
_FIXED = struct.Struct("<16sHQQQ")
_FIXED_BYTES = 100
_SYMBOL_BYTES_AT = {2: 45, 3: 45}
_FIRST_SYMBOL_BYTES = 22
_MIXED_SCHEMA = 0xFFFF


@dataclass(frozen=True, slots=True)
class FileSummary:
    """What one file holds.

    Attributes:
        dataset: Databento's name of it, as the file has it: text from outside.
        schema: The kind of records; `mixed` where there may be several.
        first_ns: Where its records begin, in ns since 1970; None where it does not say.
        last_ns: The instant before which they end; None where it does not say.
        symbols: How many the metadata names; 0 of a live capture, whose records name them.
        size: The bytes on the disk.
        problem: Why it cannot be read, in a few words; empty where it can be.
    """

    dataset: str = ""
    schema: str = ""
    first_ns: int | None = None
    last_ns: int | None = None
    symbols: int = 0
    size: int = 0
    problem: str = ""


class _UnsoundError(Exception):
    """The file is not one that can be read; its text says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder, or a file that may be DBN."""

    path: Path
    is_folder: bool

    @property
    def order(self) -> tuple[bool, str, str]:
        """Return what entries are sorted by: folders first, then by name."""
        name = self.path.name
        return not self.is_folder, name.casefold(), name


def entries_of(folder: Path, cancelled: Callable[[], bool]) -> tuple[list[Entry], list[Entry]]:
    """Return what a folder holds by name alone: folders and DBN files in order, and other files.

    Hidden names are left out, and so is what is neither a folder nor a regular file.

    Args:
        folder: The folder.
        cancelled: Asked now and then; once it says so, what was found so far is returned.

    Raises:
        OSError: It cannot be read.
    """
    known: list[Entry] = []
    others: list[Entry] = []
    with os.scandir(folder) as found:
        for item in found:
            if cancelled():
                break
            entry = None if item.name.startswith(".") else _entry(item)
            if entry is not None:
                named = entry.is_folder or item.name.casefold().endswith(ENDINGS)
                (known if named else others).append(entry)
    return sorted(known, key=lambda entry: entry.order), others


def that_look_like_dbn(entries: Iterable[Entry], cancelled: Callable[[], bool]) -> list[Entry]:
    """Return those files that begin as DBN or zstd does, whatever their names."""
    return [entry for entry in entries if not cancelled() and looks_like_dbn(entry.path)]


def _entry(item: os.DirEntry[str]) -> Entry | None:
    try:
        if item.is_dir():
            return Entry(Path(item.path), is_folder=True)
        return Entry(Path(item.path), is_folder=False) if item.is_file() else None
    except OSError:
        return None


def completed(text: str, folder: Path) -> tuple[str, list[str]]:
    """Return a path being typed, as far as the names there complete it, and the names it may mean.

    Args:
        text: What is typed: absolute, from `~`, or from `folder`.
        folder: Where a relative path begins.
    """
    before, slash, begun = text.rpartition("/")
    place = folder / Path(before + slash).expanduser()
    try:
        with os.scandir(place) as found:
            names = sorted(
                item.name + ("/" if item.is_dir() else "")
                for item in found
                if item.name.startswith(begun) and (begun or not item.name.startswith("."))
            )
    except (OSError, ValueError):
        return text, []
    # Sign by sign, as is wanted of names.
    common = os.path.commonprefix(names)  # noqa: RUF071
    return before + slash + (common or begun), names


def looks_like_dbn(path: Path) -> bool:
    """Return whether a file begins as DBN or zstd does; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return _begins_well(file.read(HEAD_BYTES))
    except OSError:
        return False


def file_summary(path: Path) -> FileSummary:
    """Return what a `.dbn` or `.dbn.zst` file holds; only its metadata is read, never a record.

    Nothing is raised for a file: what is wrong with it is its `problem`.
    """
    size = 0
    try:
        if not path.is_file():
            raise _UnsoundError("it is not a file" if path.exists() else "it is not there")
        size = path.stat().st_size
        with path.open("rb") as file:
            return _read(file, size)
    except _UnsoundError as unsound:
        return FileSummary(size=size, problem=str(unsound))
    except zstandard.ZstdError:
        return FileSummary(size=size, problem="not sound zstd data")
    except OSError as error:
        return FileSummary(size=size, problem=error.strerror or "it cannot be read")


def _begins_well(head: bytes) -> bool:
    return head[:3] == MAGIC or head == FRAME_MAGIC or head in SKIPPABLE_MAGICS


def _read(file: BinaryIO, size: int) -> FileSummary:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not head:
        raise _UnsoundError("empty")
    if not _begins_well(head):
        old = head[:3] == b"DBZ"
        raise _UnsoundError("the old DBZ encoding" if old else "not a DBN file")
    if head[:3] == MAGIC:
        return _summary(file.read, size)
    zstd = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    with zstd.stream_reader(
        file, read_size=_READ_BYTES, read_across_frames=True, closefd=False
    ) as stream:
        return _summary(stream.read, size)


def _summary(read: Callable[[int], bytes], size: int) -> FileSummary:
    prelude = _exactly(read, 8, "not a DBN file")
    if prelude[:3] != MAGIC:
        raise _UnsoundError("zstd data that is not DBN")
    version, length = prelude[3], int.from_bytes(prelude[4:], "little")
    if not 1 <= version <= _NEWEST_VERSION:
        raise _UnsoundError(f"DBN version {version}, newer than this program")
    if not _FIXED_BYTES <= length <= MAX_METADATA_BYTES:
        raise _UnsoundError("not a sound DBN file")
    fixed = _exactly(read, _FIXED_BYTES)
    dataset, schema, first_ns, last_ns, _ = _FIXED.unpack_from(fixed)
    at = _SYMBOL_BYTES_AT.get(version)
    each = int.from_bytes(fixed[at : at + 2], "little") if at else _FIRST_SYMBOL_BYTES
    symbols = _count_mappings(read, length - _FIXED_BYTES, each)
    return FileSummary(
        dataset=dataset.split(b"\0", 1)[0].decode("utf-8", "replace"),
        schema=_schema_name(schema),
        first_ns=_instant(first_ns),
        last_ns=_instant(last_ns),
        symbols=symbols,
        size=size,
    )


def _count_mappings(read: Callable[[int], bytes], left: int, each: int) -> int:
    """Return the number of mappings, and read on to the end of the `left` bytes of metadata.

    Before them stand a schema definition and three lists of symbols of `each` bytes: those asked
    for, those found in part, and those not found.
    """
    count = 0
    for width in (1, each, each, each, 0):
        count = int.from_bytes(_exactly(read, 4), "little")
        left -= 4 + count * width
        if left < 0:
            raise _UnsoundError("not a sound DBN file")
        _pass_over(read, count * width)
    _pass_over(read, left)
    return count


def _exactly(read: Callable[[int], bytes], size: int, otherwise: str = "") -> bytes:
    data = b""
    while len(data) < size:
        piece = read(size - len(data))
        if not piece:
            raise _UnsoundError(otherwise or "cut off within its metadata")
        data += piece
    return data


def _pass_over(read: Callable[[int], bytes], size: int) -> None:
    while size > 0:
        piece = read(min(size, _READ_BYTES))
        if not piece:
            raise _UnsoundError("cut off within its metadata")
        size -= len(piece)


def _instant(ns: int) -> int | None:
    return None if ns in (0, UNDEF_TIMESTAMP) else ns


def _schema_name(number: int) -> str:
    import databento_dbn as dbn  # noqa: PLC0415

    if number == _MIXED_SCHEMA:
        return "mixed"
    # The library lists them in the order of their numbers.
    names = [str(schema) for schema in dbn.Schema.variants()]
    if number >= len(names):
        raise _UnsoundError(f"a schema that is not known, number {number}")
    return names[number]
