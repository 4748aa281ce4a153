"""Before there is a market: what is being done, and why it cannot be."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console
from textual.widgets import Static

from stockscan_tui.errors import StoreHeldError
from stockscan_tui.market.metrics import REGISTRY
from stockscan_tui.market.snapshot import Phase
from stockscan_tui.ui.app import Opening
from stockscan_tui.ui.commands import BOARD, EVERYWHERE, SYMBOL
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.screens.help import HelpScreen
from stockscan_tui.ui.screens.opening import OpeningScreen
from tests.ui.driving import Stage, on_stage
from tests.ui.market import FakePlayer, market


def test_the_opening_screen_stays_until_the_day_so_far_is_taken_in() -> None:
    still = market()
    priming = replace(still, feed=replace(still.feed, phase=Phase.PRIMING))

    async def act(stage: Stage) -> None:
        await stage.until(lambda: "taking in the day so far: 10:41" in stage.text())
        assert type(stage.app.screen) is OpeningScreen
        stage.player.now = still
        await stage.until(lambda: getattr(stage.app.screen, "ready", False) is True)
        assert type(stage.app.screen).__name__ == BoardScreen.__name__

    on_stage(act, snapshot=priming, wait=False)


def test_a_refusal_is_shown_as_a_sentence_and_q_gives_its_exit_status() -> None:
    def refuse(opening: Opening) -> FakePlayer:
        opening.say("opening the database")
        raise StoreHeldError("The database x is held by stockscan (PID 7). Close it first.")

    async def act(stage: Stage) -> None:
        await stage.until(lambda: "PID 7" in stage.text())
        await stage.pilot.press("q")

    assert on_stage(act, wait=False, start=refuse).return_value == 3


def test_quitting_while_opening_calls_the_opening_off() -> None:
    seen: list[Opening] = []

    def wait_for_the_end(opening: Opening) -> FakePlayer:
        seen.append(opening)
        opening.cancelled.wait(30)
        return FakePlayer(None)

    async def act(stage: Stage) -> None:
        await stage.until(lambda: bool(seen))
        await stage.pilot.press("q")

    app = on_stage(act, wait=False, start=wait_for_the_end)
    app.join_opening()
    assert app.return_value == 0
    assert seen[0].cancelled.is_set()


def test_help_holds_every_command_and_every_metric() -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("?")
        await stage.until(lambda: isinstance(stage.app.screen, HelpScreen))
        console = Console(width=200)
        with console.capture() as captured:
            for part in stage.app.screen.query(Static):
                console.print(part.content)
        text = captured.get()
        for command in (*EVERYWHERE, *BOARD, *SYMBOL):
            assert command.doc in text
        for metric in REGISTRY.values():
            assert metric.name in text

    on_stage(act)


def test_no_two_commands_share_a_key() -> None:
    for table in (BOARD, SYMBOL):
        keys = [key for command in (*EVERYWHERE, *table) for key in command.keys.split(",")]
        assert len(keys) == len(set(keys))
