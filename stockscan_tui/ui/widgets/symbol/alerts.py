"""The alerts that the symbol has had, newest first."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style

from stockscan_tui.market.calendar import new_york_time
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.text import printable
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.symbol.listing import Listing, Palette

MOST_NUMBERS = 6


@dataclass(frozen=True, slots=True)
class KnownAlerts:
    """What is known of a symbol's alerts: those up to now, and what else is to be said."""

    fired: tuple[Fired, ...] = ()
    reading: bool = False
    problem: str = ""


class AlertList(Listing):
    """Time, rule, price and values."""

    def __init__(self) -> None:
        super().__init__("alerts", id="alerts")
        self._known = KnownAlerts(reading=True)

    def show(self, known: KnownAlerts) -> None:
        """Take what is known of the symbol's alerts, oldest first."""
        if known != self._known:
            self._known = known
            self.renew()

    @property
    def chosen(self) -> Fired | None:
        """The alert under the cursor."""
        return self._at(self.cursor) if self.count else None

    @property
    def count(self) -> int:
        return len(self._known.fired)

    @property
    def note(self) -> str:
        if self._known.problem:
            return self._known.problem
        return "reading …" if self._known.reading else "no alert of this symbol yet"

    def _at(self, place: int) -> Fired:
        return self._known.fired[self.count - 1 - place]

    @property
    def _rule_cells(self) -> int:
        """A narrow panel shows time, rule and price alone."""
        return max(9, min(self.size.width - 24, 14))

    def head(self, palette: Palette) -> list[Segment]:
        rule = self._rule_cells
        return [Segment(f" {'TIME':<13}{fmt.fit('RULE', rule)}{'PRICE':>9}  VALUES", palette.head)]

    def row(self, place: int, base: Style, palette: Palette) -> list[Segment]:
        fired = self._at(place)
        when = f"{fmt.day(fired.ts_ns)[4:]} {fmt.clock(fired.ts_ns)[:5]}"
        return [
            Segment(f" {when:<12} ", base + palette.dim),
            Segment(fmt.fit(fired.rule, self._rule_cells), base + palette.alarm),
            Segment(fmt.price(fired.price).rjust(9), base),
            Segment(f"  {in_words(fired.values)}", base + palette.dim),
        ]

    def cells(self, place: int) -> Sequence[str]:
        fired = self._at(place)
        return (f"{new_york_time(fired.ts_ns):%Y-%m-%d %H:%M:%S}", printable(fired.rule),
                fmt.price(fired.price), in_words(fired.values))  # fmt: skip

    def key_of(self, place: int) -> Hashable:
        return self._at(place)

    def place_of(self, key: Hashable) -> int | None:
        return next((at for at in range(self.count) if self._at(at) == key), None)


def in_words(values: str) -> str:
    """Return an alert's values, stored as JSON, as in `chg 5.2  rvol 3`, harmless to print."""
    try:
        told = json.loads(values) if values else {}
    except ValueError:
        told = values
    if not isinstance(told, dict):
        return printable(told)
    return "  ".join(f"{printable(name)} {_written(value)}" for name, value in told.items())


def _written(value: object) -> str:
    return f"{value:.{MOST_NUMBERS}g}" if isinstance(value, float) else printable(value)
