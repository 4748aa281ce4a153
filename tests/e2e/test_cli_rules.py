"""`stockscan rules` as a command: what it says, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stockscan_tui.scan.rules.library import LIBRARY
from tests.e2e.test_headless import stockscan

FILE = """\
library = ["gap up"]
[[rule]]
name = "mine"
when = "@low and chg > 3 and watched(tech)"
rearm = "chg < 2"
[[rule]]
name = "off"
move = 3
enabled = false
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a config, a watchlist and rules in their usual places."""
    place = tmp_path / "CONFIG" / "stockscan"
    (place / "watchlists").mkdir(parents=True)
    (place / "watchlists" / "tech.txt").write_text("NVDA\n", "utf-8")
    (place / "config.toml").write_text('[filters]\nlow = "mark < 5"\n', "utf-8")
    (place / "rules.toml").write_text(FILE, "utf-8")
    return tmp_path


def test_a_file_that_can_be_read_is_counted(folder: Path, tmp_path: Path) -> None:
    done = stockscan(folder, "rules", "check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "3 rules, 2 on\n", "")
    lacking = tmp_path / "other"
    done = stockscan(lacking, "rules", "check")
    assert done.returncode == 0
    assert done.stdout.startswith("0 rules, 0 on (")


def test_what_is_wrong_is_told_with_file_and_line(folder: Path) -> None:
    wrong = folder / "wrong\x1b[31m.toml"
    wrong.write_text(FILE.replace("chg > 3", "chgg > 3"), "utf-8")
    for action in ("check", "list"):
        done = stockscan(folder, "rules", action, wrong)
        assert (done.returncode, done.stdout) == (1, "")
        assert "line 4: rule 'mine': when, column 10: no metric is called chgg." in done.stderr
        assert "\x1b" not in done.stderr
    assert stockscan(folder, "rules", "check", folder / "none.toml").returncode == 1
    assert stockscan(folder, "rules").returncode == 2


def test_all_rules_are_listed_those_of_the_file_first(folder: Path) -> None:
    done = stockscan(folder, "rules", "list")
    first, second, third, doc, *_ = done.stdout.splitlines()
    assert done.returncode == 0
    assert first.startswith("on   mine ")
    assert first.endswith("  @low and chg > 3 and watched(tech) · every 5m, again after chg < 2 · "
                          "toast, bell")  # fmt: skip
    assert " ".join(second.split()) == "off off move 3 % of mark · once a day · toast, bell"
    assert third.startswith("on   gap up ")
    assert doc.strip() in {rule.doc for rule in LIBRARY}
    listed = json.loads(stockscan(folder, "rules", "list", "--json").stdout)
    assert [rule["name"] for rule in listed["rules"] if rule["on"]] == ["mine", "gap up"]
    assert len(listed["rules"]) == len(LIBRARY) + 2
    assert listed["rules"][0]["rearm"] == "chg < 2"
    assert listed["rules"][1]["move"] == 3
