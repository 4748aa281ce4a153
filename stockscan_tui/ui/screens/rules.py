"""All rules: which are on, what they ask for, how many symbols meet them now; and their changes."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input, Static

from stockscan_tui.clock import Clock
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.metrics import indicator_of
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule
from stockscan_tui.ui.commands import EVERYWHERE, RULES, bindings
from stockscan_tui.ui.matching import Matching
from stockscan_tui.ui.ruling import DryRun, Edit, RuleBook, save
from stockscan_tui.ui.screens.rule_from_filter import (
    USUAL_COOLDOWN_S,
    RuleFromFilterScreen,
)
from stockscan_tui.ui.sheet import Page
from stockscan_tui.ui.widgets.field import WORDS, Field
from stockscan_tui.ui.widgets.lines import HintLine, KeyLine
from stockscan_tui.ui.widgets.rules.detail import RuleDetail, described
from stockscan_tui.ui.widgets.rules.listing import RuleLines, RuleList, condition_of, in_order
from stockscan_tui.ui.widgets.status import StatusLine

COUNT_STEP_S = 0.1
SAID_S = 6.0
# How many lines the detail has, from which height on it has four more, and when there is no room.
DETAIL_ROWS, LOW_UNDER, TALL_FROM = 9, 16, 32


class FindField(Field):
    """What the rules shown have in them; Enter keeps it, Esc shows all."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "screen.back", "Show all")]


