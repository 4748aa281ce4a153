"""What rules cost: one pass over all symbols, a replayed day, an alert's way to the screen.

A pass stands beside pandas' `DataFrame.eval` of the same number of conditions over as many rows.

    python -m tests.bench.bench_rules
"""

from __future__ import annotations

import asyncio
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import time as clock_time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from textual.strip import Strip

from stockscan_tui.cli.play import SWITCH_S
from stockscan_tui.clock import SystemClock
from stockscan_tui.delivery import Courier
from stockscan_tui.engine.alerting import Alerting
from stockscan_tui.market.instants import Instants
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.run.replay import ReplayRequest, ReplayRun
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule, Rules
from stockscan_tui.scan.rules.library import LIBRARY
from stockscan_tui.scan.rules.ruling import Ruling
from stockscan_tui.ui.app import StockscanApp
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.widgets.alerts.toasts import ToastStack
from tests.bench.material import day_file

RECORDS = 20_000_000
FEW_RECORDS = 2_000_000
SYMBOLS = 12_000
CONDITIONS = (
    "chg >= {0} and dvol >= 100k",
    "chg(5m) >= {0} and rvol >= 2",
    "crosses_above(mark, vwap) and trades >= {0}0",
    "hod_pct >= -{0} and chg > 3",
    "volume(5m) >= {0}k and spread_pct < 1",
    "rsi(14) <= 3{0} and trades > 50",
    "crosses_above(ema(9), ema(20)) and dvol >= {0}00k",
    "vwap_pct >= {0} and not warrant",
    "bar_rvol >= {0} and bars > 5",
    "range_pct >= {0} and pos > 95",
)
EVALS = (
    "chg >= {0} and dvol >= 100000",
    "chg5 >= {0} and rvol >= 2",
    "above and trades >= {0}0",
    "hod >= -{0} and chg > 3",
    "volume5 >= {0}000 and spread < 1",
)
LIBRARY_20 = (
    "move", "move 5", "move 10", "move 20", "gap up", "gap down", "running up", "running down",
    "volume spike 10", "relative volume", "new high", "new low", "near high", "near low",
    "opening range breakout 15", "opening range breakdown 15", "vwap cross up", "rsi high",
    "halt", "resume",
)  # fmt: skip


