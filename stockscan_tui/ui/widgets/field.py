"""A line that text is typed into, of a bounded length; and how long each kind of text may be.

A field works on all that it holds for each key: without a bound a flood of them takes minutes.
"""

from __future__ import annotations

from typing import Any

from rich.highlighter import Highlighter
from rich.text import Text
from textual.widgets import Input

from stockscan_tui.config.checks import NAME_LENGTH
from stockscan_tui.market.text import printable
from stockscan_tui.scan.expression import MAX_LENGTH

# Characters at most: of a name that is kept, of a filter, of a path,
NAME, FILTER, PATH = NAME_LENGTH, MAX_LENGTH, 1_024
# of words that are looked for, and of a symbol, a time, or another single word.
WORDS, WORD = 200, 40


class Harmless(Highlighter):
    """Draws what is in a field such that nothing of it acts on the terminal; it may be pasted."""

    def highlight(self, text: Text) -> None:
        """Let the text be drawn with signs in the place of what could."""
        text.plain = printable(text.plain)


class Field(Input):
    """A field that never holds more than so many characters.

    The bell tells of a key that finds no room, a notice of what is cut off a pasted text.

    Args:
        value: What stands in it at first.
        most: Characters at most.
        arguments: As of Textual's own.
    """

    def __init__(self, value: str | None = None, *, most: int, **arguments: Any) -> None:
        super().__init__(value, max_length=most, highlighter=Harmless(), **arguments)
        self._most = most

    def validate_value(self, value: str) -> str:
        """Return what there is room for: of more, no key could take anything away again."""
        return value[: self.max_length]

    def replace(self, text: str, start: int, end: int) -> None:
        """Put as much of a text as there is room for in the place of what is between two."""
        first, last = sorted((max(0, start), min(len(self.value), end)))
        room = self._most - len(self.value) + last - first
        if len(text) > room > 0:
            self.notify(f"cut off: this field takes {self._most:,} characters", timeout=5)
            text = text[:room]
        super().replace(text, start, end)
