"""The health panel: what it says at a glance, how one goes about in it, and how it looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stockscan_tui.market.batch import Gap
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.snapshot import (
    CoverageFigures,
    Doubt,
    Health,
    Phase,
    Snapshot,
    Verification,
)
from stockscan_tui.market.usual_bars import shipped_activity
from stockscan_tui.market.vitals import (
    Flow,
    Lag,
    Pace,
    StoreFigures,
    Trouble,
    Vitals,
)
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.screens.health import HealthScreen
from stockscan_tui.ui.screens.symbol import SymbolScreen
from stockscan_tui.ui.widgets.health.grid import FigureGrid
from stockscan_tui.ui.widgets.health.pace import USUAL_ABOVE, USUAL_WITHIN
from stockscan_tui.ui.wording import proof_of
from tests.ui.driving import Stage, on_stage
from tests.ui.market import NOW_NS, day_of
from tests.ui.test_snapshots import LIVE, SIZES, application, arrive, lively

ELAPSED = 401


def covered(count: int, unknown: int = 0, missing: int = 0) -> CoverageFigures:
    """Return verdicts of a morning; the first symbol has the minutes that are not known."""
    bars = np.random.default_rng(3).integers(0, 300, count)
    none = np.zeros(count, np.int64)
    lost, lacking = none.copy(), none.copy()
    lost[0], lacking[0] = unknown, missing
    backfilled = none + 12
    quiet = ELAPSED - bars - backfilled - lost - lacking
    verified = bars + backfilled
    return CoverageFigures(ELAPSED, bars, backfilled, quiet, lacking, lost, verified, proved=398)


def paced(share: float = 1.0) -> Pace:
    """Return an hour and a half of bars; the last six minutes have a share of the usual."""
    minute = np.arange(NOW_NS // MINUTE_NS - 90, NOW_NS // MINUTE_NS)
    usual = 11_000 * shipped_activity()[minute - day_of().pre_ns // MINUTE_NS]
    bars = (usual * (1 + 0.12 * np.sin(np.arange(90) * 1.7))).astype(np.int64)
    bars[-6:] = (usual[-6:] * share).astype(np.int64)
    return Pace(minute, bars, usual, "the median of 7 earlier sessions")


def vitals(**changed: Any) -> Vitals:
    """Return those of a live run that does well."""
    day, from_ns = day_of(), NOW_NS - 20 * MINUTE_NS
    gap = Gap(day.session_date, from_ns, from_ns + 183 * SECOND_NS, "the connection was reset",
              from_ns + 190 * SECOND_NS)  # fmt: skip
    well = Vitals(
        flows=(Flow("quotes", 7_560_000, 38_100.0), Flow("trades", 840_000, 3_150.0),
               Flow("control", 12_044), Flow("other", 0)),
        pace=paced(),
        silent_s=0.2,
        gaps=(gap,),
        lag=Lag(2.9, 41.0, 188.0, 1.1, 21_400),
        store=StoreFigures(1, 301_222, 6.4, 3.0, 48_300_000, 212_400_000_000),
        rss_mb=412.0,
        completeness=0.9998,
    )  # fmt: skip
    return replace(well, **changed)


def well(**changed: Any) -> Snapshot:
    """Return a live market that is whole and verified."""
    shown = lively(LIVE)
    told: dict[str, Any] = {
        "coverage": covered(240, unknown=19),
        "vitals": vitals(),
        "verification": Verification("ohlcv-1m beside the feed", equal=98_411, lacking=12,
                                     healed=12, fields=()),
        "health": Health(records=8_400_000, trades=840_000, quotes=7_560_000, bars=301_222,
                         symbols=240, records_per_s=41_300.0, gaps=1, healed=1, late=212,
                         repeated=1_204),
    }  # fmt: skip
    return replace(shown, **(told | changed))


def ill() -> Snapshot:
    """Return one in which everything is wrong."""
    shown = well()
    feed = replace(LIVE, phase=Phase.DOWN, message="the connection was reset", since_s=42,
                   retry_s=3)  # fmt: skip
    day = day_of()
    open_gap = Gap(day.session_date, NOW_NS - 42 * SECOND_NS, 0, "the connection was reset")
    left = Gap(day.session_date, day.regular_ns, day.regular_ns + 7 * MINUTE_NS, "laptop asleep")
    return replace(
        shown,
        feed=feed,
        coverage=covered(240, unknown=280, missing=100),
        doubts=(Doubt(day.pre_ns, day.pre_ns + 35 * MINUTE_NS, "before the first record"),),
        verification=replace(shown.verification, differing=2_410, lacking=903, healed=20,
                             fields=(("volume", 2_400), ("close", 10))),
        health=replace(shown.health, gaps=2, healed=0, unmapped=7, bad_prices=3,
                       problems=("the gateway warns that this machine reads too slowly",)),
        vitals=vitals(
            gaps=(open_gap, left), silent_s=42.0, slow_reader=2, rss_mb=2_450.0,
            lag=Lag(912.0, 7_430.0, 9_001.0, -12.0, 300), pace=paced(0.31),
            store=StoreFigures(9, 301_222, 1_840.0, 130.0, 48_300_000, 640_000_000),
        ),
    )  # fmt: skip


def panel(stage: Stage) -> HealthScreen:
    screen = stage.app.screen
    assert isinstance(screen, HealthScreen)
    return screen


def lines(stage: Stage) -> list[str]:
    return stage.text().splitlines()


def explained(stage: Stage) -> str:
    """Return what is said of the figure under the cursor."""
    place = panel(stage).query_one("#explanation").region
    return " ".join(line.strip() for line in lines(stage)[place.y : place.bottom])


async def opened(stage: Stage) -> HealthScreen:
    await stage.pilot.press("h")
    await stage.until(lambda: isinstance(stage.app.screen, HealthScreen))
    await stage.until(lambda: panel(stage).query_one(FigureGrid).entry is not None)
    await stage.pilot.pause()
    return panel(stage)


def test_h_opens_the_panel_and_h_or_esc_closes_it() -> None:
    async def act(stage: Stage) -> None:
        for key in ("h", "escape"):
            await opened(stage)
            await stage.pilot.press(key)
            await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))

    on_stage(act, snapshot=well())


def test_from_a_symbol_the_panel_leads_back_to_it_or_to_a_list() -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        await opened(stage)
        await stage.pilot.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        await opened(stage)
        await stage.pilot.press("2")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        await stage.until(lambda: "2 losers" in stage.text())

    on_stage(act, snapshot=well())


def test_five_lines_say_how_all_is_without_colour() -> None:
    async def act(stage: Stage) -> None:
        await opened(stage)
        assert [line[:24].split() for line in lines(stage)[1:6]] == [
            ["✓", "feed", "good"],
            ["✓", "completeness", "good"],
            ["✓", "verification", "good"],
            ["✓", "disk", "good"],
            ["✓", "lag", "good"],
        ]
        await stage.show(ill(), after_s=1)
        await stage.until(lambda: "DOWN" in stage.text())
        assert [line[:24].split() for line in lines(stage)[1:6]] == [
            ["✗", "feed", "alarm"],
            ["!", "completeness", "warning"],
            ["✗", "verification", "alarm"],
            ["✗", "disk", "alarm"],
            ["✗", "lag", "alarm"],
        ]
        assert "down for 42 s, retry in 3 s: the connection was reset" in lines(stage)[1]

    on_stage(act, snapshot=well())


@pytest.mark.parametrize("size", [*SIZES, (40, 12)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_cursor_comes_to_every_figure_and_each_explains_itself(size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        screen = await opened(stage)
        grid = screen.query_one(FigureGrid)
        count = len(grid._grid.placed)
        assert count > 40
        for at in range(count):
            entry = grid.entry
            assert entry is not None
            assert entry.doc
            place = grid._grid.placed[at]
            assert place.entry is entry
            assert grid._top <= place.y < grid._top + grid.size.height
            assert 0 <= place.x < place.x + place.width <= grid.size.width
            screen.action_move(1)
        await stage.pilot.press("G")
        await stage.until(lambda: explained(stage).startswith(f"{grid.entry.title}:"))  # type: ignore[union-attr]
        await stage.pilot.press("g")
        await stage.until(lambda: explained(stage).startswith("market: all symbols"))
        assert grid._top == 0

    on_stage(act, snapshot=ill(), size=size)


def test_a_figure_tells_its_limits() -> None:
    async def act(stage: Stage) -> None:
        screen = await opened(stage)
        grid = screen.query_one(FigureGrid)
        while grid.entry is not None and grid.entry.key != "free":
            screen.action_move(1)
        await stage.until(lambda: "warning under 5 GB, alarm under 1 GB" in explained(stage))

    on_stage(act, snapshot=well())


def test_the_cursor_goes_from_column_to_column_and_stays_with_its_figure() -> None:
    async def act(stage: Stage) -> None:
        screen = await opened(stage)
        grid = screen.query_one(FigureGrid)
        await stage.pilot.press("right")
        assert grid.entry is not None
        assert grid.entry.title in ("state", "gaps")
        await stage.pilot.press("left")
        assert grid.entry.title == "market"
        await stage.pilot.press("G")
        title = grid.entry.title
        more = replace(vitals(), gaps=vitals().gaps * 3)
        await stage.show(well(vitals=more), after_s=1)
        assert grid.entry.title == title

    on_stage(act, snapshot=well())


def test_only_lines_that_changed_are_drawn_again() -> None:
    async def act(stage: Stage) -> None:
        screen = await opened(stage)
        grid = screen.query_one(FigureGrid)
        before = list(grid._shown)
        health = replace(well().health, late=213)
        await stage.show(well(health=health), after_s=1)
        changed = [y for y, line in enumerate(grid._shown) if line != before[y]]
        assert len(changed) == 1
        assert "213" in grid._shown[changed[0]].text
        kept = [line is before[y] for y, line in enumerate(grid._shown) if y not in changed]
        assert len(kept) == len(before) - 1

    on_stage(act, snapshot=well(), size=(200, 60))


def test_bars_a_minute_are_a_chart_against_the_usual() -> None:
    async def act(stage: Stage) -> None:
        await opened(stage)
        text = stage.text()
        assert "usual 5,647 · 31 %" in text
        assert USUAL_ABOVE in text
        assert USUAL_WITHIN in text
        assert not any("⠀" < sign <= "⣿" for sign in text)

    on_stage(act, snapshot=ill())


def test_gaps_stand_with_their_cause_and_what_became_of_them() -> None:
    async def act(stage: Stage) -> None:
        await opened(stage)
        text = " ".join(stage.text().split())
        assert "✗ 10:40:25–… lasting the connection was reset" in text
        assert "! 09:30:00–09:37:00 7:00 open laptop asleep" in text
        assert "! 04:00:00–04:35:00 35:00 unknown before the first record" in text

    on_stage(act, snapshot=ill(), size=(200, 60))


def test_text_from_outside_does_nothing_to_the_terminal() -> None:
    async def act(stage: Stage) -> None:
        await opened(stage)
        assert "\x1b" not in stage.text()
        assert "[bold]" in stage.text()

    evil = "\x1b]0;x\x07[bold]gone[/]"
    shown = ill()
    gap = replace(shown.vitals.gaps[0], reason=evil)
    feed = replace(shown.feed, message=evil)
    health = replace(shown.health, problems=(evil,), store_error=evil)
    shown = replace(shown, feed=feed, health=health, vitals=vitals(gaps=(gap,)))
    on_stage(act, snapshot=shown, size=(200, 60))


def test_a_trouble_is_told_when_it_begins_and_when_it_is_over() -> None:
    trouble = Trouble("disk", "Only 640 MB are left on the [b]disk", "The disk has room again")

    async def act(stage: Stage) -> None:
        await stage.show(well(vitals=vitals(troubles=(trouble,))), after_s=1)
        await stage.show(well(vitals=vitals(troubles=(trouble,), rss_mb=500.0)), after_s=1)
        told = list(stage.app._notifications)
        assert [(n.message, n.markup) for n in told] == [(f"{trouble.sentence}.", False)]
        await stage.show(well(), after_s=1)
        told = list(stage.app._notifications)
        assert [n.message for n in told][1:] == ["The disk has room again."]

    on_stage(act, snapshot=well())


def test_how_long_pictures_take_to_the_screen_is_measured() -> None:
    async def act(stage: Stage) -> None:
        await opened(stage)
        made_ns = stage.clock.now_ns()
        await stage.show(well(made_ns=made_ns), after_s=0.25)
        await stage.show(well(made_ns=made_ns), after_s=0.25)
        await stage.until(lambda: "max 500 ms" in stage.text())

    on_stage(act, snapshot=well())


# --- the proof line -----------------------------------------------------------------------------


def test_the_proof_line_leaves_out_what_matters_least() -> None:
    assert proof_of(well(), 118) == (
        "✓ 99.98 % complete · 5,647 bars/min (usual 5,647) · 1 gap healed · verified 100 % · "
        "lag 2.9 ms · 301,222 bars"
    )
    assert proof_of(well(), 78) == "✓ 99.98 % complete · 1 gap healed · verified 100 % · lag 2.9 ms"
    assert proof_of(well(), 20) == "✓ 99.98 % complete"


def test_the_proof_line_has_a_sign_for_each_limit_that_is_passed() -> None:
    assert proof_of(ill(), 200) == (
        "! 99.60 % complete · ✗ 1,750 bars/min (usual 5,647) · ! 2 gaps open, mending · "
        "✗ verified 96.76 % · ✗ lag 912 ms · ✗ 0.6 GB free · 301,222 bars"
    )


def test_before_the_first_minute_the_proof_line_counts_records() -> None:
    none = np.zeros(240, np.int64)
    fresh = CoverageFigures(0, none, none, none, none, none, none)
    nothing = well(coverage=fresh, vitals=Vitals(), verification=Verification())
    assert proof_of(nothing, 118).startswith("8,400,000 records · no minute of a session is over")
    assert proof_of(replace(nothing, coverage=None), 40) == "8,400,000 records · 1 gap healed"


# --- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("state", [well, ill], ids=["well", "ill"])
def test_health(snap_compare: Any, size: tuple[int, int], theme: str, state: Any) -> None:
    app = application(state(), theme=f"stockscan-{theme}")
    assert snap_compare(app, terminal_size=size, run_before=arrive("h", "j", "j"))


def test_bottom_of_a_small_panel(snap_compare: Any) -> None:
    app = application(ill())
    assert snap_compare(app, terminal_size=(80, 24), run_before=arrive("h", "G", "k", "k"))
