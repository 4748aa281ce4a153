"""What a word stands for: a metric, a column of words, or the beginning of symbols."""

from __future__ import annotations

import re
from collections.abc import Collection

from stockscan_tui.market.metrics import MetricKey, metric_of, nearest
from stockscan_tui.market.metrics.metric import key_of
from stockscan_tui.scan.expression.error import ExpressionError, shown
from stockscan_tui.scan.expression.names import FUNCTIONS, KEYWORDS, Names
from stockscan_tui.scan.expression.tokens import SYMBOL, Kind, Token

_SIGN = re.compile(r"[-+*/=]")


def metric_key(token: Token, names: Names, *, last: bool) -> MetricKey:
    """Return the metric that a word or a CALL names.

    Args:
        token: The word.
        names: What may stand in the expression.
        last: Whether the text ends with the word, which may then be only begun.

    Raises:
        ExpressionError: It names none, or what stands in its brackets is wrong.
    """
    name = token.text
    if token.kind is Kind.TEXT:
        raise ExpressionError(
            token.column, 'a text is no number; it stands after a column of words: sector = "tech".'
        )
    if not names.is_metric(name):
        raise _no_metric(token, names, last=last)
    arguments: tuple[str, ...] = ()
    if token.kind is Kind.CALL:
        arguments = tuple(token.inner.split(","))
    key = key_of(metric_of(name), arguments)
    if isinstance(key, str):
        at = token.inner_at if token.kind is Kind.CALL else token.at
        incomplete = last and token.kind is Kind.WORD
        raise ExpressionError(at + 1, key, incomplete=incomplete)
    return key


def _no_metric(token: Token, names: Names, *, last: bool) -> ExpressionError:
    name, column = token.text, token.column
    if names.is_words(name):
        return ExpressionError(
            column, f'{name} holds words; it is compared with = or !=: {name} = "tech".'
        )
    if name in FUNCTIONS:
        return ExpressionError(column, f"{FUNCTIONS[name]}.", incomplete=last)
    capital = capitals_of(name, names)
    if capital:
        return ExpressionError(column, capital)
    if name.isupper():
        return ExpressionError(
            column, f"{shown(name)} in capitals is a symbol, which has no value of its own."
        )
    begun = last and any(known.startswith(name) for known in (*names.metrics, *FUNCTIONS))
    hint = suggestion(name, (*names.metrics, *FUNCTIONS)) or " Symbols are written in capitals."
    return ExpressionError(column, f"no metric is called {shown(name)}.{hint}", incomplete=begun)


def suggestion(name: str, known: Collection[str]) -> str:
    """Return a hint on the name that is most like a word, empty where none is."""
    # Nobody misspells a name to ten times its length, and the search takes its time over those.
    return nearest(name, known) if len(name) <= 50 else ""


def capitals_of(name: str, names: Names) -> str:
    """Return what is wrong where a metric, function or keyword was written in capitals, or ""."""
    head = _SIGN.split(name, maxsplit=1)[0]
    plain = head.lower()
    if head == plain:
        return ""
    for said, known in (
        ("metric", names.metrics),
        ("function", FUNCTIONS),
        ("keyword", KEYWORDS),
        ("column", names.words),
    ):
        if plain in known:
            return f"{head} in capitals is a symbol; the {said} is {plain}."
    return ""


def prefix_of(token: Token, names: Names, *, last: bool) -> tuple[str, str]:
    """Return the prefix that a word or a quoted text stands for, and a hint or "".

    Raises:
        ExpressionError: No symbol begins so.
    """
    word = token.text
    prefix = word.strip().upper()
    if not SYMBOL.fullmatch(prefix):
        raise _no_prefix(token, names, last=last)
    if token.kind is Kind.TEXT:
        return prefix, ""
    if word in KEYWORDS or (word.isupper() and word.lower() in KEYWORDS):
        return prefix, f"{word} in capitals is a symbol prefix; the keyword is {word.lower()}"
    if names.is_words(word):
        return prefix, f'{word} alone is a symbol prefix; for the column write {word} = "…"'
    if names.is_metric(word):
        example = metric_example(word)
        return prefix, f"{word} alone is a symbol prefix; for the metric write {example} > 0"
    capital = capitals_of(word, names) if "=" in word[:-1] else ""
    if capital:
        raise ExpressionError(token.column, capital)
    return prefix, ""


def metric_example(name: str) -> str:
    """Return the shortest way in which a metric can be written."""
    metric = metric_of(name)
    return name if not isinstance(key_of(metric, ()), str) else metric.example


def _no_prefix(token: Token, names: Names, *, last: bool) -> ExpressionError:
    word, column = token.text, token.column
    if token.kind is Kind.TEXT:
        return ExpressionError(column, f"{shown(word)!r} is not the beginning of a symbol.")
    if names.is_metric(word):
        return ExpressionError(
            column,
            f"{word} must be compared, as in {metric_example(word)} > 0.",
            incomplete=last,
        )
    return _no_metric(token, names, last=last)
