"""The config: what it takes, on which line it refuses, what is written into it, and the key."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import platformdirs
import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from stockscan_tui.cli import main
from stockscan_tui.config import (
    Config,
    config_path,
    edit,
    key_path,
    parse_config,
    read_config,
    read_key,
    read_settings,
    save_key,
)
from stockscan_tui.config.lines import line_numbers
from stockscan_tui.config.settings import SETTINGS
from stockscan_tui.errors import UsageError
from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.scan.lists import Toplist, lists, merged

KEY = "db-" + "aB3" * 9 + "zz"
EVERYTHING = """\
# mine
theme = "stockscan-light"   # by day
mark = "mid"
keep_replays = 3
max_cost_usd = 2
table = "my float.csv"
watchlist = "swing trades"
renames = { OLD = "NEW" }

[gates]
pre = ""
regular = \"\"\"
  mark >= 2
  and trades >= 3\"\"\"

[filters]
low = "mark < 5"

[widths]
"chg(5m)" = 8

# the first
[[list]]
key = "1"
columns = [
  "mark",  # the price
  "chg(5m)",
]

[[list]]
name = "cheap"
sort = "chg(5m)"
order = "smallest"
filter = "@low and rvol > 3"
color = "accent"

[[splits]]
symbol = "A"
ex_date = 2026-06-15
ratio = 0.1
"""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a folder of its own to what stands beside the config, and no variables."""
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *_, **__: tmp_path / "home")
    for name in ("DATABENTO_API_KEY", *(setting.variable for setting in SETTINGS)):
        monkeypatch.delenv(name, raising=False)


def _file(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode("utf-8"))
    return file


def test_every_setting_is_read(tmp_path: Path) -> None:
    read = read_config(_file(tmp_path, EVERYTHING))
    assert (read.theme, read.mark, read.keep_replays) == ("stockscan-light", "mid", 3)
    assert (read.max_cost_usd, read.renames) == (2, {"OLD": "NEW"})
    assert read.splits[0]["ex_date"] == date(2026, 6, 15)
    assert (read.table, read.watchlist) == (tmp_path / "my float.csv", "swing trades")
    assert (read.gates.pre, read.gates.regular) == ("", "mark >= 2 and trades >= 3")
    assert read.gates.post == Config().gates.post
    assert (read.filters, read.widths) == ({"low": "mark < 5"}, {"chg(5m)": 8})
    first, cheap = read.lists
    assert (first.key, first.name, first.columns) == ("1", None, ("mark", "chg(5m)"))
    assert (cheap.name, cheap.ascending, cheap.color) == ("cheap", True, "accent")


@pytest.mark.parametrize(
    ("line", "text", "said"),
    [
        (4, '\n\nmark = "mid"\ntheem = "x"\n', "'theem' is no setting. Did you mean 'theme'?"),
        (1, "zzz = 1", "There are: theme, mark"),
        (2, "\ntheme = 3", "theme takes a text, not 3"),
        (1, 'mark = "mids"', "mark takes one of auto, trade, mid, not 'mids'"),
        (1, "keep_replays = true", "keep_replays takes a whole number"),
        (1, "keep_replays = 0", "keep_replays takes 1 to"),
        (1, "max_cost_usd = -1", "max_cost_usd takes 0 or more"),
        (1, "tape_volume = true", "tape_volume takes a text, not True"),
        (1, 'tape_volume = "no"', "tape_volume takes one of auto, on, off"),
        (1, "max_cost_usd = nan", "max_cost_usd takes 0 or more"),
        (1, 'watchlist = "../x"', "letters, digits"),
        (1, r'theme = "a\u001bb"', "without control characters"),
        (3, "[gates]\npre = ''\nregulr = ''", "Did you mean 'regular'?"),
        (2, "gates.pre = ''\ngates.post = 3", "gates.post takes a text"),
        (2, "[filters]\n'a b' = 'x'", "no name for a filter"),
        (2, "[widths]\nchg = 1", "widths.chg takes 3 to 60"),
        (3, '[[list]]\nkey = "1"\nsorted = "x"', "Did you mean 'sort'?"),
        (5, '[[list]]\nkey = "1"\n\n[[list]]\nkey = "1"', "another list with key '1'"),
        (3, '[[list]]\nkey = "2"\nname = "Gainers"', "another list with the name 'Gainers'"),
        (1, "[[list]]", "A [[list]] has a name, or the key"),
        (2, "[[list]]\nkey = 1", "list.key takes a text, not 1"),
        (3, '[[list]]\nkey = "1"\ncolumns = ["chg",\n"chg"]', "names 'chg' twice"),
        (1, "splits = 3", "splits takes tables"),
        (1, 'splits = ["A"]', "splits takes tables"),
        (1, "renames = []", "renames takes a table"),
        (1, 'list = [{ key = "1", order = "up" }]', "list.order takes one of largest, smallest"),
    ],
)
def test_what_is_not_known_is_refused_by_name_and_line(
    tmp_path: Path, line: int, text: str, said: str
) -> None:
    file = _file(tmp_path, text)
    with pytest.raises(UsageError) as refused:
        read_config(file)
    assert str(refused.value).startswith(f"{file}, line {line}: ")
    assert said in str(refused.value)


