"""What stands around the chart of one symbol: figures, trades, minutes, bars, alerts."""