class RulesScreen(Page[str]):
    """The rules of the run; the result is a list to show, or nothing.

    Args:
        book: Reads and changes them.
        clock: Wall time.
        symbol: Whose message is shown where no symbol meets a rule.
        dry_run: Plays a rule over saved sessions; None where there are none.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(RULES)
    # What the rule under the cursor is: toasts stand above it.
    explains_below = True

    def __init__(
        self,
        book: RuleBook,
        clock: Clock,
        *,
        symbol: str = "",
        dry_run: DryRun | None = None,
    ) -> None:
        super().__init__()
        self._book = book
        self._clock = clock
        self._symbol = symbol
        self._dry_run = dry_run
        self._matching = Matching()
        self._snapshot: Snapshot | None = None
        self._sought = ""
        self._doomed = ""
        self._said, self._said_s = "", -SAID_S

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield Static(id="problem", markup=False)
        yield RuleList()
        yield FindField(most=WORDS, compact=True, placeholder="name, metric, on, off")
        yield RuleDetail()
        yield HintLine()
        yield KeyLine((*RULES, *EVERYWHERE))

    def on_mount(self) -> None:
        self.query_one(FindField).display = False
        self._list.focus()
        self.renew()
        self.set_interval(COUNT_STEP_S, self._count)

    def on_resize(self, event: events.Resize) -> None:
        low, tall = event.size.height < LOW_UNDER, event.size.height >= TALL_FROM
        detail = self.query_one(RuleDetail)
        detail.display = not low
        detail.styles.height = DETAIL_ROWS + (4 if tall else 0)
        # The list has its new size only after this message.
        self.call_after_refresh(self.renew)

    @property
    def _list(self) -> RuleList:
        return self.query_one(RuleList)

    @property
    def wanted(self) -> frozenset[IndicatorKey]:
        """The indicators that the rules in view need to be counted."""
        if not self.there:
            return frozenset()
        keys = {key for rule in self._list.in_view for key in rule.keys}
        return frozenset(found for key in keys if (found := indicator_of(key)) is not None)

    # --- what is shown --------------------------------------------------------------------------

    def show(self, snapshot: Snapshot) -> None:
        """Take a new picture."""
        self._snapshot = snapshot
        if self.there:
            self.query_one(StatusLine).show(snapshot)
            self.renew()

    def renew(self) -> None:
        """Show the rules as they are now."""
        if not self.there:
            return
        rules = in_order(self._book.rules.rules, self._sought)
        found = {rule.name: self._matching.of(rule) for rule in rules}
        counts = {name: matched.count for name, matched in found.items() if matched is not None}
        fired = self._snapshot.fired_by_rule if self._snapshot is not None else {}
        self._list.show(RuleLines(rules, counts, dict(fired), self._sought))
        self._show_problem()
        self._show_selected()

    def _show_problem(self) -> None:
        problem = self._book.problem
        line = self.query_one("#problem", Static)
        line.display = bool(problem)
        line.update(printable(f"✗ {problem} The last good rules go on." if problem else ""))

    def _show_selected(self) -> None:
        rule = self._list.selected
        matched = self._matching.of(rule) if rule is not None else None
        lines = described(rule, self._book.path, self._snapshot, matched, self._symbol) if (
            rule is not None
        ) else []  # fmt: skip
        self.query_one(RuleDetail).show(lines)
        self._show_hint()

    def _show_hint(self) -> None:
        said = self._now_s - self._said_s < SAID_S
        self.query_one(HintLine).show(f" {printable(self._said if said else self._summary())}")

    def _summary(self) -> str:
        rules = self._book.rules
        own = sum(not rule.shipped for rule in rules.rules)
        where = f" · {self._book.path}" if self._book.path is not None else ""
        sought = f" · with {self._sought} in them" if self._sought else ""
        return f"{len(rules.watched)} on of {len(rules.rules)}, {own} your own{sought}{where}"

    def say(self, sentence: str) -> None:
        """Say something for a while."""
        self._said, self._said_s = sentence, self._now_s
        self._show_hint()

    @property
    def _now_s(self) -> float:
        return self._clock.now_ns() / 1e9

    def _count(self) -> None:
        """Count for some of the rules in view for how many symbols they hold."""
        snapshot = self._snapshot
        if snapshot is not None and self._matching.step(snapshot, self._list.in_view, self._now_s):
            self.renew()
        else:
            self._show_hint()

    # --- movement -------------------------------------------------------------------------------

    def _moved(self) -> None:
        self._doomed = ""
        self._show_selected()

    def action_move(self, rows: int) -> None:
        """Move the cursor on or back."""
        self._list.move_by(rows)
        self._moved()

    def action_page(self, direction: int) -> None:
        """Move the cursor on or back by half a page."""
        self._list.move_by(direction * max(self._list.page // 2, 1))
        self._moved()

    def action_end(self, last: int) -> None:
        """Move to the first rule, or to the last."""
        self._list.move_to(self._list.count if last else 0)
        self._moved()

    @on(RuleList.Chosen)
    def _clicked(self) -> None:
        self.action_edit()

    # --- find -----------------------------------------------------------------------------------

    def action_find(self) -> None:
        """Ask what the rules shown are to have in them."""
        field = self.query_one(FindField)
        field.value = self._sought
        field.display = True
        field.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if self.query_one(FindField).display:
            self._sought = event.value.strip()
            self.renew()

    @on(Input.Submitted)
    def _found(self) -> None:
        self._close_field()

    def _close_field(self) -> None:
        self.query_one(FindField).display = False
        self._list.focus()
        self.renew()

    def action_back(self) -> None:
        """Show all rules again, or else go back to what was shown before."""
        if self._sought or self.query_one(FindField).display:
            self._sought = ""
            self._close_field()
        else:
            self.dismiss("")

    def action_list(self, key: str) -> None:
        """Go back, and to the list on a digit."""
        self.dismiss(key)

    # --- changes --------------------------------------------------------------------------------

    async def _change(self, edit: Edit, sentence: str) -> None:
        self._doomed = ""
        refused = await self._book.change(edit)
        if self.is_attached:
            self.renew()
            self.say(refused or sentence)

    async def action_switch(self) -> None:
        """Switch the rule on, or off."""
        from stockscan_tui.config import rule_edit  # noqa: PLC0415 - tomlkit is needed here alone

        rule = self._list.selected
        if rule is None:
            return
        name, on_now = rule.name, not rule.enabled
        await self._change(
            lambda path, names: rule_edit.set_enabled(path, name, on_now, names),
            f"{name} is {'on' if on_now else 'off'}",
        )

    async def action_remove(self) -> None:
        """Take a rule out of the file; the first time, ask."""
        from stockscan_tui.config import rule_edit  # noqa: PLC0415 - tomlkit is needed here alone

        rule = self._list.selected
        if rule is None:
            return
        name = rule.name
        if rule.shipped and not rule.line:
            self.say(f"{name} is of the library: t switches it on and off")
        elif self._doomed != name:
            what = f"what the file changes of {name}" if rule.shipped else name
            self.say(f"Remove {what}? X again removes it")
            self._doomed = name
        else:
            await self._change(
                lambda path, names: rule_edit.remove_rule(path, name, names),
                f"{name} is as the library has it" if rule.shipped else f"{name} is removed",
            )

    def action_copy(self) -> None:
        """Copy the condition of the rule under the cursor."""
        rule = self._list.selected
        if rule is not None:
            self.app.copy_to_clipboard(condition_of(rule))
            self.say(f"copied: {condition_of(rule)}")

    def action_edit(self) -> None:
        """Write another condition for the rule under the cursor."""
        rule = self._list.selected
        if rule is not None:
            self._write(rule, "Rule", former=rule)

    def action_new(self) -> None:
        """Write a new rule."""
        self._write(Rule("", when=parse(""), cooldown_s=USUAL_COOLDOWN_S), "New rule", former=None)

    def _write(self, rule: Rule, title: str, *, former: Rule | None) -> None:
        self._doomed = ""
        screen = RuleFromFilterScreen(
            rule,
            title=title,
            taken=[known.name for known in self._book.rules.rules],
            names=self._book.names,
            snapshot=lambda: self._snapshot,
            dry_run=self._dry_run,
            named=former is not None,
        )

        async def written(rule: Rule | None) -> None:
            if rule is not None:
                await self._keep(rule, former)

        self.app.push_screen(screen, written)

    async def _keep(self, rule: Rule, former: Rule | None) -> None:
        state = "on" if former is None or former.enabled else "off: t switches it on"
        await self._change(
            lambda path, names: save(path, names, rule, former), f"{rule.name} is saved and {state}"
        )
        self._list.select(rule.name)
        self._show_selected()
