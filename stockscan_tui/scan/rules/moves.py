"""Move rules: the prices at which each symbol reaches one, for the compiled path to wait for.

Prices are int64 in 1e-9 dollars, so that a move of exactly 3 % is one. It belongs to the engine's
thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.snapshot import Flags, Integers
from stockscan_tui.market.state import Market, first_marks, no_levels
from stockscan_tui.scan.rules.watch import Watched

# Of slots and their first marks (1e-9 dollars): which look like a split that nothing confirms.
Suspicious = Callable[[Integers, Integers], Flags]

_COLUMNS = {"mark": k.MARK_ABOVE, "last": k.LAST_ABOVE, "mid": k.MID_ABOVE}
_DIGITS = 6


def up_level(close: Integers, percent: float) -> Integers:
    """Return the least prices that are at least `percent` over some closes, all in 1e-9 dollars."""
    return close + _part(close, percent, up=True)


def down_level(close: Integers, percent: float) -> Integers:
    """Return the largest prices that are at least `percent` under some closes."""
    return close - _part(close, percent, up=True)


def _part(close: Integers, percent: float, *, up: bool) -> Integers:
    """Return a percentage of prices, rounded up; exact, without leaving 64 bits."""
    exact = Fraction(round(percent * 10**_DIGITS), 10**_DIGITS) / 100
    over, under = exact.numerator, exact.denominator
    rest = (close % under) * over
    return close // under * over + (rest + (under - 1) * up) // under


class Moves:
    """The move rules of a market.

    Args:
        market: Whose levels are set.
        rules: The move rules.
        suspicious: Whether first marks of symbols look like a split, by slot.
    """

    def __init__(self, market: Market, rules: Sequence[Watched], suspicious: Suspicious) -> None:
        self._market = market
        self._rules = rules
        self._suspicious = suspicious
        self._members: dict[int, Flags] = {}

    def level(self, members: dict[int, Flags]) -> None:
        """Set the levels of all symbols anew.

        Args:
            members: By a rule's place, for whom it is, by slot; rules without are for all.
        """
        market = self._market
        self._members = members
        for watched in self._rules:
            watched.memory.grow(market.capacity, 0)
        self._set(np.arange(market.count))
        market.ctl[k.LEVELS] = bool(self._rules)

    def add(self, slots: Sequence[int]) -> None:
        """Set the levels of symbols that are new, or whose close is."""
        for watched in self._rules:
            watched.memory.grow(self._market.capacity, 0)
        self._set(np.array(slots, np.int64))

    def look(self, slot: int, ts_ns: int) -> list[tuple[Watched, int]]:
        """Return the rules that a record has fired for a symbol, and at which price.

        Args:
            slot: The symbol.
            ts_ns: The record's time.
        """
        fired = []
        for watched in self._rules:
            price = self._price(watched, slot)
            if price and self._in_force(watched, slot) and self._moved(watched, slot, price, ts_ns):
                fired.append((watched, price))
        self._set(np.array([slot]), ts_ns)
        return fired

    def _moved(self, watched: Watched, slot: int, price: int, ts_ns: int) -> bool:
        rule, memory = watched.rule, watched.memory
        close = self._closes(np.array([slot]))
        if not close[0]:
            return False
        if memory.disarmed[slot]:
            back = rule.rearm_move or rule.move
            inside = down_level(close, back)[0] < price < up_level(close, back)[0]
            if not rule.once_a_day and inside:
                memory.disarmed[slot] = False
            return False
        if not (price >= up_level(close, rule.move)[0] or price <= down_level(close, rule.move)[0]):
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

    def _closes(self, slots: Integers) -> Integers:
        """Return previous closes in 1e-9 dollars, 0 for none."""
        return np.rint(np.nan_to_num(self._market.prev_close[slots]) * 1e9).astype(np.int64)

    def _set(self, slots: Integers, ts_ns: int = 0) -> None:
        """Set the levels of some symbols; before `ts_ns` nothing happens any more."""
        market = self._market
        levels = market.levels.reshape(-1, k.LEVEL_WIDTH)
        rows = np.zeros((len(slots), k.LEVEL_WIDTH), np.int64)
        no_levels(rows)
        for watched in self._rules:
            if market.session in watched.rule.sessions:
                self._join(rows, slots, watched, ts_ns)
        levels[slots] = rows

    def _join(self, rows: Integers, slots: Integers, watched: Watched, ts_ns: int) -> None:
        """Let one rule's levels be among those of some symbols."""
        rule, memory = watched.rule, watched.memory
        close = self._closes(slots)
        there = (close > 0) & ~self._market.split_suspect[slots]
        members = self._members.get(watched.place)
        if members is not None:
            known = slots < len(members)
            there[known] &= members[slots[known]]
            there[~known] = False
        disarmed, last_ns = memory.disarmed[slots], memory.last_ns[slots]
        wake_ns = last_ns + int(rule.cooldown_s * SECOND_NS)
        cooling = ~disarmed & (last_ns > 0) & (wake_ns > ts_ns)
        armed = there & ~disarmed & ~cooling
        above = np.where(armed, up_level(close, rule.move), k.NO_ABOVE)
        below = np.where(armed, down_level(close, rule.move), k.NO_BELOW)
        if not rule.once_a_day:
            # Out there, it waits for the price to come back.
            back = rule.rearm_move or rule.move
            price = self._prices(rule.price, slots)
            out = there & disarmed
            high, low = up_level(close, back), down_level(close, back)
            below = np.where(out & (price >= high), high - 1, below)
            above = np.where(out & (price <= low), low + 1, above)
            inside = out & (price > low) & (price < high)
            wake_ns = np.where(cooling & there, wake_ns, np.where(inside, 0, k.NO_ABOVE))
            np.minimum(rows[:, k.WAKE_NS], wake_ns, out=rows[:, k.WAKE_NS])
        column = _COLUMNS[rule.price]
        np.minimum(rows[:, column], above, out=rows[:, column])
        np.maximum(rows[:, column + 1], below, out=rows[:, column + 1])

    def _prices(self, kind: str, slots: Integers) -> Integers:
        rows = self._market.rows[slots]
        if kind == "mid":
            middle: Integers = (rows[:, k.BID] + rows[:, k.ASK]) >> 1
            return middle
        column: Integers = rows[:, k.LAST if kind == "last" else k.MARK]
        return column
