"""The command line."""

from stockscan_tui.cli.main import main

__all__ = ["main"]
