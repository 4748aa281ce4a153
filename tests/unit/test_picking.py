"""What a list shows: conditions, gates, counts; who came and who left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stockscan_tui.market.calendar import MINUTE_NS, Session
from stockscan_tui.market.metrics import MetricKey, values_of
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.gates import Gates
from stockscan_tui.scan.lists import start_key
from stockscan_tui.scan.picking import Picker
from stockscan_tui.scan.presence import Presence
from tests.ui.market import market


def names(snapshot: Snapshot, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[str]:
    return [snapshot.symbols[row] for row in rows.tolist()]


def test_gates_keep_off_and_count_what_meets_the_conditions() -> None:
    snapshot = market(200)
    picker = Picker(gates=Gates(regular="mark >= 20"))
    picker.chosen = parse("chg > 0")
    picked = picker.pick(snapshot)
    rising = values_of(MetricKey("chg"), snapshot) > 0
    dear = snapshot.mark >= 20
    assert set(picked.rows.tolist()) == set(np.flatnonzero(rising & dear).tolist())
    assert picked.gated == int((rising & ~dear).sum())
    picker.lifted = True
    assert picker.pick(snapshot).gated == 0
    assert len(picker.pick(snapshot).rows) == int(rising.sum())


def test_each_session_has_its_gate() -> None:
    snapshot = market(50)
    picker = Picker(gates=Gates(pre="A", regular="B", post="C"))
    for session, letter in ((Session.PRE, "A"), (Session.REGULAR, "B"), (Session.POST, "C"),
                            (Session.CLOSED, "B")):  # fmt: skip
        shown = picker.pick(replace(snapshot, session=session, cache={})).rows
        expected = sorted(s for s in snapshot.symbols if s.startswith(letter))
        assert names(snapshot, shown) == expected


def test_the_shipped_gate_lets_a_missing_spread_pass_and_keeps_warrants_off() -> None:
    snapshot = market(30)
    count = len(snapshot.symbols)
    none = np.full(count, np.nan)
    warrant = np.arange(count) == 3
    calm = replace(
        snapshot,
        bid=none,
        ask=none,
        mark=np.full(count, 5.0),
        trades=np.full(count, 20),
        notional=np.full(count, 25_000.0),
        signs={"warrant": warrant},
        cache={},
    )
    rows = Picker().pick(calm).rows.tolist()
    assert sorted(rows) == [row for row in range(count) if row != 3]
    thin = replace(calm, trades=np.full(count, 19), bars=np.full(count, 3), cache={})
    assert len(Picker().pick(thin).rows) == 0


def test_a_list_and_the_filter_over_it_both_hold() -> None:
    snapshot = market(200)
    picker = Picker(gates=None)
    picker.listed = parse("chg > 0")
    picker.chosen = parse("mark < 10")
    both = (values_of(MetricKey("chg"), snapshot) > 0) & (snapshot.mark < 10)
    assert set(picker.pick(snapshot).rows.tolist()) == set(np.flatnonzero(both).tolist())


def test_what_the_filter_lacks_is_counted() -> None:
    snapshot = market(60)
    picker = Picker(gates=None)
    picker.chosen = parse("rvol > 3")
    assert picker.pick(snapshot).unknown == {MetricKey("rvol"): 60}


def test_who_comes_onto_a_list_is_new_for_a_minute_and_who_leaves_is_remembered() -> None:
    presence = Presence()
    start = 100 * MINUTE_NS
    presence.note(["A", "B"], start)
    assert not presence.is_new("A", start)
    presence.note(["B", "C"], start + MINUTE_NS)
    assert presence.is_new("C", start + MINUTE_NS)
    assert presence.gone(start + MINUTE_NS) == ("A",)
    presence.note(["B", "C"], start + 2 * MINUTE_NS)
    later = start + 3 * MINUTE_NS
    presence.note(["B", "C"], later)
    assert not presence.is_new("C", later)
    assert presence.gone(later) == ()
    assert presence.minutes_on("C", later) == 2.0
    assert presence.minutes_on("A", later) == -1.0
    presence.note(["D"], later + 30 * MINUTE_NS)
    assert not presence.is_new("D", later + 30 * MINUTE_NS)


def test_the_board_starts_on_the_list_of_its_session() -> None:
    assert [start_key(s) for s in (Session.PRE, Session.REGULAR, Session.POST)] == ["5", "1", "9"]
