"""Pictures of alerts at the sizes that the screens are made for: the list, the board, toasts."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from stockscan_tui.delivery.notice import Notice
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.scan.rules import Priority
from stockscan_tui.ui.app import StockscanApp
from stockscan_tui.ui.screens.alerts import AlertScreen
from stockscan_tui.ui.widgets.alerts.toasts import ToastStack
from tests.ui.market import alerted, passed
from tests.ui.test_snapshots import SIZES, application, arrive, lively

NOTICES = (
    Notice("1", "toast", "running up", "NVDA +3.4 % · running up · 181.20", Priority.LOW),
    Notice("2", "storm", "move", "move: 214 symbols", rule="move", count=214),
    Notice("3", "trouble", "✗ alarm", "the feed has been down for 10 s", Priority.HIGH),
)


def busy() -> Snapshot:
    return alerted(passed(lively()), 40)


def told(*keys: str) -> Any:
    """Return what presses keys and then has notices told."""

    async def run(pilot: Pilot[Any]) -> None:
        await arrive(*keys)(pilot)
        app = pilot.app
        assert isinstance(app, StockscanApp)
        for notice in NOTICES:
            app.alerting.tell(notice)
        for _ in range(100):
            stack = next(iter(app.screen.query(ToastStack)), None)
            if stack is not None and stack.size.height == len(stack._lines) > 0:
                break
            await pilot.pause(0.01)
        app.alerting.work()
        await pilot.pause(0.05)

    return run


def on_alerts(*keys: str) -> Any:
    """Return what opens the alert screen, waits for it, and presses keys."""

    async def run(pilot: Pilot[Any]) -> None:
        await arrive("a")(pilot)
        for _ in range(100):
            if isinstance(pilot.app.screen, AlertScreen) and not pilot.app.screen._reading:
                break
            await pilot.pause(0.01)
        for key in keys:
            await pilot.press(key)
        pilot.app._poll()  # type: ignore[attr-defined]
        await pilot.pause(0.05)

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_alerts(snap_compare: Any, size: tuple[int, int], theme: str) -> None:
    app = application(busy(), theme=f"stockscan-{theme}")
    assert snap_compare(app, terminal_size=size, run_before=on_alerts("j", "d", "d", "j", "j"))


def test_no_alerts_yet(snap_compare: Any) -> None:
    app = application(passed(lively()))
    assert snap_compare(app, terminal_size=(80, 24), run_before=on_alerts())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_board_with_alerts(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(application(busy()), terminal_size=size, run_before=arrive("j"))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["light", "clear"])
def test_toasts(snap_compare: Any, size: tuple[int, int], theme: str) -> None:
    app = application(busy(), theme=f"stockscan-{theme}")
    assert snap_compare(app, terminal_size=size, run_before=told("G"))
