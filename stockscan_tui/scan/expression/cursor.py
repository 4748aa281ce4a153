"""Where the parser is in the pieces of a text, and what it says when they go on otherwise."""

from __future__ import annotations

from stockscan_tui.scan.expression.error import MAX_NESTING, ExpressionError, shown
from stockscan_tui.scan.expression.names import KEYWORDS, Names
from stockscan_tui.scan.expression.resolve import capitals_of
from stockscan_tui.scan.expression.tokens import Kind, Token

MISSING_JOINT = "‘and’ or ‘or’ is missing"


class Cursor:
    """Walks over tokens, and counts the brackets it is in.

    Args:
        tokens: The pieces, an END last.
        names: What may stand in the expression.
        nesting: How many brackets the text stands in.
    """

    def __init__(self, tokens: list[Token], names: Names, nesting: int) -> None:
        self.tokens = tokens
        self.names = names
        self.at = 0
        self.nesting = nesting
        self.deepest = nesting

    @property
    def next(self) -> Token:
        """Return the token that is to be read next."""
        return self.tokens[self.at]

    @property
    def after(self) -> Token:
        """Return the one after it; there is none after END."""
        return self.tokens[self.at + 1]

    def is_next(self, kind: Kind, text: str) -> bool:
        """Return whether a certain token comes next."""
        return self.next.kind is kind and self.next.text == text

    def is_last(self, token: Token) -> bool:
        """Return whether the text ends with a word, which may then be only begun."""
        return self.tokens[-1].at == token.at + len(token.text) and token.kind is not Kind.TEXT

    def take(self) -> Token:
        """Read the next token."""
        token = self.next
        self.at += 1
        return token

    def enter(self) -> Token:
        """Read an opening bracket; ExpressionError if it is one too many."""
        if self.nesting >= MAX_NESTING:
            raise self.too_deep(self.next)
        self.nesting += 1
        self.deepest = max(self.deepest, self.nesting)
        return self.take()

    def leave(self) -> None:
        """Read a closing bracket; ExpressionError if something else comes."""
        if self.next.kind is Kind.END:
            raise self.missing("a closing bracket")
        if self.next.kind is not Kind.CLOSE:
            raise self.left_over()
        self.take()
        self.nesting -= 1

    def too_deep(self, token: Token) -> ExpressionError:
        """Return what to say where brackets are nested too deep."""
        return ExpressionError(
            token.column, f"brackets may stand in one another up to {MAX_NESTING} times."
        )

    def missing(self, what: str) -> ExpressionError:
        """Return what to say where something must stand."""
        token = self.next
        if token.kind is Kind.END:
            return ExpressionError(token.column, f"{what} must follow.", incomplete=True)
        return ExpressionError(token.column, f"{what} must stand here, before {shown(token.text)}.")

    def refuse_capitals(self, word: Token) -> None:
        """Raise ExpressionError where a word is the name of something, but in capitals."""
        said = capitals_of(word.text, self.names) if word.kind is Kind.WORD else ""
        if said:
            raise ExpressionError(word.column, said)

    def left_over(self) -> ExpressionError:
        """Return what to say where the condition is over and the text is not."""
        token = self.next
        if token.kind is Kind.CLOSE:
            problem = "this bracket closes none."
        elif token.kind is Kind.COMMA and self.tokens[self.at - 1].kind is Kind.NUMBER:
            problem = "numbers are written without commas, as in 100000 or 100k."
        elif token.kind is Kind.COMMA:
            problem = "a comma stands between symbols, or between the values of a function."
        elif token.kind is Kind.DOTS:
            problem = "a range stands after what it is of, as in chg 3..8."
        else:
            for word in self.tokens[max(self.at - 1, 0) : self.at + 1]:
                if word.text.lower() in KEYWORDS:
                    self.refuse_capitals(word)
            problem = f"{MISSING_JOINT} before {shown(token.text)}."
        return ExpressionError(token.column, problem)
