"""One symbol beside or below the board: quote, day, changes, and its last minutes."""

from __future__ import annotations

import math

import numpy as np
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from stockscan_tui.market.snapshot import FocusBars, Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.figures import LABEL_CELLS, brief_figures, change_of

_EIGHTHS = " ▁▂▃▄▅▆▇█"
FIGURE_CELLS = 34
CHART_ROWS, CHART_CELLS = 12, 20


def block_chart(values: list[float], height: int) -> list[str]:
    """Return the values as columns of blocks, `height` lines from top to bottom."""
    known = [value for value in values if math.isfinite(value)]
    if not known or height < 1:
        return [" " * len(values)] * max(height, 0)
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    steps = [
        -1 if not math.isfinite(v) else 1 + round((v - low) / span * (height * 8 - 1))
        for v in values
    ]
    return [
        "".join(_EIGHTHS[min(max(step - 8 * level, 0), 8)] for step in steps)
        for level in reversed(range(height))
    ]


class Detail(Widget):
    """The selected symbol; its shape follows the room it has."""

    COMPONENT_CLASSES = {"detail--dim", "detail--up", "detail--down"}

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._snapshot: Snapshot | None = None
        self._row: int | None = None
        self._lines: list[Strip] = []

    def show(self, snapshot: Snapshot, row: int | None) -> None:
        """Show the symbol at `row` of the snapshot; only lines that changed are drawn."""
        self._snapshot = snapshot
        self._row = row
        before, self._lines = self._lines, self._strips()
        if len(before) != len(self._lines):
            self.refresh()
            return
        width = self.size.width
        changed = [y for y, line in enumerate(self._lines) if line != before[y]]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def on_resize(self) -> None:
        self._lines = self._strips()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._lines = []

    def render_line(self, y: int) -> Strip:
        if not self._lines:
            self._lines = self._strips()
        if y < len(self._lines):
            return self._lines[y]
        return Strip.blank(self.size.width, self.rich_style)

    def _strips(self) -> list[Strip]:
        """Return the lines as they are drawn."""
        base, width = self.rich_style, self.size.width
        if width < 1:
            return []
        lines = []
        for line in self._made().split("\n", allow_blank=True):
            line.end = ""
            segments = Segment.apply_style(line.render(self.app.console), base)
            lines.append(Strip(segments).adjust_cell_length(width, base))
        return lines

    def _made(self) -> Text:
        if self._snapshot is None or self._row is None:
            return Text("")
        width, height = self.size
        lines = self._figures(self._snapshot, self._row)
        if 1 < height <= CHART_ROWS and width >= FIGURE_CELLS + CHART_CELLS:
            return self._beside(lines, width, height)
        return self._above(lines, width, height)

    def _above(self, lines: list[Text], width: int, height: int) -> Text:
        """Figures, chart, and a table of the last minutes, one below the other."""
        chart_height = max(0, min(9, height - len(lines) - 4))
        lines = [*lines, Text("")]
        lines += self._chart(width - 1, chart_height)
        table = self._minutes(height - len(lines) - 1)
        return Text("\n").join([*lines, *([Text(""), *table] if table else [])])

    def _beside(self, lines: list[Text], width: int, height: int) -> Text:
        """Figures in one or two columns; to their right the chart, and the minutes below it."""
        title, *rest = lines
        rows = height - 1
        most = 2 if width >= 2 * FIGURE_CELLS + CHART_CELLS else 1
        columns = [rest[at : at + rows] for at in range(0, len(rest), rows)][:most]
        room = width - FIGURE_CELLS * len(columns) - 4
        right = self._chart(room, rows if rows <= CHART_ROWS else CHART_ROWS)
        table = self._minutes(rows - len(right) - 1)
        right += [Text(""), *table] if table else []
        joined = [title]
        for at in range(rows):
            line = Text("")
            for column in columns:
                cell = column[at].copy() if at < len(column) else Text("")
                cell.truncate(FIGURE_CELLS - 2, pad=True)
                line.append_text(cell)
                line.append("  ")
            joined.append(line.append_text(right[at]) if at < len(right) else line)
        return Text("\n").join(joined)

    def _figures(self, s: Snapshot, row: int) -> list[Text]:
        dim = self.get_component_rich_style("detail--dim", partial=True)
        change = change_of(s, row)
        title = Text(f"{printable(s.symbols[row])} ", Style(bold=True))
        title.append(f"{fmt.price(s.mark[row])} ")
        title.append(f"{fmt.percent(change)} %", self._sign(change))
        lines = [title]
        for figure in brief_figures(s, row):
            line = Text().append(f"{figure.label:<{LABEL_CELLS}}", dim)
            lines.append(
                line.append(figure.text, dim if figure.faint else self._sign(figure.direction))
            )
        return lines

    def _sign(self, value: float) -> Style:
        if not math.isfinite(value) or value == 0:
            return Style.null()
        name = "detail--up" if value > 0 else "detail--down"
        return self.get_component_rich_style(name, partial=True)

    def _chart(self, width: int, height: int) -> list[Text]:
        """Draw the marks of the last hour, coloured by where they stand to the close."""
        s, row = self._snapshot, self._row
        if s is None or row is None or width < 12 or height < 1:
            return []
        scale = 9
        cells = min(width - scale, 61)
        marks = s.recent_marks(np.array([row]), cells - 1)[0].tolist()
        known = [mark for mark in marks if math.isfinite(mark)]
        style = self._sign(change_of(s, row))
        dim = self.get_component_rich_style("detail--dim", partial=True)
        lines = [Text(bars, style) for bars in block_chart(marks, height)]
        if known:
            lines[0].append(f" {fmt.price(max(known))}", dim)
            if height > 1:
                lines[-1].append(f" {fmt.price(min(known))}", dim)
        return lines

    def _minutes(self, room: int) -> list[Text]:
        """Return the newest bars, newest first."""
        s = self._snapshot
        bars = s.focus if s is not None else None
        if s is None or bars is None or bars.slot != self._row or room < 3 or len(bars.minute) == 0:
            return []
        dim = self.get_component_rich_style("detail--dim", partial=True)
        head = f"{'MIN':<6}{'OPEN':>9}{'HIGH':>9}{'LOW':>9}{'CLOSE':>9}{'VOL':>8}"
        lines = [Text(head, dim)]
        newest = range(len(bars.minute) - 1, max(-1, len(bars.minute) - room), -1)
        lines += [self._minute(bars, at) for at in newest]
        return lines

    def _minute(self, bars: FocusBars, at: int) -> Text:
        prices = (bars.open[at], bars.high[at], bars.low[at], bars.close[at])
        text = "".join(fmt.price(float(value)).rjust(9) for value in prices)
        line = Text(f"{fmt.minute(int(bars.minute[at])):<6}{text}")
        line.stylize(self._sign(float(bars.close[at] - bars.open[at])), 6)
        return line.append(fmt.count(float(bars.volume[at])).rjust(8))
