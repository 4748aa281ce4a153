"""The lines at the panel's foot: what the figure under the cursor is, and its limits."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from stockscan_tui.ui.widgets.health.blocks import Entry
from stockscan_tui.ui.widgets.health.drawn import Drawn, Part, Row


class Explanation(Drawn):
    """What a figure means, over as many lines as there is room for."""

    def __init__(self) -> None:
        super().__init__(id="explanation")
        self._entry: Entry | None = None

    def show(self, entry: Entry) -> None:
        """Explain a figure."""
        self._entry = entry
        self.redraw()

    def rows(self, width: int, height: int) -> Iterable[Row]:
        if self._entry is None:
            return
        said = f"{self._entry.title}: {self._entry.doc}"
        lines = textwrap.wrap(said, max(width - 2, 8))
        for at, line in enumerate(lines[:height]):
            more = " …" * (at == height - 1 and len(lines) > height)
            yield (Part(1, width - 1, ((line + more, "said"),)),)
