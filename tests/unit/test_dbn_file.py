"""One file as blocks of bytes, wherever it is cut or damaged; the oracle is zstandard itself."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.errors import InputError
from stockscan_tui.feed import dbn_file
from stockscan_tui.feed.dbn_file import DbnFile, Ending
from stockscan_tui.feed.zstd_frames import FrameWalker
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.dbn import TRADE_DTYPE
from tests import wire
from tests.playing import play

SYMBOLS = {"AAA": 1, "BBB": 2}
TRADES = wire.trades([(wire.OPEN_NS + n * SECOND_NS, 1 + n % 2, 10 + n % 5, 7) for n in range(24)])
HEAD = wire.metadata("trades", SYMBOLS)
BODY = TRADES.tobytes()
RAW = HEAD + BODY
SIZE = TRADE_DTYPE.itemsize


def packed(raw: bytes, *, checksum: bool = True) -> bytes:
    """Return `raw` as one zstd frame."""
    return zstandard.ZstdCompressor(write_checksum=checksum).compress(raw)


def skippable(size: int, low: int = 0x5A) -> bytes:
    """Return a frame that decompressors pass over."""
    return bytes([low, 0x2A, 0x4D, 0x18]) + size.to_bytes(4, "little") + bytes(size)


def delivered(path: Path) -> tuple[bytes, Ending]:
    """Return a file's record bytes and how it ended."""
    reader = DbnFile(path).blocks(threading.Event())
    pieces = []
    for block in reader:
        pieces.append(block.data[block.start : block.end].tobytes())
        reader.release(block)
    assert reader.ending is not None
    return b"".join(pieces), reader.ending


def decompressible(data: bytes) -> tuple[bytes, bool]:
    """Return what zstandard itself makes of the frames in `data`, and if the last is whole."""
    found, whole = b"", True
    while data:
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        found += decompressor.decompress(data)
        whole = decompressor.eof
        data = decompressor.unused_data if whole else b""
    return found, whole


def test_a_file_that_may_not_be_read_is_named_with_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wire.write(tmp_path / "locked.dbn", RAW)
    opening = Path.open

    def refuse(self: Path, *arguments: Any, **named: Any) -> Any:
        if self == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return opening(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"locked\.dbn cannot be read: Permission denied\."):
        DbnFile(path)


def test_a_disk_that_fails_in_mid_file_ends_it_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wire.write(tmp_path / "bad-disk.dbn", RAW)
    file = DbnFile(path)
    opening = Path.open

    class Failing:
        def __init__(self, inner: Any) -> None:
            self._inner = inner
            self._left = len(HEAD) + 10 * SIZE

        def __enter__(self) -> Failing:
            return self

        def __exit__(self, *_: object) -> None:
            self._inner.close()

        def read(self, size: int) -> bytes:
            found: bytes = self._inner.read(size)
            return found

        def seek(self, to: int) -> None:
            self._inner.seek(to)

        def readinto(self, target: memoryview) -> int:
            if self._left == 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            count: int = self._inner.readinto(target[: self._left])
            self._left -= count
            return count

    monkeypatch.setattr(Path, "open", lambda self, mode: Failing(opening(self, mode)))
    reader = file.blocks(threading.Event())
    got = b"".join(block.data[block.start : block.end].tobytes() for block in reader)
    assert reader.ending == Ending(
        "bad-disk.dbn cannot be read on: Input/output error", corrupt=True
    )
    assert got == BODY[: 10 * SIZE]


def test_metadata_cut_anywhere_is_refused_compressed_or_not(tmp_path: Path) -> None:
    for cut in range(1, len(HEAD)):
        for name, content in (("cut.dbn", HEAD[:cut]), ("cut.dbn.zst", packed(HEAD[:cut]))):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(InputError, match=r"not a DBN file|cut off within its metadata"):
                DbnFile(tmp_path / name)


