"""The names that an expression may use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from stockscan_tui.market.metrics import REGISTRY, Unit, metric_of

KEYWORDS = {
    "and": "both conditions hold",
    "or": "at least one of the conditions holds",
    "not": "the condition does not hold",
}
FUNCTIONS = {
    "abs": "abs(x): the size of a number, without its sign",
    "min": "min(a, b): the smaller of two numbers",
    "max": "max(a, b): the larger of two numbers",
    "crosses_above": "crosses_above(a, b): a was under b and has just risen over it",
    "crosses_below": "crosses_below(a, b): a was over b and has just fallen under it",
}
RESERVED = frozenset({*KEYWORDS, *FUNCTIONS})


@dataclass(frozen=True)
class Names:
    """What may stand in an expression besides the metrics of the registry.

    Attributes:
        own: The columns of numbers of the user's table.
        words: Its columns of words.
        filters: The saved filters' texts, by the name that stands after @.
        watchlists: What may stand in the brackets of `watched(…)`.
    """

    own: Collection[str] = ()
    words: Collection[str] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    watchlists: Collection[str] = ()

    def is_metric(self, name: str) -> bool:
        """Return whether a name is a metric's, or one of the user's columns of numbers."""
        return name in REGISTRY or name in self.own

    def is_flag(self, name: str) -> bool:
        """Return whether a name is a yes-or-no metric's."""
        return name in REGISTRY and metric_of(name).unit is Unit.FLAG

    def is_words(self, name: str) -> bool:
        """Return whether a name is a column of words."""
        return name in self.words and name not in REGISTRY

    @property
    def metrics(self) -> list[str]:
        """Return all names of numbers, those of the registry first."""
        return [*REGISTRY, *self.own]
