"""What a rule remembers of each symbol: whether it may fire, when it did, on which side it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.kernel import Int64s
from stockscan_tui.market.snapshot import Flags

Sides = NDArray[np.int8]


@dataclass(slots=True, eq=False)
class RuleMemory:
    """The memory of one rule on one session date; arrays are by slot.

    Attributes:
        disarmed: Whether it has fired and was not armed again.
        last_ns: When it fired last, in ns since 1970, 0 for never.
        sides: By crossing, in the order of the rule's text: -1 under, 1 over, 0 for unknown.
        count: How often it has fired.
        watched: Whether the rule is watched: one that was not takes note anew of who it holds for.
        members: Of a move rule that is not for all, for whom it is as of the last minute's close,
            by slot, nobody beyond its end; None for not looked at yet.
    """

    disarmed: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
    last_ns: Int64s = field(default_factory=lambda: np.zeros(0, np.int64))
    sides: list[Sides] = field(default_factory=list)
    count: int = 0
    watched: bool = False
    members: Flags | None = None

    def grow(self, count: int, crossings: int) -> None:
        """Make room for so many symbols and crossings."""
        more = count - len(self.disarmed)
        if more > 0:
            more = max(more, len(self.disarmed) // 2)
            self.disarmed = np.concatenate([self.disarmed, np.zeros(more, np.bool_)])
            self.last_ns = np.concatenate([self.last_ns, np.zeros(more, np.int64)])
            self.sides = [np.concatenate([s, np.zeros(more, np.int8)]) for s in self.sides]
        while len(self.sides) < crossings:
            self.sides.append(np.zeros(len(self.disarmed), np.int8))

    def clear(self) -> None:
        """Begin a new day."""
        self.disarmed[:] = False
        self.last_ns[:] = 0
        for side in self.sides:
            side[:] = 0
        self.count = 0
        self.members = None


def freeze(memories: dict[str, RuleMemory], count: int) -> tuple[list[dict[str, object]], bytes]:
    """Return what rules remember of `count` symbols: a head for JSON, and bytes.

    Args:
        memories: By the rule's condition.
        count: The number of symbols.
    """
    heads: list[dict[str, object]] = []
    parts: list[bytes] = []
    for condition, memory in memories.items():
        memory.grow(count, len(memory.sides))
        fired = np.flatnonzero(memory.last_ns[:count])
        heads.append(
            {
                "condition": condition,
                "count": memory.count,
                "watched": memory.watched,
                "sides": len(memory.sides),
                "fired": len(fired),
                "members": -1 if memory.members is None else len(memory.members),
            }
        )
        parts.append(np.packbits(memory.disarmed[:count]).tobytes())
        if memory.members is not None:
            parts.append(np.packbits(memory.members).tobytes())
        parts.append(fired.astype(np.int64).tobytes())
        parts.append(memory.last_ns[fired].tobytes())
        parts.extend(side[:count].tobytes() for side in memory.sides)
    return heads, b"".join(parts)


def thaw(heads: Sequence[Mapping[str, object]], packed: bytes, count: int) -> dict[str, RuleMemory]:
    """Return what `freeze` packed.

    Raises:
        ValueError: The bytes are damaged.
    """
    memories: dict[str, RuleMemory] = {}
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        piece = packed[at : at + size]
        if len(piece) < size:
            raise ValueError("the memory of rules is cut off")
        at += size
        return piece

    for head in heads:
        fired_count, sides = int(str(head["fired"])), int(str(head["sides"]))
        bits = np.frombuffer(take((count + 7) // 8), np.uint8)
        memory = RuleMemory(
            np.unpackbits(bits, count=count).astype(np.bool_),
            np.zeros(count, np.int64),
            count=int(str(head["count"])),
            watched=head["watched"] is True,
        )
        looked_at = int(str(head.get("members", -1)))
        if looked_at > count:
            raise ValueError("the memory of rules is of more symbols than there are")
        if looked_at >= 0:
            members = np.frombuffer(take((looked_at + 7) // 8), np.uint8)
            memory.members = np.unpackbits(members, count=looked_at).astype(np.bool_)
        fired = np.frombuffer(take(8 * fired_count), np.int64)
        if len(fired) and not 0 <= int(fired.min()) <= int(fired.max()) < count:
            raise ValueError("the memory of rules names symbols that there are not")
        memory.last_ns[fired] = np.frombuffer(take(8 * fired_count), np.int64)
        memory.sides = [np.frombuffer(take(count), np.int8).copy() for _ in range(sides)]
        memories[str(head["condition"])] = memory
    return memories
