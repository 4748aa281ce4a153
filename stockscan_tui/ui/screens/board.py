"""The board: status, order and filter, the leaderboard, and the selected symbol where it fits."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Input

from stockscan_tui.errors import UsageError
from stockscan_tui.market.filters import SymbolFilter, parse_filter
from stockscan_tui.market.snapshot import LIVE_PHASES, Phase, Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.commands import BOARD, EVERYWHERE, bindings
from stockscan_tui.ui.ranking import Ranking
from stockscan_tui.ui.widgets.detail import Detail
from stockscan_tui.ui.widgets.leaderboard import Leaderboard
from stockscan_tui.ui.widgets.lines import HintLine, KeyLine, SummaryLine
from stockscan_tui.ui.widgets.status import StatusLine

PANEL_FROM = 170
STRIP_FROM = 112
STRIP_ROWS_FROM = 32
HINT_S = 60.0
# A live feed goes on for hours after what went wrong once.
PROBLEM_S = 60.0
DETAIL_AFTER_S = 0.15


class FilterInput(Input):
    """The filter while it is being typed: Enter keeps it, Esc brings the former one back."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "screen.restore_filter", "Restore")]


class BoardScreen(Screen[None]):
    """The first screen.

    Args:
        ranking: The order of the rows.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(BOARD)

    def __init__(self, ranking: Ranking) -> None:
        super().__init__()
        self._ranking = ranking
        self._snapshot: Snapshot | None = None
        self._now_s = 0.0
        self._began_s = 0.0
        self._former = SymbolFilter()
        self._refused = ""
        self.held = False
        self._detail_waits = False
        self._problems_told = 0
        self._problem_since_s = 0.0
        self.ready = False

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield SummaryLine()
        yield FilterInput(placeholder="symbols that begin with, as in: NV AA", compact=True)
        with Horizontal(id="middle"):
            with Vertical(id="table"):
                yield Leaderboard(self._ranking)
                yield Detail(id="strip")
            yield Detail(id="panel")
        yield HintLine()
        yield KeyLine((*BOARD, *EVERYWHERE))

    def on_mount(self) -> None:
        self.query_one(FilterInput).display = False
        self.query_one(Leaderboard).focus()
        self.ready = True

    def on_unmount(self) -> None:
        self.ready = False

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        panel = width >= PANEL_FROM
        self.query_one("#panel").display = panel
        tall = height >= STRIP_ROWS_FROM
        self.query_one("#strip").display = not panel and width >= STRIP_FROM and tall
        self.query_one(HintLine).display = height >= 20

    # --- pictures -------------------------------------------------------------------------------

    def show(self, snapshot: Snapshot, now_s: float) -> None:
        """Take a new picture; the order is made anew when it is time to."""
        self._began_s = self._began_s or now_s
        self._snapshot = snapshot
        self._now_s = now_s
        board = self.query_one(Leaderboard)
        before = self._ranking.cursor
        if self._ranking.update(snapshot, now_s) and self._ranking.cursor != before:
            board.follow(before)
        board.show(snapshot, now_s)
        board.set_class(snapshot.feed.phase is Phase.DOWN, "-stale")
        self.query_one(StatusLine).show(snapshot)
        self._show_lines(snapshot)
        # Drawn after the rows: a whole frame at once would hold a key up.
        self._detail_waits = True
        self.set_timer(DETAIL_AFTER_S, self._show_selected)

    @property
    def drawn(self) -> bool:
        """Whether everything is that of the newest picture."""
        return not self._detail_waits and self.query_one(Leaderboard).drawn

    def _show_lines(self, snapshot: Snapshot) -> None:
        summary = self.query_one(SummaryLine)
        summary.show(
            self._ranking.key,
            ascending=self._ranking.ascending,
            matching=len(self._ranking.rows),
            total=len(snapshot.symbols),
            filtered=str(self._ranking.chosen),
        )
        if self._refused:
            summary.warn(self._refused)
        elif snapshot.health.store_error:
            summary.warn(snapshot.health.store_error)
        elif snapshot.feed.phase is Phase.DOWN:
            since = fmt.clock(snapshot.event_ns)
            summary.warn(f"{snapshot.feed.message} · prices as of {since}")
        elif self.held:
            summary.warn(f"held at {fmt.clock(snapshot.event_ns)} · space goes on")
        elif not snapshot.closes_known:
            summary.warn("no previous closes: changes are from the day's first trade")
        self.query_one(HintLine).show(self._hint(snapshot))

    def _hint(self, snapshot: Snapshot) -> str:
        if self.query_one(FilterInput).display:
            matching = f"{len(self._ranking.rows):,} match · Enter keeps · Esc restores"
            return " " + printable(self._refused or matching)
        problems = snapshot.health.problems
        if len(problems) != self._problems_told:
            self._problems_told = len(problems)
            self._problem_since_s = self._now_s
        lasting = snapshot.feed.phase not in LIVE_PHASES
        if problems and (lasting or self._now_s - self._problem_since_s < PROBLEM_S):
            return " " + printable(problems[-1])
        if snapshot.feed.phase is Phase.ENDED:
            bars = f"{snapshot.health.bars:,} bars are saved"
            return f" end of file at {fmt.clock(snapshot.event_ns)} · {bars} · q quits"
        if snapshot.health.gaps:
            return " " + _proof(snapshot)
        if self._now_s - self._began_s < HINT_S:
            return " j/k move · Enter open · / filter · s sort · ? all keys"
        health = snapshot.health
        return f" {health.records:,} records · {health.trades:,} trades · {health.bars:,} bars"

    def _show_selected(self) -> None:
        self._detail_waits = False
        if self._snapshot is None or not self.ready:
            return
        for detail in self.query(Detail):
            if detail.display:
                detail.show(self._snapshot, self._ranking.selected)

    def _refresh_order(self) -> None:
        if self._snapshot is None:
            return
        self._ranking.update(self._snapshot, self._now_s, force=True)
        board = self.query_one(Leaderboard)
        board.redraw()
        board.reveal()
        self._show_lines(self._snapshot)
        self._show_selected()

    # --- movement -------------------------------------------------------------------------------

    def _move(self, place: int) -> None:
        before = self._ranking.cursor
        self._ranking.move_to(place, self._now_s)
        board = self.query_one(Leaderboard)
        board.redraw_cursor(before, self._ranking.cursor)
        board.reveal()
        self._show_selected()

    def action_down(self) -> None:
        """Select the next row."""
        self._move(self._ranking.cursor + 1)

    def action_up(self) -> None:
        """Select the previous row."""
        self._move(self._ranking.cursor - 1)

    def action_top(self) -> None:
        """Select the first row."""
        self._move(0)

    def action_bottom(self) -> None:
        """Select the last row."""
        self._move(len(self._ranking.rows) - 1)

    def action_half_down(self) -> None:
        """Move half a page down."""
        self._move(self._ranking.cursor + self.query_one(Leaderboard).page // 2)

    def action_half_up(self) -> None:
        """Move half a page up."""
        self._move(self._ranking.cursor - self.query_one(Leaderboard).page // 2)

    def action_page_down(self) -> None:
        """Move a page down."""
        self._move(self._ranking.cursor + self.query_one(Leaderboard).page)

    def action_page_up(self) -> None:
        """Move a page up."""
        self._move(self._ranking.cursor - self.query_one(Leaderboard).page)

    @on(Leaderboard.RowClicked)
    def _row_clicked(self, event: Leaderboard.RowClicked) -> None:
        if event.place < len(self._ranking.rows):
            self._move(event.place)

    # --- order and filter -----------------------------------------------------------------------

    def action_sort(self) -> None:
        """Sort by the next column, largest first."""
        keys = [column.key for column in self.query_one(Leaderboard).columns]
        if not keys:
            return
        at = keys.index(self._ranking.key) if self._ranking.key in keys else -1
        self._ranking.key = keys[(at + 1) % len(keys)]
        self._ranking.ascending = False
        self._refresh_order()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._ranking.ascending = not self._ranking.ascending
        self._refresh_order()

    @on(Leaderboard.HeadClicked)
    def _head_clicked(self, event: Leaderboard.HeadClicked) -> None:
        self._ranking.sort_by(event.key)
        self._refresh_order()

    def action_filter(self) -> None:
        """Type a filter."""
        self._former = self._ranking.chosen
        field = self.query_one(FilterInput)
        field.value = str(self._ranking.chosen)
        field.display = True
        self.query_one(SummaryLine).display = False
        field.focus()

    def action_clear_filter(self) -> None:
        """Show all symbols."""
        self._refused = ""
        self._ranking.chosen = SymbolFilter()
        self._refresh_order()

    def action_restore_filter(self) -> None:
        """Leave the field with the filter as it was before."""
        self._ranking.chosen = self._former
        self._close_field()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        field = self.query_one(FilterInput)
        if not field.display:
            return
        try:
            self._ranking.chosen = parse_filter(event.value)
            self._refused = ""
        except UsageError as error:
            self._refused = str(error)
        self._refresh_order()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._close_field()

    def _close_field(self) -> None:
        self._refused = ""
        self.query_one(FilterInput).display = False
        self.query_one(SummaryLine).display = True
        self.query_one(Leaderboard).focus()
        self._refresh_order()


def _proof(snapshot: Snapshot) -> str:
    """Return what became of the feed's gaps."""
    health = snapshot.health
    open_ones = health.gaps - health.healed
    gaps = "1 gap" if health.gaps == 1 else f"{health.gaps} gaps"
    if open_ones == 0:
        passed = f"{health.repeated:,} repeated records passed over"
        return f"{gaps} healed, no record missing · {passed} · {health.bars:,} bars"
    mending = " · mending" if snapshot.feed.phase is not Phase.LIVE else ""
    return f"{gaps}, {health.healed} healed · {open_ones} open: see feed_gaps{mending}"
