"""What the signals that end a program do here: it leaves by itself, with all that it has saved."""

from __future__ import annotations

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
