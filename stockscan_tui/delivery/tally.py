"""How a channel fares: what it delivered, dropped and failed at; any thread may note and read."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from stockscan_tui.errors import StockscanError
from stockscan_tui.market.text import printable


class DeliveryError(StockscanError):
    """Something was not delivered; the sentence holds no secret and no whole address."""


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """One channel since the process began.

    Attributes:
        name: `toast`, `bell`, `desktop`, `sound`, or a command's or webhook's name.
        delivered: What went out.
        dropped: What a limit kept back.
        failed: What did not go out.
        failure: The last failure, a sentence; empty where there was none since the last success.
        waiting: What is still to go out.
    """

    name: str
    delivered: int = 0
    dropped: int = 0
    failed: int = 0
    failure: str = ""
    waiting: int = 0


class Tally:
    """Counts for one channel.

    Args:
        name: The channel's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._delivered = 0
        self._dropped = 0
        self._failed = 0
        self._failure = ""

    def deliver(self, count: int = 1) -> None:
        """Note what went out."""
        with self._lock:
            self._delivered += count
            self._failure = ""

    def drop(self, count: int = 1) -> None:
        """Note what a limit kept back."""
        with self._lock:
            self._dropped += count

    def fail(self, sentence: str) -> None:
        """Note that something did not go out, and why."""
        with self._lock:
            self._failed += 1
            self._failure = printable(sentence)

    def status(self, waiting: int = 0) -> ChannelStatus:
        """Return the counts so far."""
        with self._lock:
            return ChannelStatus(
                name=self._name,
                delivered=self._delivered,
                dropped=self._dropped,
                failed=self._failed,
                failure=self._failure,
                waiting=waiting,
            )
