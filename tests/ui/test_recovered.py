"""What became of a damaged database, on the screen."""

from __future__ import annotations

from datetime import date

from stockscan_tui.store.recovery_report import Affected, Recovered, TableRows
from stockscan_tui.ui.app import Opening
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.screens.recovered import RecoveredScreen
from tests.ui.driving import Stage, on_stage
from tests.ui.market import FakePlayer, market

MINUTE_NS = 60_000_000_000
FROM_NS = 29_913_990 * MINUTE_NS
FOUND = Recovered(
    database="/data/EQUS.MINI.duckdb",
    cause="a block of its file is damaged, at byte 798,720",
    aside="/data/EQUS.MINI.duckdb.damaged-20261120-101500",
    seconds=12.3,
    tables=(TableRows("bars", 1_200_000, 20_000, 1_234), TableRows("fired", 17, 0, 0)),
    affected=(Affected(date(2026, 11, 16), FROM_NS, FROM_NS + 9 * MINUTE_NS, 10, 1_234, False),),
    notes=("The names of 2 symbols are lost; they are called #lost-\x1b[31m now.",),
)


def test_it_is_shown_once_fits_the_smallest_screen_and_is_found_again_in_the_palette() -> None:
    found = [FOUND]

    def start(opening: Opening) -> FakePlayer:
        opening.recovered = lambda: found
        return FakePlayer(market())

    async def act(stage: Stage) -> None:
        await stage.until(lambda: isinstance(stage.app.screen, RecoveredScreen))
        await stage.until(lambda: "Enter goes on" in stage.text())
        text = stage.text()
        for said in ("damaged-20261120-101500", "20,000 from the copy", "1,234 lost", "09:30–09:39",
                     "fetched again", "Enter goes on"):  # fmt: skip
            assert said in text, said
        assert "\x1b[31m now" not in text
        await stage.pilot.press("j", "pagedown", "k", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        await stage.show()
        assert isinstance(stage.app.screen, BoardScreen)
        await stage.pilot.press("ctrl+p")
        await stage.pilot.pause()
        await stage.pilot.press(*"recovered of")
        await stage.until(lambda: "What was recovered" in stage.text())
        await stage.pilot.press("down", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, RecoveredScreen))
        await stage.pilot.press("escape")
        found.append(FOUND)
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        await stage.show()
        await stage.until(lambda: isinstance(stage.app.screen, RecoveredScreen))

    on_stage(act, size=(80, 24), wait=False, start=start)
