"""The palette: commands first, then everything by a few signs of its name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, OptionList

from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.scan.lists import Toplist, lists
from stockscan_tui.ui.commands import Command
from stockscan_tui.ui.palette import SYMBOLS_AT_MOST, Everything, Symbols
from stockscan_tui.ui.player import Player
from stockscan_tui.ui.screens.help import Section
from stockscan_tui.ui.theme import DARK, THEMES
from tests.ui.market import FakePlayer, market

TABLE = (
    Command("palette", "ctrl+p", "command_palette", "ctrl-p", "", "Command palette"),
    Command("help", "question_mark", "help", "?", "keys", "This list [b] of keys"),
    Command("gates", "x", "gates('all')", "x", "gates", "Lift the gates"),
    Command("list_1", "1", "list('1')", "1", "", "List 1: gainers"),
    Command("back", "escape", "back_to_it", "Esc", "back", "Only another screen does this"),
)


class Board(Screen[None]):
    """A screen with an action of its own."""

    def action_gates(self, which: str) -> None:
        self.app.done.append(f"gates {which}")  # type: ignore[attr-defined]

    def action_list(self, key: str) -> None:
        self.app.done.append(f"list {key}")  # type: ignore[attr-defined]


class Host(App[None]):
    """Has what the palette needs and remembers what it did."""

    COMMANDS: ClassVar[set[Any]] = {Everything}
    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+p", "command_palette", "Palette")]

    def __init__(self, snapshot: Snapshot | None) -> None:
        super().__init__()
        self.player: Player | None = FakePlayer(snapshot)
        self.done: list[str] = []

    sections: Sequence[Section] = (("Board", TABLE),)
    toplists: Sequence[Toplist] = lists()
    recovered: Sequence[object] = ()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(DARK.variables)

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DARK.name
        self.push_screen(Board())

    def action_help(self) -> None:
        self.done.append("help")

    def jump_to(self, symbol: str) -> None:
        self.done.append(f"jump {symbol}")

    def show_list(self, key_or_name: str) -> None:
        self.done.append(f"show {key_or_name}")

    async def choose_theme(self, name: str) -> None:
        self.done.append(f"theme {name}")


class Stage:
    """The palette on a stage."""

    def __init__(self, app: Host, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(500):
            if condition():
                return
            await self.pilot.pause(0.01)
        raise AssertionError("it never came to be")

    def shown(self) -> list[str]:
        options = self.app.screen.query_one(OptionList).options
        return [str(option.prompt) for option in options]

    async def look_for(self, text: str, first: str) -> None:
        """Open the palette, type, and wait until a line that begins so stands first."""
        await self.pilot.press("ctrl+p")
        await self.until(lambda: isinstance(self.app.screen, CommandPalette))
        await self.until(lambda: bool(self.app.screen.query(OptionList)))
        self.app.screen.query_one(Input).value = text
        await self.until(lambda: bool(self.shown()) and self.shown()[0].startswith(first))

    async def choose(self, text: str, first: str) -> str:
        """Choose what stands first; returns what was done."""
        await self.look_for(text, first)
        self.app.done.clear()
        await self.pilot.press("enter")
        await self.until(lambda: bool(self.app.done))
        return self.app.done[0]


def with_palette(act: Callable[[Stage], Awaitable[Any]], snapshot: Snapshot | None = None) -> None:
    """Run `act` on an application with a palette."""

    async def run() -> None:
        app = Host(snapshot)
        async with app.run_test(size=(80, 24)) as pilot:
            stage = Stage(app, pilot)
            await stage.until(lambda: isinstance(app.screen, Board))
            await act(stage)

    asyncio.run(run())


def test_it_begins_with_the_commands_that_can_be_run_here() -> None:
    async def act(stage: Stage) -> None:
        await stage.look_for("", "This list [b] of keys")
        lines = stage.shown()
        assert lines[1].startswith("Lift the gates")
        assert lines[2].startswith("List: gainers")
        assert lines[-1] == f"Theme: {THEMES[-1].name}"
        assert not any("Only another screen" in line or "palette" in line for line in lines)
        assert not any("List 1: gainers" in line for line in lines)

    with_palette(act, market(60))


def test_enter_does_what_was_found() -> None:
    async def act(stage: Stage) -> None:
        assert await stage.choose("lift", "Lift the gates") == "gates all"
        assert await stage.choose("help", "This list") == "help"
        assert await stage.choose("after", "List: after hours") == "show 9"
        assert await stage.choose("light", "Theme: stockscan-light") == "theme stockscan-light"

    with_palette(act, market(60))


def test_a_symbol_is_jumped_to_by_its_beginning_in_either_case() -> None:
    still = market(60)
    name = sorted(still.symbols)[7]

    async def act(stage: Stage) -> None:
        assert await stage.choose(name, name) == f"jump {name}"
        assert await stage.choose(name.lower(), name) == f"jump {name}"

    with_palette(act, still)


def test_before_there_is_a_market_commands_are_there() -> None:
    async def act(stage: Stage) -> None:
        assert await stage.choose("lift", "Lift the gates") == "gates all"

    with_palette(act)


def test_beginnings_come_before_middles_and_twenty_are_enough() -> None:
    names = ("ABAB", "AB", "XAB", "ABC", *(f"AB{n:02}" for n in range(40)))
    order = sorted(range(len(names)), key=names.__getitem__)
    still = market(len(names))
    symbols = Symbols(_named(still, names, order))
    hits = list(symbols.hits("AB"))
    assert len(hits) == SYMBOLS_AT_MOST
    assert [name for name, _ in hits] == sorted(n for n in names if n.startswith("AB"))[:20]
    assert hits[0] == ("AB", 1.0)
    scores = [score for _, score in symbols.hits("BA")]
    assert [name for name, _ in symbols.hits("BA")] == ["ABAB"]
    assert [name for name, _ in symbols.hits("xab")] == ["XAB"]
    assert [name for name, _ in symbols.hits("b")] == []
    assert scores[0] < min(score for _, score in hits)


def test_small_letters_put_commands_before_symbols_and_capitals_after() -> None:
    names = ("LIFT", "LIFTED")
    symbols = Symbols(_named(market(2), names, [0, 1]))
    assert dict(symbols.hits("LIF"))["LIFTED"] > 0.9
    assert dict(symbols.hits("lif"))["LIFTED"] < 0.8


def _named(snapshot: Snapshot, names: Sequence[str], order: list[int]) -> Snapshot:
    from dataclasses import replace

    import numpy as np

    return replace(snapshot, symbols=tuple(names), by_symbol=np.array(order, np.int64))
