"""A replay that is moved back and on has fired what a straight one has, and tells nobody twice."""

from __future__ import annotations

import math
import os
import random
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.engine.seeking import Seeking
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import MOST_FIRED, Feed
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule, Rules
from tests.moving import Moved, RestingClock
from tests.playing import ListSink, weekdays
from tests.rule_days import EVERY, STATED, OnDisk, coarse, differences
from tests.rule_oracle import wanted

RULES = (*STATED, *EVERY)
HOURS = ((3, 59, 4, 6), (9, 27, 9, 34))


def opened(day: OnDisk, folder: Path, told: list[Fired]) -> Moved:
    """Open a day with rules, paused before its first record."""
    folder.mkdir()
    sink, clock, seeking = ListSink(), RestingClock(), Seeking(folder)
    engine = ReplayEngine(
        [DbnFile(path) for path in day.paths],
        Surroundings(
            calendar=weekdays(),
            closes=PreviousCloses(weekdays()),
            sink=sink,
            clock=clock,
            undated=day.material.closes,
            volumes=day.material.average,
        ),
        Options(
            Feed("REPLAY", "test", "EQUS.MINI", "mbp-1"),
            refresh_s=math.inf,
            behind_screen=True,
            rules=Rules(tuple(each.rule for each in RULES)),
            listeners=(told.extend,),
        ),
        speed=math.inf,
        seeking=seeking,
    )
    engine.set_paused(True)
    engine.start()
    assert clock.resting.wait(120)
    return Moved(engine, clock, sink, seeking)


def test_a_rule_that_is_new_within_a_minute_does_not_fire_for_whom_it_is_true(
    tmp_path: Path,
) -> None:
    """The minute that goes on counts, too."""
    day = coarse(tmp_path, 40, 3_000, HOURS)
    told: list[Fired] = []
    moved = opened(day, tmp_path / "moved", told)
    now_ns = day.material.day.regular_ns + 2 * MINUTE_NS + 40 * SECOND_NS
    picture = moved.to(now_ns)
    rule = Rule("busy", when=parse("volume(1m) > 1000"), rearm=parse("volume(1m) < 0"))
    assert rule.when is not None
    busy = {picture.symbols[slot] for slot in np.flatnonzero(rule.when.mask(picture)).tolist()}
    assert busy
    moved.engine.know_rules(Rules((rule,)))
    moved.to(day.material.day.regular_ns + 4 * MINUTE_NS)
    moved.stop()
    fired = {each.symbol for each in told if each.rule == "busy"}
    assert fired
    assert not fired & busy


@pytest.mark.parametrize("seed", range(int(os.environ.get("STOCKSCAN_MOVES", "2"))))
def test_a_replay_moved_about_has_fired_what_a_straight_one_has(seed: int, tmp_path: Path) -> None:
    """The long form is for the hand: STOCKSCAN_MOVES=50."""
    chance = random.Random(f"moves {seed}")
    day = coarse(tmp_path, 30 + seed, 3_000, HOURS)
    times = day.material.records["ts_recv"]
    first_ns, end_ns = int(times[0]), int(times[-1]) // MINUTE_NS * MINUTE_NS
    # Within seconds, at their ends, and at those of minutes.
    instants = [
        chance.randrange(first_ns // unit + 1, end_ns // unit) * unit
        for unit in (SECOND_NS // 10, SECOND_NS, MINUTE_NS) * 4
    ]
    straight = opened(day, tmp_path / "straight", [])
    want = {}
    for ns in sorted(instants):
        picture = straight.to(ns)
        want[ns] = (picture.fired, dict(picture.fired_by_rule), picture.alerts.tolist())
    straight.stop()
    told: list[Fired] = []
    moved = opened(day, tmp_path / "moved", told)
    for ns in instants:
        picture = moved.to(ns)
        assert (picture.fired, dict(picture.fired_by_rule), picture.alerts.tolist()) == want[ns]
    last = moved.to(end_ns)
    moved.stop()
    reached = [each for each in wanted(day.material, RULES) if each.ts_ns <= end_ns]
    assert len(reached) > MOST_FIRED / 2
    assert differences([each for each in told if each.ts_ns <= end_ns], reached) == []
    assert differences(last.fired, reached[-MOST_FIRED:]) == []
    kept = {each.alert_id: each for batch in moved.sink.batches for each in batch.fired}
    assert list(kept.values()) == told
