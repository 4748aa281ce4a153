"""A rule while it is written: name, condition, cooldown, and what it would have done before."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date
from typing import ClassVar, cast

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, Static

from stockscan_tui.config import checks, rule_checks
from stockscan_tui.config.rule_checks import time_text
from stockscan_tui.errors import UsageError
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.scan.expression import ExpressionError, Names, parse
from stockscan_tui.scan.rules import Rule
from stockscan_tui.ui.commands import Command, bindings
from stockscan_tui.ui.matching import holds
from stockscan_tui.ui.ruling import DryRun, Outcome, Trial
from stockscan_tui.ui.screens.columns import linked
from stockscan_tui.ui.sheet import Sheet
from stockscan_tui.ui.widgets.field import NAME, Field
from stockscan_tui.ui.widgets.filter_field import FilterField

USUAL_COOLDOWN_S = 900.0
# A trial begins so long after the last key.
SETTLED_S = 0.6
LOOK_S = 0.1
OFFERS = 6
NAME_WORDS = 30
WEEK = 7
_NAMED = re.compile(r"[A-Za-z_@][A-Za-z0-9_.]*(?:\([^()]*\))?|\d+(?:\.\d+)?[kmb%]?")
_JOINING = {"and", "or", "not"}

WRITING = (
    Command("save", "enter", "screen.save", "Enter", "save", "Save the rule"),
    Command("back", "escape", "screen.leave", "Esc", "leave", "Leave all as it was"),
    Command("field", "down", "screen.field(1)", "↑ ↓", "field", "The next field"),
    Command("field_above", "up", "screen.field(-1)", "↑", "", "The field above"),
    Command("complete", "tab", "screen.field(1)", "Tab", "complete", "Complete the word"),
)


class ConditionField(FilterField):
    """A filter field in which the arrows lead to the other fields.

    Args:
        names: What may stand in it besides metrics.
        text: What stands in it at first.
    """

    def __init__(self, names: Names, text: str) -> None:
        super().__init__(names)
        self.value = text
        # A long condition is changed more often than written anew.
        self.select_on_focus = False
        self.cursor_position = len(text)

    def action_recall(self, step: int) -> None:
        """Go to the field above or below."""
        cast("RuleFromFilterScreen", self.screen).action_field(step)


def name_for(condition: str, taken: Collection[str]) -> str:
    """Return a name for a condition that no other rule has: `chg 5 rvol 3`."""
    words: list[str] = []
    for word in _NAMED.findall(condition):
        if word not in _JOINING and len(" ".join((*words, word))) <= NAME_WORDS:
            words.append(word.lstrip("@"))
    bare = " ".join(words) or "rule"
    known = {name.casefold() for name in taken}
    name, number = bare, 2
    while name.casefold() in known:
        name, number = f"{bare} {number}", number + 1
    return name


def in_words(outcome: Outcome, today: date | None) -> str:
    """Return `Friday: 14 firings, median +1.8 % after 15 min, market +0.1 %`."""
    day = _day(outcome.session_date, today)
    if not outcome.firings:
        return f"{day}: no firing"
    count = "1 firing" if outcome.firings == 1 else f"{outcome.firings:,} firings"
    if not math.isfinite(outcome.median_pct):
        return f"{day}: {count}, no price 15 min after"
    said = f"{day}: {count}, median {outcome.median_pct:+.1f} % after 15 min"
    market = outcome.market_pct
    return f"{said}, market {market:+.1f} %" if math.isfinite(market) else said


def _day(day: date, today: date | None) -> str:
    recent = today is not None and 0 <= (today - day).days < WEEK
    return f"{day:%A}" if recent else f"{day:%a} {day.day} {day:%b}"


class RuleFromFilterScreen(Sheet[Rule | None]):
    """Asks for a rule's name, condition and cooldown; the result is the rule, None leaves all.

    Below, in the background, stands what it would have done on the last saved sessions.

    Args:
        draft: The rule as it is at first; one without a name gets one of its condition.
        title: What the box is called.
        taken: The names of all rules.
        names: What may stand in a condition besides metrics.
        snapshot: Returns the newest picture, to say for how many symbols it holds.
        dry_run: Plays a rule over saved sessions; None where there are none.
        named: Whether the rule has its name already, and keeps it.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(WRITING)

    def __init__(
        self,
        draft: Rule,
        *,
        title: str,
        taken: Collection[str],
        names: Names,
        snapshot: Callable[[], Snapshot | None],
        dry_run: DryRun | None = None,
        named: bool = False,
    ) -> None:
        super().__init__()
        self._draft = draft
        self._box_title = title
        self._taken = taken
        self._names = names
        self._snapshot = snapshot
        self._dry_run = dry_run
        self._named = named
        self._trial: Trial | None = None
        self._tried: Rule | None = None
        self._settling: Timer | None = None
        self._refused = ""

    def compose(self) -> ComposeResult:
        draft = self._draft
        condition = draft.when.text if draft.when is not None else f"{draft.move:g}"
        name = draft.name or self._usual_name(condition)
        cooldown = "" if draft.once_a_day else time_text(draft.cooldown_s)
        with Vertical(id="box") as box:
            box.border_title = Content(self._box_title)
            with Horizontal():
                yield Static("name", classes="label")
                yield Field(name, id="name", most=NAME, compact=True, disabled=self._named)
            with Horizontal():
                yield Static("when" if draft.when is not None else "move %", classes="label")
                yield ConditionField(self._names, condition)
            with Horizontal():
                yield Static("cooldown", classes="label")
                yield Field(cooldown, id="cooldown", most=8, compact=True,
                            placeholder="once a day" if draft.once_a_day else "15m")  # fmt: skip
                yield Static("before it fires again for a symbol: 30s, 15m, 2h", id="spans")
            yield Static(id="said", markup=False)
            yield Static(id="trial", markup=False)
            yield Static(linked(WRITING), id="keys")

    def on_mount(self) -> None:
        field = self.query_one(ConditionField)
        if self._named or not field.value:
            field.focus()
        else:
            self.query_one("#name").focus()
        self._check()
        self._try()
        self.set_interval(LOOK_S, self._show_trial)

    def on_unmount(self) -> None:
        self._stop()

    # --- what is written ------------------------------------------------------------------------

    def _usual_name(self, condition: str) -> str:
        return name_for(condition, self._taken) if condition.strip() else ""

    @property
    def rule(self) -> Rule:
        """The rule as it is written now.

        Raises:
            UsageError: Something in it is wrong; ExpressionError where that is the condition.
        """
        condition = self.query_one(ConditionField).value.strip()
        name = " ".join(self.query_one("#name", Input).value.split())
        name = name or self._draft.name or self._usual_name(condition)
        cooldown = self.query_one("#cooldown", Input).value.strip()
        rule = self._conditioned(condition)
        try:
            rule = replace(rule, name=checks.title(name, ("name",)))
            if not cooldown and self._draft.once_a_day:
                return rule
            seconds = rule_checks.seconds(cooldown, ("cooldown",))
        except checks.RefusedError as error:
            raise UsageError(str(error)) from error
        return replace(rule, cooldown_s=seconds, once_a_day=False)

    def _conditioned(self, text: str) -> Rule:
        if self._draft.when is not None:
            if not text:
                raise UsageError("Write a condition, as in chg(5m) > 3 and rvol > 2.")
            return replace(self._draft, when=parse(text, self._names))
        try:
            move = float(text.rstrip("% "))
        except ValueError:
            move = 0.0
        if not 0 < move < math.inf:
            raise UsageError("A move is a number of percent above 0.")
        return replace(self._draft, move=move)

    @on(Input.Changed)
    def _typed(self) -> None:
        self.query_one("#name", Input).placeholder = self._usual_name(
            self.query_one(ConditionField).value
        )
        self._check()
        self._show_trial()
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLED_S, self._try)

    def _check(self) -> None:
        """Say what is wrong with what is written, or for how many symbols it holds."""
        field = self.query_one(ConditionField)
        offers = " ".join(field.offers[:OFFERS]) if field.has_focus and field.value else ""
        try:
            rule = self.rule
        except ExpressionError as error:
            unfinished = error.incomplete and bool(offers)
            self._refused = str(error)
            self._say(f"Tab: {offers}" if unfinished else str(error), wrong=not unfinished)
            return
        except UsageError as error:
            self._refused = str(error)
            self._say(str(error), wrong=bool(field.value))
            return
        self._refused = ""
        self._say(self._consequence(rule) + (f" · Tab: {offers}" if offers else ""))

    def _consequence(self, rule: Rule) -> str:
        """Return what saving does, and how many symbols match now."""
        known = {name.casefold() for name in self._taken}
        replaces = not self._named and rule.name.casefold() in known
        snapshot = self._snapshot()
        matching = "" if snapshot is None else (
            f"{int(np.count_nonzero(holds(rule, snapshot))):,} match now"
        )  # fmt: skip
        hint = rule.when.hint if rule.when is not None else ""
        said = (f"the rule {rule.name} is replaced" if replaces else "", matching, hint)
        return " · ".join(part for part in said if part)

    def _say(self, sentence: str, *, wrong: bool = False) -> None:
        said = self.query_one("#said", Static)
        said.update(printable(sentence))
        said.set_class(wrong, "-wrong")

    # --- the trial ------------------------------------------------------------------------------

    def _try(self) -> None:
        """Play the rule over saved sessions, if it is another one than was played last."""
        wanted = self._wanted()
        if self._dry_run is not None and wanted is not None and wanted != self._tried:
            self._stop()
            self._tried = wanted
            self._trial = Trial(self._dry_run, self.rule)
        self._show_trial()

    def _wanted(self) -> Rule | None:
        """Return what is to be played, whatever its name; None where nothing can be."""
        try:
            return replace(self.rule, name="")
        except UsageError:
            return None

    def _stop(self) -> None:
        if self._trial is not None:
            self._trial.cancel()

    def _show_trial(self) -> None:
        self.query_one("#trial", Static).update(printable_lines(self._trial_lines()))

    def _trial_lines(self) -> list[str]:
        trial = self._trial
        if self._dry_run is None:
            return ["no saved sessions yet to try it on"]
        if trial is None or self._wanted() != self._tried:
            return ["what it would have done on saved sessions: as soon as it is written"]
        snapshot = self._snapshot()
        today = snapshot.session_date if snapshot is not None else None
        lines = [in_words(outcome, today) for outcome in trial.outcomes]
        warnings = dict.fromkeys(o.warning for o in trial.outcomes if o.warning)
        if trial.problem:
            lines.append(trial.problem)
        elif not trial.done:
            lines.append(f"playing saved sessions … {trial.progress * 100:.0f} %")
        elif not lines:
            lines.append("no saved sessions yet to try it on")
        return [*lines, *(f"! {warning}" for warning in warnings)]

    # --- commands -------------------------------------------------------------------------------

    @on(Input.Submitted)
    def action_save(self) -> None:
        """Save the rule, if it can be read."""
        self._check()
        if self._refused:
            self._say(self._refused, wrong=True)
            return
        self.dismiss(self.rule)

    @on(FilterField.Restored)
    def action_leave(self) -> None:
        """Leave all as it was."""
        self.dismiss(None)

    def action_field(self, step: int) -> None:
        """Go to the next field."""
        if step > 0:
            self.focus_next()
        else:
            self.focus_previous()


def printable_lines(lines: list[str]) -> str:
    """Return lines of outside text, made harmless."""
    return "\n".join(printable(line) for line in lines)
