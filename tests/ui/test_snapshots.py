"""Pictures of the screens at the sizes that they are made for."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from stockscan_tui.ui.app import StockscanApp
from stockscan_tui.ui.screens.board import BoardScreen
from tests.ui.market import FakePlayer, HandClock, market

SIZES = [(80, 24), (120, 36), (200, 50)]


def application(theme: str = "stockscan-dark") -> StockscanApp:
    """Return the application over a market that stands still."""
    player = FakePlayer(market())
    app = StockscanApp(lambda _: player, title="day.dbn.zst", clock=HandClock(), theme=theme)
    app.animation_level = "none"
    return app


def arrive(*keys: str) -> Any:
    """Return what waits for the board and then presses keys."""

    async def run(pilot: Pilot[Any]) -> None:
        app = pilot.app
        for _ in range(400):
            if isinstance(app.screen, BoardScreen) and len(app._ranking.rows):  # type: ignore[attr-defined]
                break
            await pilot.pause(0.01)
        for key in keys:
            await pilot.press(key)
        for _ in range(3):
            app._poll()  # type: ignore[attr-defined]
            await pilot.pause(0.05)

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_board(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(application(), terminal_size=size, run_before=arrive("j", "j"))


def test_board_in_light(snap_compare: Any) -> None:
    app = application("stockscan-light")
    assert snap_compare(app, terminal_size=(120, 36), run_before=arrive())


def test_symbol(snap_compare: Any) -> None:
    assert snap_compare(application(), terminal_size=(120, 36), run_before=arrive("enter"))


def test_help(snap_compare: Any) -> None:
    assert snap_compare(application(), terminal_size=(80, 24), run_before=arrive("?"))
