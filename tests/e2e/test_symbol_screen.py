"""A symbol's screen over a real run: what it shows is what memory and database hold together."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import numpy as np

from stockscan_tui.clock import SystemClock
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.snapshot import Phase
from stockscan_tui.market.verdicts import Verdict
from stockscan_tui.run.replay import ReplayRequest, ReplayRun
from stockscan_tui.sim.day import DayPlan
from stockscan_tui.sim.files import write_closes, write_day
from stockscan_tui.sim.universe import make_universe
from stockscan_tui.ui.app import StockscanApp
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.screens.symbol import SymbolScreen
from stockscan_tui.ui.widgets.symbol.strip import MinuteStrip
from stockscan_tui.ui.widgets.symbol.table import BarTable


def test_the_bars_of_a_played_symbol_are_those_of_the_database(tmp_path: Path) -> None:
    universe = make_universe(12, 40)
    write_closes(tmp_path / "day.ohlcv-1d.dbn.zst", universe, date(2026, 6, 12))
    file, database = tmp_path / "day.mbp-1.dbn.zst", tmp_path / "bars.duckdb"
    write_day(file, universe, DayPlan(date(2026, 6, 15), 40_000), 12)
    request = ReplayRequest(files=(file,), speed=math.inf, database=database, refresh_s=0.05)
    run = ReplayRun(request, SystemClock())
    app = StockscanApp(lambda _: run, title=file.name, clock=SystemClock(), desk=Desk(gates=None))
    shown: list[tuple[int, float, float, float, float, int]] = []
    symbols: list[str] = []
    codes: list[int] = []

    async def use() -> None:
        async with app.run_test(size=(200, 60)) as pilot:

            async def until(condition: Callable[[], bool]) -> None:
                for _ in range(3_000):
                    if condition():
                        return
                    await pilot.pause(0.02)
                raise AssertionError("it never came to be")

            def ended() -> bool:
                snapshot = run.snapshot()
                on_board = len(app._ranking.rows) > 0
                return on_board and snapshot is not None and snapshot.feed.phase is Phase.ENDED

            await until(ended)
            await pilot.press("8", "enter")
            await until(lambda: isinstance(app.screen, SymbolScreen))
            screen = app.screen
            assert isinstance(screen, SymbolScreen)
            await until(lambda: not screen._studying.reading)
            app._poll()
            bars = screen.query_one(BarTable).bars
            columns = (bars.minute, bars.open, bars.high, bars.low, bars.close, bars.volume)
            shown.extend(zip(*(column.tolist() for column in columns), strict=True))
            symbols.append(screen.symbol)
            known = screen.query_one(MinuteStrip)._known
            assert known is not None
            codes.extend(known.codes.tolist())
            await pilot.press("q")

    asyncio.run(use())
    app.join_opening()
    run.close()
    with duckdb.connect(str(database), read_only=True) as connection:
        stored = connection.execute(
            "SELECT epoch_ns(ts) // ?, open, high, low, close, volume FROM bars_1m "
            "WHERE symbol = ? ORDER BY ts",
            [MINUTE_NS, symbols[0]],
        ).fetchall()
    assert len(stored) > 100
    assert [row[0] for row in shown] == [row[0] for row in stored]
    assert np.allclose(np.array(shown)[:, 1:], np.array(stored, np.float64)[:, 1:], rtol=1e-12)
    assert codes.count(Verdict.TRADED) + codes.count(Verdict.UNKNOWN) >= len(stored)
    assert Verdict.UNREAD not in codes
