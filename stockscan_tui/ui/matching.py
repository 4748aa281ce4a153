"""For how many symbols each rule's condition holds right now; counted a little at a time.

Owned by the interface's thread, which must not be held up: each step ends after a few
milliseconds, and the rules that it did not come to are counted first in the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from stockscan_tui.market.metrics import MetricKey, values_of
from stockscan_tui.market.snapshot import Flags, Snapshot
from stockscan_tui.scan.expression import Memory
from stockscan_tui.scan.picking import CROSSED_NS
from stockscan_tui.scan.rules import Rule

COUNT_EVERY_S = 1.0
STEP_S = 0.006
_WATCHLIST = "watchlist"


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """What was counted.

    Attributes:
        count: For how many symbols the rule holds.
        symbol: The first of them by name; empty for none.
        row: Its row in `snapshot`; -1 for none.
        snapshot: The picture it was counted in.
        at_s: When.
    """

    count: int
    symbol: str
    row: int
    snapshot: Snapshot
    at_s: float


class Matching:
    """Counts for one picture after another.

    A crossing counts for a minute, from the rule's first count on.

    Args:
        seconds: A clock that measures how long a step takes.
    """

    def __init__(self, seconds: Callable[[], float] = perf_counter) -> None:
        self._seconds = seconds
        self._found: dict[str, Matched] = {}
        self._memories: dict[str, Memory] = {}
        self._leap = 0

    def of(self, rule: Rule) -> Matched | None:
        """Return what was counted last for a rule, None before it was."""
        return self._found.get(rule.condition)

    def step(self, snapshot: Snapshot, rules: Iterable[Rule], now_s: float) -> bool:
        """Count for those rules that are due, the longest due first; returns whether any was."""
        if snapshot.leap != self._leap:
            self._leap = snapshot.leap
            self._found.clear()
            self._memories.clear()
        due = [rule for rule in rules if self._due(rule, snapshot, now_s)]
        due.sort(key=self._counted_s)
        begun_s = self._seconds()
        for rule in due:
            self._found[rule.condition] = self._count(rule, snapshot, now_s)
            if self._seconds() - begun_s >= STEP_S:
                break
        return bool(due)

    def _counted_s(self, rule: Rule) -> float:
        found = self.of(rule)
        return found.at_s if found is not None else -1.0

    def _due(self, rule: Rule, snapshot: Snapshot, now_s: float) -> bool:
        found = self.of(rule)
        if found is None:
            return True
        return found.snapshot is not snapshot and now_s - found.at_s >= COUNT_EVERY_S

    def _count(self, rule: Rule, snapshot: Snapshot, now_s: float) -> Matched:
        memory = self._memories.setdefault(rule.condition, Memory(CROSSED_NS))
        mask = holds(rule, snapshot, memory)
        rows = snapshot.by_symbol[mask[snapshot.by_symbol]]
        row = int(rows[0]) if len(rows) else -1
        symbol = snapshot.symbols[row] if row >= 0 else ""
        return Matched(len(rows), symbol, row, snapshot, now_s)


def holds(rule: Rule, snapshot: Snapshot, memory: Memory | None = None) -> Flags:
    """Return for each symbol whether a rule's condition and filter hold, and it is on its list.

    The scope `toplist` is not looked at: which symbols those are changes with each minute.
    """
    mask = _condition(rule, snapshot, memory) & rule.filter.mask(snapshot, memory)
    kind, _, name = rule.scope.partition(":")
    if kind != _WATCHLIST:
        return mask
    listed = snapshot.signs.get(f"watched:{name}" if name else "watched")
    return mask & listed if listed is not None else np.zeros(len(mask), np.bool_)


def _condition(rule: Rule, snapshot: Snapshot, memory: Memory | None) -> Flags:
    if rule.when is not None:
        return rule.when.mask(snapshot, memory)
    price = values_of(MetricKey(rule.price), snapshot)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.abs(price / snapshot.prev_close - 1.0) * 100.0
        far: Flags = moved >= rule.move
    return far