@pytest.mark.parametrize("text", ["theme", "x = [", "a = 1\na = 2", "x = " + "[" * 9_000])
def test_what_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="not valid TOML"):
        read_config(_file(tmp_path, text))


def test_lines_are_those_of_statements_whatever_stands_between_them() -> None:
    text = 'a = """\n[x]\nb = 1\n"""  # "\r\n\r\nc.d = [[\n1, "]"],\n{ e = 1 }]\n[t."u.v"]\nw = 1\n'
    text += "[[l]]\n[l.m]\nn = 1\n[[l]]\n[[l.o]]\np = '''\n'''\nq = 2"
    found = line_numbers(text)
    assert found["a",] == 1
    assert (found["c", "d"], found["c", "d", 1, "e"]) == (6, 6)
    assert (found["t", "u.v"], found["t", "u.v", "w"]) == (9, 10)
    assert (found["l", 0, "m", "n"], found["l", 1], found["l", 1, "o", 0, "q"]) == (13, 14, 18)


_VALUES = st.recursive(
    st.integers(-9, 9) | st.text(max_size=8) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=4), _VALUES, max_size=4))
def test_every_value_of_a_file_has_a_line_that_names_it(held: dict[str, object]) -> None:
    text = tomlkit.dumps(held)
    rows = text.split("\n")
    found = line_numbers(text)
    assert {path[0] for path in found} == set(tomllib.loads(text))
    assert all(1 <= line <= len(rows) and rows[line - 1].strip() for line in found.values())


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _file(tmp_path, EVERYTHING)
    monkeypatch.setenv("STOCKSCAN_THEME", "dracula")
    monkeypatch.setenv("STOCKSCAN_KEEP_REPLAYS", "7")
    monkeypatch.setenv("STOCKSCAN_MARK", "")
    read = read_config(file)
    assert (read.theme, read.keep_replays, read.mark) == ("dracula", 7, "mid")
    assert read_config(None).theme == "dracula"
    for wrong in ("x", "0", "1.5"):
        monkeypatch.setenv("STOCKSCAN_KEEP_REPLAYS", wrong)
        with pytest.raises(UsageError, match="STOCKSCAN_KEEP_REPLAYS: keep_replays takes"):
            read_config(file)


def _metric(name: str, window: int = 0) -> MetricKey:
    return MetricKey(name, window)


CHEAP = Toplist("", "cheap", _metric("rvol"), True, "mark < 5", (_metric("chg", 5),), "rise")
CHANGES: list[tuple[Callable[[Path], None], Callable[[Config], bool]]] = [
    (lambda p: edit.set_theme(p, "nord"), lambda c: c.theme == "nord"),
    (lambda p: edit.set_watchlist(p, "b"), lambda c: c.watchlist == "b"),
    (lambda p: edit.set_width(p, _metric("chg", 5), 9), lambda c: c.widths["chg(5m)"] == 9),
    (lambda p: edit.set_width(p, _metric("gap"), 5), lambda c: c.widths["gap"] == 5),
    (lambda p: edit.save_filter(p, "hi", "gap > 2"), lambda c: c.filters["hi"] == "gap > 2"),
    (
        lambda p: edit.set_columns(p, "1", [_metric("gap")]),
        lambda c: lists(c.lists)[0].columns == (_metric("gap"),),
    ),
    (
        lambda p: edit.set_columns(p, "losers", [_metric("gap")]),
        lambda c: lists(c.lists)[1].columns == (_metric("gap"),),
    ),
    (lambda p: edit.save_list(p, CHEAP), lambda c: CHEAP in lists(c.lists)),
    (
        lambda p: edit.save_list(p, Toplist("6", "hi", _metric("gap"), False, "", None)),
        lambda c: Toplist("6", "hi", _metric("gap"), False, "", None) in lists(c.lists),
    ),
]


@pytest.mark.parametrize("start", [EVERYTHING, EVERYTHING.replace("\n", "\r\n"), "", "# x", None])
def test_changes_are_kept_and_leave_the_rest_of_the_file_as_it_is(
    tmp_path: Path, start: str | None
) -> None:
    file = tmp_path / "deep" / "config.toml"
    if start is not None:
        file.parent.mkdir()
        file.write_bytes(start.encode())
        file.chmod(0o640)
    for make, _ in CHANGES:
        make(file)
    config = read_config(file)
    assert all(holds(config) for _, holds in CHANGES)
    written = file.read_bytes().decode()
    for make, _ in CHANGES:
        make(file)
    assert file.read_bytes().decode() == written
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]
    if start:
        comments = [line for line in start.splitlines() if line.startswith("#")]
        assert all(comment in written.splitlines() for comment in comments)
        assert os.name == "nt" or stat.S_IMODE(file.stat().st_mode) == 0o640
    if start == EVERYTHING:
        assert "# by day" in written
        assert "max_cost_usd = 2\n" in written
        assert config.renames == {"OLD": "NEW"}


