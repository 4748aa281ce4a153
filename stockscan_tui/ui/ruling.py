"""What the screen does with rules: reads the file again, changes it, tries a rule on saved days.

Files are read and written in threads; a trial has a thread of its own. What is held here belongs
to the interface's thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stockscan_tui.errors import StockscanError
from stockscan_tui.market.calendar import Session
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.rules import Rule, Rules

if TYPE_CHECKING:
    from stockscan_tui.config import rule_edit

# Turns a file into another one; raises UsageError where it cannot.
Edit = Callable[[Path, Names], None]


class RulesSource(Protocol):
    """A rules file that is read again when it has changed.

    Attributes:
        names: What conditions may use besides metrics; a change holds from the next reading on.
    """

    names: Names

    @property
    def rules(self) -> Rules:
        """The last good rules."""
        ...

    @property
    def problem(self) -> str:
        """What is wrong with the file and at which line; empty while it is good."""
        ...

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    def look(self) -> bool:
        """Read it again if it has changed; returns whether rules or problem are other ones."""
        ...


class Outcome(Protocol):
    """What a rule would have done on a session."""

    @property
    def session_date(self) -> date:
        """Which."""
        ...

    @property
    def firings(self) -> int:
        """How often it would have fired."""
        ...

    @property
    def median_pct(self) -> float:
        """The median move 15 minutes after a firing, in percent; NaN where there is none."""
        ...

    @property
    def market_pct(self) -> float:
        """The market's median over the same minutes, in percent; NaN where there is none."""
        ...

    @property
    def warning(self) -> str:
        """What cannot be had from saved bars; empty for nothing."""
        ...


