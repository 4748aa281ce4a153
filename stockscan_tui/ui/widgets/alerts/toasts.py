"""Toasts of alerts, over whatever is shown: in place when renewed, never on the cursor's row."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.widget import Widget

from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.leaderboard import Leaderboard
from stockscan_tui.ui.widgets.symbol.listing import Listing

if TYPE_CHECKING:
    from stockscan_tui.delivery.notice import Notice

WIDEST, NARROWEST = 58, 34
TEXT_LINES = 2
# The lines of the screen at its top and bottom that stay free.
ABOVE, BELOW = 3, 5
BARS = {"low": "▏", "normal": "▌", "high": "█"}


class ToastStack(Widget):
    """Some notices one below the other, the newest last."""

    COMPONENT_CLASSES = {"toast--low", "toast--normal", "toast--high", "toast--dim"}

    class Clicked(Message):
        """A toast was clicked."""

        def __init__(self, notice: Notice) -> None:
            super().__init__()
            self.notice = notice

    def __init__(self) -> None:
        super().__init__()
        self.display = False
        self._notices: Sequence[Notice] = ()
        self._width = 0
        self._lines: list[tuple[Notice, Strip]] = []

    def show(self, notices: Sequence[Notice]) -> None:
        """Show these and no others, where they are in nobody's way."""
        room = self.screen.size if self.is_attached else None
        if room is None:
            return
        if getattr(self.screen, "lists_alerts", False):
            # There they stand in the list.
            notices = [notice for notice in notices if notice.kind == "trouble"]
        if isinstance(self.screen, ModalScreen):
            # Over a dialog, which is read or filled in, there is room for one.
            notices = notices[-1:]
        width = min(max(room.width // 2, NARROWEST), WIDEST, room.width)
        if list(notices) != list(self._notices) or width != self._width:
            self._notices, self._width = list(notices), width
            self._lines = [line for one in notices for line in self._card(one, width)]
            self.refresh()
        place = placed(self.screen, width, len(self._lines))
        self.styles.offset = (place.x, place.y)
        self.styles.width, self.styles.height = place.width, place.height
        self.display = bool(self._lines)

    def _card(self, notice: Notice, width: int) -> list[tuple[Notice, Strip]]:
        """Return a head with what opens it, and the text in one line or two."""
        level = notice.priority.value
        look = self.get_component_rich_style
        strong = look(f"toast--{level}", partial=True)
        dim = look("toast--dim", partial=True)
        base = self.rich_style
        hint = " h health " if notice.kind == "trouble" else " a opens "
        bar = Segment(f"{BARS[level]} ", base + strong)
        title = fmt.fit(notice.title, max(width - 2 - cell_len(hint), 1))
        lines = [[bar, Segment(title, base + strong), Segment(hint, base + dim)]]
        words = textwrap.wrap(notice.text, max(width - 3, 8), max_lines=TEXT_LINES, placeholder="…")
        lines += [[bar, Segment(text, base)] for text in words]
        return [(notice, Strip(line).adjust_cell_length(width, base)) for line in lines]

    def notify_style_update(self) -> None:
        super().notify_style_update()
        notices, self._notices = self._notices, ()
        if self.is_attached and notices:
            self.show(notices)

    def render_line(self, y: int) -> Strip:
        if y < len(self._lines):
            return self._lines[y][1]
        return Strip.blank(self.size.width, self.rich_style)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        if event.y < len(self._lines):
            self.post_message(self.Clicked(self._lines[event.y][0]))


def placed(screen: Screen[Any], width: int, height: int) -> Region:
    """Return where toasts stand: at the right, below; above where the cursor's row is below.

    On a screen that explains below what is listed above, they begin above.
    """
    room = screen.size
    above, below = min(ABOVE, max(room.height - height, 0)), max(room.height - BELOW - height, 0)
    line = cursor_line(screen)
    if getattr(screen, "explains_below", False):
        hidden = line is not None and above <= line < above + height
        top = below if hidden else above
        return Region(max(room.width - width - 1, 0), top, width, height)
    top = below
    if line is not None and top <= line < top + height and not 0 <= line - ABOVE < height:
        top = above
    return Region(max(room.width - width - 1, 0), top, width, height)


def cursor_line(screen: Screen[Any]) -> int | None:
    """Return the screen's line on which the row under the cursor stands, None where none does."""
    focused = screen.focused
    if isinstance(focused, Listing):
        return focused.cursor_line
    board = next(iter(screen.query(Leaderboard)), None)
    return board.cursor_line if board is not None else None
