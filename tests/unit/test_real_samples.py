"""Databento's own sample files, against the official client; skipped where they are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import databento
import pandas as pd
import pytest

from stockscan_tui.market.calendar import MINUTE_NS
from tests.playing import play

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FILES = sorted(SAMPLES.glob("*/*.dbn*"))

pytestmark = [
    pytest.mark.skipif(not FILES, reason="the real samples are not here"),
    # The client is written for pandas 2; it sets a filter of its own where it is imported.
    pytest.mark.filterwarnings("ignore:The inplace keyword"),
]


def official(path: Path) -> pd.DataFrame:
    """Return a file's records as the official client reads them, prices in 1e-9 dollars."""
    # From bytes, because it leaves files open.
    store = databento.DBNStore.from_bytes(path.read_bytes())
    frame = store.to_df(pretty_ts=False, price_type="fixed")
    assert isinstance(frame, pd.DataFrame)
    return frame.reset_index()


def official_bars(path: Path) -> dict[tuple[str, int], list[int]]:
    """Return bars of a file's trades by the official client and pandas."""
    frame = official(path)
    frame = frame[(frame["action"] == "T") & (frame["size"] > 0)]
    frame["minute"] = frame["ts_recv"].astype("int64") // MINUTE_NS
    found = {}
    groups: Any = frame.groupby(["symbol", "minute"])
    for (symbol, minute), group in groups:
        price, size = group["price"].tolist(), group["size"].tolist()
        notional = sum(p * s for p, s in zip(price, size, strict=True))
        ends = [price[0], max(price), min(price), price[-1]]
        found[symbol, int(minute)] = [*ends, sum(size), len(size), notional]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_sample_plays(path: Path) -> None:
    played = play(path)
    assert played.outcome.health.problems == ()
    assert not played.outcome.corrupt


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if any(f".{s}." in p.name for s in ("trades", "mbp-1", "tbbo"))],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_bars_equal_the_official_clients(path: Path) -> None:
    assert play(path).sink.bars == official_bars(path)


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if ".ohlcv-1m." in p.name],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_minute_bars_stand_as_databento_made_them(path: Path) -> None:
    columns = ("symbol", "ts_event", "open", "high", "low", "close", "volume")
    frame = official(path)
    expected = {
        (symbol, ts_event // MINUTE_NS): row
        for symbol, ts_event, *row in zip(*(frame[name].tolist() for name in columns), strict=True)
    }
    assert expected
    assert {key: row[:5] for key, row in play(path).sink.bars.items()} == expected


def test_versions_of_dbn_give_the_same_bars() -> None:
    for schema in ("trades", "mbp-1", "tbbo", "ohlcv-1m"):
        folder = SAMPLES / "versions"
        bars = [
            play(folder / f"test_data.{schema}.v{version}.dbn.zst").sink.bars
            for version in (1, 2, 3)
        ]
        assert bars[0] == bars[1] == bars[2]
        assert bars[0] or schema in ("mbp-1", "tbbo")


@pytest.mark.parametrize("schema", ["definition", "status", "statistics", "ohlcv-1d"])
def test_versions_of_dbn_know_the_same_symbols(schema: str) -> None:
    played = [
        play(SAMPLES / "versions" / f"test_data.{schema}.v{version}.dbn.zst")
        for version in (1, 2, 3)
        if schema != "status" or version > 1
    ]
    symbols = {tuple(one.snapshot.symbols) for one in played}
    assert len(symbols) == 1
    assert not any(symbol.startswith("#") for symbol in symbols.pop())
    assert len({one.outcome.health.records for one in played}) == 1


def test_a_live_capture_knows_its_symbols_from_its_mappings() -> None:
    played = play(SAMPLES / "LIVE" / "test_data.live.dbn.zst")
    assert played.outcome.symbols > 0
    assert not any(symbol.startswith("#") for symbol in played.sink.names)
    assert played.outcome.health.records == 46
    # What the capture's own ohlcv-1m records and trades say; its seconds and rows repeat them.
    assert sorted(row[4] for row in played.sink.bars.values()) == [1, 2]
    assert played.snapshot.volume.sum() == 3
