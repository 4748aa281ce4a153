"""The health panel: what it says at a glance, how one goes about in it, and how it looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stockscan_tui.market.batch import Gap
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, Session
from stockscan_tui.market.snapshot import (
    CoverageFigures,
    Doubt,
    Health,
    Phase,
    Snapshot,
    Verification,
)
from stockscan_tui.market.usual import shipped_activity
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
from stockscan_tui.ui.telling import proof_of
from stockscan_tui.ui.widgets.health.grid import FigureGrid
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
    return CoverageFigures(
        ELAPSED, bars, backfilled, quiet, lacking, lost, verified, proved=398
    )


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
    told = {
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


async def opened(stage: Stage) -> HealthScreen:
    await stage.pilot.press("h")
    await stage.until(lambda: isinstance(stage.app.screen, HealthScreen))
    await stage.until(lambda: "completeness" in stage.text())
    await stage.until(lambda: "─" in stage.text())
    return panel(stage)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("state", [well, ill], ids=["well", "ill"])
def test_health(snap_compare: Any, size: tuple[int, int], theme: str, state: Any) -> None:
    app = application(state(), theme=f"stockscan-{theme}")
    assert snap_compare(app, terminal_size=size, run_before=arrive("h", "j", "j"))
