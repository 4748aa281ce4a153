"""Which columns a list has, in which order and how wide; the board behind shows it at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from stockscan_tui.config.checks import WIDTHS
from stockscan_tui.errors import UsageError
from stockscan_tui.market.metrics import (
    REGISTRY,
    MetricKey,
    Takes,
    metric_of,
    parse_metric,
    title_of,
)
from stockscan_tui.market.text import printable
from stockscan_tui.ui.commands import Command, bindings
from stockscan_tui.ui.format import fit
from stockscan_tui.ui.sheet import Sheet
from stockscan_tui.ui.widgets.field import WORDS, Field

# What a column without a width is taken to have, in cells.
USUAL_WIDTH = 8
MARK_WIDTH = 2
KEYS_WIDTH = 76

ANYWHERE = (
    Command("help", "question_mark", "app.help", "?", "", "This list of keys and columns"),
    Command("theme", "ctrl+t", "app.next_theme", "ctrl-t", "", "Next theme"),
)
MOVES = (
    Command("down", "j,down", "step(1)", "j ↓", "", "Next line"),
    Command("up", "k,up", "step(-1)", "k ↑", "", "Previous line"),
    Command("top", "g,home", "edge(0)", "g", "", "First line"),
    Command("bottom", "G,end", "edge(1)", "G", "", "Last line"),
    Command("half_down", "ctrl+d", "half(1)", "ctrl-d", "", "Half a page down"),
    Command("half_up", "ctrl+u", "half(-1)", "ctrl-u", "", "Half a page up"),
    Command("page_down", "pagedown", "half(2)", "PgDn", "", "A page down"),
    Command("page_up", "pageup", "half(-2)", "PgUp", "", "A page up"),
)
COLUMNS = (
    Command("keep", "enter", "screen.keep", "Enter", "keep", "Keep the columns"),
    Command("back", "escape", "screen.back", "Esc", "as it was", "Leave all as it was"),
    Command("show", "space", "screen.show", "space", "show, hide", "Show a column, or hide it"),
    Command("later", "J", "screen.shift(1)", "J", "later", "Move the column one place on"),
    Command("earlier", "K", "screen.shift(-1)", "K", "earlier", "Move the column one place back"),
    Command("wider", "plus", "screen.widen(1)", "+", "wider", "Wider by a cell"),
    Command("narrower", "minus", "screen.widen(-1)", "-", "narrower", "Narrower by a cell"),
    Command("find", "slash", "screen.find", "/", "find", "Find a metric by its name or meaning"),
    Command("new", "n", "screen.new", "n", "with (…)", "Add one in words: rsi(14, 5m), high(pre)"),
    Command("reset", "R", "screen.reset", "R", "board's own", "The board's own columns again"),
    Command("leave", "q", "screen.leave", "q", "", "Leave all as it was"),
)


def linked(commands: tuple[Command, ...]) -> Content:
    """Return the keys of commands that have a label; a click on one does what it does.

    A line is broken between two commands alone, so that it fits a screen of 80 cells.
    """
    lines: list[list[Content]] = [[]]
    room = KEYS_WIDTH
    for command in commands:
        if not command.label:
            continue
        words = f"{command.shown} {command.label}"
        if len(words) > room:
            lines.append([])
            room = KEYS_WIDTH
        room -= len(words) + 2
        link = Content.styled(words, Style.from_meta({"@click": command.action}))
        lines[-1].append(link.stylize("bold", 0, len(command.shown)))
    return Content("\n").join(Content("  ").join(line) for line in lines)


@dataclass(frozen=True, slots=True)
class ColumnsChoice:
    """What was chosen.

    Attributes:
        columns: The columns to show, in order; one at least.
        widths: Cells of those columns whose width was changed.
    """

    columns: tuple[MetricKey, ...]
    widths: Mapping[MetricKey, int]


class Rows(OptionList, inherit_bindings=False):
    """A list of lines; a click on the selected one, or on a line's first cells, presses it."""

    class Pressed(Message):
        """The selected line was pressed with the mouse."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVES)

    def on_click(self, event: events.Click) -> None:
        place = event.style.meta.get("option")
        if place is not None and (place == self.highlighted or event.x < MARK_WIDTH):
            self.highlighted = place
            self.post_message(self.Pressed())

    def show(self, lines: list[Text], place: int) -> None:
        """Show other lines, and select the one at `place` or the last."""
        top = self.scroll_offset.y
        self.set_options([Option(line) for line in lines])
        self.scroll_to(y=top, animate=False, force=True, immediate=True)
        self.highlighted = min(max(place, 0), len(lines) - 1) if lines else None

    def action_step(self, lines: int) -> None:
        """Select another line, that many further on."""
        if self.option_count:
            self.highlighted = min(max((self.highlighted or 0) + lines, 0), self.option_count - 1)

    def action_edge(self, last: int) -> None:
        """Select the first line, or for 1 the last."""
        self.action_step(self.option_count * (1 if last else -1))

    def action_half(self, halves: int) -> None:
        """Move by half pages."""
        self.action_step(max(self.size.height // 2, 1) * halves)


class _Draft:
    """The columns while they are being chosen.

    What is shown stands first in its order; what was hidden just now keeps its place there.
    """

    def __init__(
        self, chosen: tuple[MetricKey, ...], default: tuple[MetricKey, ...], own: Collection[str]
    ) -> None:
        self._default = default
        plain = (
            # An indicator has no meaning without its period.
            parse_metric(metric.example) if metric.takes is Takes.PERIOD else MetricKey(name)
            for name, metric in REGISTRY.items()
        )
        self._known = dict.fromkeys((*plain, *map(MetricKey, own), *default, *chosen))
        self._places = {name: place for place, name in enumerate((*REGISTRY, *own))}
        self.upper = list(chosen)
        self.shown = set(chosen)

    @property
    def columns(self) -> tuple[MetricKey, ...]:
        """What is shown, in order."""
        return tuple(key for key in self.upper if key in self.shown)

    def rows(self, sought: str = "") -> list[MetricKey]:
        """Return all metrics, or those that a text names; the best matches first."""
        upper = set(self.upper)
        rest = [key for key in self._known if key not in upper]
        rest.sort(key=lambda key: (self._places[key.name], key.window, key.span, key.period))
        words = sought.casefold().split()
        found = [key for key in (*self.upper, *rest) if all(w in _said(key) for w in words)]
        if words:
            found.sort(key=lambda key: not _said(key).startswith(words[0]))
        return found

    def toggle(self, key: MetricKey) -> None:
        """Show a column, the last one if it is new, or hide it."""
        if key in self.shown:
            self.shown.remove(key)
            return
        self._known[key] = None
        self.shown.add(key)
        if key not in self.upper:
            self.upper.append(key)

    def shift(self, key: MetricKey, places: int) -> None:
        """Move a column on or back."""
        at = self.upper.index(key)
        to = min(max(at + places, 0), len(self.upper) - 1)
        self.upper.insert(to, self.upper.pop(at))

    def reset(self) -> None:
        """Take the board's own columns."""
        self.upper = list(self._default)
        self.shown = set(self._default)


