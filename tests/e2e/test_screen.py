"""The screen over a real run: file, engine, database and board together."""

from __future__ import annotations

import asyncio
import math
from datetime import date
from pathlib import Path

import duckdb
import pytest

from stockscan_tui.clock import SystemClock
from stockscan_tui.market.metrics import MetricKey, rank
from stockscan_tui.market.snapshot import Phase
from stockscan_tui.run.replay import ReplayRequest, ReplayRun
from stockscan_tui.sim.day import DayPlan
from stockscan_tui.sim.files import write_closes, write_day
from stockscan_tui.sim.universe import make_universe
from stockscan_tui.ui.app import Opening, StockscanApp
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.widgets.leaderboard import Leaderboard


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("screen")
    universe = make_universe(11, 300)
    write_closes(folder / "day.ohlcv-1d.dbn.zst", universe, date(2026, 6, 12))
    path = folder / "day.mbp-1.dbn.zst"
    write_day(path, universe, DayPlan(date(2026, 6, 15), 60_000), 11)
    return path


def test_a_played_day_stands_on_the_board_and_in_the_database(day: Path, tmp_path: Path) -> None:
    database = tmp_path / "bars.duckdb"
    shown: list[str] = []

    def start(opening: Opening) -> ReplayRun:
        opening.say("opening")
        request = ReplayRequest(files=(day,), speed=math.inf, database=database, refresh_s=0.05)
        return ReplayRun(request, SystemClock())

    desk = Desk(gates=None)
    app = StockscanApp(start, title=day.name, clock=SystemClock(), desk=desk)

    async def use() -> None:
        async with app.run_test(size=(120, 36)) as pilot:
            for _ in range(3_000):
                snapshot = app.player.snapshot() if app.player is not None else None
                board_is_up = isinstance(app.screen, BoardScreen) and app.screen.ready
                if snapshot is not None and snapshot.feed.phase is Phase.ENDED and board_is_up:
                    break
                await pilot.pause(0.02)
            await pilot.press("j", "k", "s", "S", "S", "g", "1")
            app._poll()
            app.screen.refresh_order()  # type: ignore[attr-defined]
            await pilot.pause()
            board = app.screen.query_one(Leaderboard)
            shown.extend(board.render_line(y).text.split()[1] for y in range(1, 11))
            await pilot.press("q")

    asyncio.run(use())
    app.join_opening()
    run = app.player
    assert isinstance(run, ReplayRun)
    summary = run.close()
    snapshot = run.snapshot()
    assert snapshot is not None
    best = rank(snapshot, MetricKey("chg"), ascending=False, rows=snapshot.by_symbol)
    assert shown == [snapshot.symbols[row] for row in best[:10]]
    assert summary.records == 60_000
    with duckdb.connect(str(database), read_only=True) as connection:
        (bars,) = connection.execute("SELECT count(*) FROM bars_1m").fetchone() or (0,)
        (states,) = connection.execute("SELECT count(*) FROM symbol_state").fetchone() or (0,)
    assert bars == summary.bars > 1_000
    assert states > 100
