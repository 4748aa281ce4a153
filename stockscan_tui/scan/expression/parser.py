"""From text to tree: the grammar, by recursive descent. It never recurses deeper than a limit."""

from __future__ import annotations

from dataclasses import dataclass, field

from stockscan_tui.scan.expression import tree
from stockscan_tui.scan.expression.cursor import MISSING_JOINT, Cursor
from stockscan_tui.scan.expression.error import (
    MAX_NESTING,
    MAX_TOKENS,
    ExpressionError,
    shown,
)
from stockscan_tui.scan.expression.names import Names
from stockscan_tui.scan.expression.resolve import metric_key, prefix_of, suggestion
from stockscan_tui.scan.expression.tokens import Kind, Token, number_of, tokens_of

_BOUNDS = frozenset({Kind.NUMBER, Kind.WORD, Kind.CALL})
_PREFIXES = frozenset({Kind.WORD, Kind.TEXT})
_AFTER_PREFIX = frozenset({*_PREFIXES, Kind.COMMA, Kind.KEYWORD, Kind.CLOSE, Kind.END})


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text was read to.

    Attributes:
        tree: The condition.
        hint: What the user may have meant otherwise, or "".
        tokens: How many pieces it has, those of its saved filters included.
        nesting: How deep its brackets go, those of its saved filters included.
    """

    tree: tree.Condition
    hint: str
    tokens: int
    nesting: int


@dataclass(slots=True)
class Saved:
    """The saved filters that were read on the way, and the names of all that were begun."""

    known: dict[str, Parsed] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of the tree: a value, a condition, or a word that can still be either."""

    token: Token
    value: tree.Value | None = None
    condition: tree.Condition | None = None
    word: Token | None = None


