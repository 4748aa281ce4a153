"""The board: one line per symbol, and only those in view are ever drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
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

from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.metrics import MetricKey, values_of
from stockscan_tui.market.snapshot import Floats, Integers, Snapshot
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.columns import (
    MARKS_WIDTH,
    RANK_WIDTH,
    SYMBOL_WIDTH,
    Column,
    Layout,
    layout_for,
)
from stockscan_tui.ui.marks import mark_of
from stockscan_tui.ui.ranking import Ranking

FLASH_S = 0.3
FLASH_FROM = 0.001
SHOWN_FROM = 0.005
ARROW_S = 2.0
# Where an empty board says why it is empty.
NOTE_LINE = 2
# A price that nothing has touched for so long is shown as old.
STALE_NS = 300 * SECOND_NS
# Rows that are drawn together, and the time between such parts, in seconds.
ROWS_AT_ONCE = 5
PART_EVERY_S = 0.012
_CHANGE = MetricKey("chg")
_MARK = MetricKey("mark")


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
    alarm: Style
    new: Style


# Runs of cells of one colour.
Spark = list[tuple[str, int]]
_BOLD = Style(bold=True)


class Leaderboard(ScrollView, can_focus=True, inherit_bindings=False):
    """Symbols in the order of a ranking; a head line that stays, and rows below it."""

    COMPONENT_CLASSES = {
        "leaderboard--head",
        "leaderboard--sorted",
        "leaderboard--dim",
        "leaderboard--up",
        "leaderboard--down",
        "leaderboard--cursor",
        "leaderboard--alarm",
        "leaderboard--new",
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
        self._sparks: dict[int, Spark] = {}
        self._flash_until = np.zeros(0)
        self._arrow_until = np.zeros(0)
        self._arrow = np.zeros(0)
        self._last_marks = np.zeros(0)
        self._chosen: tuple[MetricKey, ...] | None = None
        self._widths: Mapping[MetricKey, int] = {}
        self._now_s = 0.0
        self.note = ""
        self._waiting: list[int] = []
        self._parts: Timer | None = None

    # --- what it shows ------------------------------------------------------------------------

    def show(self, snapshot: Snapshot, now_s: float) -> None:
        """Take a new picture and draw the rows in view from it."""
        leapt = self._snapshot is None or snapshot.leap != self._snapshot.leap
        if leapt:
            self._forget(len(snapshot.symbols))
        if snapshot is not self._snapshot:
            self._note_flashes(snapshot, now_s)
        self._snapshot = snapshot
        self._now_s = now_s
        if leapt or self._parts is None:
            self.redraw()
            return
        self._fit()
        self._sparks.clear()
        top = self.scroll_offset.y
        self._waiting = list(range(top, top + self.page))
        self._parts.resume()

    def use(self, columns: tuple[MetricKey, ...] | None, widths: Mapping[MetricKey, int]) -> None:
        """Show these columns, None for the board's own, at these widths."""
        if (columns, widths) != (self._chosen, self._widths):
            self._chosen, self._widths = columns, dict(widths)
            self._layout = self._laid_out(self.size.width)
            self.redraw()

    def _laid_out(self, width: int) -> Layout:
        return layout_for(width, self._chosen, self._widths)

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
        if self._snapshot is None or not part:
            return
        if self._layout.spark_width:
            self._draw_sparks(self._snapshot, self._ranking.rows[part[0] : part[-1] + 1])
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

    def _forget(self, count: int) -> None:
        """Let nothing have moved: the marks of another time compare with none of these."""
        self._flash_until, self._arrow_until, self._arrow = np.zeros((3, count))
        self._last_marks = np.full(count, np.nan)

    def _note_flashes(self, snapshot: Snapshot, now_s: float) -> None:
        count = len(snapshot.symbols)
        if len(self._last_marks) != count:
            self._flash_until = _longer(self._flash_until, count)
            self._arrow_until = _longer(self._arrow_until, count)
            self._arrow = _longer(self._arrow, count)
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                change = snapshot.mark / self._last_marks - 1.0
            self._flash_until[np.abs(change) >= FLASH_FROM] = now_s + FLASH_S
            moved = np.abs(change) > 0
            self._arrow[moved] = change[moved]
            self._arrow_until[moved] = now_s + ARROW_S
        self._last_marks = snapshot.mark

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of numbers that are shown."""
        return self._layout.columns

    @property
    def page(self) -> int:
        """How many rows are in view."""
        return max(self.size.height - 1, 1)

    @property
    def cursor_line(self) -> int:
        """The screen's line on which the selected row stands."""
        return self.region.y + 1 + self._ranking.cursor - int(self.scroll_offset.y)

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
        self._layout = self._laid_out(event.size.width)
        self.redraw()
        self.reveal()

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
            if self.note and y == NOTE_LINE and not len(self._ranking.rows):
                return self._noted(width)
            return Strip.blank(width, self.rich_style)
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = self._row(self._snapshot, place, width)
        return line

    def _noted(self, width: int) -> Strip:
        palette = self._styles_now()
        text = fmt.fit(f"  {self.note}", width)
        return Strip([Segment(text, palette.plain + palette.dim)])

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
                alarm=look_up("leaderboard--alarm", partial=True),
                new=look_up("leaderboard--new", partial=True),
            )
        return self._palette

    def _head(self, width: int) -> Strip:
        palette = self._styles_now()
        dataset = self._snapshot.feed.dataset if self._snapshot else ""
        symbol_width = SYMBOL_WIDTH + MARKS_WIDTH
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
        change = float(values_of(_CHANGE, snapshot)[row])
        moved = base + _by_sign(change, palette) + _by_tier(change)
        symbol = snapshot.symbols[row]
        mark, strong = mark_of(snapshot, row)
        new = self._ranking.presence.is_new(symbol, snapshot.event_ns)
        name = base + _BOLD + palette.new if new else base + _BOLD
        segments = [
            Segment(_place(snapshot, place, row), base + palette.dim),
            Segment(fmt.fit(symbol, SYMBOL_WIDTH), name),
            Segment(mark.ljust(MARKS_WIDTH), base + (palette.alarm if strong else palette.dim)),
        ]
        flashing = self._flash_until[row] > self._now_s
        for column in self._layout.columns:
            value = float(values_of(column.key, snapshot)[row])
            style = base
            if not math.isfinite(value):
                style = base + palette.dim
            elif column.key == _CHANGE:
                style = moved
            elif column.signed:
                style = base + _by_sign(value, palette)
            elif column.key == _MARK and _stale(snapshot, row):
                style = base + palette.dim
            text = self._text(snapshot, column, row, value)
            flash = flashing and column.key in (_CHANGE, _MARK)
            segments.extend(_cell(text, style, reverse=flash))
        if self._layout.spark_width:
            segments.append(Segment("  ", base))
            segments.extend(self._spark(snapshot, row, base, palette))
        return Strip(segments).adjust_cell_length(width, base)

    def _text(self, snapshot: Snapshot, column: Column, row: int, value: float) -> str:
        """Return a cell's text; the mark's has an arrow for a while after it moved."""
        words = snapshot.words.get(column.key.name)
        if words is not None:
            code = int(words.code[row])
            word = words.names[code] if code >= 0 else fmt.MISSING
            return " " + fmt.fit(word, column.width - 1)
        text = column.cell(value)
        if column.key == _MARK and text.startswith("  ") and self._arrow_until[row] > self._now_s:
            figures = text.lstrip()
            arrow = "▴" if self._arrow[row] > 0 else "▾"
            return f"{arrow}{figures}".rjust(column.width)
        return text

    def _spark(self, snapshot: Snapshot, row: int, base: Style, palette: _Palette) -> list[Segment]:
        known = self._sparks.get(row)
        if known is None:
            top = self.scroll_offset.y
            self._draw_sparks(snapshot, self._ranking.rows[top : top + self.page])
            known = self._sparks.get(row)
        if known is None:
            return [Segment(" " * self._layout.spark_width, base)]
        old = Style(dim=True)
        styles = (palette.down, palette.up, palette.down + old, palette.up + old)
        return [Segment(text, base + styles[kind]) for text, kind in known]

    def _draw_sparks(self, snapshot: Snapshot, rows: Integers) -> None:
        """Draw the sparklines of some rows at once."""
        marks = snapshot.recent_marks(rows, self._layout.spark_minutes)
        before = _minutes_before_open(snapshot, self._layout.spark_minutes)
        for row, values in zip(rows.tolist(), marks.tolist(), strict=True):
            close = float(snapshot.prev_close[row])
            self._sparks[row] = spark_runs(values, self._layout.spark_width, close, before)


