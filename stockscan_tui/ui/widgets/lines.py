"""The single lines of the board: filter and order above it, keys below it."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.market.text import printable
from stockscan_tui.ui.commands import Command
from stockscan_tui.ui.format import fit


class SummaryLine(Widget):
    """What the board shows: its order, its filter, how many match; or what is wrong."""

    COMPONENT_CLASSES = {"summary--alarm", "summary--dim"}

    def __init__(self) -> None:
        super().__init__()
        self._text = Text("")

    def show(
        self, key: MetricKey, *, ascending: bool, matching: int, total: int, filtered: str
    ) -> None:
        """Say what is shown."""
        dim = self.get_component_rich_style("summary--dim", partial=True)
        text = Text(" by ", dim)
        text.append(f"{key.title} {'▲' if ascending else '▼'}", Style(bold=True))
        if filtered:
            text.append("  /", dim)
            text.append(printable(filtered), Style(bold=True))
            text.append(f"  {matching:,} of {total:,}", dim)
            text.append("  F clears" if matching else "  nothing matches · F clears", dim)
        else:
            text.append(f"  {total:,} symbols", dim)
        self._text = text
        self.refresh()

    def warn(self, sentence: str) -> None:
        """Say what is wrong behind what is shown."""
        alarm = self.get_component_rich_style("summary--alarm", partial=True)
        self._text.append(f"   {printable(sentence)}", alarm)
        self.refresh()

    def render(self) -> Text:
        text = self._text.copy()
        text.truncate(max(self.size.width, 1), overflow="ellipsis")
        return text


class HintLine(Widget):
    """One line of advice, or of what has happened."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""

    def show(self, text: str) -> None:
        """Show the text; drawn only when it is another one."""
        if text != self._text:
            self._text = text
            self.refresh()

    def render(self) -> Text:
        return Text(fit(self._text, max(self.size.width, 1)))


class KeyLine(Widget):
    """The keys that are used most, at the bottom."""

    COMPONENT_CLASSES = {"keys--key"}

    def __init__(self, commands: tuple[Command, ...]) -> None:
        super().__init__()
        self._commands = [command for command in commands if command.label]

    def render(self) -> Text:
        bold = self.get_component_rich_style("keys--key", partial=True)
        text = Text(" ")
        for command in self._commands:
            key = command.shown.split(" ")[0]
            if text.cell_len + len(key) + len(command.label) + 3 > self.size.width:
                break
            text.append(key, bold)
            text.append(f" {command.label}  ")
        return text
