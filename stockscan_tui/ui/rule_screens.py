"""Opens the screens of rules, and says what becomes of the rules file while the program runs.

Owned by the interface's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.worker import Worker

from stockscan_tui.clock import Clock
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.ranking import Ranking
from stockscan_tui.ui.ruling import RuleBook, save
from stockscan_tui.ui.screens.rule_from_filter import (
    USUAL_COOLDOWN_S,
    RuleFromFilterScreen,
)
from stockscan_tui.ui.screens.rules import RulesScreen

LOOK_S = 1.0
PROBLEM_S = 30.0
NO_FILTER = "no filter to make a rule of: / writes one, then A"


class RuleScreens:
    """Does it for one application.

    Args:
        app: Where screens and toasts are shown.
        book: The rules.
        ranking: The board's filter and the selected symbol.
        desk: What else there is for it.
        clock: Wall time.
        say: Says a sentence on the screen that is shown.
        snapshot: Returns the newest picture.
        left: Is called with the list to show, or nothing, when the rules screen was left.
    """

    def __init__(
        self,
        app: App[Any],
        book: RuleBook,
        ranking: Ranking,
        desk: Desk,
        clock: Clock,
        *,
        say: Callable[[str], None],
        snapshot: Callable[[], Snapshot | None],
        left: Callable[[str], None],
    ) -> None:
        self._app = app
        self._book = book
        self._ranking = ranking
        self._desk = desk
        self._clock = clock
        self._say = say
        self._snapshot = snapshot
        self._left = left
        self.shown: RulesScreen | None = None
        self._looking: Worker[None] | None = None

    # --- the file -------------------------------------------------------------------------------

    def begin(self) -> None:
        """Say what is wrong with the file from the start, and look at it from here on."""
        self._tell_problem()
        self._app.set_interval(LOOK_S, self._look)

    def _look(self) -> None:
        # A slow disk holds up neither keys nor pictures, and is not asked twice at once.
        if self._looking is None or self._looking.is_finished:
            self._looking = self._app.run_worker(self.look, group="rules")

    async def look(self) -> None:
        """Read the file again if it has changed, and say so."""
        if not await self._book.look() or not self._app.is_running:
            return
        reloaded = f"rules reloaded: {len(self._book.rules.watched)} on"
        if self.shown is not None:
            self.shown.renew()
        if self.shown is not None and self._app.screen is self.shown:
            self.shown.say(self._book.problem or reloaded)
        elif not self._tell_problem():
            self._app.notify(reloaded, markup=False)

    def _tell_problem(self) -> bool:
        problem = self._book.problem
        if problem:
            self._app.notify(
                printable(f"{problem} The last good rules go on."), title="✗ rules",
                severity="error", markup=False, timeout=PROBLEM_S,
            )  # fmt: skip
        return bool(problem)

    # --- screens --------------------------------------------------------------------------------

    @property
    def wanted(self) -> frozenset[IndicatorKey]:
        """The indicators that the rules in view need."""
        return self.shown.wanted if self.shown is not None else frozenset()

    def open(self) -> None:
        """Show the rules, also from a screen over them; or go back from there."""
        if self.shown is not None:
            self._app.screen.dismiss(None)
            return
        self.shown = RulesScreen(
            self._book,
            self._clock,
            symbol=self._ranking.name,
            dry_run=self._desk.dry_run,
        )
        self._app.push_screen(self.shown, self._closed)

    def _closed(self, shown_list: str | None) -> None:
        self.shown = None
        self._left(shown_list or "")

    def make(self) -> None:
        """Make a rule of the filter that stands on the board."""
        picker = self._ranking.picker
        chosen, listed = picker.chosen.text.strip(), picker.listed.text.strip()
        if not chosen:
            self._say(NO_FILTER)
            return
        # What is seen is what both leave.
        condition = f"({listed}) and ({chosen})" if listed else chosen
        screen = RuleFromFilterScreen(
            Rule("", when=parse(condition, picker.names), cooldown_s=USUAL_COOLDOWN_S),
            title="A rule of the filter",
            taken=[rule.name for rule in self._book.rules.rules],
            names=picker.names,
            snapshot=self._snapshot,
            dry_run=self._desk.dry_run,
        )
        self._app.push_screen(screen, self._made)

    async def _made(self, rule: Rule | None) -> None:
        if rule is not None:
            refused = await self._book.change(lambda path, names: save(path, names, rule))
            self._say(refused or f"the rule {rule.name} is saved and on · r rules")
