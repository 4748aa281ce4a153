"""What is wrong with an expression, and where."""

from __future__ import annotations

from stockscan_tui.errors import UsageError
from stockscan_tui.market.text import printable

MAX_LENGTH = 2_000
MAX_NESTING = 50
MAX_TOKENS = 2_000
_SHOWN = 30


class ExpressionError(UsageError):
    """A text is no expression.

    Attributes:
        column: Where, the first character being 1; one past the text where something is missing
            at its end.
        problem: What is wrong, a sentence without the column.
        incomplete: Whether the text ends where something must follow, as while it is being typed.
    """

    def __init__(self, column: int, problem: str, *, incomplete: bool = False) -> None:
        super().__init__(f"Column {column}: {problem}")
        self.column = column
        self.problem = problem
        self.incomplete = incomplete


def shown(text: str) -> str:
    """Return a piece of what the user wrote, harmless for a terminal and not too long."""
    harmless = printable(text)
    return harmless if len(harmless) <= _SHOWN else f"{harmless[:_SHOWN]}…"
