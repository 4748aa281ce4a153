"""A day's bars against Databento's, held to what a loop over dictionaries says."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.market.comparison import FIELDS, DayBars, compare

Key = tuple[int, int]
SYMBOLS = 4
MINUTE = 28_400_000

prices = st.integers(1, 3).map(lambda n: n * 1_000_000_000)
values = st.tuples(prices, prices, prices, prices, st.integers(1, 3))
keys = st.tuples(st.integers(0, SYMBOLS - 1), st.integers(MINUTE, MINUTE + 5))
days = st.dictionaries(keys, values, max_size=20)


def bars(rows: Sequence[tuple[Key, tuple[int, ...]]]) -> DayBars:
    table = np.array([[*key, *row] for key, row in rows], np.int64).reshape(-1, 7)
    return DayBars(*table.T)


@given(days, days, st.randoms())
@settings(max_examples=150)
def test_every_bar_is_equal_or_differs_or_stands_alone(
    ours: dict[Key, tuple[int, ...]], theirs: dict[Key, tuple[int, ...]], random: object
) -> None:
    shuffled = list(theirs.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = compare(bars(list(ours.items())), bars(shuffled), SYMBOLS)
    for symbol in range(SYMBOLS):
        mine = {key for key in ours if key[0] == symbol}
        their = {key for key in theirs if key[0] == symbol}
        both = mine & their
        assert found.equal[symbol] == sum(ours[key] == theirs[key] for key in both)
        assert found.differing[symbol] == sum(ours[key] != theirs[key] for key in both)
        assert found.lacking[symbol] == len(their - mine)
        assert found.surplus[symbol] == len(mine - their)
        if mine | their:
            assert found.share[symbol] == found.equal[symbol] / len(mine | their)
        else:
            assert math.isnan(found.share[symbol])
    told = {(each.symbol, each.minute, each.field): each for each in found.differences}
    for key in ours.keys() & theirs.keys():
        for column, name in enumerate(FIELDS):
            each = told.pop((*key, name), None)
            assert (each is not None) == (ours[key][column] != theirs[key][column])
            if each is not None:
                scale = 1 if name == "volume" else 1e9
                assert (each.ours, each.theirs) == (
                    ours[key][column] / scale, theirs[key][column] / scale)  # fmt: skip
    assert set(told) == {(*key, "bar") for key in ours.keys() ^ theirs.keys()}


def test_bars_of_several_publishers_are_one_bar_whose_open_and_close_are_not_known() -> None:
    key = (1, MINUTE)
    ours = bars([(key, (5, 9, 1, 6, 30))])
    both = [(key, (4, 9, 3, 7, 10)), ((0, MINUTE), (1, 1, 1, 1, 1)), (key, (5, 8, 1, 6, 20))]
    assert compare(ours, bars(both), 2).equal.tolist() == [0, 1]
    other = [(key, (4, 9, 3, 7, 10)), (key, (5, 8, 2, 6, 20))]
    found = compare(ours, bars(other), 2)
    assert [each.field for each in found.differences] == ["low"]


def test_a_side_without_any_bar_lacks_them_all() -> None:
    some = bars([((0, MINUTE), (1, 1, 1, 1, 1))])
    assert compare(some, bars([]), 1).surplus.tolist() == [1]
    assert compare(bars([]), some, 1).lacking.tolist() == [1]
    assert compare(bars([]), bars([]), 1).equal.tolist() == [0]
