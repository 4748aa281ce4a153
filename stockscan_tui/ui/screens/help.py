"""Everything that can be typed, from the tables that define it, with a field to search it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, Static

from stockscan_tui.market.limits import LIMITS
from stockscan_tui.market.metrics import REGISTRY
from stockscan_tui.market.text import printable
from stockscan_tui.scan.gates import SHIPPED, Gates
from stockscan_tui.scan.lists import Toplist, lists
from stockscan_tui.ui.commands import (
    ALERTS,
    BOARD,
    EVERYWHERE,
    HEALTH,
    REPLAY,
    RULES,
    SYMBOL,
    Command,
)
from stockscan_tui.ui.marks import MARKS, NOT_OFFICIAL
from stockscan_tui.ui.sheet import Sheet
from stockscan_tui.ui.widgets.field import WORDS, Field

Section = tuple[str, Sequence[Command]]
SECTIONS: tuple[Section, ...] = (
    ("Everywhere", EVERYWHERE),
    ("Board", BOARD),
    ("Symbol", SYMBOL),
    ("Alerts, after a", ALERTS),
    ("Rules, after r", RULES),
    ("Health panel, after h", HEALTH),
    ("Through time", REPLAY),
)

# What a filter may say, and what it means.
EXAMPLES = (
    ("NV AAP", "symbols that begin with NV or with AAP"),
    ("chg > 5", "up more than 5 % against the previous close"),
    ("mark < 5 and chg >= 5 and rvol >= 3", "low-priced, up 5 % or more, triple usual volume"),
    ("chg 3..8", "a range, both ends included; chg -8..-3 for falls"),
    ("chg(5m) > 2 or chg(5m) < -2", "moved over 2 % within five minutes, either way"),
    ("dvol > 100k and not warrant", "numbers take k m b %; warrant needs no comparison"),
    ("rsi(14, 5m) < 30", "an indicator: 14 bars of five minutes"),
    ("mark > vwap and mark > ema(20)", "metrics against each other; + - * / and brackets too"),
    ("crosses_above(mark, vwap)", "has just risen through the volume-weighted average"),
    ("high(5m) >= high and gap > 3", "at a new high after a gap up; high(pre) names a session"),
    ('sector = "Health Care"', "a column of words in your own table"),
    ("@cheap and watched(tech)", "a filter saved as cheap; symbols of the watchlist tech"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the help: what is typed or seen, what it means, and other words it goes by."""

    cells: tuple[str, ...]
    also: str = ""

    def matches(self, words: Sequence[str]) -> bool:
        """Return whether every word stands in it, a single sign at the beginning of one."""
        text = " ".join((*self.cells, self.also)).casefold()
        if len(words) == 1 and len(words[0]) == 1:
            return any(word.startswith(words[0].casefold()) for word in text.split())
        return all(word.casefold() in text for word in words)

    def is_key(self, sign: str) -> bool:
        """Return whether it is what the key `sign` does."""
        return sign in self.cells[0].split()


