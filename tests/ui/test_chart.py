"""The chart on a screen: the keys' and the mouse's actions, and what is drawn anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, time

import pytest
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot
from textual.strip import Strip

from stockscan_tui.market.calendar import MINUTE_NS, new_york_ns
from stockscan_tui.market.symbol_bars import SymbolBars
from stockscan_tui.ui.theme import THEMES
from stockscan_tui.ui.widgets.chart import Candle, Chart, ChartData
from tests.bars import bars_of, day_bars, joined

MONDAY, TUESDAY = date(2026, 6, 15), date(2026, 6, 16)
DAYS = joined([day_bars(MONDAY), day_bars(TUESDAY, seed=2, until=400)])


class Stage(App[None]):
    """An application that shows a chart and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name

    def compose(self) -> ComposeResult:
        yield Chart()


Act = Callable[[Chart, Pilot[None]], Awaitable[None]]


def on_screen(act: Act, *, bars: SymbolBars = DAYS, size: tuple[int, int] = (80, 24)) -> None:
    """Show bars on a chart of that size and act on it."""

    async def run() -> None:
        app = Stage()
        async with app.run_test(size=size) as pilot:
            chart = app.query_one(Chart)
            chart.show(ChartData(bars))
            await pilot.pause()
            await act(chart, pilot)

    asyncio.run(run())


def lines(chart: Chart) -> list[Strip]:
    return [chart.render_line(y) for y in range(chart.size.height)]


def crossed(chart: Chart) -> Candle:
    candle = chart.crossed
    assert candle is not None
    return candle


def follows(chart: Chart) -> bool:
    return chart.following


def test_the_crosshair_gives_the_values_of_its_bar() -> None:
    minute = new_york_ns(MONDAY, time(10)) // MINUTE_NS
    bars = bars_of([minute, minute + 7], [(5, 6, 4, 5), (5, 7, 5, 6)])

    async def act(chart: Chart, _: Pilot[None]) -> None:
        chart.cross(-1)
        newest = crossed(chart)
        assert (newest.minute, newest.open, newest.high, newest.low) == (minute + 7, 5, 7, 5)
        assert (newest.close, newest.volume, newest.minutes) == (6, 100, 1)
        assert newest.change == pytest.approx(20)
        assert newest.vwap == pytest.approx(5.5)
        chart.cross(-1)
        assert crossed(chart).minute == minute
        chart.clear_cross()
        assert chart.crossed is None

    on_screen(act, bars=bars)


def test_only_lines_that_change_are_drawn_anew() -> None:
    async def act(chart: Chart, _: Pilot[None]) -> None:
        before = lines(chart)
        chart.show(ChartData(DAYS, last=float(DAYS.close[-1])))
        assert all(a is b for a, b in zip(lines(chart), before, strict=True))
        chart.show(ChartData(DAYS, last=float(DAYS.close[-1]) + 0.02))
        changed = [a is not b for a, b in zip(lines(chart), before, strict=True)]
        assert 1 <= sum(changed) <= 4

    on_screen(act)


def test_it_follows_the_newest_bar_until_it_is_panned_away() -> None:
    fewer = DAYS.rows(slice(0, len(DAYS) - 9))

    async def act(chart: Chart, _: Pilot[None]) -> None:
        chart.show(ChartData(fewer))
        chart.pan(-2)
        assert not follows(chart)
        held = [line.text for line in lines(chart)[2:-1]]
        assert "→ newest" in chart.render_line(0).text
        chart.show(ChartData(DAYS))
        assert [line.text for line in lines(chart)[2:-1]] == held
        chart.follow()
        assert follows(chart)

    on_screen(act)


def test_earlier_days_that_come_later_leave_the_view_where_it_is() -> None:
    async def act(chart: Chart, _: Pilot[None]) -> None:
        chart.show(ChartData(DAYS.since(int(DAYS.minute[960]))))
        chart.cross(-1)
        chart.pan(-1)
        before, held = crossed(chart), lines(chart)[-1].text
        chart.show(ChartData(DAYS))
        assert crossed(chart).minute == before.minute
        assert lines(chart)[-1].text == held

    on_screen(act)


def test_zoom_ends_at_both_ends_and_keeps_every_bar_in_reach() -> None:
    async def act(chart: Chart, _: Pilot[None]) -> None:
        for step in (*[1] * 12, *[-1] * 24):
            chart.zoom(step)
        assert "×30" in chart.render_line(0).text
        assert follows(chart)

    on_screen(act)


def test_the_mouse_sets_the_crosshair_and_zooms() -> None:
    async def act(chart: Chart, pilot: Pilot[None]) -> None:
        await pilot.click(Chart, offset=(30, 8))
        first = crossed(chart)
        await pilot.click(Chart, offset=(31, 8))
        assert crossed(chart).minute == first.minute + 1
        wide = lines(chart)[5].text
        await pilot._post_mouse_events([MouseScrollUp], Chart, offset=(31, 8))
        await pilot.pause()
        assert lines(chart)[5].text != wide
        await pilot._post_mouse_events([MouseScrollDown], Chart, offset=(31, 8))
        await pilot.pause()
        assert lines(chart)[5].text == wide
        await pilot._post_mouse_events([MouseScrollUp], Chart, offset=(31, 8), shift=True)
        assert not follows(chart)

    on_screen(act)


def test_another_interval_folds_the_bars() -> None:
    async def act(chart: Chart, _: Pilot[None]) -> None:
        chart.show(ChartData(DAYS, interval=15))
        chart.cross(-1)
        assert crossed(chart).minutes == 15
        assert crossed(chart).volume == DAYS.folded(15).volume[-1]
        assert chart.render_line(0).text.startswith("15m")

    on_screen(act)


def test_a_theme_recolours_the_chart() -> None:
    async def act(chart: Chart, pilot: Pilot[None]) -> None:
        before = lines(chart)
        chart.app.theme = THEMES[1].name
        await pilot.pause()
        after = lines(chart)
        assert [line.text for line in after] == [line.text for line in before]
        assert all(a != b for a, b in zip(after, before, strict=True))

    on_screen(act)


@pytest.mark.parametrize("size", [(1, 1), (30, 8), (200, 60)])
def test_it_fits_any_size(size: tuple[int, int]) -> None:
    async def act(chart: Chart, pilot: Pilot[None]) -> None:
        chart.cross(-1)
        for data in (ChartData(), replace(ChartData(DAYS), prev_close=14.0), ChartData(DAYS)):
            chart.show(data)
            assert [line.cell_length for line in lines(chart)] == [size[0]] * size[1]
        await pilot.resize_terminal(size[0] + 3, size[1] + 2)
        assert [line.cell_length for line in lines(chart)] == [size[0] + 3] * (size[1] + 2)

    on_screen(act, size=size)
