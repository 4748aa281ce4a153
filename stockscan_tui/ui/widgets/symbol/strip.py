"""The minute strip: each session minute of the date by its verdict, so that a hole is seen at once.

Rows hold whole hours. Where a cell stands for several minutes, the most urgent of their verdicts
decides its look, and the height of a block says how many of them traded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from stockscan_tui.market.calendar import MINUTE_NS, TradingDay
from stockscan_tui.market.snapshot import Doubt
from stockscan_tui.market.symbol_bars import SymbolBars
from stockscan_tui.market.verdicts import Codes, Verdict, reason_of
from stockscan_tui.ui import format as fmt

LABEL_CELLS = 4
HOUR = 60
# Minutes that a cell can stand for: an hour is always a whole number of cells.
SCALES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)
_TRADED = "·▁▂▃▄▅▆▇"
_GLYPHS = {
    Verdict.AHEAD: " ",
    Verdict.UNREAD: "┈",
    Verdict.QUIET: "·",
    Verdict.TRADED: "▇",
    Verdict.BACKFILLED: "▒",
    Verdict.UNKNOWN: "░",
    Verdict.MISSING: "×",
}
_LEGEND = (Verdict.TRADED, Verdict.BACKFILLED, Verdict.QUIET, Verdict.MISSING, Verdict.UNKNOWN)
_LOOKS = {
    Verdict.AHEAD: "dim",
    Verdict.UNREAD: "dim",
    Verdict.QUIET: "dim",
    Verdict.TRADED: "traded",
    Verdict.BACKFILLED: "backfilled",
    Verdict.UNKNOWN: "unknown",
    Verdict.MISSING: "missing",
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How minutes are laid out.

    Attributes:
        minutes: Minutes a cell.
        hours: Hours a row.
        rows: Rows.
        label: Cells before each row, for its hour.
    """

    minutes: int
    hours: int
    rows: int
    label: int = LABEL_CELLS

    @property
    def cells(self) -> int:
        """Cells of a row, its label left out."""
        return self.hours * (HOUR // self.minutes)


def scale_for(width: int, rows: int, minutes: int) -> Scale:
    """Return the finest scale at which so many minutes fit, the rows as even as they can be."""
    hours = max(-(-minutes // HOUR), 1)
    rows = max(rows, 1)
    label = LABEL_CELLS if width >= LABEL_CELLS + hours else 0
    for scale in SCALES:
        per_row = (width - label) // (HOUR // scale)
        if per_row and -(-hours // per_row) <= rows:
            needed = -(-hours // per_row)
            return Scale(scale, -(-hours // needed), needed, label)
    return Scale(HOUR, max(min(width, hours), 1), rows, 0)


@dataclass(frozen=True, slots=True, eq=False)
class KnownMinutes:
    """What is known of the minutes of a day.

    Attributes:
        day: The day.
        codes: `Verdict` numbers, one for each session minute.
        bars: The symbol's minute bars.
        doubts: The spans in which the feed is not known to have been whole.
    """

    day: TradingDay
    codes: Codes
    bars: SymbolBars
    doubts: Sequence[Doubt] = ()


class MinuteStrip(Widget, can_focus=True, inherit_bindings=False):
    """Verdicts of minutes; with the focus, a cursor says what became of one, and why."""

    COMPONENT_CLASSES = {
        "strip--dim",
        "strip--traded",
        "strip--backfilled",
        "strip--unknown",
        "strip--missing",
        "strip--regular",
        "strip--cursor",
    }

    class Moved(Message):
        """The cursor went to another minute."""

    def __init__(self) -> None:
        super().__init__(id="strip")
        self.border_title = "minutes"
        self._known: KnownMinutes | None = None
        self._at: int | None = None
        self._cells: tuple[Codes, Codes] | None = None

    def show(self, known: KnownMinutes | None) -> None:
        """Take what is known, None for nothing."""
        before, self._known = self._known, known
        if before is None or known is None or before.day != known.day:
            self._at = None
        elif before.bars is known.bars and np.array_equal(before.codes, known.codes):
            return
        self._cells = None
        self.refresh()

    # --- the cursor ---------------------------------------------------------------------------

    @property
    def minute(self) -> int | None:
        """The minute under the cursor, counted from 1970; None where nothing is known."""
        if self._known is None or not len(self._known.codes):
            return None
        return self._known.day.pre_ns // MINUTE_NS + self._place

    @property
    def _place(self) -> int:
        """The cursor's minute, counted from the first; the newest that is over until it moves."""
        codes = self._known.codes if self._known is not None else np.zeros(0, np.uint8)
        over = int((codes != Verdict.AHEAD).sum())
        return self._at if self._at is not None else max(over - 1, 0)

    def move_by(self, minutes: int) -> None:
        """Move the cursor on or back."""
        if self._known is None:
            return
        self._at = max(0, min(self._place + minutes, len(self._known.codes) - 1))
        self.post_message(self.Moved())
        self.refresh()

    @property
    def told(self) -> str:
        """The minute under the cursor in words: its verdict, the reason, and its bar."""
        known, minute = self._known, self.minute
        if known is None or minute is None:
            return ""
        verdict = Verdict(int(known.codes[self._place]))
        word = "not over yet" if verdict is Verdict.AHEAD else verdict.name.lower()
        reason = reason_of(verdict, minute, known.doubts)
        said = f"{fmt.minute(minute)} {word}" + (f": {reason}" if reason != word else "")
        at = int(np.searchsorted(known.bars.minute, minute))
        if at >= len(known.bars) or known.bars.minute[at] != minute or verdict is Verdict.AHEAD:
            return said
        bars = known.bars
        prices = " ".join(
            f"{name} {fmt.price(float(values[at]))}"
            for name, values in (("o", bars.open), ("h", bars.high), ("l", bars.low),
                                 ("c", bars.close))
        )  # fmt: skip
        return f"{said} · {prices} · {fmt.count(float(bars.volume[at]))} shares"

    # --- drawing ------------------------------------------------------------------------------

    @property
    def _scale(self) -> Scale:
        width, height = self.size
        minutes = len(self._known.codes) if self._known is not None else 16 * HOUR
        return scale_for(width, height - 1 if height > 2 else height, minutes)

    def render_line(self, y: int) -> Strip:
        width, scale, known = self.size.width, self._scale, self._known
        plain = self.rich_style
        if known is None:
            return Strip.blank(width, plain)
        if y >= scale.rows:
            spare = self.size.height - scale.rows
            return self._said(width) if spare and y == scale.rows else Strip.blank(width, plain)
        segments = self._row(known, scale, y)
        if self.size.height == scale.rows:
            segments += self._beside(known, y, width - scale.label - scale.cells)
        return Strip(segments).adjust_cell_length(width, plain)

    def _row(self, known: KnownMinutes, scale: Scale, y: int) -> list[Segment]:
        plain = self.rich_style
        dim = plain + self._look("dim")
        begin = y * scale.hours * HOUR
        first = known.day.pre_ns // MINUTE_NS
        label = f"{fmt.minute(first + begin)[:2]} ".rjust(scale.label) if scale.label else ""
        segments = [Segment(label, dim)]
        worst, traded = self._folded(known, scale.minutes)
        cursor = self._place // scale.minutes if self.has_focus else -1
        regular = range(
            (known.day.regular_ns - known.day.pre_ns) // MINUTE_NS // scale.minutes,
            (known.day.post_ns - known.day.pre_ns) // MINUTE_NS // scale.minutes,
        )
        looks = {verdict: self._look(look) for verdict, look in _LOOKS.items()}
        inside, marked = self._look("regular"), self.get_component_rich_style("strip--cursor")
        for at in range(y * scale.cells, min((y + 1) * scale.cells, len(worst))):
            verdict = Verdict(int(worst[at]))
            glyph = _TRADED[int(traded[at])] if verdict is Verdict.TRADED else _GLYPHS[verdict]
            base = plain + inside if at in regular else plain
            style = marked if at == cursor else base + looks[verdict]
            segments.append(Segment(glyph, style))
        return segments

    def _folded(self, known: KnownMinutes, minutes: int) -> tuple[Codes, Codes]:
        """Return each cell's most urgent verdict, and the height of its block from 0 to 7."""
        if self._cells is None:
            codes = known.codes
            short = -len(codes) % minutes
            cells = np.pad(codes, (0, short)).reshape(-1, minutes)
            over = np.maximum((cells != Verdict.AHEAD).sum(1), 1)
            shares = (cells == Verdict.TRADED).sum(1) / over
            self._cells = cells.max(1), np.ceil(shares * 7).astype(np.uint8)
        return self._cells

    def _said(self, width: int) -> Strip:
        """Return the line below: what is under the cursor, or what the signs mean."""
        plain = self.rich_style
        dim = plain + self._look("dim")
        if self.has_focus:
            return Strip([Segment(fmt.fit(f" {self.told}", width), plain)])
        known = self._known
        segments = [Segment(" ", plain)]
        for verdict in _LEGEND:
            count = int((known.codes == verdict).sum()) if known is not None else 0
            segments.append(Segment(f"{_GLYPHS[verdict]} ", plain + self._look(_LOOKS[verdict])))
            segments.append(Segment(f"{verdict.name.lower()} {count}   ", dim))
        return Strip(segments).adjust_cell_length(width, plain)

    def _beside(self, known: KnownMinutes, y: int, room: int) -> list[Segment]:
        """Return counts for the cells that a row leaves free."""
        plain = self.rich_style
        chosen = _LEGEND[:2] if y == 0 else _LEGEND[2:]
        segments: list[Segment] = []
        for verdict in chosen:
            count = int((known.codes == verdict).sum())
            text = f"{verdict.name.lower()} {count}"
            if y > 1 or (verdict is not Verdict.TRADED and not count):
                continue
            room -= len(text) + 4
            if room < 0:
                break
            look = self._look(_LOOKS[verdict])
            segments.append(Segment(f"  {_GLYPHS[verdict]} ", plain + look))
            segments.append(Segment(text, plain + self._look("dim")))
        return segments

    def _look(self, name: str) -> Style:
        """Return a sign's style, without the ground that it stands on."""
        style = self.get_component_rich_style(f"strip--{name}")
        if name == "regular":
            return Style(bgcolor=style.bgcolor)
        return Style(color=style.color, bold=style.bold)

    # --- Textual ------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self._cells = None

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        scale = self._scale
        x = event.x - self.content_offset.x - scale.label
        y = event.y - self.content_offset.y
        if self._known is None or not (0 <= x < scale.cells and 0 <= y < scale.rows):
            return
        self._at = min((y * scale.cells + x) * scale.minutes, len(self._known.codes) - 1)
        self.post_message(self.Moved())
        self.refresh()