def test_lists_written_inline_are_changed_in_their_place(tmp_path: Path) -> None:
    file = _file(tmp_path, 'list = [{ key = "1", name = "up" }]\n')
    edit.set_columns(file, "up", [_metric("gap")])
    edit.save_list(file, CHEAP)
    up, *_, cheap = lists(read_config(file).lists)
    assert (up.name, up.columns, cheap) == ("up", (_metric("gap"),), CHEAP)


@pytest.mark.parametrize(
    ("text", "make"),
    [
        ("theem = 1", lambda p: edit.set_theme(p, "nord")),
        ("theme = [", lambda p: edit.set_theme(p, "nord")),
        (EVERYTHING, lambda p: edit.set_theme(p, "a\x1bb")),
        (EVERYTHING, lambda p: edit.set_width(p, _metric("chg"), 0)),
        (EVERYTHING, lambda p: edit.save_filter(p, "no name", "chg > 1")),
        (EVERYTHING, lambda p: edit.set_columns(p, "none", [])),
        (EVERYTHING, lambda p: edit.save_list(p, replace(CHEAP, name="gainers"))),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_made_leaves_the_file_alone(
    tmp_path: Path, text: str, make: Callable[[Path], None]
) -> None:
    file = _file(tmp_path, text)
    with pytest.raises(UsageError):
        make(file)
    assert file.read_text("utf-8") == text
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    blocked = _file(tmp_path, "") / "config.toml"
    with pytest.raises(UsageError, match="cannot be"):
        edit.set_theme(blocked, "nord")


def test_a_linked_config_stays_a_link(tmp_path: Path) -> None:
    real = _file(tmp_path, "# dotfiles\n")
    link = tmp_path / "link.toml"
    link.symlink_to(real)
    edit.set_theme(link, "nord")
    assert link.is_symlink()
    assert read_config(real).theme == "nord"


def test_the_configuration_is_printed_as_a_config_file_with_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STOCKSCAN_MARK", "trade")
    save_key(KEY)
    file = _file(tmp_path, EVERYTHING)
    assert main(["config", "--config", str(file)]) == 0
    printed = capsys.readouterr().out
    assert KEY not in printed
    assert "set, by the key file" in printed
    assert 'theme = "stockscan-light"  # config.toml line 2\n' in printed
    assert 'mark = "trade"  # STOCKSCAN_MARK\n' in printed
    assert "post = " in printed
    assert '"chg(5m)" = 8  # config.toml line 20\n' in printed
    assert 'columns = ["mark", "chg(5m)"]  # config.toml line 25\n' in printed
    effective = read_settings(file).config
    pasted = parse_config(printed, file)
    assert merged(pasted.lists) == merged(effective.lists)
    assert pasted.gates == effective.gates
    for name in (
        "theme",
        "mark",
        "table",
        "filters",
        "widths",
        "splits",
        "renames",
        "max_cost_usd",
    ):
        assert getattr(pasted, name) == getattr(effective, name)


def test_without_a_file_every_default_is_printed_and_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config"]) == 0
    printed = capsys.readouterr().out
    assert "# API key:     none" in printed
    assert set(tomllib.loads(printed)) == {s.name for s in SETTINGS} - {"splits"}
    pasted = parse_config(printed, tmp_path / "config.toml")
    assert (pasted.theme, pasted.gates, merged(pasted.lists)) == (
        Config().theme,
        Config().gates,
        merged(),
    )
    assert main(["config", "--path"]) == 0
    assert capsys.readouterr().out == f"{config_path()}\n"
    assert list(tmp_path.iterdir()) == []


def test_the_key_comes_from_the_environment_or_a_file_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_key() == ""
    file = key_path()
    file.parent.mkdir()
    file.write_text("db-from-file\n", "utf-8")
    file.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600") as refused:
        read_key()
    assert "db-from-file" not in str(refused.value)
    assert main(["config"]) == 0
    assert "not usable" in capsys.readouterr().out
    file.chmod(0o600)
    assert read_key() == "db-from-file"
    monkeypatch.setenv("DATABENTO_API_KEY", " db-from-environment ")
    assert read_key() == "db-from-environment"


def test_a_saved_key_is_its_owners_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    real = os.open

    def watching(path: str, flags: int, mode: int = 0o777) -> int:
        opened.append(mode)
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", watching)
    for _ in range(2):
        save_key(f" {KEY}\n")
        assert read_key() == KEY
    assert opened == [0o600, 0o600]
    assert os.name == "nt" or stat.S_IMODE(key_path().stat().st_mode) == 0o600
    assert [path.name for path in key_path().parent.iterdir()] == ["key"]


@pytest.mark.parametrize(
    "wrong", ["", "db-short", KEY[:-1] + "é", KEY + "x", KEY.replace("db", "xx")]
)
def test_what_is_no_key_is_refused_without_being_shown(wrong: str) -> None:
    with pytest.raises(UsageError, match="32 characters") as refused:
        save_key(wrong)
    assert not wrong or wrong not in str(refused.value)
    assert not config_path().parent.exists() or not key_path().exists()
