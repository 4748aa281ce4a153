"""Asks for a time to move to; says while it is typed which instant that is, or what is wrong."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.snapshot import Timeline
from stockscan_tui.market.text import printable
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.instant import EXAMPLES, Here, read_instant
from stockscan_tui.ui.sheet import Sheet
from stockscan_tui.ui.widgets.field import WORD, Field


class GoToScreen(Sheet[int | None]):
    """One field over the last lines; the result is an instant in ns since 1970, None to stay.

    Args:
        now_ns: Where one is, for steps such as +15m.
        timeline: What can be moved over.
    """

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "Stay")]

    def __init__(self, now_ns: int, timeline: Timeline) -> None:
        super().__init__()
        self._here = Here(now_ns, timeline)

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Content("Go to a time (New York)")
            box.border_subtitle = Content("Enter goes · Esc stays")
            with Horizontal():
                yield Field(most=WORD, placeholder=fmt.clock(self._here.now_ns), compact=True)
                yield Static(id="goal", markup=False)
            yield Static(id="said", markup=False)

    def on_mount(self) -> None:
        self._tell("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._tell(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if not event.value.strip():
            self.dismiss(None)
            return
        try:
            self.dismiss(read_instant(event.value, self._here))
        except UsageError as error:
            self._say("", str(error), wrong=True)

    def _tell(self, text: str) -> None:
        """Say which instant the text names, or why it names none."""
        if not text.strip():
            self._say("", self._offer())
            return
        try:
            ns = read_instant(text, self._here)
        except UsageError as error:
            self._say("", str(error), wrong=True)
            return
        away_s = (ns - self._here.now_ns) / SECOND_NS
        where = f"{fmt.span(abs(away_s))} {'ahead' if away_s > 0 else 'back'}"
        self._say(f"→ {fmt.day(ns)} {fmt.clock(ns)}", where)

    def _offer(self) -> str:
        dated = " · 2026-11-20 10:30" if len(self._here.timeline.days) > 1 else ""
        return EXAMPLES + dated

    def _say(self, goal: str, sentence: str, *, wrong: bool = False) -> None:
        self.query_one("#goal", Static).update(goal)
        said = self.query_one("#said", Static)
        said.update(printable(sentence))
        said.set_class(wrong, "-wrong")