class HelpScreen(Sheet[None]):
    """A sheet over what was there; Esc closes it, typing narrows it.

    Args:
        sections: Titles with the commands under them.
        toplists: The lists there are; those that are shipped unless told.
        gates: The gates that are on; None for none.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,question_mark,q", "dismiss", "Close"),
        ("j,down", "scroll(1)", "Down"),
        ("k,up", "scroll(-1)", "Up"),
        ("ctrl+d,pagedown", "page(1)", "A page down"),
        ("ctrl+u,pageup", "page(-1)", "A page up"),
        ("g,home", "end(0)", "Top"),
        ("G,end", "end(1)", "Bottom"),
        ("slash", "search", "Search"),
    ]

    def __init__(
        self,
        sections: Sequence[Section] = SECTIONS,
        toplists: Sequence[Toplist] | None = None,
        gates: Gates | None = SHIPPED,
    ) -> None:
        super().__init__()
        shown = lists() if toplists is None else toplists
        self._parts = (*_command_parts(sections), *_other_parts(shown, gates))

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Keys, metrics and filters"
            yield Field(id="search", most=WORDS, placeholder="type to search", compact=True,
                        select_on_focus=False)  # fmt: skip
            with VerticalScroll(id="sheet"):
                for title, rows in self._parts:
                    yield Static(_table(title, rows), classes="part")
                yield Static("Nothing here has these words.", id="none")

    def on_mount(self) -> None:
        self._sheet = self.query_one("#sheet", VerticalScroll)
        self._field = self.query_one("#search", Input)
        self._sheet.focus()
        self._narrow("")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._narrow(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._sheet.focus()

    def _narrow(self, text: str) -> None:
        words, shown = text.split(), 0
        keys = len(text) == 1 and any(row.is_key(text) for _, rows in self._parts for row in rows)
        for part, (title, rows) in zip(
            self.query(".part").results(Static), self._parts, strict=True
        ):
            found = [row for row in rows if (row.is_key(text) if keys else row.matches(words))]
            shown += len(found)
            part.display = bool(found)
            if found:
                part.update(_table(title, found))
        self.query_one("#none").set_class(shown == 0, "-shown")
        counted = f"{shown} found · " if words else ""
        box = self.query_one("#box")
        box.border_subtitle = f"{counted}/ or type to search · j k scroll · Esc closes"
        self._sheet.scroll_home(animate=False)

    def on_key(self, event: events.Key) -> None:
        """Begin a search with any key that has no other meaning here."""
        free = event.key not in self.active_bindings and not self._field.has_focus
        if event.is_printable and event.character and free:
            event.stop()
            # At once: the next key may be here already.
            self.set_focus(self._field)
            self._field.insert_text_at_cursor(event.character)

    def action_search(self) -> None:
        """Go to the field."""
        self.set_focus(self._field)

    def action_scroll(self, lines: int) -> None:
        """Scroll the sheet."""
        self._sheet.scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll the sheet by pages."""
        self.action_scroll(pages * max(self._sheet.size.height - 1, 1))

    def action_end(self, bottom: int) -> None:
        """Scroll to the top or to the bottom."""
        if bottom:
            self._sheet.scroll_end(animate=False)
        else:
            self._sheet.scroll_home(animate=False)


def _command_parts(sections: Sequence[Section]) -> Iterable[tuple[str, list[Row]]]:
    for title, commands in sections:
        rows = [Row((c.shown, c.doc), also=f"{c.id} {c.label}") for c in commands]
        yield title, rows


def _other_parts(
    toplists: Sequence[Toplist], gates: Gates | None
) -> Iterable[tuple[str, list[Row]]]:
    yield (
        "Metrics, for columns, filters and --sort",
        [Row((m.example, m.unit.value, m.doc), also=m.title) for m in REGISTRY.values()],
    )
    yield "Filters", [Row(example, also="filter expression") for example in EXAMPLES]
    marks = [Row((mark.word, mark.doc), also="mark") for mark in (*MARKS, NOT_OFFICIAL)]
    yield "Marks beside a symbol", [*marks, Row(("★", "on the current watchlist"), also="mark")]
    yield "Lists", [_list_row(toplist) for toplist in toplists]
    yield (
        "Limits of the health panel",
        [
            Row(
                (limit.title, f"{limit.doc}{' · ' * bool(limit.words)}{limit.words}"), also="health"
            )
            for limit in LIMITS.values()
        ],
    )
    if gates is not None:
        yield (
            "Gates: who is on the board (x lifts them)",
            [
                Row((name, printable(text) or "everybody"), also="gates")
                for name, text in (
                    ("pre-market", gates.pre),
                    ("regular hours", gates.regular),
                    ("after hours", gates.post),
                )
            ],
        )


def _list_row(toplist: Toplist) -> Row:
    order = f"{toplist.sort}, {'smallest' if toplist.ascending else 'largest'} first"
    condition = f" · {printable(toplist.filter)}" if toplist.filter else ""
    name = f"{toplist.key} {printable(toplist.name)}".strip()
    return Row((name, f"{order}{condition}"), also="list")


def _table(title: str, rows: Sequence[Row]) -> Table:
    table = Table(
        box=None,
        show_header=False,
        title=title,
        title_justify="left",
        title_style="bold underline",
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    cells = max((len(row.cells) for row in rows), default=2)
    wide = max((len(row.cells[0]) for row in rows), default=0) > 18
    table.add_column(width=36 if wide and cells == 2 else 18)
    if cells == 3:
        table.add_column(width=8)
    table.add_column()
    for row in rows:
        table.add_row(Text(row.cells[0], "bold"), *(Text(cell) for cell in row.cells[1:]))
    return table
