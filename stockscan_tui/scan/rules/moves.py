"""Move rules: the prices at which each symbol reaches one, for the compiled path to wait for.

Prices are int64 in 1e-9 dollars, so that a move of exactly 3 % is one. It belongs to the engine's
thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.snapshot import Flags, Integers
from stockscan_tui.market.state import Market, first_marks, no_levels
from stockscan_tui.scan.rules.firing import join_levels, percent_part
from stockscan_tui.scan.rules.watch import Watched

# Of slots and their first marks (1e-9 dollars): which look like a split that nothing confirms.
Suspicious = Callable[[Integers, Integers], Flags]

_COLUMNS = {"mark": k.MARK_ABOVE, "last": k.LAST_ABOVE, "mid": k.MID_ABOVE}
_DIGITS = 6


def part_of(percent: float) -> Integers:
    """Return a percentage as a fraction, exactly: over and under."""
    exact = Fraction(round(percent * 10**_DIGITS), 10**_DIGITS) / 100
    return np.array([exact.numerator, exact.denominator], np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Move:
    """A move rule, and the parts of a close at which it fires and within which it is back."""

    watched: Watched
    move: Integers
    back: Integers

    def beyond(self, close: int, price: int) -> bool:
        """Whether a price has moved as far as it takes."""
        part: int = percent_part(close, self.move[0], self.move[1])
        return not close - part < price < close + part

    def inside(self, close: int, price: int) -> bool:
        """Whether a price is back."""
        part: int = percent_part(close, self.back[0], self.back[1])
        return close - part < price < close + part


class Moves:
    """The move rules of a market.

    Args:
        market: Whose levels are set.
        rules: The move rules.
        suspicious: Whether first marks of symbols look like a split, by slot.
    """

    def __init__(self, market: Market, rules: Sequence[Watched], suspicious: Suspicious) -> None:
        self._market = market
        self._rules = [
            _Move(each, part_of(each.rule.move), part_of(each.rule.rearm_move or each.rule.move))
            for each in rules
        ]
        self._suspicious = suspicious
        self._members: dict[int, Flags] = {}

    def level(self, members: dict[int, Flags]) -> None:
        """Set the levels of all symbols anew.

        Args:
            members: By a rule's place, for whom it is, by slot; rules without are for all.
        """
        market = self._market
        self._members = members
        self._grow()
        self._set(np.arange(market.count), slice(market.count))
        market.ctl[k.LEVELS] = bool(self._rules)

    def move_members(self, members: dict[int, Flags]) -> None:
        """Set the levels of symbols for whom the rules are no longer the same.

        Args:
            members: As `level` takes them.
        """
        count = self._market.count
        changed = np.zeros(count, np.bool_)
        for place, flags in members.items():
            before = self._members.get(place, np.zeros(0, np.bool_))
            changed[len(before) :] = True
            changed[: len(before)] |= flags[: len(before)] != before
        self._members = members
        self._grow()
        moved = np.flatnonzero(changed)
        self._set(moved, moved)

    def add(self, slots: Sequence[int]) -> None:
        """Set the levels of symbols that are new, or whose close is."""
        self._grow()
        new = np.array(slots, np.int64)
        self._set(new, new)

    def _grow(self) -> None:
        for each in self._rules:
            each.watched.memory.grow(self._market.capacity, 0)

    def beyond(self, watched: Watched) -> Flags:
        """Return by slot who has moved as far as it takes."""
        (rule,) = (each for each in self._rules if each.watched is watched)
        every = slice(self._market.count)
        close, price = self._closes(every), self._prices(watched.rule.price, every)
        over, under = rule.move
        part = close // under * over + ((close % under) * over + under - 1) // under
        beyond: Flags = (close > 0) & (price > 0) & (np.abs(price - close) >= part)
        return beyond

    def prime(self, watched: Watched, inside: Flags, ts_ns: int) -> None:
        """Take note of whom a rule holds for already, among some: for them it does not fire."""
        found = np.flatnonzero(inside & self.beyond(watched))
        watched.memory.disarmed[found] = True
        watched.memory.last_ns[found] = ts_ns

    def look(self, slot: int, ts_ns: int) -> list[tuple[Watched, int]]:
        """Return the rules that a record has fired for a symbol, and at which price.

        Args:
            slot: The symbol.
            ts_ns: The record's time.
        """
        fired = []
        place = np.array([slot])
        close = int(self._closes(place)[0])
        for each in self._rules:
            watched = each.watched
            price = self._price(watched, slot) if close and self._in_force(watched, slot) else 0
            if price and self._moved(each, slot, close, price, ts_ns):
                fired.append((watched, price))
        self._set(place, place, ts_ns)
        return fired

    def _moved(self, each: _Move, slot: int, close: int, price: int, ts_ns: int) -> bool:
        rule, memory = each.watched.rule, each.watched.memory
        if memory.disarmed[slot]:
            if not rule.once_a_day and each.inside(close, price):
                memory.disarmed[slot] = False
            return False
        if not each.beyond(close, price):
            return False
        before = int(memory.last_ns[slot])
        if before and ts_ns - before < rule.cooldown_s * SECOND_NS:
            return False
        if self._suspicious(np.array([slot]), first_marks(self._market.rows[[slot]]))[0]:
            self._market.split_suspect[slot] = True
            return False
        memory.disarmed[slot] = True
        memory.last_ns[slot] = ts_ns
        memory.count += 1
        return True

    def _price(self, watched: Watched, slot: int) -> int:
        """Return the price that a rule looks at, 0 where there is none."""
        row = self._market.rows[slot]
        if watched.rule.price == "mid":
            bid, ask = int(row[k.BID]), int(row[k.ASK])
            stands = 0 < bid <= ask and (ask - bid) * 50 <= (bid + ask) >> 1
            return (bid + ask) >> 1 if stands else 0
        if watched.rule.price == "last":
            last = int(row[k.LAST])
            held = abs(row[k.PENDING_PRICE]) == last and row[k.PENDING_NS] == row[k.TRADE_NS]
            return 0 if held else last
        return int(row[k.MARK])

    def _in_force(self, watched: Watched, slot: int) -> bool:
        if self._market.session not in watched.rule.sessions or self._market.split_suspect[slot]:
            return False
        members = self._members.get(watched.place)
        return members is None or (slot < len(members) and bool(members[slot]))

    def _closes(self, of: slice | Integers) -> Integers:
        """Return previous closes in 1e-9 dollars, 0 for none."""
        return np.rint(np.nan_to_num(self._market.prev_close[of]) * 1e9).astype(np.int64)

    def _set(self, slots: Integers, of: slice | Integers, ts_ns: int = 0) -> None:
        """Set the levels of some symbols.

        Args:
            slots: Whose.
            of: What takes them out of arrays by slot.
            ts_ns: Before this instant nothing happens any more.
        """
        market = self._market
        levels = market.levels.reshape(-1, k.LEVEL_WIDTH)
        rows = np.empty((len(slots), k.LEVEL_WIDTH), np.int64)
        no_levels(rows)
        levels[of] = rows
        closes = self._closes(of)
        told = (closes > 0) & ~market.split_suspect[of]
        for each in self._rules:
            rule, memory = each.watched.rule, each.watched.memory
            if market.session not in rule.sessions:
                continue
            join_levels(
                levels,
                _COLUMNS[rule.price],
                slots,
                closes,
                self._prices(rule.price, of),
                self._in_scope(each.watched, told, slots),
                memory.disarmed,
                memory.last_ns,
                each.move,
                each.back,
                rule.once_a_day,
                int(rule.cooldown_s * SECOND_NS),
                ts_ns,
                k.WAKE_NS,
            )

    def _in_scope(self, watched: Watched, told: Flags, slots: Integers) -> Flags:
        members = self._members.get(watched.place)
        if members is None:
            return told
        inside = np.zeros(len(slots), np.bool_)
        known = slots < len(members)
        inside[known] = members[slots[known]]
        return inside & told

    def _prices(self, kind: str, of: slice | Integers) -> Integers:
        """Return what symbols stand at, 0 where that cannot be told now."""
        rows = self._market.rows[of]
        if kind == "mid":
            bid, ask = rows[:, k.BID], rows[:, k.ASK]
            middle: Integers = (bid + ask) >> 1
            return np.where((bid > 0) & (ask >= bid) & ((ask - bid) * 50 <= middle), middle, 0)
        if kind == "last":
            last: Integers = rows[:, k.LAST]
            held = np.abs(rows[:, k.PENDING_PRICE]) == last
            return np.where(held & (rows[:, k.PENDING_NS] == rows[:, k.TRADE_NS]), 0, last)
        mark: Integers = rows[:, k.MARK]
        return mark
