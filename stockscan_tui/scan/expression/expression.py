"""An expression that was read: it can be evaluated on one snapshot after another."""

from __future__ import annotations

from dataclasses import dataclass, field

from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.market.snapshot import Flags, Integers, Snapshot
from stockscan_tui.scan.expression import tree
from stockscan_tui.scan.expression.evaluate import Evaluation, Found, Shared, missing_by_metric
from stockscan_tui.scan.expression.memory import Memory
from stockscan_tui.scan.expression.names import Names
from stockscan_tui.scan.expression.parser import Parser


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition on symbols; it never changes, and any thread may evaluate it.

    A comparison with a metric that a symbol lacks is false, also inside `not`: `not rvol > 3`
    holds where rvol is missing. A division by zero gives a missing value. All parts are evaluated
    always, so that crossings miss nothing.

    Attributes:
        text: What the user wrote.
        hint: What may have been meant otherwise, for the screen, or "".
        keys: All metrics in it, those of saved filters included: what must be kept for it.
        tree: What the text was read to.
    """

    text: str
    hint: str
    keys: frozenset[MetricKey]
    tree: tree.Condition
    _found: Found = field(default_factory=dict, compare=False, repr=False)

    @property
    def empty(self) -> bool:
        """Return whether it holds for every symbol since it says nothing."""
        return self.tree == tree.EVERYTHING

    def mask(
        self, snapshot: Snapshot, memory: Memory | None = None, shared: Shared | None = None
    ) -> Flags:
        """Return whether it holds, for each symbol in slot order; not to be written to.

        Args:
            snapshot: The market.
            memory: What crossings remember; without it nothing crosses.
            shared: What other expressions have worked out of the same snapshot.
        """
        return Evaluation(snapshot, memory, self._found, shared).mask(self.tree)

    def rows(self, snapshot: Snapshot, memory: Memory | None = None) -> Integers:
        """Return the rows of the symbols for which it holds, in alphabetical order."""
        if self.empty:
            return snapshot.by_symbol
        return snapshot.by_symbol[self.mask(snapshot, memory)[snapshot.by_symbol]]

    def unknown(self, snapshot: Snapshot) -> dict[MetricKey, int]:
        """Return, for each metric (or column of words) in a comparison, how many symbols lack it.

        For those the comparison is false for that reason alone. The most missed comes first; what
        no symbol lacks is left out.
        """
        return missing_by_metric(self.tree, snapshot)


def parse(text: str, names: Names | None = None) -> Expression:
    """Read an expression; an empty text holds for every symbol.

    Args:
        text: What the user wrote, up to 2,000 characters.
        names: What may stand in it besides the metrics of the registry.

    Raises:
        ExpressionError: It is no expression; the message says what is wrong, and at which column.
    """
    parsed = Parser(text, names or Names()).read()
    nodes = tree.walk(parsed.tree)
    keys = frozenset(n.key for n in nodes if isinstance(n, tree.Column | tree.Flag))
    return Expression(text, parsed.hint, keys, parsed.tree)
