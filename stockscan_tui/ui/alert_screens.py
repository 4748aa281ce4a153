"""The way to the alert screen and back: to a symbol and an instant, to a list, or to before."""

from __future__ import annotations

from typing import Any, Protocol

from stockscan_tui.market.snapshot import LIVE_PHASES, Snapshot
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.alerting import Alerting
from stockscan_tui.ui.player import Player
from stockscan_tui.ui.screens.alerts import AlertScreen, Left


class AlertHost(Protocol):
    """What the application is to the alert screen."""

    @property
    def player(self) -> Player | None: ...
    @property
    def screen(self) -> Any: ...
    def install_screen(self, screen: Any, name: str) -> None: ...
    def push_screen(self, screen: Any, callback: Any) -> object: ...
    def look(self) -> None: ...
    def open_symbol(self, symbol: str) -> None: ...
    def show_list(self, key_or_name: str) -> None: ...
    def move_to(self, ns: int) -> None: ...
    def say(self, sentence: str) -> None: ...


class AlertScreens:
    """Opens the alert screen, which is made once, and deals with how it was left.

    Args:
        host: The application.
        alerting: Who is told of alerts.
    """

    def __init__(self, host: AlertHost, alerting: Alerting) -> None:
        self._host, self._alerting = host, alerting
        self._screen: AlertScreen | None = None
        self._open = False
        self._opened_symbol = False

    @property
    def shown(self) -> AlertScreen | None:
        """The screen while it is open, below another one too."""
        return self._screen if self._open else None

    def toggle(self) -> None:
        """Show the alerts, those of a storm that is being told; or go back from there."""
        storm = self._alerting.storm
        if self._screen is None or self._host.screen is not self._screen:
            self.open(storm)
        elif storm:
            self._screen.begin(storm)
            self._alerting.dismiss()
        else:
            self._screen.action_back()

    def close(self) -> None:
        """Go back to what was shown before, where the screen is in front."""
        if self.shown is not None and self._host.screen is self.shown:
            self.shown.action_back()

    def open(self, rule: str = "") -> None:
        """Show the alerts of a rule, of all if empty."""
        player = self._host.player
        if self._open or player is None:
            return
        if self._screen is None:
            self._screen = AlertScreen(self._alerting, player)
            self._host.install_screen(self._screen, "alerts")
        self._open = True
        self._screen.begin(rule)
        self._host.push_screen(self._screen, self._left)
        self._alerting.dismiss()

    def _left(self, left: Left | None) -> None:
        self._open = False
        if left is not None and left.shown_list:
            self._host.show_list(left.shown_list)
        if left is not None and left.fired is not None:
            self._opened_symbol = True
            self._host.open_symbol(left.fired.symbol)
            self._move_to(left.fired.ts_ns)
        self._host.look()

    def symbol_left(self, shown_list: str) -> None:
        """A symbol's screen was left: go back to the alerts if it was opened from there."""
        back, self._opened_symbol = self._opened_symbol, False
        if back and not shown_list:
            self.open()

    def _move_to(self, ns: int) -> None:
        """Move to an alert's instant where one moves through time, but not out of now."""
        s: Snapshot | None = self._host.player.snapshot() if self._host.player else None
        if s is None or s.timeline is None or s.feed.phase in LIVE_PHASES:
            return
        if s.timeline.begin_ns <= ns <= s.timeline.end_ns:
            self._host.move_to(ns)
        else:
            self._host.say(f"{fmt.day(ns)} {fmt.clock(ns)} is not in what is played")
