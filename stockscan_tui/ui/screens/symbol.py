"""One symbol on the whole screen: its chart, and around it all that is known of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, cast

from textual import events, on
from textual.binding import BindingType
from textual.timer import Timer
from textual.widgets import Input

from stockscan_tui.market.calendar import new_york_time
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.ui.arrangement import PANELS, side_by_side
from stockscan_tui.ui.commands import EVERYWHERE, REPLAY, SYMBOL, bindings
from stockscan_tui.ui.exporting import write_view
from stockscan_tui.ui.figures import change_of
from stockscan_tui.ui.marks import mark_of
from stockscan_tui.ui.player import Player
from stockscan_tui.ui.ranking import Ranking
from stockscan_tui.ui.sheet import Page
from stockscan_tui.ui.studying import Studying
from stockscan_tui.ui.widgets.lines import HintLine, KeyLine
from stockscan_tui.ui.widgets.status import StatusLine
from stockscan_tui.ui.widgets.symbol.figures import Brief
from stockscan_tui.ui.widgets.symbol.listing import Listing
from stockscan_tui.ui.widgets.symbol.panels import Looked, Panels
from stockscan_tui.ui.widgets.symbol.title import JumpField, Titled, TitleLine
from stockscan_tui.ui.widgets.timeline import TimelineBar

INTERVALS = (1, 2, 5, 15, 60)
SAID_S = 10.0
BRIEF_FROM = 14
# Above and below the panels.
LINES = 4


class SymbolHost(Protocol):
    """What the application is to the symbol's screen."""

    def move_to(self, ns: int) -> None:
        """Move the market to an instant."""

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text."""


@dataclass(frozen=True, slots=True)
class Left:
    """How the screen was left: with which symbol, and for which list, empty for the same one."""

    symbol: str
    shown_list: str = ""


class SymbolScreen(Page[Left]):
    """Chart, figures, minutes, trades, bars and alerts of a symbol.

    The symbol is known by its name: its row is another one after a move through time. The screen
    is made once and shown again and again: to make it takes longer than to show a symbol.

    Args:
        ranking: The board's order; `n` and `N` walk along it.
        player: Reads what is stored of the symbol.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(SYMBOL)

    def __init__(self, ranking: Ranking, player: Player) -> None:
        super().__init__()
        self.symbol = ""
        self._ranking = ranking
        self._studying = Studying(player, self._was_read)
        self._snapshot: Snapshot | None = None
        self._seconds = 0.0
        self._row: int | None = None
        self._place = ""
        self._at = 0
        self._since: tuple[str, int] = ("", -1)
        self._since_ns = 0
        self._interval = 1
        self._quiet: Timer | None = None
        self._styled: tuple[str, frozenset[str]] = ("", frozenset())
        self._status = StatusLine()
        self._title = TitleLine()
        self._field = JumpField()
        self._panels = Panels(self._studying, ranking.picker)
        self._brief = Brief()
        self._timeline = TimelineBar()
        self._keys = KeyLine((*SYMBOL, *EVERYWHERE, *REPLAY))
        self._said = HintLine(id="said")

    def on_mount(self) -> None:
        self._hand, self._within = asyncio.get_running_loop(), copy_context()

    def prepare(self) -> None:
        """Make what is on the screen, if it is not there yet."""
        if self._panels.parent is None:
            self._field.display = self._said.display = False
            self.mount_all(
                (self._status, self._title, self._field, self._panels, self._brief,
                 self._timeline, self._keys, self._said)
            )  # fmt: skip

    def begin(self, symbol: str, snapshot: Snapshot, now_s: float) -> None:
        """Show a symbol from here on."""
        self.prepare()
        self._at = self._ranking.cursor
        self._panels.choose(PANELS[0])
        self._look_at(symbol)
        self.show(snapshot, now_s)

    def end(self) -> None:
        """Let go of the symbol."""
        self._studying.stop()
        self.symbol = ""

    def update_node_styles(self, animate: bool = True) -> None:
        # Textual does it whenever a screen comes back, though nothing may have changed.
        looks = (self.app.theme, self.classes)
        if self._styled != looks:
            self._styled = looks
            super().update_node_styles(animate)

    def on_screen_resume(self) -> None:
        if self._field.display:
            self._field.focus()
        else:
            self._panels.choose(self._panels.chosen)

    @property
    def _host(self) -> SymbolHost:
        return cast("SymbolHost", self.app)

    def on_resize(self, event: events.Resize) -> None:
        wide = side_by_side(event.size.width, event.size.height - LINES)
        self._brief.display = not wide and event.size.height >= BRIEF_FROM

    # --- pictures -------------------------------------------------------------------------------

    def show(self, snapshot: Snapshot, now_s: float) -> None:
        """Take a new picture."""
        self._snapshot, self._seconds = snapshot, now_s
        self._status.show(snapshot)
        self._timeline.show(snapshot)
        self._show_symbol()

    @on(Panels.Uncovered)
    def _show_symbol(self) -> None:
        s = self._snapshot
        if s is None or not self.symbol:
            return
        self._find(s)
        if (self.symbol, s.leap) != self._since:
            self._since, self._since_ns = (self.symbol, s.leap), s.event_ns
            self._place = self._placed()
        self._studying.look(s, self.symbol, self._seconds)
        self._show_title(s)
        self._panels.show(Looked(s, self._row, self._since_ns, self._interval))
        if self._brief.display:
            self._brief.show(s, self._row)

    def _find(self, s: Snapshot) -> None:
        row = self._row
        if row is None or row >= len(s.symbols) or s.symbols[row] != self.symbol:
            self._row = s.symbols.index(self.symbol) if self.symbol in s.symbols else None

    def _show_title(self, s: Snapshot) -> None:
        row = self._row
        if row is None:
            titled = Titled(self.symbol, place=self._place, absent=True)
        else:
            titled = Titled(
                symbol=self.symbol,
                price=float(s.mark[row]),
                change=change_of(s, row),
                marks=mark_of(s, row)[0],
                about=f"{self._interval} min",
                place=self._place,
            )
        self._title.show(titled)

    def _was_read(self) -> None:
        """Something of the symbol was read; called from the thread that reads."""
        # After the program's end there is no loop any more to hand it to.
        with suppress(RuntimeError):
            self._hand.call_soon_threadsafe(
                lambda: self.call_later(self._show_symbol), context=self._within
            )

    # --- other symbols --------------------------------------------------------------------------

    def open(self, symbol: str) -> None:
        """Show another symbol in the same way."""
        self._look_at(symbol)
        self._show_symbol()

    def _look_at(self, symbol: str) -> None:
        self.symbol, self._row = symbol, None
        self._panels.chart.clear_cross()
        self._panels.chart.follow()

    def _step(self, places: int) -> None:
        names = self._ranking.names
        if not names:
            return
        at = names.index(self.symbol) if self.symbol in names else self._at
        self._at = max(0, min(at + places, len(names) - 1))
        if names[self._at] == self.symbol:
            self.say("the last one of the list" if places > 0 else "the first one of the list")
        else:
            self.open(names[self._at])

    def _placed(self) -> str:
        """Return where the symbol stands on the list that it was opened from."""
        names, listed = self._ranking.names, self._ranking.list
        name = listed.name if listed is not None else "all"
        if self.symbol not in names:
            return f"not on the list {name}"
        self._at = names.index(self.symbol)
        return f"{self._at + 1} of {len(names):,} {name}"

    def action_next(self) -> None:
        """Show the next symbol of the list."""
        self._step(1)

    def action_previous(self) -> None:
        """Show the previous symbol of the list."""
        self._step(-1)

    def action_jump(self) -> None:
        """Type a symbol."""
        s = self._snapshot
        if s is None:
            return
        self._title.display = False
        self._field.begin([s.symbols[row] for row in s.by_symbol.tolist()])

    @on(Input.Changed)
    def _typed(self) -> None:
        field = self._field
        if field.display:
            self._tell("  ".join(field.offers) or "no symbol begins so")

    @on(Input.Submitted)
    def _jumped(self) -> None:
        field = self._field
        chosen, typed = field.chosen, field.value.strip()
        self._close_field()
        if chosen:
            self.open(chosen)
        elif typed:
            self.say(f"no symbol begins with {typed}")

    @on(JumpField.Left)
    def _close_field(self) -> None:
        self._field.display = False
        self._title.display = True
        self._hush()
        self._panels.focused.focus()

    # --- what is said ---------------------------------------------------------------------------

    def say(self, sentence: str) -> None:
        """Say something for a while, in place of the keys."""
        self._tell(sentence)
        self._quiet = self.set_timer(SAID_S, self._hush)

    def _tell(self, sentence: str) -> None:
        if self._quiet is not None:
            self._quiet.stop()
        self._said.show(" " + printable(sentence))
        self._said.display, self._keys.display = True, False

    def _hush(self) -> None:
        if self._quiet is not None:
            self._quiet.stop()
        self._said.display, self._keys.display = False, True

    # --- panels ---------------------------------------------------------------------------------

    def action_panel(self, step: int) -> None:
        """Go to the next panel, or to the one before."""
        self._panels.step(step)

    # --- the chart ------------------------------------------------------------------------------

    def action_interval(self, step: int) -> None:
        """Show bars of the next interval, or of the one before."""
        at = INTERVALS.index(self._interval) + step
        self._interval = INTERVALS[at % len(INTERVALS)]
        self._show_symbol()

    def action_cross(self, step: int) -> None:
        """Move the crosshair; with the focus on the minutes, their cursor."""
        if self._panels.chosen == "strip":
            self._panels.strip.move_by(step)
        else:
            self._panels.chart.cross(step)

    def action_pan(self, step: int) -> None:
        """Move the chart through time."""
        self._panels.chart.pan(step)

    def action_zoom(self, step: int) -> None:
        """Draw wider candles, or narrower ones."""
        self._panels.chart.zoom(step)

    # --- lists ----------------------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        """Move in the list that has the focus, by hours among the minutes."""
        if self._panels.chosen == "strip":
            self._panels.strip.move_by(60 * rows)
        elif self._panels.listing is not None:
            self._panels.listing.move_by(rows)

    def action_page(self, halves: int) -> None:
        """Move by half pages."""
        if self._panels.listing is not None:
            self._panels.listing.move_by(halves * max(self._panels.listing.page // 2, 1))

    def action_end(self, bottom: int) -> None:
        """Move to the first row, or to the last."""
        if self._panels.listing is not None:
            self._panels.listing.move_to(self._panels.listing.count - 1 if bottom else 0)

    def action_sort(self) -> None:
        """Sort the bars by the next column."""
        self._panels.table.sort_next()

    def action_reverse(self) -> None:
        """Turn the order of the bars round."""
        self._panels.table.turn()

    @on(Listing.Chosen)
    def action_enter(self) -> None:
        """Move the market to the instant of the alert under the cursor."""
        fired = self._panels.alerts.chosen
        if self._panels.chosen == "alerts" and fired is not None:
            self._host.move_to(fired.ts_ns)

    def action_copy(self) -> None:
        """Copy the row under the cursor, else the symbol."""
        row = self._panels.listing.copied() if self._panels.listing is not None else ""
        self._host.copy_to_clipboard(row or self.symbol)
        self.say("copied the row" if row else f"copied {self.symbol}")

    def action_export(self) -> None:
        """Write the bars, or a picture, to a file."""
        from stockscan_tui.ui.screens.export import ExportScreen  # noqa: PLC0415

        s = self._snapshot
        if s is None or self._row is None:
            return
        table = self._panels.table
        table.show(self._studying.bars(s, self._row), self._interval, reading=False)
        exported = table.exported()

        async def write(path: Path | None) -> None:
            if path is not None:
                picture = self.app.export_screenshot() if path.suffix == ".svg" else ""
                self.say(await write_view(path, picture, lambda: exported))

        safe = "".join(c if c.isalnum() or c in ".-" else "_" for c in self.symbol)
        when = new_york_time(s.event_ns)
        name = f"stockscan-{safe}-{self._interval}m-{when:%Y%m%d-%H%M%S}.csv"
        what = f"{table.count:,} bars of {self.symbol}"
        self.app.push_screen(ExportScreen(Path.cwd() / name, what), write)

    # --- back -----------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Go back to the board, to the row of this symbol."""
        self.dismiss(Left(self.symbol))

    def action_list(self, key: str) -> None:
        """Go back to the board, to another list."""
        self.dismiss(Left(self.symbol, key))
