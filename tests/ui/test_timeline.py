"""Moving through time on the screen: the bar, keys, mouse, a typed time, and what a leap leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from textual.widgets import Input

from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.market.snapshot import Doubt, Feed, Phase, Snapshot, Timeline
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.picking import Picker
from stockscan_tui.ui.axis import axis_of
from stockscan_tui.ui.format import clock
from stockscan_tui.ui.ranking import Ranking
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.screens.go_to import GoToScreen
from stockscan_tui.ui.screens.symbol import SymbolScreen
from stockscan_tui.ui.widgets.timeline import TimelineBar
from tests.ui.driving import Stage, on_stage
from tests.ui.market import NOW_NS, day_of, market, passed
from tests.ui.test_snapshots import application, arrive, lively

DAY = day_of()
LIVE = Feed("LIVE", "gateway", "EQUS.MINI", "mbp-1", phase=Phase.LIVE)


def timeline_of(snapshot: Snapshot) -> Timeline:
    assert snapshot.timeline is not None
    return snapshot.timeline


def elsewhere(snapshot: Snapshot, keep: slice, leap: int = 1, **changed: Any) -> Snapshot:
    """Return the market after a leap: only some of the symbols, and in reversed slots."""
    order = np.arange(len(snapshot.symbols))[keep][::-1]
    names = tuple(snapshot.symbols[row] for row in order.tolist())
    arrays = {
        name: getattr(snapshot, name)[order]
        for name in snapshot.__slots__
        if isinstance(getattr(snapshot, name), np.ndarray)
        and len(getattr(snapshot, name)) == len(snapshot.symbols)
    }
    arrays["by_symbol"] = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    history = tuple(marks[order] for marks in snapshot.mark_history)
    return replace(snapshot, symbols=names, mark_history=history, leap=leap, cache={},
                   serial=snapshot.serial + leap, **{**arrays, **changed})  # fmt: skip


def bar(stage: Stage) -> TimelineBar:
    return stage.app.screen.query_one(TimelineBar)


# --- the bar ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "lines"), [((80, 24), 1), ((120, 36), 2), ((200, 60), 3)])
def test_the_bar_takes_as_many_lines_as_there_is_room_for(
    size: tuple[int, int], lines: int
) -> None:
    async def act(stage: Stage) -> None:
        assert not bar(stage).display
        await stage.show(passed(market()))
        assert bar(stage).display
        assert bar(stage).size.height == lines
        text = stage.text()
        assert "█" in text
        assert "60×" in text
        assert text.count("60×") == 1
        assert "╵10:00" in text if lines > 1 else "04:00" in text
        await stage.show(market())
        assert not bar(stage).display

    on_stage(act, size=size)


@pytest.mark.parametrize("size", [(20, 5), (3, 2), (1, 1), (39, 24), (40, 16), (9, 60)])
def test_the_bar_breaks_in_no_terminal(size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        await stage.show(passed(market()))
        await stage.pilot.press("left_square_bracket", "T", "escape")

    on_stage(act, size=size)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_a_click_on_the_bar_moves_there(size: tuple[int, int]) -> None:
    shown = passed(market())

    async def act(stage: Stage) -> None:
        await stage.show(shown)
        x = bar(stage)._left + 11
        expected = axis_of(timeline_of(shown)).instant_at(11, bar(stage)._width)
        await stage.pilot.click(TimelineBar, offset=(x, 0))
        assert stage.player.moves == [("to", expected)]
        assert expected % MINUTE_NS == 0

    on_stage(act, size=size)


def test_dragging_scrubs_and_ends_where_the_mouse_is_let_go() -> None:
    shown = passed(market())

    async def act(stage: Stage) -> None:
        await stage.show(shown)
        left, width = bar(stage)._left, bar(stage)._width
        await stage.pilot.mouse_down(TimelineBar, offset=(left + 40, 0))
        assert stage.player.moves == []
        for x in range(41, 46):
            await stage.pilot.hover(TimelineBar, offset=(left + x, 0))
        # Beside the bar it is the bar's end.
        await stage.pilot.hover(TimelineBar, offset=(left + width, 0))
        await stage.pilot.mouse_up(TimelineBar, offset=(left + 20, 0))
        axis = axis_of(timeline_of(shown))
        assert stage.player.moves[-1] == ("to", axis.instant_at(20, width))
        moves = [ns for _, ns in stage.player.moves]
        assert moves[0] == axis.instant_at(41, width)
        count = len(moves)
        await stage.pilot.hover(TimelineBar, offset=(left + 30, 0))
        assert len(stage.player.moves) == count

    on_stage(act)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_what_is_under_the_mouse_is_said(size: tuple[int, int]) -> None:
    gap = Doubt(DAY.regular_ns, DAY.regular_ns + 40 * MINUTE_NS, "cut off for a while")

    async def act(stage: Stage) -> None:
        shown = passed(market(), doubts=(gap,))
        await stage.show(shown)
        axis = axis_of(timeline_of(shown))
        cell = axis.cell(gap.from_ns + 20 * MINUTE_NS, bar(stage)._width)
        under = clock(axis.instant_at(cell, bar(stage)._width))[:5]
        assert under not in stage.text()
        await stage.pilot.hover(TimelineBar, offset=(bar(stage)._left + cell, 0))
        assert under in stage.text()
        assert ("cut off for a while" in stage.text()) == (size[1] >= 36)

    on_stage(act, size=size)


def test_a_click_on_the_speed_pauses() -> None:
    async def act(stage: Stage) -> None:
        await stage.show(passed(market()))
        await stage.pilot.click(TimelineBar, offset=(77, 0))
        assert stage.player.pauses == [True]
        assert stage.player.moves == []

    on_stage(act, size=(80, 24))


# --- keys ------------------------------------------------------------------------------------


def test_keys_move_by_minutes_and_fast_presses_add_up() -> None:
    async def act(stage: Stage) -> None:
        await stage.show(passed(market()))
        await stage.pilot.press(
            "left_square_bracket", "left_square_bracket", "right_square_bracket",
            "left_curly_bracket", "right_curly_bracket",
        )  # fmt: skip
        minutes = [ns // MINUTE_NS for kind, ns in stage.player.moves if kind == "by"]
        assert minutes == [-1, -1, 1, -15, 15]

    on_stage(act)


def test_keys_move_from_alert_to_alert_also_before_a_picture_shows_it() -> None:
    alerts = NOW_NS + np.array([-300, -200, -100, 100, 200]) * SECOND_NS
    paused = replace(market().feed, phase=Phase.PAUSED)

    async def act(stage: Stage) -> None:
        await stage.show(passed(market(feed=paused), alerts=alerts))
        await stage.pilot.press("comma", "comma", "full_stop", "full_stop", "full_stop")
        seconds = [(ns - NOW_NS) // SECOND_NS for _, ns in stage.player.moves]
        assert seconds == [-100, -200, -100, 100, 200]
        await stage.pilot.press("full_stop")
        assert len(stage.player.moves) == 5
        assert "no alert after 10:44:27 as far as it has been played" in stage.text()
        # The engine says where it is going, then where it has come to.
        on_its_way = replace(paused, phase=Phase.PRIMING, goal_ns=int(alerts[1]))
        await stage.show(passed(market(feed=on_its_way, leap=1), alerts=alerts), after_s=3)
        await stage.pilot.press("comma", "comma")
        assert stage.player.moves[-1] == ("to", int(alerts[0]))
        assert "no alert before 10:36:07" in stage.text()

    on_stage(act)


def test_the_alert_just_passed_while_playing_is_not_the_one_before() -> None:
    alerts = NOW_NS + np.array([-900, -20]) * SECOND_NS

    async def act(stage: Stage) -> None:
        await stage.show(passed(market(), alerts=alerts))
        await stage.pilot.press("comma")
        assert stage.player.moves == [("to", int(alerts[0]))]

    on_stage(act)


@pytest.mark.parametrize("screen", ["board", "symbol"])
def test_a_typed_time_is_read_as_it_is_typed_and_gone_to(screen: str) -> None:
    async def act(stage: Stage) -> None:
        await stage.show(passed(market()))
        if screen == "symbol":
            await stage.pilot.press("enter")
            await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        await stage.pilot.press("T")
        await stage.until(lambda: isinstance(stage.app.focused, Input))
        assert isinstance(stage.app.screen, GoToScreen)
        await stage.write("10:7")
        await stage.pilot.pause()
        assert "is no time" in stage.text()
        await stage.pilot.press("5", "enter")
        assert "no minute 75" in stage.text()
        await stage.pilot.press("backspace", "backspace", "1", "5")
        assert "→ Mon 15 Jun 10:15:00" in stage.text()
        assert "26:07 back" in stage.text()
        await stage.pilot.press("enter")
        await stage.until(lambda: not isinstance(stage.app.screen, GoToScreen))
        assert stage.player.moves == [("to", DAY.regular_ns + 45 * MINUTE_NS)]

    on_stage(act)


def test_escape_and_an_empty_field_stay_where_one_is() -> None:
    async def act(stage: Stage) -> None:
        await stage.show(passed(market()))
        for keys in (("1", "0", "escape"), ("enter",)):
            await stage.pilot.press("T", *keys)
            await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        assert stage.player.moves == []

    on_stage(act)


@pytest.mark.parametrize(
    ("feed", "says"),
    [(LIVE, "--record"), (replace(LIVE, mode="DEMO"), "the demo is live"),
     (market().feed, "nothing has been played yet")],
    ids=["live", "demo", "replay"],
)  # fmt: skip
def test_where_there_is_nothing_to_go_back_to_it_is_said(feed: Feed, says: str) -> None:
    async def act(stage: Stage) -> None:
        for key in ("left_square_bracket", "left_curly_bracket", "T", "comma"):
            await stage.show(after_s=30)
            assert "nothing to go back to" not in stage.text()
            await stage.pilot.press(key)
            assert isinstance(stage.app.screen, BoardScreen)
            assert "nothing to go back to" in stage.text()
            assert says in stage.text()
        assert stage.player.moves == []

    on_stage(act, snapshot=market(feed=feed))


def test_a_live_run_enters_its_past_and_returns_to_now() -> None:
    now = passed(market(feed=LIVE), end_ns=NOW_NS)
    past = replace(now, leap=1, event_ns=NOW_NS - 10 * MINUTE_NS,
                   feed=replace(LIVE, phase=Phase.PLAYING))  # fmt: skip

    async def act(stage: Stage) -> None:
        await stage.pilot.press("right_square_bracket")
        assert "this is now" in stage.text()
        # A picture that is held still is let go of.
        await stage.pilot.press("space", "left_curly_bracket")
        assert stage.player.moves == [("by", -15 * MINUTE_NS)]
        await stage.show(past, after_s=1)
        assert "the past, 10:31 · L returns to now" in stage.text()
        ended = replace(past, feed=replace(LIVE, phase=Phase.ENDED))
        await stage.show(ended, after_s=30)
        assert "end of file" not in stage.text()
        assert "the past up to 10:31" in stage.text()
        await stage.pilot.press("L")
        assert stage.player.moves[-1] == ("now", 0)
        await stage.show(replace(now, leap=2), after_s=1)
        assert "the past" not in stage.text()

    on_stage(act, snapshot=now)


def test_a_replay_has_no_now() -> None:
    async def act(stage: Stage) -> None:
        await stage.show(passed(market()))
        await stage.pilot.press("L")
        assert stage.player.moves == []
        assert "there is no now" in stage.text()

    on_stage(act)


def test_on_its_way_the_status_says_where_it_goes_and_keys_answer() -> None:
    still = market()
    goal_ns = NOW_NS + 18 * MINUTE_NS + 53 * SECOND_NS
    feed = replace(still.feed, phase=Phase.PRIMING, goal_ns=goal_ns)

    async def act(stage: Stage) -> None:
        await stage.show(passed(replace(still, feed=feed)))
        assert "→ 11:00 19m to go" in stage.text()
        assert "▷" in stage.text()
        await stage.pilot.press("j", "j")
        assert stage.app._ranking.cursor == 2
        await stage.pilot.press("right_square_bracket")
        assert stage.player.moves == [("by", MINUTE_NS)]

    on_stage(act)


# --- after a leap ----------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [slice(20, 45), slice(0, 60), slice(0, 1), slice(0, 0)])
@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_a_leap_to_fewer_symbols_in_other_slots_shows_them_in_order_at_once(
    keep: slice, size: tuple[int, int]
) -> None:
    before = passed(market())
    after = elsewhere(before, keep)

    async def act(stage: Stage) -> None:
        await stage.pilot.press("G", "k")
        # Held order or not: what is shown is of another time.
        await stage.show(after, after_s=0.1)
        key = MetricKey("chg")
        ranking = Ranking(key, picker=Picker(gates=None))
        ranking.update(after, 0.0)
        names = [after.symbols[row] for row in ranking.rows.tolist()]
        assert stage.app._ranking.rows.tolist() == ranking.rows.tolist()
        top = stage.board.scroll_offset.y
        assert stage.shown(5) == (names[top : top + 5] or ["of"])
        await stage.pilot.press("g")
        assert stage.shown(5) == (names[:5] or ["of"])
        await stage.pilot.press("j", "y", "s", "G", "k")
        # And there again.
        await stage.show(replace(before, leap=2), after_s=0.1)
        assert len(stage.app._ranking.rows) == 60

    on_stage(act, snapshot=before, size=size)


def test_the_selection_stays_with_its_name_and_comes_back_with_it() -> None:
    before = passed(market())

    async def act(stage: Stage) -> None:
        await stage.pilot.press(*"jjjjj")
        name = stage.selected()
        slot = before.symbols.index(name)
        await stage.show(elsewhere(before, slice(max(slot - 5, 0), slot + 5)))
        assert stage.selected() == name
        gone = elsewhere(before, slice(0, slot) if slot > 9 else slice(slot + 1, 60), leap=2)
        await stage.show(gone)
        assert stage.selected() != name
        await stage.show(replace(before, leap=3))
        assert stage.selected() == name
        await stage.show(replace(gone, leap=4))
        await stage.pilot.press("j")
        moved_to = stage.selected()
        await stage.show(replace(before, leap=5))
        assert stage.selected() == moved_to

    on_stage(act, snapshot=before)


def test_no_row_flashes_and_no_arrow_is_left_after_a_leap() -> None:
    before = passed(market())
    later = replace(before, mark=before.mark * 1.1, cache={}, serial=2)
    after = replace(later, mark=later.mark * 2, leap=1, cache={}, serial=3)

    async def act(stage: Stage) -> None:
        await stage.show(later, after_s=5)
        assert "▴" in "".join(stage.board.render_line(y).text for y in range(1, 9))
        await stage.show(after)
        lines = [stage.board.render_line(y) for y in range(1, 9)]
        assert not {"▴", "▾"} & set("".join(line.text for line in lines))
        assert (stage.board._flash_until <= stage.board._now_s).all()
        await stage.show(replace(after, mark=after.mark * 1.01, cache={}, serial=4))
        assert (stage.board._flash_until > stage.board._now_s).any()

    on_stage(act, snapshot=before)


def test_who_is_on_the_list_after_a_leap_has_not_just_come() -> None:
    before = market()
    after = elsewhere(before, slice(30, 60), event_ns=NOW_NS + 30 * SECOND_NS)
    ranking = Ranking(MetricKey("chg"), picker=Picker(gates=None))
    ranking.update(elsewhere(before, slice(0, 30), leap=0), 0.0)
    ranking.update(after, 0.1)
    assert not any(ranking.presence.is_new(name, after.event_ns) for name in after.symbols)
    assert ranking.presence.gone(after.event_ns) == ()


def test_nothing_has_crossed_by_a_leap() -> None:
    below = market(mark=np.full(60, 9.0))
    above = replace(below, mark=np.full(60, 11.0), cache={}, event_ns=NOW_NS + SECOND_NS)
    for leap, crossed in ((0, 60), (1, 0)):
        ranking = Ranking(MetricKey("chg"), picker=Picker(gates=None))
        ranking.chosen = parse("crosses_above(mark, 10)")
        ranking.update(below, 0.0)
        ranking.update(replace(above, leap=leap), 5.0)
        assert len(ranking.rows) == crossed


def test_a_leap_under_another_screen_reaches_the_board_too() -> None:
    before = passed(market())
    after = elsewhere(before, slice(0, 7))

    async def act(stage: Stage) -> None:
        await stage.pilot.press("G", "k", "k", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        await stage.show(after)
        await stage.show(after, after_s=2)
        await stage.pilot.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        assert set(stage.shown(7)) == set(after.symbols)
        await stage.pilot.press("c")
        await stage.show(replace(before, leap=2))
        await stage.pilot.press("escape")
        assert len(stage.app._ranking.rows) == 60

    on_stage(act, snapshot=before)


def test_crossing_marks_and_figures_of_a_shorter_market_are_safe() -> None:
    before = passed(market(alerts=np.ones(60, np.int64)))
    after = elsewhere(before, slice(0, 40), alerts=np.ones(3, np.int64))

    async def act(stage: Stage) -> None:
        await stage.show(after)
        await stage.pilot.press("G", "j", "k", "g")
        await stage.show(after, after_s=3)
        assert "!1" in stage.text()

    on_stage(act, snapshot=before, size=(200, 60))


# --- pictures --------------------------------------------------------------------------------


def busy_day() -> Snapshot:
    """Return a replay that went on to 15:10 and came back, with alerts and a gap."""
    gap = Doubt(DAY.regular_ns + 200 * MINUTE_NS, DAY.regular_ns + 236 * MINUTE_NS, "cut off")
    reached_ns = DAY.regular_ns + 340 * MINUTE_NS
    later = passed(replace(lively(), event_ns=reached_ns))
    alerts = DAY.regular_ns + np.array([2, 3, 31, 95, 180, 300]) * MINUTE_NS
    timeline = replace(timeline_of(later), doubts=(gap,), alerts=alerts)
    return replace(lively(), timeline=timeline)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_board_with_the_bar(snap_compare: Any, size: tuple[int, int], theme: str) -> None:
    app = application(busy_day(), theme=f"stockscan-{theme}")
    assert snap_compare(app, terminal_size=size, run_before=arrive())


def test_several_days_on_the_bar(snap_compare: Any) -> None:
    days = tuple(day_of(days=days) for days in range(3))
    minute = np.concatenate([np.arange(d.pre_ns, d.post_end_ns, 60 * SECOND_NS) for d in days])
    records = (1 + 40 * np.abs(np.sin(minute / 7e12))).astype(np.int64)
    timeline = Timeline(days[0].pre_ns, days[2].post_end_ns, days[2].regular_ns,
                        minute // MINUTE_NS, records, days)  # fmt: skip
    app = application(replace(lively(), timeline=timeline))
    assert snap_compare(app, terminal_size=(120, 36), run_before=arrive())


def test_a_time_being_typed(snap_compare: Any) -> None:
    app = application(busy_day())
    assert snap_compare(app, terminal_size=(80, 24), run_before=arrive("T", "1", "4", "3", "0"))
