"""Choose DBN files to replay: a folder's files, each with what it holds.

The folder and the files' metadata are read in threads, for the rows in view alone, so that a
folder of thousands, or one on a slow disk, never holds the keys up.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from threading import Event
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input, Static

from stockscan_tui.feed.file_summary import (
    Entry,
    FileSummary,
    completed,
    entries_of,
    file_summary,
    that_look_like_dbn,
)
from stockscan_tui.market.calendar import new_york_time
from stockscan_tui.market.text import printable
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.sheet import Sheet
from stockscan_tui.ui.widgets.field import PATH, Field

_KEYS = "Enter opens · Space marks · / filter · h up · ~ home · e path · Esc back"
_FILTER = "part of a name · Enter keeps it · Esc leaves it"
_PATH = "a folder or file · Tab completes · Enter opens · Esc leaves it"
ABOVE = ".."
_SNIFFED_AT_ONCE = 200
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
            name, facts = fmt.fit(_name(entry), width - 3), ""
            segments.append(Segment(name, base + self._part("folder")))
        else:
            segments.append(Segment(fmt.fit(_name(entry), room - 1) + " ", base))
        part = "problem" if summary is not None and summary.problem else "dim"
        segments.append(Segment(facts, base + self._part(part)))
        return Strip(segments).adjust_cell_length(width, base)

    def _part(self, name: str) -> Style:
        return self.get_component_rich_style(f"files--{name}", partial=True)


class FilePickerScreen(Sheet[tuple[Path, ...] | None]):
    """A sheet with the files of a folder; its result is the files to open, None for none.

    Args:
        folder: Where to begin; the current folder unless told.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("j,down", "move(1)", "Down"),
        ("k,up", "move(-1)", "Up"),
        ("pagedown,ctrl+d", "page(1)", "A page down"),
        ("pageup,ctrl+u", "page(-1)", "A page up"),
        ("g,home", "top", "First"),
        ("G,end", "bottom", "Last"),
        ("enter", "open", "Open"),
        ("space", "mark", "Mark"),
        ("h,left,backspace", "parent", "The folder above"),
        ("tilde", "home", "Home"),
        ("slash", "field('filter')", "Filter"),
        ("e", "field('path')", "Type a path"),
        ("tab", "complete", "Complete"),
        ("escape", "back", "Back"),
        ("q", "dismiss", "Close"),
    ]

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self._start = folder
        self._folder = Path()
        self._entries: list[Entry] = []
        self._summaries: dict[Path, FileSummary] = {}
        self._marked: set[Path] = set()
        self._filter = ""
        self._kept_filter = ""
        self._typing = ""
        self._stop = Event()
        self._summarising = False
        self._reading = True

    def compose(self) -> ComposeResult:
        with Vertical(id="sheet") as sheet:
            sheet.border_title = "Open DBN files"
            yield Static("reading …", id="where", markup=False)
            yield FileList(self._summaries, self._marked)
            yield Static("", id="about", markup=False)
            yield Field(id="field", most=PATH, compact=True, select_on_focus=False)
            yield Static(_KEYS, id="keys", markup=False)

    def on_mount(self) -> None:
        self._list = self.query_one(FileList)
        self._field = self.query_one("#field", Input)
        self.set_focus(self._list)
        self._go_to(self._start)

    def on_unmount(self) -> None:
        self._stop.set()

    # --- reading, off this thread -------------------------------------------------------------

    def _go_to(self, folder: Path | None, selected: Path | None = None) -> None:
        self._stop.set()
        self._stop = Event()
        self.run_worker(self._read(folder, selected, self._stop), group="folder", exclusive=True)

    async def _read(self, folder: Path | None, selected: Path | None, stop: Event) -> None:
        try:
            place = await asyncio.to_thread(_absolute, folder)
            known, others = await asyncio.to_thread(entries_of, place, stop.is_set)
        except (OSError, RuntimeError) as error:
            where = printable(folder) if folder is not None else "The current folder"
            said = error.strerror if isinstance(error, OSError) else error
            self._say(f"{where} cannot be read: {said}.")
            return
        self._folder, self._filter = place, ""
        self._show(known, selected, reading=bool(others))
        for start in range(0, len(others), _SNIFFED_AT_ONCE):
            part = others[start : start + _SNIFFED_AT_ONCE]
            found = await asyncio.to_thread(that_look_like_dbn, part, stop.is_set)
            if found:
                merged = sorted([*self._entries, *found], key=lambda entry: entry.order)
                here = self._list.selected
                self._show(merged, here.path if here else selected, reading=True)
        self._reading = False
        self._describe()

    def _show(self, entries: list[Entry], selected: Path | None, *, reading: bool) -> None:
        self._entries, self._reading = entries, reading
        wanted = self._filter.casefold()
        rows = [entry for entry in entries if wanted in entry.path.name.casefold()]
        if self._folder.parent != self._folder and not wanted:
            rows.insert(0, Entry(self._folder / ABOVE, is_folder=True))
        self._list.show(rows, selected)
        self._describe()
        self._read_on()

    @on(FileList.Moved)
    def _read_on(self) -> None:
        """Read what the files in view hold, unless that is being done."""
        if not self._summarising and self._next_unread() is not None:
            self._summarising = True
            self.run_worker(self._summarise(), group="summaries")

    async def _summarise(self) -> None:
        try:
            while (path := self._next_unread()) is not None:
                self._summaries[path] = await asyncio.to_thread(file_summary, path)
                self._list.refresh()
                here = self._list.selected
                if here is not None and here.path == path:
                    self._describe()
        finally:
            self._summarising = False

    def _next_unread(self) -> Path | None:
        here = self._list.selected
        candidates = [*([here] if here is not None else []), *self._list.in_view]
        return next(
            (e.path for e in candidates if not e.is_folder and e.path not in self._summaries), None
        )

    # --- what is said -------------------------------------------------------------------------

    def _describe(self) -> None:
        """Say where we are, and what the selected file is."""
        files = sum(not entry.is_folder for entry in self._entries)
        parts = [f"{files:,} DBN file{'' if files == 1 else 's'}"]
        if self._filter:
            shown = sum(not entry.is_folder for entry in self._list.rows)
            parts.append(f"{shown:,} with “{printable(self._filter)}”")
        if self._marked:
            parts.append(f"{len(self._marked)} marked, Enter opens them")
        if self._reading:
            parts.append("looking on …")
        after = "  ·  ".join(parts)
        room = max(self._list.size.width - len(after) - 7, 12)
        self.query_one("#where", Static).update(f"{_tail(self._folder, room)}  ·  {after}")
        here = self._list.selected
        about = _about(here, self._summaries.get(here.path)) if here is not None else "\n"
        self._tell(about, alarm=False)

    def _say(self, problem: str) -> None:
        self._tell(problem, alarm=True)

    def _tell(self, text: str, *, alarm: bool) -> None:
        about = self.query_one("#about", Static)
        about.update(text)
        about.set_class(alarm, "-alarm")

    # --- keys ---------------------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        """Go up or down."""
        self._list.move_to(self._list.cursor + rows)
        self._describe()
        self._read_on()

    def action_page(self, pages: int) -> None:
        """Go up or down by a page."""
        self.action_move(pages * self._list.page)

    def action_top(self) -> None:
        """Go to the first row."""
        self.action_move(-len(self._list.rows))

    def action_bottom(self) -> None:
        """Go to the last row."""
        self.action_move(len(self._list.rows))

    def action_mark(self) -> None:
        """Mark the file, or take its mark away, and go to the next row."""
        here = self._list.selected
        if here is not None and not here.is_folder:
            self._marked ^= {here.path}
        self.action_move(1)

    def action_parent(self) -> None:
        """Go to the folder above."""
        self._go_to(self._folder.parent, selected=self._folder)

    def action_home(self) -> None:
        """Go to the user's own folder."""
        self._go_to(Path("~"))

    def action_open(self) -> None:
        """Go into the folder, or open what is marked, else the file."""
        here = self._list.selected
        if here is None:
            return
        if here.is_folder:
            above = here.path.name == ABOVE
            self._go_to(here.path, selected=self._folder if above else None)
        else:
            self._open(sorted(self._marked) or [here.path])

    def _open(self, paths: list[Path]) -> None:
        self.run_worker(self._check_and_open(paths), group="open", exclusive=True)

    async def _check_and_open(self, paths: list[Path]) -> None:
        for path in paths:
            # Anew: it may have been mended, or gone, since it was listed.
            summary = self._summaries[path] = await asyncio.to_thread(file_summary, path)
            if summary.problem:
                self._marked.discard(path)
                self._list.refresh()
                self._describe()
                self._say(f"{printable(path.name)} cannot be opened: {summary.problem}.")
                return
        if self.is_current:
            self.dismiss(tuple(paths))

    @on(FileList.Clicked)
    def _clicked(self, event: FileList.Clicked) -> None:
        self.set_focus(self._list)
        self._list.move_to(event.place)
        self._describe()
        if event.times > 1:
            self.action_open()

    # --- the field ----------------------------------------------------------------------------

    def action_field(self, kind: str) -> None:
        """Open the field for a filter or a path."""
        self._typing, self._kept_filter = kind, self._filter
        self._field.placeholder = _FILTER if kind == "filter" else _PATH
        with self.prevent(Input.Changed):
            self._field.value = self._filter if kind == "filter" else ""
        self._field.add_class("-open")
        self.set_focus(self._field)

    def _close_field(self) -> None:
        self._typing = ""
        self._field.remove_class("-open")
        self.set_focus(self._list)

    def action_back(self) -> None:
        """Leave the field with what was before it, else the sheet."""
        if not self._typing:
            self.dismiss(None)
            return
        if self._typing == "filter":
            self._narrow(self._kept_filter)
        self._close_field()
        self._describe()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        if self._typing == "filter":
            self._narrow(event.value.strip())

    def _narrow(self, text: str) -> None:
        here = self._list.selected
        self._filter = text
        self._show(self._entries, here.path if here else None, reading=self._reading)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        typed, text = self._typing, event.value.strip()
        if typed == "path" and text:
            self.run_worker(self._open_typed(text), group="open", exclusive=True)
        else:
            self._close_field()

    async def _open_typed(self, text: str) -> None:
        try:
            path = await asyncio.to_thread(_absolute, Path(text), self._folder)
            is_folder = await asyncio.to_thread(path.is_dir)
        except (OSError, ValueError, RuntimeError):
            self._say(f"{printable(text)} is not a path.")
            return
        if is_folder:
            self._close_field()
            self._go_to(path)
            return
        await self._check_and_open([path])

    async def action_complete(self) -> None:
        """Complete the path that is being typed."""
        if self._typing != "path":
            return
        text, names = await asyncio.to_thread(completed, self._field.value, self._folder)
        self._field.value = text
        self._field.cursor_position = len(text)
        if len(names) > 1:
            self._tell(printable("  ".join(names[:50])), alarm=False)
        elif not names:
            self._say("Nothing there begins so.")


