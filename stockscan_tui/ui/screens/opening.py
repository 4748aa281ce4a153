"""What is shown before there is a market to show, and when there will be none."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import ProgressBar, Static

from stockscan_tui.market.text import printable


class OpeningScreen(Screen[None]):
    """A title, what is being done, and how far it is.

    Args:
        title: What is being opened.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static("stockscan", id="name", markup=False)
            yield Static(printable(self._title), id="title", markup=False)
            yield ProgressBar(total=1.0, show_eta=False, id="progress")
            yield Static("opening …", id="doing", markup=False)

    def show(self, doing: str, progress: float | None) -> None:
        """Say what is being done; `progress` from 0 to 1, None where it is not known."""
        self.query_one("#doing", Static).update(printable(doing))
        bar = self.query_one(ProgressBar)
        bar.update(total=None if progress is None else 1.0, progress=progress or 0.0)

    def fail(self, sentence: str) -> None:
        """Say why it cannot go on."""
        self.add_class("failed")
        self.query_one("#doing", Static).update(f"{printable(sentence)}\n\nq quits")
        self.query_one(ProgressBar).display = False
