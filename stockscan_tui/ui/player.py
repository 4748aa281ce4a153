"""What the interface needs of whatever plays the market."""

from __future__ import annotations

from typing import Protocol

from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.own import Own
from stockscan_tui.market.snapshot import Snapshot


class Player(Protocol):
    """A run in progress; no method waits, but `join`."""

    def snapshot(self) -> Snapshot | None:
        """Return the newest picture of the market, None before the first."""
        ...

    def failure(self) -> str:
        """Return why the run failed, empty while it has not."""
        ...

    def set_speed(self, speed: float) -> None:
        """Play at `speed` event seconds per second from now on."""
        ...

    def set_paused(self, paused: bool) -> None:
        """Pause, or go on."""
        ...

    def focus(self, symbol: str | None) -> None:
        """Let the next pictures carry the bars of `symbol`."""
        ...

    def want(self, indicators: frozenset[IndicatorKey]) -> None:
        """Let the next pictures carry these indicators, and no others."""
        ...

    def know_own(self, own: Own) -> None:
        """Let the next pictures carry the user's watchlists and table."""
        ...

    def stop(self) -> None:
        """Ask to end cleanly."""
        ...
