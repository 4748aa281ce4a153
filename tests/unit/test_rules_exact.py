"""Rules fire exactly: against an oracle in pandas, at any speed, over files cut in any way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, new_york_ns
from stockscan_tui.scan.rules import Rule
from stockscan_tui.scan.rules.firing import cross, fire
from tests import wire
from tests.rule_days import EVERY, STATED, Cut, OnDisk, coarse, differences, part, play
from tests.rule_oracle import Stated, wanted

RULES = (*STATED, *EVERY)


def held_against(day: OnDisk, rules: Sequence[Stated] = RULES, speed: float = math.inf) -> None:
    """Play a day and hold what fires, and what the store is given, against the oracle."""
    told, stored = play(day, rules, speed=speed)
    assert told
    assert differences(told, wanted(day.material, rules)) == []
    assert stored == told


@pytest.mark.parametrize("seed", range(3))
def test_limits_that_are_met_exactly_at_the_edges_of_seconds_and_sessions(
    seed: int, tmp_path: Path
) -> None:
    held_against(coarse(tmp_path, seed))


@pytest.mark.parametrize("speed", [1.0, 100.0])
def test_the_same_fires_at_any_speed(speed: float, tmp_path: Path) -> None:
    day = coarse(tmp_path, 3)
    open_ns = day.material.day.regular_ns
    span = 90 * SECOND_NS if speed == 1 else 15 * MINUTE_NS
    held_against(part(day, open_ns - 20 * SECOND_NS, open_ns + span), speed=speed)


def by_symbol(rows: wire.Records) -> list[wire.Records]:
    odd = rows["instrument_id"] % 2 == 1
    return [rows[odd], rows[~odd]]


def by_publisher(rows: wire.Records) -> list[wire.Records]:
    first = rows["publisher_id"] == 1
    return [rows[first], rows[~first]]


def by_turns(rows: wire.Records) -> list[wire.Records]:
    return [rows[0::2], rows[1::2]]


@pytest.mark.parametrize("cut", [by_symbol, by_publisher, by_turns])
@pytest.mark.parametrize("speed", [math.inf, 300.0])
def test_files_that_overlap_fire_the_same_at_any_speed(
    cut: Cut, speed: float, tmp_path: Path
) -> None:
    day = coarse(tmp_path, 4)
    begin_ns = day.material.day.regular_ns - 8 * MINUTE_NS
    whole = part(day, begin_ns, begin_ns + 19 * MINUTE_NS, cut=cut)
    held_against(whole, speed=speed)


def test_closes_that_are_looked_up_after_the_first_record_count_from_then_on(
    tmp_path: Path,
) -> None:
    day = coarse(tmp_path, 5)
    begin_ns = day.material.day.regular_ns
    held_against(part(day, begin_ns, begin_ns + 11 * MINUTE_NS, start_ns=0))


@pytest.mark.parametrize("at", [time(4, 0), time(9, 30), time(9, 34), time(19, 58)])
@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_true_where_a_replay_begins_does_not_fire(
    at: time, seed: int, tmp_path: Path
) -> None:
    day = coarse(tmp_path, seed)
    want = wanted(day.material, RULES, new_york_ns(wire.DAY, at))
    told, stored = play(day, RULES, start_at=at)
    assert differences(told, want) == []
    assert stored == told


@pytest.mark.parametrize("seed", [0, 1])
def test_without_previous_closes_a_move_is_from_the_first_trade(seed: int, tmp_path: Path) -> None:
    day = coarse(tmp_path, seed)
    unknown = replace(day.material, closes={})
    rules = (
        Stated(
            Rule("move", move=3.0, once_a_day=True),
            lambda f: f.chg_first.abs() >= 3,
            values={"chg": "chg_first"},
        ),
        Stated(
            Rule("swing", move=2.0, rearm_move=1.5, cooldown_s=600),
            lambda f: f.chg_first.abs() >= 2,
            rearms=lambda f: f.chg_first.abs() < 1.5,
            values={"chg": "chg_first"},
        ),
    )
    # To the oracle they are rules with a condition, since no level can be waited for.
    by_second = [replace(each, rule=replace(each.rule, move=0.0)) for each in rules]
    told, _ = play(day, rules, closes=False)
    assert told
    assert differences(told, wanted(unknown, by_second)) == []


# --- the firing machine ---------------------------------------------------------------------------

ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 4), st.booleans(), st.booleans()), max_size=40
)


def by_hand(
    rows: Sequence[tuple[int, int, bool, bool]], has_rearm: bool, once: bool, cooldown: int
) -> list[int]:
    """Return the rows (symbol, instant, holds, rearms) at which a rule fires."""
    armed, last, fired = [True] * 3, [-(10**9)] * 3, []
    for row, (symbol, at, holds, rearms) in enumerate(rows):
        if armed[symbol] and holds and at - last[symbol] >= cooldown:
            armed[symbol], last[symbol] = False, at
            fired.append(row)
        elif (rearms if has_rearm else not holds) and not (
            once and symbol in {rows[r][0] for r in fired}
        ):
            armed[symbol] = True
    return fired


@settings(max_examples=300, deadline=None)
@given(ROWS, st.booleans(), st.booleans(), st.integers(0, 6), st.sets(st.integers(0, 40)))
def test_a_rule_fires_the_same_however_its_rows_are_cut(
    steps: list[tuple[int, int, bool, bool]],
    has_rearm: bool,
    once: bool,
    cooldown: int,
    cuts: set[int],
) -> None:
    times = np.cumsum([step for _, step, _, _ in steps], dtype=np.int64) + 1
    rows = [(s, int(at), h, r) for (s, _, h, r), at in zip(steps, times, strict=True)]
    disarmed, last_ns = np.zeros(3, np.bool_), np.zeros(3, np.int64)
    found = []
    ends = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    for begin, end in pairwise(ends):
        slots, at, holds, rearms = zip(*rows[begin:end], strict=True)
        taken = np.empty(end - begin, np.int64)
        count = fire(
            np.array(slots, np.int64),
            np.array(at, np.int64),
            np.array(holds, np.bool_),
            np.array(rearms if has_rearm else (), np.bool_),
            np.zeros(0, np.bool_),
            once,
            cooldown,
            disarmed,
            last_ns,
            taken,
        )
        found += (taken[:count] + begin).tolist()
    assert found == by_hand(rows, has_rearm, once, cooldown)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from([-1.0, 0.0, 1.0, math.nan])), max_size=40
    ),
    st.integers(0, 40),
)
def test_what_crosses_was_on_the_other_side_when_it_was_last_on_one(
    rows: list[tuple[int, float]], cut: int
) -> None:
    side = np.zeros(3, np.int8)
    found: list[bool] = []
    for piece in (rows[:cut], rows[cut:]):
        crossed = np.zeros(len(piece), np.bool_)
        slots = np.array([slot for slot, _ in piece], np.int64)
        cross(slots, np.array([value for _, value in piece]), np.zeros(1), side, crossed)
        found += crossed.tolist()
    for row, (slot, value) in enumerate(rows):
        before = [v for s, v in rows[:row] if s == slot and v in (-1.0, 1.0)]
        assert found[row] == (value == 1 and before[-1:] == [-1.0])
