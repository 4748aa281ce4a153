"""Laws of the expression language, on generated trees and on texts that are hardly any.

STOCKSCAN_EXPRESSIONS sets how many expressions are made in all, by default some hundreds.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stockscan_tui.market.calendar import Session
from stockscan_tui.market.metrics import parse_metric, values_of
from stockscan_tui.market.snapshot import SessionFigures, Snapshot, Words
from stockscan_tui.market.text import printable
from stockscan_tui.scan.expression import (
    Expression,
    ExpressionError,
    Memory,
    Names,
    complete,
    parse,
)
from tests.ui.market import market

COUNT = int(os.environ.get("STOCKSCAN_EXPRESSIONS", "750")) // 3
ROWS = 24
NAMES = Names(
    own=("a", "b1", "c_c"),
    words=("sector",),
    filters={"cheap": "mark < 5", "two": "@cheap or not warrant", "loop": "@loop"},
    watchlists=("my tech",),
)
METRICS = ("a", "b1", "c_c", "chg", "chg(5m)", "mark", "rvol", "dvol(day)", "rsi(14, 5m)")
NUMBERS = {"0": 0.0, "1": 1.0, "2.5": 2.5, "3%": 3.0, "1.5k": 1500.0, "2M": 2e6, ".5": 0.5}
PREFIXES = ("K", "qz", "ABC-A", "brk.b", '"gap"', "'L'", "Z")
SIGNS = ("<", "<=", ">", ">=", "=", "==", "!=")

fuzz = settings(
    max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck)
)  # fmt: skip


def fixed_market() -> Snapshot:
    """Return some symbols whose own columns hold zeros, equal numbers and missing ones."""
    rng = np.random.default_rng(3)
    own = {name: rng.choice([math.nan, -2.0, 0.0, 0.5, 1.0, 3.0], ROWS) for name in NAMES.own}
    none = np.full(ROWS, math.nan)
    zeros = np.zeros(ROWS, np.int64)
    figures = SessionFigures(none, none, none, zeros, zeros, none)
    return market(
        ROWS,
        own=own,
        words={"sector": Words(rng.integers(-1, 2, ROWS), ("Tech", "Health Care"))},
        signs={"warrant": rng.random(ROWS) < 0.3, "watched:my tech": rng.random(ROWS) < 0.3},
        sessions=dict.fromkeys((Session.PRE, Session.REGULAR, Session.POST), figures),
    )


MARKET = fixed_market()
COLUMNS = {name: values_of(parse_metric(name, NAMES.own), MARKET).tolist() for name in METRICS}
WARRANT = MARKET.signs["warrant"].tolist()


@dataclass(frozen=True)
class Made:
    """A piece of an expression: how it is written, how tightly it binds, what it is by row."""

    pieces: tuple[str, ...]
    tightness: int
    of: Callable[[int], Any]

    def within(self, tightness: int) -> tuple[str, ...]:
        """Return the pieces, in brackets where it binds less tightly than needed."""
        return self.pieces if self.tightness >= tightness else ("(", *self.pieces, ")")


OR, AND, NOT, COMPARISON, SUM, PRODUCT, ATOM = range(7)


def metric(name: str) -> Made:
    return Made((name,), ATOM, lambda row: COLUMNS[name][row])


def number(text: str) -> Made:
    return Made((text,), ATOM, lambda _: NUMBERS[text])


def negative(of: Made) -> Made:
    return Made(("-", *of.within(ATOM)), PRODUCT, lambda row: -of.of(row))


def arithmetic(left: Made, sign: str, right: Made) -> Made:
    tightness = SUM if sign in "+-" else PRODUCT

    def of(row: int) -> float:
        a, b = left.of(row), right.of(row)
        if sign == "/":
            return math.nan if b == 0 else float(a / b)
        return float({"+": a + b, "-": a - b, "*": a * b}[sign])

    return Made((*left.within(tightness), sign, *right.within(tightness + 1)), tightness, of)


def called(name: str, left: Made, right: Made) -> Made:
    def of(row: int) -> float:
        a, b = left.of(row), right.of(row)
        if name == "abs":
            return abs(float(a))
        if math.isnan(a) or math.isnan(b):
            return math.nan
        return float(min(a, b) if name == "min" else max(a, b))

    inner = left.pieces if name == "abs" else (*left.pieces, ",", *right.pieces)
    return Made((name, "(", *inner, ")"), ATOM, of)


def compared(left: float, sign: str, right: float) -> bool:
    if math.isnan(left) or math.isnan(right):
        return False
    return {
        "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right,
        "=": left == right, "==": left == right, "!=": left != right,
    }[sign]  # fmt: skip


def comparison(values: list[Made], signs: list[str]) -> Made:
    signs = signs[: len(values) - 1]
    pieces = values[0].within(SUM)
    for sign, value in zip(signs, values[1:], strict=True):
        pieces += (sign, *value.within(SUM))

    def of(row: int) -> bool:
        given = [value.of(row) for value in values]
        return all(compared(*three) for three in zip(given, signs, given[1:], strict=False))

    return Made(pieces, COMPARISON, of)


def ranged(value: Made, low: Made, high: Made) -> Made:
    def of(row: int) -> bool:
        return compared(low.of(row), "<=", value.of(row)) and compared(
            value.of(row), "<=", high.of(row)
        )

    return Made((*value.within(SUM), *low.pieces, "..", *high.pieces), COMPARISON, of)


def prefixed(words: list[str]) -> Made:
    wanted = tuple(word.strip("\"'").upper() for word in words)
    return Made(tuple(words), ATOM, lambda row: MARKET.symbols[row].startswith(wanted))


def negated(of: Made) -> Made:
    return Made(("not", *of.within(NOT)), NOT, lambda row: not of.of(row))


def joined(word: str, parts: list[Made]) -> Made:
    tightness, every = (OR, any) if word == "or" else (AND, all)
    pieces: tuple[str, ...] = parts[0].within(tightness + 1)
    for part in parts[1:]:
        pieces += (word, *part.within(tightness + 1))
    return Made(pieces, tightness, lambda row: every([part.of(row) for part in parts]))


LEAVES = st.sampled_from(METRICS).map(metric) | st.sampled_from(tuple(NUMBERS)).map(number)
BOUNDS = LEAVES | LEAVES.map(negative)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        inner.map(negative)
        | st.builds(arithmetic, inner, st.sampled_from("+-*/"), inner)
        | st.builds(called, st.sampled_from(("abs", "min", "max")), inner, inner)
    ),
    max_leaves=5,
)
SIMPLE = (
    st.builds(
        comparison,
        st.lists(VALUES, min_size=2, max_size=3),
        st.lists(st.sampled_from(SIGNS), min_size=2, max_size=2),
    )
    | st.builds(ranged, VALUES, BOUNDS, BOUNDS)
    | st.lists(st.sampled_from(PREFIXES), min_size=1, max_size=3).map(prefixed)
    | st.just(Made(("warrant",), ATOM, lambda row: WARRANT[row]))
)
CONDITIONS = st.recursive(
    SIMPLE,
    lambda inner: (
        inner.map(negated)
        | st.builds(joined, st.sampled_from(("and", "or")), st.lists(inner, min_size=2, max_size=3))
    ),
    max_leaves=5,
)


def written(made: Made, seed: int) -> str:
    """Return the text with spaces by chance, where they may be left out or be many."""
    rng = random.Random(seed)
    text = ""
    for piece in made.pieces:
        space = rng.choice(("", "", " ", "  ", "\t\n"))
        wordy = bool(text) and (text[-1].isalnum() or text[-1] in "_%\"'")
        if not space and wordy and (piece[0].isalnum() or piece[0] in "_.\"'") and piece != "..":
            space = " "
        # In capitals, signs are a part of the symbol.
        text += (" " if text[-1:].isupper() and not space else space) + piece
    return text


@fuzz
@given(CONDITIONS, st.integers(0, 1 << 32))
def test_what_is_written_is_what_is_found_in_plain_python(made: Made, seed: int) -> None:
    mask = parse(written(made, seed), NAMES).mask(MARKET)
    assert mask.tolist() == [bool(made.of(row)) for row in range(ROWS)]


WORDS = (
    *METRICS, *NUMBERS, *PREFIXES, *SIGNS, "and", "or", "not", "(", ")", "..", ",", "+", "-", "*",
    "/", "abs(", "min(", "crosses_above(mark, vwap)", "crosses_below(", "watched(my tech)",
    "watched(", "watched", "@cheap", "@two", "@loop", "@", "sector", "sector = tech", "high(pre)",
    'sector != "Health Care"', "NVDA", "CHG", "AND", "gap", '"', "'", "!", "&", "\x1b[31m", "5x",
    "10:30", "\u202e", "ß", "٣", "low(999)", "rsi(", "1e9", "None", "__class__", "a.b", "$",
)  # fmt: skip
MIXED = st.lists(st.sampled_from(WORDS), max_size=14).map("".join) | st.lists(
    st.sampled_from(WORDS), max_size=14
).map(" ".join)


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """Return an expression of which some characters were lost, doubled or replaced."""
    text = written(draw(CONDITIONS), draw(st.integers(0, 1 << 32)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        new = draw(st.sampled_from(("", "", *WORDS)) | st.characters())
        text = text[:at] + new + text[at + draw(st.integers(0, 3)) :]
    return text


def read(text: str) -> Expression | ExpressionError:
    try:
        return parse(text, NAMES)
    except ExpressionError as error:
        return error


def check(text: str) -> None:
    """Check that a text is an expression that can be used, or is refused in the one right way."""
    result = read(text)
    if isinstance(result, ExpressionError):
        assert 1 <= result.column <= len(text) + 1
        assert result.incomplete or result.column <= max(len(text), 1)
        assert str(result).startswith(f"Column {result.column}: ")
        assert printable(result) == str(result)
        return
    mask = result.mask(MARKET, Memory())
    assert mask.dtype == np.bool_
    rows = result.rows(MARKET, Memory()).tolist()
    assert rows == [row for row in MARKET.by_symbol.tolist() if mask[row]]
    assert all(0 < count <= ROWS for count in result.unknown(MARKET).values())


@fuzz
@given(spoilt() | MIXED | st.text(max_size=60))
def test_any_text_is_an_expression_or_an_expression_error(text: str) -> None:
    check(text)


@fuzz
@given(spoilt() | MIXED, st.integers(0, 80))
def test_completions_can_be_put_into_any_text(text: str, cursor: int) -> None:
    for choice in complete(text, cursor, NAMES):
        assert 0 <= choice.begin <= choice.end <= len(text)
        check(text[: choice.begin] + choice.text + text[choice.end :])


@pytest.mark.parametrize(
    "text",
    [
        "chg > 5 and dvol > 100k and not warrant",
        "rsi(14, 5m) < 30 or crosses_above(mark, vwap)",
        "chg -3.5..3% and min(mark, abs(-gap)) >= 2.5k",
        "@cheap or watched(my tech) and (NV, AAP or BRK.B)",
        "sector = \"Health Care\" or sector != tech and 1 < c_c <= mark * 2 / -3",
        "mark low(pre)..high(5m) and not 'gap' ABC-A",
        "@two and crosses_below ( prev_close , bar_rvol ) == (watched)",
    ],
)  # fmt: skip
def test_each_beginning_of_an_expression_is_one_or_is_refused_in_place(text: str) -> None:
    for end in range(len(text)):
        check(text[:end])
