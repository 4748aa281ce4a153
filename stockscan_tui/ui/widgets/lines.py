"""The single lines of the board: lists and filter above it, hints and keys below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from stockscan_tui.market.metrics import MetricKey, title_of
from stockscan_tui.market.text import printable
from stockscan_tui.scan.lists import Toplist
from stockscan_tui.ui.commands import Command
from stockscan_tui.ui.format import fit


class ListLine(Widget):
    """Which list is shown, its order and filter, how many it shows; or what is wrong."""

    COMPONENT_CLASSES = {
        "lists--alarm",
        "lists--dim",
        "lists--current",
        "lists--rise",
        "lists--fall",
        "lists--accent",
        "lists--primary",
        "lists--secondary",
        "lists--warning",
        "lists--faint",
    }

    class Chosen(Message):
        """A list was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, lists: Sequence[Toplist]) -> None:
        super().__init__()
        self._lists = [listed for listed in lists if listed.key]
        self._shown: Shown | None = None
        self._warning = ""
        self._places: list[tuple[int, str]] = []

    def show(self, shown: Shown, warning: str) -> None:
        """Say what is shown, and what is wrong."""
        if (shown, warning) != (self._shown, self._warning):
            self._shown, self._warning = shown, warning
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        before = [key for left, key in self._places if left <= event.x]
        if before and event.x < self._end:
            self.post_message(self.Chosen(before[-1]))

    @property
    def _end(self) -> int:
        return self._places[-1][0] + 2 if self._places else 0

    def render(self) -> Text:
        width = max(self.size.width, 1)
        shown = self._shown
        if shown is None:
            return Text("")
        right = self._right(shown)
        text = self._tabs(shown, width - right.cell_len - 2)
        text.append_text(right)
        text.truncate(width, overflow="ellipsis")
        return text

    def _tabs(self, shown: Shown, room: int) -> Text:
        """Return the lists: all by name where there is room, else the others by key alone."""
        for names, keys in ((True, True), (False, True), (False, False)):
            text = self._tabs_as(shown, names=names, keys=keys)
            if text.cell_len <= room:
                break
        return text

    def _tabs_as(self, shown: Shown, *, names: bool, keys: bool) -> Text:
        dim = self.get_component_rich_style("lists--dim", partial=True)
        text = Text(" ")
        self._places = []
        if not any(listed.name == shown.name for listed in self._lists):
            text.append(f"{printable(shown.name)} ", self._current(shown.color))
        for listed in self._lists:
            self._places.append((text.cell_len, listed.key))
            if listed.name == shown.name:
                text.append(f"{listed.key} {printable(listed.name)}", self._current(shown.color))
            elif names:
                text.append(listed.key, Style(bold=True)).append(f" {printable(listed.name)}", dim)
            elif keys:
                text.append(listed.key, dim)
            else:
                self._places.pop()
                continue
            text.append("  " if names or listed.name == shown.name else " ")
        return text

    def _current(self, color: str) -> Style:
        base = self.get_component_rich_style("lists--current", partial=True)
        if not color:
            return base
        return base + self.get_component_rich_style(f"lists--{color}", partial=True)

    def _right(self, shown: Shown) -> Text:
        """Return order, filter and counts."""
        dim = self.get_component_rich_style("lists--dim", partial=True)
        alarm = self.get_component_rich_style("lists--alarm", partial=True)
        text = Text(f" {title_of(shown.key)}{'▲' if shown.ascending else '▼'}")
        if shown.filtered:
            text.append("  /", dim)
            text.append(printable(shown.filtered), Style(bold=True))
        text.append(f"  {shown.counted()}", dim)
        if self._warning:
            text.append(f"  {printable(self._warning)}", alarm)
        return text


@dataclass(frozen=True, slots=True)
class Shown:
    """What the board shows: a list's name and colour, its order, the filter, and how many."""

    name: str
    color: str
    key: MetricKey
    ascending: bool
    filtered: str
    matching: int
    gated: int
    total: int
    unknown: tuple[tuple[str, int], ...] = ()
    lifted: bool = False

    def counted(self) -> str:
        """Return the counts in words, as in 41 shown, 312 gated · x shows."""
        if self.matching == 0 and self.gated == 0:
            unknown = "; ".join(f"{name} unknown for {count:,}" for name, count in self.unknown)
            return (
                f"0 of {self.total:,} match"
                + (f"; {unknown}" if unknown else "")
                + (" · F clears" if self.filtered else "")
            )
        if self.gated:
            return f"{self.matching:,} shown, {self.gated:,} gated · x shows"
        return f"{self.matching:,} of {self.total:,}" + (" · gates off" if self.lifted else "")


class HintLine(Widget):
    """One line of advice, or of what has happened."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._text = ""

    def show(self, text: str) -> None:
        """Show the text; drawn only when it is another one."""
        if text != self._text:
            self._text = text
            self.refresh()

    def render(self) -> Text:
        return Text(fit(self._text, max(self.size.width, 1)))


class KeyLine(Widget):
    """The keys that are used most, at the bottom; each can be clicked."""

    COMPONENT_CLASSES = {"keys--key"}

    def __init__(self, commands: tuple[Command, ...]) -> None:
        super().__init__()
        self._commands = [command for command in commands if command.label]
        self._places: list[tuple[int, int, Command]] = []

    def render(self) -> Text:
        bold = self.get_component_rich_style("keys--key", partial=True)
        text = Text(" ")
        self._places = []
        for command in self._commands:
            key = command.shown.split(" ")[0]
            left = text.cell_len
            if left + len(key) + len(command.label) + 3 > self.size.width:
                break
            text.append(key, bold)
            text.append(f" {command.label}  ")
            self._places.append((left, text.cell_len - 2, command))
        return text

    async def on_click(self, event: events.Click) -> None:
        for left, right, command in self._places:
            if left <= event.x < right:
                await self.screen.run_action(command.action)
