"""The trades of leaders: subscribed to as symbols enter the leaderboard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stockscan_tui.clock import Clock
from stockscan_tui.engine.catching import Catching
from stockscan_tui.engine.healing import leaders
from stockscan_tui.feed.stream import Stream
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.state import Market

LOOK_EVERY_NS = SECOND_NS


class Following:
    """Follows the leaders of a market with one stream of trades.

    Args:
        market: Whose leaders they are.
        clock: Wall time.
        connect: Has the stream connected, once it has a symbol.
        stream: A subscription to trades without symbols.
    """

    def __init__(
        self, market: Market, clock: Clock, connect: Callable[[Stream], None], stream: Stream
    ) -> None:
        self.track = Catching(stream)
        self._market = market
        self._clock = clock
        self._connect = connect
        self._looked_ns = 0

    def look(self) -> bool:
        """Subscribe to new leaders; returns whether the stream begins with them."""
        now_ns = self._clock.now_ns()
        if now_ns - self._looked_ns < LOOK_EVERY_NS:
            return False
        self._looked_ns = now_ns
        return self._want(leaders(self._market))

    def go_on(self) -> bool:
        """Subscribe again to those whose trades made their bars; returns whether there are any."""
        source = self._market.rows[:, k.SOURCE]
        return self._want(set(np.flatnonzero(source == k.FROM_TRADES).tolist()))

    def _want(self, slots: set[int]) -> bool:
        names = self._market.symbols.names
        known = set(self.track.stream.symbols)
        fresh = sorted({names[slot] for slot in slots} - known)
        if not fresh:
            return False
        self.track.stream.want_more(fresh)
        if known:
            return False
        self._connect(self.track.stream)
        return True
