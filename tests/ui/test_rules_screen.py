"""The rules at the keyboard: switched, written, removed, found, and read again from their file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.widgets import Input

from stockscan_tui.config.rules import RulesFile
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule
from stockscan_tui.ui.app import StockscanApp
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.matching import Matching, holds
from stockscan_tui.ui.screens.alerts import AlertScreen
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.screens.rules import RulesScreen
from tests.ui.driving import Stage, on_stage
from tests.ui.market import FakePlayer, HandClock, market
from tests.ui.test_snapshots import SIZES, arrive, lively

FILE = """\
# my rules
library = ["gap up"]

[[rule]]
name = "runner"
when = "chg > 5 and volume > 100"   # up and busy
cooldown = "10m"
deliver = ["toast"]

[[rule]]
name = "big"
move = 20
enabled = false
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(FILE, "utf-8")
    return file


def on_rules(
    path: Path,
    act: Callable[[Stage], Awaitable[Any]],
    *,
    snapshot: Snapshot | None = None,
    size: tuple[int, int] = (120, 36),
) -> None:
    """Run `act` on the rules screen over a file."""

    async def run(stage: Stage) -> None:
        await stage.pilot.press("r")
        await stage.until(lambda: isinstance(stage.app.screen, RulesScreen))
        await stage.show()
        await act(stage)

    on_stage(run, desk=Desk(gates=None, rules=RulesFile(path)), snapshot=snapshot, size=size)


async def says(stage: Stage, words: str) -> None:
    """Wait until words are on the screen, wherever a line ends."""
    wanted = "".join(words.split())
    try:
        await stage.until(lambda: wanted in "".join(stage.text().split()))
    except AssertionError as error:
        raise AssertionError(f"{words!r} is not on the screen:\n{stage.text()}") from error


async def told(stage: Stage, words: str) -> None:
    """Wait until a toast says words."""
    await stage.until(lambda: any(words in toast.message for toast in stage.app._notifications))


def watched(stage: Stage) -> list[str]:
    """Return the names of the rules that the player was told to watch."""
    return [rule.name for rule in stage.player.rules.watched]


def test_own_rules_come_first_then_the_library_by_name(path: Path) -> None:
    async def act(stage: Stage) -> None:
        lines = [line.split() for line in stage.text().splitlines()]
        rules = [line[1] for line in lines if line and line[0] in "●○"]
        assert rules[:2] == ["runner", "big"]
        assert rules[2:] == sorted(rules[2:])
        assert watched(stage) == ["runner", "gap up"]
        await says(stage, "● runner")
        await says(stage, "○ big")
        await says(stage, "move of 20 % either way")
        await says(stage, "line 4 of")
        await says(stage, "once it has ended · cooldown 10m")

    on_rules(path, act)


def test_each_rule_says_how_many_symbols_meet_it_now_and_how_often_it_fired(path: Path) -> None:
    snapshot = market(fired_by_rule={"runner": 7})
    chg = (snapshot.mark / snapshot.prev_close - 1) * 100
    runner = int(np.count_nonzero((chg > 5) & (snapshot.volume > 100)))
    big = int(np.count_nonzero(np.abs(chg) >= 20))

    async def act(stage: Stage) -> None:
        await stage.until(lambda: f"{runner}      7    10m" in stage.text())
        await stage.until(lambda: f"{big}      ·    day" in stage.text())

    assert runner
    assert big
    on_rules(path, act, snapshot=snapshot)


