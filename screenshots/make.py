"""Makes the pictures of the README from the demo, seeded, so that they can be made afresh.

    pip install -e ".[pictures]"
    python screenshots/make.py              all of them
    python screenshots/make.py board tour   some

Each picture is an SVG, as Textual writes it, and a PNG drawn from it; `tour.gif` and
`health` are taken from the demo as it runs live, its connection cut on the way. PNG and GIF want
the fonts JetBrains Mono or DejaVu Sans Mono.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from textual.pilot import Pilot

from stockscan_tui.clock import SystemClock
from stockscan_tui.config import cache_folder
from stockscan_tui.config.rules import RulesFile
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.snapshot import Phase
from stockscan_tui.run.backtest import dry_run
from stockscan_tui.run.replay import ReplayRequest, ReplayRun
from stockscan_tui.scan.rules import Rules
from stockscan_tui.scan.rules.ruling import Ruling
from stockscan_tui.sim.demo import demo_file
from stockscan_tui.ui.app import StockscanApp
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.screens.board import BoardScreen

FOLDER = Path(__file__).parent
PLAYED_MINUTES = 75
FONT_PIXELS = 28


@dataclass(frozen=True)
class Picture:
    """A file, the terminal's size, the theme, the keys that lead to it, and how long it takes."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    theme: str = "stockscan-dark"
    wait_s: float = 0.0


PICTURES = (
    Picture("board", (120, 36), ("j", "j")),
    Picture("board-small", (80, 24)),
    Picture("board-wide", (200, 60), ("j", "j", "j")),
    Picture("board-light", (120, 36), theme="stockscan-light"),
    Picture("filter", (120, 36), ("slash", *"chg > 5 and rvol > 3 and mark < 20")),
    Picture("columns", (120, 36), ("c", "j", "j")),
    Picture("symbol", (120, 36), ("8", *"jjjj", "enter")),
    Picture("symbol-wide", (200, 60), ("8", *"jjjj", "enter")),
    Picture("alerts", (120, 36), ("a", "j", "d", "j")),
    Picture("rules", (120, 36), ("r", "j")),
    Picture(
        "rule",
        (120, 36),
        ("slash", *"chg(5m) > 3 and dvol(5m) > 30k", "enter", "A"),
        wait_s=30.0,
    ),
    Picture("help", (120, 36), ("question_mark",)),
    # It moves the market, so it comes last.
    Picture("replay", (120, 36), ("T", *"9:41", "enter"), wait_s=3.0),
)


RULES = """\
library = ["move 5", "gap up", "running up", "halt", "relative volume"]

[[rule]]
name = "runner"
when = "chg(5m) >= 3 and rvol > 2 and mark < 50"
cooldown = "15m"
deliver = ["toast", "desktop"]
"""


TOUR_RULES = """\
library = ["gap up", "halt"]

[[rule]]
name = "runner"
when = "chg(5m) >= 6 and rvol > 2 and mark > 5"
cooldown = "15m"
deliver = ["toast"]
"""


async def take(picture: Picture, run: ReplayRun, desk: Desk) -> str:
    """Show the run on a screen of that size; return what is seen, as an SVG."""
    app = StockscanApp(
        lambda _: run, title="demo", clock=SystemClock(), desk=desk, theme=picture.theme
    )
    app.animation_level = "none"
    async with app.run_test(size=picture.size) as pilot:
        while not (isinstance(app.screen, BoardScreen) and app.screen.ready):
            await pilot.pause(0.05)
        await settle(pilot)
        for key in picture.keys:
            await pilot.press(key)
        await settle(pilot)
        await pilot.pause(picture.wait_s)
        return app.export_screenshot(title="stockscan")


async def settle(pilot: Pilot[int]) -> None:
    """Let a few pictures be drawn."""
    for _ in range(4):
        await pilot.pause(0.3)


def play_whole(database: Path) -> None:
    """Save the demo's day, for rules to be tried on."""
    file = demo_file(cache_folder() / "demo")
    request = ReplayRequest(files=(file,), database=database, refresh_s=math.inf)
    run = ReplayRun(request, SystemClock())
    run.join()
    run.close()


def play_and_pause(database: Path, rules: Rules) -> ReplayRun:
    """Move to an hour and a quarter after the open of the demo's day, and hold still there."""
    file = demo_file(cache_folder() / "demo")
    request = ReplayRequest(
        files=(file,), simulated=True, speed=60.0, database=database, ruling=Ruling(rules)
    )
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


def keep(name: str, svg: str) -> None:
    """Save a picture as SVG and as PNG."""
    from studio.drawing import Pen, Window, rounded
    from studio.screen import read_screen

    (FOLDER / f"{name}.svg").write_text(svg, "utf-8")
    image = Window(Pen(FONT_PIXELS)).draw(read_screen(svg), "stockscan")
    rounded(image, FONT_PIXELS).save(FOLDER / f"{name}.png", optimize=True, transparency=255)
    print(name)


def make_pictures(wanted: list[Picture]) -> None:
    """Make those that stand still."""
    play_whole(Path("saved.duckdb"))
    rules = RulesFile(Path("rules.toml"))
    desk = Desk(rules=rules, dry_run=partial(dry_run, database=Path("saved.duckdb")))
    run = play_and_pause(Path("demo.duckdb"), rules.rules)
    for picture in wanted:
        keep(picture.name, asyncio.run(take(picture, run, desk)))
    run.close()


def main() -> None:
    """Make all pictures, or those that are named."""
    named = set(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_rules(Path("rules.toml"), RULES)
        still = [picture for picture in PICTURES if not named or picture.name in named]
        if still:
            make_pictures(still)
        if not named or named & {"tour", "health"}:
            from studio.tour import make_tour

            write_rules(Path("tour.toml"), TOUR_RULES)
            keep("health", make_tour(FOLDER / "tour.gif", Path("tour.toml"), Path("tour.duckdb")))


def write_rules(path: Path, text: str) -> None:
    """Write a rules file as the program wants it: for its owner alone."""
    path.write_text(text, "utf-8")
    path.chmod(0o600)


if __name__ == "__main__":
    main()
