"""The replay bar's axis and cells, and the times that can be typed."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, new_york_ns
from stockscan_tui.market.snapshot import Doubt, Timeline
from stockscan_tui.ui.axis import Axis, activity, axis_of, touched
from stockscan_tui.ui.instant import Here, read_instant
from stockscan_tui.ui.timeline import GONE, PART_GONE, UNSEEN, cells_of, labels_of, reason_at
from tests.ui.market import NOW_NS, day_of, market, passed

MONDAY, TUESDAY = day_of(), day_of(days=1)
AFTERNOON = new_york_ns(date(2026, 6, 15), time(15, 0))


def of_day() -> Timeline:
    timeline = passed(market(2)).timeline
    assert timeline is not None
    return timeline


def of_two_days(reached_ns: int = TUESDAY.regular_ns) -> Timeline:
    return replace(of_day(), end_ns=TUESDAY.post_end_ns, reached_ns=reached_ns,
                   days=(MONDAY, TUESDAY))  # fmt: skip


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    edges, at = [], draw(st.integers(0, 10**6))
    for _ in range(draw(st.integers(1, 6))):
        begin = at + draw(st.integers(1, 2_000))
        at = begin + draw(st.integers(1, 1_000))
        edges.append((begin * MINUTE_NS, at * MINUTE_NS))
    return Axis.of(edges)


@given(axes(), st.integers(1, 400), st.data())
def test_every_cell_is_found_again_from_its_instant(
    axis: Axis, width: int, data: st.DataObject
) -> None:
    cell = data.draw(st.integers(0, width - 1))
    ns = axis.instant_at(cell, width)
    assert axis.cell(ns, width) == cell
    assert any(begin <= ns <= end for begin, end in axis.spans)


@given(axes(), st.integers(1, 400), st.data())
def test_an_instant_is_found_again_within_a_cell_and_order_is_kept(
    axis: Axis, width: int, data: st.DataObject
) -> None:
    inside = st.sampled_from(axis.spans).flatmap(lambda span: st.integers(span[0], span[1] - 1))
    early, late = sorted((data.draw(inside), data.draw(inside)))
    assert axis.instant(axis.offset(early)) == early
    assert axis.cell(early, width) <= axis.cell(late, width)
    back = axis.instant_at(axis.cell(early, width), width)
    assert abs(axis.offset(back) - axis.offset(early)) * width <= axis.length_ns
    assert axis.cells(np.array([early, late]), width).tolist() == [
        axis.cell(early, width), axis.cell(late, width)
    ]  # fmt: skip


@given(axes(), st.integers(1, 300))
def test_what_lies_outside_is_taken_for_the_nearest_that_is_shown(axis: Axis, width: int) -> None:
    first, last = axis.spans[0][0], axis.spans[-1][1]
    assert axis.cell(first - 10**15, width) == 0
    assert axis.cell(last + 10**15, width) == width - 1
    for (_, end), (begin, _) in pairwise(axis.spans):
        assert {axis.offset(ns) for ns in (end, (end + begin) // 2, begin)} == {axis.offset(begin)}


def test_the_night_between_two_days_takes_no_room() -> None:
    axis = axis_of(of_two_days())
    assert axis.spans == (
        (MONDAY.pre_ns, MONDAY.post_end_ns), (TUESDAY.pre_ns, TUESDAY.post_end_ns)
    )  # fmt: skip
    assert axis.cell(TUESDAY.pre_ns, 64) == 32
    assert axis.cell(TUESDAY.pre_ns - MINUTE_NS, 64) <= 32
    assert axis.instant_at(32, 64) == TUESDAY.pre_ns


def test_days_that_are_not_reached_yet_have_their_place_already() -> None:
    now, later = of_two_days(), of_two_days()
    assert axis_of(replace(now, days=(MONDAY,))) == axis_of(later)
    friday, monday = day_of(days=4), day_of(days=7)
    over_weekend = replace(now, days=(friday,), begin_ns=friday.pre_ns, end_ns=monday.regular_ns)
    assert axis_of(over_weekend).spans[1] == (monday.pre_ns, monday.regular_ns)


def test_a_file_outside_of_all_sessions_is_shown_whole() -> None:
    night = MONDAY.pre_ns - 100 * MINUTE_NS
    timeline = replace(of_day(), begin_ns=night, end_ns=night + 30 * SECOND_NS, reached_ns=night)
    axis = axis_of(timeline)
    assert axis.spans == ((night, night + MINUTE_NS),)
    assert axis.instant_at(7, 60) == night + 7 * SECOND_NS


@given(st.integers(1, 300))
def test_no_record_is_lost_in_folding(width: int) -> None:
    timeline = of_day()
    axis = axis_of(timeline)
    each = axis.length_ns / MINUTE_NS / width
    total = activity(timeline, axis, width).sum() * each
    assert math.isclose(total, timeline.records.sum(), rel_tol=1e-9)


def test_the_bar_shows_what_was_passed_and_where_one_is() -> None:
    timeline = of_day()
    axis = axis_of(timeline)
    cells = cells_of(timeline, axis, 96, NOW_NS - 60 * MINUTE_NS)
    looks = [cell.look for cell in cells]
    # Ten minutes a cell: at 09:41 of 10:41 that were reached.
    assert looks.index("here") == 34
    assert set(looks[:34]) == {"played", "edge"}
    assert set(looks[35:41]) == {"ahead"}
    assert set(looks[41:]) == {"unseen", "edge"}
    assert {cell.sign for cell in cells if cell.look == "unseen"} == {UNSEEN}
    assert [at for at, look in enumerate(looks) if look == "edge"] == [32, 71]
    assert max(cells[:41], key=lambda c: c.sign if c.look != "edge" else "").sign == "█"
    assert [cell.regular for cell in cells].index(True) == 33


def test_gaps_and_alerts_stand_where_they_were() -> None:
    half = MONDAY.pre_ns + 5 * MINUTE_NS
    gap = Doubt(half + 5 * MINUTE_NS, half + 20 * MINUTE_NS, "cut off")
    before = Doubt(MONDAY.pre_ns - 60 * MINUTE_NS, MONDAY.pre_ns, "before the file")
    timeline = replace(of_day(), doubts=(before, gap), alerts=np.array([MONDAY.regular_ns + 1]))
    axis = axis_of(timeline)
    cells = cells_of(timeline, axis, 96, NOW_NS)
    gone = {at: cell.sign for at, cell in enumerate(cells) if cell.look == "gone"}
    assert gone == {1: GONE, 2: PART_GONE}
    assert [at for at, cell in enumerate(cells) if cell.alert] == [33]
    assert reason_at(timeline, half, half + 10 * MINUTE_NS) == "cut off"
    assert reason_at(timeline, MONDAY.pre_ns, half) == ""
    assert not touched(axis, before.from_ns, before.to_ns, 96)


@given(st.integers(1, 260), st.sampled_from([of_day(), of_two_days()]))
def test_labels_never_touch(width: int, timeline: Timeline) -> None:
    axis = axis_of(timeline)
    labels = labels_of(axis, width, width)
    edges = [(label.at, label.at + len(label.text)) for label in labels]
    assert all(end < begin for (_, end), (begin, _) in pairwise(edges))
    assert all(begin >= 0 and end <= width for begin, end in edges)
    for label in labels:
        if not label.dated:
            hour, minute = (int(part) for part in label.text[1:].split(":"))
            instant = [new_york_ns(d.session_date, time(hour, minute)) for d in timeline.days]
            assert label.at in {axis.cell(ns, width) for ns in instant}


def at(hour: int, minute: int = 0, second: int = 0, day: int = 15) -> int:
    return new_york_ns(date(2026, 6, day), time(hour, minute, second))


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("10:30", at(10, 30)),
        ("1030", at(10, 30)),
        ("930", at(9, 30)),
        ("9", at(9)),
        ("10:30:15", at(10, 30, 15)),
        ("103015", at(10, 30, 15)),
        (" 2:05 PM ", at(14, 5)),
        ("905am", at(9, 5)),
        ("12pm", at(12)),
        ("open", at(9, 30)),
        ("Close", at(16)),
        ("pre", at(4)),
        ("begin", at(4)),
        ("+15m", AFTERNOON + 15 * MINUTE_NS),
        ("+15", AFTERNOON + 15 * MINUTE_NS),
        ("-90s", AFTERNOON - 90 * SECOND_NS),
        ("+1h30m", AFTERNOON + 90 * MINUTE_NS),
        ("-99h", at(4)),
        ("2026-06-16 10:30", at(10, 30, day=16)),
        ("2026-06-16 open", at(9, 30, day=16)),
        ("2026-06-16", at(4, day=16)),
    ],
)
def test_a_time_can_be_typed_in_many_ways(text: str, ns: int) -> None:
    assert read_instant(text, Here(AFTERNOON, of_two_days())) == ns


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "10:30"),
        ("soon", "is no time"),
        ("25:00", "no hour 25"),
        ("10:75", "no minute 75"),
        ("10:30:61", "no second 61"),
        ("13 pm", "1 to 12"),
        ("3:59", "begins at 04:00:00"),
        ("2026-06-17 10:00", "ends at 2026-06-16 20:00:00"),
        ("2026-06-31", "no date"),
        ("2026-06-17 open", "not known"),
        ("+", "is no time"),
        ("+15m5", "is no time"),
        ("10:30\x1b[2J", "is no time"),
    ],
)
def test_what_is_no_time_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        read_instant(text, Here(AFTERNOON, of_two_days()))
    assert "\x1b" not in str(refused.value)


@given(st.one_of(st.text(max_size=20), st.from_regex(r"[-+]?[0-9:]{1,9} ?(am|pm|m|s|h)?")))
def test_whatever_is_typed_leads_into_the_replay_or_is_refused(text: str) -> None:
    timeline = of_two_days()
    try:
        ns = read_instant(text, Here(AFTERNOON, timeline))
    except UsageError:
        return
    assert timeline.begin_ns <= ns <= timeline.end_ns


def test_a_time_belongs_to_the_day_that_is_shown() -> None:
    here = Here(TUESDAY.pre_ns - 10 * 3600 * SECOND_NS, of_two_days())
    assert read_instant("close", here) == MONDAY.post_ns
    assert read_instant("close", Here(TUESDAY.regular_ns, of_two_days())) == TUESDAY.post_ns


def test_beyond_an_end_that_is_not_known_one_may_go() -> None:
    timeline = replace(of_day(), end_ns=NOW_NS, reached_ns=NOW_NS)
    assert read_instant("15:00", Here(NOW_NS, timeline)) == at(15)
    assert read_instant("+9h", Here(NOW_NS, timeline)) == NOW_NS + 9 * 60 * MINUTE_NS
