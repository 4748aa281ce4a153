"""Makes the pictures of the README from the demo, seeded, so that they can be made afresh.

python screenshots/make.py
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from stockscan_tui.clock import SystemClock
from stockscan_tui.config import cache_folder
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.snapshot import Phase
from stockscan_tui.run.replay import ReplayRequest, ReplayRun
from stockscan_tui.sim.demo import demo_file
from stockscan_tui.ui.app import StockscanApp
from stockscan_tui.ui.screens.board import BoardScreen

FOLDER = Path(__file__).parent
PLAYED_MINUTES = 75


@dataclass(frozen=True)
class Picture:
    """A file, the size of the terminal, the theme, and the keys that lead to it."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    theme: str = "stockscan-dark"


PICTURES = (
    Picture("board", (120, 36), ("j", "j")),
    Picture("board-small", (80, 24)),
    Picture("board-wide", (200, 60), ("j", "j", "j")),
    Picture("board-light", (120, 36), theme="stockscan-light"),
    Picture("filter", (120, 36), ("slash", *"chg > 5 and rvol > 3 and mark < 20")),
    Picture("columns", (120, 36), ("c", "j", "j")),
    Picture("symbol", (120, 36), ("8", "enter")),
    Picture("symbol-wide", (200, 60), ("8", "j", "enter")),
    Picture("health", (120, 36), ("h",)),
    Picture("help", (120, 36), ("question_mark",)),
)


async def take(picture: Picture, run: ReplayRun) -> None:
    """Show the run on a screen of that size and save what is seen."""
    app = StockscanApp(lambda _: run, title="demo", clock=SystemClock(), theme=picture.theme)
    app.animation_level = "none"
    async with app.run_test(size=picture.size) as pilot:
        while not (isinstance(app.screen, BoardScreen) and app.screen.ready):
            await pilot.pause(0.05)
        await settle(pilot)
        for key in picture.keys:
            await pilot.press(key)
        await settle(pilot)
        app.save_screenshot(f"{picture.name}.svg", path=str(FOLDER))
    print(f"{picture.name}.svg")


async def settle(pilot: Pilot[int]) -> None:
    """Let a few pictures be drawn."""
    for _ in range(4):
        await pilot.pause(0.3)


def play_and_pause(database: Path) -> ReplayRun:
    """Move to an hour and a quarter after the open of the demo's day, and hold still there."""
    file = demo_file(cache_folder() / "demo")
    request = ReplayRequest(files=(file,), simulated=True, speed=60.0, database=database)
    run = ReplayRun(request, SystemClock())
    run.set_paused(True)

    async def until_there() -> None:
        goal_ns = 0
        while True:
            await asyncio.sleep(0.02)
            snapshot = run.snapshot()
            if snapshot is None or snapshot.regular_ns == 0:
                continue
            if not goal_ns:
                goal_ns = snapshot.regular_ns + PLAYED_MINUTES * MINUTE_NS
                run.seek(goal_ns)
            if snapshot.event_ns >= goal_ns and snapshot.feed.phase is Phase.PAUSED:
                return

    asyncio.run(until_there())
    return run


def main() -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as folder:
        run = play_and_pause(Path(folder) / "demo.duckdb")
        for picture in PICTURES:
            asyncio.run(take(picture, run))
        run.close()


if __name__ == "__main__":
    main()
