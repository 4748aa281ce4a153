"""An expression's text cut into words, numbers and signs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from stockscan_tui.scan.expression.error import MAX_LENGTH, ExpressionError, shown
from stockscan_tui.scan.expression.names import FUNCTIONS, KEYWORDS

SYMBOL = re.compile(r"[A-Z0-9.#+=^*$/-]+")


class Kind(Enum):
    """What a piece of text is.

    CALL is a name with what stands in its brackets, in one piece; FUNCTION a name before them.
    """

    WORD = "word"
    KEYWORD = "keyword"
    CALL = "call"
    FUNCTION = "function"
    FILTER = "filter"
    TEXT = "text"
    NUMBER = "number"
    COMPARE = "compare"
    SIGN = "sign"
    DOTS = "dots"
    OPEN = "open"
    CLOSE = "close"
    COMMA = "comma"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text.

    Attributes:
        kind: What it is.
        text: The piece; of a CALL the name alone, of a TEXT what the quotes hold.
        at: Where it begins, the text's first character being 0.
        inner: What the brackets of a CALL hold.
        inner_at: Where that begins.
    """

    kind: Kind
    text: str
    at: int
    inner: str = ""
    inner_at: int = 0

    @property
    def column(self) -> int:
        """Return the column, from 1."""
        return self.at + 1


_PIECE = re.compile(
    r"""\s*(?:
      (?P<text>"[^"]*"|'[^']*')
    | (?P<symbol>[A-Z](?:[A-Z0-9\#+=^*$/-]|\.(?!\.))*+(?![a-z_]))
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9]+)*)
    | (?P<number>(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)[kKmMbB%]?(?![A-Za-z0-9_]))
    | (?P<filter>@[A-Za-z_][A-Za-z0-9_]*)
    | (?P<compare><=|>=|==|!=|<|>|=)
    | (?P<sign>[-+*/])
    | (?P<dots>\.\.)
    | (?P<open>\()
    | (?P<close>\))
    | (?P<comma>,)
    | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_BRACKET = re.compile(r"\s*\(")
_INNER = re.compile(r"\s*\(([^()]*)")
_SPACE = re.compile(r"\s*")
_BAD_NUMBER = re.compile(r"[0-9][A-Za-z0-9_.]*")
_INSTEAD = {
    "&": "write and",
    "|": "write or",
    "!": "write not, or != for unequal",
    "≥": "write >=",
    "≤": "write <=",
    "≠": "write !=",
    "−": "write -",
    "$": "write the number alone",
    "–": "write -, or .. for a range",
}
_KINDS = {kind.value: kind for kind in Kind}
_SCALES = {"k": 1e3, "m": 1e6, "b": 1e9, "%": 1.0}


def number_of(text: str) -> float:
    """Return the value of a NUMBER: `1.5k` is 1500, `5%` is 5."""
    scale = _SCALES.get(text[-1].lower())
    return float(text) if scale is None else float(text[:-1]) * scale


def tokens_of(text: str) -> list[Token]:
    """Return the pieces of a text, an END last.

    Raises:
        ExpressionError: The text is too long, or something in it can be no piece.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            MAX_LENGTH + 1, f"an expression has up to {MAX_LENGTH:,} characters, not {len(text):,}."
        )
    pieces: list[Token] = []
    at = 0
    while True:
        match = _PIECE.match(text, at)
        if match is None or match.lastgroup is None:
            raise _refused(text, at)
        begin, at = match.span(match.lastgroup)
        token = _token(text, match.lastgroup, begin, at)
        pieces.append(token)
        if token.kind is Kind.END:
            return pieces
        if token.kind is Kind.CALL:
            at = token.inner_at + len(token.inner) + 1


def _token(text: str, group: str, begin: int, end: int) -> Token:
    piece = text[begin:end]
    if group == "text":
        return Token(Kind.TEXT, piece[1:-1], begin)
    if piece in KEYWORDS:
        return Token(Kind.KEYWORD, piece, begin)
    if group != "word" or piece != piece.lower() or not _BRACKET.match(text, end):
        return Token(_KINDS.get(group, Kind.WORD), piece, begin)
    if piece in FUNCTIONS:
        return Token(Kind.FUNCTION, piece, begin)
    return _call(text, piece, begin, end)


def _call(text: str, name: str, begin: int, end: int) -> Token:
    inner = _INNER.match(text, end)
    assert inner is not None  # noqa: S101
    closing = inner.end()
    if closing == len(text):
        raise ExpressionError(
            closing + 1, f"the bracket of {shown(name)}( is not closed.", incomplete=True
        )
    if text[closing] != ")":
        raise ExpressionError(
            closing + 1, f"{shown(name)} is no function: its brackets hold no others."
        )
    return Token(Kind.CALL, name, begin, inner.group(1), inner.start(1))


def _refused(text: str, at: int) -> ExpressionError:
    begin = at + len(_SPACE.match(text, at).group())  # type: ignore[union-attr]
    sign = text[begin]
    if sign in "\"'":
        return ExpressionError(begin + 1, "the quote is not closed.", incomplete=True)
    number = _BAD_NUMBER.match(text, begin)
    if number:
        return ExpressionError(
            begin + 1, f"{shown(number.group())} is no number. Numbers take k, m, b or %: 250k."
        )
    last = begin == len(text) - 1
    if sign == "@":
        return ExpressionError(
            begin + 1, "the name of a saved filter must follow @.", incomplete=last
        )
    instead = f": {_INSTEAD[sign]}" if sign in _INSTEAD else ""
    return ExpressionError(
        begin + 1, f"{shown(sign)} has no meaning here{instead}.", incomplete=last and sign in "!."
    )
