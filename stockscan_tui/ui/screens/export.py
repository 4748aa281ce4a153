"""Where the board's view is to be written, and as what: a table or a picture, by the ending."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.style import Style
from textual.widgets import Input, Static

from stockscan_tui.errors import UsageError
from stockscan_tui.market.text import printable
from stockscan_tui.ui.commands import Command, bindings
from stockscan_tui.ui.screens.columns import ANYWHERE, linked
from stockscan_tui.ui.screens.watchlists import path_of
from stockscan_tui.ui.sheet import Sheet
from stockscan_tui.ui.widgets.field import PATH, Field

ENDINGS = {
    ".csv": "a table as text, for spreadsheets",
    ".parquet": "a table with its types, for pandas, DuckDB and the like",
    ".svg": "a picture of the screen",
}
EXPORT = (
    Command("write", "enter", "screen.write", "Enter", "write", "Write the file"),
    Command("back", "escape", "screen.dismiss", "Esc", "back", "Write nothing"),
    Command("next", "down", "screen.next(1)", "↓", "next ending", "The next kind of file"),
    Command("previous", "up", "screen.next(-1)", "↑", "", "The kind of file before"),
)


class ExportScreen(Sheet[Path | None]):
    """Ask for a file's name; the result is a path in a folder that exists, with a known ending.

    A file that is there is returned only when Enter was pressed twice. None writes nothing.

    Args:
        default: The name that stands in the field at first.
        what: What is written, as in `41 rows, 9 columns`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings((*EXPORT, *ANYWHERE)),
        ("q", "dismiss", "Write nothing"),
    ]

    def __init__(self, default: Path | str, what: str = "") -> None:
        super().__init__()
        self._default = str(default)
        self._what = what
        self._warned = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Content(printable(f"Export {self._what}".strip()))
            yield Field(self._default, most=PATH, placeholder="a file, as in ~/gainers.csv",
                        compact=True, select_on_focus=False)  # fmt: skip
            yield Static(id="endings")
            yield Static(id="said", markup=False)
            yield Static(linked(EXPORT), id="keys")

    def on_mount(self) -> None:
        self._show_endings()

    def _ending(self) -> str:
        ending = Path(self.query_one(Input).value.strip()).suffix.lower()
        return ending if ending in ENDINGS else ""

    def _show_endings(self) -> None:
        lines = [
            Content.styled(
                f"{'●' if ending == self._ending() else '○'} {ending:<9} {words}",
                Style.from_meta({"@click": f"screen.take('{ending}')"}),
            )
            for ending, words in ENDINGS.items()
        ]
        self.query_one("#endings", Static).update(Content("\n").join(lines))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if event.value != self._warned:
            self._say("")
        self._show_endings()

    def _say(self, sentence: str) -> None:
        self._warned = ""
        self.query_one("#said", Static).update(printable(sentence))

    def action_take(self, ending: str) -> None:
        """Give the name another ending."""
        field = self.query_one(Input)
        field.value = field.value.strip()[: -len(self._ending()) or None] + ending
        field.cursor_position = len(field.value)

    def action_next(self, places: int) -> None:
        """Give the name the next ending, or the one before."""
        endings = list(ENDINGS)
        now = self._ending()
        at = endings.index(now) + places if now else 0
        self.action_take(endings[at % len(endings)])

    @on(Input.Submitted)
    async def action_write(self) -> None:
        """Return the path; of a file that is there only when asked twice."""
        text = self.query_one(Input).value
        if not self._ending():
            self._say(f"The name has to end in one of {', '.join(ENDINGS)}.")
            return
        try:
            path = path_of(text).absolute()
            exists = await asyncio.to_thread(_exists, path)
        except UsageError as error:
            self._say(str(error))
            return
        if self.query_one(Input).value != text:
            return
        if exists and self._warned != text:
            self._say(f"Enter again replaces the file that is there: {path}")
            self._warned = text
            return
        self.dismiss(path)


def _exists(path: Path) -> bool:
    """Return whether there is such a file; raises UsageError where none can be."""
    try:
        if path.is_dir():
            raise UsageError(f"{printable(path)} is a folder. Give a file's name.")
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {printable(path.parent)}.")
        return path.exists()
    except OSError as error:
        raise UsageError(f"{printable(path)} cannot be used: {error.strerror}.") from error
