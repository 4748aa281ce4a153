"""Choosing files to replay, by keyboard and mouse, on a real folder."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from stockscan_tui.feed.file_summary import FileSummary, file_summary
from stockscan_tui.market.calendar import DAY_NS
from stockscan_tui.ui.screens import file_picker
from stockscan_tui.ui.screens.file_picker import FilePickerScreen
from stockscan_tui.ui.theme import DARK, THEMES
from stockscan_tui.ui.widgets.file_list import FileList, span_text
from tests.wire import OPEN_NS, metadata, write

UI = Path(file_picker.__file__).parent


class Host(App[None]):
    """Shows the picker and keeps what it gives."""

    CSS_PATH = UI / "file_picker.tcss"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.given: list[tuple[Path, ...] | None] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(DARK.variables)

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DARK.name
        self.push_screen(FilePickerScreen(self.folder), self.given.append)


class Stage:
    """The picker on a stage."""

    def __init__(self, app: Host, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(500):
            if condition():
                return
            await self.pilot.pause(0.01)
        raise AssertionError("it never came to be")

    async def sees(self, text: str) -> None:
        await self.until(lambda: text in self.text())

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    @property
    def files(self) -> FileList:
        return self.app.screen.query_one(FileList)

    def names(self) -> list[str]:
        return [row.path.name for row in self.files.rows]

    def selected(self) -> str:
        here = self.files.selected
        return here.path.name if here else ""

    def text(self) -> str:
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    async def closed(self) -> tuple[Path, ...] | None:
        await self.until(lambda: bool(self.app.given))
        return self.app.given[0]


def picking(
    folder: Path, act: Callable[[Stage], Awaitable[Any]], size: tuple[int, int] = (80, 24)
) -> None:
    """Run `act` once the folder is read."""

    async def run() -> None:
        app = Host(folder)
        async with app.run_test(size=size) as pilot:
            stage = Stage(app, pilot)
            await stage.until(lambda: isinstance(app.screen, FilePickerScreen))
            await stage.until(lambda: bool(app.screen.query(FileList)) and bool(stage.files.rows))
            await act(stage)

    asyncio.run(run())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two days, an older one, a capture, a bad file and a text."""
    place = tmp_path / "data"
    (place / "older").mkdir(parents=True)
    head = metadata(symbols={"AAPL": 1, "NVDA": 2})
    write(place / "a-mon.dbn.zst", head)
    write(place / "b-tue.dbn", head)
    write(place / "older" / "c-fri.dbn", head)
    (place / "capture").write_bytes(metadata(None))
    (place / "bad.dbn").write_bytes(b"PK\x03\x04")
    (place / "notes.txt").write_text("nothing")
    (place / ".hidden.dbn").write_bytes(head)
    return place


