"""A channel to the outside: a thread of its own and a bounded queue, so that it holds up nobody."""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from stockscan_tui.clock import Clock
from stockscan_tui.delivery.parcel import Parcel
from stockscan_tui.delivery.tally import ChannelStatus, DeliveryError, Tally
from stockscan_tui.log import LOG
from stockscan_tui.market.calendar import SECOND_NS

MOST_WAITING = 100


class Sender(Protocol):
    """Delivers one thing at a time."""

    def send(self, parcel: Parcel, stop: threading.Event) -> None:
        """Deliver it, or break off once `stop` is set.

        Raises:
            DeliveryError: It was not delivered.
        """
        ...

    def abort(self) -> None:
        """Break off what is under way, from another thread; returns at once."""
        ...


class Channel:
    """Delivers what it is offered, one each `every_s`; the oldest goes where too much waits.

    Args:
        name: Its name.
        sender: What delivers; only this channel's thread asks it to.
        clock: Wall time.
        every_s: The least time between two deliveries.
        tally: Where it counts; None for counts of its own.
    """

    def __init__(
        self,
        name: str,
        sender: Sender,
        clock: Clock,
        every_s: float = 0.0,
        tally: Tally | None = None,
    ) -> None:
        self._name = name
        self._sender = sender
        self._clock = clock
        self._every_ns = int(every_s * SECOND_NS)
        self.tally = tally or Tally(name)
        self._waiting: deque[Parcel] = deque()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def offer(self, parcel: Parcel) -> None:
        """Take something to be delivered; any thread, returns at once."""
        with self._changed:
            if self._stop.is_set():
                return
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft()
                self.tally.drop()
            self._waiting.append(parcel)
            if self._thread is None:
                name = f"stockscan-{self._name}"[:40]
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                thread.start()
                self._thread = thread
            self._changed.notify()

    def status(self) -> ChannelStatus:
        """Return how it fares."""
        return self.tally.status(len(self._waiting))

    def stop(self) -> None:
        """Break off what is under way and forget what waits; returns at once."""
        self._stop.set()
        self._sender.abort()
        with self._changed:
            self._waiting.clear()
            self._changed.notify()

    def join(self, timeout_s: float) -> None:
        """Wait for its thread, so long at most."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while (parcel := self._next()) is not None:
            begun_ns = self._clock.now_ns()
            self._deliver(parcel)
            rest_ns = begun_ns + self._every_ns - self._clock.now_ns()
            if rest_ns > 0:
                self._clock.wait(self._stop, rest_ns / SECOND_NS)

    def _next(self) -> Parcel | None:
        with self._changed:
            while not self._waiting and not self._stop.is_set():
                self._changed.wait()
            return None if self._stop.is_set() else self._waiting.popleft()

    def _deliver(self, parcel: Parcel) -> None:
        try:
            self._sender.send(parcel, self._stop)
        except DeliveryError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - told, and the next one is tried
            # Its text may hold an address or a header.
            self._fail(f"It broke off: {type(error).__name__}.")
        else:
            if not self._stop.is_set():
                self.tally.deliver()

    def _fail(self, sentence: str) -> None:
        if not self._stop.is_set():
            self.tally.fail(sentence)
            LOG.warning("%s: %s", self._name, self.tally.status().failure)
