"""Lines under a head, with a cursor among them; only those in view are made.

The panels around the chart are such listings: each says how many rows it has and how one looks.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from stockscan_tui.ui import format as fmt

WHEEL_ROWS = 3


@dataclass(frozen=True, slots=True)
class Palette:
    """The styles of one theme, looked up once."""

    plain: Style
    head: Style
    sorted_head: Style
    dim: Style
    up: Style
    down: Style
    alarm: Style
    cursor: Style

    def by(self, direction: float) -> Style:
        """Return the style of a move: up, down, or neither."""
        if direction > 0:
            return self.up
        return self.down if direction < 0 else Style.null()


class Listing(Widget, can_focus=True, inherit_bindings=False):
    """Rows of text; the cursor is shown while the panel has the focus, and stays with its row."""

    COMPONENT_CLASSES = {
        "listing--head",
        "listing--sorted",
        "listing--dim",
        "listing--up",
        "listing--down",
        "listing--alarm",
        "listing--cursor",
    }
    # Lines above the rows.
    HEAD = 1

    class Chosen(Message):
        """A row was clicked while the cursor was on it."""

    def __init__(self, title: str, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.border_title = title
        self.cursor = 0
        self._top = 0
        self._key: Hashable = None
        self._shown: list[Strip] = []
        self._palette: Palette | None = None

    # --- what a panel says of itself ----------------------------------------------------------

    @property
    @abstractmethod
    def count(self) -> int:
        """How many rows there are."""

    @property
    def note(self) -> str:
        """What is said where there are no rows."""
        return ""

    def head(self, palette: Palette) -> list[Segment]:
        """Return the line above the rows."""
        return []

    @abstractmethod
    def row(self, place: int, base: Style, palette: Palette) -> list[Segment]:
        """Return the row at a place."""

    def key_of(self, place: int) -> Hashable:
        """Return what a row is known by when others come above it."""
        return place

    def place_of(self, key: Hashable) -> int | None:
        """Return where a row is now, None where it is gone."""
        return key if isinstance(key, int) and key < self.count else None

    def copied(self) -> str:
        """Return the row under the cursor as cells between tabs, empty where there is none."""
        if not self.count:
            return ""
        return "\t".join(self.cells(self.cursor))

    def cells(self, place: int) -> Sequence[str]:
        """Return the cells of a row."""
        segments = self.row(place, Style.null(), self._styles())
        return [text for segment in segments if (text := segment.text.strip())]

    # --- movement -----------------------------------------------------------------------------

    @property
    def page(self) -> int:
        """How many rows are in view."""
        return max(self.size.height - self.HEAD, 1)

    @property
    def cursor_line(self) -> int:
        """The screen's line on which the row under the cursor stands."""
        return self.content_region.y + self.HEAD + self.cursor - self._top

    def move_to(self, place: int) -> None:
        """Put the cursor on a row, as near as there is one."""
        self.cursor = max(0, min(place, self.count - 1))
        self._key = self.key_of(self.cursor) if self.cursor else None
        self._reveal()
        self.redraw()

    def move_by(self, rows: int) -> None:
        """Move the cursor on or back."""
        self.move_to(self.cursor + rows)

    def _reveal(self) -> None:
        if self.cursor < self._top:
            self._top = self.cursor
        elif self.cursor >= self._top + self.page:
            self._top = self.cursor - self.page + 1

    def renew(self) -> None:
        """Draw what has changed; the cursor stays with its row, but on the first one it waits."""
        place = self.place_of(self._key) if self._key is not None else 0
        before, self.cursor = self.cursor, 0 if place is None else place
        # Rows that come above push nothing on that is being read.
        self._top += self.cursor - before if self._top else 0
        self._top = max(0, min(self._top, self.count - self.page))
        self._reveal()
        self.redraw()

    # --- drawing ------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Make the lines in view, and have those drawn that are other ones."""
        before, self._shown = self._shown, self._lines()
        if len(before) != len(self._shown):
            self.refresh()
            return
        width = self.size.width
        changed = [y for y, line in enumerate(self._shown) if line != before[y]]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        if not self._shown:
            self._shown = self._lines()
        if y < len(self._shown):
            return self._shown[y]
        return Strip.blank(self.size.width, self.rich_style)

    def _lines(self) -> list[Strip]:
        width, height = self.size
        if not self.display or width < 1:
            return []
        palette = self._styles()
        lines = [self._strip(self.head(palette), palette.head)] if self.HEAD else []
        for place in range(self._top, min(self._top + self.page, self.count)):
            chosen = self.has_focus and place == self.cursor
            base = palette.cursor if chosen else palette.plain
            lines.append(self._strip(self.row(place, base, palette), base))
        if not self.count and self.note:
            said = Segment(fmt.fit(f" {self.note}", width), palette.plain + palette.dim)
            lines.append(Strip([said]))
        blank = Strip.blank(width, palette.plain)
        return [*lines, *[blank] * (height - len(lines))][:height]

    def _strip(self, segments: list[Segment], base: Style) -> Strip:
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _styles(self) -> Palette:
        if self._palette is None:
            look_up = self.get_component_rich_style
            self._palette = Palette(
                plain=self.rich_style,
                head=look_up("listing--head"),
                sorted_head=look_up("listing--sorted"),
                dim=look_up("listing--dim", partial=True),
                up=look_up("listing--up", partial=True),
                down=look_up("listing--down", partial=True),
                alarm=look_up("listing--alarm", partial=True),
                cursor=look_up("listing--cursor"),
            )
        return self._palette

    # --- Textual ------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._palette = None
        self._shown = []

    def on_resize(self) -> None:
        self._top = max(0, min(self._top, self.count - self.page))
        self._reveal()
        self._shown = []
        self.refresh()

    def on_focus(self) -> None:
        self.redraw()

    def on_blur(self) -> None:
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        self.clicked(event.x - self.content_offset.x, event.y - self.content_offset.y)

    def clicked(self, x: int, y: int) -> None:
        """Put the cursor where the content was clicked; a second time, choose the row."""
        place = self._top + y - self.HEAD
        if y < self.HEAD or place >= self.count:
            return
        if place == self.cursor:
            self.post_message(self.Chosen())
        self.move_to(place)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move_by(WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move_by(-WHEEL_ROWS)
