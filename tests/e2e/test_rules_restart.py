"""Rules fire live as the oracle says, however often the run ends, or is killed, and goes on."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from stockscan_tui.clock import SystemClock
from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.live import LiveEngine, Saved
from stockscan_tui.feed.live import Access, LiveFeed
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.feed.stream import Stream
from stockscan_tui.market.batch import Batch
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import Feed
from stockscan_tui.scan.rules import Rules
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options as Gateway
from stockscan_tui.sim.tape import Tape
from tests.e2e.test_headless import environment
from tests.e2e.test_live_cuts import finish
from tests.e2e.test_live_restart import stored, wait_for_end
from tests.playing import ListSink, weekdays
from tests.rule_days import COARSE, EVERY, STATED, OnDisk, coarse, differences
from tests.rule_oracle import Want, wanted
from tests.streaming import KEY, QUICK, Capture

RULES = (*STATED, *EVERY)
# From before the day's first session on, so that nothing is true already.
MORNING = ((3, 58, 4, 22),)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> OnDisk:
    made = coarse(tmp_path_factory.mktemp("rules"), 21, 5_000, MORNING)
    made.material.records["publisher_id"] = 95
    return made


def whole_minutes(day: OnDisk, want: Iterable[Want]) -> list[Want]:
    """Return what has to have fired live: a minute is over only once something comes after it."""
    end_ns = int(day.material.records["ts_recv"][-1]) // MINUTE_NS * MINUTE_NS
    return [each for each in want if each.ts_ns < end_ns]


def within(day: OnDisk, fired: Iterable[Fired]) -> list[Fired]:
    end_ns = int(day.material.records["ts_recv"][-1]) // MINUTE_NS * MINUTE_NS
    return [each for each in fired if each.ts_ns < end_ns]


def live(port: int, day: OnDisk, sink: ListSink, saved: Saved | None = None) -> Capture:
    """Begin to capture with the rules and closes of a day."""
    clock, stream = SystemClock(), Stream("mbp-1", from_start=True)
    engine = LiveEngine(
        [stream],
        Surroundings(
            calendar=weekdays(),
            closes=PreviousCloses(weekdays()),
            sink=sink,
            clock=clock,
            undated=day.material.closes,
            volumes=day.material.average,
        ),
        Options(
            Feed("LIVE", "test", "EQUS.MINI", "mbp-1"),
            refresh_s=math.inf,
            save_s=1e-9,
            rules=Rules(tuple(each.rule for each in RULES)),
        ),
        history=None,
        saved=saved,
        until_idle=False,
    )
    access = Access(KEY, "EQUS.MINI", "127.0.0.1", port)
    feed = LiveFeed(access, [stream], clock, QUICK, seed=1)
    engine.start()
    feed.start()
    return Capture(engine, feed, sink)


def fired_in(batches: Iterable[Batch]) -> list[Fired]:
    return [fired for batch in batches for fired in batch.fired]


def each_once(fired: Iterable[Fired]) -> list[Fired]:
    """Return alerts as the store keeps them; the same event has to be the same alert."""
    kept: dict[str, Fired] = {}
    for each in fired:
        assert kept.setdefault(each.alert_id, each) == each
    return sorted(kept.values(), key=lambda each: each.alert_id)


def in_one_order(want: Iterable[Want]) -> list[Want]:
    return sorted(want, key=lambda each: f"{each.rule}/{each.symbol}/{each.ts_ns}")


def test_a_live_run_fires_what_the_oracle_says(day: OnDisk) -> None:
    tape = Tape.from_records(day.material.records, COARSE)
    with GatewayThread(tape, Gateway(speed=math.inf)) as gateway:
        taken = live(gateway.port, day, ListSink())
        finish(taken, tape, ("mbp-1",))
    want = whole_minutes(day, wanted(day.material, RULES))
    assert len(want) > 100
    assert differences(within(day, fired_in(taken.sink.batches)), want) == []


@pytest.mark.parametrize("seed", range(int(os.environ.get("STOCKSCAN_RESTARTS", "2"))))
def test_ten_restarts_from_whatever_batch_was_the_last_fire_the_same(
    seed: int, day: OnDisk
) -> None:
    """The long form is for the hand: STOCKSCAN_RESTARTS=50."""
    chance = random.Random(f"rules {seed}")
    rows = day.material.records
    tape = Tape.from_records(rows, COARSE)
    ends = sorted(chance.randrange(len(rows)) for _ in range(10))
    held, saved, kept = ListSink(), None, list[Fired]()
    marks: dict[int, bytes] = {}
    with GatewayThread(tape, Gateway(speed=3_000.0)) as gateway:
        for end in ends:
            until = int(rows["ts_recv"][end])
            sink = ListSink(bars=dict(held.bars), spans=dict(held.spans))
            taken = live(gateway.port, day, sink, saved)
            taken.wait_until(lambda engine, until=until: engine.event_ns >= until)  # type: ignore[misc]
            taken.end()
            whole = [at for at, batch in enumerate(sink.batches) if batch.checkpoint is not None]
            if whole:
                batches = sink.batches[: chance.choice(whole) + 1]
                kept += fired_in(batches)
                saved, held = stored(held, batches)
                # As the store keeps them, of all lives.
                for batch in batches:
                    marks |= dict(batch.checkpoint.marks if batch.checkpoint is not None else ())
                saved = replace(saved, marks=list(marks.values()))
        taken = live(gateway.port, day, held, saved)
        finish(taken, tape, ("mbp-1",))
    kept += fired_in(taken.sink.batches)
    want = in_one_order(whole_minutes(day, wanted(day.material, RULES)))
    assert differences(within(day, each_once(kept)), want) == []


RULES_FILE = """
[[rule]]
name = "move"
move = 3

