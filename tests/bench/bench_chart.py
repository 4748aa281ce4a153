"""What the candle chart costs: a frame at three sizes, and its opening with ten days of bars.

A frame is the whole picture made anew and its lines as Textual hands them on, in processor time.
Beside it stand 300 candles in textual-plotext, where that is installed.

    python -m tests.bench.bench_chart
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import itertools
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from textual.app import App, ComposeResult
from textual.widget import Widget

from stockscan_tui.market.symbol_bars import SymbolBars
from stockscan_tui.ui.theme import THEMES
from stockscan_tui.ui.widgets.chart import Chart, ChartData
from tests.bars import day_bars, joined

SIZES = ((80, 24), (120, 36), (200, 60))
ROUNDS = 40


class Stage(App[None]):
    """An application that shows one widget."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


def ten_days() -> SymbolBars:
    """Return ten days of 960 bars."""
    first = date(2026, 6, 1)
    days = [first + timedelta(days=n) for n in range(14)]
    return joined([day_bars(day, seed=day.day) for day in days if day.weekday() < 5])


def median_ms(once: Callable[[], Any]) -> float:
    """Return the median processor time of a call, in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        once()
        times.append((time.thread_time() - began) * 1e3)
    return statistics.median(times)


async def chart_ms(size: tuple[int, int], bars: SymbolBars) -> tuple[float, float, float]:
    """Return the milliseconds of a frame panned, of one with a new bar, and of the first one."""
    chart = Chart()
    async with Stage(chart).run_test(size=size) as pilot:
        await pilot.pause()
        rounds = itertools.count()

        def lines() -> None:
            for y in range(size[1]):
                chart.render_line(y)

        def pan() -> None:
            chart.pan(1 if next(rounds) % 2 else -1)
            lines()

        def grow() -> None:
            end = len(bars) - 1 - next(rounds) % 2
            chart.show(ChartData(bars=bars.rows(slice(0, end))))
            lines()

        began = time.thread_time()
        grow()
        first = (time.thread_time() - began) * 1e3
        return median_ms(pan), median_ms(grow), first


def plotext_ms(size: tuple[int, int], bars: SymbolBars) -> float:
    """Return the milliseconds in which textual-plotext makes as many candles."""

    async def run() -> float:
        widget: Any = importlib.import_module("textual_plotext").PlotextPlot()
        async with Stage(widget).run_test(size=size):
            count = min(300, len(bars))
            clock = [f"{4 + n // 60:02}:{n % 60:02}" for n in range(count)]
            names = {"Open": bars.open, "High": bars.high, "Low": bars.low, "Close": bars.close}
            prices = {name: values[-count:].tolist() for name, values in names.items()}

            def frame() -> None:
                widget.plt.clear_data()
                widget.plt.date_form("H:M")
                widget.plt.candlestick(clock, prices)
                widget.render()

            return median_ms(frame)

    return asyncio.run(run())


def main() -> None:
    """Print the figures."""
    bars = ten_days()
    print(f"{len(bars):,} one-minute bars")
    known = importlib.util.find_spec("textual_plotext") is not None
    for size in SIZES:
        panned, grown, first = asyncio.run(chart_ms(size, bars))
        beside = f"{plotext_ms(size, bars):.1f}" if known else "not installed"
        print(
            f"{size[0]}x{size[1]}  panned {panned:.1f} ms  a new bar {grown:.1f} ms  "
            f"first {first:.1f} ms  textual-plotext {beside}"
        )


if __name__ == "__main__":
    main()
