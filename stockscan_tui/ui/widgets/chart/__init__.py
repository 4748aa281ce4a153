"""A candle chart for the terminal: arrays in, cells out.

Written for this program because what there is does not reach it: textual-plotext takes 115 ms for
a frame of 300 candles at 200×60 cells, and textual-plot knows no candles and takes 36 ms for three
lines; neither draws only the lines of the screen that have changed.
"""

from stockscan_tui.ui.widgets.chart.data import Candle, ChartData
from stockscan_tui.ui.widgets.chart.widget import Chart

__all__ = ["Candle", "Chart", "ChartData"]
