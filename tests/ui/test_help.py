"""The help: made from the tables, searched by typing, and left in one press."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Input

from stockscan_tui.market.metrics import REGISTRY
from stockscan_tui.scan.expression import Names, parse
from stockscan_tui.scan.lists import ListSetting, lists
from stockscan_tui.ui.commands import Command
from stockscan_tui.ui.marks import MARKS
from stockscan_tui.ui.screens import help as sheet
from stockscan_tui.ui.screens.help import EXAMPLES, SECTIONS, HelpScreen
from stockscan_tui.ui.theme import DARK, THEMES


class Host(App[None]):
    """Shows the help."""

    CSS_PATH = Path(sheet.__file__).parent / "help.tcss"

    def __init__(self, screen: HelpScreen) -> None:
        super().__init__()
        self.sheet = screen
        self.closed = False

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(DARK.variables)

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DARK.name
        self.push_screen(self.sheet, lambda _: setattr(self, "closed", True))


class Stage:
    """The help on a stage."""

    def __init__(self, app: Host, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(300):
            if condition():
                return
            await self.pilot.pause(0.01)
        raise AssertionError("it never came to be")

    @property
    def top(self) -> int:
        return int(self.app.screen.query_one("#sheet", VerticalScroll).scroll_offset.y)

    def text(self) -> str:
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())


def reading(
    act: Callable[[Stage], Awaitable[Any]],
    screen: HelpScreen | None = None,
    size: tuple[int, int] = (120, 400),
) -> None:
    """Run `act` on the help."""

    async def run() -> None:
        app = Host(screen or HelpScreen())
        async with app.run_test(size=size) as pilot:
            stage = Stage(app, pilot)
            await stage.until(lambda: isinstance(app.screen, HelpScreen))
            await stage.until(lambda: "Esc closes" in stage.text())
            await act(stage)

    asyncio.run(run())


def test_it_holds_commands_metrics_filters_marks_lists_and_gates() -> None:
    async def act(stage: Stage) -> None:
        text = stage.text()
        for _, commands in SECTIONS:
            for command in commands:
                assert command.doc in text
        for metric in REGISTRY.values():
            assert metric.example in text
        for example, meaning in EXAMPLES:
            assert example in text
            assert meaning in text
        for mark in MARKS:
            assert mark.doc in text
        for toplist in lists():
            assert f"{toplist.key} {toplist.name}" in text
        assert "mark >= 1 and not (warrant" in text

    reading(act)


def test_the_examples_are_filters_that_can_be_typed() -> None:
    names = Names(words=("sector",), filters={"cheap": "mark < 5"}, watchlists=("tech",))
    for example, _ in EXAMPLES:
        assert not parse(example, names).empty


def test_typing_narrows_by_name_doc_and_label_and_keeps_every_sign() -> None:
    async def act(stage: Stage) -> None:
        await stage.press(*"rvol")
        assert stage.app.screen.query_one(Input).value == "rvol"
        await stage.until(lambda: "bar_rvol" in stage.text() and "Next" not in stage.text())
        assert "Everywhere" not in stage.text()
        await stage.press("space", *"LARGEST")
        await stage.until(lambda: "bar_rvol" not in stage.text())
        assert "4 rvol" in stage.text()

    reading(act)


def test_a_single_sign_finds_the_key() -> None:
    async def act(stage: Stage) -> None:
        await stage.press("slash", "S")
        await stage.until(lambda: "3 found" in stage.text())
        assert "Turn the order round" in stage.text()
        await stage.press("backspace", *"ctrl-p")
        await stage.until(lambda: "Command palette" in stage.text())

    reading(act)


def test_what_is_not_there_is_said() -> None:
    async def act(stage: Stage) -> None:
        await stage.press(*"zzzz")
        await stage.until(lambda: "Nothing here has these words." in stage.text())

    reading(act)


def test_j_and_k_scroll_until_the_field_has_them() -> None:
    async def act(stage: Stage) -> None:
        await stage.press("j", "j", "k")
        await stage.until(lambda: stage.top == 1)
        await stage.press("G")
        await stage.until(lambda: stage.top > 50)
        await stage.press("g", "slash", "j")
        await stage.until(lambda: stage.app.screen.query_one(Input).value == "j")
        await stage.press("backspace", "enter", "j")
        await stage.until(lambda: stage.top == 1)

    reading(act, size=(80, 24))


@pytest.mark.parametrize("keys", [("escape",), ("q",), ("question_mark",), ("v", "o", "escape")])
def test_one_press_closes_it(keys: tuple[str, ...]) -> None:
    async def act(stage: Stage) -> None:
        await stage.press(*keys)
        await stage.until(lambda: stage.app.closed)

    reading(act)


def test_it_shows_the_tables_and_lists_it_is_given() -> None:
    own = Command("fly", "f8", "fly", "F8", "", "Fly [b]away[/b]")
    named = lists([ListSetting(name="mine\x1b[31m", sort="gap", ascending=True)])
    screen = HelpScreen((("Elsewhere", (own,)),), toplists=named, gates=None)

    async def act(stage: Stage) -> None:
        assert "Elsewhere" in stage.text()
        assert "Fly [b]away[/b]" in stage.text()
        assert "mine�[31m" in stage.text()
        assert "gap, smallest first" in stage.text()
        assert "Gates" not in stage.text()

    reading(act, screen)
