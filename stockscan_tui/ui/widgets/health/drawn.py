"""What the panel's widgets have in common: of their lines only those that changed are drawn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from stockscan_tui.market.limits import Level
from stockscan_tui.ui import format as fmt

# A piece of a line: its text, made harmless before, and the name of its style.
Piece = tuple[str, str]
Pieces = tuple[Piece, ...]

STYLES = ("plain", "dim", "title", "good", "warning", "alarm", "bar", "usual", "said", "cursor")
STYLE_OF = {
    Level.UNKNOWN: "dim",
    Level.GOOD: "good",
    Level.WARNING: "warning",
    Level.ALARM: "alarm",
}


class Part(NamedTuple):
    """Pieces at a place of a line, `width` cells wide; `chosen` ones are under the cursor."""

    x: int
    width: int
    pieces: Pieces
    chosen: bool = False


Row = tuple[Part, ...]


class Drawn(Widget):
    """Lines of parts; a line is made and drawn again only when it is another one."""

    COMPONENT_CLASSES = {f"health--{name}" for name in STYLES}

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._shown: list[Strip] = []
        self._known: dict[Row, Strip] = {}
        self._styles: dict[str, Style] = {}

    @abstractmethod
    def rows(self, width: int, height: int) -> Iterable[Row]:
        """Return the lines in view, from the top."""

    def redraw(self) -> None:
        """Make the lines in view, and have those drawn that are other ones."""
        before, self._shown = self._shown, self._made()
        if len(before) != len(self._shown):
            self.refresh()
            return
        width = self.size.width
        changed = [y for y, line in enumerate(self._shown) if line is not before[y]]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        if not self._shown:
            self._shown = self._made()
        return self._shown[y] if y < len(self._shown) else self._strip((), self.size.width)

    def _made(self) -> list[Strip]:
        width, height = self.size
        if width < 1 or not self.display:
            return []
        rows = [*self.rows(width, height)][:height]
        rows += [()] * (height - len(rows))
        # Those of the last picture; what is not shown any more is forgotten.
        known, self._known = self._known, {}
        for row in rows:
            if row not in self._known:
                self._known[row] = known.get(row) or self._strip(row, width)
        return [self._known[row] for row in rows]

    def _strip(self, row: Row, width: int) -> Strip:
        if not self._styles:
            self._look_up()
        base = self._styles["base"]
        made: list[Segment] = []
        x = 0
        for part in row:
            if part.x > x:
                made.append(Segment(" " * (part.x - x), base))
            under = self._styles["cursor"] if part.chosen else base
            made += [
                Segment(text, under + self._styles[name])
                for text, name in _cut(part.pieces, part.width)
            ]
            x = part.x + part.width
        if x < width:
            made.append(Segment(" " * (width - x), base))
        return Strip(made, max(x, width)).adjust_cell_length(width, base)

    def _look_up(self) -> None:
        base = self.rich_style
        self._styles = {
            name: self.get_component_rich_style(f"health--{name}", partial=True) for name in STYLES
        }
        cursor = self.get_component_rich_style("health--cursor")
        self._styles |= {"base": base, "cursor": base + cursor}

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._forget()

    def on_resize(self) -> None:
        self._forget()
        self.refresh()

    def _forget(self) -> None:
        self._styles, self._known, self._shown = {}, {}, []


def _cut(pieces: Iterable[Piece], width: int) -> list[Piece]:
    """Return pieces that fill `width` cells."""
    kept: list[Piece] = []
    room = width
    for text, style in pieces:
        cells = cell_len(text)
        if cells > room:
            kept.append((fmt.fit(text, room), style))
            return kept
        kept.append((text, style))
        room -= cells
        if not room:
            return kept
    return [*kept, (" " * room, "plain")]
