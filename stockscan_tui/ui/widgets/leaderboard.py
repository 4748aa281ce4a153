"""The board: one line per symbol, and only those in view are ever drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.market.snapshot import CloseSource, Snapshot
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.columns import (
    FLAGS_WIDTH,
    RANK_WIDTH,
    SYMBOL_WIDTH,
    Column,
    layout_for,
)
from stockscan_tui.ui.ranking import Ranking

FLASH_S = 0.3
FLASH_FROM = 0.001
SHOWN_FROM = 0.005
# Rows that are drawn together, and the time between such parts, in seconds.
ROWS_AT_ONCE = 5
PART_EVERY_S = 0.012
_OFFICIAL = frozenset({CloseSource.FILE.value, CloseSource.DAILY.value})


@dataclass(frozen=True, slots=True)
class _Palette:
    """The styles of one theme, looked up once."""

    plain: Style
    head: Style
    sorted_head: Style
    dim: Style
    up: Style
    down: Style
    cursor: Style


class Leaderboard(ScrollView, can_focus=True, inherit_bindings=False):
    """Symbols in the order of a ranking; a head line that stays, and rows below it."""

    COMPONENT_CLASSES = {
        "leaderboard--head",
        "leaderboard--sorted",
        "leaderboard--dim",
        "leaderboard--up",
        "leaderboard--down",
        "leaderboard--cursor",
    }

    class HeadClicked(Message):
        """The head of a column was clicked."""

        def __init__(self, key: MetricKey) -> None:
            super().__init__()
            self.key = key

    class RowClicked(Message):
        """A row was clicked."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def __init__(self, ranking: Ranking) -> None:
        super().__init__()
        self._ranking = ranking
        self._snapshot: Snapshot | None = None
        self._layout = layout_for(80)
        self._palette: _Palette | None = None
        self._lines: dict[int, Strip] = {}
        self._sparks: dict[int, str] = {}
        self._flash_until = np.zeros(0)
        self._last_marks = np.zeros(0)
        self._now_s = 0.0
        self._waiting: list[int] = []
        self._parts: Timer | None = None

    # --- what it shows ------------------------------------------------------------------------

    def show(self, snapshot: Snapshot, now_s: float) -> None:
        """Take a new picture and draw the rows in view from it."""
        if snapshot is not self._snapshot:
            self._note_flashes(snapshot, now_s)
        first = self._snapshot is None
        self._snapshot = snapshot
        self._now_s = now_s
        if first or self._parts is None:
            self.redraw()
            return
        self._fit()
        self._sparks.clear()
        top = self.scroll_offset.y
        self._waiting = list(range(top, top + self.page))
        self._parts.resume()

    @property
    def drawn(self) -> bool:
        """Whether all rows in view are those of the newest picture."""
        return not self._waiting

    def redraw(self) -> None:
        """Draw anew what is in view, at once: after a change of rows, cursor or columns."""
        self._fit()
        self._waiting = []
        self._lines.clear()
        self._sparks.clear()
        self.refresh()

    def _fit(self) -> None:
        size = Size(self.size.width, len(self._ranking.rows) + 1)
        if self.virtual_size != size:
            self.virtual_size = size

    def _draw_part(self) -> None:
        """Draw some of the rows that wait: a whole frame at once would hold a key up."""
        part, self._waiting = self._waiting[:ROWS_AT_ONCE], self._waiting[ROWS_AT_ONCE:]
        if not self._waiting and self._parts is not None:
            self._parts.pause()
        if self._snapshot is None:
            return
        for place in part:
            before = self._lines.pop(place, None)
            if place >= len(self._ranking.rows):
                changed = before is not None
            else:
                line = self._row(self._snapshot, place, self.size.width)
                changed = line != before
                # A line that stays keeps what Textual has worked out for it.
                self._lines[place] = line if before is None or changed else before
            y = place - self.scroll_offset.y + 1
            if changed and 0 < y < self.size.height:
                self.refresh(Region(0, y, self.size.width, 1))

    def redraw_cursor(self, *places: int) -> None:
        """Draw anew only the rows at these places, after the cursor went from one to another."""
        for place in places:
            self._lines.pop(place, None)
            y = place - self.scroll_offset.y + 1
            if 0 < y < self.size.height:
                self.refresh(Region(0, y, self.size.width, 1))

    def _note_flashes(self, snapshot: Snapshot, now_s: float) -> None:
        count = len(snapshot.symbols)
        if len(self._last_marks) != count:
            grown = np.zeros(count)
            grown[: len(self._flash_until)] = self._flash_until[:count]
            self._flash_until = grown
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                moved = np.abs(snapshot.mark / self._last_marks - 1.0) >= FLASH_FROM
            self._flash_until[moved] = now_s + FLASH_S
        self._last_marks = snapshot.mark

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of numbers that are shown."""
        return self._layout.columns

    @property
    def page(self) -> int:
        """How many rows are in view."""
        return max(self.size.height - 1, 1)

    def reveal(self) -> None:
        """Scroll so that the selected row is in view."""
        place, top = self._ranking.cursor, self.scroll_offset.y
        if place < top:
            top = place
        elif place >= top + self.page:
            top = place - self.page + 1
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)

    def follow(self, before: int) -> None:
        """Keep the selected row at the height it had while it stood at place `before`.

        The head of the list stays in view as long as the selected row is on the same page.
        """
        top = self.scroll_offset.y
        if top == 0 and self._ranking.cursor < self.page:
            return
        top = max(0, top + self._ranking.cursor - before)
        self.scroll_to(y=top, animate=False, force=True)
        self.reveal()

    # --- Textual ------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self._parts = self.set_interval(PART_EVERY_S, self._draw_part, pause=True)

    def on_resize(self, event: events.Resize) -> None:
        self._layout = layout_for(event.size.width)
        self.redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._palette = None
        self._lines.clear()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            column = self._layout.column_at(event.x)
            if column is not None:
                self.post_message(self.HeadClicked(column.key))
        else:
            self.post_message(self.RowClicked(self.scroll_offset.y + event.y - 1))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return self._head(width)
        place = self.scroll_offset.y + y - 1
        if self._snapshot is None or place >= len(self._ranking.rows):
            return Strip.blank(width, self.rich_style)
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = self._row(self._snapshot, place, width)
        return line

    # --- lines --------------------------------------------------------------------------------

    def _styles_now(self) -> _Palette:
        if self._palette is None:
            look_up = self.get_component_rich_style
            self._palette = _Palette(
                plain=self.rich_style,
                head=look_up("leaderboard--head"),
                sorted_head=look_up("leaderboard--sorted"),
                dim=look_up("leaderboard--dim", partial=True),
                up=look_up("leaderboard--up", partial=True),
                down=look_up("leaderboard--down", partial=True),
                cursor=look_up("leaderboard--cursor"),
            )
        return self._palette

    def _head(self, width: int) -> Strip:
        palette = self._styles_now()
        dataset = self._snapshot.feed.dataset if self._snapshot else ""
        symbol_width = SYMBOL_WIDTH + FLAGS_WIDTH
        segments = [Segment("# ".rjust(RANK_WIDTH) + "SYMBOL".ljust(symbol_width), palette.head)]
        for column in self._layout.columns:
            head = column.head(dataset)
            if column.key == self._ranking.key:
                arrow = "▲" if self._ranking.ascending else "▼"
                text = f"{arrow}{head}".rjust(column.width)
                segments.append(Segment(text, palette.sorted_head))
            else:
                segments.append(Segment(head.rjust(column.width), palette.head))
        if self._layout.spark_width:
            text = f"LAST {self._layout.spark_minutes} MIN"[: self._layout.spark_width]
            segments.append(Segment("  " + text, palette.head))
        return Strip(segments).adjust_cell_length(width, palette.head)

    def _row(self, snapshot: Snapshot, place: int, width: int) -> Strip:
        palette = self._styles_now()
        row = int(self._ranking.rows[place])
        base = palette.cursor if place == self._ranking.cursor else palette.plain
        change = float(MetricKey("chg").values(snapshot)[row])
        moved = base + _by_sign(change, palette) + _by_tier(change)
        segments = [
            Segment(f"{place + 1} ".rjust(RANK_WIDTH), base + palette.dim),
            Segment(fmt.fit(snapshot.symbols[row], SYMBOL_WIDTH), base + Style(bold=True)),
            Segment(_flags(snapshot, row), base + palette.dim),
        ]
        flashing = self._flash_until[row] > self._now_s
        for column in self._layout.columns:
            value = float(column.key.values(snapshot)[row])
            style = base
            if not math.isfinite(value):
                style = base + palette.dim
            elif column.key == MetricKey("chg"):
                style = moved
            elif column.signed:
                style = base + _by_sign(value, palette)
            text = column.cell(value)
            flash = flashing and column.key.name in ("mark", "chg") and column.key.window == 0
            segments.extend(_cell(text, style, reverse=flash))
        if self._layout.spark_width:
            segments.append(Segment("  ", base))
            segments.append(Segment(self._spark(snapshot, row), base + _by_sign(change, palette)))
        return Strip(segments).adjust_cell_length(width, base)

    def _spark(self, snapshot: Snapshot, row: int) -> str:
        known = self._sparks.get(row)
        if known is None:
            self._draw_sparks(snapshot)
            known = self._sparks.get(row, " " * self._layout.spark_width)
        return known

    def _draw_sparks(self, snapshot: Snapshot) -> None:
        """Draw the sparklines of all rows in view at once."""
        top = self.scroll_offset.y
        rows = self._ranking.rows[top : top + self.page]
        marks = snapshot.recent_marks(rows, self._layout.spark_minutes)
        for row, values in zip(rows.tolist(), marks.tolist(), strict=True):
            self._sparks[row] = fmt.sparkline(values, self._layout.spark_width)


def _cell(text: str, style: Style, *, reverse: bool) -> list[Segment]:
    """Return a cell's segments; only the figures, not the gap before them, are reversed."""
    if not (reverse or style.reverse):
        return [Segment(text, style)]
    figures = text.lstrip()
    gap = Segment(" " * (len(text) - len(figures)), style + Style(reverse=False))
    return [gap, Segment(figures, style + Style(reverse=True))]


def _by_sign(value: float, palette: _Palette) -> Style:
    """Return the colour of a percentage; what is shown as 0.00 has none."""
    if value >= SHOWN_FROM:
        return palette.up
    return palette.down if value <= -SHOWN_FROM else Style.null()


def _by_tier(change: float) -> Style:
    size = abs(change)
    if size >= 20.0:
        return Style(bold=True, reverse=True)
    if size >= 10.0:
        return Style(bold=True)
    return Style(dim=True) if size < 1.0 else Style.null()


def _flags(snapshot: Snapshot, row: int) -> str:
    source = int(snapshot.close_source[row])
    if source == CloseSource.NONE.value:
        return "NEW".ljust(FLAGS_WIDTH)
    if snapshot.split_suspect[row]:
        return "sp?".ljust(FLAGS_WIDTH)
    exact = source in _OFFICIAL and snapshot.close_age[row] <= 1
    return ("" if exact else "≈").ljust(FLAGS_WIDTH)
