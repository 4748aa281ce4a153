"""What a list of files says of each, held against the official library's reading of it."""

from __future__ import annotations

import struct
from datetime import date
from pathlib import Path
from typing import Any

import databento_dbn as dbn
import pytest
import zstandard

from stockscan_tui.feed.file_summary import FileSummary, file_summary, looks_like_dbn
from stockscan_tui.market.calendar import DAY_NS
from tests.wire import DAY, OPEN_NS, metadata, trades, write


@pytest.mark.parametrize("name", ["day.dbn", "day.dbn.zst"])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_it_says_what_the_library_reads(tmp_path: Path, name: str, version: int) -> None:
    symbols = {f"S{n}": n + 1 for n in range(300)}
    head = metadata("trades", symbols, version=version)
    path = write(tmp_path / name, head, trades([(OPEN_NS, 1, 12.0, 100)]))
    read = dbn.Metadata.decode(head)
    assert file_summary(path) == FileSummary(
        dataset=read.dataset,
        schema=str(read.schema),
        first_ns=read.start,
        last_ns=None,
        symbols=len(read.mappings),
        size=path.stat().st_size,
    )


@pytest.mark.parametrize("schema", [str(schema) for schema in dbn.Schema.variants()])
def test_every_schema_has_its_name(tmp_path: Path, schema: str) -> None:
    assert file_summary(write(tmp_path / "x.dbn", metadata(schema))).schema == schema


def test_an_end_is_told_where_the_file_has_one_and_a_live_capture_is_mixed(tmp_path: Path) -> None:
    into: Any = dbn.SType.INSTRUMENT_ID
    lists: Any = {"symbols": ["A", "B", "C"], "partial": ["A"], "not_found": ["B", "C"]}
    whole = dbn.Metadata("XNAS.ITCH", OPEN_NS, None, into, None, end=OPEN_NS + DAY_NS, **lists)
    summary = file_summary(write(tmp_path / "x.dbn", bytes(whole)))
    assert (summary.schema, summary.last_ns) == ("mixed", OPEN_NS + DAY_NS)
    assert (summary.dataset, summary.symbols) == ("XNAS.ITCH", 0)


def test_a_symbol_of_many_days_counts_once(tmp_path: Path) -> None:
    spans = [(DAY, date(2026, 6, 16), 1), (date(2026, 6, 16), date(2026, 6, 17), 2)]
    path = write(tmp_path / "x.dbn", metadata(mappings={"AAPL": spans}))
    assert file_summary(path).symbols == 1


def _prelude(version: int, length: int) -> bytes:
    return b"DBN" + bytes([version]) + struct.pack("<I", length)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 an archive", "not a DBN file"),
        (b"DBZ\x01" + bytes(40), "the old DBZ encoding"),
        (b"DBN", "not a DBN file"),
        (_prelude(9, 100), "DBN version 9, newer than this program"),
        (_prelude(3, 3), "not a sound DBN file"),
        (_prelude(3, 2**32 - 1), "not a sound DBN file"),
        (metadata(symbols={"A": 1})[:-10], "cut off within its metadata"),
        (zstandard.compress(metadata(symbols={"A": 1})[:-10]), "cut off within its metadata"),
        (zstandard.compress(b"a text, much like any other"), "zstd data that is not DBN"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 60, "not sound zstd data"),
    ],
)
def test_what_is_wrong_is_said_in_a_few_words(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.dbn"
    path.write_bytes(content)
    summary = file_summary(path)
    assert (summary.problem, summary.size) == (said, len(content))


def test_every_cut_of_the_metadata_is_a_problem_and_never_an_error(tmp_path: Path) -> None:
    head = metadata(symbols={"A": 1, "BB": 2})
    path = tmp_path / "x.dbn"
    for size in range(len(head)):
        path.write_bytes(head[:size])
        assert file_summary(path).problem
    path.write_bytes(head)
    assert not file_summary(path).problem


def test_what_is_no_file_is_a_problem_too(tmp_path: Path) -> None:
    assert file_summary(tmp_path).problem == "it is not a file"
    assert file_summary(tmp_path / "none").problem == "it is not there"


def test_a_file_is_known_by_how_it_begins_whatever_its_name(tmp_path: Path) -> None:
    plain = write(tmp_path / "capture", metadata())
    packed = tmp_path / "capture.bin"
    packed.write_bytes(zstandard.compress(metadata()))
    other = tmp_path / "notes.txt"
    other.write_text("DB")
    assert looks_like_dbn(plain)
    assert looks_like_dbn(packed)
    assert not looks_like_dbn(other)
    assert not looks_like_dbn(tmp_path)
    assert not looks_like_dbn(tmp_path / "none")
