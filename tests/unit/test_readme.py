"""What the README says is what the program has."""

from __future__ import annotations

import re
from pathlib import Path

from stockscan_tui.market.metrics import REGISTRY
from stockscan_tui.scan.expression import Names, parse
from stockscan_tui.ui.commands import ALERTS, BOARD, EVERYWHERE, HEALTH, REPLAY, RULES, SYMBOL

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_every_metric_stands_in_the_readme() -> None:
    table = README[README.index("| metric |") : README.index("Any of them is a column")]
    words = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", table))))
    shown = words | {f"{name}_dollars" for name in ("chg_open", "chg_post", "gap")}
    assert set(REGISTRY) - shown == set()


def test_every_key_stands_in_the_readme() -> None:
    table = README[README.index("## Keys") : README.index("## Without a screen")]
    keys = {
        key
        for command in (*EVERYWHERE, *BOARD, *SYMBOL, *ALERTS, *RULES, *HEALTH, *REPLAY)
        for key in command.shown.split()
    }
    digits = set("12345678")
    assert {key for key in keys - digits if key not in table} == set()


def test_the_readmes_filters_can_be_read() -> None:
    block = README[README.index("`/` takes an expression") : README.index("A metric that a symbol")]
    texts = [
        part.strip()
        for line in block.splitlines()
        if line.startswith("    ")
        for part in re.split(r"\s{3,}", line.strip())
    ]
    names = Names(own=("float",), words=("sector",), filters={"cheap": "mark < 5"},
                  watchlists=("energy",))  # fmt: skip
    prose = {"symbols that begin so", "a range, both ends included", "your own table",
             "a saved filter"}  # fmt: skip
    for text in texts:
        if text not in prose:
            parse(text, names)
    assert len(texts) >= 10


def test_every_link_of_the_readme_leads_somewhere() -> None:
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    heads = {
        re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"(?m)^#+ (.+)$", prose)
    }
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    inside = [target[1:] for target in targets if target.startswith("#")]
    files = [target for target in targets if not target.startswith(("#", "https://"))]
    assert len(inside) > 20
    assert [anchor for anchor in inside if anchor not in heads] == []
    assert [file for file in files if not (ROOT / file).is_file()] == []
    named = set(re.findall(r"(?m)^\[(\w+)\]: https://", prose))
    assert set(re.findall(r"\]\[(\w+)\]", prose)) == named
