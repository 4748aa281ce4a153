"""`stockscan bench` with tiny material: both sides of every figure come to the same result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.bench import bars, catalogue, frames, live, taking
from stockscan_tui.bench.figure import Figure, Peer, beside
from stockscan_tui.bench.material import Material, Scale
from stockscan_tui.cli import bench as command
from stockscan_tui.cli.main import main
from stockscan_tui.cli.parser import BENCHES
from stockscan_tui.errors import StockscanError
from stockscan_tui.market.dbn import MBP1_DTYPE

TINY = Scale(records=8_000, symbols=120, times=1, rate=4_000, seconds=0.2)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return Material(tmp_path_factory.mktemp("bench"), TINY, lambda _said: None)


# The screen's timer and the start have nothing to compare, and take seconds.
@pytest.mark.parametrize("name", [n for n in catalogue.FIGURES if n not in ("start", "timer")])
def test_both_sides_come_to_the_same_result(material: Material, name: str) -> None:
    figure = catalogue.FIGURES[name](material)
    assert figure.ours is not None
    assert figure.ours > 0
    there = [peer for peer in figure.peers if "not installed" not in peer.note]
    assert there
    assert [peer for peer in there if peer.same is not True] == []


def test_a_bar_that_differs_is_noticed(material: Material) -> None:
    """One trade is one share larger for the peers than for us."""
    rows = material.records.view(MBP1_DTYPE)
    changed = rows.copy()
    changed["size"][np.flatnonzero(rows["action"] == b"T")[7]] += 1
    ours = bars.of_dict(taking.loop(material.records).bars)
    theirs = bars.of_dict(taking.loop(changed.view(np.uint8)).bars)
    assert len(ours) == len(theirs)
    assert not np.array_equal(ours, theirs)


def test_a_peer_that_is_not_installed_is_said() -> None:
    def absent() -> tuple[float, bool]:
        raise ImportError(name="nautilus_trader")

    peer = beside("Nautilus", absent)
    assert (peer.value, peer.same, peer.note) == (None, None, "nautilus_trader is not installed")
    assert Figure("x", "x", "ms", 1.0).ratio(peer) is None


def test_a_ratio_says_how_much_better_we_are() -> None:
    assert Figure("x", "x", "ms", 2.0).ratio(Peer("y", 8.0)) == 4.0
    assert Figure("x", "x", "records/s", 8e6).ratio(Peer("y", 2e6)) == 4.0


def _few(names: list[str], say: object, scale: object = None) -> Iterator[Figure]:
    peers = Peer("a loop", 0.5e6, True), Peer("Nautilus", None, None, "not installed")
    yield Figure("records", "records taken in", "records/s", 12e6, peers)
    yield Figure("minute", "a minute", "ms", 7.25, (Peer("rows", 4_400.0, False),))


def test_the_table_and_the_lines_have_every_peer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catalogue, "measured", _few)
    monkeypatch.setattr(command, "on_signals", lambda stop: None)
    # A result that differs is a failure.
    assert main(["bench"]) == 1
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "records taken in 12.00 M/s" in lines
    assert "a loop 0.50 M/s 24.0 × same" in lines
    assert "Nautilus — —" in lines
    assert "Nautilus: not installed" in lines
    assert "rows 4,400 ms 606.9 × DIFFERS" in lines
    assert main(["bench", "--json"]) == 1
    machine, *rest = map(json.loads, capsys.readouterr().out.splitlines())
    assert machine["type"] == "machine"
    assert machine["versions"]["duckdb"]
    assert [(one["name"], one["peer_name"], one["ratio"], one["same"]) for one in rest] == [
        ("records", "a loop", 24.0, True),
        ("records", "Nautilus", None, None),
        ("minute", "rows", 4_400 / 7.25, False),
    ]


def test_a_figure_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_material: Material) -> Figure:
        raise StockscanError("The gateway did not start.")

    good = Figure("frame", "a frame", "ms", 1.0)
    monkeypatch.setattr(catalogue, "FIGURES", {"live": fails, "frame": lambda _material: good})
    found = list(catalogue.measured(["live", "frame"], lambda _said: None, TINY))
    assert [(one.name, one.ours, one.note) for one in found] == [
        ("live", None, "The gateway did not start."), ("frame", 1.0, "")]  # fmt: skip


def test_the_command_knows_all_figures() -> None:
    assert tuple(catalogue.FIGURES) == BENCHES
    assert set(frames.FRAMES) == {
        "databento to_df + pandas", "databento to_ndarray + polars",
        "databento to_ndarray + DuckDB"}  # fmt: skip


def test_a_side_that_fails_is_told_by_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(StockscanError, match="could not be measured"):
        live._measured("nobody", 1, tmp_path / "x.duckdb", "rate", 1)
