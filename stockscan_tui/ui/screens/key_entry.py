"""Enter an API key, for this run alone or to be kept. It is never shown, copied, or logged."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from stockscan_tui.config import key_path, save_key
from stockscan_tui.errors import UsageError
from stockscan_tui.market.text import printable
from stockscan_tui.ui.sheet import Sheet
from stockscan_tui.ui.widgets.field import WORDS, Field

# That of `config.save_key`, for a key that is not saved.
_FORM = re.compile(r"db-[!-~]{29}")
_REFUSED = (
    "This is no API key: one has 32 characters and begins with db-. Copy it from "
    "databento.com/portal/keys."
)


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """A key, and whether it was kept in the key file; its text is in no representation."""

    key: str = field(repr=False)
    kept: bool


class KeyField(Field):
    """A line that shows dots, and gives what it holds neither to messages nor to the clipboard."""

    class Entered(Message):
        """Enter was pressed."""

    async def action_submit(self) -> None:
        self.post_message(self.Entered())

    def action_copy(self) -> None:
        """Copy nothing."""

    def action_cut(self) -> None:
        """Take the selection away without copying it."""
        self.delete_selection()


class _Choice(Static):
    """One of the two ways to use a key; a click chooses it."""

    class Chosen(Message):
        """It was clicked."""

        def __init__(self, kept: bool) -> None:
            super().__init__()
            self.kept = kept

    def __init__(self, text: str, *, kept: bool) -> None:
        super().__init__(classes="choice", markup=False)
        self._text = text
        self.kept = kept

    def mark(self, *, chosen: bool) -> None:
        self.update(f"{'●' if chosen else '○'} {self._text}")
        self.set_class(chosen, "-chosen")

    def on_click(self, _event: events.Click) -> None:
        self.post_message(self.Chosen(self.kept))


class KeyEntryScreen(Sheet[KeyChoice | None]):
    """A field for a key and what is to become of it; its result is None where it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("tab,shift+tab,up,down", "other", "The other choice"),
        ("escape", "dismiss", "Back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._kept = False
        self._busy = False

    def compose(self) -> ComposeResult:
        with Vertical(id="sheet") as sheet:
            sheet.border_title = "API key"
            yield Static("A key of databento.com/portal/keys, db-… with 32 characters:")
            yield KeyField(most=WORDS, password=True, compact=True, select_on_focus=False, id="key")
            yield _Choice("use it for this run only", kept=False)
            yield _Choice("keep it in a file that you alone can read:", kept=True)
            yield Static(f"  {printable(key_path())}", markup=False)
            yield Static("", id="said", markup=False)
            yield Static("Enter goes live · Tab ↑ ↓ the other choice · Esc back", id="keys")

    def on_mount(self) -> None:
        self._choose(kept=False)
        self.query_one(KeyField).focus()

    def _choose(self, *, kept: bool) -> None:
        self._kept = kept
        for choice in self.query(_Choice):
            choice.mark(chosen=choice.kept == kept)

    def action_other(self) -> None:
        """Choose the other of the two."""
        self._choose(kept=not self._kept)

    @on(_Choice.Chosen)
    def _clicked(self, event: _Choice.Chosen) -> None:
        self._choose(kept=event.kept)

    @on(KeyField.Entered)
    async def _entered(self) -> None:
        if self._busy:
            return
        choice = KeyChoice(self.query_one(KeyField).value.strip(), self._kept)
        self._busy = True
        problem = await asyncio.to_thread(_use, choice)
        self._busy = False
        if problem:
            said = self.query_one("#said", Static)
            said.update(printable(problem))
            said.add_class("-shown")
        elif self.is_current:
            self.dismiss(choice)


def _use(choice: KeyChoice) -> str:
    """Keep the key if that is wanted; returns what speaks against it, empty for nothing."""
    if not _FORM.fullmatch(choice.key):
        return _REFUSED
    if choice.kept:
        try:
            save_key(choice.key)
        except UsageError as error:
            return str(error)
    return ""
