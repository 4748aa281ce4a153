"""A rule: a condition that is watched for all symbols, and what is done when it comes true.

A rule fires for a symbol when its condition holds, the rule is armed for the symbol and its
cooldown is over. Firing disarms it; it is armed again once the condition is seen not to hold, or
with `rearm` once that holds; `once_a_day` keeps it disarmed until the next session date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from stockscan_tui.market.calendar import Session
from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.scan.expression import Expression, parse

TRADING = frozenset({Session.PRE, Session.REGULAR, Session.POST})
EVERYTHING = parse("")
PRICES = ("mark", "last", "mid")


class Priority(Enum):
    """How much a rule matters: what is told first, and in which colour."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: What it is called; no two rules have the same.
        when: The condition; None of a move rule.
        move: Percent from the previous close, either way, at which a move rule fires on the very
            record that crosses; 0 of others.
        price: What a move rule looks at; one of PRICES.
        filter: Symbols for which it does not hold never fire.
        scope: `all`, `toplist` (the leaderboard at the last minute's close), `watchlist` (the
            current one) or `watchlist:NAME`.
        sessions: When it is looked at.
        cooldown_s: For how many seconds of event time it does not fire again for a symbol.
        rearm: What must hold before it fires again for a symbol; None for its condition to end.
        rearm_move: The percent that a move must have gone back under; 0 for its own limit.
        once_a_day: Whether it fires once per symbol and session date.
        priority: How much it matters.
        message: What is told, with values in braces: `{symbol} {chg}`; empty for the usual.
        sound: A sound file; empty for the usual one.
        deliver: The channels that deliver it, by name: `toast`, `bell`, `desktop`, `sound`, or the
            name of a command or webhook.
        gates: Whether the board's gates keep it from being delivered.
        enabled: Whether it is watched.
        doc: A sentence that says what it is for.
        shipped: Whether it is of the library.
        line: Where it stands in its file; 0 for nowhere.
    """

    name: str
    when: Expression | None = None
    move: float = 0.0
    price: str = "mark"
    filter: Expression = EVERYTHING
    scope: str = "all"
    sessions: frozenset[Session] = TRADING
    cooldown_s: float = 0.0
    rearm: Expression | None = None
    rearm_move: float = 0.0
    once_a_day: bool = False
    priority: Priority = Priority.NORMAL
    message: str = ""
    sound: str = ""
    deliver: tuple[str, ...] = ("toast", "bell")
    gates: bool = True
    enabled: bool = True
    doc: str = ""
    shipped: bool = False
    line: int = field(default=0, compare=False)

    @property
    def keys(self) -> frozenset[MetricKey]:
        """Return all metrics that it needs."""
        parts = (self.when, self.filter, self.rearm)
        return frozenset[MetricKey]().union(*(part.keys for part in parts if part is not None))

    @property
    def condition(self) -> str:
        """Return what it fires on, as a sentence's part that is the same for the same firing.

        Whoever keeps what has fired keeps it by this: another message or sound changes nothing.
        """
        when = self.when.text if self.when is not None else f"move {self.move:g} {self.price}"
        rearm = self.rearm.text if self.rearm is not None else f"{self.rearm_move:g}"
        return "\n".join((self.name, when, self.filter.text, self.scope, rearm))


@dataclass(frozen=True, slots=True)
class Command:
    """A program that is started for an alert; no shell has a part in it.

    Attributes:
        name: What rules call it.
        run: The program and its arguments, with values in braces.
        every_s: The least time between two starts, in wall seconds.
        timeout_s: When it is ended.
    """

    name: str
    run: tuple[str, ...]
    every_s: float = 1.0
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told of alerts.

    Attributes:
        name: What rules call it.
        url: Where; http or https. It may hold a secret and is never shown whole.
        body: What is sent, with values in braces.
        content_type: What the body is.
        headers: Further headers; values may hold secrets.
        method: POST, PUT or GET.
        every_s: The least time between two requests, in wall seconds.
        timeout_s: How long one may take.
        retries: How often it is tried again.
    """

    name: str
    url: str = field(repr=False)
    body: str = '{"text": "{message}"}'
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"
    every_s: float = 1.0
    timeout_s: float = 10.0
    retries: int = 3


@dataclass(frozen=True, slots=True)
class Rules:
    """All that a rules file says.

    Attributes:
        rules: The rules in the order of the file, with those of the library that it switches on.
        commands: The programs that can be started.
        webhooks: The addresses that can be told.
        sound: The usual sound file; empty for the bell.
    """

    rules: tuple[Rule, ...] = ()
    commands: tuple[Command, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    sound: str = ""

    @property
    def watched(self) -> tuple[Rule, ...]:
        """Return the rules that are switched on."""
        return tuple(rule for rule in self.rules if rule.enabled)

    @property
    def keys(self) -> frozenset[MetricKey]:
        """Return all metrics that the rules which are switched on need."""
        return frozenset[MetricKey]().union(*(rule.keys for rule in self.watched))
