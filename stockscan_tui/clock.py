"""Wall time, passed in: the one place that asks the operating system for it."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic time, and waiting that an event can end."""

    def now_ns(self) -> int:
        """Return nanoseconds that never run backwards."""
        ...

    def wall_ns(self) -> int:
        """Return the date and time as nanoseconds since 1970, UTC; it may be set and may jump."""
        ...

    def wait(self, event: threading.Event, timeout_s: float) -> None:
        """Wait until `event` is set, `timeout_s` at most."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        """Return the monotonic clock's nanoseconds."""
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        """Return the system's date and time."""
        return time.time_ns()

    def wait(self, event: threading.Event, timeout_s: float) -> None:
        """Wait until `event` is set, `timeout_s` at most."""
        event.wait(timeout_s)
