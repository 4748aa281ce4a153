"""What followed firings, against a computation by pandas that shares nothing with ours."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pandas as pd
import pytest

from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.fired import Fired
from stockscan_tui.report.outcome import DayMarks, Floats, Followed, Int64s, follow, outcomes

DAY = date(2026, 6, 15)
# 09:30 in New York.
OPEN = 29_692_170
NAMES = tuple(f"S{n}" for n in range(7))


def marks_of(dollars: Floats, minute: Int64s | None = None, close: int = 390) -> DayMarks:
    minute = OPEN + 1 + np.arange(len(dollars)) if minute is None else minute
    return DayMarks(DAY, minute, dollars, OPEN + close)


def followed(fired: list[Fired], marks: DayMarks) -> Followed:
    slots = {name: slot for slot, name in enumerate(NAMES)}
    return follow(fired, marks, slots)


def random_day(seed: int) -> tuple[DayMarks, list[Fired]]:
    """Return a day with a hole of 20 minutes, late and still symbols, and its firings."""
    rng = np.random.default_rng(seed)
    steps = np.exp(rng.normal(0, 0.002, (400, len(NAMES))).cumsum(axis=0))
    dollars = np.round(steps * (10 + 20 * np.arange(len(NAMES))), 2)
    for slot, begun in enumerate(rng.integers(0, 200, len(NAMES) - 2)):
        dollars[:begun, slot] = np.nan
    dollars[250:320, 2:] = dollars[250, 2:]
    minute = OPEN + 1 + np.arange(400)
    kept = (minute < OPEN + 150) | (minute >= OPEN + 170)
    fired = []
    for ts_s in np.sort(rng.integers(0, 399 * 60, 300)).tolist():
        # One in three falls on a minute's close.
        at_s = ts_s // 60 * 60 if ts_s % 3 == 0 else ts_s
        slot = int(rng.integers(0, len(NAMES)))
        price = round(float(10 + 20 * slot) * (1 + float(rng.normal(0, 0.01))), 2)
        ts_ns = (OPEN * 60 + at_s) * SECOND_NS + (1 if at_s % 60 else 0)
        fired.append(Fired(ts_ns, NAMES[slot], f"rule {ts_s % 2}", price))
    fired.sort(key=lambda each: each.ts_ns)
    return marks_of(dollars[kept], minute[kept]), fired


def table_of(marks: DayMarks) -> pd.DataFrame:
    """Return marks by the instant of their close and symbol."""
    index = pd.to_datetime(marks.minute * 60, unit="s", utc=True)
    return pd.DataFrame(marks.dollars, index=index, columns=list(NAMES))


@pytest.mark.parametrize("seed", [1, 2])
def test_returns_and_the_markets_are_those_that_pandas_finds(seed: int) -> None:
    marks, fired = random_day(seed)
    table = table_of(marks)
    found = followed(fired, marks)
    for row, each in enumerate(fired):
        at = pd.Timestamp(each.ts_ns, unit="ns", tz="UTC")
        ends = [(at + pd.Timedelta(minutes=n)).ceil("min") for n in (1, 5, 15, 60)]
        ends.append(pd.Timestamp((OPEN + 390) * 60, unit="s", tz="UTC"))
        column = table[each.symbol].to_dict()
        market = table.reindex([at.floor("min"), *ends]).T
        for place, end in enumerate(ends):
            there = at < end
            back = float(column.get(end, math.nan)) / each.price * 100 - 100
            assert found.return_pct[row, place] == pytest.approx(
                back if there else math.nan, nan_ok=True
            )
            median = (market.iloc[:, place + 1] / market.iloc[:, 0] * 100 - 100).median()
            assert found.market_pct[row, place] == pytest.approx(
                median if there else math.nan, nan_ok=True, abs=1e-9
            )
        within = table.loc[ends[0] : ends[3], each.symbol]
        for values, extreme in ((found.best_pct, within.max()), (found.worst_pct, within.min())):
            assert values[row] == pytest.approx(extreme / each.price * 100 - 100, nan_ok=True)


def test_a_rules_figures_are_medians_and_shares_over_its_firings() -> None:
    days = [followed(fired, marks) for marks, fired in map(random_day, (3, 4))]
    frame = pd.concat(
        pd.DataFrame(
            {
                "rule": day.rule,
                "symbol": day.symbol,
                "back": day.return_pct[:, 2],
                "market": day.market_pct[:, 2],
                "best": day.best_pct,
            }
        )
        for day in days
    )
    for outcome in outcomes(["rule 0", "rule 1"], days):
        own = frame[frame["rule"] == outcome.rule]
        known = own.dropna(subset="back")
        assert (outcome.firings, outcome.symbols) == (len(own), own["symbol"].nunique())
        assert outcome.by_day == {DAY: len(own)}
        assert outcome.judged.known == len(known)
        assert outcome.judged.median_pct == pytest.approx(known["back"].median())
        assert outcome.judged.mean_pct == pytest.approx(known["back"].mean())
        assert outcome.judged.market_pct == pytest.approx(known["market"].median())
        assert outcome.best_pct == pytest.approx(own["best"].median())
        assert outcome.winners == pytest.approx((known["back"] > 0).mean())
        both = known.dropna(subset="market")
        assert outcome.ahead == pytest.approx((both["back"] > both["market"]).mean())


def test_a_firing_at_a_minutes_close_is_followed_for_whole_minutes() -> None:
    marks = marks_of(np.arange(100.0, 130.0)[:, np.newaxis].repeat(len(NAMES), 1))
    at_close = Fired((OPEN + 1) * MINUTE_NS, "S0", "r", 100.0)
    within = Fired((OPEN + 1) * MINUTE_NS + 1, "S0", "r", 100.0)
    found = followed([at_close, within], marks)
    assert found.return_pct[:, 0].tolist() == [1.0, 2.0]
    assert found.market_pct[:, 0].tolist() == [1.0, 2.0]


def test_after_the_regular_close_and_the_last_minute_nothing_is_known() -> None:
    marks = marks_of(np.full((30, len(NAMES)), 50.0), close=20)
    late = Fired((OPEN + 20) * MINUTE_NS, "S1", "r", 50.0)
    last = Fired((OPEN + 30) * MINUTE_NS, "S1", "r", 50.0)
    found = followed([late, last], marks)
    assert np.isnan(found.return_pct).tolist() == [
        [False, False, True, True, True],
        [True, True, True, True, True],
    ]
    assert found.best_pct[0] == 0
    assert math.isnan(found.best_pct[1])


def test_a_rule_that_never_fired_has_figures_that_say_so() -> None:
    (never,) = outcomes(["r"], [followed([], marks_of(np.empty((0, len(NAMES)))))])
    assert (never.firings, never.symbols, never.by_day, never.per_day) == (0, 0, {DAY: 0}, 0.0)
    assert math.isnan(never.winners)
    assert all(math.isnan(horizon.median_pct) for horizon in never.horizons)
