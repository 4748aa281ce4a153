"""Folders and DBN files as lines: each file with what it holds, as far as that is known by now."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from stockscan_tui.feed.file_summary import Entry, FileSummary
from stockscan_tui.market.calendar import new_york_time
from stockscan_tui.ui import format as fmt

ABOVE = ".."
# From this width on there is room for symbols and for whole instants.
_WIDE = 96


class FileList(ScrollView, can_focus=True, inherit_bindings=False):
    """Folders and files, one line each, of which only those in view are drawn.

    Args:
        summaries: What is known of files by now; the owner fills it.
        marked: The files that are marked; the owner's too.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "files--head",
        "files--dim",
        "files--folder",
        "files--problem",
        "files--marked",
        "files--cursor",
    }

    class Moved(Message):
        """Other rows are in view."""

    class Clicked(Message):
        """A row was clicked, `times` in a row."""

        def __init__(self, place: int, times: int) -> None:
            super().__init__()
            self.place = place
            self.times = times

    def __init__(self, summaries: dict[Path, FileSummary], marked: set[Path]) -> None:
        super().__init__()
        self._summaries = summaries
        self._marked = marked
        self.rows: list[Entry] = []
        self.cursor = 0

    @property
    def selected(self) -> Entry | None:
        """The entry under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    @property
    def in_view(self) -> list[Entry]:
        """The entries that are on the screen."""
        top = self.scroll_offset.y
        return self.rows[top : top + self.page]

    @property
    def page(self) -> int:
        """How many rows there is room for."""
        return max(self.size.height - 1, 1)

    def show(self, rows: list[Entry], selected: Path | None) -> None:
        """Show these rows, with the cursor on `selected` where that is among them."""
        self.rows = rows
        places = [place for place, row in enumerate(rows) if row.path == selected]
        first = 1 if len(rows) > 1 and rows[0].path.name == ABOVE else 0
        self.cursor = places[0] if places else first
        self._fit()
        self.move_to(self.cursor)

    def move_to(self, place: int) -> None:
        """Put the cursor on a row, the nearest there is, and scroll it into view."""
        self.cursor = max(0, min(place, len(self.rows) - 1))
        top = min(max(self.scroll_offset.y, self.cursor - self.page + 1), self.cursor)
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)
        self.refresh()

    def _fit(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self.rows) + 1)

    def on_resize(self) -> None:
        self._fit()
        self.move_to(self.cursor)
        self.post_message(self.Moved())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.refresh()
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        place = self.scroll_offset.y + event.y - 1
        if event.y > 0 and place < len(self.rows):
            self.post_message(self.Clicked(place, event.chain))

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        place = self.scroll_offset.y + y - 1
        if y == 0:
            return Strip([Segment(_head(width), self.get_component_rich_style("files--head"))])
        if place >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        return self._row(self.rows[place], width, here=place == self.cursor)

    def _row(self, entry: Entry, width: int, *, here: bool) -> Strip:
        base = self.get_component_rich_style("files--cursor") if here else self.rich_style
        marked = entry.path in self._marked
        summary = self._summaries.get(entry.path)
        segments = [
            Segment("›" if here else " ", base),
            Segment("✓ " if marked else "  ", base + self._part("marked")),
        ]
        room, facts = _facts(summary, width)
        if entry.is_folder:
            name, facts = fmt.fit(name_of(entry), width - 3), ""
            segments.append(Segment(name, base + self._part("folder")))
        else:
            segments.append(Segment(fmt.fit(name_of(entry), room - 1) + " ", base))
        part = "problem" if summary is not None and summary.problem else "dim"
        segments.append(Segment(facts, base + self._part(part)))
        return Strip(segments).adjust_cell_length(width, base)

    def _part(self, name: str) -> Style:
        return self.get_component_rich_style(f"files--{name}", partial=True)


def name_of(entry: Entry) -> str:
    """Return an entry's name, a folder's with a slash."""
    return f"{entry.path.name}/" if entry.is_folder else entry.path.name


def span_text(summary: FileSummary, *, whole: bool) -> str:
    """Return when a file's records are, in New York: with times of day if `whole` or on one day."""
    if summary.first_ns is None:
        return ""
    first = new_york_time(summary.first_ns)
    if summary.last_ns is None:
        return f"from {first:%Y-%m-%d %H:%M}"
    last = new_york_time(summary.last_ns)
    if first.date() == last.date():
        return f"{first:%Y-%m-%d %H:%M}–{last:%H:%M}"
    if whole:
        return f"{first:%Y-%m-%d %H:%M} → {last:%Y-%m-%d %H:%M}"
    # The end is the first instant that is not in it any more.
    last = new_york_time(max(summary.last_ns - 1, summary.first_ns))
    return f"{first:%Y-%m-%d} → {last:%Y-%m-%d}"


def _head(width: int) -> str:
    room, _ = _facts(None, width)
    wide = width >= _WIDE
    span = ("NEW YORK TIME").ljust(36 if wide else 24)
    symbols = "SYMBOLS".rjust(8) + "  " if wide else ""
    return f"   {'NAME'.ljust(room)}{'DATASET'.ljust(11)}{'SCHEMA'.ljust(10)}{span}{symbols}   SIZE"


def _facts(summary: FileSummary | None, width: int) -> tuple[int, str]:
    """Return the cells that are left for the name, and what stands behind it."""
    wide = width >= _WIDE
    cells = 11 + 10 + (36 if wide else 24) + (10 if wide else 0) + 7
    room = max(width - 3 - cells, 8)
    if summary is None:
        return room, "…"
    size = _size(summary.size).rjust(7)
    if summary.problem:
        return room, fmt.fit(summary.problem, cells - 7) + size
    symbols = (f"{summary.symbols:,}" if summary.symbols else "").rjust(8) + "  " if wide else ""
    span = fmt.fit(span_text(summary, whole=wide), 36 if wide else 24)
    dataset = fmt.fit(summary.dataset, 10)
    return room, f"{dataset} {fmt.fit(summary.schema, 9)} {span}{symbols}{size}"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.0f} GB" if count >= 10 else f"{count:.1f} GB"
