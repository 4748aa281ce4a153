"""The simulated day: the same every time, read by everybody, and with what it promises in it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import databento
import numpy as np
import pandas as pd
import pytest

from stockscan_tui.errors import StockscanError
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, new_york_time
from stockscan_tui.market.dbn import UNDEF_PRICE
from stockscan_tui.sim.day import HALT_FROM_S, HALT_TO_S, DayPlan, minutes
from stockscan_tui.sim.demo import demo_file
from stockscan_tui.sim.files import CancelledError, write_closes, write_day
from stockscan_tui.sim.universe import Kind, make_universe
from tests.playing import bars_by_pandas, play

# The official client is written for pandas 2. It is imported above, not in a test, because it sets
# a filter of its own.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")

DAY = date(2026, 6, 15)
PLAN = DayPlan(DAY, 30_000)
UNIVERSE = make_universe(3, 50)


@pytest.fixture(scope="module")
def rows() -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return np.concatenate(list(minutes(UNIVERSE, PLAN, 3)))


def test_the_same_seed_gives_the_same_bytes_and_another_other_ones(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.mbp-1.dbn.zst" for name in "abc"]
    for path, seed in zip(paths, (3, 3, 4), strict=True):
        write_day(path, make_universe(seed, 50), PLAN, seed)
    first, second, third = (path.read_bytes() for path in paths)
    assert first == second != third


def test_the_day_holds_what_it_promises(rows: np.ndarray[tuple[int], np.dtype[np.void]]) -> None:
    assert len(rows) == PLAN.records
    times = rows["ts_recv"].astype(np.int64)
    assert (np.diff(times) >= 0).all()
    assert (np.diff(times) == 0).any()
    assert new_york_time(int(times[0])).hour == 4
    traded = rows["action"] == b"T"
    assert 0.08 < traded.mean() < 0.12
    two_sided = (rows["bid_px"] != UNDEF_PRICE) & (rows["ask_px"] != UNDEF_PRICE)
    assert 0.9 < two_sided.mean() < 1
    assert (rows["bid_px"] > rows["ask_px"])[two_sided].any()
    halted = UNIVERSE.instrument_id[UNIVERSE.kind == Kind.HALTED][0]
    second = (times - int(times[0]) // MINUTE_NS * MINUTE_NS) // SECOND_NS
    mine = rows["instrument_id"] == halted
    assert not mine[(second >= HALT_FROM_S) & (second < HALT_TO_S)].any()
    assert mine[second < HALT_FROM_S].any()
    assert mine[second >= HALT_TO_S].any()


def test_bad_prints_stand_far_from_their_quotes() -> None:
    plan = DayPlan(DAY, 60_000, trade_share=0.8)
    rows = np.concatenate(list(minutes(UNIVERSE, plan, 5)))
    rows = rows[(rows["action"] == b"T") & (rows["bid_px"] != UNDEF_PRICE)]
    off = np.abs(rows["price"] / rows["bid_px"] - 1.0)
    assert 0 < (off > 0.11).mean() < 0.01


def test_every_view_of_a_day_gives_the_same_bars(tmp_path: Path) -> None:
    bars = {}
    for schema in ("mbp-1", "trades", "ohlcv-1m"):
        path = tmp_path / f"day.{schema}.dbn.zst"
        write_day(path, UNIVERSE, PLAN, 3, schema=schema)
        bars[schema] = play(path).sink.bars
    assert bars["mbp-1"] == bars["trades"]
    for key, row in bars["ohlcv-1m"].items():
        assert row[:5] == bars["trades"][key][:5]
    assert len(bars["ohlcv-1m"]) == len(bars["trades"])


def test_the_files_of_a_day_hold_what_pandas_makes_of_its_rows(
    tmp_path: Path, rows: np.ndarray[tuple[int], np.dtype[np.void]]
) -> None:
    symbols = dict(zip(UNIVERSE.instrument_id.tolist(), UNIVERSE.symbols, strict=True))
    expected = bars_by_pandas(rows, symbols)
    frames = {}
    for schema in ("trades", "ohlcv-1m"):
        path = tmp_path / f"day.{schema}.dbn"
        write_day(path, UNIVERSE, PLAN, 3, schema=schema)
        frames[schema] = official(path, price_type="fixed", pretty_ts=False).reset_index()
    trades, bars = frames["trades"], frames["ohlcv-1m"]
    hits = rows[rows["action"] == b"T"]
    assert (hits["size"] == 0).any() or len(trades) == len(hits)
    for name in ("ts_recv", "ts_event", "instrument_id", "price", "size", "sequence"):
        assert (trades[name].to_numpy() == hits[name]).all()
    columns = ("symbol", "ts_event", "open", "high", "low", "close", "volume")
    found = {
        (symbol, ts_event // MINUTE_NS): row
        for symbol, ts_event, *row in zip(*(bars[name].tolist() for name in columns), strict=True)
    }
    assert found == {key: row[:5] for key, row in expected.items()}


def test_a_winters_evening_keeps_its_symbols_beyond_midnight_utc(tmp_path: Path) -> None:
    path = tmp_path / "winter.mbp-1.dbn"
    plan = DayPlan(date(2026, 12, 15), 4_000, first_minute=880)
    write_day(path, UNIVERSE, plan, 3)
    played = play(path)
    assert new_york_time(played.outcome.first_ns).hour == 18
    assert new_york_time(played.outcome.last_ns).hour == 19
    assert played.outcome.health.unmapped == 0
    assert set(played.sink.names) <= set(UNIVERSE.symbols)


def test_a_demo_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StockscanError, match=r"file.demo: Not a directory\. Free some space"):
        demo_file(tmp_path / "file" / "demo", symbols=40, records=100)


def official(path: Path, **how: Any) -> pd.DataFrame:
    """Return a file's records as the official client reads them."""
    # From bytes, because it leaves files open.
    frame = databento.DBNStore.from_bytes(path.read_bytes()).to_df(**how)
    assert isinstance(frame, pd.DataFrame)
    return frame


def test_the_official_client_reads_the_files(tmp_path: Path) -> None:
    path = tmp_path / "day.mbp-1.dbn.zst"
    write_day(path, UNIVERSE, PLAN, 3)
    write_closes(tmp_path / "day.ohlcv-1d.dbn.zst", UNIVERSE, date(2026, 6, 12))
    day = official(path)
    closes = official(tmp_path / "day.ohlcv-1d.dbn.zst")
    assert len(day) == PLAN.records
    assert set(day["symbol"]) <= set(UNIVERSE.symbols)
    by_symbol = pd.Series(UNIVERSE.prev_close, UNIVERSE.symbols)
    assert (closes.set_index("symbol")["close"] == by_symbol.loc[closes["symbol"]]).all()


def test_the_demo_is_made_once_and_nothing_is_left_of_one_called_off(tmp_path: Path) -> None:
    with pytest.raises(CancelledError):
        demo_file(tmp_path, symbols=40, records=5_000, cancelled=lambda: True)
    assert not list(tmp_path.glob("*.mbp-1.*"))
    told: list[float] = []
    path = demo_file(tmp_path, symbols=40, records=5_000, progress=told.append)
    assert told[-1] == 1.0
    stamp = path.stat().st_mtime_ns
    assert demo_file(tmp_path, symbols=40, records=5_000).stat().st_mtime_ns == stamp
