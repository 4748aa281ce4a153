"""The chart's picture as text, and what holds for any bars at any size."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from stockscan_tui.market.calendar import MINUTE_NS, new_york_ns
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.symbol_bars import SymbolBars
from stockscan_tui.ui.widgets.chart import ChartData
from stockscan_tui.ui.widgets.chart.candles import candles_of
from stockscan_tui.ui.widgets.chart.canvas import Look
from stockscan_tui.ui.widgets.chart.frame import Frame
from stockscan_tui.ui.widgets.chart.picture import drawn
from stockscan_tui.ui.widgets.chart.scale import Scale, round_step
from stockscan_tui.ui.widgets.chart.view import ZOOMS, View, panned, stepped, zoomed
from tests.bars import bars_of, day_bars, joined

MONDAY, TUESDAY = date(2026, 6, 15), date(2026, 6, 16)
OPEN = new_york_ns(MONDAY, time(9, 30)) // MINUTE_NS
# Rising, falling, without a body, and one that spans everything; a minute without a trade between.
FEW = bars_of(
    [OPEN, OPEN + 1, OPEN + 2, OPEN + 4, OPEN + 5],
    [
        (10.0, 10.6, 9.8, 10.4),
        (10.4, 10.5, 9.9, 10.1),
        (10.1, 10.3, 9.9, 10.1),
        (10.1, 10.9, 10.0, 10.8),
        (10.8, 10.9, 9.7, 10.0),
    ],
)


def picture(data: ChartData, view: View, width: int, height: int) -> Frame:
    candles = candles_of(data.bars, data.interval, data.days).merged(view.bars)
    return drawn(Frame.of(data, candles, view, width, height))


def text(frame: Frame) -> list[str]:
    rows = frame.canvas.sign
    return [row.tobytes().decode("utf-32-le").rstrip() for row in rows]


def looks(frame: Frame, look: Look) -> str:
    """Return all signs of one look, line by line."""
    return "".join(map(chr, frame.canvas.sign[frame.canvas.look == look].tolist()))


# --- shapes -----------------------------------------------------------------------------------


def test_rising_candles_are_hollow_and_falling_ones_filled() -> None:
    assert text(picture(ChartData(bars=FEW), View(zoom=0), 36, 14)) == [
        "1m  vwap 10.26",
        "┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈╷┈┈╷┈┈  11.00",
        "                     ┌┴┐▐█▌",
        "          ╷          │ │▐█▌",
        "          │  ╷       │ │▐█▌",
        "         ┌┴┐▐█▌      │ │▐█▌",
        "         │ │▐█▌▁▁▁───│ │▐█▌",
        "         │ │▐█▌╶┼╴   └┬┘▐█▌",
        "┈┈┈┈┈┈┈┈┈└┬┘┈│┈┈│┈┈┈┈┈╵┈▐█▌┈  10.00",
        "          │              │",
        "                         ╵",
        "         ▐█▌▐█▌▐█▌   ▐█▌▐█▌     100",
        "         ▐█▌▐█▌▐█▌   ▐█▌▐█▌",
        "Mon 15 Jun             09:35",
    ]


def test_slim_candles_are_hollow_and_filled_too() -> None:
    lines = text(picture(ChartData(bars=FEW), View(zoom=2), 36, 14))
    assert [line[21:27] for line in lines[1:11]] == [
        "┈┈┈┈╷╷",
        "    ║┃",
        "╷   ║┃",
        "│╷  ║┃",
        "║┃  ║┃",
        "║┃│─║┃",
        "║╿╿ ╿┃",
        "╿││┈╵╿",
        "│    │",
        "     ╵",
    ]


def test_the_crosshair_names_its_bar_on_both_axes() -> None:
    frame = picture(ChartData(bars=FEW), View(zoom=0, cross=OPEN + 1), 60, 14)
    lines = text(frame)
    assert lines[0] == "Mon 15 Jun 09:31  o 10.40 h 10.50 l 9.90 c 10.10  -2.88 %"
    assert looks(frame, Look.TAG) == f"{'10.10 ':>8} 09:31 "
    column = {line[frame.cross_cell] for line in lines[1:13] if len(line) > frame.cross_cell}
    assert set("┊│█") <= column <= set("┊╷│█")
    assert "╌" in looks(frame, Look.CROSS)


def test_alerts_are_marked_above_their_candle_and_named_under_the_crosshair() -> None:
    late = (OPEN + 4) * MINUTE_NS + 59
    alerts = (Fired(late, "AAA", "new high", 10.9), Fired(late, "AAA", "x\x1b[2J日", 10.9))
    frame = picture(ChartData(bars=FEW, alerts=alerts), View(zoom=0, cross=OPEN + 4), 120, 24)
    assert looks(frame, Look.ALERT) == "◆ new high, x�[2J?◆"
    row, cell = np.argwhere(frame.canvas.sign == ord("◆"))[1]
    assert cell == frame.cross_cell
    assert frame.canvas.sign[row + 1, cell] in map(ord, "╷│")


def test_levels_are_named_and_priced_in_the_axis() -> None:
    frame = picture(ChartData(bars=FEW, prev_close=10.3, open=10.55), View(zoom=0), 60, 20)
    found = looks(frame, Look.LEVEL)
    assert " prev " in found
    assert " open " in found
    assert "10.30" in found
    assert "10.55" in found


def test_the_last_price_is_tagged_by_its_direction() -> None:
    assert "10.05" in looks(picture(ChartData(FEW, last=10.05), View(), 60, 20), Look.TAG_DOWN)
    assert "10.85" in looks(picture(ChartData(FEW, last=10.85), View(), 60, 20), Look.TAG_UP)


def test_the_extended_sessions_are_shaded() -> None:
    frame = picture(ChartData(day_bars(MONDAY, until=360)), View(zoom=2), 80, 24)
    shaded = frame.canvas.shaded[frame.panes.price.top, : frame.panes.width]
    first = int(np.flatnonzero(~shaded)[0])
    assert frame.window.column(first) == 330
    assert shaded[:first].all()
    assert not shaded[first:].any()


def test_days_are_separated_and_dated() -> None:
    bars = joined([day_bars(MONDAY), day_bars(TUESDAY, seed=2, until=30)])
    frame = picture(ChartData(bars), View(zoom=2), 120, 24)
    cell = text(frame)[-1].index("Tue 16 Jun")
    assert frame.window.column(cell) == 960
    assert set("┊") <= set("".join(line[cell] for line in text(frame)[2:-1]))
    assert text(frame)[-1].startswith("Mon 15 Jun")


def test_panes_drop_out_as_room_gets_scarce() -> None:
    frames = {height: picture(ChartData(FEW), View(), 60, height) for height in (30, 20, 9, 4)}
    rsi = {height: frame.panes.rsi.rows > 0 for height, frame in frames.items()}
    volume = {height: frame.panes.volume.rows > 0 for height, frame in frames.items()}
    assert rsi == {30: True, 20: False, 9: False, 4: False}
    assert volume == {30: True, 20: True, 9: False, 4: False}
    assert picture(ChartData(FEW), View(), 20, 9).panes.axis == 0


def test_without_a_bar_it_says_so() -> None:
    assert "no bars yet" in "\n".join(text(picture(ChartData(), View(), 60, 20)))


# --- laws -------------------------------------------------------------------------------------

PRICES = st.sampled_from([0.0001, 0.0002, 0.99, 1.0, 10.0, 10.01, 10.02, 455.5, 899_999.99])
LEVELS = st.one_of(st.just(float("nan")), st.just(float("inf")), PRICES)
START = new_york_ns(MONDAY, time(4)) // MINUTE_NS


@st.composite
def some_bars(draw: st.DrawFn) -> SymbolBars:
    minutes = draw(st.lists(st.integers(START - 200, START + 2_600), max_size=40, unique=True))
    quoted = [sorted(draw(st.tuples(PRICES, PRICES, PRICES, PRICES))) for _ in minutes]
    turned = draw(st.booleans())
    prices = [(p[2], p[3], p[0], p[1]) if turned else (p[1], p[3], p[0], p[2]) for p in quoted]
    return bars_of(sorted(minutes), prices)


@st.composite
def some_view(draw: st.DrawFn) -> View:
    minute = st.one_of(st.none(), st.integers(START - 300, START + 3_000))
    return View(draw(st.integers(0, len(ZOOMS) - 1)), draw(minute), draw(minute))


@settings(max_examples=150, deadline=None)
@given(
    some_bars(),
    some_view(),
    st.integers(1, 90),
    st.integers(1, 40),
    st.sampled_from([1, 2, 5, 15, 60]),
    st.tuples(LEVELS, LEVELS, LEVELS),
)
def test_any_bars_at_any_size_fill_their_cells_exactly(
    bars: SymbolBars,
    view: View,
    width: int,
    height: int,
    interval: int,
    levels: tuple[float, float, float],
) -> None:
    alerts = tuple(Fired(int(m) * MINUTE_NS, "A", "r", 1.0) for m in bars.minute[::3])
    prev_close, opened, last = levels
    data = ChartData(bars, interval, prev_close, opened, last, (), alerts)
    frame = picture(data, view, width, height)
    keys = frame.canvas.keys()
    styles: dict[int, Style] = defaultdict(Style.null)
    strips = [frame.canvas.strip(y, keys, styles) for y in range(height)]
    assert [sum(cell_len(s.text) for s in strip) for strip in strips] == [width] * height


@given(st.floats(1e-6, 1e6), st.floats(0, 1e6), st.integers(1, 60))
def test_every_price_of_a_scale_has_a_row_and_ticks_are_round(
    low: float, span: float, rows: int
) -> None:
    scale = Scale.over(low, low + span, rows)
    assert scale.row(low) is not None
    assert scale.row(low + span) is not None
    assert round_step(scale.step) == pytest.approx(scale.step)
    assert all(0 <= row < rows for row, _ in scale.ticks())


# --- moving about -----------------------------------------------------------------------------

DAY = candles_of(joined([day_bars(MONDAY, share=0.5), day_bars(TUESDAY, seed=2, share=0.5)]), 1, ())


def test_the_crosshair_goes_along_candles_that_exist_and_over_days() -> None:
    first_of_tuesday = int(np.flatnonzero(DAY.at >= 960)[0])
    view = View(cross=int(DAY.minute[first_of_tuesday]))
    back = stepped(DAY, view, 80, -1)
    assert back.cross == DAY.minute[first_of_tuesday - 1]
    assert stepped(DAY, back, 80, 1).cross == view.cross


def test_the_crosshair_begins_at_the_newest_and_takes_the_window_with_it() -> None:
    view = stepped(DAY, View(), 80, -1)
    assert view.cross == DAY.minute[-1]
    assert stepped(DAY, view, 80, 1) == view
    for _ in range(100):
        view = stepped(DAY, view, 80, -1)
    assert view.cross == DAY.minute[-101]
    assert view.end is not None
    for _ in range(100):
        view = stepped(DAY, view, 80, 1)
    assert view == View(cross=int(DAY.minute[-1]))


@given(st.lists(st.integers(-200, 200), max_size=8), st.integers(0, len(ZOOMS) - 1))
def test_panning_never_loses_all_candles_and_comes_back_to_following(
    steps: list[int], zoom: int
) -> None:
    candles = DAY.merged(ZOOMS[zoom][1])
    view = View(zoom=zoom)
    for step in steps:
        view = panned(candles, view, 80, step)
        assert len(picture_seen(candles, view)) > 0
    assert panned(candles, view, 80, 10_000).end is None


def picture_seen(candles: object, view: View) -> np.ndarray:
    frame = Frame.of(ChartData(), candles, view, 80, 24)  # type: ignore[arg-type]
    return np.arange(len(frame.candles))[frame.seen]


@pytest.mark.parametrize("zoom", [0, 1, 3, 4])
def test_zooming_leaves_the_crosshair_where_it_stands(zoom: int) -> None:
    view = View(zoom=2, end=int(DAY.minute[-200]), cross=int(DAY.minute[-215]))
    before = Frame.of(ChartData(), DAY, view, 80, 24)
    after = DAY.merged(ZOOMS[zoom][1])
    there = zoomed(DAY, after, view, zoom, before.panes.width, -1)
    frame = Frame.of(ChartData(), after, there, 80, 24)
    assert abs(frame.cross_cell - before.cross_cell) <= 3


def test_a_chart_that_was_panned_stands_still_while_bars_come() -> None:
    bars = day_bars(MONDAY, until=500)
    view = panned(candles_of(bars, 1, ()), View(), 80, -30)
    fewer = picture(ChartData(bars.rows(slice(0, 480))), view, 80, 24)
    more = picture(ChartData(bars), view, 80, 24)
    assert (fewer.window.left, fewer.window.right) == (more.window.left, more.window.right)
    assert "→ newest" in text(more)[0]
    assert "→ newest" not in text(picture(ChartData(bars), replace(view, end=None), 80, 24))[0]
