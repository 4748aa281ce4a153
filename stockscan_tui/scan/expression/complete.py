"""Completion: the names that can stand where the cursor is."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from stockscan_tui.market.metrics import REGISTRY, Takes, metric_of
from stockscan_tui.market.metrics.metric import SPANS
from stockscan_tui.market.text import printable
from stockscan_tui.scan.expression.error import MAX_LENGTH
from stockscan_tui.scan.expression.names import FUNCTIONS, KEYWORDS, Names
from stockscan_tui.scan.expression.resolve import metric_example

LIMIT = 50
# What stands before a word is looked at first, so that a long one is walked over only once.
_WORD = re.compile(r"@?(?<![A-Za-z0-9_])[A-Za-z0-9_]*\Z")
_BRACKET = re.compile(r"(?<![A-Za-z0-9_])([a-z_][a-z0-9_]*)\s*\(\s*([^()]*)\Z")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
# After these a condition is over, and only `and` or `or` can follow.
_ENDED = re.compile(r"(?:[0-9.][kKmMbB%]?|[\])\"'])\s+\Z")


@dataclass(frozen=True, slots=True)
class Completion:
    """One way to go on.

    Attributes:
        text: What to put in the place of the characters from `begin` to `end`.
        doc: What it is, in a sentence.
        begin: Where the word under the cursor begins, the first character being 0.
        end: Where it ends.
    """

    text: str
    doc: str
    begin: int
    end: int


def complete(text: str, cursor: int, names: Names | None = None) -> list[Completion]:
    """Return what the word under the cursor can become, the best first, at most 50.

    Args:
        text: What has been typed.
        cursor: How many characters stand before the cursor.
        names: What may stand in the expression besides the metrics of the registry.
    """
    before = text[: max(cursor, 0)]
    if len(text) > MAX_LENGTH or _inside_quotes(before):
        return []
    known = names or Names()
    bracket = _BRACKET.search(before)
    if bracket is not None and bracket.group(1) not in (*FUNCTIONS, *KEYWORDS):
        begin, choices = bracket.start(2), _inside(bracket.group(1), known)
    else:
        found = _WORD.search(before)
        begin = found.start() if found is not None else len(before)
        choices = _choices(before[:begin], before[begin:], known)
    end = len(before)
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    chosen = _best(before[begin:], choices)
    following = text[end : end + 1]
    return [Completion(_before(following, name), choices[name], begin, end) for name in chosen]


def _before(following: str, name: str) -> str:
    """Return a name without the brackets that stand in the text already."""
    if following == "(":
        return name.split("(", maxsplit=1)[0]
    return name.removesuffix(")") if following == ")" and "(" not in name else name


def _inside_quotes(before: str) -> bool:
    rest = _QUOTED.sub("", before)
    return '"' in rest or "'" in rest


def _choices(before: str, word: str, names: Names) -> dict[str, str]:
    """Return what can stand after a text, with what it is."""
    if word.startswith("@"):
        return _filters(names)
    if _ENDED.search(before):
        return {name: KEYWORDS[name] for name in ("and", "or")}
    metrics = {metric_example(name): metric.doc for name, metric in REGISTRY.items()}
    own = {name: metric_of(name).doc for name in names.own}
    words = dict.fromkeys(names.words, "A column of words of your own table.")
    functions = {f"{name}(": doc for name, doc in FUNCTIONS.items()}
    lists = {f"watched({name})": "On this watchlist." for name in names.watchlists}
    return {**metrics, **own, **words, **KEYWORDS, **functions, **lists, **_filters(names)}


def _filters(names: Names) -> dict[str, str]:
    return {f"@{name}": printable(text) or "Every symbol." for name, text in names.filters.items()}


def _inside(name: str, names: Names) -> dict[str, str]:
    """Return what can stand in the brackets of a name, with the bracket that closes them."""
    if name == "watched":
        return {f"{listed})": "A watchlist." for listed in names.watchlists}
    takes = REGISTRY[name].takes if name in REGISTRY else Takes.NOTHING
    windows = {f"{minutes}m)": f"Over {minutes} minutes." for minutes in (1, 5, 15, 30, 60)}
    spans = {f"{span})": f"Of the session {span}." for span in SPANS}
    return {
        Takes.NOTHING: {},
        Takes.WINDOW: windows,
        Takes.SPAN: spans,
        Takes.WINDOW_OR_SPAN: {**windows, **spans},
        Takes.PERIOD: {f"{bars})": f"Over {bars} bars of a minute." for bars in (9, 14, 20, 50)},
    }[takes]


def _best(word: str, choices: dict[str, str]) -> list[str]:
    """Return the choices that begin with a word, then those that hold it, then those like it."""
    wanted = word.lower()
    begins = [name for name in choices if name.lower().startswith(wanted)]
    if not wanted.strip("@"):
        return begins[:LIMIT]
    begins.sort(key=len)
    holds = [name for name in choices if wanted in name.lower() and name not in begins]
    if not begins and not holds and 2 < len(wanted) <= LIMIT:
        return difflib.get_close_matches(wanted, choices, n=3)
    return [*begins, *holds][:LIMIT]