def spark_runs(values: list[float], width: int, close: float, old: int) -> Spark:
    """Return a sparkline as runs of one look: 1 from the previous close up, 0 under it; old + 2.

    Args:
        values: Marks, oldest first, NaN for none.
        width: Cells.
        close: The previous close, NaN for none.
        old: How many of the values are of before the session's beginning.
    """
    cells = fmt.sparkline(values, width)
    shown = fmt.sampled(values, width)
    pad = width - len(shown)
    limit = old * len(shown) / max(len(values), 1)
    runs: Spark = []
    for place, cell in enumerate(cells):
        at = place - pad
        kind = int(at < 0 or not shown[at] < close) + (2 if at < limit else 0)
        if runs and runs[-1][1] == kind:
            runs[-1] = (runs[-1][0] + cell, kind)
        else:
            runs.append((cell, kind))
    return runs


def _minutes_before_open(snapshot: Snapshot, minutes: int) -> int:
    """Return how many of the last marks are of before the regular open, while it is over."""
    if snapshot.event_ns < snapshot.regular_ns or not snapshot.regular_ns:
        return 0
    since = (snapshot.event_ns - snapshot.regular_ns) // MINUTE_NS
    return int(max(0, minutes - since))


def _longer(values: Floats, count: int) -> Floats:
    grown = np.zeros(count)
    grown[: len(values)] = values[:count]
    return grown


def _place(snapshot: Snapshot, place: int, row: int) -> str:
    watched = snapshot.signs.get("watched")
    star = "★" if watched is not None and watched[row] else " "
    return f"{place + 1}{star}".rjust(RANK_WIDTH)


def _stale(snapshot: Snapshot, row: int) -> bool:
    heard_ns = max(int(snapshot.last_trade_ns[row]), int(snapshot.last_quote_ns[row]))
    return snapshot.event_ns - heard_ns > STALE_NS


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
