"""The field for words that alerts are looked for by."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message

from stockscan_tui.ui.widgets.field import WORDS, Field


class AlertField(Field):
    """Words while they are typed: Enter keeps them, Esc brings the former ones back."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "restore", "Restore")]

    class Left(Message):
        """The field was left, and all is to be as before."""

    def __init__(self) -> None:
        super().__init__(
            most=WORDS,
            placeholder="NV · gap · rule:move · Enter keeps · Esc restores",
            compact=True,
            select_on_focus=False,
        )

    def begin(self, text: str) -> None:
        """Show the field with a text in it."""
        self.value = text
        self.cursor_position = len(text)
        self.display = True
        self.focus()

    def action_restore(self) -> None:
        """Leave the field with the words as they were before."""
        self.post_message(self.Left())
