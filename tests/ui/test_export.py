"""Where a view is exported to, and the tables that are written, read back by others."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from stockscan_tui.errors import StoreError
from stockscan_tui.market.text import printable
from stockscan_tui.store.table_file import write_table
from stockscan_tui.ui.screens.export import ExportScreen
from stockscan_tui.ui.theme import THEMES
from tests.ui.test_columns_screen import SIZES, Stand, on_stand

TABLE: dict[str, list[str] | NDArray[Any]] = {
    "SYMBOL": ["NA", "=A1+1", 'x,"\n', ""],
    'CHG% "; --': np.array([0.1 + 0.2, np.nan, -1e-9, 700_000.0]),
    "VOL~": np.array([1, 2**53 + 1, -3, 0]),
    "HALT": np.array([True, False, True, False]),
}


def exported(default: Path | str, *keys: str, says: str = "") -> Any:
    """Return what comes of keys; `says` has to be on the screen after them."""

    async def act(stand: Stand) -> None:
        await stand.press(*keys)
        if says:
            await stand.says(says)

    return on_stand(ExportScreen(default, "4 rows"), "export.tcss", act, size=(200, 60))


def test_enter_takes_the_name_with_the_home_folder_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert exported("~/q.csv", "enter") == tmp_path / "q.csv"
    assert exported("", *"a.SVG", "enter", "enter", "enter") == tmp_path / "a.SVG"
    assert list(tmp_path.iterdir()) == []


def test_arrows_and_the_mouse_change_the_ending(tmp_path: Path) -> None:
    assert exported(tmp_path / "a.csv", "down", "enter") == tmp_path / "a.parquet"
    assert exported(tmp_path / "a.csv", "up", "enter") == tmp_path / "a.svg"
    assert exported(tmp_path / "a.b", "down", "enter") == tmp_path / "a.b.csv"

    async def act(stand: Stand) -> None:
        for label in ("○ .parquet", "Enter write"):
            y, line = next((y, line) for y, line in enumerate(stand.lines()) if label in line)
            await stand.pilot.click(offset=(line.index(label) + 2, y))

    assert on_stand(ExportScreen(tmp_path / "a.csv"), "export.tcss", act) == tmp_path / "a.parquet"


def test_a_file_that_is_there_is_replaced_only_when_asked_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("")
    assert exported("a.csv", "enter", says="Enter again replaces the file") == "open"
    assert exported("a.csv", "enter", "enter") == tmp_path / "a.csv"
    # What was asked about one name holds for no other.
    other = ("enter", "home", "delete", "b", "enter")
    assert exported("a.csv", *other, says="b.csv Enter write") == "open"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.xls", "has to end in one of .csv, .parquet, .svg."),
        (".csv", "has to end in one of"),
        ("none/a.csv", "There is no folder"),
        ("folder.csv", "is a folder."),
        ("~nobody-here/a.csv", "no such user"),
        ("in/a.csv", "There is no folder"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "in").write_text("")
    assert exported(name, "enter", says=says) == "open"
    assert exported(name, "enter", "escape") is None


@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
@pytest.mark.parametrize("size", [*SIZES, (20, 5)])
def test_every_ending_and_key_fits(size: tuple[int, int], theme: str) -> None:
    async def act(stand: Stand) -> None:
        if size in SIZES:
            text = stand.text()
            assert "Export 4 rows [b]� " in text
            assert "● .csv a table as text, for spreadsheets ○ .parquet" in text
            assert "Enter write Esc back ↓ next ending" in text
        await stand.press("escape")

    screen = ExportScreen("a.csv", "4 rows [b]\x1b")
    assert on_stand(screen, "export.tcss", act, size=size, theme=theme) is None


@pytest.mark.parametrize("name", ["a.csv", "a [1]*?{x}'\"; --.CSV", "s3:x.csv", "line\nbreak.csv"])
def test_a_csv_file_says_what_was_shown(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    assert write_table(file, TABLE) == 4
    read = pd.read_csv(file, keep_default_na=False, dtype=str)
    assert read.columns.tolist() == list(TABLE)
    words = ["'=A1+1" if word == "=A1+1" else printable(word) for word in TABLE["SYMBOL"]]
    assert read["SYMBOL"].tolist() == words
    numbers = read.iloc[:, 1].replace("", "nan").astype(float)
    assert np.array_equal(numbers, TABLE['CHG% "; --'], equal_nan=True)
    assert read["VOL~"].astype(int).tolist() == [1, 2**53 + 1, -3, 0]
    assert read["HALT"].tolist() == ["true", "false", "true", "false"]
    with file.open(newline="", encoding="utf-8") as opened:
        assert list(csv.reader(opened))[2][:2] == ["'=A1+1", ""]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_parquet_file_keeps_the_types_and_a_missing_number_is_null(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    assert write_table(file, TABLE) == 4
    read = pq.read_table(file)
    assert [str(field.type) for field in read.schema] == ["string", "double", "int64", "bool"]
    assert read.column(0).to_pylist() == TABLE["SYMBOL"]
    assert read.column(1).to_pylist() == [0.1 + 0.2, None, -1e-9, 700_000.0]
    assert read.column(2).to_pylist() == [1, 2**53 + 1, -3, 0]
    assert write_table(file, {"SYMBOL": [], "x": np.zeros(0)}) == 0
    assert [str(field.type) for field in pq.read_table(file).schema] == ["string", "double"]


def test_a_file_is_as_before_or_whole_and_keeps_its_mode_and_link(tmp_path: Path) -> None:
    file, link = tmp_path / "a.csv", tmp_path / "link.csv"
    file.write_text("before")
    file.chmod(0o600)
    link.symlink_to(file)
    broken = {**TABLE, "bad": np.array([1j] * 4)}
    with pytest.raises(StoreError, match="cannot be written"):
        write_table(link, broken)
    assert file.read_text() == "before"
    assert write_table(link, {"A": ["b"]}) == 1
    assert (file.read_text(), link.is_symlink()) == ("A\nb\n", True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "link.csv"]


@pytest.mark.parametrize(
    ("name", "table", "says"),
    [
        ("a.txt", TABLE, "has to end in .csv or .parquet"),
        ("none/a.csv", TABLE, "No such file or directory"),
        ("a\x00\x1b.csv", TABLE, "a��.csv cannot be written"),
        ("a.csv", {}, "no columns of one length"),
        ("a.csv", {"A": ["b"], "C": np.zeros(2)}, "no columns of one length"),
    ],
)
def test_what_cannot_be_written_is_said(
    tmp_path: Path, name: str, table: dict[str, Any], says: str
) -> None:
    with pytest.raises(StoreError, match=says):
        write_table(tmp_path / name, table)
    assert list(tmp_path.iterdir()) == []
