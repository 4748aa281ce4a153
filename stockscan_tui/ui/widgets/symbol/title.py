"""The line above the chart: the symbol, its price and change, and its place on the list."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import BindingType
from textual.message import Message
from textual.widget import Widget

from stockscan_tui.market.text import printable
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.field import WORD, Field

OFFERS = 12


@dataclass(frozen=True, slots=True)
class Titled:
    """What the line says.

    Attributes:
        symbol: Which.
        price: The mark in dollars, NaN for none.
        change: Against the previous close, in percent, NaN for none.
        marks: What is unusual about it, in words.
        about: What is shown of it, as in 5 min.
        place: Where it stands, as in 3 of 60 gainers.
        absent: Whether the market has no such symbol at this instant.
    """

    symbol: str
    price: float = math.nan
    change: float = math.nan
    marks: str = ""
    about: str = ""
    place: str = ""
    absent: bool = False


class TitleLine(Widget):
    """One line; what does not fit goes from the right."""

    COMPONENT_CLASSES = {"title--dim", "title--up", "title--down", "title--alarm"}

    def __init__(self) -> None:
        super().__init__()
        self._titled: Titled | None = None

    def show(self, titled: Titled) -> None:
        """Say it; drawn only when it is something else."""
        if titled != self._titled:
            self._titled = titled
            self.refresh()

    def render(self) -> Text:
        titled, width = self._titled, max(self.size.width, 1)
        if titled is None:
            return Text("")
        dim = self._look("dim")
        text = Text(f" {printable(titled.symbol)}  ", Style(bold=True), no_wrap=True)
        if titled.absent:
            text.append("is not in the market at this instant", self._look("alarm"))
        else:
            text.append(fmt.price(titled.price), Style(bold=True))
            text.append(f"  {fmt.percent(titled.change)} %", self._moved(titled.change))
            text.append(f"  {titled.about}", dim)
            if titled.marks:
                text.append(f"  {titled.marks}", self._look("alarm"))
        room = width - text.cell_len - 1
        if len(titled.place) <= room:
            text.append(printable(titled.place).rjust(room), dim)
        text.truncate(width, overflow="ellipsis")
        return text

    def _moved(self, change: float) -> Style:
        if not math.isfinite(change) or change == 0:
            return Style(bold=True)
        return Style(bold=True) + self._look("up" if change > 0 else "down")

    def _look(self, name: str) -> Style:
        return self.get_component_rich_style(f"title--{name}", partial=True)


class JumpField(Field):
    """A symbol while it is typed: Tab completes it, Enter opens it, Esc leaves all as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "restore", "Restore"),
        ("tab", "complete(1)", "Complete"),
        ("shift+tab", "complete(-1)", "Complete backwards"),
    ]

    class Left(Message):
        """The field was left, and all is to be as before."""

    def __init__(self) -> None:
        super().__init__(
            most=WORD,
            placeholder="a symbol · Tab completes · Enter opens · Esc stays",
            compact=True,
        )
        self._names: Sequence[str] = ()
        self._completed = ""
        self._offered: list[str] = []
        self._at = 0

    def begin(self, names: Sequence[str]) -> None:
        """Show the empty field; `names` are all symbols in alphabetical order."""
        # A name that could act on the terminal is not put into a field.
        self._names = [name for name in names if name == printable(name)]
        self.value = self._completed = ""
        self.display = True
        self.focus()

    @property
    def offers(self) -> list[str]:
        """The symbols that what is typed can become; those of the last Tab while it is theirs."""
        if self._completed and self.value == self._completed:
            return self._offered
        return beginning(self._names, self.value.strip().upper(), OFFERS)

    @property
    def chosen(self) -> str:
        """The symbol that is meant: the one typed, or the first that begins so; empty for none."""
        typed = self.value.strip().upper()
        found = beginning(self._names, typed, 1) if typed else []
        return found[0] if found else ""

    def action_restore(self) -> None:
        """Leave the field."""
        self.post_message(self.Left())

    def action_complete(self, step: int) -> None:
        """Put the next symbol that begins so into the field."""
        if self._completed and self.value == self._completed:
            self._at += step
        else:
            self._offered, self._at = self.offers, 0 if step > 0 else -1
        if self._offered:
            self._completed = self._offered[self._at % len(self._offered)]
            self.value = self._completed
            self.cursor_position = len(self.value)


def beginning(names: Sequence[str], text: str, most: int) -> list[str]:
    """Return the first of some sorted names that begin with a text; the text itself comes first."""
    found = islice(names, bisect_left(names, text), None)
    return list(islice(takewhile(lambda name: name.startswith(text), found), most))