def hundred() -> Rules:
    """Return a hundred rules of ten kinds."""
    texts = (CONDITIONS[n % 10].format(n // 10 + 1) for n in range(100))
    rules = (Rule(f"rule {n}", when=parse(text), cooldown_s=300) for n, text in enumerate(texts))
    return Rules(tuple(rules))


def library() -> Rules:
    """Return twenty rules of the library, switched on."""
    by_name = {rule.name: rule for rule in LIBRARY}
    return Rules(tuple(replace(by_name[name], enabled=True) for name in LIBRARY_20))


def replayed(path: Path, rules: Rules, folder: Path) -> tuple[float, float, int]:
    """Return the wall and processor seconds of a replay at full speed, and its alerts."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    request = ReplayRequest(
        files=(path,), speed=math.inf, database=folder / f"{time.time_ns()}.duckdb",
        refresh_s=math.inf, ruling=Ruling(rules),
    )  # fmt: skip
    run = ReplayRun(request, SystemClock())
    run.join()
    summary = run.close()
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, used, summary.alerts


def passes(folder: Path) -> list[float]:
    """Return the milliseconds of each pass of a hundred rules in a day.

    A pass is over all symbols at a minute's close and over those of the seconds that follow.
    """
    took: list[float] = []
    plain = Alerting._evaluate

    def timed(self: Alerting, view: Instants) -> list[Any]:
        began = time.thread_time()
        found = plain(self, view)
        took.append((time.thread_time() - began) * 1e3)
        return found

    Alerting._evaluate = timed  # type: ignore[method-assign]
    try:
        replayed(day_file(FEW_RECORDS, SYMBOLS), hundred(), folder)
    finally:
        Alerting._evaluate = plain  # type: ignore[method-assign]
    return took


def by_pandas() -> float:
    """Return the milliseconds of a hundred conditions by `DataFrame.eval` over as many rows."""
    rng = np.random.default_rng(1)
    names = ("chg", "chg5", "dvol", "rvol", "trades", "hod", "volume5", "spread")
    frame = pd.DataFrame({name: rng.normal(1, 3, SYMBOLS) for name in names})
    frame["above"] = frame["chg"] > 0
    texts = [EVALS[n % 5].format(n // 10 + 1) for n in range(100)]
    return median_ms(lambda: [frame.eval(text) for text in texts], 5)


def median_ms(work: Callable[[], object], times: int) -> float:
    """Return the median milliseconds of some work."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


def to_screen(folder: Path, speed: float, begin: clock_time) -> list[float]:
    """Return the milliseconds from each record that fired to its alert on the screen.

    That is its toast, or the board's picture that has it, whichever is drawn first. A day is
    replayed at `speed` for 20 s with the board up; only alerts of move rules count, whose record
    is known.
    """
    at: dict[str, float] = {}
    took: list[float] = []
    plain = Alerting.moved

    def noted(self: Alerting) -> None:
        plain(self)
        for moved in self._moved[-4:]:
            row = self._rows[len(self._moved) - 1]
            symbol = self._market.symbols.names[int(row[0])]
            at.setdefault(f"{moved.watched.rule.name}/{symbol}", time.perf_counter())

    Alerting.moved = noted  # type: ignore[method-assign]
    moves = Rules(tuple(rule for rule in library().rules if rule.move))
    request = ReplayRequest(
        files=(day_file(FEW_RECORDS, SYMBOLS),), speed=speed, start_at=begin,
        database=folder / f"screen-{speed:g}.duckdb",
        ruling=Ruling(moves, listeners=(lambda fired: courier.take(fired),)),  # noqa: PLW0108
    )  # fmt: skip

    seen: set[str] = set()
    plain_show, plain_line = BoardScreen.show, ToastStack.render_line

    def shown(self: BoardScreen, snapshot: Snapshot, now_s: float) -> None:
        plain_show(self, snapshot, now_s)
        note([f"{each.rule}/{each.symbol}" for each in snapshot.fired], at, seen, took)

    def drawn(self: ToastStack, y: int) -> Strip:
        strip = plain_line(self, y)
        note([f"{each.rule}/{each.symbol}" for each in self._notices], at, seen, took)
        return strip

    courier = Courier(moves, SystemClock(), lambda told: app.alerting.tell(told))  # noqa: PLW0108
    app = StockscanApp(
        lambda _opening: run, title="a day", clock=SystemClock(), desk=Desk(gates=None),
        alerting=courier,
    )  # fmt: skip
    run = ReplayRun(request, SystemClock())

    async def look() -> None:
        async with app.run_test(size=(120, 36)):
            await asyncio.sleep(20.0)

    BoardScreen.show = shown  # type: ignore[method-assign]
    ToastStack.render_line = drawn  # type: ignore[method-assign]
    try:
        asyncio.run(look())
    finally:
        BoardScreen.show = plain_show  # type: ignore[method-assign]
        ToastStack.render_line = plain_line  # type: ignore[method-assign]
        courier.close()
        Alerting.moved = plain  # type: ignore[method-assign]
        run.close()
    return took


def note(keys: Sequence[str], at: dict[str, float], seen: set[str], took: list[float]) -> None:
    """Note how long alerts took that are drawn for the first time."""
    now = time.perf_counter()
    for key in keys:
        if key in at and key not in seen:
            seen.add(key)
            took.append((now - at[key]) * 1e3)


def main() -> None:
    """Measure and print."""
    # As a run with a screen has it.
    sys.setswitchinterval(SWITCH_S)
    with TemporaryDirectory() as name:
        folder = Path(name)
        replayed(day_file(FEW_RECORDS, SYMBOLS), hundred(), folder)
        peer = by_pandas()
        took = sorted(passes(folder)[5:])
        middle, worst = statistics.median(took), took[int(len(took) * 0.99)]
        print(f"a pass of 100 rules over {SYMBOLS:,} symbols (<= 10 ms): "
              f"median {middle:.1f} ms, p99 {worst:.1f} ms; pandas eval {peer:.0f} ms")  # fmt: skip
        path = day_file(RECORDS, SYMBOLS)
        runs = [(replayed(path, Rules(), folder), replayed(path, library(), folder))
                for _ in range(3)]  # fmt: skip
        for (bare, bare_cpu, _), (whole, whole_cpu, alerts) in runs:
            print(f"{RECORDS / 1e6:.0f} M records, a whole day: "
                  f"without rules {bare:.1f} s ({bare_cpu:.1f} s of processor), with 20 rules "
                  f"{whole:.1f} s ({whole_cpu:.1f} s), {alerts:,} alerts: "
                  f"+{whole - bare:.1f} s (<= 10)")  # fmt: skip
        for speed, begin in ((10.0, clock_time(9, 30)), (60.0, clock_time(9, 29))):
            way = sorted(to_screen(folder, speed, begin))
            print(f"from the record to the screen at {speed:g} x, {len(way):,} alerts (<= 100 ms): "
                  f"median {statistics.median(way):.0f} ms, "
                  f"p99 {way[int(len(way) * 0.99)]:.0f} ms, worst {way[-1]:.0f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
