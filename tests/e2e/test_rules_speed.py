"""A simulated day fires what the oracle says: in the database at full speed, and at any other."""

from __future__ import annotations

import math
from pathlib import Path

import duckdb
import pytest

from stockscan_tui.clock import SystemClock
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.fired import Fired
from stockscan_tui.run import replay
from stockscan_tui.run.replay import ReplayRequest, ReplayRun
from stockscan_tui.scan.rules import Rules
from stockscan_tui.scan.rules.ruling import Ruling
from tests import wire
from tests.playing import weekdays
from tests.rule_days import STATED, OnDisk, differences, part, play, simulated
from tests.rule_oracle import wanted


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> OnDisk:
    return simulated(tmp_path_factory.mktemp("simulated"))


def test_a_replayed_day_fires_and_stores_exactly_what_pandas_says(
    day: OnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "load_calendar", lambda *_: weekdays())
    database = tmp_path / "day.duckdb"
    rules = Rules(tuple(each.rule for each in STATED))
    request = ReplayRequest(day.paths, database=database, refresh_s=math.inf, ruling=Ruling(rules))
    told: list[Fired] = []
    run = ReplayRun(request, SystemClock())
    run.on_fired(told.extend)
    assert run.join(120)
    summary = run.close()
    want = wanted(day.material, STATED)
    # Each rule has something to say on that day.
    assert {each.rule for each in want} == {each.rule.name for each in STATED}
    assert differences(told, want) == []
    assert summary.alerts == len(want)
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            'SELECT alert_id, ts, symbol, rule, price, "values" FROM alerts ORDER BY alert_id'
        ).fetchall()
    by_id = sorted(told, key=lambda each: each.alert_id)
    assert rows == [
        (each.alert_id, each.ts_ns, each.symbol, each.rule, each.price, each.values)
        for each in by_id
    ]


@pytest.mark.parametrize(("speed", "minutes"), [(100.0, 60), (1.0, 3)])
def test_the_opening_fires_the_same_at_any_speed(day: OnDisk, speed: float, minutes: int) -> None:
    begin_ns = day.material.day.regular_ns - 30 * SECOND_NS
    opening = part(day, begin_ns, begin_ns + minutes * MINUTE_NS)
    told, stored = play(opening, STATED, speed=speed)
    assert told
    assert differences(told, wanted(opening.material, STATED)) == []
    assert stored == told


def by_turns(rows: wire.Records) -> list[wire.Records]:
    return [rows[0::2], rows[1::2]]


@pytest.mark.parametrize("speed", [math.inf, 500.0])
def test_a_day_in_two_files_fires_the_same_at_any_speed(day: OnDisk, speed: float) -> None:
    hours = day.material.day
    both = part(day, hours.pre_ns, hours.regular_ns + 90 * MINUTE_NS, cut=by_turns)
    told, stored = play(both, STATED, speed=speed)
    assert told
    assert differences(told, wanted(both.material, STATED)) == []
    assert stored == told
