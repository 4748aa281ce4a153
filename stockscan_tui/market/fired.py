"""An alert: a rule that fired for a symbol at an instant of event time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

_JSON = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Fired:
    """A firing; the same event always gives the same one.

    Attributes:
        ts_ns: The `ts_recv` of the record that fired it, or the second or minute at which the rule
            was evaluated, in ns since 1970.
        symbol: Whose.
        rule: The rule's name.
        price: The mark (of a move rule on another price, that) at that instant, in dollars.
        values: The rule's values at that instant, as JSON: a number or null by metric.
        late: Whether it was evaluated more than a minute after it happened.
        gated: Whether the board's gates keep the symbol off, so that nothing delivers it.
    """

    ts_ns: int
    symbol: str
    rule: str
    price: float
    values: str = ""
    late: bool = False
    gated: bool = False

    @property
    def alert_id(self) -> str:
        """Return what names this event and no other."""
        return f"{self.rule}/{self.symbol}/{self.ts_ns}"


def packed(values: Iterable[tuple[str, float]]) -> str:
    """Return values by name as JSON; what is missing is null."""
    plain = {name: round(value, 9) if math.isfinite(value) else None for name, value in values}
    return _JSON.encode(plain)


def unpacked(values: str) -> dict[str, float]:
    """Return values from their JSON, NaN for what is missing; nothing for a text that is none."""
    try:
        found = json.loads(values) if values else {}
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(name): float(value) if isinstance(value, int | float) else math.nan
        for name, value in found.items()
    }
