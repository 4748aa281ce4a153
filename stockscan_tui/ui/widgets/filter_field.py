"""The field in which a filter is typed: completion by Tab, history by the arrows."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message

from stockscan_tui.scan.expression import Completion, Names, complete
from stockscan_tui.ui.widgets.field import FILTER, Field

MOST_KEPT = 50
_LAST_WORD = re.compile(r"(?<![A-Za-z0-9_.@])[a-z_][a-z0-9_]*$")
_OPERATORS = ("<", ">", "=", "+", "-", "*", "/", ",", "..")


class FilterField(Field):
    """A filter while it is being typed: Enter keeps it, Esc brings the former one back.

    Args:
        names: What may stand in it besides metrics.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "restore", "Restore"),
        ("tab", "complete(1)", "Complete"),
        ("shift+tab", "complete(-1)", "Complete backwards"),
        ("up", "recall(-1)", "Earlier filter"),
        ("down", "recall(1)", "Later filter"),
    ]

    class Restored(Message):
        """The field was left, and all is to be as before."""

    def __init__(self, names: Names) -> None:
        super().__init__(
            most=FILTER,
            placeholder="chg > 5 and rvol > 3 · NV AA · @saved · Tab completes",
            compact=True,
        )
        self.names = names
        self._history: list[str] = []
        self._at = 0
        self._draft = ""
        self._offers: list[Completion] = []
        self._offer = -1
        self._completed = ""

    def begin(self, text: str) -> None:
        """Show the field with a text in it."""
        self.value = text
        self.cursor_position = len(text)
        self._at = len(self._history)
        self._offers = []
        self.display = True
        self.focus()

    def keep(self, text: str) -> None:
        """Let a filter be recalled later."""
        if text:
            self._history = [known for known in self._history if known != text][-MOST_KEPT:]
            self._history.append(text)

    @property
    def offers(self) -> list[str]:
        """What the word under the cursor can become, the best first."""
        return [offer.text for offer in complete(self.value, self.cursor_position, self.names)]

    @property
    def unfinished(self) -> bool:
        """Whether it ends within a name: `chg > 5 and rv` is not yet a filter by the symbol RV."""
        text = self.value.rstrip()
        word = _LAST_WORD.search(text)
        before = text[: word.start()].rstrip() if word is not None else ""
        if word is None or not before or before.endswith(_OPERATORS):
            return False
        return not self.names.is_flag(word.group())

    def action_restore(self) -> None:
        """Leave the field with the filter as it was before."""
        self.post_message(self.Restored())

    def action_complete(self, step: int) -> None:
        """Put the next completion in the place of the word under the cursor."""
        if self.value != self._completed or not self._offers:
            self._offers = complete(self.value, self.cursor_position, self.names)
            self._offer = -1 if step > 0 else 0
            self._draft = self.value
        if not self._offers:
            return
        self._offer = (self._offer + step) % len(self._offers)
        offer = self._offers[self._offer]
        before, after = self._draft[: offer.begin], self._draft[offer.end :]
        self._completed = before + offer.text + after
        self.value = self._completed
        self.cursor_position = len(before) + len(offer.text)

    def action_recall(self, step: int) -> None:
        """Bring an earlier or later filter back."""
        if self._at == len(self._history):
            self._draft = self.value
        self._at = max(0, min(len(self._history), self._at + step))
        newest = self._at == len(self._history)
        self.value = self._draft if newest else self._history[self._at]
        self.cursor_position = len(self.value)
