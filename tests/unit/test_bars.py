"""Bars against pandas, on the same bytes: in order, late, cut anywhere, of every kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stockscan_tui.feed import dbn_file
from stockscan_tui.market import kernel
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.dbn import TRADE_DTYPE, RType
from tests import wire
from tests.playing import bars_by_pandas, play

SYMBOLS = {f"S{n}": n for n in range(1, 21)}
NAMES = {number: symbol for symbol, number in SYMBOLS.items()}


def test_bars_equal_pandas_on_the_same_rows(tmp_path: Path) -> None:
    records = wire.random_rows(1, 30_000, 20, minutes=90)
    file = wire.write(tmp_path / "day.dbn.zst", wire.metadata(symbols=SYMBOLS), records)
    assert play(file).sink.bars == bars_by_pandas(records, NAMES)


def test_bars_of_trades_equal_bars_of_rows(tmp_path: Path) -> None:
    rows = wire.random_rows(2, 5_000, 20, minutes=30)
    rows = rows[rows["action"] == b"T"]
    trades = np.zeros(len(rows), TRADE_DTYPE)
    for name in TRADE_DTYPE.names or ():
        trades[name] = rows[name]
    trades["length"], trades["rtype"] = 12, RType.TRADE
    meta = wire.metadata("trades", SYMBOLS)
    file = wire.write(tmp_path / "day.dbn", meta, trades)
    assert play(file).sink.bars == bars_by_pandas(rows, NAMES)


@given(order=st.integers(0, 2**32 - 1), far=st.booleans())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_late_trades_correct_their_own_bars_in_any_order(
    tmp_path: Path, order: int, far: bool
) -> None:
    """However late: within the hour in memory, or hours later through the store."""
    records = wire.random_rows(3, 400, 4, minutes=300 if far else 40, share=1.0)
    shuffled = records[np.random.default_rng(order).permutation(len(records))]
    file = wire.write(tmp_path / "late.dbn", wire.metadata(symbols=SYMBOLS), shuffled)
    expected = bars_by_pandas(shuffled, NAMES)
    assert play(file).sink.bars == expected


@pytest.mark.parametrize("block", [64, 80, 97, 1024, 4001])
def test_any_cut_of_the_bytes_gives_the_same_bars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    records = wire.random_rows(4, 1_000, 20, minutes=20)
    message = wire.mapping_record(21, "T")
    parts = (records[:500], message, records[500:])
    file = wire.write(tmp_path / "day.dbn", wire.metadata(symbols=SYMBOLS), *parts)
    monkeypatch.setattr(dbn_file, "BLOCK_BYTES", block)
    assert play(file).sink.bars == bars_by_pandas(records, NAMES)


@pytest.mark.parametrize("rows_first", [True, False])
def test_a_capture_with_rows_and_trades_counts_each_trade_once(
    tmp_path: Path, rows_first: bool
) -> None:
    trades = wire.trades(
        [(wire.OPEN_NS + (n // 3) * SECOND_NS, 1 + n % 2, 20 + n % 7, 10 + n) for n in range(300)]
    )
    rows = wire.rows_with_trade(trades)
    parts: list[wire.Records] = []
    for at in range(0, len(trades), 10):
        both = (rows[at : at + 10], trades[at : at + 10])
        parts.extend(both if rows_first else reversed(both))
    file = wire.write(tmp_path / "dual.dbn", wire.metadata(None, SYMBOLS), *parts)
    assert play(file).sink.bars == bars_by_pandas(trades, NAMES)


def test_minute_bars_stand_as_they_are(tmp_path: Path) -> None:
    bars = wire.ohlcv(
        [
            (wire.OPEN_NS, 1, 10.0, 11.0, 9.5, 10.5, 1_000),
            (wire.OPEN_NS, 2, 5.0, 5.0, 5.0, 5.0, 1),
            (wire.OPEN_NS + MINUTE_NS, 1, 10.5, 10.6, 10.4, 10.4, 300),
        ]
    )
    file = wire.write(tmp_path / "bars.dbn", wire.metadata("ohlcv-1m", SYMBOLS), bars)
    played = play(file)
    minute = wire.OPEN_NS // MINUTE_NS
    row = played.sink.bars["S1", minute]
    assert row[:6] == [10_000_000_000, 11_000_000_000, 9_500_000_000, 10_500_000_000, 1_000, -1]
    assert len(played.sink.bars) == 3
    assert played.value("volume", "S1") == 1_300
    assert played.value("last", "S1") == 10.4


def test_second_bars_make_their_minute(tmp_path: Path) -> None:
    seconds = wire.ohlcv(
        [(wire.OPEN_NS + n * SECOND_NS, 1, 10 + n, 12 + n, 9 + n, 11 + n, 100) for n in range(70)],
        RType.OHLCV_1S,
    )
    minutes = wire.ohlcv([(wire.OPEN_NS, 1, 10, 71, 9, 70, 6_000)])
    parts = (seconds[:60], minutes, seconds[60:])
    file = wire.write(tmp_path / "both.dbn", wire.metadata(None, SYMBOLS), *parts)
    bars = play(file).sink.bars
    minute = wire.OPEN_NS // MINUTE_NS
    assert bars["S1", minute][:5] == [10_000_000_000, 71_000_000_000, 9_000_000_000,
                                      70_000_000_000, 6_000]  # fmt: skip
    assert bars["S1", minute + 1][4] == 1_000


def test_a_minutes_own_bar_is_not_counted_again_by_its_seconds_or_trades(tmp_path: Path) -> None:
    minute = wire.ohlcv([(wire.OPEN_NS, 1, 10, 12, 9, 11, 300)])
    seconds = wire.ohlcv([(wire.OPEN_NS + SECOND_NS, 1, 10, 12, 9, 11, 300)], RType.OHLCV_1S)
    trades = wire.trades([(wire.OPEN_NS + SECOND_NS, 1, 10.5, 300)])
    for later in (seconds, trades):
        file = wire.write(tmp_path / "x.dbn", wire.metadata(None, SYMBOLS), minute, later)
        played = play(file)
        bar = played.sink.bars["S1", wire.OPEN_NS // MINUTE_NS]
        assert bar[:5] == [10_000_000_000, 12_000_000_000, 9_000_000_000, 11_000_000_000, 300]
        assert played.value("volume", "S1") == 300


def test_overlapping_files_are_one_timeline(tmp_path: Path) -> None:
    records = wire.random_rows(5, 6_000, 20, minutes=70)
    parts = [records[n::3] for n in range(3)]
    files = [
        wire.write(tmp_path / f"part{n}.dbn", wire.metadata(symbols=SYMBOLS), part)
        for n, part in enumerate(parts)
    ]
    played, alone = (
        play(files),
        play(wire.write(tmp_path / "all.dbn", wire.metadata(symbols=SYMBOLS), records)),
    )
    # Two trades of one nanosecond in two files have no order: ends of bars may differ there only.
    unique = np.unique(records["ts_recv"]).size == len(records)
    assert unique
    assert played.sink.bars == alone.sink.bars
    assert played.outcome.health.late == 0


def test_nulls_zero_sizes_and_absurd_prices_never_enter_a_bar(tmp_path: Path) -> None:
    good = wire.trades([(wire.OPEN_NS, 1, 10.0, 5)])
    bad = wire.trades([(wire.OPEN_NS + n, 1, 10.0, 5) for n in range(1, 8)])
    bad["price"][:5] = [2**63 - 1, 2**63 - 2, 0, -1, -(2**63)]
    bad["size"][5:] = 0
    file = wire.write(tmp_path / "bad.dbn", wire.metadata("trades", SYMBOLS), bad[:3], good, bad)
    played = play(file)
    assert played.sink.bars == bars_by_pandas(good, NAMES)
    assert played.outcome.health.bad_prices == 8


def test_records_without_a_time_are_counted_and_left_out(tmp_path: Path) -> None:
    trades = wire.trades([(wire.OPEN_NS + n, 1, 10.0 + n, 5) for n in range(4)])
    trades["ts_recv"][1] = trades["ts_event"][1] = 2**64 - 1
    trades["ts_recv"][2] = 0
    trades["ts_event"][2] = wire.OPEN_NS + 2
    file = wire.write(tmp_path / "times.dbn", wire.metadata("trades", SYMBOLS), trades)
    played = play(file)
    assert played.outcome.health.bad_timestamps == 1
    assert played.sink.bars["S1", wire.OPEN_NS // MINUTE_NS][5] == 3


def test_symbols_beyond_what_any_market_has_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stockscan_tui.engine.core.MOST_SYMBOLS", 2)
    symbols = {f"S{number}": number for number in range(1, 6)}
    rows = [(wire.OPEN_NS + number, number, 10.0, 1) for number in symbols.values()]
    file = wire.write(tmp_path / "many.dbn", wire.metadata("trades", symbols), wire.trades(rows))
    played = play(file)
    volumes = {symbol: bar[5] for (symbol, _), bar in played.sink.bars.items()}
    assert volumes == {"S1": 1, "S2": 1, "#more": 3}
    assert any("#more" in problem for problem in played.outcome.health.problems)


def test_trades_whose_minutes_run_backwards_cost_no_minutes_of_work(tmp_path: Path) -> None:
    """Beyond a number of steps back a trade is the store's to place, as any late one is."""
    count = kernel.MOST_STEPS + 100
    minutes = [wire.OPEN_NS + (count - n) * MINUTE_NS for n in range(count)]
    rows = [(ns, 1, 10.0, 1) for ns in minutes]
    spans = {"S1": [(wire.DAY, wire.DAY.replace(month=7), 1)]}
    meta = wire.metadata("trades", mappings=spans)
    file = wire.write(tmp_path / "back.dbn", meta, wire.trades(rows))
    played = play(file)
    assert sum(bar[5] for bar in played.sink.bars.values()) == count
    assert len(played.sink.bars) == count


