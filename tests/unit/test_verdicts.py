"""Verdicts of minutes, against the words that define them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.market.batch import BarSource
from stockscan_tui.market.calendar import MINUTE_NS, Calendar
from stockscan_tui.market.snapshot import Doubt
from stockscan_tui.market.symbol_bars import SymbolBars
from stockscan_tui.market.verdicts import Verdict, reason_of, verdicts

WHOLE_DAY = date(2026, 6, 15)
HALF_DAY = date(2026, 11, 27)
DAYS = Calendar([(WHOLE_DAY, time(16)), (HALF_DAY, time(13))])
DAY = DAYS.day(WHOLE_DAY)
FIRST = DAY.pre_ns // MINUTE_NS


def bars(*minutes: tuple[int, BarSource]) -> SymbolBars:
    """Return bars of minutes counted from the day's first session minute."""
    places = np.array([FIRST + at for at, _ in minutes], np.int64)
    ones = np.ones(len(places))
    source = np.array([source for _, source in minutes], np.uint8)
    whole = ones.astype(np.int64)
    return SymbolBars(places, ones, ones, ones, ones, whole, whole, ones, source)


def doubt(begin: float, end: float, reason: str = "the feed was down") -> Doubt:
    """Return a doubt over minutes counted from the day's first session minute."""
    return Doubt(DAY.pre_ns + int(begin * MINUTE_NS), DAY.pre_ns + int(end * MINUTE_NS), reason)


def test_each_minute_has_the_verdict_that_its_definition_says() -> None:
    held = bars((-5, BarSource.TRADES), (0, BarSource.TRADES), (1, BarSource.BACKFILL),
                (4, BarSource.TRADES), (5, BarSource.BACKFILL), (6, BarSource.OHLCV),
                (9, BarSource.TRADES))  # fmt: skip
    codes = verdicts(held, DAY, (doubt(3.5, 6.1),), FIRST + 9)
    expected = ["TRADED", "BACKFILLED", "QUIET", "UNKNOWN", "UNKNOWN", "BACKFILLED", "TRADED",
                "QUIET", "QUIET", "AHEAD"]  # fmt: skip
    assert [Verdict(code).name for code in codes[:10]] == expected
    assert set(codes[10:].tolist()) == {Verdict.AHEAD}


def test_a_half_day_has_780_minutes_and_a_whole_one_960() -> None:
    assert len(verdicts(SymbolBars.none(), DAY, (), 0)) == 960
    assert len(verdicts(SymbolBars.none(), DAYS.day(HALF_DAY), (), 0)) == 780


def test_what_was_not_read_is_never_called_quiet() -> None:
    held = bars((2, BarSource.TRADES), (70, BarSource.TRADES))
    codes = verdicts(held, DAY, (doubt(3, 4),), FIRST + 80, read_from=FIRST + 60)
    assert [Verdict(code).name for code in codes[:5]] == [
        "UNREAD", "UNREAD", "TRADED", "UNKNOWN", "UNREAD"
    ]  # fmt: skip
    assert set(codes[60:80].tolist()) == {Verdict.QUIET, Verdict.TRADED}


def test_an_unknown_minute_says_every_reason_once() -> None:
    doubts = (doubt(0, 2, "before the file"), doubt(1.5, 3, "down"), doubt(1, 2, "down"))
    said = [reason_of(Verdict.UNKNOWN, FIRST + at, doubts) for at in range(4)]
    assert said[:3] == ["before the file", "before the file; down", "down"]
    assert "not known to have been whole" in said[3]
    assert all(reason_of(verdict, FIRST, ()) for verdict in Verdict)


@given(
    st.lists(st.tuples(st.integers(0, 959), st.sampled_from(BarSource)), max_size=40),
    st.lists(st.tuples(st.integers(-100, 1100), st.integers(0, 300)), max_size=4),
    st.integers(-100, 1100),
)
@settings(max_examples=100, deadline=None)
def test_the_verdicts_add_up_to_the_minutes_that_are_over(
    held: list[tuple[int, BarSource]], spans: list[tuple[int, int]], now: int
) -> None:
    unique = sorted(dict(held).items())
    doubts = tuple(doubt(begin, begin + length) for begin, length in spans)
    codes = verdicts(bars(*unique), DAY, doubts, FIRST + now)
    assert (codes != Verdict.AHEAD).sum() == min(max(now, 0), 960)
    in_doubt = {m for b, n in spans for m in range(b, b + n)}
    for at, code in enumerate(codes.tolist()[: max(now, 0)]):
        source = dict(unique).get(at)
        if source is BarSource.BACKFILL:
            assert code == Verdict.BACKFILLED
        elif at in in_doubt and source is not BarSource.OHLCV:
            assert code == Verdict.UNKNOWN
        else:
            assert code == (Verdict.QUIET if source is None else Verdict.TRADED)


def test_bars_of_other_days_do_not_matter() -> None:
    held = bars((10, BarSource.TRADES))
    other = replace(held, minute=held.minute - 1440)
    assert not np.isin(verdicts(other, DAY, (), FIRST + 960), [Verdict.TRADED]).any()
