"""The language of filters: random texts and trees of its own grammar, against plain promises."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

import numpy as np

from stockscan_tui.market.text import printable
from stockscan_tui.scan.expression import ExpressionError, Memory, Names, complete, parse
from tests.fuzz.part import Part, WrongError
from tests.fuzz.texts import NUMBERS, ODD

_VALUES = (
    "a", "b1", "c_c", "chg", "chg(5m)", "mark", "rvol", "dvol(day)", "rsi(14, 5m)", "vwap",
    "spread", "0", "1", "2.5", "3%", "1.5k", "2M", ".5", "-3", "abs(a)", "min(a, b1)", "gap",
    "max(mark, 3)", "low(pre)", "high(5m)", "prev_close", "bar_rvol", "atr(14)", "ema(9, 1m)",
    "opening_range(5m)",
)  # fmt: skip
_SIMPLE = (
    "K", "qz", "BRK.B", '"gap"', "NV, AAP", "warrant", "halt", "watched", "watched(my tech)", "new",
    "@cheap", "@two", "@loop", 'sector = "Health Care"', "sector != tech",
    "crosses_above(mark, vwap)",
    "crosses_below(a, b1)", "a 1..3", "chg -3..3%", "ssr", "split",
)  # fmt: skip
_SIGNS = ("<", "<=", ">", ">=", "=", "==", "!=")
_WORDS = tuple(
    word.encode()
    for word in (
        *_VALUES, *_SIMPLE, *_SIGNS, " and ", " or ", "not ", "(", ")", "..", ",",
        "+", "-", "*", "/",
        "abs(", "min(", "@", "'", "!", "&", "5x", "10:30", "ß", "None", "__class__", "a.b", "$",
    )
)  # fmt: skip


@cache
def _names() -> Names:
    from tests.unit.test_expression_fuzz import NAMES

    return NAMES


def _value(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.5:
        return rng.choice(_VALUES)
    left, right = _value(rng, depth - 1), _value(rng, depth - 1)
    form = rng.choice(("({0} {2} {1})", "{0} {2} {1}", "min({0}, {1})", "abs({0})", "-{0}"))
    return form.format(left, right, rng.choice("+-*/"))


def grown(rng: random.Random, depth: int) -> str:
    """Return an expression of the grammar, which may still be refused."""
    if depth == 0 or rng.random() < 0.3:
        if rng.random() < 0.4:
            return rng.choice(_SIMPLE)
        return f"{_value(rng, 2)} {rng.choice(_SIGNS)} {_value(rng, 2)}"
    form = rng.choice(("({} and {})", "{} or {}", "not ({} or {})", "{} and {}", "({}) or ({})"))
    return form.format(grown(rng, depth - 1), grown(rng, depth - 1))


def _spoil(rng: random.Random, case: bytes, other: bytes) -> bytes:
    from tests.fuzz.part import spoilt

    if rng.random() < 0.4:
        return grown(rng, rng.choice((1, 2, 3, 5))).encode()
    return spoilt(rng, case, other, _WORDS)


def _run(case: bytes) -> None:
    from tests.unit.test_expression_fuzz import MARKET

    text = case.decode("utf-8", "replace")
    # Completing takes longer than all the rest.
    cursor = len(case) * 7 % (len(text) + 1)
    for choice in complete(text, cursor, _names()) if len(case) % 4 == 0 else ():
        if not 0 <= choice.begin <= choice.end <= len(text):
            raise WrongError(f"a completion outside of the text: {choice}")
    try:
        found = parse(text, _names())
    except ExpressionError as error:
        if not 1 <= error.column <= len(text) + 1 or printable(error) != str(error):
            raise WrongError(f"{error.column} of {len(text)}: {str(error)!r}") from error
        return
    mask = found.mask(MARKET, Memory())
    if mask.dtype != np.bool_ or mask.shape != (len(MARKET.symbols),):
        raise WrongError(f"a mask of {mask.dtype}, {mask.shape}")
    rows = found.rows(MARKET, Memory()).tolist()
    if rows != [row for row in MARKET.by_symbol.tolist() if mask[row]]:
        raise WrongError("rows that are not those of the mask")
    if found.mask(MARKET, Memory()).tolist() != mask.tolist():
        raise WrongError("another mask at the second time")


def _seeds() -> Sequence[bytes]:
    rng = random.Random(1)
    return [*(grown(rng, 3).encode() for _ in range(60)), *_WORDS, *NUMBERS, *ODD]


PARTS = (Part("expression", _run, _seeds, _WORDS, most_bytes=3_000, spoil=_spoil),)
