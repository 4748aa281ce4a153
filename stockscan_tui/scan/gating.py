"""Which part of a gate keeps a symbol off the board."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stockscan_tui.market.metrics import MetricKey, values_of
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.scan.expression import Expression, Names, parse, tree
from stockscan_tui.scan.expression.tokens import Kind, tokens_of


@dataclass(frozen=True, slots=True)
class GatePart:
    """A condition that a symbol does not meet, as written, and what it has instead.

    `known` is False where it cannot be told whether the symbol meets it.
    """

    text: str
    has: tuple[tuple[MetricKey, float], ...] = ()
    known: bool = True


def parts_of(text: str) -> tuple[str, ...]:
    """Return the conditions that an expression joins by `and`, all of which have to hold.

    One that is joined by `or` is a single condition.

    Raises:
        ExpressionError: It is no expression.
    """
    depth, cuts = 0, [0]
    for token in tokens_of(text):
        depth += (token.kind is Kind.OPEN) - (token.kind is Kind.CLOSE)
        if depth or token.kind is not Kind.KEYWORD:
            continue
        if token.text == "or":
            return (text.strip(),)
        if token.text == "and":
            cuts += [token.at, token.at + len("and")]
    cuts.append(len(text))
    pieces = [text[begin:end].strip() for begin, end in zip(cuts[::2], cuts[1::2], strict=True)]
    return tuple(piece for piece in pieces if piece)


def refusing(
    text: str,
    names: Names,
    snapshot: Snapshot,
    row: int,
    tells: Callable[[MetricKey], bool] = lambda _key: True,
) -> tuple[GatePart, ...]:
    """Return the parts of a gate that a symbol does not meet, and those that cannot be told.

    Args:
        text: The gate.
        names: What may stand in it besides metrics.
        snapshot: The market.
        row: The symbol's row.
        tells: Whether the snapshot has what a metric is made of.
    """
    found = []
    for part in parts_of(text):
        condition = parse(part, names)
        if not (all(map(tells, condition.keys)) and _tells_words(condition, snapshot)):
            found.append(GatePart(part, known=False))
        elif not condition.mask(snapshot)[row]:
            keys = sorted(condition.keys, key=str)
            has = tuple((key, float(values_of(key, snapshot)[row])) for key in keys)
            found.append(GatePart(part, has))
    return tuple(found)


def _tells_words(condition: Expression, snapshot: Snapshot) -> bool:
    """Return whether the snapshot has the words and watchlists that a condition asks for."""
    for node in tree.walk(condition.tree):
        if isinstance(node, tree.Spelled) and node.column not in snapshot.words:
            return False
        if isinstance(node, tree.Watched) and f"watched:{node.name}" not in snapshot.signs:
            return False
    return True
