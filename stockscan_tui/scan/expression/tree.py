"""What an expression is once it is read: a tree of values and conditions, without any text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stockscan_tui.market.metrics import MetricKey


@dataclass(frozen=True, slots=True)
class Number:
    """A number that was written."""

    value: float


@dataclass(frozen=True, slots=True)
class Column:
    """A metric's values."""

    key: MetricKey


@dataclass(frozen=True, slots=True)
class Negative:
    """A value with its sign turned."""

    of: Value


@dataclass(frozen=True, slots=True)
class Series:
    """Values joined from left to right by signs, + and - or * and /; flat, however long it is."""

    first: Value
    rest: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """`abs` of one value, `min` or `max` of two."""

    name: str
    arguments: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """A chain of comparisons, `a < b <= c`: one sign fewer than values."""

    values: tuple[Value, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flag:
    """A yes-or-no metric alone."""

    key: MetricKey


@dataclass(frozen=True, slots=True)
class Crosses:
    """`rising` was under `falling` and has just come over it."""

    rising: Value
    falling: Value


@dataclass(frozen=True, slots=True)
class Spelled:
    """A column of words is (or is not) a word, whatever its capitals."""

    column: str
    word: str
    same: bool


@dataclass(frozen=True, slots=True)
class Begins:
    """The symbol begins with one of some prefixes."""

    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Watched:
    """The symbol is on a watchlist."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """A condition does not hold."""

    of: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of some conditions hold; of none, always."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of some conditions holds."""

    parts: tuple[Condition, ...]


Value = Number | Column | Negative | Series | Call
Condition = Compare | Flag | Crosses | Spelled | Begins | Watched | Not | AllOf | AnyOf
Node = Value | Condition

EVERYTHING = AllOf(())


def walk(root: Node) -> Iterator[Node]:
    """Yield a node and all under it, in no order."""
    waiting: list[Node] = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(_under(node))


def _under(node: Node) -> tuple[Node, ...]:
    match node:
        case Negative(of) | Not(of):
            return (of,)
        case Series(first, rest):
            return (first, *(value for _, value in rest))
        case Call(arguments=parts) | Compare(values=parts) | AllOf(parts) | AnyOf(parts):
            return parts
        case Crosses(rising, falling):
            return (rising, falling)
        case _:
            return ()
