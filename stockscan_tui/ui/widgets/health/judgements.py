"""The five lines at the panel's top."""

from __future__ import annotations

from collections.abc import Iterable

from stockscan_tui.market.judgement import Judgement
from stockscan_tui.market.text import printable
from stockscan_tui.ui.widgets.health.drawn import STYLE_OF, Drawn, Part, Row


class JudgementLines(Drawn):
    """A sign, a word and a sentence for each side of a run."""

    def __init__(self) -> None:
        super().__init__(id="judgements")
        self._judged: tuple[Judgement, ...] = ()

    def show(self, judged: tuple[Judgement, ...]) -> None:
        """Take new judgements."""
        self._judged = judged
        self.redraw()

    def rows(self, width: int, height: int) -> Iterable[Row]:
        for judgement in self._judged:
            level = judgement.level
            head = f" {level.sign} {judgement.name:<13}{level.word:<8}"
            pieces = (
                (head, STYLE_OF[level]),
                (f" {printable(judgement.sentence)}", "plain"),
            )
            yield (Part(0, width, pieces),)
