"""Works an indicator out over the bars of before, in a thread of its own; the feed never waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from stockscan_tui.errors import StockscanError
from stockscan_tui.log import LOG
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.indicators import Indicators
from stockscan_tui.market.minutes import MinuteBars

WAIT_S = 0.02
WAITS = 500
# The minutes before one (since 1970) of symbols by slot, oldest first.
StoredMinutes = Callable[[int, Sequence[str]], Iterable[MinuteBars]]


class Warming:
    """Indicators that are being brought up to now.

    Args:
        keys: Which.
        stored: What the store has of earlier minutes; None where there is no store to ask.
        minutes: The last minutes, in memory, oldest first.
        running: The minute that goes on, since 1970.
        symbols: The symbols by slot.
        kept: Whether the store has all that was handed to it.
    """

    def __init__(
        self,
        keys: frozenset[IndicatorKey],
        stored: StoredMinutes | None,
        minutes: tuple[MinuteBars, ...],
        running: int,
        symbols: tuple[str, ...],
        kept: Callable[[], bool] = lambda: True,
    ) -> None:
        self.keys = keys
        self._stored = stored
        self._minutes = minutes
        self._upto = minutes[-1].minute if minutes else running - 1
        self._first = minutes[0].minute if minutes else running
        self._symbols = symbols
        self._kept = kept
        self._made = Indicators()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._warm, name="stockscan-warm", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until all that came before is in."""
        self._thread.join()

    @property
    def ready(self) -> bool:
        """Whether all that came before is in."""
        return self._done.is_set()

    def hand_over(self, indicators: Indicators, minutes: Sequence[MinuteBars], most: int) -> bool:
        """Let `indicators` keep them from now on, with the minutes that have closed meanwhile.

        Returns whether they are whole: of `minutes` only the last `most` are held, and a replay may
        have run further than that; then they have to be begun again.
        """
        if len(minutes) >= most and minutes[0].minute > self._upto + 1:
            return False
        for bars in minutes:
            # What is in already is passed over.
            self._made.close_minute(bars, 0)
        indicators.adopt(self._made)
        return True

    def _warm(self) -> None:
        try:
            for key in self.keys:
                self._made.add(key, ())
            for bars in self._earlier():
                self._made.close_minute(bars, len(self._symbols))
            for bars in self._minutes:
                self._made.close_minute(bars, len(self._symbols))
        finally:
            self._done.set()

    def _earlier(self) -> Iterator[MinuteBars]:
        if self._stored is None:
            return
        waited = threading.Event()
        for _ in range(WAITS):
            if self._kept():
                break
            waited.wait(WAIT_S)
        try:
            yield from self._stored(self._first, self._symbols)
        except StockscanError as error:
            # Without them they begin with the minutes in memory.
            LOG.warning("earlier bars for indicators cannot be read: %s", error)
