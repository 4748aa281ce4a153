"""What the application does with notices of alerts: toasts, bell, the terminal's notifications.

`tell` and `fired` may be called from any thread and return at once; all else is the interface's.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from textual.app import App
from textual.message import Message
from textual.timer import Timer

from stockscan_tui.clock import Clock
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.text import printable
from stockscan_tui.market.vitals import Trouble
from stockscan_tui.scan.rules import Rules
from stockscan_tui.ui.widgets.alerts.toasts import ToastStack

if TYPE_CHECKING:
    from stockscan_tui.delivery.notice import Notice
    from stockscan_tui.delivery.tally import ChannelStatus

MOST_TOASTS = 3
TICK_S = 0.1
DONE, MUTED, LATE, GATED = "✓", "m", "l", "g"
NO_COURIER = "nothing delivers alerts here"


class Courier(Protocol):
    """Who delivers alerts; every method may be called from any thread and returns at once."""

    def know(self, rules: Rules) -> None:
        """Deliver by these rules from now on."""
        ...

    def mute_symbol(self, symbol: str, on: bool) -> None:
        """Deliver nothing of a symbol today, or do so again."""
        ...

    def mute_rule(self, name: str, on: bool) -> None:
        """Deliver nothing of a rule today, or do so again."""
        ...

    def muted(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the symbols and the rules that are muted today."""
        ...

    def status(self) -> tuple[ChannelStatus, ...]:
        """Return how each channel fares."""
        ...

    def trouble(self, begun: Sequence[Trouble], over: Sequence[Trouble]) -> None:
        """Deliver the feed's own troubles."""
        ...


class Woken(Message):
    """There are notices to show, or alerts that the next picture has."""


