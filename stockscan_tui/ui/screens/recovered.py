"""What became of a damaged database: what was set aside, what is lost, and what happens now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from stockscan_tui.store.recovery_report import Recovered
from stockscan_tui.ui.sheet import Sheet


class RecoveredScreen(Sheet[None]):
    """One screen over the board; Enter or Esc closes it.

    Args:
        recovered: The recoveries, oldest first; the newest is shown first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,enter,q", "dismiss", "Close"),
        ("j,down", "move(1)", "Down"),
        ("k,up", "move(-1)", "Up"),
        ("ctrl+d,pagedown", "page(1)", "A page down"),
        ("ctrl+u,pageup", "page(-1)", "A page up"),
    ]

    def __init__(self, recovered: Sequence[Recovered]) -> None:
        super().__init__()
        self._recovered = recovered

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Content("The database was damaged and has been recovered")
            box.border_subtitle = Content("Enter goes on · j k scroll")
            with VerticalScroll(id="lines"):
                for each in reversed(self._recovered):
                    for line in each.lines():
                        yield _line(line)

    def action_move(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one("#lines", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll by pages."""
        view = self.query_one("#lines", VerticalScroll)
        view.scroll_relative(y=pages * max(1, view.size.height - 1), animate=False)


def _line(text: str) -> Static:
    shown = Static(text.strip(), markup=False)
    figures = text.startswith("  ")
    shown.set_class(figures, "-figures")
    shown.set_class(figures and text.endswith("lost"), "-lost")
    return shown
