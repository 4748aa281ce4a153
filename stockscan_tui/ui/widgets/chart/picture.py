"""The whole picture: its parts in the order in which they lie upon each other."""

from __future__ import annotations

from stockscan_tui.ui.widgets.chart.axes import draw_clock, draw_lower_axes, draw_price_axis
from stockscan_tui.ui.widgets.chart.drawing import (
    draw_candles,
    draw_cross,
    draw_ground,
    draw_level_names,
    draw_levels,
    draw_lines,
    draw_marks,
    draw_rsi,
    draw_rules,
    draw_volume,
)
from stockscan_tui.ui.widgets.chart.frame import Frame
from stockscan_tui.ui.widgets.chart.legend import draw_legend, draw_titles

_PARTS = (
    draw_ground,
    draw_rules,
    draw_levels,
    draw_cross,
    draw_candles,
    draw_lines,
    draw_level_names,
    draw_marks,
    draw_volume,
    draw_rsi,
    draw_titles,
    draw_price_axis,
    draw_lower_axes,
    draw_clock,
    draw_legend,
)


def drawn(frame: Frame) -> Frame:
    """Draw everything on an empty frame, and return it."""
    for draw in _PARTS:
        draw(frame)
    return frame