@given(noise=st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_metadata_of_arbitrary_bytes_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.dbn"
    for version in (1, 2, 3):
        path.write_bytes(b"DBN" + bytes([version]) + len(noise).to_bytes(4, "little") + noise)
        try:
            DbnFile(path)
        except InputError as error:
            assert "metadata that cannot be read" in str(error)  # noqa: PT017


def test_metadata_with_any_byte_changed_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "flip.dbn"
    for at in range(len(HEAD)):
        for change in (0x01, 0x80, 0xFF):
            content = bytearray(RAW)
            content[at] ^= change
            path.write_bytes(content)
            try:
                DbnFile(path)
            except InputError as error:
                assert str(path) in str(error)  # noqa: PT017


@pytest.mark.parametrize("checksum", [True, False])
def test_a_compressed_file_cut_anywhere_gives_every_byte_that_can_be_decompressed(
    tmp_path: Path, checksum: bool
) -> None:
    frames = [packed(RAW[:700], checksum=checksum), packed(RAW[700:], checksum=checksum)]
    whole = b"".join(frames)
    path = tmp_path / "cut.dbn.zst"
    ends = {len(frames[0]), len(whole)}
    for cut in range(9, len(whole) + 1):
        path.write_bytes(whole[:cut])
        expected, complete = decompressible(whole[:cut])
        assert complete == (cut in ends)
        if len(expected) < len(HEAD):
            with pytest.raises(InputError, match=r"not a DBN file|cut off within its metadata"):
                DbnFile(path)
            continue
        got, ending = delivered(path)
        assert got == expected[len(HEAD) :]
        assert bool(ending.error) != complete
        assert not ending.corrupt


@pytest.mark.parametrize("room", [48, 1_000, 1 << 20])
def test_a_cut_between_the_blocks_of_a_frame_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """There the decompressor still holds bytes, but wants no more input to give them out."""
    monkeypatch.setattr(dbn_file, "BLOCK_BYTES", room)
    raw = HEAD + wire.random_rows(1, 5_000, 2, minutes=30).tobytes()
    whole = packed(raw)
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    grown = [at for at in range(len(whole)) if decompressor.decompress(whole[at : at + 1])]
    assert len(grown) > 2
    path = tmp_path / "cut.dbn.zst"
    for at in grown:
        path.write_bytes(whole[: at + 1])
        got, ending = delivered(path)
        assert got == decompressible(whole[: at + 1])[0][len(HEAD) :]
        assert ending == Ending("cut.dbn.zst is cut off in the middle of a zstd frame")


def test_whole_records_before_a_cut_are_played_and_the_cut_is_said(tmp_path: Path) -> None:
    content = (packed(RAW[:700]) + packed(RAW[700:]))[:-4]
    path = tmp_path / "cut.dbn.zst"
    path.write_bytes(content)
    played = play(path)
    whole = (len(decompressible(content)[0]) - len(HEAD)) // SIZE
    assert played.outcome.health.trades == whole == len(TRADES)
    assert played.outcome.health.problems == (
        "cut.dbn.zst is cut off in the middle of a zstd frame: 24 records were used, "
        "up to 2026-06-15 09:30:23 New York",
    )
    assert not played.outcome.corrupt


def test_any_byte_changed_in_a_checked_frame_never_passes_unseen(tmp_path: Path) -> None:
    first, second = packed(RAW[:700]), packed(RAW[700:])
    path = tmp_path / "flip.dbn.zst"
    for at in range(len(second)):
        content = bytearray(first + second)
        content[len(first) + at] ^= 0x5A
        path.write_bytes(content)
        got, ending = delivered(path)
        assert ending.error or got == BODY
        # What the sound frame before it holds is never lost.
        assert got.startswith(RAW[len(HEAD) : 700])


@pytest.mark.parametrize(
    "frames",
    [
        (packed(RAW[:500]), packed(RAW[500:])),
        (packed(b""), packed(RAW)),
        (packed(RAW[:500]), *[packed(b"")] * 300, packed(RAW[500:])),
        (skippable(0), packed(RAW)),
        (skippable(12, 0x50), packed(RAW[:500]), skippable(700_000, 0x5F), packed(RAW[500:])),
        (packed(RAW), skippable(5)),
        tuple(packed(RAW[at : at + 31]) for at in range(0, len(RAW), 31)),
    ],
    ids=["two", "empty first", "empty between", "skippable first", "between", "last", "tiny"],
)
def test_frames_of_all_kinds_are_one_stream(tmp_path: Path, frames: tuple[bytes, ...]) -> None:
    path = tmp_path / "frames.dbn.zst"
    path.write_bytes(b"".join(frames))
    assert delivered(path) == (BODY, Ending())


@pytest.mark.parametrize("tail", [b"abc", bytes(4096), b"no frame at all, but text"])
def test_what_stands_behind_the_last_frame_is_said(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "tail.dbn.zst"
    path.write_bytes(packed(RAW) + tail)
    got, ending = delivered(path)
    assert got == BODY
    assert ending.corrupt
    assert "corrupt zstd frame" in ending.error


def test_a_record_that_runs_past_the_end_is_said(tmp_path: Path) -> None:
    long = TRADES[-1:].copy()
    long["length"] = 255
    path = wire.write(tmp_path / "long.dbn", HEAD, TRADES[:-1], long)
    played = play(path)
    assert played.outcome.health.trades == len(TRADES) - 1
    assert (
        "ends in the middle of a record: 23 records were used"
        in (played.outcome.health.problems[0])
    )


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("ts_out", [False, True])
def test_every_version_plays_with_and_without_send_times(
    tmp_path: Path, version: int, ts_out: bool
) -> None:
    head = wire.metadata("trades", SYMBOLS, version=version, ts_out=ts_out)
    records = b"".join(with_send_time(BODY, ts_out=ts_out))
    played = play(wire.write(tmp_path / "v.dbn.zst", head, records))
    plain = play(wire.write(tmp_path / "plain.dbn", RAW))
    assert played.sink.bars == plain.sink.bars
    assert played.outcome.health.records == len(TRADES)
    assert played.outcome.health.problems == ()


def with_send_time(records: bytes, *, ts_out: bool) -> Iterator[bytes]:
    """Yield the trades as they are, or each with the eight bytes of `ts_out` behind it."""
    for at in range(0, len(records), SIZE):
        record = records[at : at + SIZE]
        longer = bytes([(SIZE + 8) // 4]) + record[1:] + wire.OPEN_NS.to_bytes(8, "little")
        yield longer if ts_out else record


def test_reading_ends_when_it_is_told_to(tmp_path: Path) -> None:
    path = wire.write(tmp_path / "day.dbn", RAW)
    stop = threading.Event()
    stop.set()
    reader = DbnFile(path).blocks(stop)
    assert list(reader) == []
    assert reader.next_block() is None
    assert reader.ending == Ending()


_FRAME = st.builds(
    lambda content, checksum, size, level: zstandard.ZstdCompressor(
        level=level, write_checksum=checksum, write_content_size=size
    ).compress(content),
    st.one_of(
        st.binary(max_size=400),
        st.integers(0, 300_000).map(bytes),
        st.binary(min_size=1, max_size=9).map(lambda piece: piece * 997),
    ),
    st.booleans(),
    st.booleans(),
    st.integers(1, 6),
)


@given(
    frames=st.lists(st.one_of(_FRAME, st.integers(0, 40).map(skippable)), min_size=1, max_size=4),
    share=st.floats(0, 1),
    chunk=st.integers(1, 64),
)
@settings(max_examples=200, deadline=None)
def test_a_stream_is_complete_exactly_where_zstandard_ends_a_frame(
    frames: list[bytes], share: float, chunk: int
) -> None:
    whole = b"".join(frames)
    data = whole[: round(share * len(whole))]
    walker = FrameWalker()
    for at in range(0, len(data), chunk):
        walker.feed(data[at : at + chunk])
    assert walker.complete == _ends_whole(data)


def _ends_whole(data: bytes) -> bool:
    """Whether zstandard takes all of `data` for whole frames."""
    while data:
        if data[1:4] == b"\x2a\x4d\x18" and 0x50 <= data[0] < 0x60:
            size = 8 + int.from_bytes(data[4:8], "little")
            if len(data) < max(size, 8):
                return False
            data = data[size:]
            continue
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        decompressor.decompress(data)
        if not decompressor.eof:
            return False
        data = decompressor.unused_data
    return True
