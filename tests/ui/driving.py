"""Runs the application without a terminal and waits for what a test expects of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.ui.alerting import Courier
from stockscan_tui.ui.app import Opening, StockscanApp
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.widgets.leaderboard import Leaderboard
from tests.ui.market import FakePlayer, HandClock, market


@dataclass
class Stage:
    """An application on a stage: its player, its clock, and a pilot for the keys."""

    app: StockscanApp
    player: FakePlayer
    clock: HandClock
    pilot: Pilot[int]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the application run until the condition holds."""
        for _ in range(400):
            if condition():
                return
            await self.pilot.pause(0.01)
        raise AssertionError("it never came to be")

    async def show(self, snapshot: Snapshot | None = None, after_s: float = 0.0) -> None:
        """Let time pass and the next picture be shown."""
        self.clock.pass_s(after_s)
        if snapshot is not None:
            self.player.now = snapshot
        self.app._poll()
        await self.drawn()

    async def drawn(self) -> None:
        """Wait until the newest picture is on the screen."""
        screen = self.app.screen
        if isinstance(screen, BoardScreen):
            await self.until(lambda: screen.drawn)
        await self.pilot.pause()

    @property
    def board(self) -> Leaderboard:
        return self.app.screen.query_one(Leaderboard)

    def shown(self, rows: int = 5) -> list[str]:
        """Return the symbols of the first lines in view."""
        lines = [self.board.render_line(y).text for y in range(1, rows + 1)]
        return [line.split()[1] for line in lines if line.strip()]

    async def write(self, text: str, *keys: str) -> None:
        """Write into the focused field, its last sign as a key, and press what follows."""
        field = self.app.focused
        assert isinstance(field, Input)
        field.insert_text_at_cursor(text[:-1])
        await self.pilot.press(text[-1], *keys)

    async def filter(self, text: str, *keys: str) -> None:
        """Write a filter and press Enter, or the keys given."""
        await self.pilot.press("slash")
        await self.write(text, *(keys or ("enter",)))

    def selected(self) -> str:
        row = self.app._ranking.selected
        assert row is not None
        assert self.player.now is not None
        return str(self.player.now.symbols[row])

    def text(self) -> str:
        """Return everything on the screen as text."""
        screen = self.app.screen
        return "\n".join(strip.text for strip in screen._compositor.render_strips())


def on_stage(
    act: Callable[[Stage], Awaitable[Any]],
    *,
    snapshot: Snapshot | None = None,
    size: tuple[int, int] = (120, 36),
    wait: bool = True,
    desk: Desk | None = None,
    start: Callable[[Opening], FakePlayer] | None = None,
    courier: Courier | None = None,
) -> StockscanApp:
    """Run `act` on a running application; returns it after its end."""
    player = FakePlayer(market() if snapshot is None else snapshot)
    clock = HandClock()
    app = StockscanApp(start or (lambda _opening: player), title="day.dbn.zst", clock=clock,
                       desk=desk or Desk(gates=None), alerting=courier)  # fmt: skip

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            stage = Stage(app, player, clock, pilot)
            if wait:
                await stage.until(lambda: isinstance(app.screen, BoardScreen) and app.screen.ready)
                await stage.until(lambda: len(app._ranking.rows) > 0)
                await stage.drawn()
            await act(stage)

    asyncio.run(run())
    return app