class Parser(Cursor):
    """Reads one text.

    Args:
        text: What the user wrote.
        names: What may stand in it.
        saved: What is known of the saved filters.
        nesting: How deep the text stands in others.
    """

    def __init__(
        self, text: str, names: Names, saved: Saved | None = None, nesting: int = 0
    ) -> None:
        super().__init__(tokens_of(text), names, nesting)
        self._saved = saved or Saved()
        self._base = nesting
        self._count = len(self.tokens)
        self._hint = ""

    def read(self) -> Parsed:
        """Return the whole text as a condition; an empty text is one that always holds.

        Raises:
            ExpressionError: It is none.
        """
        found: tree.Condition = tree.EVERYTHING
        if self.next.kind is not Kind.END:
            found = self._condition(self._joined("or"))
        if self.next.kind is not Kind.END:
            raise self.left_over()
        return Parsed(found, self._hint, self._count, self.deepest - self._base)

    # --- conditions -----------------------------------------------------------------------------

    def _joined(self, keyword: str) -> _Part:
        first = self._joined("and") if keyword == "or" else self._not()
        if not self.is_next(Kind.KEYWORD, keyword):
            return first
        parts = [self._condition(first)]
        while self.is_next(Kind.KEYWORD, keyword):
            self.take()
            part = self._joined("and") if keyword == "or" else self._not()
            parts.append(self._condition(part))
        node = tree.AnyOf if keyword == "or" else tree.AllOf
        return _Part(first.token, condition=node(tuple(parts)))

    def _not(self) -> _Part:
        begin, negated, seen = self.next, False, False
        while self.is_next(Kind.KEYWORD, "not"):
            self.take()
            negated, seen = not negated, True
        part = self._comparison()
        if not seen:
            return part
        condition = self._condition(part)
        return _Part(begin, condition=tree.Not(condition) if negated else condition)

    def _comparison(self) -> _Part:
        left = self._series("+-")
        if self.next.kind is Kind.COMPARE:
            if left.word is not None and self.names.is_words(left.word.text):
                return self._spelled(left.word)
            return self._chain(left)
        if self._range_ahead():
            return self._range(left)
        if self.next.kind is Kind.NUMBER and left.condition is None:
            raise self._uncompared(left)
        return left if left.word is None else self._group(left.word)

    def _chain(self, left: _Part) -> _Part:
        values = [self._value(left)]
        signs = []
        while self.next.kind is Kind.COMPARE:
            sign = self.take().text
            signs.append("=" if sign == "==" else sign)
            values.append(self._value(self._series("+-")))
        return _Part(left.token, condition=tree.Compare(tuple(values), tuple(signs)))

    def _range_ahead(self) -> bool:
        """Return whether `3..8`, `-3..3` or `low..high` comes next."""
        at = self.at + (self.next.kind is Kind.SIGN and self.next.text in "+-")
        return (
            at + 1 < len(self.tokens)
            and self.tokens[at].kind in _BOUNDS
            and self.tokens[at + 1].kind is Kind.DOTS
        )

    def _range(self, left: _Part) -> _Part:
        value = self._value(left)
        low = self._value(self._signed())
        self.take()
        high = self._value(self._signed())
        return _Part(left.token, condition=tree.Compare((low, value, high), ("<=", "<=")))

    def _spelled(self, column: Token) -> _Part:
        sign = self.take()
        if sign.text not in {"=", "==", "!="}:
            raise ExpressionError(
                sign.column, f"{column.text} holds words, which are compared with = or !=."
            )
        word = self.next
        if word.kind not in {Kind.WORD, Kind.TEXT, Kind.NUMBER}:
            raise self.missing("a word, or a text in quotes,")
        self.take()
        if word.kind is Kind.WORD and self.next.kind is Kind.WORD:
            raise ExpressionError(
                self.next.column,
                f"{MISSING_JOINT} before {shown(self.next.text)}; several words stand in quotes.",
            )
        said = " ".join(word.text.split()).casefold()
        return _Part(column, condition=tree.Spelled(column.text, said, sign.text != "!="))

    def _group(self, first: Token) -> _Part:
        """Return prefixes side by side; a word alone stays what it is, as it may be compared."""
        words = [first]
        if first.kind is Kind.TEXT or not self.names.is_flag(first.text):
            while True:
                while self.next.kind is Kind.COMMA and self.after.kind in _AFTER_PREFIX:
                    self.take()
                if not self._is_prefix():
                    break
                words.append(self.take())
        if len(words) == 1:
            return _Part(first, word=first)
        return _Part(first, condition=self._begins(words))

    def _is_prefix(self) -> bool:
        token = self.next
        if token.kind is Kind.WORD and self.names.is_flag(token.text):
            return False
        return token.kind in _PREFIXES and self.after.kind in _AFTER_PREFIX

    def _begins(self, words: list[Token]) -> tree.Begins:
        prefixes: dict[str, None] = {}
        for token in words:
            last = self.is_last(token)
            prefix, hint = prefix_of(token, self.names, last=last)
            prefixes[prefix] = None
            self._hint = self._hint or hint
        return tree.Begins(tuple(prefixes))

    # --- values ---------------------------------------------------------------------------------

    def _series(self, signs: str) -> _Part:
        first = self._series("*/") if signs == "+-" else self._signed()
        rest: list[tuple[str, tree.Value]] = []
        while self.next.kind is Kind.SIGN and self.next.text in signs:
            if self._range_ahead():
                break
            if not rest:
                value = self._value(first)
            sign = self.take().text
            part = self._series("*/") if signs == "+-" else self._signed()
            rest.append((sign, self._value(part)))
        if not rest:
            return first
        return _Part(first.token, value=tree.Series(value, tuple(rest)))

    def _signed(self) -> _Part:
        begin, negative = self.next, False
        while self.next.kind is Kind.SIGN and self.next.text in "+-":
            negative ^= self.take().text == "-"
        part = self._atom()
        if begin is part.token:
            return part
        value = self._value(part)
        return _Part(begin, value=tree.Negative(value) if negative else value)

    def _atom(self) -> _Part:
        token = self.next
        match token.kind:
            case Kind.NUMBER:
                self.take()
                return _Part(token, value=tree.Number(number_of(token.text)))
            case Kind.WORD | Kind.TEXT:
                self.take()
                return _Part(token, word=token)
            case Kind.CALL:
                return self._call()
            case Kind.FUNCTION:
                return self._function()
            case Kind.OPEN:
                return self._bracket()
            case Kind.FILTER:
                return self._filter()
            case _:
                raise self.missing("a metric, a number or a symbol")

    def _bracket(self) -> _Part:
        token = self.enter()
        inner = self._joined("or")
        self.leave()
        return _Part(token, inner.value, inner.condition, inner.word)

    def _call(self) -> _Part:
        token = self.take()
        if token.text == "watched":
            return _Part(token, condition=tree.Watched(self._watchlist(token)))
        key = metric_key(token, self.names, last=False)
        return _Part(token, value=tree.Column(key))

    def _watchlist(self, token: Token) -> str:
        said = token.inner.strip()
        if len(said) > 1 and said[0] == said[-1] and said[0] in "\"'":
            said = said[1:-1].strip()
        lists = self.names.watchlists
        if said in lists:
            return said
        found = next((name for name in lists if name.casefold() == said.casefold()), None)
        if found is None:
            hint = suggestion(said, list(lists))
            raise ExpressionError(
                token.inner_at + 1, f"no watchlist is called {shown(said)!r}.{hint}"
            )
        return found

    def _function(self) -> _Part:
        name = self.take()
        self.enter()
        arguments = [self._value(self._series("+-"))]
        while len(arguments) < (1 if name.text == "abs" else 2):
            if self.next.kind is not Kind.COMMA:
                raise self.missing(f"a comma and a second value of {name.text}(a, b)")
            self.take()
            arguments.append(self._value(self._series("+-")))
        self.leave()
        if name.text == "crosses_above":
            return _Part(name, condition=tree.Crosses(arguments[0], arguments[1]))
        if name.text == "crosses_below":
            return _Part(name, condition=tree.Crosses(arguments[1], arguments[0]))
        return _Part(name, value=tree.Call(name.text, tuple(arguments)))

    def _filter(self) -> _Part:
        token = self.take()
        name = token.text[1:]
        filters = self.names.filters
        if name not in filters:
            hint = suggestion(name, list(filters)).replace("mean ", "mean @")
            last = self.is_last(token) and any(known.startswith(name) for known in filters)
            raise ExpressionError(
                token.column, f"no saved filter is called @{shown(name)}.{hint}", incomplete=last
            )
        parsed = self._saved.known.get(name) or self._read_saved(token, name)
        self.deepest = max(self.deepest, self.nesting + 1 + parsed.nesting)
        self._count += parsed.tokens
        if self.deepest > MAX_NESTING or self._count > MAX_TOKENS:
            raise ExpressionError(
                token.column, f"with @{shown(name)} the expression is too long or nested too deep."
            )
        return _Part(token, condition=parsed.tree)

    def _read_saved(self, token: Token, name: str) -> Parsed:
        if name in self._saved.begun:
            raise ExpressionError(token.column, f"the saved filter @{shown(name)} holds itself.")
        if self.nesting >= MAX_NESTING:
            raise self.too_deep(token)
        self._saved.begun.add(name)
        try:
            text = self.names.filters[name]
            parsed = Parser(text, self.names, self._saved, self.nesting + 1).read()
        except ExpressionError as error:
            raise ExpressionError(
                token.column,
                f"the saved filter @{shown(name)} is wrong at its column {error.column}: "
                f"{error.problem}",
            ) from error
        self._saved.known[name] = parsed
        return parsed

    # --- what a part is taken for -----------------------------------------------------------------

    def _value(self, part: _Part) -> tree.Value:
        if part.value is not None:
            return part.value
        if part.word is None:
            raise ExpressionError(
                part.token.column, "a number must stand here, and this is a condition."
            )
        if self.next.kind is Kind.OPEN:
            self.refuse_capitals(part.word)
        return tree.Column(metric_key(part.word, self.names, last=self.is_last(part.word)))

    def _condition(self, part: _Part) -> tree.Condition:
        if part.condition is not None:
            return part.condition
        word = part.word
        if word is None:
            raise self._uncompared(part)
        if self.next.kind is Kind.OPEN:
            self.refuse_capitals(word)
        if word.kind is Kind.WORD and self.names.is_flag(word.text):
            return tree.Flag(metric_key(word, self.names, last=False))
        return self._begins([word])

    def _uncompared(self, part: _Part) -> ExpressionError:
        token = self.next
        if token.kind is Kind.END:
            return ExpressionError(
                token.column, "a comparison must follow, as in chg > 5.", incomplete=True
            )
        if token.kind is Kind.NUMBER:
            if part.word is not None:
                self._value(part)
            return ExpressionError(
                token.column,
                f"a comparison is missing before {token.text}; a range is written 3..8.",
                incomplete=self.is_last(token),
            )
        return ExpressionError(
            part.token.column, "a number alone is no condition; compare it, as in chg > 5."
        )
