"""Splits and renames: the arithmetic, the config's tables, and the mark for what looks like one."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockscan_tui.errors import UsageError
from stockscan_tui.feed.splits import Rename, Split, Splits, looks_like_split

FRIDAY, MONDAY, TUESDAY = date(2026, 6, 12), date(2026, 6, 15), date(2026, 6, 16)


def test_a_close_before_the_ex_date_is_divided_by_the_ratio_and_no_other() -> None:
    splits = Splits([Split("AAA", MONDAY, 10.0, "t"), Split("RRR", MONDAY, 0.1, "t")])
    assert splits.adjusted_close("AAA", FRIDAY, MONDAY, 500.0) == 50.0
    assert splits.adjusted_close("RRR", FRIDAY, MONDAY, 0.5) == 5.0
    assert splits.adjusted_close("AAA", MONDAY, TUESDAY, 50.0) == 50.0
    assert splits.adjusted_close("AAA", FRIDAY, FRIDAY, 500.0) == 500.0
    assert splits.adjusted_close("OTHER", FRIDAY, MONDAY, 7.0) == 7.0


def test_two_splits_in_between_both_count() -> None:
    splits = Splits([Split("AAA", MONDAY, 2.0, "t"), Split("AAA", TUESDAY, 3.0, "t")])
    assert splits.adjusted_close("AAA", FRIDAY, TUESDAY, 60.0) == 10.0
    assert splits.adjusted_close("AAA", FRIDAY, MONDAY, 60.0) == 30.0


def test_a_renamed_symbol_keeps_its_close_from_the_day_on() -> None:
    splits = Splits(
        [Split("META", MONDAY, 2.0, "t")],
        [Rename("FB", "META", MONDAY), Rename("OLD", "FB", None), Rename("X", "Y", TUESDAY)],
    )
    found = splits.adjusted({"OLD": 80.0, "X": 1.0, "Z": 3.0}, FRIDAY, MONDAY)
    assert found == {"OLD": 80.0, "FB": 80.0, "META": 40.0, "X": 1.0, "Z": 3.0}


def test_a_name_that_has_a_close_of_its_own_is_not_overwritten() -> None:
    splits = Splits(renames=[Rename("A", "B", None), Rename("B", "A", None)])
    assert splits.adjusted({"A": 1.0, "B": 2.0}, FRIDAY, MONDAY) == {"A": 1.0, "B": 2.0}


def test_the_configs_tables_count_before_what_was_fetched() -> None:
    fetched = Splits([Split("AAA", MONDAY, 5.0, "f"), Split("BBB", MONDAY, 2.0, "f")])
    told = Splits.from_tables([{"symbol": "AAA", "ex_date": MONDAY, "ratio": 10}], {"A": "B"})
    both = told.over(fetched)
    assert both.adjusted_close("AAA", FRIDAY, MONDAY, 100.0) == 10.0
    assert both.adjusted_close("BBB", FRIDAY, MONDAY, 100.0) == 50.0
    assert both.renames == (Rename("A", "B", None),)


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"symbol": "AAA", "ex_date": "2026-06-15"},
        {"symbol": "AAA", "ex_date": "15 June", "ratio": 2},
        {"symbol": "AAA", "ex_date": "2026-06-15", "ratio": 0},
        {"symbol": "AAA", "ex_date": "2026-06-15", "ratio": float("nan")},
        {"symbol": 5, "ex_date": "2026-06-15", "ratio": 2},
        {"symbol": "AAA", "ex_date": "2026-06-15", "ratio": 2, "more": 1},
    ],
)
def test_an_entry_that_is_no_split_is_refused_in_words(entry: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="is no split"):
        Splits.from_tables([entry], {})


def test_a_rename_to_no_symbol_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="OLD takes a symbol"):
        Splits.from_tables([], {"OLD": 5})


@given(
    whole=st.integers(2, 50),
    off=st.floats(-0.0799, 0.0799),
    price=st.floats(0.01, 5_000.0),
    reverse=st.booleans(),
)
def test_ratios_near_a_whole_number_look_like_splits(
    whole: int, off: float, price: float, reverse: bool
) -> None:
    pair = (price * whole * (1 + off), price)
    assert looks_like_split(*(pair[::-1] if reverse else pair))


def test_other_ratios_and_missing_prices_do_not() -> None:
    before = np.array([10.0, 10.0, 10.0, 10.0, np.nan, 0.0, 10.0, np.inf, 1_000.0])
    after = np.array([10.0, 7.0, 4.0, 16.0, 5.0, 5.0, -5.0, 5.0, 10.0])
    assert not looks_like_split(before, after).any()
