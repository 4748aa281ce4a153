"""Files that are missing, damaged, foreign or lying: what is said, and what is still used."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.errors import InputError, StockscanError
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.zstd_frames import FrameWalker
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from tests import wire
from tests.playing import play

SYMBOLS = {"AAA": 1, "BBB": 2}
TRADES = wire.trades([(wire.OPEN_NS + n * SECOND_NS, 1 + n % 2, 10 + n % 5, 7) for n in range(50)])


def refusal(path: Path) -> str:
    """Return what is said of a file that cannot be used."""
    with pytest.raises(InputError) as caught:
        DbnFile(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_missing_path_a_folder_and_an_empty_file_are_named(tmp_path: Path) -> None:
    assert "cannot be opened" in refusal(tmp_path / "none.dbn")
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "empty.dbn").touch()
    assert "is empty" in refusal(tmp_path / "empty.dbn")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.dbn", b"symbol,close\nA,1\n", "not a DBN file"),
        ("a.dbz", b"\x51\x2a\x4d\x18abcd", "not a DBN file|cut off|not a readable"),
        ("b.dbz", b"DBZ\x01........", "old DBZ encoding"),
        ("a.dbn", b"DBN", "not a DBN file"),
        ("a.dbn", b"DBN\x09\x10\x00\x00\x00", "version 9"),
        ("a.dbn", b"DBN\x03\xff\xff\xff\xff", "claims"),
        ("a.dbn", b"DBN\x03\x40\x00\x00\x00abc", "cut off within its metadata"),
        (
            "a.dbn",
            b"DBN\x03\x08\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff",
            "metadata that cannot",
        ),
        ("a.dbn.zst", zstandard.compress(b"hello, world"), "not a DBN file"),
        ("a.dbn.zst", b"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff", "not a readable zstd|not a DBN"),
    ],
)
def test_what_is_not_dbn_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert any(part in refusal(path) for part in said.split("|"))


def test_a_file_cut_anywhere_gives_all_its_whole_records(tmp_path: Path) -> None:
    meta = wire.metadata("trades", SYMBOLS)
    raw = wire.joined(meta, TRADES)
    for cut in range(len(meta), len(raw), 31):
        path = tmp_path / "cut.dbn"
        path.write_bytes(raw[:cut])
        played = play(path)
        whole, rest = divmod(cut - len(meta), 48)
        assert played.outcome.health.trades == whole
        problems = played.outcome.health.problems
        assert bool(problems) == bool(rest)
        if rest:
            assert "middle of a record" in problems[0]


def test_a_zstd_file_cut_anywhere_gives_what_can_be_read(tmp_path: Path) -> None:
    raw = wire.joined(wire.metadata("trades", SYMBOLS), TRADES)
    halves = zstandard.compress(raw[:2000]) + zstandard.compress(raw[2000:])
    path = tmp_path / "cut.dbn.zst"
    counts: list[int] = []
    for cut in range(40, len(halves), 3):
        path.write_bytes(halves[:cut])
        try:
            played = play(path)
        except InputError:
            # Cut before or within the metadata.
            assert not counts
            continue
        counts.append(played.outcome.health.trades)
        boundary = len(zstandard.compress(raw[:2000]))
        assert played.outcome.health.problems or cut == boundary
    assert counts == sorted(counts)
    path.write_bytes(halves)
    whole = play(path)
    assert whole.outcome.health.trades == 50
    assert whole.outcome.health.problems == ()


def test_a_corrupt_frame_ends_the_run_and_is_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    raw = wire.joined(wire.metadata("trades", SYMBOLS), TRADES, rng.bytes(1_000))
    good = zstandard.compress(wire.joined(wire.metadata("trades", SYMBOLS), TRADES))
    bad = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(raw))
    bad[-200] ^= 0xFF
    path = tmp_path / "corrupt.dbn.zst"
    path.write_bytes(good + bytes(bad))
    played = play(path)
    assert played.outcome.corrupt
    assert played.outcome.health.trades == 50
    assert "corrupt" in played.outcome.health.problems[0]


def test_a_record_without_length_ends_the_file_there(tmp_path: Path) -> None:
    broken = wire.trades([(wire.OPEN_NS + MINUTE_NS, 1, 10, 1)])
    broken["length"] = 0
    meta = wire.metadata("trades", SYMBOLS)
    played = play(wire.write(tmp_path / "zero.dbn", meta, TRADES, broken, TRADES))
    assert played.outcome.corrupt
    assert played.outcome.health.trades == 50
    assert "without length" in played.outcome.health.problems[0]


@pytest.mark.parametrize("said", ["trades", "mbp-1", "ohlcv-1d", "definition"])
def test_metadata_that_lies_about_the_schema_does_no_harm(tmp_path: Path, said: str) -> None:
    rows = wire.rows_with_trade(TRADES)
    for records in (rows, TRADES):
        path = wire.write(tmp_path / "lie.dbn", wire.metadata(said, SYMBOLS), records)
        assert play(path).outcome.health.trades == 50


def test_records_too_short_for_their_type_and_unknown_types_are_counted(tmp_path: Path) -> None:
    short = TRADES.copy()
    short["rtype"] = 1
    strange = TRADES.copy()
    strange["rtype"] = 0xEE
    meta = wire.metadata("mbp-1", SYMBOLS)
    played = play(wire.write(tmp_path / "x.dbn", meta, short, strange, TRADES))
    assert played.outcome.health.unknown_records == 100
    assert played.outcome.health.trades == 50


def test_a_file_without_trades_or_without_any_record_plays(tmp_path: Path) -> None:
    quotes = wire.quotes([(wire.OPEN_NS, 1, 10.0, 10.02)])
    meta = wire.metadata("mbp-1", SYMBOLS)
    played = play(wire.write(tmp_path / "quotes.dbn", meta, quotes))
    assert (played.outcome.health.bars, played.value("mark", "AAA")) == (0, 10.01)
    empty = play(wire.write(tmp_path / "none.dbn.zst", meta))
    assert empty.outcome.health.records == 0


def test_send_timestamps_are_stepped_over(tmp_path: Path) -> None:
    stamped = b"".join(
        bytes([14]) + record.tobytes()[1:] + (wire.OPEN_NS).to_bytes(8, "little")
        for record in TRADES
    )
    meta = wire.metadata("trades", SYMBOLS, ts_out=True)
    played = play(wire.write(tmp_path / "out.dbn", meta, stamped))
    plain = play(wire.write(tmp_path / "in.dbn", wire.metadata("trades", SYMBOLS), TRADES))
    assert played.sink.bars == plain.sink.bars


@given(data=st.binary(max_size=4_000), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_arbitrary_bytes_as_records_never_crash(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, seed: int
) -> None:
    """Also real records with bytes flipped, of all types that the loop reads."""
    rng = np.random.default_rng(seed)
    mixed = bytearray(
        wire.joined(TRADES, wire.random_rows(seed, 60, 2, 5), wire.mapping_record(1, "AAA"))
    )
    for at in rng.integers(0, len(mixed), 20):
        mixed[at] = int(rng.integers(0, 256))
    folder = tmp_path_factory.mktemp("fuzz")
    path = wire.write(folder / "x.dbn", wire.metadata(None, SYMBOLS), bytes(mixed), data)
    # Times a century off are refused by the calendar; nothing else may end the run.
    with suppress(StockscanError):
        play(path)


@given(
    pieces=st.lists(st.binary(max_size=3_000), min_size=1, max_size=4),
    cut=st.integers(0, 20_000),
    chunk=st.integers(1, 500),
)
@settings(max_examples=200, deadline=None)
def test_frames_are_complete_where_the_decompressor_says_so(
    pieces: list[bytes], cut: int, chunk: int
) -> None:
    frames = [zstandard.ZstdCompressor(write_checksum=n % 2 == 0).compress(piece)
              for n, piece in enumerate(pieces)]  # fmt: skip
    whole = b"".join(frames)
    cut = min(cut, len(whole))
    ends = {sum(map(len, frames[: n + 1])) for n in range(len(frames))} | {0}
    walker = FrameWalker()
    for at in range(0, cut, chunk):
        walker.feed(whole[at : min(at + chunk, cut)])
    assert walker.complete == (cut in ends)
