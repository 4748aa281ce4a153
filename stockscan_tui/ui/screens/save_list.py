"""What the board shows, saved under a name: as a list, or its filter alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.style import Style
from textual.widgets import Input, Static

from stockscan_tui.config import checks
from stockscan_tui.market.metrics import title_of
from stockscan_tui.market.text import printable
from stockscan_tui.scan.lists import Toplist
from stockscan_tui.ui.commands import Command, bindings
from stockscan_tui.ui.screens.columns import ANYWHERE, linked
from stockscan_tui.ui.sheet import Sheet
from stockscan_tui.ui.widgets.field import NAME, Field

SAVE_LIST = (
    Command("save", "enter", "screen.save", "Enter", "save", "Save it"),
    Command("back", "escape", "screen.dismiss", "Esc", "back", "Save nothing"),
    Command("what", "up,down", "screen.other", "↑ ↓", "list or filter", "A list, or its filter"),
    Command("field", "tab", "app.focus_next", "Tab", "name or key", "The other field"),
)


@dataclass(frozen=True, slots=True)
class SaveChoice:
    """What is to be saved: a list, or else the draft's filter under a name.

    Attributes:
        toplist: The list with its name and key; None for a filter.
        filter_name: The filter's name without the @; empty for a list.
    """

    toplist: Toplist | None
    filter_name: str = ""


class Choice(Static, can_focus=True):
    """A line with two possibilities; space takes the other one."""

    BINDINGS: ClassVar[list[BindingType]] = [("space", "screen.other", "The other one")]


def in_words(toplist: Toplist) -> str:
    """Return what a list shows: `chg, largest first · chg > 5 and rvol > 3`."""
    order = "smallest" if toplist.ascending else "largest"
    return f"{toplist.sort}, {order} first · {printable(toplist.filter) or 'all symbols'}"


class SaveListScreen(Sheet[SaveChoice | None]):
    """Ask for a name and a key; None saves nothing.

    Args:
        draft: What is shown now; its name and key stand in the fields at first.
        lists: All lists there are.
        filters: The names of the saved filters.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings((*SAVE_LIST, *ANYWHERE)),
        ("q", "dismiss", "Save nothing"),
    ]

    def __init__(
        self, draft: Toplist, lists: Sequence[Toplist], filters: Collection[str] = ()
    ) -> None:
        super().__init__()
        self._draft = draft
        self._lists = lists
        self._filters = filters
        self._as_list = True

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Save"
            yield Static(in_words(self._draft), id="words", markup=False)
            yield Static(f"columns: {_columns(self._draft)}", id="columns", markup=False)
            yield Choice(id="what")
            with Horizontal():
                yield Static("name", classes="label")
                yield Field(self._draft.name, id="name", most=NAME, compact=True)
            with Horizontal(id="key_line"):
                yield Static("key", classes="label")
                yield Field(self._draft.key, id="key", most=1, compact=True, restrict="[0-9]?",
                            placeholder="none")  # fmt: skip
                yield Static("0 to 9 shows it at once; none: the palette does", id="digits")
            yield Static(id="said", markup=False)
            yield Static(linked(SAVE_LIST), id="keys")

    def on_mount(self) -> None:
        self.query_one("#name").focus()
        self._show()

    # --- what is shown --------------------------------------------------------------------------

    def _show(self) -> None:
        lines = [
            Content.styled(
                f"{'●' if self._as_list is as_list else '○'} {words}",
                Style.from_meta({"@click": f"screen.as_list({as_list})"}),
            )
            for as_list, words in ((True, "as a list"), (False, "the filter alone, as @name"))
        ]
        self.query_one("#what", Choice).update(Content("    ").join(lines))
        self.query_one("#key_line").display = self._as_list
        self.query_one("#columns").display = self._as_list
        self._say(self._consequence())

    def _say(self, sentence: str) -> None:
        self.query_one("#said", Static).update(printable(sentence))

    @property
    def _key(self) -> str:
        return self.query_one("#key", Input).value

    def _named(self) -> str:
        return " ".join(self.query_one("#name", Input).value.split())

    def _consequence(self) -> str:
        """Return what saving does with what is there."""
        name = self._named()
        if not self._as_list:
            bare = name.removeprefix("@")
            if bare in self._filters:
                return f"The filter @{bare} is replaced."
            return f"A filter then takes it as @{bare or 'name'}: @{bare or 'name'} and mark < 5"
        replaced = self._replaced(name)
        if replaced is not None:
            where = f" on key {replaced.key}" if replaced.key else ""
            return f"It takes the place of {replaced.name}{where}."
        return f"Key {self._key} is free." if self._key else ""

    def _replaced(self, name: str) -> Toplist | None:
        """Return the list that would be replaced: that on the key, without a key that name's."""
        for other in self._lists:
            if other.key == self._key if self._key else (other.key, other.name) == ("", name):
                return other
        return None

    @on(Input.Changed)
    def _typed(self) -> None:
        self._show()

    # --- commands -------------------------------------------------------------------------------

    def action_other(self) -> None:
        """Save a list instead of the filter, or the other way round."""
        self.action_as_list(not self._as_list)

    def action_as_list(self, as_list: bool) -> None:
        """Save a list, or the filter alone."""
        if not as_list and not self._draft.filter:
            self._say("There is no filter to save: / writes one.")
            return
        self._as_list = as_list
        if not as_list and self.focused is self.query_one("#key"):
            self.query_one("#name").focus()
        self._show()

    @on(Input.Submitted)
    def action_save(self) -> None:
        """Save what was chosen, if it can have that name."""
        name = self._named()
        bare = name.removeprefix("@")
        refused = self._refused(name) if self._as_list else self._refused_filter(bare)
        if refused:
            self._say(refused)
        elif self._as_list:
            self.dismiss(SaveChoice(replace(self._draft, name=name, key=self._key)))
        else:
            self.dismiss(SaveChoice(None, bare))

    def _refused(self, name: str) -> str:
        """Return why a list cannot be called so; empty where it can."""
        if not name:
            return "Give the list a name."
        try:
            checks.title(name, ("name",))
        except checks.RefusedError as error:
            return str(error)
        replaced = self._replaced(name)
        for other in self._lists:
            if other is not replaced and other.name.casefold() == name.casefold():
                where = f" on key {other.key}; that key replaces it" if other.key else ""
                return f"There is a list {other.name}{where}. Take another name."
        return ""

    def _refused_filter(self, name: str) -> str:
        if not name:
            return "Give the filter a name."
        try:
            checks.filters({name: self._draft.filter}, ("filters",))
        except checks.RefusedError as error:
            return str(error)
        return ""


def _columns(toplist: Toplist) -> str:
    if toplist.columns is None:
        return "the board's own"
    return " ".join(printable(title_of(key)) for key in toplist.columns)
