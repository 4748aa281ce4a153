"""A symbol that gets another instrument id in mid-day is told from one that keeps its own."""

from __future__ import annotations

from stockscan_tui.market.symbols import InstrumentIds, SymbolTable


def test_only_a_symbol_that_had_another_id_is_remapped() -> None:
    ids = InstrumentIds()
    assert ids.assign([(1, 0), (2, 1)]) == []
    assert ids.assign([(1, 0), (7, 1)]) == [1]
    assert ids.assign([(7, 1), (2, 1)]) == [1]
    assert ids.slot(7) == 1


def test_remaps_are_counted_by_slot_and_go_with_it() -> None:
    table = SymbolTable()
    table.slots(["A", "B"])
    table.note_remapped([0, 1])
    table.note_remapped([1])
    assert table.remapped == {0: 1, 1: 2}
    table.cut(1)
    assert table.remapped == {0: 1}
