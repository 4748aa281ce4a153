"""Evaluates rules over symbols at instants, and says where they fire; the engine's thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stockscan_tui.market.arithmetic import plain
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.instants import Instants
from stockscan_tui.market.rule_memory import RuleMemory
from stockscan_tui.market.snapshot import Flags, Integers
from stockscan_tui.scan.expression import Expression, Memory, Pool, Shared, tree
from stockscan_tui.scan.expression.memory import Numbers
from stockscan_tui.scan.rules.firing import cross, fire, prime
from stockscan_tui.scan.rules.rule import Rule

_NOWHERE = np.zeros(0, np.int64)
_NONE = np.zeros(0, np.bool_)


class _Sides(Memory):
    """What the crossings of one rule need to know of the past, over rows of symbols."""

    def __init__(self, crossings: Sequence[tree.Crosses], memory: RuleMemory) -> None:
        super().__init__()
        self._places = {node: place for place, node in enumerate(crossings)}
        self._memory = memory
        self._slot: Integers = np.zeros(0, np.int64)
        self._found: dict[int, Flags] = {}

    def look_at(self, slot: Integers) -> None:
        """Go on to the next rows."""
        self._slot = slot
        self._found = {}

    def crossed(
        self, node: tree.Crosses, rising: Numbers, falling: Numbers, event_ns: int
    ) -> Flags:
        # A crossing that stands in a rule twice is looked at once.
        place = self._places[node]
        found = self._found.get(place)
        if found is None:
            found = self._found[place] = np.empty(len(self._slot), np.bool_)
            sides = self._memory.sides[place]
            over, under = plain(rising, np.float64), plain(falling, np.float64)
            cross(self._slot, over, under, sides, found)
        return found


def crossings_of(rule: Rule) -> tuple[tree.Crosses, ...]:
    """Return the crossings in a rule, each once."""
    parts = [part for part in (rule.when, rule.filter, rule.rearm) if part is not None]
    nodes = (node for part in parts for node in tree.walk(part.tree))
    return tuple(dict.fromkeys(node for node in nodes if isinstance(node, tree.Crosses)))


@dataclass(slots=True, eq=False)
class Watched:
    """A rule that is watched.

    Attributes:
        rule: Which.
        memory: What it remembers.
        place: Where it stands among the rules.
        condition: What fires it; None of a move rule that fires on the record.
        pool: The nodes of all rules that are watched.
    """

    rule: Rule
    memory: RuleMemory
    place: int
    condition: Expression | None
    pool: Pool = field(default_factory=Pool)
    _filter: Expression = field(init=False)
    _rearm: Expression | None = field(init=False)
    _sides: _Sides = field(init=False)
    _crossings: int = field(init=False)
    _is_for_all: bool = field(init=False)

    def __post_init__(self) -> None:
        crossings = crossings_of(self.rule)
        self._crossings = len(crossings)
        self._is_for_all = self.rule.scope == "all" and self.rule.filter.empty
        self._sides = _Sides(crossings, self.memory)
        share, rearm = self.pool.share, self.rule.rearm
        self._filter = share(self.rule.filter)
        self._rearm = share(rearm) if rearm is not None else None
        self.condition = share(self.condition) if self.condition is not None else None

    @property
    def crosses(self) -> bool:
        """Whether something crosses in what fires it: each look at it is remembered."""
        parts = [part for part in (self.rule.filter, self.condition) if part is not None]
        return any(isinstance(n, tree.Crosses) for part in parts for n in tree.walk(part.tree))

    def passes(self, view: Instants, shared: Shared) -> Flags:
        """Return which rows its filter lets through."""
        return self._filter.mask(view, None, shared)

    def holds(self, view: Instants, members: Flags, shared: Shared) -> Flags:
        """Return whether it holds, for each row; not to be written to.

        Args:
            view: The rows.
            members: Who is on the leaderboard, by slot.
            shared: What other rules have worked out of the rows.
        """
        self.memory.grow(view.ground.count, self._crossings)
        self._sides.look_at(view.slot)
        if self.condition is not None and self._is_for_all:
            return self.condition.mask(view, self._sides, shared)
        held = self._filter.mask(view, self._sides, shared)
        if self.rule.scope != "all":
            held = held & in_scope(self.rule, view, members)
        if self.condition is None or not (self._crossings or np.count_nonzero(held)):
            return held
        # Where something crosses, all rows are looked at, so that it misses nothing.
        return held & self.condition.mask(view, self._sides, shared)

    def fire(
        self,
        view: Instants,
        members: Flags,
        shared: Shared,
        waits: Flags | None = None,
    ) -> Integers:
        """Return the rows at which it fires.

        Args:
            view: The rows, in the order of time.
            members: Who is on the leaderboard, by slot.
            shared: What other rules have worked out of the rows.
            waits: At which rows nothing is known, so that it is not armed again either; None for
                none.
        """
        rule, memory = self.rule, self.memory
        holds = self.holds(view, members, shared)
        # What fires at one row may be armed again at a later one, unless that is never.
        at_rest = not np.count_nonzero(holds) and (
            rule.once_a_day or not np.count_nonzero(memory.disarmed)
        )
        rearms = _NONE
        if self._rearm is not None and (self._crossings or not at_rest):
            rearms = self._rearm.mask(view, self._sides, shared)
        if at_rest:
            return _NOWHERE
        rows = np.empty(len(holds), np.int64)
        count = fire(
            view.slot,
            view.ns,
            holds,
            rearms,
            _NONE if waits is None else waits,
            rule.once_a_day,
            int(rule.cooldown_s * SECOND_NS),
            memory.disarmed,
            memory.last_ns,
            rows,
        )
        memory.count += count
        return rows[:count]

    def prime(self, view: Instants, members: Flags, shared: Shared) -> None:
        """Take note of where it holds already: there it does not fire."""
        holds = self.holds(view, members, shared)
        if self._rearm is not None:
            self._rearm.mask(view, self._sides, shared)
        prime(view.slot, view.ns, holds, self.memory.disarmed, self.memory.last_ns)


def in_scope(rule: Rule, view: Instants, members: Flags) -> Flags:
    """Return whether a rule is for the symbols of some rows."""
    none = np.zeros(len(view.slot), np.bool_)
    if rule.scope == "toplist":
        known = view.slot < len(members)
        none[known] = members[view.slot[known]]
        return none
    kind, _, name = rule.scope.partition(":")
    if kind == "watchlist":
        return view.signs.get(f"watched:{name}" if name else "watched", none)
    return np.ones(len(view.slot), np.bool_)


def memories_of(
    rules: Sequence[Rule], before: Mapping[str, RuleMemory]
) -> tuple[dict[str, RuleMemory], frozenset[str]]:
    """Return what rules remember, by their condition, and the conditions that were not watched.

    What a rule remembers is kept for the day when it is switched off: switched on again, it goes on
    from when it fired.
    """
    now = {rule.condition for rule in rules}
    found = {condition: before.get(condition) or RuleMemory() for condition in (*before, *now)}
    new = frozenset(condition for condition in now if not found[condition].watched)
    for condition, memory in found.items():
        memory.watched = condition in now
    return found, new