def test_t_switches_a_rule_on_and_off_in_the_file_and_in_the_run(path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("t")
        await says(stage, "runner is off")
        assert watched(stage) == ["gap up"]
        await stage.pilot.press("j", "t", "slash", *"spike 2", "enter", "t")
        await says(stage, "volume spike 2 is on")
        assert watched(stage) == ["big", "gap up", "volume spike 2"]

    on_rules(path, act)
    text = path.read_text("utf-8")
    assert "# my rules" in text
    assert "# up and busy" in text


def test_enter_writes_another_condition_for_a_rule_of_the_user(path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("enter", *[" "], *"and mark < 50", "enter")
        await says(stage, "runner is saved and on")
        await says(stage, "chg > 5 and volume > 100 and mark < 50")

    on_rules(path, act)
    saved = RulesFile(path).rules.rules[0]
    assert saved.when is not None
    assert saved.when.text == "chg > 5 and volume > 100 and mark < 50"
    assert (saved.cooldown_s, saved.deliver) == (600, ("toast",))


def test_a_condition_that_is_none_is_not_saved_and_says_why(path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("enter", *" and chgg > 3", "enter")
        await says(stage, "Column 30: ")
        await says(stage, "chg")
        await stage.pilot.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, RulesScreen))

    on_rules(path, act)
    assert path.read_text("utf-8") == FILE


def test_a_rule_of_the_library_keeps_its_filter_when_its_condition_is_changed(path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("slash", *"running up", "enter", "enter", *" and mark > 2", "enter")
        await says(stage, "running up is saved and off")
        await stage.pilot.press("t")
        await says(stage, "running up is on")

    before = next(rule for rule in RulesFile(path).rules.rules if rule.name == "running up")
    on_rules(path, act)
    after = next(rule for rule in RulesFile(path).rules.rules if rule.name == "running up")
    assert before.when is not None
    assert after.when is not None
    assert after.rearm is not None
    assert before.rearm is not None
    assert after.when.text == f"{before.when.text} and mark > 2"
    assert after.filter.text == before.filter.text
    assert after.rearm.text == before.rearm.text
    assert after.cooldown_s == before.cooldown_s
    assert after.enabled


def test_a_move_is_written_in_percent(path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("j", "enter", "backspace", "x", "enter")
        await says(stage, "A move is a number of percent")
        await stage.pilot.press("backspace", "5", "down", *"2h", "enter")
        await says(stage, "big is saved")

    on_rules(path, act)
    big = RulesFile(path).rules.rules[1]
    assert (big.move, big.cooldown_s, big.once_a_day, big.enabled) == (25, 7200, False, False)


def test_a_new_rule_is_written_and_an_own_one_removed_after_a_question(path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("A", *"rvol > 4", "up", *"busy", "enter")
        await says(stage, "busy is saved and on")
        assert watched(stage) == ["runner", "busy", "gap up"]
        await stage.pilot.press("g", "X")
        await says(stage, "Remove runner? X again removes it")
        await stage.pilot.press("j", "k", "X")
        assert "runner" in watched(stage)
        await stage.pilot.press("X")
        await says(stage, "runner is removed")
        assert watched(stage) == ["busy", "gap up"]
        await stage.pilot.press("G", "X")
        await says(stage, "is of the library")

    on_rules(path, act)


def test_a_rule_has_a_condition_and_a_cooldown_and_is_named_after_it(path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("A", "enter")
        await says(stage, "Write a condition")
        await stage.pilot.press(*"rvol > 4", "up", *"runner")
        await says(stage, "the rule runner is replaced")
        await stage.pilot.press("down", "down", "backspace", "x", "enter")
        await says(stage, "a length of time")
        await stage.pilot.press("backspace", *"15m", "up", "up", *["backspace"] * 9, "enter")
        await says(stage, "rvol 4 is saved and on")

    on_rules(path, act)
    names = [rule.name for rule in RulesFile(path).rules.rules]
    assert names[:3] == ["runner", "big", "rvol 4"]


def test_a_file_changed_from_outside_is_read_again_and_a_broken_one_keeps_the_last_good_rules(
    path: Path,
) -> None:
    async def act(stage: Stage) -> None:
        path.write_text(FILE.replace("chg > 5", "chg > 9"), "utf-8")
        await stage.app._rules.look()
        await says(stage, "rules reloaded: 2 on")
        await says(stage, "chg > 9")
        path.write_text(FILE.replace("volume > 100", "volumme > 100"), "utf-8")
        await stage.app._rules.look()
        await says(stage, "line 6")
        await says(stage, "The last good rules go on")
        await says(stage, "chg > 9")
        assert watched(stage) == ["runner", "gap up"]
        path.unlink()
        await stage.app._rules.look()
        await stage.until(lambda: watched(stage) == [])
        assert "last good rules" not in stage.text()

    on_rules(path, act)


def test_away_from_the_rules_a_toast_says_that_they_were_read_again(path: Path) -> None:
    async def act(stage: Stage) -> None:
        path.write_text(FILE.replace("false", "true"), "utf-8")
        await stage.app._rules.look()
        await told(stage, "rules reloaded: 3 on")
        path.write_text("[[rule]]", "utf-8")
        await stage.app._rules.look()
        await told(stage, "line 1: a [[rule]] has a name. The last good rules go on.")

    on_stage(act, desk=Desk(gates=None, rules=RulesFile(path)))


def test_a_file_that_is_broken_from_the_start_is_told_on_the_board(path: Path) -> None:
    path.write_text("library = [1]", "utf-8")

    async def act(stage: Stage) -> None:
        await told(stage, "line 1")
        assert not stage.player.rules.watched

    on_stage(act, desk=Desk(gates=None, rules=RulesFile(path)))


def test_what_is_sought_narrows_the_list_until_escape(path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("slash", *"opening range", "enter")
        await says(stage, "with opening range in them")
        assert "runner" not in stage.text()
        await stage.pilot.press("escape")
        await says(stage, "runner")
        await stage.pilot.press("slash", *"nothing has this")
        await says(stage, "no rule has nothing has this in it")
        await stage.pilot.press("escape", "escape")
        await stage.until(lambda: not isinstance(stage.app.screen, RulesScreen))

    on_rules(path, act)


def test_a_digit_goes_to_a_list_and_r_back(path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("2")
        await says(stage, "2 losers")
        await stage.until(lambda: stage.app._ranking.list.name == "losers")  # type: ignore[union-attr]
        await stage.pilot.press("r", "r")
        await stage.until(lambda: not isinstance(stage.app.screen, RulesScreen))

    on_rules(path, act)


def test_there_need_be_no_rules_file() -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("r")
        await says(stage, "no rules yet")
        await stage.pilot.press("t", "X", "y", "enter", "A", *"rvol > 4", "up", "b", "enter")
        await says(stage, "There is no rules file here")

    on_stage(act)


def test_the_player_is_asked_for_the_indicators_of_the_rules_in_view(path: Path) -> None:
    path.write_text('[[rule]]\nname = "low"\nwhen = "rsi(14, 5m) < 30"\n', "utf-8")

    async def act(stage: Stage) -> None:
        await stage.show()
        assert any(key.period == 14 for key in stage.player.wanted)
        await stage.pilot.press("escape")
        await stage.until(lambda: not isinstance(stage.app.screen, RulesScreen))
        await stage.show(replace(market(), serial=2))
        assert not stage.player.wanted

    on_rules(path, act)


# --- counting -----------------------------------------------------------------------------------


def rules(*texts: str) -> list[Rule]:
    return [Rule(text, when=parse(text)) for text in texts]


def test_a_step_ends_after_a_few_milliseconds_and_the_next_goes_on_with_the_rest() -> None:
    ticks = iter(range(0, 1000, 4))
    matching = Matching(seconds=lambda: next(ticks) / 1000)
    three = rules("chg > 1", "chg > 2", "chg > 3")
    snapshot = market()
    steps = 0
    while matching.step(snapshot, three, 10.0):
        steps += 1
    assert steps == 2
    assert all(matching.of(rule) is not None for rule in three)


def test_a_count_is_made_again_after_a_second_and_only_in_another_picture() -> None:
    matching = Matching()
    one = rules("chg > 1")
    first, second = market(), market(seed=2)
    assert matching.step(first, one, 10.0)
    assert not matching.step(first, one, 20.0)
    assert not matching.step(second, one, 10.5)
    assert matching.step(second, one, 11.0)


def test_scopes_filters_and_moves_count() -> None:
    base = market()
    on = np.arange(60) % 2 == 0
    snapshot = replace(base, signs={"watched": on, "watched:tech": ~on}, cache={})
    change = np.abs(snapshot.mark / snapshot.prev_close - 1) * 100
    move = Rule("move", move=5, filter=parse("mark > 10"))
    far = (change >= 5) & (snapshot.mark > 10)
    assert (holds(move, snapshot) == far).all()
    assert (holds(replace(move, scope="watchlist"), snapshot) == far & on).all()
    assert (holds(replace(move, scope="watchlist:tech"), snapshot) == far & ~on).all()
    assert not holds(replace(move, scope="watchlist:none"), snapshot).any()
    assert far.any()


def test_a_move_through_time_counts_anew() -> None:
    matching = Matching()
    crossing = rules("crosses_above(mark, 10)")
    below = market()
    matching.step(replace(below, mark=np.full(60, 9.0), cache={}), crossing, 1.0)
    matching.step(replace(below, mark=np.full(60, 11.0), cache={}), crossing, 3.0)
    found = matching.of(crossing[0])
    assert found is not None
    assert found.count == 60
    matching.step(replace(below, leap=1, mark=np.full(60, 9.0), cache={}), crossing, 3.1)
    found = matching.of(crossing[0])
    assert found is not None
    assert found.count == 0


def test_without_a_file_the_first_change_leaves_the_other_rules_that_are_on(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"

    async def act(stage: Stage) -> None:
        await stage.pilot.press("r")
        await says(stage, "● gap up")
        await stage.pilot.press("slash", *"gap up", "enter", "t")
        await says(stage, "gap up is off")
        assert watched(stage) == ["halt"]

    desk = Desk(gates=None, rules=RulesFile(path, usual=("gap up", "halt")))
    on_stage(act, desk=desk)
    assert [rule.name for rule in RulesFile(path).rules.watched] == ["halt"]


def test_a_filter_that_was_saved_meanwhile_can_be_used_in_a_rule(path: Path) -> None:
    async def act(stage: Stage) -> None:
        board = stage.app._board
        assert board is not None
        board.save_filter("cheap", "mark < 5")
        await stage.pilot.press("A", *"@cheap", "enter")
        await says(stage, "cheap is saved and on")
        assert watched(stage) == ["runner", "cheap", "gap up"]

    on_rules(path, act)


def test_alerts_and_rules_lead_to_each_other_and_back(path: Path) -> None:
    async def act(stage: Stage) -> None:
        rules = stage.app.screen
        await stage.pilot.press("a")
        await stage.until(lambda: isinstance(stage.app.screen, AlertScreen))
        await stage.pilot.press("r")
        await stage.until(lambda: stage.app.screen is rules)
        await stage.pilot.press("r", "a", "r")
        await stage.until(lambda: isinstance(stage.app.screen, RulesScreen))
        await stage.pilot.press("a")
        await stage.until(lambda: isinstance(stage.app.screen, AlertScreen))
        await stage.pilot.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))

    on_rules(path, act)


# --- pictures -----------------------------------------------------------------------------------


def pictured(folder: Path, monkeypatch: pytest.MonkeyPatch, theme: str) -> StockscanApp:
    """Return the application over a file whose name is the same everywhere."""
    monkeypatch.chdir(folder)
    snapshot = lively(fired_by_rule={"runner": 7, "gap up": 1234})
    desk = Desk(rules=RulesFile(Path("rules.toml")))
    app = StockscanApp(lambda _: FakePlayer(snapshot), title="day.dbn.zst", clock=HandClock(),
                       desk=desk, theme=f"stockscan-{theme}")  # fmt: skip
    app.animation_level = "none"
    return app


def counted(*keys: str) -> Any:
    """Return what goes to the rules, waits until all in view are counted, and presses keys."""

    async def run(pilot: Any) -> None:
        await arrive("r")(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, RulesScreen)
        for _ in range(400):
            if all(screen._matching.of(rule) for rule in screen._list.in_view):
                break
            await pilot.pause(0.01)
        for key in keys:
            if len(key) > 1:
                pilot.app.focused.insert_text_at_cursor(key)
            else:
                await pilot.press(key)
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        await pilot.pause(0.1)

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_pictures_of_the_rules(
    snap_compare: Any,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    theme: str,
) -> None:
    app = pictured(path.parent, monkeypatch, theme)
    assert snap_compare(app, terminal_size=size, run_before=counted("j", "k"))


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
def test_picture_of_a_broken_file_and_a_rule_being_written(
    snap_compare: Any, path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    path.write_text(FILE.replace("move", "moove"), "utf-8")
    app = pictured(path.parent, monkeypatch, "dark")
    assert snap_compare(app, terminal_size=size, run_before=counted("A", "chg(5m) > 3 and rvo"))
