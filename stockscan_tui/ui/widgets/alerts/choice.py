"""Which alerts are listed, and in which order."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.ui.widgets.alerts.known import change_since

ORDERS = ("time", "symbol", "rule", "since")
_WORD = re.compile(r'(rule:)?"([^"]*)"?|(\S+)')
_RULE = "rule:"


@dataclass(frozen=True, slots=True)
class Words:
    """What is looked for.

    Attributes:
        text: As it was typed.
        anywhere: Each stands in the rule's name, or the symbol begins with it; in small letters.
        rules: Each stands in the rule's name; in small letters.
        exact: The rules' names, of which it has to be one; empty for any.
    """

    text: str = ""
    anywhere: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()

    def keep(self, fired: Fired) -> bool:
        """Return whether an alert is meant."""
        symbol, rule = fired.symbol.casefold(), fired.rule.casefold()
        return (
            all(symbol.startswith(word) or word in rule for word in self.anywhere)
            and all(word in rule for word in self.rules)
            and (not self.exact or fired.rule in self.exact)
        )


def words_of(text: str) -> Words:
    """Return what a text looks for: words, `rule:gap`, or with `rule:"gap up"` that very rule."""
    anywhere: list[str] = []
    rules: list[str] = []
    exact: list[str] = []
    for prefix, quoted, plain in _WORD.findall(text):
        if prefix:
            exact += [quoted] if quoted else []
        elif plain.casefold().startswith(_RULE):
            rules += [plain[len(_RULE) :].casefold()]
        else:
            anywhere += [(quoted or plain).casefold()]
    return Words(text.strip(), tuple(anywhere), tuple(filter(None, rules)), tuple(exact))


@dataclass(frozen=True, slots=True)
class Order:
    """By what alerts are ordered: one of ORDERS, and whether its usual direction is turned."""

    by: str = ORDERS[0]
    turned: bool = False

    def next(self) -> Order:
        """Return the order after this one."""
        return Order(ORDERS[(ORDERS.index(self.by) + 1) % len(ORDERS)])

    def reversed(self) -> Order:
        """Return the same the other way round."""
        return Order(self.by, not self.turned)

    @property
    def ascending(self) -> bool:
        """Whether the least comes first: names do, the newest and the largest come first."""
        return (self.by in ("symbol", "rule")) != self.turned

    def apply(self, newest_first: Sequence[Fired], snapshot: Snapshot) -> Sequence[Fired]:
        """Return alerts in this order; what has no value comes last either way."""
        if self.by == "time":
            return newest_first[::-1] if self.turned else newest_first
        if self.by in ("symbol", "rule"):
            return sorted(newest_first, key=lambda one: getattr(one, self.by), reverse=self.turned)
        valued = [(change_since(snapshot, one), one) for one in newest_first]
        known = [pair for pair in valued if math.isfinite(pair[0])]
        known.sort(key=lambda pair: pair[0], reverse=not self.turned)
        return [one for _, one in known] + [one for v, one in valued if not math.isfinite(v)]