class DryRun(Protocol):
    """Plays a rule over the last saved sessions, the newest first; waits until it is done."""

    def __call__(
        self,
        rule: Rule,
        *,
        told: Callable[[Outcome], None],
        progress: Callable[[float], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Tell each session's outcome as it comes, and how far all of it is, from 0 to 1.

        Raises:
            StockscanError: The saved sessions cannot be played.
        """
        ...


class RuleBook:
    """The rules of a run.

    Args:
        source: The rules file; None where there is none to be had.
        know: Hands the rules on to whoever watches them.
        names: Returns what conditions may use besides metrics.
    """

    def __init__(
        self,
        source: RulesSource | None,
        know: Callable[[Rules], None],
        names: Callable[[], Names] = Names,
    ) -> None:
        self._source = source
        self._know = know
        self._names = names
        self._reading = asyncio.Lock()

    @property
    def names(self) -> Names:
        """What conditions may use besides metrics."""
        return self._names()

    @property
    def rules(self) -> Rules:
        """The last good rules."""
        return self._source.rules if self._source is not None else Rules()

    @property
    def problem(self) -> str:
        """What is wrong with the file; empty while it is good."""
        return self._source.problem if self._source is not None else ""

    @property
    def path(self) -> Path | None:
        """Where the rules are kept."""
        return self._source.path if self._source is not None else None

    def begin(self) -> None:
        """Read the file and hand its rules on; for the thread that opens the player."""
        if self._source is not None:
            self._source.look()
            self._know(self._source.rules)

    async def look(self) -> bool:
        """Read the file again if it has changed, and hand the rules on; returns whether it has.

        While it is being read or changed, nothing is done.
        """
        if self._source is None or self._reading.locked():
            return False
        async with self._reading:
            return await self._look(self._source)

    async def change(self, edit: Edit) -> str:
        """Change the file in a thread and take what it says then; returns why that was refused."""
        source = self._source
        if source is None:
            return "There is no rules file here."
        async with self._reading:
            # A filter that was saved meanwhile can be used.
            names = source.names = self.names
            watched = source.rules.watched

            def changed() -> None:
                _begin_file(source.path, names, watched)
                edit(source.path, names)

            try:
                await asyncio.to_thread(changed)
            except StockscanError as error:
                return str(error)
            await self._look(source)
        return ""

    async def _look(self, source: RulesSource) -> bool:
        before = source.rules
        changed = await asyncio.to_thread(source.look)
        if source.rules is not before:
            self._know(source.rules)
        return changed


class Trial:
    """A dry run of one rule in a thread; read by the screen at its own pace.

    Args:
        dry_run: Plays the rule.
        rule: The rule.

    Attributes:
        outcomes: The sessions that have been played, the newest first.
        progress: How far all of it is, from 0 to 1.
        problem: Why it broke off; empty while it has not.
        done: Whether it has ended.
    """

    def __init__(self, dry_run: DryRun, rule: Rule) -> None:
        self.outcomes: tuple[Outcome, ...] = ()
        self.progress = 0.0
        self.problem = ""
        self.done = False
        self._dry_run = dry_run
        self._rule = rule
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._play, name="stockscan-trial", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Ask it to end; nothing is told any more."""
        self._cancelled.set()

    def _play(self) -> None:
        try:
            self._dry_run(
                self._rule, told=self._told, progress=self._at, cancelled=self._cancelled.is_set
            )
        except StockscanError as error:
            self.problem = str(error)
        except Exception as error:  # noqa: BLE001 - the screen says it, and goes on
            self.problem = f"It broke off on a defect: {error!r}."
        finally:
            self.done = True

    def _told(self, outcome: Outcome) -> None:
        self.outcomes = (*self.outcomes, outcome)

    def _at(self, progress: float) -> None:
        self.progress = progress


def save(path: Path, names: Names, rule: Rule, former: Rule | None = None) -> None:
    """Keep a rule in a file; not for the screen's thread.

    Args:
        path: The file.
        names: What conditions may use besides metrics.
        rule: The rule.
        former: What it was before; None for a new one, which takes the place of any of its name.

    Raises:
        UsageError: The file cannot be changed.
    """
    from stockscan_tui.config import rule_edit  # noqa: PLC0415 - tomlkit is needed here alone
    from stockscan_tui.config.rule_reading import RULE  # noqa: PLC0415

    if rule == former:
        return
    same = former is not None and (rule.when, rule.move) == (former.when, former.move)
    more: dict[str, rule_edit.Value] = {}
    if former is None:
        more = dict.fromkeys(key for key in RULE if key != "name")
    elif former.shipped and not same:
        more = _spelled(former)
    if rule.when is None and not same:
        more["move"] = rule.move
    if not rule.once_a_day:
        more["once_a_day"] = None
    if former is not None and former.shipped and not former.enabled:
        more["enabled"] = False
    more.pop("when", None)
    more.pop("cooldown", None)
    rule_edit.save_rule(
        path,
        rule.name,
        "" if same or rule.when is None else rule.when.text,
        cooldown=None if rule.once_a_day else rule.cooldown_s,
        names=names,
        **more,
    )


def _begin_file(path: Path, names: Names, watched: Iterable[Rule]) -> None:
    """Make a file of the rules that are on without one, so that a first change leaves the others.

    Raises:
        UsageError: It cannot be written.
    """
    from stockscan_tui.config import rule_edit  # noqa: PLC0415 - tomlkit is needed here alone

    if not path.exists():
        for rule in watched:
            rule_edit.set_enabled(path, rule.name, True, names)


def _spelled(rule: Rule) -> dict[str, rule_edit.Value]:
    """Return what a rule of the library asks for besides, as a file has it."""
    words = {Session.PRE: "pre", Session.REGULAR: "regular", Session.POST: "post"}
    return {
        "filter": rule.filter.text or None,
        "rearm": rule.rearm.text if rule.rearm is not None else rule.rearm_move or None,
        "sessions": [word for session, word in words.items() if session in rule.sessions],
        "priority": rule.priority.value,
        "once_a_day": rule.once_a_day or None,
    }
