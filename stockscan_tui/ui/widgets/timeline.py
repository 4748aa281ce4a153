"""The replay bar: all that can be moved over in one line, or two or three where there is room.

A click moves there, dragging scrubs, and what is under the mouse is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.snapshot import LIVE_PHASES, Phase, Snapshot, Timeline
from stockscan_tui.market.text import printable
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.axis import Axis, axis_of
from stockscan_tui.ui.timeline import (
    Cell,
    cells_of,
    edge_label,
    labels_of,
    reason_at,
    session_labels,
)

SEEK_EVERY_S = 0.1
PACE_CELLS = 7
# Narrower than this, there are no words beside the bar.
WORDS_FROM = 40


class TimelineBar(Widget):
    """The bar; it hides where there is nothing to move over."""

    COMPONENT_CLASSES = {
        "timeline--played",
        "timeline--ahead",
        "timeline--unseen",
        "timeline--edge",
        "timeline--gone",
        "timeline--here",
        "timeline--goal",
        "timeline--alert",
        "timeline--regular",
        "timeline--label",
        "timeline--date",
        "timeline--alarm",
    }

    class Sought(Message):
        """An instant was chosen, in ns since 1970."""

        def __init__(self, ns: int) -> None:
            super().__init__()
            self.ns = ns

    class PaceClicked(Message):
        """The speed was clicked."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes="-none")
        self._snapshot: Snapshot | None = None
        self._axis: Axis | None = None
        self._lines: list[Strip] = []
        self._styles: dict[tuple[str, ...], Style] = {}
        self._left = 0
        self._width = 1
        self._pointed: int | None = None
        self._dragging = False
        self._sought_ns = 0
        self._timer: Timer | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Take a new picture; only lines that changed are drawn."""
        if self._snapshot is None or snapshot.timeline is not self._snapshot.timeline:
            self._axis = axis_of(snapshot.timeline) if snapshot.timeline is not None else None
        self._snapshot = snapshot
        self.set_class(self._axis is None, "-none")
        self._draw()

    def instant_at(self, x: int) -> int | None:
        """Return the instant at a cell of the widget, None beside the bar."""
        cell = x - self._left
        if self._axis is None or not (self._dragging or 0 <= cell < self._width):
            return None
        return self._axis.instant_at(cell, self._width)

    # --- mouse ----------------------------------------------------------------------------------

    def on_mouse_down(self, event: events.MouseDown) -> None:
        event.stop()
        if self.instant_at(event.x) is None:
            if event.x >= self._left + self._width:
                self.post_message(self.PaceClicked())
            return
        self._dragging = True
        self._sought_ns = 0
        self.capture_mouse()
        self._point(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._point(event.x)
        if self._dragging and self._timer is None:
            self._seek()
            self._timer = self.set_timer(SEEK_EVERY_S, self._seek_on)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if not self._dragging:
            return
        event.stop()
        self._point(event.x)
        self._seek()
        self._let_go()

    def on_leave(self) -> None:
        if not self._dragging:
            self._pointed = None
            self._draw()

    def on_unmount(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        if self._dragging:
            self._dragging = False
            self.release_mouse()
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _point(self, x: int) -> None:
        within = self._dragging or 0 <= x - self._left < self._width
        pointed = max(0, min(x - self._left, self._width - 1)) if within else None
        if pointed != self._pointed:
            self._pointed = pointed
            self._draw()

    def _seek_on(self) -> None:
        """Follow the mouse, if it has gone on since the last time."""
        self._timer = None
        self._seek()

    def _seek(self) -> None:
        if self._axis is None or self._pointed is None:
            return
        ns = self._axis.instant_at(self._pointed, self._width)
        if ns != self._sought_ns:
            self._sought_ns = ns
            self.post_message(self.Sought(ns))

    # --- lines ----------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self._lines = []
        self._draw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._lines = []
        self._styles.clear()

    def render_line(self, y: int) -> Strip:
        if not self._lines:
            self._lines = self._made()
        if y < len(self._lines):
            return self._lines[y]
        return Strip.blank(self.size.width, self.rich_style)

    def _draw(self) -> None:
        before, self._lines = self._lines, self._made()
        if len(before) != len(self._lines):
            self.refresh()
            return
        for y, line in enumerate(self._lines):
            if line != before[y]:
                self.refresh(Region(0, y, self.size.width, 1))

    def _made(self) -> list[Strip]:
        snapshot, axis = self._snapshot, self._axis
        width, height = self.size
        if snapshot is None or axis is None or snapshot.timeline is None or width < 1:
            return []
        if height == 1:
            return [self._single(snapshot, snapshot.timeline, axis, width)]
        self._left, self._width = 1, max(width - 2, 1)
        lines = [self._bar(snapshot, snapshot.timeline, axis)]
        if height > 2:
            lines.insert(0, self._sessions(snapshot.timeline, axis))
        return [*lines, self._hours(snapshot, snapshot.timeline, axis)]

    def _single(self, snapshot: Snapshot, timeline: Timeline, axis: Axis, width: int) -> Strip:
        """Everything in one line: first time, bar, last time, speed."""
        if width < WORDS_FROM:
            self._left, self._width = 0, width
            return self._bar(snapshot, timeline, axis)
        first, last = edge_label(axis, end=False), edge_label(axis, end=True)
        self._left = max(len(first), 6) + 2
        self._width = width - self._left - len(last) - PACE_CELLS - 3
        pointed = self._pointed_ns(axis)
        label = self._style("label")
        left = Segment(f" {first}".ljust(self._left), label)
        if pointed is not None:
            left = Segment(f" {fmt.clock(pointed)[:5]}▸".ljust(self._left), self._style("here"))
        pace = Segment(_pace(snapshot).rjust(PACE_CELLS), self._pace_style(snapshot))
        bar = self._bar_segments(snapshot, timeline, axis)
        end = [Segment(f" {last}", label), pace, Segment(" ", self._style())]
        return Strip([left, *bar, *end]).adjust_cell_length(width, self._style())

    def _bar(self, snapshot: Snapshot, timeline: Timeline, axis: Axis) -> Strip:
        margin = Segment(" " * self._left, self._style())
        strip = Strip([margin, *self._bar_segments(snapshot, timeline, axis)])
        return strip.adjust_cell_length(self.size.width, self._style())

    def _bar_segments(
        self, snapshot: Snapshot, timeline: Timeline, axis: Axis
    ) -> Iterable[Segment]:
        cells = cells_of(timeline, axis, self._width, snapshot.event_ns, snapshot.feed.goal_ns)
        at = 0
        for cell, run in groupby(cells, lambda cell: (cell.look, cell.alert, cell.regular)):
            signs = "".join(one.sign for one in run)
            style = self._cell_style(Cell("", *cell))
            pointed = self._pointed - at if self._pointed is not None else -1
            at += len(signs)
            if 0 <= pointed < len(signs):
                yield Segment(signs[:pointed], style)
                yield Segment(signs[pointed], style + Style(reverse=True))
                signs = signs[pointed + 1 :]
            if signs:
                yield Segment(signs, style)

    def _cell_style(self, cell: Cell) -> Style:
        ground = ("regular",) if cell.regular else ()
        fired = ("alert",) if cell.alert else ()
        return self._style(*ground, cell.look, *fired)

    def _sessions(self, timeline: Timeline, axis: Axis) -> Strip:
        """The sessions' names, and a mark over every cell in which an alert fired."""
        line = [(" ", "label")] * self._width
        for label in session_labels(timeline.days, axis, self._width, timeline.alerts):
            _write(line, label.at, label.text, "label")
        for at in set(axis.cells(timeline.alerts, self._width).tolist()):
            line[at] = ("▾", "alert")
        return self._strip(line)

    def _hours(self, snapshot: Snapshot, timeline: Timeline, axis: Axis) -> Strip:
        """Round hours and dates, the instant under the mouse, and the speed."""
        line = [(" ", "label")] * self._width
        for label in labels_of(axis, self._width, self._width - PACE_CELLS - 1):
            _write(line, label.at, label.text, "date" if label.dated else "label")
        pace = _pace(snapshot)
        look = "alarm" if _stands(snapshot) else "label"
        _write(line, self._width - len(pace), pace, look)
        ns = self._pointed_ns(axis)
        if ns is not None and self._pointed is not None:
            until_ns = max(axis.instant_at(self._pointed + 1, self._width), ns + 1)
            said = f"▴{_moment(ns, axis)}"
            reason = reason_at(timeline, ns, until_ns)
            said += f" {printable(reason)} " if reason else " "
            at = max(0, min(self._pointed, self._width - len(said)))
            _write(line, at, said, "here")
        return self._strip(line)

    def _strip(self, line: list[tuple[str, str]]) -> Strip:
        runs = groupby(line, lambda cell: cell[1])
        segments = [Segment(" " * self._left, self._style())]
        segments += [
            Segment("".join(sign for sign, _ in run), self._style(look)) for look, run in runs
        ]
        return Strip(segments).adjust_cell_length(self.size.width, self._style())

    def _style(self, *looks: str) -> Style:
        """Return the style of looks that lie one over the other; none is the bar's own."""
        style = self._styles.get(looks)
        if style is None:
            style = self.rich_style
            for look in looks:
                style += self.get_component_rich_style(f"timeline--{look}", partial=True)
            self._styles[looks] = style
        return style

    def _pace_style(self, snapshot: Snapshot) -> Style:
        return self._style("alarm" if _stands(snapshot) else "label")

    def _pointed_ns(self, axis: Axis) -> int | None:
        if self._pointed is None:
            return None
        return axis.instant_at(self._pointed, self._width)


def _write(line: list[tuple[str, str]], at: int, text: str, look: str) -> None:
    for place, sign in enumerate(text, at):
        if 0 <= place < len(line):
            line[place] = (sign, look)


def _stands(snapshot: Snapshot) -> bool:
    return snapshot.feed.phase in (Phase.PAUSED, Phase.ENDED)


def _pace(snapshot: Snapshot) -> str:
    """Return how fast it plays, as in 60×, paused, ended, or now; empty while it is moved."""
    phase = snapshot.feed.phase
    if phase in LIVE_PHASES:
        return "now"
    if phase in (Phase.PRIMING, Phase.ENDED):
        return "ended" if phase is Phase.ENDED else ""
    return fmt.speed(snapshot.feed.speed, paused=phase is Phase.PAUSED)


def _moment(ns: int, axis: Axis) -> str:
    """Return an instant's time, with seconds where they count, and its day where there are more."""
    time = fmt.clock(ns) if ns % MINUTE_NS >= SECOND_NS else fmt.clock(ns)[:5]
    return f"{fmt.day(ns)} {time}" if len(axis.spans) > 1 else time
