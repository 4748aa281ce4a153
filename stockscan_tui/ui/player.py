"""What the interface needs of whatever plays the market."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from stockscan_tui.market.fired import Fired
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.study import Study
from stockscan_tui.market.user_data import Own
from stockscan_tui.scan.rules import Rules


class Player(Protocol):
    """A run in progress; no method waits, but `fired_between`."""

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

    def know_rules(self, rules: Rules) -> None:
        """Let these rules be watched, and no others."""
        ...

    def on_fired(self, listener: Callable[[Sequence[Fired]], None]) -> None:
        """Let alerts be told as they fire, from another thread; `listener` must not wait."""
        ...

    def seek(self, ns: int) -> None:
        """Move a replay to an instant, in ns since 1970."""
        ...

    def seek_by(self, ns: int) -> None:
        """Move a replay on or back from where it is, or from where it is being moved to."""
        ...

    def to_now(self) -> None:
        """Return from the past of a live run to now; of a replay nothing."""
        ...

    def study(self, symbol: str | None, ready: Callable[[], None] = lambda: None) -> None:
        """Read what the database has of a symbol, None for no more; `ready` is called from
        another thread whenever there is something new.
        """
        ...

    def studied(self) -> Study | None:
        """Return what was read last; None while nothing was asked for or read."""
        ...

    def fired_between(self, begin_ns: int, end_ns: int, most: int) -> Sequence[Fired]:
        """Read the alerts stored from one instant up to another (ns since 1970), oldest first; of
        more than `most` the newest. Not for the interface's thread.

        Raises:
            StoreError: The database cannot be read.
        """
        ...

    def stop(self) -> None:
        """Ask to end cleanly."""
        ...
