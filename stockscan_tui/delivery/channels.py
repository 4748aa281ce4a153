"""All channels of a process by name, and what is handed to them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from stockscan_tui.clock import Clock
from stockscan_tui.delivery.channel import Channel
from stockscan_tui.delivery.command import CommandSender
from stockscan_tui.delivery.desktop import DesktopSender
from stockscan_tui.delivery.notice import Notice
from stockscan_tui.delivery.parcel import Parcel
from stockscan_tui.delivery.sound import SoundSender
from stockscan_tui.delivery.tally import ChannelStatus, Tally
from stockscan_tui.delivery.webhook import WebhookSender
from stockscan_tui.log import LOG
from stockscan_tui.scan.rules import Command, Rules, Webhook

Source = Command | Webhook | str


class Channels:
    """The outlet of the desk; any thread may use it.

    Args:
        clock: Wall time.
        notify: Shows, rings or writes a notice.
        ring: Called by the sound's thread when the bell is to ring instead.
    """

    def __init__(
        self, clock: Clock, notify: Callable[[Notice], None], ring: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._notify = notify
        self._ring = ring
        self._lock = threading.Lock()
        self._closed = False
        self._shown = {name: Tally(name) for name in ("toast", "bell", "desktop")}
        self._notifier = Channel("desktop", DesktopSender(), clock, tally=self._shown["desktop"])
        self._made: dict[str, tuple[Source, Channel]] = {}

    def know(self, rules: Rules) -> None:
        """Have a channel for all that rules can name; those that stay the same go on."""
        wanted: dict[str, Source] = {"sound": rules.sound}
        wanted.update({command.name: command for command in rules.commands})
        wanted.update({webhook.name: webhook for webhook in rules.webhooks})
        with self._lock:
            if self._closed:
                return
            for name, (source, channel) in list(self._made.items()):
                if wanted.get(name) != source:
                    del self._made[name]
                    channel.stop()
            for name, source in wanted.items():
                if name not in self._made:
                    self._made[name] = source, self._channel(name, source)

    def show(self, notice: Notice) -> None:
        """Show, ring or write a notice; what cannot be shown is counted as failed."""
        tally = self._tally(notice.kind)
        try:
            self._notify(notice)
        except Exception as error:  # noqa: BLE001 - told, and the next one is shown
            LOG.exception("a notice was not shown")
            tally.fail(f"It cannot be shown: {type(error).__name__}.")
        else:
            tally.deliver()

    def send(self, channel: str, parcel: Parcel) -> None:
        """Hand something to a channel; one that there is not is passed over."""
        if (found := self._found(channel)) is not None:
            found.offer(parcel)

    def drop(self, channel: str, count: int) -> None:
        """Take note of what a limit kept back."""
        self._tally(channel).drop(count)

    def fail(self, sentence: str) -> None:
        """Take note that something could not be shown."""
        self._shown["toast"].fail(sentence)

    def status(self) -> tuple[ChannelStatus, ...]:
        """Return how each channel fares: toast, bell, desktop, sound, then the user's own."""
        with self._lock:
            made = [channel for _, channel in self._made.values()]
        shown = (self._shown["toast"].status(), self._shown["bell"].status())
        return (*shown, *(channel.status() for channel in (self._notifier, *made)))

    def close(self, end_s: float) -> None:
        """End all that goes on, by an instant of `time.monotonic`; what waits is lost."""
        with self._lock:
            self._closed = True
            channels = [self._notifier, *(channel for _, channel in self._made.values())]
        for channel in channels:
            channel.stop()
        for channel in channels:
            channel.join(max(end_s - monotonic(), 0.0))

    def _tally(self, name: str) -> Tally:
        if name in self._shown:
            return self._shown[name]
        found = self._found(name)
        return found.tally if found is not None else self._shown["toast"]

    def _found(self, name: str) -> Channel | None:
        if name == "desktop":
            return self._notifier
        with self._lock:
            made = self._made.get(name)
        return made[1] if made is not None else None

    def _channel(self, name: str, source: Source) -> Channel:
        if isinstance(source, Command):
            return Channel(name, CommandSender(source), self._clock, source.every_s)
        if isinstance(source, Webhook):
            return Channel(name, WebhookSender(source, self._clock), self._clock, source.every_s)
        return Channel(name, SoundSender(source, self._ring), self._clock)
