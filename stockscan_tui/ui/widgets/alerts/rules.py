"""How often each rule has fired today, and how far marks have gone since; beside the list."""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import median

from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.alerts.known import change_since
from stockscan_tui.ui.widgets.alerts.wording import moved

COUNT_CELLS, SINCE_CELLS = 8, 10
Counted = tuple[str, int, float]


def counted(snapshot: Snapshot) -> tuple[Counted, ...]:
    """Return each rule's name, firings today, and the median change since, in percent.

    Those that fired most often come first; the median is over the alerts of the picture.
    """
    since: defaultdict[str, list[float]] = defaultdict(list)
    for fired in snapshot.fired:
        change = change_since(snapshot, fired)
        if math.isfinite(change):
            since[fired.rule].append(change)
    pairs = sorted(snapshot.fired_by_rule.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple((name, n, median(since[name]) if since[name] else math.nan) for name, n in pairs)


class RuleCounts(Widget):
    """The rules that have fired today."""

    COMPONENT_CLASSES = {"counts--dim", "counts--up", "counts--down"}

    def __init__(self) -> None:
        super().__init__()
        self._lines: tuple[tuple[str, str, str], ...] = ()

    def show(self, snapshot: Snapshot) -> None:
        """Take a new picture; drawn only when a figure is another one."""
        lines = tuple((name, f"{n:,}", moved(since)) for name, n, since in counted(snapshot))
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def render(self) -> Text:
        name_cells = max(self.size.width - COUNT_CELLS - SINCE_CELLS, 1)
        head = "TODAY".rjust(COUNT_CELLS) + "MEDIAN%".rjust(SINCE_CELLS)
        text = Text(no_wrap=True)
        text.append(fmt.fit("RULE", name_cells) + head, self._look("dim"))
        for name, count, since in self._lines[: max(self.size.height - 1, 0)]:
            text.append(f"\n{fmt.fit(name, name_cells)}{count:>{COUNT_CELLS}}")
            text.append(f"{since:>{SINCE_CELLS}}", self._by(since))
        return text

    def _by(self, since: str) -> Style:
        look = {"▴": "up", "▾": "down"}.get(since[0], "dim")
        return self._look(look)

    def _look(self, name: str) -> Style:
        return self.get_component_rich_style(f"counts--{name}", partial=True)
