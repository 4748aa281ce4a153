"""What a run watches, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from stockscan_tui.market.fired import Fired
from stockscan_tui.market.user_data import Own
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.gates import SHIPPED, Gates
from stockscan_tui.scan.rules.rule import Rules


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a run watches from its first record on.

    Attributes:
        rules: The rules.
        gates: What keeps noise off the board, and alerts of it from being delivered.
        names: What may stand in gates besides metrics.
        listeners: Who is told of alerts from the first one on, by the engine's thread.
        own: The user's watchlists and table.
    """

    rules: Rules = field(default_factory=Rules)
    gates: Gates = SHIPPED
    names: Names = field(default_factory=Names)
    listeners: tuple[Callable[[Sequence[Fired]], None], ...] = ()
    own: Own = field(default_factory=Own)
