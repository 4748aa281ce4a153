"""Symbols and their slots, and the map from a stream's instrument ids to slots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from stockscan_tui.market import kernel
from stockscan_tui.market.kernel import UInt64s


class SymbolTable:
    """Numbers symbols in the order in which they come; a slot keeps its symbol for ever."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._slots: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def slot(self, symbol: str) -> int:
        """Return the symbol's slot; a new symbol gets the next one."""
        slot = self._slots.get(symbol)
        if slot is None:
            slot = self._slots[symbol] = len(self.names)
            self.names.append(symbol)
        return slot

    def slots(self, symbols: Sequence[str]) -> list[int]:
        """Return the slots of many symbols."""
        return [self.slot(symbol) for symbol in symbols]

    def cut(self, count: int) -> None:
        """Forget all symbols but the first `count`."""
        for name in self.names[count:]:
            del self._slots[name]
        del self.names[count:]

    def find(self, symbol: str) -> int | None:
        """Return the symbol's slot, or None where it has none."""
        return self._slots.get(symbol)


class InstrumentIds:
    """One stream's map from instrument id to slot, in the form that the compiled loop reads."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self.table: UInt64s = np.zeros(1 << 10, np.uint64)

    def assign(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Let each id stand for its slot from now on."""
        added = dict(pairs)
        self._slots.update(added)
        if len(self._slots) * 2 > len(self.table):
            size = 1 << (len(self._slots) * 4).bit_length()
            self.table = np.zeros(size, np.uint64)
            added = self._slots
        ids = np.fromiter(added.keys(), np.int64, len(added))
        slots = np.fromiter(added.values(), np.int64, len(added))
        kernel.assign_slots(self.table, ids, slots)

    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Return what `assign` was given: each id with its slot."""
        return tuple(self._slots.items())

    def __contains__(self, instrument_id: int) -> bool:
        return instrument_id in self._slots

    def slot(self, instrument_id: int) -> int | None:
        """Return the id's slot, or None where it is not mapped."""
        return self._slots.get(instrument_id)
