"""What a run prints while it goes, and what is kept when nobody reads it any more."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from threading import Event

import duckdb
import pytest

from stockscan_tui import headless
from stockscan_tui.clock import SystemClock
from stockscan_tui.headless import Report
from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.market.troubles import Told
from stockscan_tui.market.vitals import Trouble, Vitals
from stockscan_tui.run import replay
from stockscan_tui.run.replay import ReplayRequest, ReplayRun
from stockscan_tui.scan.picking import Picker
from tests import wire
from tests.playing import weekdays

SYMBOLS = {f"S{n}": n for n in range(1, 21)}


class GoneReader(io.StringIO):
    """Standard output whose reader goes away once there is a bar."""

    def write(self, text: str) -> int:
        if json.loads(text)["bars"]:
            raise BrokenPipeError
        return super().write(text)


class StoppingReader(io.StringIO):
    """Lets the run end once there is a bar."""

    def __init__(self, stop: Event) -> None:
        super().__init__()
        self._stop = stop

    def write(self, text: str) -> int:
        if json.loads(text)["bars"]:
            self._stop.set()
        return super().write(text)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReplayRun:
    """A replay at walking pace whose health is printed at every look."""
    monkeypatch.setattr(replay, "load_calendar", lambda *_: weekdays())
    monkeypatch.setattr(headless, "HEALTH_EVERY_NS", 1)
    meta = wire.metadata(symbols=SYMBOLS)
    day = wire.write(tmp_path / "day.dbn", meta, wire.random_rows(1, 9_000, 20, minutes=90))
    request = ReplayRequest((day,), speed=600.0, database=tmp_path / "x.duckdb", refresh_s=math.inf)
    return ReplayRun(request, SystemClock())


def test_a_health_line_tells_the_markets_completeness(begun: ReplayRun) -> None:
    begun.set_speed(math.inf)
    assert begun.engine.join(30.0)
    out = io.StringIO()
    headless._JsonLines(out).health(begun.engine)
    begun.close()
    snapshot = begun.snapshot()
    assert snapshot is not None
    assert snapshot.coverage is not None
    told = json.loads(out.getvalue())["completeness"]
    assert told == pytest.approx(snapshot.coverage.completeness().mean())
    assert 0 < told < 1


def test_a_trouble_is_told_on_standard_error_once_and_at_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = Told()
    lasting = Vitals(troubles=(Trouble("disk", "Only 1 MB is left\x1b[2J", "There is room"),))
    for vitals in (lasting, lasting, Vitals()):
        headless._tell_troubles(told, vitals)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "stockscan: alarm: Only 1 MB is left�[2J",
        "stockscan: over: There is room",
    ]


def report(*, leaders: int = 0) -> Report:
    return Report(
        as_json=True,
        leaders=leaders,
        sort=MetricKey("chg"),
        ascending=False,
        picker=Picker(gates=None),
    )


def bars_in(path: Path) -> int:
    with duckdb.connect(str(path), read_only=True) as connection:
        (count,) = connection.execute("SELECT count(*) FROM bars_1m").fetchone() or (-1,)
    return int(count)


def test_a_reader_that_goes_away_in_mid_run_loses_no_bar(begun: ReplayRun) -> None:
    with pytest.raises(BrokenPipeError):
        headless.play(begun, report(), SystemClock(), Event(), GoneReader())
    assert not begun.engine.running
    assert bars_in(begun.database) == begun.engine.health().bars > 0


def test_lines_of_health_come_before_the_leaders_and_the_summary(begun: ReplayRun) -> None:
    stop = Event()
    out = StoppingReader(stop)
    summary = headless.play(begun, report(leaders=3), SystemClock(), stop, out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    kinds = [line["type"] for line in lines]
    assert kinds == ["health"] * (len(lines) - 4) + ["leader"] * 3 + ["summary"]
    assert list(lines[0]) == [
        "type", "ts", "state", "records", "records_per_s", "lag_ms", "symbols", "bars", "gaps",
        "completeness", "queue", "rss_mb",
    ]  # fmt: skip
    assert wire.OPEN_NS <= lines[-5]["ts"] <= lines[-1]["last_ts"] + 60 * 10**9
    assert lines[-1]["records"] == summary.records < 9_000
    assert lines[-1]["problems"] == []
