"""Watchlists: text files that a person may edit too, made at the first change and not before."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockscan_tui.errors import UsageError
from stockscan_tui.scan.watchlists import Watchlists, replace_text


@pytest.fixture
def watchlists(tmp_path: Path) -> Watchlists:
    return Watchlists(tmp_path / "config" / "watchlists")


def test_nothing_is_made_before_the_first_change(watchlists: Watchlists) -> None:
    assert (watchlists.names(), watchlists.symbols("main")) == ((), ())
    assert not watchlists.folder.parent.exists()
    assert watchlists.toggle("main", "aapl")
    assert (watchlists.names(), watchlists.symbols("main")) == (("main",), ("AAPL",))
    assert (watchlists.folder / "main.txt").read_text("utf-8") == "AAPL\n"


def test_comments_stay_when_symbols_come_and_go(watchlists: Watchlists) -> None:
    watchlists.folder.mkdir(parents=True)
    file = watchlists.folder / "main.txt"
    file.write_text("# mine\nAAPL  # earnings\n\nABC# , MSFT F  # three\n# end", "utf-8")
    assert watchlists.symbols("main") == ("AAPL", "ABC#", "MSFT", "F")
    assert watchlists.toggle("main", "BRK.B")
    assert not watchlists.toggle("main", "AAPL")
    assert not watchlists.toggle("main", "MSFT")
    assert file.read_text("utf-8") == "# mine\n\nABC# F  # three\n# end\nBRK.B\n"


_SYMBOLS = st.sampled_from(["A", "B", "C.D", "E+", "F#"])
_LINES = st.lists(_SYMBOLS | st.sampled_from(["", "# A", "X, Y  # B", "nyse:g\r"]), max_size=8)


@given(_LINES, st.lists(_SYMBOLS, max_size=6))
def test_a_list_holds_what_was_toggled_an_odd_number_of_times(
    lines: list[str], toggled: list[str]
) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "main.txt"
        file.write_text("\n".join(lines), "utf-8", newline="")
        watchlists = Watchlists(Path(folder))
        expected = set(watchlists.symbols("main"))
        for symbol in toggled:
            expected ^= {symbol}
            assert watchlists.toggle("main", symbol) == (symbol in expected)
        assert set(watchlists.symbols("main")) == expected
        assert file.read_text("utf-8").count("# A") == lines.count("# A")


def test_a_file_changed_by_hand_is_read_again(watchlists: Watchlists) -> None:
    watchlists.toggle("main", "A")
    file = watchlists.folder / "main.txt"
    assert watchlists.symbols("main") == ("A",)
    before = file.stat()
    file.write_text("B\n", "utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert watchlists.symbols("main") == ("B",)


@pytest.mark.parametrize(
    ("text", "symbols", "left_out"),
    [
        ("AAPL MSFT,brk.b;\tAAC+\r\nA", ("AAPL", "MSFT", "BRK.B", "AAC+", "A"), ()),
        ("\ufeffSymbol\nAAPL\n", ("AAPL",), ()),
        ('"Ticker"\n"AAPL"\n', ("AAPL",), ()),
        ("###TECH STOCKS,NASDAQ:AAPL,NYSE:BRK.B,###X,AMEX:SPY", ("AAPL", "BRK.B", "SPY"), ()),
        ("# no AAPL\nA|B A\x1b[0m ok", ("OK",), ("A|B", "A\x1b[0M")),
    ],
)
def test_any_text_with_symbols_is_imported(
    watchlists: Watchlists,
    tmp_path: Path,
    text: str,
    symbols: tuple[str, ...],
    left_out: tuple[str, ...],
) -> None:
    file = tmp_path / "export.txt"
    file.write_text(text, "utf-8", newline="")
    found = watchlists.import_from(file, "swing")
    assert (found.symbols, found.left_out) == (symbols, left_out)
    assert watchlists.symbols("swing") == symbols
    watchlists.import_from(file, "swing")
    assert watchlists.symbols("swing") == symbols


def test_an_exported_list_imports_as_itself(watchlists: Watchlists, tmp_path: Path) -> None:
    for symbol in ("AAPL", "AAC+", "ABC#"):
        watchlists.toggle("main", symbol)
    out = tmp_path / "out.txt"
    watchlists.export_to("main", out)
    assert watchlists.import_from(out, "again").symbols == watchlists.symbols("main")
    with pytest.raises(UsageError, match="already a file"):
        watchlists.export_to("main", out)


def test_lists_are_made_renamed_and_removed_under_one_name_each(watchlists: Watchlists) -> None:
    watchlists.create("Für morgen")
    watchlists.create("b")
    watchlists.toggle("b", "X")
    with pytest.raises(UsageError, match="already a watchlist"):
        watchlists.create("B")
    with pytest.raises(UsageError, match="already a watchlist"):
        watchlists.rename("b", "FÜR MORGEN")
    watchlists.rename("b", "B")
    watchlists.rename("Für morgen", "c")
    assert (watchlists.names(), watchlists.symbols("b")) == (("B", "c"), ("X",))
    watchlists.remove("B")
    assert (watchlists.names(), watchlists.symbols("B")) == (("c",), ())
    with pytest.raises(UsageError, match="no watchlist"):
        watchlists.remove("B")
    with pytest.raises(UsageError, match="no watchlist"):
        watchlists.rename("B", "d")


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "a.b", "x" * 41, " x", "a  b", "con", "a\x1b", "a\n"]
)
def test_a_name_that_is_no_safe_file_name_is_refused(watchlists: Watchlists, name: str) -> None:
    for use in (watchlists.create, watchlists.symbols, watchlists.remove):
        with pytest.raises(UsageError, match="watchlist"):
            use(name)
    assert not watchlists.folder.exists()


def test_what_cannot_be_read_or_written_is_said(watchlists: Watchlists, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    empty = tmp_path / "empty"
    empty.write_text("# none\n", "utf-8")
    for file in (binary, empty, tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError, match=r"cannot be read|not a text|names no symbol"):
            watchlists.import_from(file, "main")
    with pytest.raises(UsageError, match="no symbol"):
        watchlists.toggle("main", "A B")
    watchlists.folder.parent.write_text("in the way", "utf-8")
    with pytest.raises(UsageError, match="cannot be written"):
        watchlists.toggle("main", "A")


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    replace_text(file, "before")

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_text(file, "after")
    assert (file.read_text("utf-8"), list(tmp_path.iterdir())) == ("before", [file])