class Alerting:
    """Alerts as the interface knows them: what stands as a toast, what is done, what is muted.

    Args:
        app: The application that is woken.
        clock: Wall time.
        courier: Who delivers; None where nobody does.

    Attributes:
        changes: Goes up whenever alerts are acknowledged.
    """

    def __init__(self, app: App[Any], clock: Clock, courier: Courier | None) -> None:
        self._app, self._clock, self._courier = app, clock, courier
        self._inbox: deque[Notice] = deque()
        self._woken = self._fresh = False
        self._standing: dict[str, tuple[Notice, float]] = {}
        self._ticking: Timer | None = None
        self._done: set[str] = set()
        self.changes = 0

    # --- from any thread ------------------------------------------------------------------------

    def tell(self, notice: Notice) -> None:
        """Take a notice."""
        self._inbox.append(notice)
        self._wake()

    def fired(self, fired: Sequence[Fired]) -> None:
        """Take note that alerts have fired: the next picture has them."""
        if fired:
            self._fresh = True
            self._wake()

    def know(self, rules: Rules) -> None:
        """Let alerts be delivered by these rules from now on."""
        if self._courier is not None:
            self._courier.know(rules)

    def _wake(self) -> None:
        if self._woken:
            return
        self._woken = True
        # After the program's end there is no loop any more to hand it to.
        with suppress(RuntimeError):
            self._app.post_message(Woken())

    # --- notices --------------------------------------------------------------------------------

    def work(self) -> bool:
        """Show, ring and write what came; returns whether a picture with new alerts is due."""
        self._woken = False
        fresh, self._fresh = self._fresh, False
        while self._inbox:
            self._take(self._inbox.popleft())
        self._show()
        return fresh

    def _take(self, notice: Notice) -> None:
        if notice.kind == "bell":
            self._app.bell()
        elif notice.kind == "desktop":
            self._write(notice)
        else:
            now_s = self._clock.now_ns() / 1e9
            self._standing[notice.id] = (notice, now_s + notice.seconds)
            while len(self._standing) > MOST_TOASTS:
                del self._standing[next(iter(self._standing))]

    def _write(self, notice: Notice) -> None:
        from stockscan_tui.delivery.desktop import desktop_sequence  # noqa: PLC0415

        driver = self._app._driver
        sequence = desktop_sequence(notice.title, notice.text, os.environ)
        if sequence and driver is not None and not self._app.is_headless:
            driver.write(sequence)

    @property
    def toasts(self) -> list[Notice]:
        """The notices that stand, the oldest first."""
        return [notice for notice, _ in self._standing.values()]

    def dismiss(self) -> None:
        """Take all toasts away."""
        self._standing.clear()
        self._show()

    @property
    def storm(self) -> str:
        """The rule of the storm that stands last, empty where none does."""
        rules = [notice.rule for notice in self.toasts if notice.kind == "storm"]
        return rules[-1] if rules else ""

    def _tick(self) -> None:
        now_s = self._clock.now_ns() / 1e9
        for name in [name for name, (_, until_s) in self._standing.items() if until_s <= now_s]:
            del self._standing[name]
        self._show()

    def _show(self) -> None:
        """Show what stands on the screen that is in front, clear of the row under its cursor."""
        app = self._app
        if app._exit or app._closing or not app.screen_stack:
            return
        screen = app.screen
        stack = next(iter(screen.query(ToastStack)), None)
        if self._standing and stack is None:
            stack = ToastStack()
            screen.mount(stack)
        if stack is not None:
            stack.show(self.toasts)
        if self._standing and self._ticking is None:
            self._ticking = self._app.set_interval(TICK_S, self._tick)
        elif not self._standing and self._ticking is not None:
            self._ticking.stop()
            self._ticking = None

    def trouble(self, begun: Sequence[Trouble], over: Sequence[Trouble]) -> bool:
        """Have the feed's troubles delivered; returns whether anybody does."""
        if self._courier is not None and (begun or over):
            self._courier.trouble(begun, over)
        return self._courier is not None

    # --- done -----------------------------------------------------------------------------------

    def is_done(self, fired: Fired) -> bool:
        """Return whether an alert was acknowledged."""
        return fired.alert_id in self._done

    def acknowledge(self, fired: Iterable[Fired], on: bool) -> bool:
        """Mark alerts as done, or not; returns `on`."""
        ids = {one.alert_id for one in fired}
        self._done = self._done | ids if on else self._done - ids
        self.changes += 1
        return on

    def signs(self, fired: Fired) -> str:
        """Return what an alert is, in signs: done, muted, late, gated."""
        symbols, rules = self._muted()
        muted = fired.symbol in symbols or fired.rule in rules
        return (DONE * self.is_done(fired) + MUTED * muted + LATE * fired.late
                + GATED * fired.gated)  # fmt: skip

    def about(self, fired: Fired) -> str:
        """Return what an alert is beyond late and gated, in words."""
        symbols, rules = self._muted()
        words = ["done"] * self.is_done(fired)
        words += [f"{fired.symbol} is muted today"] * (fired.symbol in symbols)
        words += [f"the rule {fired.rule} is muted today"] * (fired.rule in rules)
        return " · ".join(words)

    # --- muted ----------------------------------------------------------------------------------

    def _muted(self) -> tuple[frozenset[str], frozenset[str]]:
        if self._courier is None:
            return frozenset(), frozenset()
        symbols, rules = self._courier.muted()
        return frozenset(symbols), frozenset(rules)

    def muted_in_words(self) -> str:
        """Return what is muted today, empty where nothing is."""
        symbols, rules = self._muted()
        named = [*sorted(symbols), *(f"rule {name}" for name in sorted(rules))]
        return printable(", ".join(named))

    def mute_symbol(self, symbol: str) -> str:
        """Mute a symbol for today, or no more; returns what is to be said."""
        if self._courier is None:
            return NO_COURIER
        on = symbol not in self._muted()[0]
        self._courier.mute_symbol(symbol, on)
        return (
            f"{symbol} is muted for today · m again ends it" if on else f"{symbol} is heard again"
        )

    def mute_rule(self, rule: str) -> str:
        """Mute a rule for today, or no more; returns what is to be said."""
        if self._courier is None:
            return NO_COURIER
        on = rule not in self._muted()[1]
        self._courier.mute_rule(rule, on)
        ends = f"the rule {rule} is muted for today · M again ends it"
        return ends if on else f"the rule {rule} is heard again"

    def unmute(self) -> str:
        """Mute nothing any more; returns what is to be said."""
        if self._courier is None:
            return NO_COURIER
        symbols, rules = self._muted()
        for symbol in symbols:
            self._courier.mute_symbol(symbol, False)
        for rule in rules:
            self._courier.mute_rule(rule, False)
        return "everything is heard again" if symbols or rules else "nothing was muted"

    # --- failures -------------------------------------------------------------------------------

    def failures(self) -> str:
        """Return which channels fail, and why; empty where none does."""
        if self._courier is None:
            return ""
        failing = [status for status in self._courier.status() if status.failure]
        return " · ".join(f"{one.name}: {one.failure} ({one.failed:,} failed)" for one in failing)
