"""`stockscan` without a command: live with a key, else the choice of what can be done."""

from __future__ import annotations

import argparse
import sys

from stockscan_tui.config import read_config, read_key


def choose(parser: argparse.ArgumentParser) -> list[str] | None:
    """Return the arguments of the command to run, None to run nothing."""
    if read_key():
        return ["live"]
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        parser.print_help()
        return None
    from stockscan_tui.ui.welcome import WelcomeApp  # noqa: PLC0415

    chosen: list[str] | None = WelcomeApp(read_config(None).theme).run()
    return chosen
