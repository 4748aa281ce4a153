"""The words above the chart: a bar's figures, and the lines' values in the lines' colours."""

from __future__ import annotations

import math

from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.chart.candles import EMA_PERIODS
from stockscan_tui.ui.widgets.chart.canvas import Look
from stockscan_tui.ui.widgets.chart.data import Candle
from stockscan_tui.ui.widgets.chart.drawing import alerts_by_candle
from stockscan_tui.ui.widgets.chart.frame import WIDE, Frame

# Parts of a line: the words of each in their looks. Parts are left out whole.
Part = list[tuple[str, Look]]
_EMA_LOOKS = (Look.EMA_9, Look.EMA_20, Look.EMA_50)
_GAP = "  "
NEWEST = "→ newest"


def draw_legend(frame: Frame) -> None:
    """Write the legend: the bar and the lines on two lines, on one, or what matters of them."""
    panes, width = frame.panes, frame.canvas.width
    if not panes.legend:
        return
    room = width
    if frame.view.end is not None and width > 2 * len(NEWEST):
        room = width - len(NEWEST) - 1
        frame.canvas.write(0, room + 1, NEWEST, Look.CROSS)
    candle = _candle(frame)
    interval: Part = [(_interval(frame), Look.BOLD)]
    if candle is None:
        _write(frame, 0, [interval], room)
        return
    bar, lines = _bar(candle), _lines(candle)
    if panes.legend > 1:
        _write(frame, 0, [interval, *bar], room)
        _write(frame, 1, lines, width)
    elif width >= WIDE:
        _write(frame, 0, [interval, *bar, *lines], room)
    elif frame.crossed >= 0:
        _write(frame, 0, bar, room)
    else:
        _write(frame, 0, [interval, *lines], room)


def draw_titles(frame: Frame) -> None:
    """Write what the lower panes show, where there is room for it."""
    candle, panes = _candle(frame), frame.panes
    if candle is None:
        text = "no bars yet"
        left = max((panes.width - len(text)) // 2, 0)
        frame.canvas.write(panes.price.top + panes.price.rows // 2, left, text, Look.DIM)
        return
    if panes.rsi.rows:
        text = f"rsi 14 {candle.rsi:.1f}" if math.isfinite(candle.rsi) else "rsi 14"
        frame.canvas.write(panes.rsi.top, 0, text, Look.RSI)


def _candle(frame: Frame) -> Candle | None:
    """Return the candle that the words are about: under the crosshair, or the last in view."""
    place = frame.crossed if frame.crossed >= 0 else frame.seen.stop - 1
    if not 0 <= place < len(frame.candles):
        return None
    return frame.candles.candle(place, alerts_by_candle(frame).get(place, ()))


def _interval(frame: Frame) -> str:
    folded = f" ×{frame.view.bars}" if frame.view.bars > 1 else ""
    return f"{frame.data.interval}m{folded}"


def _bar(candle: Candle) -> list[Part]:
    change = Look.DOWN if candle.change < 0 else Look.UP if candle.change > 0 else Look.PLAIN
    when = f"{fmt.day(candle.minute * MINUTE_NS)} {fmt.minute(candle.minute)}"
    prices = zip("ohlc", (candle.open, candle.high, candle.low, candle.close), strict=True)
    quoted: Part = []
    for name, price in prices:
        quoted += [(f"{name} ", Look.DIM), (f"{fmt.price(price)} ", Look.PLAIN)]
    parts: list[Part] = [
        [(when, Look.PLAIN)],
        [*quoted[:-1], (fmt.price(candle.close), Look.PLAIN)],
        [(f"{fmt.percent(candle.change)} %", change)],
        [("vol ", Look.DIM), (fmt.count(candle.volume), Look.PLAIN)],
    ]
    if candle.alerts:
        parts.append([(f"◆ {', '.join(dict.fromkeys(candle.alerts))}", Look.ALERT)])
    return parts


def _lines(candle: Candle) -> list[Part]:
    named = [("vwap", candle.vwap, Look.VWAP)]
    named += [
        (f"ema {period}", value, look)
        for look, period, value in zip(_EMA_LOOKS, EMA_PERIODS, candle.ema, strict=True)
    ]
    return [[(f"{name} {fmt.price(v)}", look)] for name, v, look in named if math.isfinite(v)]


def _write(frame: Frame, row: int, parts: list[Part], room: int) -> None:
    """Write parts until one does not fit."""
    left = 0
    for part in parts:
        cells = sum(len(text) for text, _ in part)
        if left + cells > room:
            if left == 0:
                frame.canvas.write(row, 0, part[0][0][:room], part[0][1])
            return
        for text, look in part:
            frame.canvas.write(row, left, text, look)
            left += len(text)
        left += len(_GAP)
