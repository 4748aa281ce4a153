"""The shipped rules: each holds where its sentence says, not just beside it, and not on noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.market.calendar import MINUTE_NS, Session
from stockscan_tui.market.metrics import parse_metric
from stockscan_tui.market.minutes import MinuteBars, Minutes
from stockscan_tui.market.snapshot import Flags, Snapshot
from stockscan_tui.scan.expression import Memory
from stockscan_tui.scan.rules import Rule
from stockscan_tui.scan.rules.library import LIBRARY
from tests.ui.market import NOW_NS, market

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
RULES = {rule.name: rule for rule in LIBRARY}
Values = dict[str, float]

ACTIVE: Values = {"trades": 50, "dvol": 100_000, "trades(1m)": 20, "dvol(1m)": 50_000}
# Per rule: what is so before (for crossings), where it holds, and the nearest at which it does not.
CASES: dict[str, tuple[Values, Values, Values]] = {
    "gap up": ({}, {"gap": 4, "minutes_open": 0}, {"gap": 3.99}),
    "gap down": ({}, {"gap": -4, "minutes_open": 30}, {"minutes_open": 30.1}),
    "running up": (
        {},
        {"chg(5m)": 3, "dvol(5m)": 50_000, "trades(5m)": 20},
        {"trades(5m)": 19},
    ),
    "running down": (
        {},
        {"chg(5m)": -3, "dvol(5m)": 50_000, "trades(5m)": 20},
        {"chg(5m)": -2.99},
    ),
    "volume spike 2": (
        {},
        {"volume(1m)": 300, "volume(3m)": 400, "minutes_open": 4},
        {"volume(3m)": 401},
    ),
    "volume spike 10": ({}, {"bar_rvol": 5, "minutes_open": 11}, {"bar_rvol": 4.9}),
    "relative volume": ({}, {"rvol": 3}, {"rvol": 2.9}),
    "new high": (
        {"high(5m)": 9.99, "high(day)": 10},
        {"high(5m)": 10.01, "high(day)": 10.01},
        {"high(5m)": 10, "high(day)": 10.01},
    ),
    "new low": (
        {"low(5m)": 10.01, "low(day)": 10},
        {"low(5m)": 9.99, "low(day)": 9.99},
        {"low(5m)": 10, "low(day)": 9.99},
    ),
    "pre-market high": (
        {"high(regular)": 9.99, "high(pre)": 10},
        {"high(regular)": 10.01},
        {"high(regular)": 10},
    ),
    "pre-market low": (
        {"low(regular)": 10.01, "low(pre)": 10},
        {"low(regular)": 9.99},
        {"low(regular)": 10},
    ),
    "near high": ({"hod_pct(day)": -0.6, "range_pct(day)": 3}, {"hod_pct(day)": -0.4},
                  {"range_pct(day)": 2.9}),
    "near low": ({"lod_pct(day)": 0.6, "range_pct(day)": 3}, {"lod_pct(day)": 0.4},
                 {"lod_pct(day)": 0.51}),
    "vwap cross up": ({"mark": 9.9, "vwap": 10, "minutes_open": 5}, {"mark": 10.1}, {"mark": 10}),
    "vwap cross down": ({"mark": 10.1, "vwap": 10, "minutes_open": 5}, {"mark": 9.9},
                        {"minutes_open": 4.9}),
    "vwap reject": (
        {},
        {"high(5m)": 9.995, "high(15m)": 10.005, "vwap": 10, "vwap_pct": -0.5, "minutes_open": 15},
        {"high(5m)": 9.98},
    ),
    "vwap hold": (
        {},
        {"low(5m)": 10.005, "low(15m)": 9.995, "vwap": 10, "vwap_pct": 0.5, "minutes_open": 15},
        {"low(15m)": 9.98},
    ),
    "ema cross up": ({"ema(9)": 9, "ema(20)": 10}, {"ema(9)": 11}, {"ema(9)": 10}),
    "ema cross down": ({"ema(9)": 11, "ema(20)": 10}, {"ema(9)": 9}, {"ema(9)": 10}),
    "rsi high": ({}, {"rsi(14)": 70}, {"rsi(14)": 69.9}),
    "rsi low": ({}, {"rsi(14)": 30}, {"rsi(14)": 30.1}),
    "bars up": ({}, {"streak": 5, "range_pct(5m)": 0.5}, {"streak": 4}),
    "bars down": ({}, {"streak": -5, "range_pct(5m)": 0.5}, {"range_pct(5m)": 0.4}),
    "halt": ({}, {"halt": 1}, {"halt": 0}),
    "resume": ({}, {"resumed": 1}, {"resumed": 0}),
    **{
        f"opening range breakout {n}": (
            {"mark": 9.9, f"or_high({n}m)": 10}, {"mark": 10.1}, {"mark": 10})
        for n in (5, 15, 30)
    },
    **{
        f"opening range breakdown {n}": (
            {"mark": 10.1, f"or_low({n}m)": 10}, {"mark": 9.9}, {"mark": 10})
        for n in (5, 15, 30)
    },
}  # fmt: skip


def picture(serial: int, *rows: Values) -> Snapshot:
    """Return a picture in which each symbol's metrics are as told."""
    snapshot = market(len(rows), event_ns=NOW_NS + serial * 1_000_000_000)
    for name in {name for row in rows for name in row}:
        column = np.array([row.get(name, np.nan) for row in rows], np.float64)
        snapshot.cache[parse_metric(name)] = column
    return snapshot


