"""Carries alerts from the engine to the trader, without ever holding the engine up.

One thread decides (`desk`), one for each outside channel delivers (`channel`).
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from stockscan_tui.clock import Clock
from stockscan_tui.delivery.channels import Channels
from stockscan_tui.delivery.desktop import desktop_sequence
from stockscan_tui.delivery.judge import Desk, Place
from stockscan_tui.delivery.mutes import Mutes
from stockscan_tui.delivery.notice import Notice
from stockscan_tui.delivery.tally import ChannelStatus
from stockscan_tui.log import LOG
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.vitals import Trouble
from stockscan_tui.scan.rules import Rules


class Courier:
    """Delivers alerts by the channels that their rules name.

    Args:
        rules: The rules, with their commands, webhooks and sounds.
        clock: Wall time.
        notify: Shows, rings or writes a notice; called from the courier's thread.
        simulated: Whether the market is a simulated one: messages then say so.
        at_screen: Whether `notify` reaches a screen; without one there are no toasts and no bell.
        environ: The environment that tells which terminal this is; None for the process's own.
    """

    def __init__(
        self,
        rules: Rules,
        clock: Clock,
        notify: Callable[[Notice], None],
        *,
        simulated: bool = False,
        at_screen: bool = True,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._clock = clock
        self._fired: deque[Sequence[Fired]] = deque()
        self._inbox: deque[Callable[[int], None]] = deque()
        self._wake = threading.Event()
        self._closed = False
        self._mutes = Mutes()
        self._channels = Channels(clock, notify, lambda: self._put(self._desk.ring))
        known = desktop_sequence("", "", os.environ if environ is None else environ)
        place = Place(at_screen, bool(known), simulated)
        self._desk = Desk(self._channels, self._mutes, place)
        self.know(rules)
        self._thread = threading.Thread(target=self._run, name="stockscan-courier", daemon=True)
        self._thread.start()

    def take(self, fired: Sequence[Fired]) -> None:
        """Take alerts as they fire, oldest first; any thread, returns at once."""
        self._fired.append(fired)
        self._wake.set()

    def trouble(self, begun: Sequence[Trouble], over: Sequence[Trouble]) -> None:
        """Take troubles of the feed that have begun, or are over; any thread, returns at once."""
        if begun or over:
            self._put(lambda now_ns: self._desk.trouble(now_ns, begun, over))

    def know(self, rules: Rules) -> None:
        """Go by other rules; commands and webhooks that stay the same go on. Any thread."""
        self._channels.know(rules)
        self._desk.know(rules)

    def mute_symbol(self, symbol: str, on: bool = True) -> None:
        """Deliver nothing of a symbol for the rest of the session date, or deliver it again."""
        self._mutes.mute_symbol(symbol, on=on)

    def mute_rule(self, name: str, on: bool = True) -> None:
        """Deliver nothing of a rule for the rest of the session date, or deliver it again."""
        self._mutes.mute_rule(name, on=on)

    def muted(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the muted symbols and the muted rules."""
        return self._mutes.muted()

    def status(self) -> tuple[ChannelStatus, ...]:
        """Return how each channel fares: toast, bell, desktop, sound, then the user's own."""
        return self._channels.status()

    def close(self, timeout_s: float = 1.0) -> None:
        """End all that goes on, running commands too, within `timeout_s`; what waits is lost."""
        end_s = monotonic() + timeout_s
        self._closed = True
        self._wake.set()
        self._channels.close(end_s)
        if threading.current_thread() is not self._thread:
            self._thread.join(max(end_s - monotonic(), 0.0))

    def _put(self, work: Callable[[int], None]) -> None:
        self._inbox.append(work)
        self._wake.set()

    def _run(self) -> None:
        while not self._closed:
            self._wake.clear()
            if self._fired:
                self._do(self._take_all)
            elif self._inbox:
                self._do(self._inbox.popleft())
            elif self._due():
                self._do(self._desk.tick)

    def _take_all(self, now_ns: int) -> None:
        """Decide on all that has come, at once: the more there is, the less each alert costs."""
        batches = [self._fired.popleft() for _ in range(len(self._fired))]
        self._desk.take(now_ns, [alert for batch in batches for alert in batch])

    def _due(self) -> bool:
        """Wait for the next alert or instant; return whether there is something to do by now."""
        due_ns = self._desk.due_ns
        if self._closed:
            return False
        if due_ns is None:
            self._wake.wait()
            return False
        wait_s = (due_ns - self._clock.now_ns()) / SECOND_NS
        if wait_s > 0:
            self._clock.wait(self._wake, wait_s)
        return wait_s <= 0

    def _do(self, work: Callable[[int], None]) -> None:
        try:
            work(self._clock.now_ns())
        except Exception as error:  # noqa: BLE001 - told, and the next alert is delivered
            LOG.exception("an alert was not delivered")
            self._channels.fail(f"An alert was not delivered: {type(error).__name__}.")
