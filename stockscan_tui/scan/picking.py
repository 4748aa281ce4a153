"""Which symbols a list shows: its own condition, the filter typed over it, and the gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from stockscan_tui.market.calendar import Session
from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.market.snapshot import Flags, Integers, Snapshot
from stockscan_tui.scan.expression import Expression, Memory, Names, parse
from stockscan_tui.scan.gates import SHIPPED, Gates, gate_text
from stockscan_tui.scan.gating import GatePart, refusing

# So long a symbol that has crossed is shown as one that crosses.
CROSSED_NS = 60 * 1_000_000_000
NOTHING = np.zeros(0, np.int64)
ALL = parse("")


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """What a list shows.

    Attributes:
        rows: The symbols' rows in the snapshot, in alphabetical order.
        gated: How many more met all conditions and were kept off by the gates.
        total: How many symbols there are.
        unknown: For how many symbols the filter's comparisons lacked which metric.
    """

    rows: Integers = field(default_factory=lambda: NOTHING)
    gated: int = 0
    total: int = 0
    unknown: Mapping[MetricKey, int] = field(default_factory=dict)


class Picker:
    """Applies conditions to pictures of the market; the gates are on until they are lifted.

    Args:
        names: What may stand in a condition besides metrics.
        gates: The gates by session, as text; None for none at all.
    """

    def __init__(self, names: Names | None = None, gates: Gates | None = SHIPPED) -> None:
        self.names = names or Names()
        self.listed = ALL
        self.chosen = ALL
        self.lifted = gates is None
        self._gates = gates
        self._parsed: dict[tuple[Session, str], Expression] = {}
        self._memories: dict[str, Memory] = {}

    @property
    def keys(self) -> frozenset[MetricKey]:
        """The metrics that the conditions need."""
        gates = frozenset[MetricKey]()
        if not self.lifted:
            gates = gates.union(*(gate.keys for gate in self._parsed.values()))
        return self.listed.keys | self.chosen.keys | gates

    def refusing(self, snapshot: Snapshot, row: int) -> tuple[GatePart, ...]:
        """Return what of the session's gate a symbol does not meet."""
        if self._gates is None:
            return ()
        text = gate_text(snapshot.session, snapshot.feed.dataset, self._gates)
        return refusing(text, self.names, snapshot, row)

    def pick(self, snapshot: Snapshot) -> Picked:
        """Return what is shown of a picture."""
        mask = self._mask(self.listed, snapshot) & self._mask(self.chosen, snapshot)
        wanted = int(np.count_nonzero(mask))
        if not self.lifted:
            mask = mask & self._mask(self.gate(snapshot.session, snapshot.feed.dataset), snapshot)
        rows = snapshot.by_symbol[mask[snapshot.by_symbol]]
        return Picked(
            rows,
            wanted - len(rows),
            len(snapshot.symbols),
            {} if self.chosen.empty else self.chosen.unknown(snapshot),
        )

    def forget(self) -> None:
        """Let nothing have crossed yet: the next picture is of another time."""
        self._memories.clear()

    def gate(self, session: Session, dataset: str) -> Expression:
        """Return the gate of a session."""
        known = self._parsed.get((session, dataset))
        if known is None:
            text = gate_text(session, dataset, self._gates) if self._gates is not None else ""
            known = self._parsed[session, dataset] = parse(text, self.names)
        return known

    def _mask(self, condition: Expression, snapshot: Snapshot) -> Flags:
        if condition.text not in self._memories:
            self._memories[condition.text] = Memory(CROSSED_NS)
        return condition.mask(snapshot, self._memories[condition.text])
