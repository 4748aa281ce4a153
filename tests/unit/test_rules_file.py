"""rules.toml: what it takes, where it refuses, how it is read again, what is written into it."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from stockscan_tui.config import rules_path
from stockscan_tui.config.rule_checks import time_text
from stockscan_tui.config.rule_edit import remove_rule, save_rule, set_enabled
from stockscan_tui.config.rules import RulesFile, parse_rules, read_rules
from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import Session
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.rules import Priority, Rule
from stockscan_tui.scan.rules.library import LIBRARY

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
NAMES = Names(filters={"cheap": "mark < 5"}, watchlists=("Tech",), own=("float",))
WHERE = Path("/rules/rules.toml")
HIDDEN = "s3cr3t"
FILE = """\
# mine
library = ["halt"]   # shipped

[[rule]]  # first
name = "runner"
when = "chg(5m) > 3"
cooldown = "15m"

# the second
[[rule]]
name = "big"
move = 7
enabled = false

# tells my phone
[[webhook]]
name = "phone"
url = "https://ntfy.sh/topic"
"""


def one(text: str, names: Names = NAMES) -> Rule:
    """Return the first rule of a text."""
    return parse_rules(text, WHERE, names).rules[0]


def named(file: Path, name: str) -> Rule:
    return next(rule for rule in read_rules(file).rules if rule.name == name)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "rules.toml"
    file.write_bytes(text.encode())
    return file


def test_the_readmes_file_has_every_key() -> None:
    block = README[README.index("## Rules") :]
    text = re.search(r"```toml\n(.*?)```", block, re.DOTALL)
    assert text is not None
    rules = parse_rules(text.group(1), WHERE)
    runner, gap = rules.rules[:2]
    assert runner.priority is Priority.HIGH
    assert runner.sessions == {Session.PRE, Session.REGULAR}
    assert (runner.cooldown_s, runner.once_a_day, runner.scope) == (900, False, "all")
    assert runner.rearm is not None
    assert runner.deliver == ("toast", "bell", "log", "phone")
    assert runner.sound == "/rules/bell.wav"
    assert (gap.name, gap.enabled, gap.shipped, gap.cooldown_s) == ("gap up", True, True, 3600)
    assert not gap.once_a_day
    assert rules.commands[0].run == ("logger", "{rule}: {message}")
    assert rules.webhooks[0].headers == {"Title": "stockscan"}
    assert [rule.name for rule in rules.watched] == ["runner", "gap up", "halt"]
    assert len(rules.rules) == len(LIBRARY) + 1


def test_what_is_not_said_is_as_usual() -> None:
    plain = one('[[rule]]\nname = "a"\nwhen = "chg > 3"')
    assert (plain.cooldown_s, plain.once_a_day, plain.enabled, plain.line) == (300, False, True, 1)
    move = one('[[rule]]\nname = "a"\nmove = 3')
    assert (move.once_a_day, move.cooldown_s, move.price, move.rearm_move) == (True, 0, "mark", 0)
    for again in ('cooldown = "30s"', "rearm = 2.5", "once_a_day = false"):
        assert not one(f'[[rule]]\nname = "a"\nmove = 3\n{again}').once_a_day
    assert one('[[rule]]\nname = "a"\nwhen = "chg > 3"\ncooldown = "0s"').cooldown_s == 0
    assert one('[[rule]]\nname = "a"\nwhen = """chg > 3\n and @cheap"""').when is not None


def test_the_library_comes_after_the_users_rules_and_is_off_but_where_it_is_named() -> None:
    rules = parse_rules('library = ["halt", "GAP UP"]\n[[rule]]\nname = "Move"\nmove = 2\n', WHERE)
    assert [rule.name for rule in rules.rules[:3]] == ["Move", "halt", "gap up"]
    assert [rule.line for rule in rules.rules[:3]] == [2, 1, 1]
    assert {rule.name for rule in rules.watched} == {"Move", "halt", "gap up"}
    assert "move" not in {rule.name for rule in rules.rules}
    assert not rules.rules[0].shipped
    changed = parse_rules('library = ["halt"]\n[[rule]]\nname = "halt"\nenabled = false', WHERE)
    assert changed.watched == ()
    assert len(changed.rules) == len(LIBRARY)


def test_a_scope_names_a_watchlist_as_the_user_wrote_it() -> None:
    text = '[[rule]]\nname = "a"\nmove = 3\nscope = "watchlist: tech"'
    assert one(text).scope == "watchlist:Tech"


RULE = '[[rule]]\nname = "a"\nmove = 3\n'
WHEN = '[[rule]]\nname = "a"\nwhen = "chg > 3"\n'
HOOK = '[[webhook]]\nname = "h"\nurl = "https://a.b/c"\n'


@pytest.mark.parametrize(
    ("line", "text", "said"),
    [
        (2, "\nruel = 1", "Did you mean 'rule'"),
        (4, f"{RULE}cooldwn = 1", "rule 'a': 'cooldwn' is no part of rule. Did you mean 'cool"),
        (3, '[[rule]]\nname = "a"\nwhen = "chg > 3 and rvoll > 2"', "when, column 13: no metric is "
         "called rvoll. Did you mean rvol?"),
        (3, '[[rule]]\nname = "a"\nwhen = "chg(500m) > 3"', "a window is 1 to 120"),
        (3, '[[rule]]\nname = "a"\nwhen = ""', "rule.when takes an expression"),
        (3, '[[rule]]\nname = "a"\nwhen = "' + "x" * 900_000 + '"', "up to 2,000 characters"),
        (4, f'{RULE}filter = "chg >"', "filter, column 6"),
        (4, f"{RULE}filter = 5", "rule.filter takes an expression"),
        (1, '[[rule]]\nname = "a"', "has when or move"),
        (3, f'{RULE}when = "chg > 3"', "either when or move, not both"),
        (1, "[[rule]]\nmove = 3", "has a name"),
        (2, '[[rule]]\nname = ""\nmove = 3', "1 to 40 characters"),
        (3, '[[rule]]\nname = "a"\nmove = nan', "above 0"),
        (3, '[[rule]]\nname = "a"\nmove = true', "a number of percent"),
        (4, f"{RULE}rearm = 3", "rearm must be under the move, 3."),
        (4, f'{RULE}rearm = "chg < 2"', "a number of percent"),
        (4, f"{WHEN}rearm = 2", "rule.rearm takes an expression"),
        (4, f'{WHEN}price = "last"', "only a move rule"),
        (4, f'{RULE}price = "bid"', "one of mark, last, mid"),
        (4, f'{RULE}scope = "watchlist:Tec"', "'Tec' is no watchlist. Did you mean 'Tech'"),
        (4, f'{RULE}scope = "some"', "watchlist:NAME"),
        (4, f'{RULE}sessions = ["regulr"]', "Did you mean 'regular'"),
        (4, f"{RULE}sessions = []", "at least one session"),
        (4, f"{RULE}cooldown = 5", 'as in "30s"'),
        (4, f'{RULE}cooldown = "48h"', '"0s" to "24h"'),
        (4, f'{RULE}priority = "urgent"', "one of low, normal, high"),
        (4, f'{RULE}deliver = ["tost"]\n{HOOK}', "no channel. Did you mean 'toast'"),
        (4, f'{RULE}deliver = "toast"', "a list of channels"),
        (4, f'{RULE}message = "{{symbl}}"', "Did you mean symbol"),
        (4, f'{RULE}message = "{{rvol}}"', "there is no value {rvol}"),
        (4, f"{RULE}gates = 1", "true or false"),
        (5, f'{RULE}[[rule]]\nname = "A"\nmove = 4', "another rule of that name on line 1"),
        (1, 'library = [\n"hlat"]', "Did you mean 'halt'"),
        (1, 'library = "halt"', "a list of rules"),
        (1, "sound = 3", "sound takes a text"),
        (1, "rule = 3", "takes tables, as in [[rule]]"),
        (1, '[[command]]\nname = "c"', "has a run"),
        (3, '[[command]]\nname = "c"\nrun = []', "names no program"),
        (3, '[[command]]\nname = "c"\nrun = "rm -rf"', "a list of texts"),
        (3, '[[command]]\nname = "c"\nrun = ["{symbol}"]', "cannot be made of"),
        (3, '[[command]]\nname = "c"\nrun = ["a", "{symbl}"]', "Did you mean symbol"),
        (4, '[[command]]\nname = "c"\nrun = ["a"]\ntimeout = "0s"', '"0.1s" to "5m"'),
        (2, '[[command]]\nname = "toast"\nrun = ["a"]', "another channel 'toast'"),
        (4, f"{HOOK}retries = 11", "0 to 10"),
        (4, f'{HOOK}method = "DELETE"', "one of POST, PUT, GET"),
        (4, f'{HOOK}content_type = "text\\r\\nX: y"', "a content type"),
        (4, f'{HOOK}body = "{{symbl}}"', "Did you mean symbol"),
        (3, '[[webhook]]\nname = "h"\nurl = "https://{symbol}.b/"', "the host cannot be made"),
        (3, '[[webhook]]\nname = "h"\nurl = "https://a.b/?t={mesage}"', "Did you mean message"),
        (5, f'{HOOK}{HOOK}', "another channel 'h'"),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_what_cannot_be_is_refused_by_line_and_name(line: int, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_rules(text, WHERE, NAMES)
    message = str(refused.value)
    assert message.startswith(f"{WHERE}, line {line}: ")
    assert said in message
    assert len(message) < 600


@pytest.mark.parametrize(
    "text",
    [
        f'[[webhook]]\nname = "h"\nurl = "ftp://{HIDDEN}"',
        f'[[webhook]]\nname = "h"\nurl = "https://a b/{HIDDEN}"',
        f'[[webhook]]\nname = "h"\nurl = ["https://{HIDDEN}"]',
        f'{HOOK}headers = {{ A = "{HIDDEN}\\r\\nX: y" }}',
        f'{HOOK}headers = "{HIDDEN}"',
        f'{HOOK}body = ["{HIDDEN}"]',
        f'[[command]]\nname = "c"\nrun = ["a", 5, "{HIDDEN}"]',
    ],
)
def test_secrets_are_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_rules(text, WHERE)
    assert HIDDEN not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x = [", "not valid TOML"),
        (b"x = " + b"[" * 9_000, "nested too deep"),
        (b"x = " + b"{a=" * 9_000, "nested too deep"),
        (b"a." * 20_000 + b"b = 1", "too many parts"),
        (b"[" + b'"a" . ' * 20_000 + b"b]", "too many parts"),
        (b"\0" * 40, "is binary"),
        (b"# a\n# \xff\xfe", "line 2: this is not UTF-8"),
        (b"library = [\n" + b'"]",\n' * 100_000 + b"]", "is no rule of the library"),
        (b"#" * 1_000_001, "more than 1 MB"),
        (b'[[rule]]\nname = "a"\nmove = 3\n' * 501, "more than 500 rules: 501"),
    ],
    ids=itertools.count(),
)
def test_a_file_that_is_none_is_told_in_a_sentence(
    tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "rules.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_rules(file)


_KEYS = st.sampled_from(
    ["name", "when", "move", "filter", "rearm", "cooldown", "message", "deliver", "url", "run",
     "headers", "sessions", "scope", "sound", "every", "x"]
)  # fmt: skip
_VALUES = st.recursive(
    st.sampled_from(["a", "chg > 3", "{chg}", "15m", "https://a.b", "pre", "", "\x1b"])
    | st.floats()
    | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=2),
    max_leaves=4,
)
_TABLES = st.lists(st.dictionaries(_KEYS, _VALUES, max_size=5), max_size=3) | _VALUES


@given(
    st.dictionaries(st.sampled_from(["rule", "command", "webhook", "library", "sound"]), _TABLES)
)
def test_whatever_stands_in_a_file_it_is_read_or_refused_in_a_sentence(
    held: dict[str, object],
) -> None:
    said = ""
    try:
        parse_rules(tomlkit.dumps(held), WHERE)
    except UsageError as error:
        said = str(error)
    assert re.match(rf"{WHERE}, line \d+: |$", said)


def test_only_the_default_file_need_not_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *_, **__: tmp_path)
    assert rules_path() == tmp_path / "rules.toml"
    assert read_rules(None).watched == ()
    with pytest.raises(UsageError, match="is not there"):
        read_rules(tmp_path / "other.toml")
    with pytest.raises(UsageError, match="is a folder"):
        read_rules(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(UsageError, match="no regular file"):
            read_rules(tmp_path / "pipe")


def test_a_file_that_changes_is_read_again_and_one_that_breaks_keeps_the_last_good_rules(
    tmp_path: Path,
) -> None:
    file = tmp_path / "rules.toml"
    watched = RulesFile(file, NAMES)
    assert (watched.problem, watched.rules.watched) == ("", ())
    assert not watched.look()
    file.write_text(FILE, "utf-8")
    assert watched.look()
    assert {rule.name for rule in watched.rules.watched} == {"runner", "halt"}
    assert not watched.look()
    good = watched.rules
    file.write_text(FILE.replace("chg(5m) > 3", "chgg > 3"), "utf-8")
    assert watched.look()
    assert watched.rules is good
    assert f"{file}, line 6: rule 'runner': when, column 1" in watched.problem
    assert not watched.look()
    file.write_text(FILE + "# a comment\n", "utf-8")
    assert watched.look()
    assert (watched.problem, watched.rules) == ("", good)
    file.write_text(f"\n{FILE}", "utf-8")
    assert not watched.look()
    assert watched.rules.rules[0].line == 5
    file.unlink()
    assert watched.look()
    assert (watched.problem, watched.rules.watched) == ("", ())
    file.mkdir()
    assert watched.look()
    assert "is a folder" in watched.problem


def test_a_file_that_is_broken_from_the_start_leaves_the_library_off(tmp_path: Path) -> None:
    watched = RulesFile(written(tmp_path, "[["))
    assert "not valid TOML" in watched.problem
    assert len(watched.rules.rules) == len(LIBRARY)
    assert watched.rules.watched == ()


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_changes_leave_comments_and_order_as_they_are(tmp_path: Path, ends: str) -> None:
    file = written(tmp_path, FILE.replace("\n", ends))
    set_enabled(file, "runner", False)
    set_enabled(file, "BIG", True)
    set_enabled(file, "halt", False)
    set_enabled(file, "new high", True)
    save_rule(file, "big", "", move=8, message="{symbol} # not a comment")
    save_rule(file, "mine", "chg > 8 and rvol > 2", cooldown=900, deliver=("toast", "phone"))
    expected = (
        FILE.replace('["halt"]', '["new high"]')
        .replace('cooldown = "15m"\n', 'cooldown = "15m"\nenabled = false\n')
        .replace("move = 7\nenabled = false\n",
                 'move = 8\nenabled = true\nmessage = "{symbol} # not a comment"\n\n'
                 '[[rule]]\nname = "mine"\nwhen = "chg > 8 and rvol > 2"\n'
                 'deliver = ["toast", "phone"]\ncooldown = "15m"\n')
    )  # fmt: skip
    assert file.read_bytes().decode() == expected.replace("\n", ends)
    remove_rule(file, "mine")
    remove_rule(file, "runner")
    left = read_rules(file)
    assert [rule.name for rule in left.watched] == ["big", "new high"]
    kept = file.read_bytes().decode()
    assert all(said in kept for said in ("# mine", "# shipped", "# the second", "# tells my phone"))


def test_a_first_change_makes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "rules.toml"
    save_rule(file, "mine", "chg > 8", cooldown="15m", rearm="chg < 6")
    set_enabled(file, "halt", True)
    assert file.read_text("utf-8") == (
        'library = ["halt"]\n\n[[rule]]\nname = "mine"\nwhen = "chg > 8"\n'
        'rearm = "chg < 6"\ncooldown = "15m"\n'
    )
    save_rule(file, "gap up", "", filter="dvol > 1m")
    assert named(file, "gap up").shipped
    set_enabled(file, "gap up", False)
    assert not named(file, "gap up").enabled
    save_rule(file, "gap up", "gap > 9")
    assert not named(file, "gap up").shipped
    for name in ("gap up", "mine"):
        remove_rule(file, name)
    assert file.read_text("utf-8") == 'library = ["halt"]\n'


def test_a_rule_of_the_library_with_another_condition_keeps_what_else_it_is(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    shipped = next(rule for rule in LIBRARY if rule.name == "vwap cross up")
    assert shipped.when is not None
    save_rule(file, shipped.name, shipped.when.text, cooldown="1h")
    assert file.read_text("utf-8") == '[[rule]]\nname = "vwap cross up"\ncooldown = "1h"\n'
    save_rule(file, shipped.name, "crosses_above(mark, vwap(day))")
    mine = named(file, shipped.name)
    assert (mine.shipped, mine.cooldown_s, mine.once_a_day) == (False, 3600, False)
    assert (mine.filter, mine.rearm, mine.sessions) == (
        shipped.filter, shipped.rearm, shipped.sessions)  # fmt: skip
    save_rule(file, "gap up", "gap > 9")
    assert named(file, "gap up").once_a_day


def test_a_move_rule_becomes_one_with_a_condition(tmp_path: Path) -> None:
    file = written(tmp_path, '[[rule]]\nname = "a"\nmove = 5\nprice = "last"\nrearm = 2\n# end\n')
    save_rule(file, "a", "chg > 5")
    assert file.read_text("utf-8") == '[[rule]]\nname = "a"\nwhen = "chg > 5"\n# end\n'


@pytest.mark.parametrize(
    "make",
    [
        lambda file: set_enabled(file, "none", True),
        lambda file: remove_rule(file, "none"),
        lambda file: remove_rule(file, "halt"),
        lambda file: save_rule(file, "a", "chgg > 3"),
        lambda file: save_rule(file, "a", ""),
        lambda file: save_rule(file, "a", "chg > 3", colour="red"),
        lambda file: save_rule(file, "a", "chg > 3", cooldown="soon"),
        lambda file: save_rule(file, "x" * 41, "chg > 3"),
    ],
)
def test_a_change_that_cannot_be_made_leaves_the_file_alone(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    file = written(tmp_path, FILE)
    with pytest.raises(UsageError):
        make(file)
    assert file.read_text("utf-8") == FILE
    broken = written(tmp_path, FILE + "[[")
    with pytest.raises(UsageError, match="not valid TOML"):
        set_enabled(broken, "runner", False)


def test_rules_written_inline_can_be_switched_and_are_else_left_to_the_user(tmp_path: Path) -> None:
    text = 'rule = [{ name = "a", move = 3, enabled = true }, { name = "b", move = 4 }]\n'
    file = written(tmp_path, text)
    set_enabled(file, "a", False)
    assert not named(file, "a").enabled
    with pytest.raises(UsageError, match="by hand"):
        set_enabled(file, "b", False)
    with pytest.raises(UsageError, match="by hand"):
        remove_rule(file, "a")


def test_lengths_of_time_are_written_as_they_are_read() -> None:
    assert [time_text(s) for s in (0, 0.5, 30, 90, 900, 5400, 7200)] == [
        "0s", "0.5s", "30s", "90s", "15m", "90m", "2h"]  # fmt: skip
