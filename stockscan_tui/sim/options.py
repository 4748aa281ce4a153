"""How a simulated gateway is to behave, and the clock that it plays by."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.sim.faults import Fault

ALL_DUE_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Options:
    """What a gateway is told.

    Attributes:
        host: An address of this machine's loopback.
        port: 0 takes any free one.
        key: The only key that is let in; None lets in every one.
        dataset: The only dataset that can be asked for; None lets a client ask for any.
        unlicensed: Datasets that no key is entitled to.
        from_ns: Where the clock starts; None is the tape's first record.
        speed: Event seconds per wall second; infinity makes everything due at once.
        live_only: A subscription without `start=` begins at the clock, not at the tape's start.
        heartbeat_s: Wall seconds; instead of what the client asks for.
        replay_window_s: How many event seconds before the clock can be replayed.
        night_s: How many wall seconds hours without a record take at most; None as long as they
            last.
        faults: What is to go wrong.
        faults_in_turn: Connection n takes the n-th fault, instead of every one taking all.

    Raises:
        UsageError: The host is not on the loopback, or a number is out of its range.
    """

    host: str = "127.0.0.1"
    port: int = 0
    key: str | None = field(default=None, repr=False)
    dataset: str | None = None
    unlicensed: frozenset[str] = frozenset()
    from_ns: int | None = None
    speed: float = 1.0
    live_only: bool = False
    heartbeat_s: float | None = None
    replay_window_s: float | None = None
    night_s: float | None = None
    faults: tuple[Fault, ...] = ()
    faults_in_turn: bool = False

    def __post_init__(self) -> None:
        if not self.host.startswith("127."):
            raise UsageError("The simulated gateway serves 127.0.0.1 only.")
        if not self.speed > 0:
            raise UsageError(f"A speed of {self.speed:g} does not move: give more than 0.")
        if self.night_s is not None and not self.night_s > 0:
            raise UsageError(f"A night of {self.night_s:g} s does not pass: give more than 0.")
        if not 0 <= self.port <= 65_535:
            raise UsageError(f"{self.port} is not a port: give 0 to 65535.")


class EventClock:
    """Event time, which stands still until the gateway's first session begins.

    Args:
        from_ns: The time that it shows until then.
        end_ns: The tape's last instant.
        speed: Event seconds per wall second.
        nights: Spans of event time, in order, that pass quickly.
        night_s: How many wall seconds each of them takes at most.
        monotonic: Wall seconds.
    """

    def __init__(
        self,
        from_ns: int,
        end_ns: int,
        speed: float,
        nights: Sequence[tuple[int, int]] = (),
        night_s: float = math.inf,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._from_ns = from_ns
        self._end_ns = end_ns
        self._speed = speed
        self._nights = [(max(begin, from_ns), end) for begin, end in nights if end > from_ns]
        self._night_s = night_s
        self._monotonic = monotonic
        self._begun_s: float | None = None

    def start(self) -> None:
        """Let the clock run, if it does not yet."""
        if self._begun_s is None:
            self._begun_s = self._monotonic()

    def now_ns(self) -> int:
        """Return the event time; at infinite speed, the tape's end and the wall time since."""
        if self._begun_s is None:
            return self._from_ns
        elapsed_s = self._monotonic() - self._begun_s
        if math.isinf(self._speed):
            return self._end_ns + int(elapsed_s * SECOND_NS)
        ns = self._from_ns + int(elapsed_s * self._speed * SECOND_NS)
        for begin_ns, end_ns in self._nights:
            if ns <= begin_ns:
                break
            whole_ns = end_ns - begin_ns
            short_ns = min(whole_ns, self._night_s * self._speed * SECOND_NS)
            ns += int(min(1.0, (ns - begin_ns) / short_ns) * (whole_ns - short_ns))
        return ns

    def due_ns(self) -> int:
        """Return the instant up to which records are due."""
        if math.isinf(self._speed) and self._begun_s is not None:
            return ALL_DUE_NS
        return self.now_ns()
