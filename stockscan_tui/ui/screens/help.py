"""All keys and all metrics, from the tables that define them."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from stockscan_tui.market.metrics import REGISTRY
from stockscan_tui.ui.commands import BOARD, EVERYWHERE, SYMBOL, Command


class HelpScreen(ModalScreen[None]):
    """A sheet over the board; Esc closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,question_mark,q", "dismiss", "Close"),
        ("j,down", "scroll(1)", "Down"),
        ("k,up", "scroll(-1)", "Up"),
    ]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="sheet") as sheet:
            sheet.border_title = "Keys and columns"
            sheet.border_subtitle = "Esc closes · j k scroll"
            yield Static(_keys("Everywhere", EVERYWHERE))
            yield Static(_keys("Board", BOARD))
            yield Static(_keys("Symbol", SYMBOL))
            yield Static(_metrics())

    def action_scroll(self, lines: int) -> None:
        """Scroll the sheet."""
        self.query_one("#sheet").scroll_relative(y=lines, animate=False)


def _keys(title: str, commands: tuple[Command, ...]) -> Table:
    table = _sheet(title)
    for command in commands:
        table.add_row(Text(command.shown, "bold"), Text(command.doc))
    return table


def _metrics() -> Table:
    table = _sheet("Metrics, for columns and --sort")
    for metric in REGISTRY.values():
        name = f"{metric.name} {metric.name}(5m)" if metric.windows else metric.name
        table.add_row(Text(name, "bold"), Text(metric.doc))
    return table


def _sheet(title: str) -> Table:
    table = Table(
        box=None, show_header=False, title=title, title_justify="left", title_style="bold underline"
    )
    table.add_column(width=20)
    table.add_column()
    return table
