"""Databento's own sample files, against the official client; skipped where they are not there."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from stockscan_tui.market.calendar import MINUTE_NS
from tests.playing import play

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FILES = sorted(SAMPLES.glob("*/*.dbn*"))

pytestmark = [
    pytest.mark.skipif(not FILES, reason="the real samples are not here"),
    # The client's own, which it lets through every filter in the code.
    pytest.mark.filterwarnings("ignore:The inplace keyword"),
]


def official_bars(path: Path) -> dict[tuple[str, int], tuple[float, float, float, float, int]]:
    """Return bars of a file's trades by the official client and pandas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import databento

        frame = databento.DBNStore.from_file(path).to_df(pretty_ts=False, price_type="float")

    frame = frame.reset_index()
    frame = frame[(frame["action"] == "T") & (frame["size"] > 0)]
    frame["minute"] = frame["ts_recv"].astype("int64") // MINUTE_NS
    found: dict[Any, Any] = {}
    groups: Any = frame.groupby(["symbol", "minute"])
    for (symbol, minute), group in groups:
        price = group["price"]
        ends = (price.iloc[0], price.max(), price.min(), price.iloc[-1])
        found[symbol, int(minute)] = (*ends, int(group["size"].sum()))
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
    bars = {
        key: (row[0] / 1e9, row[1] / 1e9, row[2] / 1e9, row[3] / 1e9, row[4])
        for key, row in play(path).sink.bars.items()
    }
    assert bars == official_bars(path)


def test_versions_of_dbn_give_the_same_bars() -> None:
    for schema in ("trades", "mbp-1", "tbbo", "ohlcv-1m"):
        folder = SAMPLES / "versions"
        bars = [
            play(folder / f"test_data.{schema}.v{version}.dbn.zst").sink.bars
            for version in (1, 2, 3)
        ]
        assert bars[0] == bars[1] == bars[2]
        assert bars[0] or schema in ("mbp-1", "tbbo")


def test_a_live_capture_knows_its_symbols_from_its_mappings() -> None:
    played = play(SAMPLES / "LIVE" / "test_data.live.dbn.zst")
    assert played.outcome.symbols > 0
    assert not any(symbol.startswith("#") for symbol in played.sink.names)
    assert played.outcome.health.records == 46
