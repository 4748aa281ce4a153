"""Symbols and their slots, and the map from a stream's instrument ids to slots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from stockscan_tui.market import kernel
from stockscan_tui.market.kernel import Int64s, UInt64s


class SymbolTable:
    """Numbers symbols in the order in which they come; a slot keeps its symbol for ever."""

    def __init__(self) -> None:
        self.names: list[str] = []
        # How often today a slot's symbol got another instrument id.
        self.remapped: dict[int, int] = {}
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
        self.remapped = {slot: n for slot, n in self.remapped.items() if slot < count}

    def note_remapped(self, slots: Iterable[int]) -> None:
        """Count that these slots' symbols have got other instrument ids."""
        for slot in slots:
            self.remapped[slot] = self.remapped.get(slot, 0) + 1

    def find(self, symbol: str) -> int | None:
        """Return the symbol's slot, or None where it has none."""
        return self._slots.get(symbol)


class InstrumentIds:
    """One stream's map from instrument id to slot, in the form that the compiled loop reads."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._newest: dict[int, int] = {}
        self._pairs: Int64s | None = None
        self.table: UInt64s = np.zeros(1 << 10, np.uint64)

    def assign(self, pairs: Iterable[tuple[int, int]]) -> list[int]:
        """Let each id stand for its slot from now on; returns slots that had another id before."""
        added = dict(pairs)
        changed = [
            slot for number, slot in added.items() if self._newest.get(slot, number) != number
        ]
        self._newest.update((slot, number) for number, slot in added.items())
        self._slots.update(added)
        self._pairs = None
        if len(self._slots) * 2 > len(self.table):
            size = 1 << (len(self._slots) * 4).bit_length()
            self.table = np.zeros(size, np.uint64)
            added = self._slots
        ids = np.fromiter(added.keys(), np.int64, len(added))
        slots = np.fromiter(added.values(), np.int64, len(added))
        kernel.assign_slots(self.table, ids, slots)
        return changed

    def pairs(self) -> Int64s:
        """Return what `assign` was given, shape (2, ids): the ids and their slots."""
        if self._pairs is None:
            count = len(self._slots)
            self._pairs = np.stack(
                [
                    np.fromiter(self._slots.keys(), np.int64, count),
                    np.fromiter(self._slots.values(), np.int64, count),
                ]
            )
        return self._pairs

    def __contains__(self, instrument_id: int) -> bool:
        return instrument_id in self._slots

    def slot(self, instrument_id: int) -> int | None:
        """Return the id's slot, or None where it is not mapped."""
        return self._slots.get(instrument_id)
