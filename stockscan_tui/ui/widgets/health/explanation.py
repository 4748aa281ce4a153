"""The lines at the panel's foot: what the figure under the cursor is, and its limits."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rich.segment import Segment

from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.health.blocks import Entry
from stockscan_tui.ui.widgets.health.drawn import Drawn


class Explanation(Drawn):
    """What a figure means, over as many lines as there is room for."""

    def __init__(self) -> None:
        super().__init__(id="explanation")
        self._entry: Entry | None = None

    def show(self, entry: Entry) -> None:
        """Explain a figure."""
        self._entry = entry
        self.redraw()

    def lines(self, width: int, height: int) -> Iterable[Sequence[Segment]]:
        if self._entry is None:
            return
        title = f" {self._entry.title}: "
        text = textwrap.wrap(title + self._entry.doc, max(width - 1, 8), subsequent_indent=" ",
                             drop_whitespace=True)  # fmt: skip
        for at, line in enumerate(text[:height]):
            more = at == height - 1 and len(text) > height
            yield [Segment(fmt.fit(f"{line} …" if more else line, width), self.rich_style)]
