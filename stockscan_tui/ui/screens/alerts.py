"""The alerts of the session date and before: what fired, and what has become of it since."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Input

from stockscan_tui.errors import StockscanError
from stockscan_tui.market.calendar import new_york_time
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.ui.alerting import Alerting
from stockscan_tui.ui.commands import ALERTS, EVERYWHERE, REPLAY, bindings
from stockscan_tui.ui.exporting import Table, write_view
from stockscan_tui.ui.player import Player
from stockscan_tui.ui.sheet import Page
from stockscan_tui.ui.widgets.alerts.choice import Order, Words, words_of
from stockscan_tui.ui.widgets.alerts.detail import AlertDetail
from stockscan_tui.ui.widgets.alerts.field import AlertField
from stockscan_tui.ui.widgets.alerts.known import (
    KnownAlerts,
    change_since,
    change_then,
    of_today,
)
from stockscan_tui.ui.widgets.alerts.list import AlertRows
from stockscan_tui.ui.widgets.alerts.rules import RuleCounts
from stockscan_tui.ui.widgets.alerts.wording import NONE_YET
from stockscan_tui.ui.widgets.lines import HintLine, KeyLine
from stockscan_tui.ui.widgets.status import StatusLine
from stockscan_tui.ui.widgets.symbol.listing import Listing
from stockscan_tui.ui.widgets.timeline import TimelineBar

READ_AT_ONCE = 500
SAID_S = 10.0
LOW_UNDER = 14
RULES_FROM = 150


@dataclass(frozen=True, slots=True)
class Left:
    """How the screen was left: to an alert, to a list of the board, or to where one came from."""

    fired: Fired | None = None
    shown_list: str = ""


class AlertScreen(Page[Left]):
    """A list, what there is to say of the row under the cursor, and keys to deal with it.

    The screen is made once and shown again and again, with its cursor, order and words.

    Args:
        alerting: Who is told of alerts: acknowledgements, mutes, and failures of channels.
        player: Reads the alerts that are older than those of the picture.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(ALERTS)
    # Toasts of alerts would only hide them.
    lists_alerts = True

    def __init__(self, alerting: Alerting, player: Player) -> None:
        super().__init__()
        self._alerting, self._player = alerting, player
        self._known = KnownAlerts()
        self._snapshot: Snapshot | None = None
        self._order, self._words, self._former = Order(), Words(), Words()
        self._listed: tuple[object, ...] = ()
        self._rows: Sequence[Fired] = ()
        self._new: tuple[tuple[Sequence[Fired], int] | None, int] = (None, 0)
        self._reading = self._whole = False
        self._problem = ""
        self._quiet: Timer | None = None

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield HintLine(id="counted")
        yield AlertField()
        with Horizontal(id="body"):
            yield AlertRows(self._alerting.signs)
            yield RuleCounts()
        yield AlertDetail()
        yield HintLine(id="failures")
        yield TimelineBar()
        yield KeyLine((*ALERTS, *EVERYWHERE, *REPLAY))
        yield HintLine(id="said")

    def on_mount(self) -> None:
        self._list = self.query_one(AlertRows)
        for hidden in (AlertField, "#failures", "#said"):
            self.query_one(hidden).display = False
        self._list.focus()

    def on_resize(self, event: events.Resize) -> None:
        self.query_one(AlertDetail).display = event.size.height >= LOW_UNDER
        self.query_one(RuleCounts).display = event.size.width >= RULES_FROM
        self.call_after_refresh(self._draw)

    # --- what is shown --------------------------------------------------------------------------

    def begin(self, rule: str) -> None:
        """Show the alerts of a rule alone; of all, as far as nothing else was chosen, if empty."""
        if rule:
            self._words = words_of(f'rule:"{rule}"')

    def show(self, snapshot: Snapshot) -> None:
        """Take a new picture."""
        generation = self._known.generation
        self._snapshot = snapshot
        self._known.look(snapshot)
        if generation != self._known.generation:
            self._reading = self._whole = False
        self._draw()

    def _draw(self) -> None:
        s = self._snapshot
        if s is None or not self.there:
            return
        self.query_one(StatusLine).show(s)
        self.query_one(TimelineBar).show(s)
        self._list_anew(s)
        self._list.show(s, self._rows, self._order.by, self._nothing())
        counts = self.query_one(RuleCounts)
        if counts.display:
            counts.show(s)
        self._tell(s)
        self._read_on()

    def _list_anew(self, s: Snapshot) -> None:
        newest = self._known.newest_first
        moves = s.serial if self._order.by == "since" else 0
        listed = (newest, self._words, self._order, moves)
        if len(self._listed) != len(listed) or any(
            a is not b and (a is newest or a != b)
            for a, b in zip(listed, self._listed, strict=True)
        ):
            self._listed = listed
            self._rows = self._order.apply([one for one in newest if self._words.keep(one)], s)

    def _nothing(self) -> str:
        """Return what is said where no row is."""
        if self._problem:
            return self._problem
        if self._reading:
            return "reading …"
        return "no alert has these words · F clears" if self._words.text else NONE_YET

    def _tell(self, s: Snapshot) -> None:
        fired = self._list.chosen
        self.query_one(AlertDetail).show(s, fired, self._alerting.about(fired) if fired else "")
        self.query_one("#counted", HintLine).show(f" {self._counted(s)}")
        failures = self._alerting.failures()
        line = self.query_one("#failures", HintLine)
        line.display = bool(failures)
        line.show(f" ✗ {printable(failures)}")

    def _counted(self, s: Snapshot) -> str:
        today = sum(s.fired_by_rule.values()) or len(s.fired)
        new = self._not_done(s)
        arrow = "▲" if self._order.ascending else "▼"
        parts = [f"alerts  {today:,} today", f"{len(self._rows):,} listed, {new:,} not done",
                 f"{self._order.by}{arrow}"]  # fmt: skip
        if self._words.text:
            parts.append(f"/{self._words.text} · F clears")
        muted = self._alerting.muted_in_words()
        return printable("  ".join([*parts, *([f"muted: {muted} · u"] if muted else [])]))

    def _not_done(self, s: Snapshot) -> int:
        """Return how many of today's alerts that are listed are not done."""
        counted, count = self._new
        changes = self._alerting.changes
        if counted is None or counted[0] is not self._rows or counted[1] != changes:
            done = self._alerting.is_done
            count = sum(of_today(s, one) and not done(one) for one in self._rows)
            self._new = ((self._rows, changes), count)
        return count

    # --- older ones -----------------------------------------------------------------------------

    def _read_on(self) -> None:
        """Read older alerts where the end of the list is near."""
        s = self._snapshot
        if s is None or self._reading or self._whole or self._list.below > self._list.page:
            return
        self._reading = True
        end_ns, skip = self._known.before(s)
        self.run_worker(self._read(end_ns, READ_AT_ONCE + skip, self._known.generation))

    async def _read(self, end_ns: int, most: int, generation: int) -> None:
        found: Sequence[Fired] = ()
        problem = ""
        try:
            found = await asyncio.to_thread(self._player.fired_between, 0, end_ns, most)
        except StockscanError as error:
            problem = str(error)
        if generation != self._known.generation:
            return
        self._reading, self._problem = False, problem
        self._whole = len(found) < most
        self._known.add(found)
        self._draw()

    # --- movement -------------------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        """Move the cursor on or back."""
        self._list.move_by(rows)
        self._moved()

    def action_page(self, halves: int) -> None:
        """Move the cursor by half pages."""
        self.action_move(halves * max(self._list.page // 2, 1))

    def action_end(self, last: int) -> None:
        """Move to the first row, or to the last one that is known."""
        self._list.move_to(self._list.count - 1 if last else 0)
        self._moved()

    def _moved(self) -> None:
        if self._snapshot is not None:
            self._tell(self._snapshot)
            self._read_on()

    # --- order and words ------------------------------------------------------------------------

    def action_sort(self) -> None:
        """Order by the next column: time, symbol, rule, since."""
        self._order = self._order.next()
        self._draw()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._order = self._order.reversed()
        self._draw()

    def action_filter(self) -> None:
        """Type what is looked for."""
        self._former = self._words
        self.query_one("#counted").display = False
        self.query_one(AlertField).begin(self._words.text)

    def action_clear_filter(self) -> None:
        """List all alerts."""
        self._words = Words()
        self._draw()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if self.query_one(AlertField).display:
            self._words = words_of(event.value)
            self._draw()

    @on(AlertField.Left)
    def _restored(self) -> None:
        self._words = self._former
        self._close_field()

    @on(Input.Submitted)
    def _close_field(self) -> None:
        self.query_one(AlertField).display = False
        self.query_one("#counted").display = True
        self._list.focus()
        self._draw()

    # --- what is done with alerts ---------------------------------------------------------------

    def action_acknowledge(self) -> None:
        """Mark the alert as done and go to the next, or take the mark away."""
        fired = self._list.chosen
        if fired is not None:
            if self._alerting.acknowledge([fired], not self._alerting.is_done(fired)):
                self._list.move_by(1)
            self._draw()

    def action_acknowledge_all(self) -> None:
        """Mark all alerts that are listed as done."""
        count = sum(not self._alerting.is_done(one) for one in self._rows)
        self._alerting.acknowledge(self._rows, True)
        self.say(f"{count:,} alerts are done")

    def action_mute_symbol(self) -> None:
        """Deliver nothing more of the symbol today, or do so again."""
        fired = self._list.chosen
        if fired is not None:
            self.say(self._alerting.mute_symbol(fired.symbol))

    def action_mute_rule(self) -> None:
        """Deliver nothing more of the rule today, or do so again."""
        fired = self._list.chosen
        if fired is not None:
            self.say(self._alerting.mute_rule(fired.rule))

    def action_unmute(self) -> None:
        """Deliver everything again."""
        self.say(self._alerting.unmute())

    def action_copy(self) -> None:
        """Copy the row under the cursor."""
        row = self._list.copied()
        if row:
            self.app.copy_to_clipboard(row)
            self.say("copied the row")

    def action_export(self) -> None:
        """Write the alerts that are listed, or a picture, to a file."""
        from stockscan_tui.ui.screens.export import ExportScreen  # noqa: PLC0415

        s, rows = self._snapshot, tuple(self._rows)
        if s is None:
            return

        async def write(path: Path | None) -> None:
            if path is not None:
                picture = self.app.export_screenshot() if path.suffix == ".svg" else ""
                self.say(await write_view(path, picture, lambda: table_of(s, rows)))

        name = f"stockscan-alerts-{new_york_time(s.event_ns):%Y%m%d-%H%M%S}.csv"
        self.app.push_screen(ExportScreen(Path.cwd() / name, f"{len(rows):,} alerts"), write)

    # --- what is said ---------------------------------------------------------------------------

    def say(self, sentence: str) -> None:
        """Say something for a while, in place of the keys."""
        if self._quiet is not None:
            self._quiet.stop()
        self._quiet = self.set_timer(SAID_S, self._hush)
        self.query_one("#said", HintLine).show(f" {printable(sentence)}")
        self.query_one("#said").display, self.query_one(KeyLine).display = True, False
        self._draw()

    def _hush(self) -> None:
        self.query_one("#said").display, self.query_one(KeyLine).display = False, True

    # --- away -----------------------------------------------------------------------------------

    @on(Listing.Chosen)
    def action_enter(self) -> None:
        """Open the symbol of the alert under the cursor; through time, at its instant."""
        if self._list.chosen is not None:
            self.dismiss(Left(self._list.chosen))

    def action_back(self) -> None:
        """Go back to what was shown before."""
        self.dismiss(Left())

    def action_list(self, key: str) -> None:
        """Go to the list on a digit."""
        self.dismiss(Left(shown_list=key))


def table_of(snapshot: Snapshot, rows: Sequence[Fired]) -> Table:
    """Return alerts as columns; `ts` in ns since 1970, `chg` and `since` in percent."""
    return {
        "ts": np.array([one.ts_ns for one in rows], np.int64),
        "time": [f"{new_york_time(one.ts_ns):%Y-%m-%d %H:%M:%S}" for one in rows],
        "symbol": [one.symbol for one in rows],
        "rule": [one.rule for one in rows],
        "price": np.array([one.price for one in rows], np.float64),
        "chg": np.array([change_then(snapshot, one) for one in rows], np.float64),
        "since": np.array([change_since(snapshot, one) for one in rows], np.float64),
        "late": np.array([one.late for one in rows], np.bool_),
        "gated": np.array([one.gated for one in rows], np.bool_),
        "values": [one.values for one in rows],
    }
