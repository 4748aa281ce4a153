"""The five lines at the panel's top."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.segment import Segment

from stockscan_tui.market.judgement import Judgement
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.health.drawn import STYLE_OF, Drawn


class JudgementLines(Drawn):
    """A sign, a word and a sentence for each side of a run."""

    def __init__(self) -> None:
        super().__init__(id="judgements")
        self._judged: tuple[Judgement, ...] = ()

    def show(self, judged: tuple[Judgement, ...]) -> None:
        """Take new judgements."""
        self._judged = judged
        self.redraw()

    def lines(self, width: int, height: int) -> Iterable[Sequence[Segment]]:
        for judgement in self._judged:
            level = judgement.level
            head = f" {level.sign} {judgement.name:<13}"
            word = f"{level.word:<9}"
            room = max(width - cell_len(head) - cell_len(word), 1)
            pieces = (
                (head, STYLE_OF[level]),
                (word, STYLE_OF[level]),
                (fmt.fit(judgement.sentence, room), "plain"),
            )
            yield self.segments(pieces, self.rich_style)
