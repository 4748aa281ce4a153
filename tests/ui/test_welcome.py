"""The first screen without a key: what each choice leads to, and where a key goes."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from textual.pilot import Pilot

from stockscan_tui.cli import welcome
from stockscan_tui.cli.parser import make_parser
from stockscan_tui.cli.play import Play
from stockscan_tui.config import Config, key_path, save_key
from stockscan_tui.errors import UsageError
from stockscan_tui.ui.screens.file_picker import FilePickerScreen
from stockscan_tui.ui.screens.key_entry import KeyChoice, KeyEntryScreen, KeyField, _use
from stockscan_tui.ui.welcome import Chosen, WelcomeApp
from stockscan_tui.ui.widgets.file_list import FileList
from tests.wire import metadata, write

KEY = "db-0123456789abcdefghijklmnopqrs"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be read from, or written to, the user's own places."""
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *_, **__: tmp_path / "home")
    monkeypatch.delenv("DATABENTO_API_KEY", raising=False)


class Stage:
    """The first screen on a stage."""

    def __init__(self, app: WelcomeApp, pilot: Pilot[Chosen]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(500):
            if condition():
                return
            await self.pilot.pause(0.01)
        raise AssertionError("it never came to be")

    def text(self) -> str:
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())


def welcomed(
    act: Callable[[Stage], Awaitable[Any]], size: tuple[int, int] = (80, 24)
) -> WelcomeApp:
    """Run `act` on the first screen; returns the application after its end."""
    app = WelcomeApp()

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await act(Stage(app, pilot))

    asyncio.run(run())
    return app


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (("d",), Chosen(("demo",))),
        (("enter",), Chosen(("demo",))),
        (("q",), None),
        (("ctrl+c",), None),
        (("l", "ctrl+c"), None),
        (("j", "j", "j", "j", "enter"), None),
    ],
)
def test_each_choice_leads_on(keys: tuple[str, ...], chosen: Chosen | None) -> None:
    async def act(stage: Stage) -> None:
        await stage.press(*keys)
        await stage.until(lambda: not stage.app.is_running or stage.app._exit)

    assert welcomed(act).return_value == chosen


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_it_says_what_a_plan_needs_and_where_the_files_are(size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        assert "EQUS.SUMMARY" not in stage.text()
        await stage.press("p")
        for said in ("EQUS.MINI", "EQUS.SUMMARY", "replays of the DBN files", "q  Quit"):
            assert said in stage.text()
        assert str(key_path())[-30:] in stage.text().replace("\n", "").replace(" ", "")
        await stage.press("escape")
        assert "EQUS.SUMMARY" not in stage.text()
        assert not stage.app._exit

    welcomed(act, size)


def test_files_that_are_picked_are_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [write(tmp_path / f"{name}.dbn", metadata()) for name in "ab"]
    monkeypatch.chdir(tmp_path)

    async def act(stage: Stage) -> None:
        await stage.press("o")
        await stage.until(lambda: bool(stage.app.screen.query(FileList)))
        rows = stage.app.screen.query_one(FileList)
        await stage.until(lambda: len(rows.rows) == 3)
        await stage.press("space", "space", "enter")
        await stage.until(lambda: stage.app._exit)

    assert welcomed(act).return_value == Chosen(("replay", "--", *map(str, days)))


def test_esc_leads_back_from_every_screen_and_q_then_quits() -> None:
    async def act(stage: Stage) -> None:
        for key, screen in (("o", FilePickerScreen), ("l", KeyEntryScreen)):
            await stage.press(key)
            await stage.until(lambda wanted=screen: isinstance(stage.app.screen, wanted))  # type: ignore[misc]
            await stage.press("escape")
            await stage.until(lambda: len(stage.app.screen_stack) == 1)
        await stage.press("q")

    assert welcomed(act).return_value is None


def test_a_key_for_this_run_is_shown_nowhere_and_written_nowhere(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("l")
        await stage.until(lambda: bool(stage.app.screen.query(KeyField)))
        await stage.press(*KEY)
        assert KEY[-4:] not in stage.text()
        assert "•" * len(KEY) in stage.text()
        await stage.press("shift+home", "super+c", "ctrl+x")
        assert stage.app.clipboard == ""
        await stage.press(*KEY, "enter")
        await stage.until(lambda: stage.app._exit)

    chosen = welcomed(act).return_value
    assert chosen == Chosen(("live",), KEY)
    assert KEY not in repr(chosen)
    assert not list(tmp_path.rglob("*"))


def test_a_key_is_kept_where_only_its_owner_reads_it() -> None:
    async def act(stage: Stage) -> None:
        await stage.press("l")
        await stage.until(lambda: bool(stage.app.screen.query(KeyField)))
        await stage.press(*KEY, "down", "enter")
        await stage.until(lambda: stage.app._exit)

    assert welcomed(act).return_value == Chosen(("live",))
    assert key_path().read_text() == f"{KEY}\n"
    assert os.name == "nt" or stat.S_IMODE(key_path().stat().st_mode) == 0o600


def test_what_is_no_key_is_refused_in_words_and_can_be_mended() -> None:
    async def act(stage: Stage) -> None:
        await stage.press("l")
        await stage.until(lambda: bool(stage.app.screen.query(KeyField)))
        await stage.press(*KEY[:-1], "enter")
        await stage.until(lambda: "This is no API key" in stage.text())
        await stage.press(KEY[-1], "enter")
        await stage.until(lambda: stage.app._exit)

    assert welcomed(act).return_value == Chosen(("live",), KEY)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file in the way")

    async def act(stage: Stage) -> None:
        await stage.press("l")
        await stage.until(lambda: bool(stage.app.screen.query(KeyField)))
        await stage.press("tab", *KEY, "enter")
        await stage.until(lambda: "cannot be written" in stage.text())
        await stage.press("escape", "q")

    assert welcomed(act).return_value is None


@pytest.mark.parametrize(
    "key", [KEY, KEY[:-1], KEY + "x", "", "db-", KEY.upper(), KEY[:-1] + " ", KEY[:-1] + "é"]
)
def test_a_key_for_one_run_is_judged_as_one_that_is_kept(key: str) -> None:
    said = ""
    try:
        save_key(key)
    except UsageError as error:
        said = str(error)
    assert _use(KeyChoice(key, kept=False)) == said


def test_the_key_goes_to_the_live_run_in_memory_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WelcomeApp, "run", lambda _self: Chosen(("live",), KEY))
    monkeypatch.setattr(welcome, "begin_warming", lambda: None)
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stdout", Terminal())
    parser = make_parser()
    arguments = welcome.choose(parser)
    assert arguments == ["live"]
    given = parser.parse_args(arguments)
    play = Play(given, Config())
    assert play._key() == KEY
    assert KEY not in f"{given!r} {play!r} {os.environ!r}"
    plain = make_parser().parse_args(["live"])
    assert welcome.typed_key(plain) == ""


def test_without_a_terminal_the_help_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[str] = []
    monkeypatch.setattr(argparse.ArgumentParser, "print_help", lambda _: printed.append("help"))
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert welcome.choose(make_parser()) is None
    assert printed == ["help"]


class Terminal(io.StringIO):
    """What says that it is a terminal."""

    def isatty(self) -> bool:
        return True
