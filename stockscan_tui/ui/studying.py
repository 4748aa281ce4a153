"""Follows one symbol: asks the player to read what is stored of it, and joins that with memory.

Owned by the interface's thread; reading is the player's, in a thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.minutes import MinuteBars, Minutes
from stockscan_tui.market.snapshot import HISTORY_MINUTES, Phase, Snapshot
from stockscan_tui.market.study import Study
from stockscan_tui.market.symbol_bars import SymbolBars
from stockscan_tui.ui.player import Player

ASK_EVERY_S = 3.0
# Asked again so long before memory forgets what was not stored when it was read.
MARGIN_MINUTES = 15


class Studying:
    """What is known of the symbol that is looked at.

    Args:
        player: Reads what is stored.
        ready: Called from another thread when something was read.
    """

    def __init__(self, player: Player, ready: Callable[[], None]) -> None:
        self._player = player
        self._ready = ready
        self._asked: tuple[str, int, date | None] = ("", -1, None)
        self._asked_minute = 0
        self._read_minute = 0
        self._asked_s = 0.0
        self._healed = (False, 0)
        self._study: Study | None = None
        self._study_date: date | None = None
        self._closed_key: tuple[int, ...] = ()
        self._held: tuple[MinuteBars, ...] = ()
        self._closed = SymbolBars.none()
        self._last: tuple[float, ...] = ()
        self._alerts_key: tuple[object, ...] = (None, None, None)
        self._alerts: tuple[Fired, ...] = ()
        self._bars = SymbolBars.none()

    def look(self, snapshot: Snapshot, symbol: str, now_s: float) -> None:
        """Ask where that is due, and take what was read."""
        now_minute = snapshot.event_ns // MINUTE_NS
        question = (symbol, snapshot.leap, snapshot.session_date)
        healed = (snapshot.feed.phase is Phase.CATCHING_UP, snapshot.health.healed)
        old = healed != self._healed or self._forgets(snapshot)
        if question != self._asked or (old and now_s - self._asked_s >= ASK_EVERY_S):
            self._asked, self._asked_minute, self._asked_s = question, now_minute, now_s
            self._healed = healed
            self._player.focus(symbol)
            self._player.study(symbol, self._ready)
        self._take(snapshot, symbol)

    def _forgets(self, snapshot: Snapshot) -> bool:
        """Whether memory is about to lose minutes that were not stored when it was read."""
        closed = snapshot.minutes.closed
        full = len(closed) >= HISTORY_MINUTES
        return full and closed[0].minute > self._asked_minute - MARGIN_MINUTES

    def _take(self, snapshot: Snapshot, symbol: str) -> None:
        read = self._player.studied()
        if read is not None and read.symbol == symbol and read.leap == snapshot.leap:
            if read is not self._study:
                self._study, self._study_date = read, snapshot.session_date
                self._read_minute = self._asked_minute
        elif self._study is not None and self._study.symbol != symbol:
            self._study = None
        # Other dates may count in other shares.
        if self._study_date != snapshot.session_date:
            self._study = None

    def stop(self) -> None:
        """Let go of the symbol."""
        self._player.study(None)
        self._asked = ("", -1, None)

    @property
    def problem(self) -> str:
        """Why something could not be read, empty where nothing is missing."""
        return self._study.problem if self._study is not None else ""

    @property
    def reading(self) -> bool:
        """Whether more is to come."""
        return self._study is None or not (self._study.whole or self._study.problem)

    def alerts(self, snapshot: Snapshot) -> tuple[Fired, ...]:
        """Return the symbol's alerts up to the picture's instant, oldest first."""
        key = (self._study, snapshot.fired, self._asked[0])
        if any(new is not old for new, old in zip(key, self._alerts_key, strict=True)):
            self._alerts_key, self._alerts = key, self._joined(snapshot)
        return tuple(one for one in self._alerts if one.ts_ns <= snapshot.event_ns)

    def _joined(self, snapshot: Snapshot) -> tuple[Fired, ...]:
        """Return what was stored with what the picture has: a fresh alert is not stored yet."""
        stored = self._study.alerts if self._study is not None else ()
        fresh = (one for one in snapshot.fired if one.symbol == self._asked[0])
        by_id = {one.alert_id: one for one in (*stored, *fresh)}
        return tuple(sorted(by_id.values(), key=lambda one: one.ts_ns))

    def read_from(self, snapshot: Snapshot) -> int:
        """Return the first minute from which every bar is known, as far as it was stored."""
        closed = snapshot.minutes.closed
        oldest = closed[0].minute if closed else snapshot.event_ns // MINUTE_NS
        if self._study is None or self._study.problem or oldest > self._read_minute:
            return oldest
        return 0

    def bars(self, snapshot: Snapshot, row: int) -> SymbolBars:
        """Return the bars up to the picture's instant; the same object while nothing changed."""
        minutes, now_minute = snapshot.minutes, snapshot.event_ns // MINUTE_NS
        key = (id(self._study), id(minutes.closed), row, now_minute)
        fresh = key != self._closed_key
        if fresh:
            # The tuple is held on to, so that no other one gets its id.
            self._held = minutes.closed
            stored = self._study.bars if self._study is not None else SymbolBars.none()
            recent = SymbolBars.recent(Minutes(minutes.closed), row)
            self._closed_key, self._closed = key, stored.with_recent(recent, now_minute)
        running = SymbolBars.recent(Minutes((), minutes.running), row)
        last = tuple(running.close.tolist() + running.volume.tolist() + running.trades.tolist())
        if fresh or last != self._last:
            self._last = last
            self._bars = self._closed.with_recent(running, now_minute)
        return self._bars


def over_until(snapshot: Snapshot) -> int:
    """Return the first minute that is not over; the end of a file ends the minute it is in."""
    ended = snapshot.feed.phase is Phase.ENDED
    return snapshot.event_ns // MINUTE_NS + int(ended)
