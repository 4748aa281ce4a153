"""A rule made of the filter on the board, and what it would have done on saved days."""

from __future__ import annotations

import math
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from stockscan_tui.config.rules import RulesFile
from stockscan_tui.errors import StockscanError
from stockscan_tui.scan.rules import Rule
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.ruling import Outcome
from stockscan_tui.ui.screens.rule_from_filter import RuleFromFilterScreen, in_words, name_for
from tests.ui.driving import Stage, on_stage
from tests.ui.test_rules_screen import says

FRIDAY = date(2026, 6, 12)


@dataclass(frozen=True)
class Session:
    session_date: date = FRIDAY
    firings: int = 14
    median_pct: float = 1.84
    market_pct: float = 0.06
    warning: str = ""


@dataclass
class SavedDays:
    """Saved sessions that are played as a test says; `ended` is set when a trial is over."""

    sessions: list[Session] = field(default_factory=list)
    progress: float = 0.63
    refusal: str = ""
    holds: bool = False
    rules: list[Rule] = field(default_factory=list)
    cancels: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def __call__(
        self,
        rule: Rule,
        *,
        told: Callable[[Outcome], None],
        progress: Callable[[float], None],
        cancelled: Callable[[], bool],
    ) -> None:
        self.rules.append(rule)
        for session in self.sessions:
            told(session)
        progress(self.progress)
        wait = threading.Event()
        while self.holds and not cancelled():
            wait.wait(0.005)
        self.cancels += cancelled()
        self.ended.set()
        if self.refusal:
            raise StockscanError(self.refusal)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rules.toml"


def on_board(
    path: Path,
    act: Callable[[Stage], Awaitable[Any]],
    days: SavedDays | None = None,
    text: str = "",
) -> None:
    """Run `act` on a board, with A pressed over a filter if one is given."""

    async def run(stage: Stage) -> None:
        if text:
            await stage.filter(text)
            await stage.pilot.press("A")
            await stage.until(lambda: isinstance(stage.app.screen, RuleFromFilterScreen))
        await act(stage)

    on_stage(run, desk=Desk(gates=None, rules=RulesFile(path), dry_run=days))


def test_three_keys_make_a_tested_rule_of_the_filter(path: Path) -> None:
    days = SavedDays([Session(), Session(date(2026, 6, 11), 0)], holds=True)

    async def act(stage: Stage) -> None:
        await says(stage, "chg 5 volume 100")
        await says(stage, "match now")
        await says(stage, "Friday: 14 firings, median +1.8 % after 15 min, market +0.1 %")
        await says(stage, "Thursday: no firing")
        await says(stage, "… 63 %")
        await stage.pilot.press("enter")
        await says(stage, "the rule chg 5 volume 100 is saved and on")
        assert [rule.name for rule in stage.player.rules.watched] == ["chg 5 volume 100"]

    on_board(path, act, days, "chg > 5 and volume > 100")
    saved = RulesFile(path).rules.rules[0]
    assert saved.when is not None
    assert (saved.when.text, saved.cooldown_s) == ("chg > 5 and volume > 100", 900)
    assert days.ended.wait(5)
    assert days.cancels == 1


def test_without_a_filter_it_says_so(path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("A")
        await says(stage, "no filter to make a rule of")

    on_board(path, act)


def test_the_filter_of_the_list_is_part_of_the_rule(path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("6")
        await stage.filter("chg > -50")
        await stage.pilot.press("A")
        await says(stage, "(high(5m) == high) and (chg > -50)")

    on_board(path, act)


def test_escape_saves_nothing_and_ends_the_trial(path: Path) -> None:
    days = SavedDays(holds=True)

    async def act(stage: Stage) -> None:
        await says(stage, "… 63 %")
        await stage.pilot.press("escape")
        await stage.until(lambda: not isinstance(stage.app.screen, RuleFromFilterScreen))

    on_board(path, act, days, "chg > 5")
    assert days.ended.wait(5)
    assert days.cancels == 1
    assert not path.exists()


def test_another_condition_is_tried_anew_and_another_name_is_not(path: Path) -> None:
    days = SavedDays(holds=True)

    def tried() -> str:
        when = days.rules[-1].when
        return when.text if when is not None else ""

    async def act(stage: Stage) -> None:
        await stage.until(lambda: len(days.rules) == 1)
        await stage.pilot.press(*"mine")
        stage.app.screen._try()  # type: ignore[attr-defined]
        assert len(days.rules) == 1
        await stage.pilot.press("down", *" and mark < 9")
        await stage.until(lambda: tried().endswith("mark < 9"))
        await stage.pilot.press("down", "1", "h")
        await stage.until(lambda: days.rules[-1].cooldown_s == 3600)
        await stage.pilot.press("enter")
        await says(stage, "the rule mine is saved")

    on_board(path, act, days, "chg > 5")


def test_a_trial_that_breaks_off_says_why(path: Path) -> None:
    days = SavedDays(refusal="The database is held by another instance.")

    async def act(stage: Stage) -> None:
        await says(stage, "held by another instance")

    on_board(path, act, days, "chg > 5")


@pytest.mark.parametrize("days", [None, SavedDays()])
def test_without_saved_sessions_it_says_so(path: Path, days: SavedDays | None) -> None:
    async def act(stage: Stage) -> None:
        await says(stage, "no saved sessions yet")

    on_board(path, act, days, "chg > 5")


def test_what_bars_alone_cannot_tell_is_said_once(path: Path) -> None:
    unknown = Session(warning="spread is not in saved bars")
    days = SavedDays([unknown, Session(date(2026, 6, 11), warning=unknown.warning)])

    async def act(stage: Stage) -> None:
        await says(stage, "! spread is not in saved bars")
        assert stage.text().count("spread is not") == 1

    on_board(path, act, days, "spread < 1")


def test_words_are_completed_and_the_arrows_go_from_field_to_field(path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("down", *" and rvo", "tab", *" > 2", "up", *"busy", "enter")
        await says(stage, "the rule busy is saved")

    on_board(path, act, None, "chg > 5")
    when = RulesFile(path).rules.rules[0].when
    assert when is not None
    assert when.text == "chg > 5 and rvol > 2"


@pytest.mark.parametrize(
    ("condition", "name"),
    [
        ("chg > 5 and rvol >= 3.5", "chg 5 rvol 3.5"),
        ("chg(5m) > 3 or not @cheap", "chg(5m) 3 cheap"),
        ("NV", "NV"),
        ("(((", "rule"),
        ("mark < 5", "mark 5 2"),
    ],
)
def test_a_rule_is_named_after_its_condition(condition: str, name: str) -> None:
    assert name_for(condition, ["Mark 5", "x"]) == name


def test_a_long_condition_has_a_short_name() -> None:
    assert len(name_for(" and ".join(f"rsi({n}) > {n}" for n in range(2, 99)), [])) <= 30


@pytest.mark.parametrize(
    ("session", "said"),
    [
        (Session(firings=1), "Friday: 1 firing, median +1.8 % after 15 min, market +0.1 %"),
        (Session(market_pct=math.nan), "Friday: 14 firings, median +1.8 % after 15 min"),
        (Session(median_pct=math.nan), "Friday: 14 firings, no price 15 min after"),
        (Session(date(2026, 6, 5)), "Fri 5 Jun: 14 firings, median +1.8 % after 15 min, "
                                    "market +0.1 %"),
    ],
)  # fmt: skip
def test_a_session_is_told_in_a_line(session: Session, said: str) -> None:
    assert in_words(session, date(2026, 6, 15)) == said
