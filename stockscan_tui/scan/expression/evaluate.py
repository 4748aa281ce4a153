"""A tree over the arrays of a snapshot: one value per symbol, without a loop over symbols."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from stockscan_tui.market.metrics import MetricKey, values_of
from stockscan_tui.market.snapshot import Flags, RowSymbols, Snapshot, Words
from stockscan_tui.scan.expression import tree
from stockscan_tui.scan.expression.memory import Memory, Numbers

# By node: what it was worked out from, and the result, which holds while that is the same object.
Found = dict[tree.Node, tuple[object, Flags]]


class Shared:
    """Conditions that several expressions share, each worked out once for one picture.

    They are evaluated within its context, in which NumPy keeps still about what is no number.

    Args:
        pure: By identity, the nodes that depend on the picture alone.
    """

    def __init__(self, pure: frozenset[int] = frozenset()) -> None:
        self.pure = pure
        self.found: dict[int, Flags] = {}
        self._quiet = quiet()

    def __enter__(self) -> Self:
        self._quiet.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._quiet.__exit__(kind, raised, trace)


def quiet() -> np.errstate:
    """Return a context in which NumPy keeps still about what is no number."""
    return np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation.

    Attributes:
        snapshot: The market.
        memory: What crossings remember; without it nothing crosses.
        found: What stays the same from snapshot to snapshot.
        shared: What other expressions have worked out of this snapshot; None for nothing.
    """

    snapshot: Snapshot
    memory: Memory | None
    found: Found
    shared: Shared | None = None

    def mask(self, root: tree.Condition) -> Flags:
        """Return whether a condition holds, for each symbol in slot order; not to be changed."""
        if self.shared is not None:
            return self._flags(root)
        with quiet():
            return self._flags(root)

    def _flags(self, node: tree.Condition) -> Flags:
        shared = self.shared
        if shared is None or id(node) not in shared.pure:
            return self._work_out(node)
        known = shared.found.get(id(node))
        if known is None:
            known = shared.found[id(node)] = self._work_out(node)
        return known

    def _work_out(self, node: tree.Condition) -> Flags:  # noqa: PLR0911
        match node:
            case tree.Compare(values, signs):
                return self._compare([self._numbers(value) for value in values], signs)
            case tree.Flag(key):
                flags: Flags = values_of(key, self.snapshot) > 0
                return flags
            case tree.AllOf(parts):
                return self._joined(parts, np.logical_and, empty=True)
            case tree.AnyOf(parts):
                return self._joined(parts, np.logical_or, empty=False)
            case tree.Not(of):
                return np.logical_not(self._flags(of))
            case tree.Begins():
                return self._begins(node)
            case tree.Spelled():
                return self._spelled(node)
            case tree.Watched(name):
                listed = self.snapshot.signs.get(f"watched:{name}")
                return self._all(False) if listed is None else listed
            case tree.Crosses():
                return self._crossed(node)

    def _numbers(self, node: tree.Value) -> Numbers:
        match node:
            case tree.Number(number):
                return np.float64(number)
            case tree.Column(key):
                return values_of(key, self.snapshot)
            case tree.Negative(of):
                return -self._numbers(of)
            case tree.Series(first, rest):
                total = self._numbers(first)
                for sign, value in rest:
                    total = _joined_by(sign, total, self._numbers(value))
                return total
            case tree.Call(name, arguments):
                return _called(name, [self._numbers(value) for value in arguments])

    def _all(self, value: bool) -> Flags:
        return np.full(len(self.snapshot.symbols), value)

    def _joined(self, parts: tuple[tree.Condition, ...], join: np.ufunc, *, empty: bool) -> Flags:
        result: Flags | None = None
        # What crosses has to be looked at always.
        early = self.shared is not None and empty and all(id(p) in self.shared.pure for p in parts)
        for part in parts:
            if early and result is not None and not np.count_nonzero(result):
                break
            flags = self._flags(part)
            result = flags if result is None else join(result, flags)
        return self._all(empty) if result is None else result

    def _compare(self, values: list[Numbers], signs: Sequence[str]) -> Flags:
        result = _compared(values[0], signs[0], values[1])
        for left, sign, right in zip(values[1:], signs[1:], values[2:], strict=False):
            result = result & _compared(left, sign, right)
        return result if isinstance(result, np.ndarray) else self._all(bool(result))

    def _crossed(self, node: tree.Crosses) -> Flags:
        if self.memory is None:
            return self._all(False)
        rising, falling = self._numbers(node.rising), self._numbers(node.falling)
        if not isinstance(rising, np.ndarray) and not isinstance(falling, np.ndarray):
            return self._all(False)
        return self.memory.crossed(node, rising, falling, self.snapshot.event_ns)

    def _begins(self, node: tree.Begins) -> Flags:
        symbols = self.snapshot.symbols
        if isinstance(symbols, RowSymbols):
            return self._begin(node, symbols.names)[symbols.slot]
        return self._begin(node, symbols)

    def _begin(self, node: tree.Begins, symbols: Sequence[str]) -> Flags:
        known = self.found.get(node)
        # The same object may have grown.
        if known is not None and known[0] is symbols and len(known[1]) == len(symbols):
            return known[1]
        flags = np.fromiter(
            (symbol.startswith(node.prefixes) for symbol in symbols), np.bool_, len(symbols)
        )
        flags.setflags(write=False)
        self.found[node] = (symbols, flags)
        return flags

    def _spelled(self, node: tree.Spelled) -> Flags:
        column = self.snapshot.words.get(node.column)
        if column is None:
            return self._all(False)
        known = self.found.get(node)
        if known is None or known[0] is not column:
            known = self.found[node] = (column, _spelled(node, column))
        return known[1]


def missing_by_metric(root: tree.Condition, snapshot: Snapshot) -> dict[MetricKey, int]:
    """Return for each metric that is compared how many symbols lack it, most first, if any do."""
    counts: dict[MetricKey, int] = {}
    for node in tree.walk(root):
        if isinstance(node, tree.Column) and node.key not in counts:
            counts[node.key] = int(np.count_nonzero(np.isnan(values_of(node.key, snapshot))))
        elif isinstance(node, tree.Spelled):
            words = snapshot.words.get(node.column)
            count = len(snapshot.symbols)
            missing = count if words is None else int(np.count_nonzero(words.code < 0))
            counts[MetricKey(node.column)] = missing
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return {key: count for key, count in ordered if count}


def _spelled(node: tree.Spelled, column: Words) -> Flags:
    alike = [" ".join(name.split()).casefold() == node.word for name in column.names]
    codes = np.flatnonzero(np.array(alike, np.bool_))
    named = np.isin(column.code, codes)
    flags: Flags = named if node.same else ~named & (column.code >= 0)
    return flags


def _joined_by(sign: str, left: Numbers, right: Numbers) -> Numbers:
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    quotient: Numbers = left / np.where(right == 0, math.nan, right)
    return quotient


def _called(name: str, values: list[Numbers]) -> Numbers:
    if name == "abs":
        return np.abs(values[0])
    smaller: Numbers = (np.minimum if name == "min" else np.maximum)(values[0], values[1])
    return smaller


def _compared(left: Numbers, sign: str, right: Numbers) -> Flags | np.bool_:
    result: Flags | np.bool_
    match sign:
        case "<":
            result = left < right
        case "<=":
            result = left <= right
        case ">":
            result = left > right
        case ">=":
            result = left >= right
        case "=":
            result = left == right
        case _:
            # Unlike !=, false where either is NaN.
            result = (left < right) | (left > right)
    return result
