"""Lets expressions that are evaluated together share what they have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar, cast

from stockscan_tui.scan.expression import tree
from stockscan_tui.scan.expression.expression import Expression

N = TypeVar("N", bound=tree.Node)


class Pool:
    """The nodes of some expressions, equal ones being the same object.

    Attributes:
        pure: By identity, the nodes that depend on the picture alone: nothing crosses in them.
    """

    def __init__(self) -> None:
        self._nodes: dict[tree.Node, tree.Node] = {}
        self._pure: set[int] = set()
        self._frozen: frozenset[int] = frozenset()

    @property
    def pure(self) -> frozenset[int]:
        """Return the nodes in which nothing crosses; they live as long as the pool does."""
        return self._frozen

    def share(self, expression: Expression) -> Expression:
        """Return an expression that is the same, of the pool's nodes."""
        shared = replace(expression, tree=self._of(expression.tree))
        self._frozen = frozenset(self._pure)
        return shared

    def _of(self, node: N) -> N:
        known = self._nodes.get(node)
        if known is not None:
            return cast("N", known)
        own = self._rebuilt(node)
        self._nodes[own] = own
        if not any(isinstance(under, tree.Crosses) for under in tree.walk(own)):
            self._pure.add(id(own))
        return own

    def _rebuilt(self, node: N) -> N:
        rebuilt: tree.Node
        match node:
            case tree.Not(of):
                rebuilt = tree.Not(self._of(of))
            case tree.AllOf(parts):
                rebuilt = tree.AllOf(tuple(self._of(part) for part in parts))
            case tree.AnyOf(parts):
                rebuilt = tree.AnyOf(tuple(self._of(part) for part in parts))
            case _:
                return node
        return cast("N", rebuilt)
