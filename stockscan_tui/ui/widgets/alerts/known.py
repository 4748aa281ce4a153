"""The alerts that are known: those of the picture, joined with what was read of older ones."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.fired import Fired, unpacked
from stockscan_tui.market.snapshot import MOST_FIRED, Integers, Snapshot

FRESH_NS = 60 * SECOND_NS


class KnownAlerts:
    """Every alert once, newest first, up to the picture's instant; owned by the interface."""

    def __init__(self) -> None:
        self._known: dict[str, Fired] = {}
        self._shown: tuple[Fired, ...] = ()
        self._ordered: tuple[Fired, ...] | None = ()
        self._leap = -1
        self.generation = 0

    def look(self, snapshot: Snapshot) -> bool:
        """Take the alerts of a picture; returns whether there are others now.

        After a move through time, and where alerts may lie between those of the picture and what
        is known, all that was read before is forgotten: `generation` goes up.
        """
        fired = snapshot.fired
        if fired is self._shown and snapshot.leap == self._leap:
            return False
        before = len(self._known)
        holed = len(fired) >= MOST_FIRED and before and fired[0].alert_id not in self._known
        if snapshot.leap != self._leap or holed:
            self._known.clear()
            self._ordered, self.generation = None, self.generation + 1
        self._leap, self._shown = snapshot.leap, fired
        return self.add(fired) or self._ordered is None or len(self._known) != before

    def add(self, fired: Iterable[Fired]) -> bool:
        """Take alerts that were read; returns whether any of them is new."""
        before = len(self._known)
        for one in fired:
            self._known.setdefault(one.alert_id, one)
        if len(self._known) != before:
            self._ordered = None
        return len(self._known) != before

    @property
    def newest_first(self) -> tuple[Fired, ...]:
        """All of them; the same tuple while there are no others."""
        if self._ordered is None:
            self._ordered = tuple(sorted(self._known.values(), key=_when, reverse=True))
        return self._ordered

    def before(self, snapshot: Snapshot) -> tuple[int, int]:
        """Return where older ones end (ns since 1970, exclusive), and how many to skip there.

        That many of the alerts before it are known already: they are of the very same instant.
        """
        ordered = self.newest_first
        if not ordered:
            return snapshot.event_ns + 1, 0
        oldest_ns = ordered[-1].ts_ns
        return oldest_ns + 1, sum(one.ts_ns == oldest_ns for one in ordered)


def _when(fired: Fired) -> int:
    return fired.ts_ns


class _Rows:
    """Finds rows by symbol; the names are gone through once for each order of symbols."""

    def __init__(self) -> None:
        self._held: tuple[Integers | None, dict[str, int]] = (None, {})

    def find(self, snapshot: Snapshot, symbol: str) -> int | None:
        # One tuple, so that two threads never see the rows of different orders.
        order, rows = self._held
        if order is not snapshot.by_symbol:
            names = snapshot.symbols
            rows = {names[row]: row for row in snapshot.by_symbol.tolist()}
            self._held = (snapshot.by_symbol, rows)
        return rows.get(symbol)


_ROWS = _Rows()


def row_of(snapshot: Snapshot, symbol: str) -> int | None:
    """Return a symbol's row, None where the market has no such symbol."""
    return _ROWS.find(snapshot, symbol)


def of_today(snapshot: Snapshot, fired: Fired) -> bool:
    """Return whether an alert is of the picture's session date."""
    return snapshot.day is None or fired.ts_ns >= snapshot.day.start_ns


def change_then(snapshot: Snapshot, fired: Fired) -> float:
    """Return the change against the previous close at an alert, in percent; NaN if unknown."""
    told = unpacked(fired.values).get("chg", math.nan)
    row = row_of(snapshot, fired.symbol)
    if math.isfinite(told) or row is None or not of_today(snapshot, fired):
        return told
    return _percent(fired.price, float(snapshot.prev_close[row]))


def change_since(snapshot: Snapshot, fired: Fired) -> float:
    """Return how far the mark is from an alert's price, in percent.

    NaN where there is no mark, and for alerts of earlier session dates: a split may lie between.
    """
    row = row_of(snapshot, fired.symbol)
    if row is None or not of_today(snapshot, fired):
        return math.nan
    return _percent(float(snapshot.mark[row]), fired.price)


def _percent(value: float, base: float) -> float:
    return (value / base - 1.0) * 100 if base > 0 and value > 0 else math.nan


def delivered(snapshot: Snapshot) -> tuple[Fired, ...]:
    """Return the alerts of a picture without those that the board's gates keep off."""
    fired = snapshot.fired
    return tuple(one for one in fired if not one.gated) if fired else fired


def lately(snapshot: Snapshot, fired: Sequence[Fired]) -> int:
    """Return how many of some alerts, oldest first, are of the last minute."""
    since = snapshot.event_ns - FRESH_NS
    return len(fired) - bisect_left(fired, since, key=_when)
