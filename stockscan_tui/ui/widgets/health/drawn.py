"""What the panel's widgets have in common: of their lines only those that changed are drawn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from stockscan_tui.market.limits import Level

# A piece of a line: its text, made harmless before, and the name of its style.
Piece = tuple[str, str]

STYLES = ("plain", "dim", "title", "good", "warning", "alarm", "bar", "usual", "cursor")
STYLE_OF = {
    Level.UNKNOWN: "dim",
    Level.GOOD: "good",
    Level.WARNING: "warning",
    Level.ALARM: "alarm",
}


class Drawn(Widget):
    """Lines of pieces, each drawn again only when it is another one."""

    COMPONENT_CLASSES = {f"health--{name}" for name in STYLES}

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._shown: list[Strip] = []
        self._styles: dict[str, Style] = {}

    @abstractmethod
    def lines(self, width: int, height: int) -> Iterable[Sequence[Segment]]:
        """Return the lines in view, from the top."""

    def style(self, name: str) -> Style:
        """Return a style by its name."""
        if not self._styles:
            self._styles = {
                known: self.get_component_rich_style(f"health--{known}", partial=known != "cursor")
                for known in STYLES
            }
        return self._styles[name]

    def segments(self, pieces: Iterable[Piece], base: Style) -> list[Segment]:
        """Return pieces in their styles."""
        return [Segment(text, base + self.style(name)) for text, name in pieces]

    def redraw(self) -> None:
        """Make the lines in view, and have those drawn that are other ones."""
        before, self._shown = self._shown, self._made()
        if len(before) != len(self._shown):
            self.refresh()
            return
        width = self.size.width
        changed = [y for y, line in enumerate(self._shown) if line != before[y]]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        if not self._shown:
            self._shown = self._made()
        if y < len(self._shown):
            return self._shown[y]
        return Strip.blank(self.size.width, self.rich_style)

    def _made(self) -> list[Strip]:
        width, height = self.size
        if width < 1 or not self.display:
            return []
        base = self.rich_style
        blank = Strip.blank(width, base)
        made = [Strip(line).adjust_cell_length(width, base) for line in self.lines(width, height)]
        return [*made, *[blank] * (height - len(made))][:height]

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles = {}
        self._shown = []

    def on_resize(self) -> None:
        self._shown = []
        self.refresh()
