"""Official closes, splits and volumes reach the board: of a live run, and of a replayed file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from stockscan_tui.sim.archive import Tables, split_action
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.history import HistoryStub
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape
from tests import wire
from tests.e2e.test_headless import lines, stockscan
from tests.e2e.test_live_cuts import SYMBOLS

FRIDAY = date(2026, 6, 12)
THURSDAY = date(2026, 6, 11)
SUMMARY = "EQUS.SUMMARY"


@pytest.fixture
def stub() -> Iterator[HistoryStub]:
    friday = {f"S{n}": 100.0 * n for n in range(1, 8)}
    # S8 did not trade on Friday.
    thursday = {f"S{n}": 90.0 * n for n in range(1, 9)}
    tables = Tables(
        closes={SUMMARY: {THURSDAY: thursday, FRIDAY: friday}},
        volumes={"EQUS.MINI": {FRIDAY: dict.fromkeys(SYMBOLS, 10_000)}},
        actions=[split_action("S2", date(2026, 6, 15), 1, 4)],
    )
    with HistoryStub(tables) as serving:
        yield serving


def rows() -> wire.Records:
    return wire.random_rows(2, 4_000, len(SYMBOLS), minutes=20)


def closes(out: list[dict[str, object]]) -> dict[object, object]:
    return {line["symbol"]: line["prev_close"] for line in out}


EXPECTED = {
    **{f"S{n}": 100.0 * n for n in range(1, 8)},
    "S2": 50.0,  # four for one on Monday
    "S8": 720.0,
}


def test_a_replay_takes_the_official_closes_of_its_own_date(
    stub: HistoryStub, tmp_path: Path
) -> None:
    day = wire.write(tmp_path / "d.mbp-1.dbn.zst", wire.metadata(symbols=SYMBOLS), rows())
    command = ("replay", day, "--headless", "--json", "--history", stub.url)
    done = stockscan(tmp_path, *command)
    assert done.returncode == 0, done.stderr
    assert closes(lines(done, "leader")) == EXPECTED
    asked = len(stub.requests)
    again = stockscan(tmp_path, *command, "--offline")
    assert closes(lines(again, "leader")) == EXPECTED
    assert len(stub.requests) == asked


def test_a_live_run_takes_them_while_the_feed_runs(stub: HistoryStub, tmp_path: Path) -> None:
    tape = Tape.from_records(rows(), SYMBOLS)
    with GatewayThread(tape, Options(speed=math.inf)) as gateway:
        done = stockscan(
            tmp_path, "live", "--headless", "--json", "--no-backfill", "--for", "6",
            "--gateway", f"127.0.0.1:{gateway.port}", "--history", stub.url,
            "--db", tmp_path / "live.duckdb",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert closes(lines(done, "leader")) == EXPECTED
    assert "db-" not in done.stderr + done.stdout


def test_a_gateway_alone_lets_nobody_else_be_asked(stub: HistoryStub, tmp_path: Path) -> None:
    tape = Tape.from_records(rows(), SYMBOLS)
    with GatewayThread(tape, Options(speed=math.inf)) as gateway:
        done = stockscan(
            tmp_path, "live", "--headless", "--json", "--no-backfill", "--for", "4",
            "--gateway", f"127.0.0.1:{gateway.port}", "--db", tmp_path / "live.duckdb",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not stub.requests
    assert set(closes(lines(done, "leader")).values()) != set(EXPECTED.values())
    assert json.loads(done.stdout.splitlines()[-1])["gaps"] == 0