def test_two_times_that_are_years_apart_do_not_agree(tmp_path: Path) -> None:
    ahead = [wire.OPEN_NS + days * 86_400 * SECOND_NS for days in (400, 900)]
    rows = [(ns, 1, 10.0, 1) for ns in (wire.OPEN_NS, *ahead, wire.OPEN_NS + 1)]
    file = wire.write(tmp_path / "apart.dbn", wire.metadata("trades", SYMBOLS), wire.trades(rows))
    played = play(file)
    assert played.outcome.health.bad_timestamps == 2
    assert len(played.sink.bars) == 1


def test_a_lone_time_days_ahead_is_not_believed_and_two_are(tmp_path: Path) -> None:
    ahead_ns = wire.OPEN_NS + 3 * 86_400 * SECOND_NS
    rows = [(wire.OPEN_NS, 1, 10.0, 1), (ahead_ns, 1, 11.0, 1), (wire.OPEN_NS + 1, 1, 12.0, 1)]
    file = wire.write(tmp_path / "lone.dbn", wire.metadata("trades", SYMBOLS), wire.trades(rows))
    lone = play(file)
    assert lone.outcome.health.bad_timestamps == 1
    assert len(lone.sink.bars) == 1
    spans = {"S1": [(wire.DAY, wire.DAY.replace(month=7), 1)]}
    rows.insert(2, (ahead_ns + 5, 1, 11.5, 1))
    meta = wire.metadata("trades", mappings=spans)
    two = play(wire.write(tmp_path / "two.dbn", meta, wire.trades(rows)))
    assert two.outcome.health.bad_timestamps == 0
    assert len(two.sink.bars) == 2
