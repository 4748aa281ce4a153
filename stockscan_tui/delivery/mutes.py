"""What is muted for a session date; any thread may ask, the courier's tells it of new dates."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date

from stockscan_tui.market.calendar import new_york_time
from stockscan_tui.market.fired import Fired


class Mutes:
    """Symbols and rules that nothing is delivered of until the next date, by New York's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._symbols: set[str] = set()
        self._rules: set[str] = set()
        self._date = date.min

    def mute_symbol(self, symbol: str, *, on: bool) -> None:
        """Mute a symbol, or let it be told again."""
        with self._lock:
            (self._symbols.add if on else self._symbols.discard)(symbol)

    def mute_rule(self, name: str, *, on: bool) -> None:
        """Mute a rule, or let it be told again."""
        with self._lock:
            (self._rules.add if on else self._rules.discard)(name)

    def muted(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the muted symbols and the muted rules."""
        with self._lock:
            return frozenset(self._symbols), frozenset(self._rules)

    def meet(self, alerts: Sequence[Fired]) -> None:
        """Forget everything where an alert is of a later date than all before it."""
        newest_ns = max((alert.ts_ns for alert in alerts), default=0)
        day = new_york_time(newest_ns).date()
        with self._lock:
            if day <= self._date:
                return
            if self._date != date.min:
                self._symbols.clear()
                self._rules.clear()
            self._date = day
