"""The last alerts beside the board, and on a small screen the very last one as a line."""

from __future__ import annotations

import math

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.alerts.known import (
    FRESH_NS,
    change_since,
    change_then,
    delivered,
)
from stockscan_tui.ui.widgets.alerts.wording import last_alert, moved, none_yet, when

SYMBOL_CELLS = 6
RULE_LEAST = 8
SINCE_FROM = 52


class Wanted(Message):
    """An alert was clicked, or the room where they stand."""

    def __init__(self, fired: Fired | None) -> None:
        super().__init__()
        self.fired = fired


class RecentAlerts(Widget):
    """The newest alerts, newest first; as many as there are lines."""

    COMPONENT_CLASSES = {"recent--dim", "recent--fresh", "recent--up", "recent--down"}

    def __init__(self) -> None:
        super().__init__()
        self._snapshot: Snapshot | None = None
        self._drawn: tuple[Text, ...] = ()

    def show(self, snapshot: Snapshot) -> None:
        """Take a new picture; drawn only when something is another one."""
        self._snapshot = snapshot
        drawn = tuple(self._lines())
        if drawn != self._drawn:
            self._drawn = drawn
            self.refresh()

    def _newest(self) -> list[Fired]:
        s = self._snapshot
        rows = max(self.size.height - 1, 0)
        return list(delivered(s)[: -rows - 1 : -1]) if s is not None and rows else []

    def _lines(self) -> list[Text]:
        s, width = self._snapshot, self.size.width
        if s is None or width < 1:
            return []
        dim = self._look("dim")
        total = sum(s.fired_by_rule.values()) or len(s.fired)
        head = Text(f"ALERTS {total:,} today · a opens" if total else "ALERTS", dim)
        lines = [self._line(s, fired, width) for fired in self._newest()]
        return [head, *(lines or [Text(none_yet(s), dim)])]

    def _line(self, s: Snapshot, fired: Fired, width: int) -> Text:
        fresh = s.event_ns - fired.ts_ns <= FRESH_NS
        then, since = change_then(s, fired), change_since(s, fired)
        tail = f" {moved(since):>8}" if width >= SINCE_FROM else ""
        used = 9 + SYMBOL_CELLS + 1 + 8 + 1 + len(tail)
        text = Text(no_wrap=True)
        text.append(f"{when(s, fired)[:8]} ", self._look("fresh" if fresh else "dim"))
        text.append(f"{fmt.fit(fired.symbol, SYMBOL_CELLS)} ", Style(bold=True))
        text.append(f"{fmt.percent(then):>8} ", self._by(then))
        text.append(fmt.fit(fired.rule, max(width - used, RULE_LEAST)))
        text.append(tail, self._by(since))
        return text

    def _by(self, percent: float) -> Style:
        if not math.isfinite(percent) or percent == 0:
            return self._look("dim")
        return self._look("up" if percent > 0 else "down")

    def _look(self, name: str) -> Style:
        return self.get_component_rich_style(f"recent--{name}", partial=True)

    def render(self) -> Text:
        return Text("\n", no_wrap=True).join(self._lines())

    def on_click(self, event: events.Click) -> None:
        newest, y = self._newest(), event.y - self.content_offset.y - 1
        self.post_message(Wanted(newest[y] if 0 <= y < len(newest) else None))


class AlertLine(Widget):
    """The newest alert in one line."""

    COMPONENT_CLASSES = {"recent--dim", "recent--fresh"}

    def __init__(self) -> None:
        super().__init__()
        self._text, self._look = "", "dim"

    def show(self, snapshot: Snapshot) -> None:
        """Take a new picture; drawn only when it says something else."""
        fired = delivered(snapshot)
        fresh = bool(fired) and snapshot.event_ns - fired[-1].ts_ns <= FRESH_NS
        said = (last_alert(snapshot), "fresh" if fresh else "dim")
        if said != (self._text, self._look):
            self._text, self._look = said
            self.refresh()

    def render(self) -> Text:
        sign = "! " if self._look == "fresh" else "  "
        style = self.get_component_rich_style(f"recent--{self._look}", partial=True)
        return Text(fmt.fit(sign + self._text, max(self.size.width, 1)), style)

    def on_click(self) -> None:
        self.post_message(Wanted(None))