def _absolute(folder: Path | None, base: Path | None = None) -> Path:
    """Return a whole path without dots; None is the current folder, a home where that is gone."""
    if folder is None:
        try:
            folder = Path.cwd()
        except OSError:
            folder = Path.home()
    # Not resolve(): the way back from a linked folder is the way that led into it.
    return Path(os.path.abspath((base or Path()) / folder.expanduser()))  # noqa: PTH100


def _name(entry: Entry) -> str:
    return f"{entry.path.name}/" if entry.is_folder else entry.path.name


def _tail(path: Path, width: int) -> str:
    """Return a path in at most `width` signs, without its beginning where it is longer."""
    text = printable(path)
    return text if len(text) <= width else f"…{text[1 - width :]}"


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


def _about(entry: Entry, summary: FileSummary | None) -> str:
    """Return two lines on an entry: its whole name, and what it is."""
    name = printable(_name(entry))
    if entry.is_folder:
        return f"{'the folder above' if entry.path.name == '..' else name}\n"
    if summary is None:
        return f"{name}\nreading …"
    if summary.problem:
        return f"{name}\ncannot be read: {summary.problem}"
    symbols = f"{summary.symbols:,} symbols" if summary.symbols else "symbols in the records"
    span = span_text(summary, whole=True)
    parts = (f"{summary.dataset} {summary.schema}", span, symbols)
    facts = " · ".join(part for part in parts if part)
    return f"{name}\n{printable(facts)}"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.0f} GB" if count >= 10 else f"{count:.1f} GB"
