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

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from stockscan_tui.feed.file_summary import (
    Entry,
    FileSummary,
    completed,
    entries_of,
    file_summary,
    that_look_like_dbn,
)
from stockscan_tui.market.text import printable
from stockscan_tui.ui.sheet import Sheet
from stockscan_tui.ui.widgets.field import PATH, Field
from stockscan_tui.ui.widgets.file_list import ABOVE, FileList, name_of, span_text

_KEYS = "Enter opens · Space marks · / filter · h up · ~ home · e path · Esc back"
_FILTER = "part of a name · Enter keeps it · Esc leaves it"
_PATH = "a folder or file · Tab completes · Enter opens · Esc leaves it"
_SNIFFED_AT_ONCE = 200


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


def _tail(path: Path, width: int) -> str:
    """Return a path in at most `width` signs, without its beginning where it is longer."""
    text = printable(path)
    return text if len(text) <= width else f"…{text[1 - width :]}"


def _about(entry: Entry, summary: FileSummary | None) -> str:
    """Return two lines on an entry: its whole name, and what it is."""
    name = printable(name_of(entry))
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
