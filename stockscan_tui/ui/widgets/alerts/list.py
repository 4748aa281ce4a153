"""The list of the alert screen: when, what, at which price, and what has become of it since."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

from rich.segment import Segment
from rich.style import Style

from stockscan_tui.market.calendar import new_york_time
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.alerts.known import FRESH_NS, change_since, change_then
from stockscan_tui.ui.widgets.alerts.wording import moved, values_in_words, when
from stockscan_tui.ui.widgets.symbol.listing import Listing, Palette

SIGN_CELLS, TIME_CELLS, SYMBOL_CELLS, NUMBER_CELLS = 5, 13, 7, 10
# Before the rule, and after it.
FIXED_CELLS = SIGN_CELLS + TIME_CELLS + SYMBOL_CELLS + 3 * NUMBER_CELLS
RULE_CELLS = (10, 24)
Signs = Callable[[Fired], str]


class AlertRows(Listing):
    """Alerts in the order that they are given.

    Args:
        signs: What is to be said of an alert in at most three signs: done, muted, late, gated.
    """

    def __init__(self, signs: Signs) -> None:
        super().__init__("", id="alerts")
        self._signs = signs
        self._snapshot: Snapshot | None = None
        self._rows: Sequence[Fired] = ()
        self._sorted = ""
        self._note = ""

    def show(self, snapshot: Snapshot, rows: Sequence[Fired], by: str, note: str) -> None:
        """Take the alerts of a picture, the column by which they are ordered, and what to say
        where there are none.
        """
        self._snapshot, self._rows, self._sorted, self._note = snapshot, rows, by, note
        self.renew()

    @property
    def chosen(self) -> Fired | None:
        """The alert under the cursor."""
        return self._rows[self.cursor] if self.cursor < len(self._rows) else None

    @property
    def below(self) -> int:
        """How many rows there are below the last one in view."""
        return self.count - (self._top + self.page)

    @property
    def count(self) -> int:
        return len(self._rows)

    @property
    def note(self) -> str:
        return self._note

    @property
    def _rule_cells(self) -> int:
        least, most = RULE_CELLS
        return max(least, min(self.size.width - FIXED_CELLS - 1, most))

    def head(self, palette: Palette) -> list[Segment]:
        cells = (
            ("time", " " * SIGN_CELLS + "TIME".ljust(TIME_CELLS)),
            ("symbol", "SYMBOL".ljust(SYMBOL_CELLS)),
            ("rule", "RULE".ljust(self._rule_cells)),
            ("", "PRICE".rjust(NUMBER_CELLS) + "CHG%".rjust(NUMBER_CELLS)),
            ("since", "SINCE%".rjust(NUMBER_CELLS)),
            ("", "  VALUES"),
        )
        return [
            Segment(text, palette.sorted_head if name and name == self._sorted else palette.head)
            for name, text in cells
        ]

    def row(self, place: int, base: Style, palette: Palette) -> list[Segment]:
        fired, s = self._rows[place], self._snapshot
        if s is None:
            return []
        signs = self._signs(fired)
        done = "✓" in signs
        quiet = base + palette.dim
        plain = quiet if done else base
        fresh = not done and s.event_ns - fired.ts_ns <= FRESH_NS
        then, since = change_then(s, fired), change_since(s, fired)
        return [
            Segment(f" {signs:<{SIGN_CELLS - 1}}", quiet),
            Segment(when(s, fired).ljust(TIME_CELLS), base + palette.alarm if fresh else quiet),
            Segment(fmt.fit(fired.symbol, SYMBOL_CELLS), plain + Style(bold=not done)),
            Segment(fmt.fit(fired.rule, self._rule_cells), plain),
            Segment(fmt.price(fired.price).rjust(NUMBER_CELLS), plain),
            Segment(fmt.percent(then).rjust(NUMBER_CELLS), self._by(then, plain, palette, done)),
            Segment(moved(since).rjust(NUMBER_CELLS), self._by(since, plain, palette, done)),
            Segment(f"  {values_in_words(fired.values, without='chg')}", quiet),
        ]

    @staticmethod
    def _by(percent: float, plain: Style, palette: Palette, done: bool) -> Style:
        return plain if done or not math.isfinite(percent) else plain + palette.by(percent)

    def cells(self, place: int) -> Sequence[str]:
        fired, s = self._rows[place], self._snapshot
        if s is None:
            return ()
        return (
            f"{new_york_time(fired.ts_ns):%Y-%m-%d %H:%M:%S}",
            printable(fired.symbol),
            printable(fired.rule),
            fmt.price(fired.price),
            fmt.percent(change_then(s, fired)),
            fmt.percent(change_since(s, fired)),
            values_in_words(fired.values),
        )

    def key_of(self, place: int) -> Hashable:
        return self._rows[place].alert_id

    def place_of(self, key: Hashable) -> int | None:
        if self.cursor < self.count and self.key_of(self.cursor) == key:
            return self.cursor
        return next((at for at, one in enumerate(self._rows) if one.alert_id == key), None)