[[rule]]
name = "swing"
move = 5
rearm = 4.5
cooldown = "10m"

[[rule]]
name = "print"
move = 4
price = "last"
cooldown = "20m"

[[rule]]
name = "runner"
when = "chg(5m) > 2 and rvol > 1.5"
cooldown = "15m"

[[rule]]
name = "reclaim"
when = "crosses_above(mark, vwap) and trades > 20"
cooldown = "5m"

[[rule]]
name = "breakout"
when = "mark >= high and volume(5m) > 500"
rearm = "hod_pct < -1"
cooldown = "0s"

[[rule]]
name = "sold out"
when = "rsi(14) < 30 and trades > 20"
sessions = ["regular"]
cooldown = "30m"

[[rule]]
name = "rich"
when = "dvol > 1m and abs(chg) > 5"
once_a_day = true

[[rule]]
name = "seen"
when = "trades > 0"
rearm = "trades > 0"
cooldown = "7s"
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_what_is_killed_in_the_middle_fires_each_event_once(day: OnDisk, tmp_path: Path) -> None:
    tape = Tape.from_records(day.material.records, COARSE)
    (tmp_path / "rules.toml").write_text(RULES_FILE, "utf-8")
    closes = [f"{name},{close}" for name, close in day.material.closes.items()]
    (tmp_path / "closes.csv").write_text("\n".join(["symbol,close", *closes]), "utf-8")
    database = tmp_path / "live.duckdb"
    last_ns = int(day.material.records["ts_recv"][-1])
    with GatewayThread(tape, Gateway(speed=600.0)) as gateway:
        command = [
            *(sys.executable, "-m", "stockscan_tui", "live", "--headless", "--json"),
            *("--no-backfill", "--gateway", f"127.0.0.1:{gateway.port}", "--db", str(database)),
            *("--save-every", "0.05", "--rules", str(tmp_path / "rules.toml")),
            *("--prev-close", str(tmp_path / "closes.csv")),
        ]
        for part in (0.3, 0.6):
            process = begun(command, tmp_path)
            first_ns = int(day.material.records["ts_recv"][0])
            wait_for_alert(process, first_ns + int((last_ns - first_ns) * part))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        wait_for_end(begun(command, tmp_path), last_ns)
    unknown = replace(day.material, average={})
    want = in_one_order(whole_minutes(day, wanted(unknown, RULES)))
    assert differences(within(day, alerts_in(database)), want) == []


def begun(command: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def wait_for_alert(process: subprocess.Popen[str], ns: int) -> None:
    """Return once an alert of an instant, or of a later one, was told."""
    assert process.stdout is not None
    for line in process.stdout:
        said = json.loads(line)
        if said["type"] == "alert" and said["ts"] >= ns:
            return
    raise AssertionError("it ended by itself")


def alerts_in(database: Path) -> list[Fired]:
    """Return what the view of alerts holds, in the order of their ids."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            'SELECT ts, symbol, rule, price, "values", alert_id FROM alerts ORDER BY alert_id'
        ).fetchall()
    found = [Fired(*row[:5]) for row in rows]
    assert [each.alert_id for each in found] == [row[5] for row in rows]
    return found