def _said(key: MetricKey) -> str:
    return f"{key} {title_of(key)} {metric_of(key.name).doc}".casefold()


class ColumnsScreen(Sheet[ColumnsChoice | None]):
    """Choose, order and widen the columns of a list; None leaves them as they were.

    Args:
        list_name: The list's name.
        chosen: Its columns now.
        default: The board's own columns.
        widths: Cells of columns now; one that is not there is taken to have USUAL_WIDTH.
        own: The names of the columns of the user's table.
        preview: Called with the columns after each change, and as they were when it is left.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings((*COLUMNS, *ANYWHERE)),
        # While a word is typed, these still move.
        ("down", "step(1)", "Next line"),
        ("up", "step(-1)", "Previous line"),
    ]

    def __init__(
        self,
        list_name: str,
        chosen: tuple[MetricKey, ...],
        *,
        default: tuple[MetricKey, ...],
        widths: Mapping[MetricKey, int],
        own: Collection[str] = (),
        preview: Callable[[tuple[MetricKey, ...]], None] | None = None,
    ) -> None:
        super().__init__()
        self._list_name = list_name
        self._before = chosen
        self._given = widths
        self._own = tuple(own)
        self._preview = preview
        self._draft = _Draft(chosen, default, self._own)
        self._widths: dict[MetricKey, int] = {}
        self._rows: list[MetricKey] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Rows()
            yield Static(id="about", markup=False)
            yield Field(id="find", most=WORDS, compact=True,
                        placeholder="a word of its name or meaning")  # fmt: skip
            yield Field(id="new", most=WORDS, compact=True,
                        placeholder="rsi(14, 5m), high(pre), chg(10m)")  # fmt: skip
            yield Static(id="said", markup=False)
            yield Static(linked(COLUMNS), id="keys")

    def on_mount(self) -> None:
        self._close_fields()
        self._show(self._before[0] if self._before else None)

    # --- what is shown --------------------------------------------------------------------------

    @property
    def _selected(self) -> MetricKey | None:
        place = self.query_one(Rows).highlighted
        return self._rows[place] if place is not None and place < len(self._rows) else None

    def _width(self, key: MetricKey) -> int:
        return self._widths.get(key, self._given.get(key, USUAL_WIDTH))

    def _show(self, select: MetricKey | None) -> None:
        """Show the metrics as they stand now."""
        sought = self.query_one("#find", Input).value.strip()
        self._rows = self._draft.rows(sought)
        place = self._rows.index(select) if select in self._rows else 0
        self.query_one(Rows).show([self._line(key) for key in self._rows], place)
        title = f"Columns of {printable(self._list_name)}" + (f" · /{sought}" if sought else "")
        self.query_one("#box").border_title = Content(printable(title))
        self._show_about()

    def _line(self, key: MetricKey) -> Text:
        shown = key in self._draft.shown
        line = Text("✓ " if shown else "  ", no_wrap=True, overflow="ellipsis")
        line.append(fit(title_of(key), 10), "bold" if shown else "")
        line.append(fit(str(key), 18))
        line.append(f"{self._width(key):>3}  " if shown else "     ")
        return line.append(metric_of(key.name).doc)

    def _show_about(self) -> None:
        key = self._selected
        if key is None:
            self.query_one("#about", Static).update("No metric is called so or means that.")
            return
        metric = metric_of(key.name)
        about = Text.assemble(
            (printable(str(key)), "bold"), f" · {metric.unit.value}", f" · {self._width(key)} cells"
        )
        about.append(f"\n{metric.doc}")
        if metric.takes is not Takes.NOTHING:
            about.append(f" Takes {metric.takes.value} (key n).")
        self.query_one("#about", Static).update(about)

    def _say(self, sentence: str) -> None:
        said = self.query_one("#said", Static)
        said.update(printable(sentence))
        said.display = bool(sentence)

    def _changed(self, select: MetricKey | None) -> None:
        self._say("")
        self._show(select)
        if self._preview is not None:
            self._preview(self._draft.columns)

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self._show_about()

    # --- columns --------------------------------------------------------------------------------

    def action_step(self, lines: int) -> None:
        """Select another metric."""
        self.query_one(Rows).action_step(lines)

    @on(Rows.Pressed)
    def action_show(self) -> None:
        """Show the selected column, or hide it."""
        key = self._selected
        if key is None:
            return
        if self._draft.columns == (key,):
            self._say("One column at least has to be shown.")
            return
        self._draft.toggle(key)
        self._changed(key)

    def action_shift(self, places: int) -> None:
        """Move the selected column on or back."""
        key = self._selected
        if key is not None and key in self._draft.upper:
            self._draft.shift(key, places)
            self._changed(key)
        elif key is not None:
            self._say(f"{key} is not shown: space shows it.")

    def action_widen(self, cells: int) -> None:
        """Make the selected column wider or narrower."""
        key = self._selected
        if key is not None:
            wanted = self._width(key) + cells
            self._widths[key] = min(max(wanted, WIDTHS.start), WIDTHS.stop - 1)
            self._changed(key)

    def action_reset(self) -> None:
        """Take the board's own columns again, and the widths as they were."""
        self._widths.clear()
        self._draft.reset()
        self._changed(self._selected)

    # --- fields ---------------------------------------------------------------------------------

    def _open_field(self, name: str, value: str) -> None:
        self._close_fields()
        field = self.query_one(f"#{name}", Input)
        field.value = value
        field.display = True
        field.focus()

    def _close_fields(self) -> None:
        self._say("")
        for field in self.query(Input):
            field.display = False
        self.query_one(Rows).focus()

    def action_find(self) -> None:
        """Type what to look for."""
        self._open_field("find", self.query_one("#find", Input).value)

    @on(Input.Changed, "#find")
    def _sought(self, event: Input.Changed) -> None:
        self._show(None if event.value else self._selected)

    def action_new(self) -> None:
        """Type a metric with what stands in its brackets."""
        key = self._selected
        takes = key is not None and metric_of(key.name).takes is not Takes.NOTHING
        self._open_field("new", f"{key.name}(" if key is not None and takes else "")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "find":
            self._close_fields()
            return
        try:
            key = parse_metric(event.value.lower(), self._own)
        except UsageError as error:
            self._say(str(error))
            return
        self.query_one("#find", Input).value = ""
        self._close_fields()
        if key not in self._draft.shown:
            self._draft.toggle(key)
        self._changed(key)

    # --- leaving --------------------------------------------------------------------------------

    def action_keep(self) -> None:
        """Keep what was chosen."""
        columns = self._draft.columns
        widths = {
            key: cells
            for key, cells in self._widths.items()
            if key in columns and cells != self._given.get(key, USUAL_WIDTH)
        }
        self.dismiss(ColumnsChoice(columns, widths))

    def action_back(self) -> None:
        """Close the field that is open, or else leave all as it was."""
        for field in self.query(Input):
            if field.display:
                field.value = ""
                self._close_fields()
                return
        self.action_leave()

    def action_leave(self) -> None:
        """Leave all as it was."""
        if self._preview is not None and self._draft.columns != self._before:
            self._preview(self._before)
        self.dismiss(None)
