"""Pictures of the screens at the sizes that they are made for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.snapshot import Doubt, Feed, Phase, Snapshot
from stockscan_tui.ui.app import StockscanApp
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.screens.board import BoardScreen
from tests.ui.market import FakePlayer, HandClock, day_of, market, passed

SIZES = [(80, 24), (120, 36), (200, 60)]
LIVE = Feed("LIVE", "EQUS-MINI.lsg.databento.com", "EQUS.MINI", "mbp-1", phase=Phase.LIVE)
DOWN = replace(LIVE, phase=Phase.DOWN, message="the connection was reset", since_s=42, retry_s=3)


def lively(feed: Feed | None = None, **changed: Any) -> Snapshot:
    """Return a market with usual volumes, a halt, a watched symbol and one that is new."""
    snapshot = market(240)
    count = len(snapshot.symbols)
    rows = np.arange(count)
    return replace(
        snapshot,
        feed=feed or snapshot.feed,
        average_volume=snapshot.volume * (0.4 + (rows % 11) / 2),
        signs={
            "halt": rows % 17 == 3,
            "ssr": rows % 23 == 5,
            "watched": rows % 9 == 2,
            "warrant": rows % 19 == 7,
        },
        cache={},
        **changed,
    )


def application(snapshot: Snapshot | None = None, theme: str = "stockscan-dark") -> StockscanApp:
    """Return the application over a market that stands still."""
    player = FakePlayer(lively() if snapshot is None else snapshot)
    app = StockscanApp(
        lambda _: player, title="day.dbn.zst", clock=HandClock(), desk=Desk(), theme=theme
    )
    app.animation_level = "none"
    return app


def arrive(*keys: str) -> Any:
    """Return what waits for the board and then presses keys."""

    async def run(pilot: Pilot[Any]) -> None:
        app = pilot.app
        for _ in range(400):
            if isinstance(app.screen, BoardScreen) and app.screen.ready:
                break
            await pilot.pause(0.01)
        for key in keys:
            if len(key) > 10:
                app.focused.insert_text_at_cursor(key)  # type: ignore[union-attr]
            else:
                await pilot.press(key)
        for field in app.screen.query(Input):
            field.cursor_blink = False
        for _ in range(3):
            app._poll()  # type: ignore[attr-defined]
            await pilot.pause()
        for _ in range(400):
            if all(board.drawn for board in app.screen_stack if isinstance(board, BoardScreen)):
                break
            await pilot.pause(0.01)
        await pilot.pause()

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_board_of_a_replay(snap_compare: Any, size: tuple[int, int], theme: str) -> None:
    app = application(theme=f"stockscan-{theme}")
    assert snap_compare(app, terminal_size=size, run_before=arrive("j", "j"))


@pytest.mark.parametrize(
    ("feed", "size"),
    [(LIVE, (80, 24)), (LIVE, (200, 60)), (DOWN, (80, 24)), (DOWN, (120, 36))],
    ids=["live-small", "live-wide", "down-small", "down"],
)
def test_board_of_a_live_feed(snap_compare: Any, feed: Feed, size: tuple[int, int]) -> None:
    app = application(lively(feed))
    assert snap_compare(app, terminal_size=size, run_before=arrive())


def test_board_with_old_prices(snap_compare: Any) -> None:
    snapshot = lively(LIVE)
    app = application(replace(snapshot, event_ns=snapshot.event_ns + 600 * 10**9))
    assert snap_compare(app, terminal_size=(120, 36), run_before=arrive())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_empty_board(snap_compare: Any, size: tuple[int, int]) -> None:
    keys = ("slash", "chg > 900 and bar_rvol > 2", "enter")
    assert snap_compare(application(), terminal_size=size, run_before=arrive(*keys))


def test_a_filter_being_typed(snap_compare: Any) -> None:
    keys = ("slash", "chg > 2 and rvol >= 1", *" and sp")
    assert snap_compare(application(), terminal_size=(80, 24), run_before=arrive(*keys))


@pytest.mark.parametrize("key", ["c", "ctrl+s", "?"], ids=["columns", "save", "help"])
def test_sheets_over_the_board(snap_compare: Any, key: str) -> None:
    assert snap_compare(application(), terminal_size=(80, 24), run_before=arrive(key))


def holed() -> Snapshot:
    """Return a replay's market in which the feed was not whole for two times."""
    snapshot = passed(lively())
    day = day_of()
    doubts = (
        Doubt(day.pre_ns, day.pre_ns + 35 * MINUTE_NS, "before the file"),
        Doubt(day.regular_ns + 20 * MINUTE_NS, day.regular_ns + 24 * MINUTE_NS, "down"),
    )
    return replace(snapshot, doubts=doubts)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_symbol(snap_compare: Any, size: tuple[int, int], theme: str) -> None:
    app = application(holed(), theme=f"stockscan-{theme}")
    keys = ("j", "j", "enter", "left", "left")
    assert snap_compare(app, terminal_size=size, run_before=arrive(*keys))


@pytest.mark.parametrize(
    "keys",
    [("tab",), ("tab", "tab", "left"), ("tab",) * 3, ("tab",) * 4, ("tab",) * 5, ("slash", "a")],
    ids=["figures", "minutes", "trades", "bars", "alerts", "jump"],
)
def test_small_panels_of_a_symbol(snap_compare: Any, keys: tuple[str, ...]) -> None:
    app = application(holed())
    assert snap_compare(app, terminal_size=(80, 24), run_before=arrive("j", "enter", *keys))