def holds(rule: Rule, snapshot: Snapshot, memory: Memory) -> Flags:
    assert rule.when is not None
    return rule.when.mask(snapshot, memory) & rule.filter.mask(snapshot, memory)


@pytest.mark.parametrize("name", [rule.name for rule in LIBRARY if rule.when is not None])
def test_a_rule_holds_where_its_sentence_says_and_not_beside_it(name: str) -> None:
    before, there, beside = CASES[name]
    rule, memory = RULES[name], Memory()
    start = {**ACTIVE, **before}
    hit = {**start, **there}
    thin = {**hit, "trades": 19, "trades(1m)": 19, "trades(5m)": 19, "warrant": 1}
    rows = (hit, {**hit, **beside}, thin)
    if before:
        assert not holds(rule, picture(0, start, start, start), memory).any()
    assert holds(rule, picture(1, *rows), memory).tolist() == [True, False, False]
    if before:
        # Whoever stands there from the first look on has not come there.
        assert not holds(rule, picture(1, *rows), Memory()).any()


@pytest.mark.parametrize("rule", [rule for rule in LIBRARY if rule.rearm], ids=lambda r: r.name)
def test_what_fires_a_rule_does_not_arm_it_again(rule: Rule) -> None:
    before, there, _ = CASES[rule.name]
    hit = {**ACTIVE, **before, **there}
    if "mark" in hit:
        hit["vwap_pct"] = (hit["mark"] / hit["vwap"] - 1) * 100
    assert rule.rearm is not None
    assert rule.rearm.keys <= {parse_metric(name) for name in hit}
    assert not rule.rearm.mask(picture(0, hit)).any()


def test_moves_are_told_by_tier_once_a_day_and_not_for_noise() -> None:
    moves = [rule for rule in LIBRARY if rule.when is None]
    assert [rule.move for rule in moves] == [3, 5, 10, 20]
    rows = ({"trades": 20, "dvol": 1e5}, {"trades": 19, "dvol": 1e5},
            {"trades": 20, "dvol": 1e5, "warrant": 1})  # fmt: skip
    for rule in moves:
        assert rule.once_a_day
        assert rule.filter.mask(picture(0, *rows)).tolist() == [True, False, False]


def _minutes(highs: list[float], last: float) -> Minutes:
    """Return minutes of one symbol with these highs, and the one that goes on."""
    now = NOW_NS // MINUTE_NS

    def bars(minute: int, high: float) -> MinuteBars:
        price, one = np.array([high]), np.ones(1, np.int64)
        return MinuteBars(minute, np.zeros(1, np.int32), price, price, price, price, one, one,
                          price)  # fmt: skip

    closed = tuple(bars(now - len(highs) + at, high) for at, high in enumerate(highs))
    return Minutes(closed, bars(now, last))


def test_a_run_of_new_highs_fires_once() -> None:
    rule, memory = RULES["new high"], Memory()
    quiet = [10.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0]
    steps = [
        (quiet, 9.5, 10.0, False),
        (quiet, 10.0, 10.0, True),
        (quiet, 10.2, 10.2, False),
        ([*quiet[1:], 10.2], 10.3, 10.3, False),
        ([10.3, *quiet[1:]], 9.9, 10.3, False),
        ([10.3, *quiet[1:]], 10.4, 10.4, True),
    ]
    for serial, (highs, last, day, fires) in enumerate(steps):
        snapshot = replace(
            picture(serial, ACTIVE), minutes=_minutes(highs, last), high_day=np.array([day])
        )
        assert holds(rule, snapshot, memory).tolist() == [fires], serial


def test_the_library_is_off_explained_and_named_once() -> None:
    assert len({rule.name.casefold() for rule in LIBRARY}) == len(LIBRARY)
    for rule in LIBRARY:
        assert rule.shipped
        assert not rule.enabled
        assert rule.doc.endswith(".")
        assert rule.once_a_day or rule.cooldown_s >= 300
        assert Session.REGULAR in rule.sessions


def test_the_readme_has_the_library() -> None:
    table = README[README.index("| rule | ") : README.index("`stockscan rules check`")]
    for rule in LIBRARY:
        condition = f"move = {rule.move:g}" if rule.when is None else rule.when.text
        assert f"| `{rule.name}` | `{condition}` |" in table
