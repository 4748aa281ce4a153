"""What the signals that end a program do here: it leaves by itself, with all that it has saved."""

from __future__ import annotations

import _thread
import signal
from collections.abc import Callable


def on_signals(stop: Callable[[], object]) -> None:
    """Let SIGINT, SIGTERM and SIGHUP call `stop` instead of ending the process."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            # Under nohup it is to go on where its terminal ends.
            continue
        signal.signal(number, lambda *_: stop())


def apart(stop: Callable[[], object]) -> Callable[[], None]:
    """Return what has `stop` called by a thread of its own.

    A handler runs in the midst of whatever the main thread does. Where that is `Event.wait`, the
    lock may be held that `Event.set` asks for: it would wait for itself, for ever.
    """

    def begin() -> None:
        try:
            _thread.start_new_thread(stop, ())
        except RuntimeError:
            # There is no thread to be had.
            stop()

    return begin
