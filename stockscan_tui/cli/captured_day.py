"""What the commands share that read a captured day: the database, and who is asked for more."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stockscan_tui.config import Config, live_database, read_key
from stockscan_tui.errors import UsageError
from stockscan_tui.market.text import printable

if TYPE_CHECKING:
    from stockscan_tui.feed.history import History
    from stockscan_tui.run.open_stored import Stored

# The simulated gateway takes any.
LOOPBACK_KEY = "db-simulated-on-loopback-only-00"
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


def say(sentence: str) -> None:
    """Tell whoever waits something, beside the output."""
    sys.stderr.write(f"stockscan: {printable(sentence)}\n")


@contextmanager
def opened(given: argparse.Namespace) -> Iterator[Stored]:
    """Open the database of the arguments, or a copy of it while it is captured to.

    Raises:
        StoreError: There is none, or it cannot be read.
    """
    from stockscan_tui.clock import SystemClock  # noqa: PLC0415
    from stockscan_tui.run.open_stored import open_stored  # noqa: PLC0415

    stored = open_stored(given.db or live_database(given.dataset), SystemClock(), say)
    try:
        yield stored
    finally:
        stored.reader.release()


def history_of(given: argparse.Namespace, config: Config) -> History:
    """Return who is asked for bars of the past.

    Raises:
        UsageError: There is no key.
    """
    from stockscan_tui.feed.history import History  # noqa: PLC0415

    key = read_key()
    if not key and given.history and urlsplit(given.history).hostname in LOOPBACK_HOSTS:
        key = LOOPBACK_KEY
    if not key:
        raise UsageError(
            "--verify asks Databento, and there is no API key. Set DATABENTO_API_KEY, or name an "
            "ohlcv-1m file: --verify FILE."
        )
    return History(key, url=given.history, max_cost_usd=config.max_cost_usd)
