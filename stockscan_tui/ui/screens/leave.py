"""The question before a live capture is stopped."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from stockscan_tui.ui.sheet import Sheet


class LeaveScreen(Sheet[None]):
    """One line over the board: q stops the capture, Esc goes back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("q,y,enter", "app.leave", "Stop"),
        ("escape,n", "dismiss", "Go on"),
    ]

    def compose(self) -> ComposeResult:
        yield Static("Stop capture? [b]q[/b] yes · [b]Esc[/b] no", id="question")
