"""The board: status, lists and filter, the leaderboard, and the selected symbol where it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from stockscan_tui.errors import UsageError
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.metrics import MetricKey, indicator_of
from stockscan_tui.market.snapshot import Phase, Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.scan.expression import Expression, ExpressionError, parse
from stockscan_tui.scan.lists import Toplist
from stockscan_tui.ui.columns import Column
from stockscan_tui.ui.commands import BOARD, EVERYWHERE, bindings
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.keeping import Keeping
from stockscan_tui.ui.ranking import Ranking
from stockscan_tui.ui.widgets.alerts.recent import AlertLine, RecentAlerts
from stockscan_tui.ui.widgets.detail import Detail
from stockscan_tui.ui.widgets.filter_field import FilterField
from stockscan_tui.ui.widgets.leaderboard import Leaderboard
from stockscan_tui.ui.widgets.lines import HintLine, KeyLine, ListLine
from stockscan_tui.ui.widgets.status import StatusLine
from stockscan_tui.ui.widgets.timeline import TimelineBar
from stockscan_tui.ui.wording import Telling, proof_of

PANEL_FROM = 170
STRIP_FROM = 112
STRIP_ROWS_FROM = 32
ALERT_LINE_FROM = 16
DETAIL_AFTER_S = 0.15
DETAIL_AFTER_MOVE_S = 0.05


class BoardScreen(Screen[None]):
    """The first screen.

    Args:
        ranking: The order of the rows.
        desk: Lists, saved filters and columns.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(BOARD)

    def __init__(self, ranking: Ranking, desk: Desk) -> None:
        super().__init__()
        self._ranking = ranking
        self._telling = Telling(ranking)
        self._lists = list(desk.lists)
        self._names = desk.names
        self.keeping = Keeping(self, ranking, desk)
        self._widths: dict[MetricKey, int] = dict(desk.widths)
        self._columns: dict[str, tuple[MetricKey, ...] | None] = {}
        self._snapshot: Snapshot | None = None
        self._former = parse("")
        self._refused = ""
        self._incomplete = False
        self._detail_waits = False
        self._detail_timer: Timer | None = None
        self.ready = False

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield ListLine(self._lists)
        yield FilterField(self._names)
        with Horizontal(id="middle"):
            with Vertical(id="table"):
                yield Leaderboard(self._ranking)
                with Horizontal(id="strip"):
                    yield Detail()
                    yield RecentAlerts()
            with Vertical(id="panel"):
                yield Detail()
                yield RecentAlerts()
        yield TimelineBar()
        yield HintLine(id="hint")
        yield AlertLine()
        yield HintLine(id="proof")
        yield KeyLine((*BOARD, *EVERYWHERE))

    def on_mount(self) -> None:
        self.query_one(FilterField).display = False
        self.query_one(Leaderboard).focus()
        self._use_columns()
        self.ready = True

    def on_unmount(self) -> None:
        self.ready = False

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        panel = width >= PANEL_FROM
        self.query_one("#panel").display = panel
        tall = height >= STRIP_ROWS_FROM
        strip = not panel and width >= STRIP_FROM and tall
        self.query_one("#strip").display = strip
        self.query_one(AlertLine).display = not panel and not strip and height >= ALERT_LINE_FROM
        self.query_one("#proof").display = height >= 20

    # --- pictures -------------------------------------------------------------------------------

    def show(self, snapshot: Snapshot, now_s: float) -> None:
        """Take a new picture; the order is made anew when it is time to."""
        self._telling.look(now_s, changed=snapshot is not self._snapshot)
        self._snapshot = snapshot
        board = self.query_one(Leaderboard)
        before = self._ranking.cursor
        leapt = snapshot.leap != self._ranking.leap
        if leapt:
            self._telling.forget(snapshot)
        if self._ranking.update(snapshot, now_s) and self._ranking.cursor != before and not leapt:
            board.follow(before)
        board.show(snapshot, now_s)
        if leapt:
            board.reveal()
        board.set_class(snapshot.feed.phase is Phase.DOWN, "-stale")
        self.query_one(StatusLine).show(snapshot)
        self.query_one(TimelineBar).show(snapshot)
        self._show_lines(snapshot)
        if not self._detail_waits:
            self._show_selected_in(DETAIL_AFTER_S)

    def settled(self, now_s: float) -> bool:
        """Whether the same picture would look the same now: nothing has faded or run out since."""
        return self._telling.settled(now_s)

    def hold(self, since_s: float | None) -> None:
        """Say since when the picture has been held still, None for not."""
        self._telling.held_s = since_s

    @property
    def drawn(self) -> bool:
        """Whether everything is that of the newest picture."""
        return not self._detail_waits and self.query_one(Leaderboard).drawn

    def say(self, sentence: str) -> None:
        """Say something for a while."""
        self._telling.say(sentence)
        if self._snapshot is not None:
            self._show_lines(self._snapshot)

    def _show_lines(self, snapshot: Snapshot) -> None:
        typing = self.query_one(FilterField).display
        refused = "" if typing else self._refused
        shown = self._telling.shown()
        self.query_one(ListLine).show(shown, refused or self._telling.warning(snapshot))
        self.query_one(Leaderboard).note = shown.counted()
        hint, proof = self.query_one("#hint", HintLine), self.query_one("#proof", HintLine)
        said = self._typing() if typing else self._telling.hint(snapshot)
        hint.show(" " + printable(said))
        proof.show(" " + proof_of(snapshot, max(self.size.width - 2, 1)))
        self.query_one(AlertLine).show(snapshot)
        for beside in self._beside:
            beside.query_one(RecentAlerts).show(snapshot)

    def _typing(self) -> str:
        """Return what is said while a filter is typed."""
        if self._refused and not self._incomplete:
            return self._refused
        return self._telling.typing(self.query_one(FilterField).offers)

    def _show_selected_in(self, seconds: float) -> None:
        """Draw the selected symbol after the rows: a whole frame at once would hold a key up."""
        self._detail_waits = True
        if self._detail_timer is not None:
            self._detail_timer.stop()
        self._detail_timer = self.set_timer(seconds, self._show_selected)

    def _show_selected(self) -> None:
        self._detail_waits = False
        if self._snapshot is None or not self.ready:
            return
        for beside in self._beside:
            beside.query_one(Detail).show(self._snapshot, self._ranking.selected)

    @property
    def _beside(self) -> list[Widget]:
        """The room beside or below the table, where there is one."""
        rooms = (self.query_one("#strip"), self.query_one("#panel"))
        return [room for room in rooms if room.display]

    def refresh_order(self) -> None:
        """Order the rows anew at once: after a change of list, filter, order or gates."""
        if self._snapshot is None:
            return
        self._ranking.update(self._snapshot, self._telling.now_s, force=True)
        board = self.query_one(Leaderboard)
        board.redraw()
        board.reveal()
        self._show_lines(self._snapshot)
        self._show_selected()

    # --- movement -------------------------------------------------------------------------------

    def _move(self, place: int) -> None:
        before = self._ranking.cursor
        self._ranking.move_to(place, self._telling.now_s)
        board = self.query_one(Leaderboard)
        board.redraw_cursor(before, self._ranking.cursor)
        board.reveal()
        self._show_selected_in(DETAIL_AFTER_MOVE_S)

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
    async def _row_clicked(self, event: Leaderboard.RowClicked) -> None:
        if event.place >= len(self._ranking.rows):
            return
        again = event.place == self._ranking.cursor
        self._move(event.place)
        if again:
            await self.app.run_action("open")

    # --- lists and order ------------------------------------------------------------------------

    @property
    def lists(self) -> list[Toplist]:
        """All lists."""
        return self._lists

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are shown."""
        return self.query_one(Leaderboard).columns

    def action_list(self, key: str) -> None:
        """Show the list on a digit."""
        self.show_list(key)

    def show_list(self, key_or_name: str) -> None:
        """Show a list by its key or its name."""
        for listed in self._lists:
            if key_or_name in (listed.key, listed.name):
                self._show_list(listed)
                return

    def _show_list(self, listed: Toplist) -> None:
        try:
            self._ranking.show_list(listed)
        except UsageError as error:
            self.say(f"The list {listed.name} has a filter that is none: {error}")
            return
        self._use_columns()
        self.refresh_order()

    @on(ListLine.Chosen)
    def _list_clicked(self, event: ListLine.Chosen) -> None:
        self.show_list(event.key)

    def add_list(self, listed: Toplist) -> None:
        """Take a list among the others, in place of the one with its key or name, and show it."""
        same = [
            at
            for at, known in enumerate(self._lists)
            if (known.key == listed.key if listed.key else known.name == listed.name)
        ]
        if same:
            self._lists[same[0]] = listed
        else:
            self._lists.append(listed)
        self._show_list(listed)

    def action_sort(self) -> None:
        """Sort by the next column, largest first."""
        keys = [column.key for column in self.columns]
        if not keys:
            return
        at = keys.index(self._ranking.key) if self._ranking.key in keys else -1
        self._ranking.key = keys[(at + 1) % len(keys)]
        self._ranking.ascending = False
        self.refresh_order()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._ranking.ascending = not self._ranking.ascending
        self.refresh_order()

    @on(Leaderboard.HeadClicked)
    def _head_clicked(self, event: Leaderboard.HeadClicked) -> None:
        self._ranking.sort_by(event.key)
        self.refresh_order()

    def action_gates(self) -> None:
        """Lift the gates, or set them again."""
        picker = self._ranking.picker
        picker.lifted = not picker.lifted
        self.refresh_order()
        gate = picker.gate(self._snapshot.session, self._snapshot.feed.dataset).text if (
            self._snapshot is not None
        ) else ""  # fmt: skip
        self.say("gates are off: x sets them" if picker.lifted else f"gates: {gate or 'none'}")

    # --- columns --------------------------------------------------------------------------------

    @property
    def chosen_columns(self) -> tuple[MetricKey, ...] | None:
        """The columns of the list that is shown, None for the board's own."""
        listed = self._ranking.list
        name = listed.name if listed is not None else ""
        own = listed.columns if listed is not None else None
        return self._columns.get(name, own) or None

    @property
    def widths(self) -> Mapping[MetricKey, int]:
        """The widths that the user chose."""
        return self._widths

    def choose_columns(
        self, columns: tuple[MetricKey, ...] | None, widths: Mapping[MetricKey, int]
    ) -> None:
        """Show these columns on the list that is shown, None for the board's own."""
        listed = self._ranking.list
        self._columns[listed.name if listed is not None else ""] = columns
        self._widths.update(widths)
        self._use_columns()

    def preview_columns(self, columns: tuple[MetricKey, ...] | None) -> None:
        """Show columns without keeping them."""
        self.query_one(Leaderboard).use(columns, self._widths)

    def _use_columns(self) -> None:
        self.query_one(Leaderboard).use(self.chosen_columns, self._widths)

    def action_columns(self) -> None:
        """Choose the columns of the list that is shown."""
        self.keeping.choose_columns()

    # --- what is kept ---------------------------------------------------------------------------

    async def action_watch(self) -> None:
        """Put the selected symbol on the watchlist, or take it off."""
        if self._snapshot is not None:
            await self.keeping.toggle_watch(self._snapshot)

    def action_watchlists(self) -> None:
        """Choose, make and change watchlists."""
        self.keeping.choose_watchlist()

    def action_save_list(self) -> None:
        """Save filter and order."""
        self.keeping.save_list()

    def action_copy(self) -> None:
        """Copy the symbol, then its row."""
        if self._snapshot is not None:
            self.keeping.copy(self._snapshot, self._telling.now_s)

    def action_export(self) -> None:
        """Write what is shown to a file."""
        if self._snapshot is not None:
            self.keeping.export(self._snapshot)

    @property
    def wanted(self) -> frozenset[IndicatorKey]:
        """The indicators that columns, order and conditions need."""
        keys = {self._ranking.key, *self._ranking.picker.keys, *(c.key for c in self.columns)}
        return frozenset(found for key in keys if (found := indicator_of(key)) is not None)

    # --- filter ---------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Type a filter."""
        self._former = self._ranking.chosen
        self.query_one(FilterField).begin(self._ranking.chosen.text)
        self.query_one(ListLine).display = False
        if self._snapshot is not None:
            self._show_lines(self._snapshot)

    def action_clear_filter(self) -> None:
        """Show all symbols."""
        self.choose(parse(""))

    @property
    def filters(self) -> Mapping[str, str]:
        """The saved filters by name."""
        return self._names.filters

    def save_filter(self, name: str, text: str) -> None:
        """Let a filter be used by its name."""
        self._names = replace(self._names, filters={**self._names.filters, name: text})
        self._ranking.picker.names = self._names
        self.query_one(FilterField).names = self._names

    def choose(self, expression: Expression) -> None:
        """Show what a filter leaves."""
        self._refused = ""
        self._ranking.chosen = expression
        self.refresh_order()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if not self.query_one(FilterField).display:
            return
        if self.query_one(FilterField).unfinished:
            self._refused = ""
            self.refresh_order()
            return
        try:
            self._ranking.chosen = parse(event.value.strip(), self._names)
            self._refused = ""
        except ExpressionError as error:
            # The last valid one stays while another is being typed.
            self._refused, self._incomplete = str(error), error.incomplete
        self.refresh_order()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        field = self.query_one(FilterField)
        refused = ""
        try:
            self._ranking.chosen = parse(field.value.strip(), self._names)
        except ExpressionError as error:
            refused = str(error)
        field.keep(self._ranking.chosen.text)
        self._close_field()
        if refused:
            self.say(f"kept the last filter that could be read · {refused}")

    @on(FilterField.Restored)
    def _restored(self) -> None:
        self._ranking.chosen = self._former
        self._close_field()

    def _close_field(self) -> None:
        self._refused = ""
        self.query_one(FilterField).display = False
        self.query_one(ListLine).display = True
        self.query_one(Leaderboard).focus()
        self.refresh_order()
