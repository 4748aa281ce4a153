"""A rule that fires for many at once: from the eleventh within five seconds on, one line tells it.

The courier's thread owns it; all times are of the monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.fired import Fired
from stockscan_tui.scan.rules import Rule

MOST = 10
WITHIN_NS = 5 * SECOND_NS
# Its line is shown again at most so often while it grows.
_SHOWN_EVERY_NS = SECOND_NS // 4


@dataclass(slots=True, eq=False)
class Storm:
    """A storm that goes on.

    Attributes:
        id: What its notice is called.
        rule: The rule that fires.
        first: Its first alert.
        symbols: For whom it fired.
        count: How often.
        sent: How many alerts the outside was told of.
        shown_ns: When its line was shown last.
        changed: Whether it grew since.
    """

    id: str
    rule: Rule
    first: Fired
    symbols: set[str] = field(default_factory=set)
    count: int = 0
    sent: int = 0
    shown_ns: int = 0
    changed: bool = True

    @property
    def line(self) -> str:
        """Return it in a sentence's part, as in `move: 214 symbols`."""
        if len(self.symbols) == 1:
            return f"{self.rule.name}: {self.count:,} × {self.first.symbol}"
        return f"{self.rule.name}: {len(self.symbols):,} symbols"

    def grow(self, alerts: Sequence[Fired]) -> None:
        """Take more of its alerts."""
        self.symbols.update(alert.symbol for alert in alerts)
        self.count += len(alerts)
        self.changed = True


class Storms:
    """Tells storms from single alerts, by rule."""

    def __init__(self) -> None:
        self._lately: dict[str, deque[tuple[int, Fired]]] = {}
        self._going: dict[str, Storm] = {}
        self._begun = 0

    def take(self, now_ns: int, rule: Rule, alerts: Sequence[Fired]) -> Storm | None:
        """Note a rule's alerts and return the storm that they belong to, None for none."""
        lately = self._lately.setdefault(rule.name, deque(maxlen=MOST + 1))
        before = [alert for ns, alert in lately if now_ns - ns < WITHIN_NS]
        lately.extend((now_ns, alert) for alert in alerts[-MOST - 1 :])
        storm = self._going.get(rule.name)
        if storm is None and self._over(now_ns, rule.name):
            self._begun += 1
            first = before[0] if before else alerts[0]
            storm = self._going[rule.name] = Storm(f"storm/{self._begun}", rule, first)
            storm.grow(before)
        if storm is not None:
            storm.rule = rule
            storm.grow(alerts)
        return storm

    def goes_on(self, name: str) -> bool:
        """Return whether a rule's storm has begun and is not over."""
        return name in self._going

    def ended(self, now_ns: int) -> list[Storm]:
        """Return the storms that are over, and forget them."""
        over = [name for name in self._going if not self._over(now_ns, name)]
        return [self._going.pop(name) for name in over]

    def grown(self, now_ns: int) -> list[Storm]:
        """Return the storms whose line is to be shown, and take them as shown."""
        found = [
            storm
            for storm in self._going.values()
            if storm.changed and now_ns - storm.shown_ns >= _SHOWN_EVERY_NS
        ]
        for storm in found:
            storm.changed, storm.shown_ns = False, now_ns
        return found

    @property
    def due_ns(self) -> int | None:
        """Return when there is something to tell of them, None for never."""
        shown = [s.shown_ns + _SHOWN_EVERY_NS for s in self._going.values() if s.changed]
        ends = [self._lately[name][0][0] + WITHIN_NS for name in self._going]
        return min((*shown, *ends), default=None)

    def _over(self, now_ns: int, name: str) -> bool:
        """Whether a rule has fired too often within the last seconds."""
        lately = self._lately[name]
        return len(lately) > MOST and now_ns - lately[0][0] < WITHIN_NS
