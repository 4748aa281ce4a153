"""The moving picture: the demo as it runs live, its connection cut and healed on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import time as clock_time
from pathlib import Path

from PIL import Image

from stockscan_tui.clock import SystemClock
from stockscan_tui.config import cache_folder
from stockscan_tui.config.rules import RulesFile
from stockscan_tui.delivery import Courier
from stockscan_tui.market.snapshot import Phase, Snapshot
from stockscan_tui.run.demo import DemoRequest, DemoRun
from stockscan_tui.scan.rules.ruling import Ruling
from stockscan_tui.sim.demo import demo_file
from stockscan_tui.ui.app import StockscanApp
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.screens.board import BoardScreen

from .drawing import Pen, Window
from .screen import read_screen

SIZE = (120, 36)
FONT_PIXELS = 15
LOOK_S = 0.2
FRAME_MS = 180
LAST_MS = 1_800
PATIENCE_S = 150.0


@dataclass(frozen=True, slots=True)
class Shot:
    """What the screen showed `at_s` after the beginning."""

    at_s: float
    svg: str


@dataclass(slots=True)
class Story:
    """What was seen, and when (in seconds) what it tells of happened."""

    shots: list[Shot] = field(default_factory=list)
    at: dict[str, float] = field(default_factory=dict)

    def note(self, at_s: float, snapshot: Snapshot) -> None:
        """Take note of what has happened by now."""
        health, phase = snapshot.health, snapshot.feed.phase
        if 0 < snapshot.regular_ns <= snapshot.event_ns:
            self.at.setdefault("opened", at_s)
        if "opened" in self.at and phase is Phase.DOWN:
            self.at.setdefault("cut", at_s)
        if "cut" in self.at and phase is Phase.LIVE and 0 < health.gaps == health.healed:
            self.at.setdefault("healed", at_s)

    def shown(self) -> list[Shot]:
        """Return the opening at the pace it was seen, and then the cut at twice that."""
        opened_s, cut_s, healed_s = (self.at[name] for name in ("opened", "cut", "healed"))
        first = [shot for shot in self.shots if opened_s - 1 <= shot.at_s <= opened_s + 5]
        later = [shot for shot in self.shots if cut_s - 1 <= shot.at_s <= healed_s + 3]
        return first + later[::2]


def make_tour(path: Path, rules: Path, database: Path) -> str:
    """Play the demo and save what is seen of it as a GIF of at most 15 s.

    Returns what the screen of health shows at its end, as an SVG.

    Raises:
        TimeoutError: It did not come to its cut, or did not heal.
    """
    story, health = asyncio.run(_watch(RulesFile(rules), database))
    window = Window(Pen(FONT_PIXELS))
    frames = [window.draw(read_screen(shot.svg), "stockscan demo") for shot in story.shown()]
    _save(path, frames)
    return health


def _save(path: Path, frames: list[Image.Image]) -> None:
    """Write the frames with one palette, so that nothing flickers."""
    colours = Image.new("RGB", (frames[0].width, frames[0].height * 3))
    for place, at in enumerate((0, len(frames) // 2, -1)):
        colours.paste(frames[at], (0, place * frames[0].height))
    palette = colours.quantize(128, Image.Quantize.MEDIANCUT)
    few = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    lasting = [FRAME_MS] * (len(few) - 1) + [LAST_MS]
    few[0].save(path, save_all=True, append_images=few[1:], duration=lasting, loop=0, optimize=True)


async def _watch(rules: RulesFile, database: Path) -> tuple[Story, str]:
    clock = SystemClock()
    # There is no application yet that it could be bound to.
    courier = Courier(
        rules.rules,
        clock,
        lambda told: app.alerting.tell(told),  # noqa: PLW0108
        simulated=True,
    )

    def start(_opening: object) -> DemoRun:
        request = DemoRequest(
            file=demo_file(cache_folder() / "demo"), speed=10.0, start_at=clock_time(9, 29),
            database=database, ruling=Ruling(rules.rules, listeners=(courier.take,)),
        )  # fmt: skip
        return DemoRun(request, clock)

    app = StockscanApp(start, title="demo", clock=clock, desk=Desk(rules=rules), alerting=courier)
    app.animation_level = "none"
    try:
        async with app.run_test(size=SIZE) as pilot:
            while not (isinstance(app.screen, BoardScreen) and app.screen.ready):
                await pilot.pause(0.05)
            await pilot.press("1", "j", "j")
            story = await _film(app.export_screenshot, lambda: app._shown)
            await pilot.press("h")
            await pilot.pause(2.0)
            app.alerting.dismiss()
            await pilot.pause(0.1)
            health = app.export_screenshot(title="stockscan demo")
            app.exit()
    finally:
        app.player.close()
        courier.close()
    return story, health


async def _film(take: Callable[[], str], shown: Callable[[], Snapshot | None]) -> Story:
    """Look at the screen again and again, until it has healed and a little longer."""
    story, began_s = Story(), time.monotonic()
    while True:
        await asyncio.sleep(LOOK_S)
        at_s = time.monotonic() - began_s
        snapshot = shown()
        if snapshot is not None:
            story.note(at_s, snapshot)
        story.shots.append(Shot(at_s, take()))
        if at_s > story.at.get("healed", PATIENCE_S) + 4.0:
            return story
        if at_s > PATIENCE_S and "healed" not in story.at:
            raise TimeoutError("the demo's connection was not cut and healed in time")
