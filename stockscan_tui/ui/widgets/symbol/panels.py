"""The chart and the panels around it: which of them are shown, where, and what of."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from stockscan_tui.market.calendar import TradingDay
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.symbol_bars import SymbolBars
from stockscan_tui.market.verdicts import verdicts
from stockscan_tui.scan.picking import Picker
from stockscan_tui.ui.arrangement import PANELS, arranged
from stockscan_tui.ui.studying import Studying, over_until
from stockscan_tui.ui.widgets.chart import Chart, ChartData
from stockscan_tui.ui.widgets.symbol.alerts import AlertList, KnownAlerts
from stockscan_tui.ui.widgets.symbol.figures import Figures
from stockscan_tui.ui.widgets.symbol.listing import Listing
from stockscan_tui.ui.widgets.symbol.prints import PrintList
from stockscan_tui.ui.widgets.symbol.strip import KnownMinutes, MinuteStrip
from stockscan_tui.ui.widgets.symbol.table import BarTable


@dataclass(frozen=True, slots=True)
class Looked:
    """What is looked at.

    Attributes:
        snapshot: The picture.
        row: The symbol's row in it, None where it is not there.
        since_ns: The instant from which its trades are kept.
        interval: Minutes of a bar.
    """

    snapshot: Snapshot
    row: int | None
    since_ns: int
    interval: int


@dataclass(frozen=True, slots=True)
class Charted:
    """What the chart was drawn from; `levels` are prices as text, so that NaN equals NaN."""

    bars: SymbolBars
    interval: int
    levels: str
    days: tuple[TradingDay, ...]
    alerts: tuple[Fired, ...]


class Panels(Container):
    """Chart, figures, minutes, trades, bars and alerts of one symbol.

    Args:
        studying: What is known of the symbol besides the picture.
        picker: Whose gates the board has.
    """

    class Uncovered(Message):
        """Panels are shown that were not."""

    def __init__(self, studying: Studying, picker: Picker) -> None:
        super().__init__(id="body")
        self._picker = picker
        self._studying = studying
        self._days: tuple[TradingDay, ...] = ()
        self._charted: Charted | None = None
        self.chosen = PANELS[0]
        self._room = Size(0, 0)
        self.chart = Chart(id="chart")
        self.figures = Figures()
        self.strip = MinuteStrip()
        self.prints = PrintList()
        self.table = BarTable()
        self.alerts = AlertList()
        self.chart.can_focus = True

    def compose(self) -> ComposeResult:
        yield from self._panels

    @property
    def _panels(self) -> tuple[Widget, ...]:
        """The panels in the order of their names."""
        return self.chart, self.figures, self.strip, self.prints, self.table, self.alerts

    # --- where they stand -----------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        if event.size != self._room:
            self.place_panels(event.size)

    def place_panels(self, room: Size) -> None:
        """Put every panel into its place; those without one are not shown."""
        self._room = room
        places = arranged(room.width, room.height, self.chosen)
        for name, panel in zip(PANELS, self._panels, strict=True):
            place = places.get(name)
            panel.display = place is not None
            if place is not None:
                panel.styles.offset = (place.x, place.y)
                panel.styles.width, panel.styles.height = place.width, place.height
        self.strip.set_class("strip" in places and places["strip"].height <= 2, "-bare")
        self.post_message(self.Uncovered())

    def choose(self, name: str) -> None:
        """Give a panel the focus, and all the room where there is not enough for all."""
        if name != self.chosen:
            self.chosen = name
            self.place_panels(self._room)
        self.focused.focus()

    def step(self, places: int) -> None:
        """Go to the next panel, or to the one before."""
        self.choose(PANELS[(PANELS.index(self.chosen) + places) % len(PANELS)])

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        name = event.widget.id or ""
        if name in PANELS and name != self.chosen:
            self.chosen = name
            self.place_panels(self._room)

    @property
    def focused(self) -> Widget:
        """The panel that is chosen."""
        return self._panels[PANELS.index(self.chosen)]

    @property
    def listing(self) -> Listing | None:
        """The same, where it is a list."""
        panel = self.focused
        return panel if isinstance(panel, Listing) else None

    # --- what they show -------------------------------------------------------------------------

    def show(self, looked: Looked) -> None:
        """Show what is known at the picture's instant; what is not in view costs nothing."""
        s, row = looked.snapshot, looked.row
        if self.figures.display:
            refused = self._picker.refusing(s, row) if row is not None else ()
            self.figures.show(s, row, refused)
        if self.prints.display:
            prints = s.prints if s.prints is not None and s.prints.slot == row else None
            self.prints.show(prints, looked.since_ns)
        if row is None:
            self._show_nothing(looked.interval)
            return
        bars, alerts = self._studying.bars(s, row), self._studying.alerts(s)
        if self.chart.display:
            self._show_chart(looked, row, bars, alerts)
        if self.table.display:
            self.table.show(bars, looked.interval, reading=self._studying.reading)
        if self.alerts.display:
            studying = self._studying
            self.alerts.show(KnownAlerts(alerts, studying.reading, studying.problem))
        if self.strip.display and s.day is not None:
            over, read_from = over_until(s), self._studying.read_from(s)
            codes = verdicts(bars, s.day, s.doubts, over, read_from=read_from)
            self.strip.show(KnownMinutes(s.day, codes, bars, s.doubts))

    def _show_chart(
        self, looked: Looked, row: int, bars: SymbolBars, alerts: tuple[Fired, ...]
    ) -> None:
        s = looked.snapshot
        if s.day is not None and s.day not in self._days:
            # The same tuple while it is the same day: the chart tells by that what has changed.
            self._days = (s.day,)
        levels = float(s.prev_close[row]), float(s.regular_open[row]), float(s.mark[row])
        charted = Charted(bars, looked.interval, str(levels), self._days, alerts)
        if charted != self._charted:
            self._charted = charted
            close, opened, last = levels
            self.chart.show(
                ChartData(bars, looked.interval, close, opened, last, self._days, alerts)
            )

    def _show_nothing(self, interval: int) -> None:
        """The symbol is not in the market: nothing of another instant stays on the screen."""
        self._charted = None
        self.chart.show(ChartData(interval=interval))
        self.strip.show(None)
        self.table.show(SymbolBars.none(), interval, reading=False)
        self.alerts.show(KnownAlerts())