def test_it_shows_folders_then_dbn_files_and_what_each_holds(folder: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.until(lambda: "capture" in stage.names())
        assert stage.names() == ["..", "older", "a-mon.dbn.zst", "b-tue.dbn", "bad.dbn", "capture"]
        await stage.sees("4 DBN files")
        await stage.sees("not a DBN file")
        line = next(line for line in stage.text().split("\n") if "b-tue" in line)
        assert "EQUS.MINI" in line
        assert "mbp-1" in line
        assert "from 2026-06-15 09:30" in line
        await stage.press("j", "j")
        assert stage.selected() == "b-tue.dbn"
        await stage.sees("2 symbols")

    picking(folder, act)


def test_enter_opens_a_file_and_goes_into_a_folder_and_h_comes_back_to_it(folder: Path) -> None:
    async def act(stage: Stage) -> None:
        assert stage.selected() == "older"
        await stage.press("enter")
        await stage.until(lambda: stage.names() == ["..", "c-fri.dbn"])
        await stage.press("h")
        await stage.until(lambda: stage.selected() == "older")
        await stage.press("G", "g", "enter")
        await stage.until(lambda: "data" in stage.names())
        assert stage.selected() == "data"
        await stage.press("enter")
        await stage.until(lambda: "b-tue.dbn" in stage.names())
        await stage.press("j", "enter")
        assert await stage.closed() == (folder / "a-mon.dbn.zst",)

    picking(folder, act)


def test_what_is_marked_opens_together(folder: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("j", "space", "space", "space")
        await stage.sees("3 marked")
        await stage.press("k", "space")
        await stage.sees("2 marked")
        await stage.press("enter")
        assert await stage.closed() == (folder / "a-mon.dbn.zst", folder / "b-tue.dbn")

    picking(folder, act)


def test_a_bad_file_says_why_and_does_not_open(folder: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.until(lambda: "bad.dbn" in stage.names())
        await stage.press("j", "j", "j", "enter")
        await stage.sees("bad.dbn cannot be opened: not a DBN file.")
        assert not stage.app.given
        await stage.press("space", "k", "k", "space")
        (folder / "b-tue.dbn").unlink()
        await stage.press("enter")
        await stage.sees("b-tue.dbn cannot be opened: it is not there.")
        await stage.press("enter")
        await stage.sees("bad.dbn cannot be opened")
        await stage.press("k", "k", "enter")
        assert await stage.closed() == (folder / "a-mon.dbn.zst",)

    picking(folder, act)


def test_the_filter_narrows_while_typing_enter_keeps_it_and_esc_restores(folder: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("slash", *"TUE")
        assert stage.names() == ["b-tue.dbn"]
        await stage.press("escape")
        assert len(stage.names()) >= 5
        assert not stage.app.given
        await stage.press("slash", *"mon", "enter", "slash", *"q", "escape")
        assert stage.names() == ["a-mon.dbn.zst"]
        await stage.press("enter")
        assert await stage.closed() == (folder / "a-mon.dbn.zst",)

    picking(folder, act)


def test_a_typed_path_is_completed_and_opened(folder: Path) -> None:
    async def act(stage: Stage) -> None:
        field = stage.app.screen.query_one(Input)
        await stage.press("e", *"ol", "tab")
        await stage.until(lambda: field.value == "older/")
        await stage.press("tab")
        await stage.until(lambda: field.value == "older/c-fri.dbn")
        await stage.press("x", "enter")
        await stage.sees("c-fri.dbnx cannot be opened: it is not there.")
        await stage.press("backspace", "enter")
        assert await stage.closed() == (folder / "older" / "c-fri.dbn",)

    picking(folder, act)


def test_a_typed_folder_is_shown_and_tilde_goes_home(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder / "older"))
    monkeypatch.setenv("USERPROFILE", str(folder / "older"))

    async def act(stage: Stage) -> None:
        await stage.press("tilde")
        await stage.until(lambda: "c-fri.dbn" in stage.names())
        await stage.press("e", *"..", "enter")
        await stage.until(lambda: "b-tue.dbn" in stage.names())

    picking(folder, act)


@pytest.mark.parametrize("key", ["escape", "q"])
def test_it_is_left_with_nothing_in_one_press(folder: Path, key: str) -> None:
    async def act(stage: Stage) -> None:
        await stage.press(key)
        assert await stage.closed() is None

    picking(folder, act)


def test_a_click_selects_and_a_second_one_opens(folder: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.click(FileList, offset=(6, 4))
        assert stage.selected() == "b-tue.dbn"
        assert not stage.app.given
        await stage.pilot.click(FileList, offset=(6, 3), times=2)
        assert await stage.closed() == (folder / "a-mon.dbn.zst",)

    picking(folder, act)


def test_a_folder_that_cannot_be_read_leaves_us_where_we_are(folder: Path) -> None:
    async def act(stage: Stage) -> None:
        (folder / "older" / "c-fri.dbn").unlink()
        (folder / "older").rmdir()
        await stage.press("enter")
        await stage.sees("cannot be read: No such file or directory.")
        assert "b-tue.dbn" in stage.names()

    picking(folder, act)


def test_names_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "red\x1b[31m[b]x.dbn").write_bytes(metadata(dataset="E\x1b[2J[b]"))

    async def act(stage: Stage) -> None:
        await stage.sees("red�[31m[b]x.dbn")
        await stage.sees("E�[2J[b]")
        assert "\x1b" not in stage.text()

    picking(tmp_path, act)


def test_only_rows_in_view_are_read_and_keys_work_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}.dbn").write_bytes(b"")
    reading, go_on, read = threading.Event(), threading.Event(), list[Path]()

    def slowly(path: Path) -> FileSummary:
        read.append(path)
        reading.set()
        go_on.wait(30)
        return file_summary(path)

    monkeypatch.setattr(file_picker, "file_summary", slowly)

    async def act(stage: Stage) -> None:
        await stage.until(reading.is_set)
        await stage.press("G")
        assert stage.selected() == "299.dbn"
        go_on.set()
        await stage.until(lambda: tmp_path / "299.dbn" in read)
        await stage.until(lambda: stage.text().count("empty") >= 15)
        assert len(read) < 45

    picking(tmp_path, act)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_every_line_fits(folder: Path, size: tuple[int, int]) -> None:
    write(folder / ("x" * 180 + ".dbn"), metadata(dataset="D" * 15))

    async def act(stage: Stage) -> None:
        await stage.sees("DDDD")
        await stage.sees("Esc back")
        assert "SIZE" in stage.text()
        width = stage.files.scrollable_content_region.width
        lines = [stage.files.render_line(y) for y in range(stage.files.size.height)]
        assert {line.cell_length for line in lines} == {width}

    picking(folder, act, size)


def test_a_span_is_told_in_new_york_time() -> None:
    summary = FileSummary(first_ns=OPEN_NS, last_ns=OPEN_NS + 3600 * 10**9)
    assert span_text(summary, whole=False) == "2026-06-15 09:30–10:30"
    days = replace(summary, first_ns=OPEN_NS - 34_200 * 10**9, last_ns=OPEN_NS + DAY_NS)
    assert span_text(days, whole=True) == "2026-06-15 00:00 → 2026-06-16 09:30"
    midnight = replace(days, last_ns=OPEN_NS - 34_200 * 10**9 + 2 * DAY_NS)
    assert span_text(midnight, whole=False) == "2026-06-15 → 2026-06-16"
    assert span_text(replace(summary, last_ns=None), whole=True) == "from 2026-06-15 09:30"


def test_a_linked_folder_leads_back_the_way_it_was_entered(folder: Path) -> None:
    if os.name != "posix":
        pytest.skip("links need a right of their own there")
    (folder / "zlink").symlink_to(folder.parent)
    zstd = folder.parent / "up.dbn.zst"
    zstd.write_bytes(zstandard.compress(metadata()))

    async def act(stage: Stage) -> None:
        await stage.press("j", "k", "j")
        await stage.press("slash", *"zlink", "enter", "enter")
        await stage.until(lambda: "up.dbn.zst" in stage.names())
        await stage.press("left")
        await stage.until(lambda: "b-tue.dbn" in stage.names())
        assert stage.selected() == "zlink"

    picking(folder, act)
