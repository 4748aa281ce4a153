"""Bars and late trades, however they are cut into batches, against a group-by in pandas."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.market.batch import BarSource, Batch
from stockscan_tui.store.writer import Writer
from tests.unit.store_batches import MINUTE, Row, batch, stored

SYMBOLS = ("A", "B")
BARS = """
SELECT symbol, epoch_us(ts) // 60000000, open, high, low, close, volume, trades,
    notional_dollars, notional_nanos, first_ns, last_ns
FROM bars JOIN symbols ON symbols.id = bars.symbol_id ORDER BY symbol, ts
"""


@st.composite
def trades(draw: st.DrawFn) -> Row:
    """One trade, as the contribution that it makes to its bar."""
    price = draw(st.integers(1, 2**50))
    size = draw(st.integers(1, 10**6))
    at_ns = draw(st.integers(0, 3))
    dollars, nanos = divmod(price * size, 10**9)
    return Row(
        slot=draw(st.integers(0, 1)),
        minute=MINUTE + draw(st.integers(0, 1)),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=size,
        dollars=dollars,
        nanos=nanos,
        first_ns=at_ns,
        last_ns=at_ns,
    )


def grouped(rows: Sequence[Row]) -> list[Any]:
    """Return what `BARS` must give for these trades, in order of arrival."""
    frame = pd.DataFrame([vars(row) for row in rows])
    frame = frame.sort_values("first_ns", kind="stable")
    expected = []
    for _, group in frame.groupby(["slot", "minute"]):
        notional = int(group.dollars.sum()) * 10**9 + int(group.nanos.sum())
        expected.append(
            (
                SYMBOLS[group.slot.iloc[0]],
                group.minute.iloc[0],
                group.open.iloc[0] / 1e9,
                group.high.max() / 1e9,
                group.low.min() / 1e9,
                group.close.iloc[-1] / 1e9,
                group.volume.sum(),
                len(group),
                *divmod(notional, 10**9),
                group.first_ns.min(),
                group.last_ns.max(),
            )
        )
    return expected


def whole_bar(rows: Sequence[Row]) -> Row:
    """Return the bar of trades that share a key, in order of arrival."""
    ordered = sorted(rows, key=lambda row: row.first_ns)
    dollars, nanos = divmod(sum(row.dollars * 10**9 + row.nanos for row in rows), 10**9)
    return replace(
        ordered[0],
        high=max(row.high for row in rows),
        low=min(row.low for row in rows),
        close=ordered[-1].close,
        volume=sum(row.volume for row in rows),
        trades=len(rows),
        dollars=dollars,
        nanos=nanos,
        last_ns=ordered[-1].last_ns,
    )


def cut(rows: Sequence[Row], cuts: Sequence[int], leaves: int) -> list[Batch]:
    """Cut trades into batches: a bar stays in memory until the batch `leaves`, then is late."""
    bounds = [0, *sorted({cut % (len(rows) + 1) for cut in cuts}), len(rows)]
    batches: list[Batch] = []
    for serial, (start, end) in enumerate(pairwise(bounds)):
        present, bars, late = rows[start:end], [], []
        if serial <= leaves:
            for key in sorted({(row.minute, row.slot) for row in present}):
                so_far = [row for row in rows[:end] if (row.minute, row.slot) == key]
                bars.append(whole_bar(so_far))
        else:
            late = list(present)
        batches.append(batch(serial, bars, late, SYMBOLS if serial == 0 else ()))
    return batches


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(trades(), min_size=1, max_size=25),
    cuts=st.lists(st.integers(0, 25), max_size=6),
    leaves=st.integers(-1, 2),
    repeats=st.lists(st.integers(0, 6), max_size=3),
    runs=st.integers(1, 2),
)
def test_any_cut_into_batches_and_any_repetition_give_the_same_bars(
    rows: list[Row], cuts: list[int], leaves: int, repeats: list[int], runs: int
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "day.duckdb"
        for _ in range(runs):
            writer = Writer.open(path, dataset="X")
            batches = cut(rows, cuts, leaves)
            for one in batches:
                writer.put(one)
                for serial in repeats:
                    if serial <= one.serial:
                        writer.put(batches[serial])
            writer.close(10)
        assert stored(path, BARS) == grouped(rows)


def test_late_trade_leaves_an_unknown_count_unknown(tmp_path: Path) -> None:
    writer = Writer.open(tmp_path / "day.duckdb", dataset="X")
    bare = Row(0, MINUTE, trades=-1, dollars=-1, nanos=-1, source=BarSource.OHLCV)
    writer.put(batch(0, [bare], [Row(0, MINUTE, high=11 * 10**9)], ("A",)))
    writer.close(10)
    assert stored(
        tmp_path / "day.duckdb", "SELECT high, volume, trades, vwap, source FROM bars_1m"
    ) == [(11.0, 200, None, None, "ohlcv")]


def test_trades_of_one_instant_keep_their_order_of_arrival(tmp_path: Path) -> None:
    opened, second, third, closed = (
        Row(0, MINUTE, open=price, close=price, first_ns=5, last_ns=5) for price in range(1, 5)
    )
    writer = Writer.open(tmp_path / "day.duckdb", dataset="X")
    writer.put(batch(0, [opened], symbols=("A",)))
    writer.put(batch(1, late=[second, third, closed]))
    writer.close(10)
    assert stored(tmp_path / "day.duckdb", "SELECT open, close FROM bars_1m") == [(1e-9, 4e-9)]


def test_whole_bar_replaces_what_a_late_trade_left(tmp_path: Path) -> None:
    writer = Writer.open(tmp_path / "day.duckdb", dataset="X")
    writer.put(batch(0, late=[Row(0, MINUTE)], symbols=("A",)))
    writer.put(batch(1, [Row(0, MINUTE, volume=7)]))
    writer.close(10)
    assert stored(tmp_path / "day.duckdb", "SELECT volume FROM bars_1m") == [(7,)]
