"""The watchlists: which one is the current one, what they hold, and files in and out of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from stockscan_tui.errors import UsageError
from stockscan_tui.market.text import printable
from stockscan_tui.scan.watchlists import Watchlists
from stockscan_tui.ui.commands import Command, bindings
from stockscan_tui.ui.format import fit
from stockscan_tui.ui.screens.columns import ANYWHERE, Rows, linked
from stockscan_tui.ui.sheet import Sheet
from stockscan_tui.ui.widgets.field import PATH, Field

# A file may hold a million symbols; to lay out more than these would hold a key up.
SYMBOLS_SHOWN = 500
LEFT_OUT_SHOWN = 5

WATCHLISTS = (
    Command("choose", "enter", "screen.choose", "Enter", "current", "Make it the current one"),
    Command("back", "escape", "screen.back", "Esc", "back", "Back; the current one stays"),
    Command("panel", "tab,shift+tab", "screen.panel", "Tab", "panel", "Lists, or symbols"),
    Command("new", "n", "screen.new", "n", "new", "Make an empty watchlist"),
    Command("rename", "R", "screen.rename", "R", "rename", "Call it otherwise"),
    Command("remove", "D", "screen.remove", "D", "remove", "Remove it and its file; asks first"),
    Command("import", "i", "screen.import", "i", "import", "Add the symbols of a text file to it"),
    Command("export", "o", "screen.export", "o", "export", "Write its symbols to a file"),
    Command("take_out", "x", "screen.take_out", "x", "take out", "Take the symbol off the list"),
    Command("leave", "q", "screen.leave", "q", "", "Back; the current one stays"),
)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Question:
    """What a field asks for, and what is done with the answer in another thread.

    That returns the list to select, and what is to be said; `renames` is a list's former name.
    """

    asks: str
    answered: Callable[[str], tuple[str, str]]
    renames: str = ""


def path_of(text: str) -> Path:
    """Return the path that was typed, ~ expanded.

    Raises:
        UsageError: It is empty or no path.
    """
    said = text.strip()
    if not said or "\0" in said:
        raise UsageError("Give a file's name, as in ~/symbols.txt.")
    try:
        return Path(said).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{printable(said)}: there is no such user's folder.") from error


class WatchlistsScreen(Sheet[str | None]):
    """Watchlists and their symbols; the result is the name of the list that is to be current.

    None leaves the current one; one that was renamed here is returned under its new name.

    Args:
        watchlists: Where they are kept; read and written in other threads, by one at a time.
        current: The current one's name.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings((*WATCHLISTS, *ANYWHERE))

    def __init__(self, watchlists: Watchlists, current: str) -> None:
        super().__init__()
        self._watchlists = watchlists
        self._before = current
        self._current = current
        self._names: list[str] = []
        self._symbols: dict[str, tuple[str, ...]] = {}
        self._question: _Question | None = None
        self._doomed = ""
        self._beside = ""
        self._reading = asyncio.Lock()

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Watchlists"
            with Horizontal():
                yield Rows(id="names")
                yield Rows(id="symbols")
            yield Field(most=PATH, compact=True)
            yield Static(id="said", markup=False)
            yield Static(linked(WATCHLISTS), id="keys")

    async def on_mount(self) -> None:
        self._close_field()
        await self._load(self._current)

    # --- what is shown --------------------------------------------------------------------------

    @property
    def _lists(self) -> Rows:
        return self.query_one("#names", Rows)

    @property
    def _selected(self) -> str:
        place = self._lists.highlighted
        return self._names[place] if place is not None and place < len(self._names) else ""

    def _say(self, sentence: str) -> None:
        self._doomed = ""
        said = self.query_one("#said", Static)
        said.update(printable(sentence))
        said.display = bool(sentence)

    async def _ask(self, function: Callable[[], Result]) -> Result | None:
        """Return what a function that uses files returns; None and a sentence if it refuses."""
        result, refused = None, ""
        async with self._reading:
            try:
                result = await asyncio.to_thread(function)
            except UsageError as error:
                refused = str(error)
        # A slow disk may outlast the screen.
        if not self.is_attached:
            return None
        if refused:
            self._say(refused)
        return result

    async def _load(self, select: str) -> None:
        """Read all lists again and show them."""
        held = await self._ask(self._read)
        if held is None:
            return
        self._symbols, problem = held
        self._names = list(self._symbols)
        lines = [self._line(name) for name in self._names]
        self._lists.show(lines, self._names.index(select) if select in self._names else 0)
        self._show_symbols()
        if problem:
            self._say(problem)

    def _read(self) -> tuple[dict[str, tuple[str, ...]], str]:
        """Return the symbols by list, the current one with them, and what cannot be read."""
        symbols: dict[str, tuple[str, ...]] = {}
        problem = ""
        names = self._watchlists.names()
        if self._current.casefold() not in {name.casefold() for name in names}:
            names = (self._current, *names)
        for name in names:
            try:
                symbols[name] = self._watchlists.symbols(name)
            except UsageError as error:
                symbols[name], problem = (), str(error)
        return symbols, problem

    def _line(self, name: str) -> Text:
        current = name.casefold() == self._current.casefold()
        line = Text("● " if current else "  ", no_wrap=True, overflow="ellipsis")
        line.append(fit(name, 22), "bold" if current else "")
        return line.append(f"{len(self._symbols[name]):>7,}")

    def _show_symbols(self) -> None:
        name = self._selected
        symbols = self._symbols.get(name, ())
        right = self.query_one("#symbols", Rows)
        lines = [Text(f" {printable(symbol)}") for symbol in symbols[:SYMBOLS_SHOWN]]
        right.show(lines, (right.highlighted or 0) if name == self._beside else 0)
        self._beside = name
        more = len(symbols) - SYMBOLS_SHOWN
        right.border_title = Content(printable(name))
        right.border_subtitle = f"and {more:,} more" if more > 0 else None

    @on(OptionList.OptionHighlighted, "#names")
    def _moved(self) -> None:
        if self._doomed and self._doomed != self._selected:
            self._say("")
        self._show_symbols()

    # --- lists ----------------------------------------------------------------------------------

    def action_panel(self) -> None:
        """Go to the other panel."""
        right = self.query_one("#symbols", Rows)
        (self._lists if right.has_focus else right).focus()

    async def action_remove(self) -> None:
        """Remove the selected list when asked twice."""
        name = self._selected
        if self._doomed != name:
            count = len(self._symbols[name])
            self._say(f"Remove {name} with its {count:,} symbols? D again removes it.")
            self._doomed = name
            return
        self._say("")
        place = self._names.index(name)
        await self._ask(lambda: self._watchlists.remove(name))
        await self._load(self._names[place - 1] if place else "")

    async def action_take_out(self) -> None:
        """Take the selected symbol off its list, if one is among the symbols."""
        right = self.query_one("#symbols", Rows)
        if not right.has_focus:
            self._say("Tab goes to the symbols; there x takes one out.")
            return
        name, place = self._selected, right.highlighted
        if place is None:
            return
        symbol = self._symbols[name][place]
        self._say("")
        await self._ask(lambda: self._without(name, symbol))
        await self._load(name)

    def _without(self, name: str, symbol: str) -> None:
        if symbol in self._watchlists.symbols(name):
            self._watchlists.toggle(name, symbol)

    # --- questions ------------------------------------------------------------------------------

    def _open_field(self, question: _Question, value: str) -> None:
        self._say("")
        self._question = question
        field = self.query_one(Input)
        field.placeholder = question.asks
        field.value = value
        field.display = True
        field.focus()

    def _close_field(self) -> None:
        self._say("")
        self._question = None
        self.query_one(Input).display = False
        self._lists.focus()

    @on(Input.Submitted)
    async def _submitted(self, event: Input.Submitted) -> None:
        question, answer = self._question, event.value.strip()
        if question is None:
            return
        done = await self._ask(lambda: question.answered(answer))
        if done is not None:
            self._close_field()
            name, sentence = done
            if question.renames.casefold() == self._current.casefold():
                self._current = name
            await self._load(name)
            self._say(sentence)

    def action_new(self) -> None:
        """Ask for a new list's name."""
        self._open_field(_Question("the new watchlist's name", self._make), "")

    def _make(self, name: str) -> tuple[str, str]:
        self._watchlists.create(name)
        return name, ""

    def action_rename(self) -> None:
        """Ask what the selected list is to be called."""
        old = self._selected

        def rename(name: str) -> tuple[str, str]:
            self._watchlists.rename(old, name)
            return name, ""

        self._open_field(_Question(f"another name for {printable(old)}", rename, old), old)

    def action_import(self) -> None:
        """Ask which file's symbols are to be added."""
        name = self._selected

        def take(answer: str) -> tuple[str, str]:
            found = self._watchlists.import_from(path_of(answer), name)
            return name, _imported(len(found.symbols), found.left_out)

        self._open_field(_Question("a text file with symbols, as in ~/symbols.txt", take), "")

    def action_export(self) -> None:
        """Ask for the file to write the symbols to."""
        name = self._selected

        def write(answer: str) -> tuple[str, str]:
            path = path_of(answer).absolute()
            self._watchlists.export_to(name, path)
            return name, f"{len(self._watchlists.symbols(name)):,} symbols are in {path}."

        self._open_field(_Question("a new file, as in ~/symbols.txt", write), f"~/{name}.txt")

    # --- leaving --------------------------------------------------------------------------------

    def action_choose(self) -> None:
        """Make the selected list the current one."""
        self.dismiss(self._selected or None)

    def action_back(self) -> None:
        """Close the field that is open, or else the screen."""
        if self._question is not None:
            self._close_field()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Close the screen; the current list stays."""
        self.dismiss(self._current if self._current != self._before else None)


def _imported(taken: int, left_out: tuple[str, ...]) -> str:
    if not left_out:
        return f"{taken:,} symbols."
    shown = ", ".join(left_out[:LEFT_OUT_SHOWN]) + (", …" if len(left_out) > LEFT_OUT_SHOWN else "")
    return f"{taken:,} symbols; left out as no symbols, {len(left_out):,}: {shown}"
