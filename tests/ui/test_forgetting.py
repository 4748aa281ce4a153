"""Screens that come and go all week leave nothing behind."""

from __future__ import annotations

import gc

from textual.strip import Strip

from tests.ui.driving import Stage, on_stage
from tests.ui.market import market

ROUNDS = 4


def strips() -> int:
    """Return how many drawn lines there are in memory."""
    gc.collect()
    return sum(isinstance(each, Strip) for each in gc.get_objects())


def test_what_was_drawn_of_a_screen_goes_with_it() -> None:
    found: list[int] = []

    async def act(stage: Stage) -> None:
        for _ in range(ROUNDS):
            for key in ("h", "question_mark", "a", "enter"):
                await stage.pilot.press(key)
                await stage.pilot.pause()
                await stage.pilot.press("escape")
                await stage.pilot.pause()
            found.append(strips())

    on_stage(act, snapshot=market(200))
    assert found[-1] - found[1] < 0.2 * found[1]
