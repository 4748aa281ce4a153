"""The board at the keyboard: movement, order, filter, and what is drawn."""

from __future__ import annotations

import math
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.errors import UsageError
from stockscan_tui.market.metrics import MetricKey, rank
from stockscan_tui.market.snapshot import Feed, Phase, Snapshot
from stockscan_tui.scan.expression import parse
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.screens.help import HelpScreen
from stockscan_tui.ui.screens.symbol import SymbolScreen
from stockscan_tui.ui.widgets.filter_field import FilterField
from stockscan_tui.ui.widgets.leaderboard import Leaderboard
from tests.ui.driving import Stage, on_stage
from tests.ui.market import market


def ordered(snapshot: Snapshot, name: str = "chg", *, ascending: bool = False) -> list[str]:
    """Return all symbols in the order of a metric."""
    rows = rank(snapshot, MetricKey(name), ascending=ascending, rows=snapshot.by_symbol)
    return [snapshot.symbols[row] for row in rows]


def moved(snapshot: Snapshot, symbol: str, factor: float) -> Snapshot:
    """Return the snapshot with one symbol's mark moved."""
    mark = snapshot.mark.copy()
    mark[snapshot.symbols.index(symbol)] *= factor
    return replace(snapshot, mark=mark, serial=snapshot.serial + 1, cache={})


def test_the_board_lists_movers_in_order() -> None:
    async def act(stage: Stage) -> None:
        assert stage.shown(10) == ordered(market())[:10]

    on_stage(act)


def test_keys_move_the_selection() -> None:
    expected = ordered(market(300))

    async def act(stage: Stage) -> None:
        page = stage.board.page
        for keys, place in (
            (("j", "j", "down"), 3),
            (("k", "up"), 1),
            (("G",), 299),
            (("j",), 299),
            (("g",), 0),
            (("k",), 0),
            (("ctrl+d",), page // 2),
            (("pagedown",), page // 2 + page),
            (("pageup",), page // 2),
            (("ctrl+u",), 0),
            (("end",), 299),
            (("home",), 0),
        ):
            await stage.pilot.press(*keys)
            assert stage.selected() == expected[place], keys
            top = stage.board.scroll_offset.y
            assert top <= place < top + page

    on_stage(act, snapshot=market(300))


def test_the_selection_stays_with_its_symbol_once_moved() -> None:
    still = market()

    async def act(stage: Stage) -> None:
        await stage.pilot.press("j", "j")
        symbol = stage.selected()
        await stage.show(moved(still, symbol, 0.2), after_s=5)
        assert stage.selected() == symbol
        assert ordered(stage.player.now or still).index(symbol) == stage.app._ranking.cursor

    on_stage(act)


def test_the_first_row_is_selected_until_one_moves() -> None:
    still = market()
    last = [s for s in ordered(still) if not math.isnan(still.mark[still.symbols.index(s)])][-9]

    async def act(stage: Stage) -> None:
        await stage.show(moved(still, last, 50), after_s=5)
        assert stage.selected() == last

    on_stage(act)


def test_the_order_is_made_once_a_second_and_held_while_moving() -> None:
    still = market()
    fifth = ordered(still)[4]
    up = moved(still, fifth, 50)

    async def act(stage: Stage) -> None:
        await stage.show(after_s=5)
        await stage.show(up, after_s=0.5)
        assert stage.shown(1) != [fifth]
        await stage.pilot.press("j")
        await stage.show(after_s=1.9)
        assert stage.shown(1) != [fifth]
        await stage.show(after_s=0.2)
        assert stage.shown(1) == [fifth]

    on_stage(act)


def test_s_sorts_by_the_next_column_and_capital_s_turns_it_round() -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("s")
        assert stage.app._ranking.key == MetricKey("chg", 5)
        await stage.pilot.press("S")
        await stage.pilot.pause()
        # Neither key writes: they are commands.
        rows = rank(market(), MetricKey("chg", 5), ascending=True, rows=market().by_symbol)
        assert stage.shown(3) == [market().symbols[row] for row in rows[:3]]

    on_stage(act)


def test_a_click_on_a_head_sorts_by_it_and_another_turns_it_round() -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.click(Leaderboard, offset=(25, 0))
        assert stage.shown(3) == ordered(market(), "mark")[:3]
        await stage.pilot.click(Leaderboard, offset=(25, 0))
        assert stage.shown(3) == ordered(market(), "mark", ascending=True)[:3]

    on_stage(act)


def test_a_filter_works_while_it_is_typed() -> None:
    async def act(stage: Stage) -> None:
        everything = len(stage.app._ranking.rows)
        first = stage.shown(1)[0]
        await stage.pilot.press("/", first[0].lower())
        assert isinstance(stage.app.focused, FilterField)
        await stage.pilot.pause()
        assert all(symbol.startswith(first[0]) for symbol in stage.shown(20))
        await stage.pilot.press("escape")
        assert len(stage.app._ranking.rows) == everything
        await stage.pilot.press("/", *first, "enter")
        await stage.pilot.pause()
        assert stage.shown(20) == [first]
        await stage.pilot.press("j")
        assert stage.selected() == first
        await stage.pilot.press("F")
        assert len(stage.app._ranking.rows) == everything

    on_stage(act)


def test_what_is_no_symbol_leaves_the_last_valid_filter_standing() -> None:
    async def act(stage: Stage) -> None:
        first = stage.shown(1)[0]
        await stage.pilot.press("/", *first)
        await stage.pilot.pause()
        await stage.pilot.press(")")
        await stage.pilot.pause()
        assert stage.shown(20) == [first]
        assert "Column " in stage.text()

    on_stage(act)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_the_filter(text: str) -> None:
    snapshot = market(20)
    try:
        chosen = parse(text)
    except UsageError:
        return
    rows = chosen.rows(snapshot)
    assert set(rows.tolist()) <= set(range(20))


def test_enter_opens_the_symbol_and_escape_returns_to_its_row() -> None:
    expected = ordered(market())

    async def act(stage: Stage) -> None:
        await stage.pilot.press("j", "j", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        await stage.show()
        assert expected[2] in stage.text()
        await stage.pilot.press("n", "n", "N")
        assert expected[3] in stage.text()
        await stage.pilot.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        assert stage.selected() == expected[3]

    on_stage(act)


def test_pause_and_speed_reach_the_player() -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("space")
        assert stage.player.pauses == [True]
        paused = replace(market().feed, phase=Phase.PAUSED)
        await stage.show(market(feed=paused))
        await stage.pilot.press("p", ">", "<")
        assert stage.player.pauses == [True, False]
        assert stage.player.speeds == [120.0, 30.0]
        await stage.show(market(feed=replace(paused, speed=math.inf)))
        await stage.pilot.press(">", "<")
        assert stage.player.speeds[2:] == [math.inf, 1000.0]

    on_stage(act)


def test_q_quits_and_escape_never_does() -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("escape", "escape")
        assert stage.app.is_running
        assert not stage.player.stopped
        await stage.pilot.press("q")
        assert stage.player.stopped

    assert on_stage(act).return_value == 0


def test_only_rows_in_view_are_drawn() -> None:
    async def act(stage: Stage) -> None:
        with patch.object(
            Leaderboard, "_row", autospec=True, side_effect=Leaderboard._row
        ) as drawn:
            await stage.show(moved(stage.player.now or market(), "NONE", 1.0), after_s=2)
        places = {call.args[2] for call in drawn.call_args_list}
        # However often a machine under load draws them again.
        assert 0 < len(places) <= stage.board.page + 1

    many = market(12_000)
    with patch("tests.ui.test_board.moved", lambda s, *_: replace(s, cache={})):
        on_stage(act, snapshot=many, size=(140, 40))


@pytest.mark.parametrize("size", [(20, 5), (3, 2), (1, 1), (80, 24), (200, 60)])
def test_every_size_of_terminal_will_do(size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("j", "G", "s", "/", "a", "escape", "?", "escape")
        await stage.show(after_s=3)
        await stage.pilot.press("enter")
        await stage.show(after_s=3)

    on_stage(act, size=size)


def test_hostile_symbols_and_titles_never_reach_the_terminal() -> None:
    still = market(8)
    names = ("\x1b[2J", "A\x07B", "A\u202eB", "\x9b31m", "[bold]X", "日本語", "A\nB", "x" * 80)
    feed = Feed("REPLAY", "\x1b]0;x\x07.dbn", "EQ\x1bS", "m\x00", phase=Phase.PLAYING)

    async def act(stage: Stage) -> None:
        for key in ("j", "enter"):
            await stage.pilot.press(key)
            await stage.show(after_s=3)
            text = stage.text().replace("\n", "")
            assert not [c for c in text if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c == "\u202e"]

    on_stage(act, snapshot=replace(still, symbols=names, feed=feed), size=(200, 40))


def test_missing_closes_and_a_failing_store_are_said() -> None:
    still = market()

    async def act(stage: Stage) -> None:
        await stage.show(replace(still, closes_known=False, cache={}))
        assert "no previous closes" in stage.text()
        health = replace(still.health, store_error="The database does not take the bars")
        await stage.show(replace(still, health=health, cache={}))
        assert "does not take the bars" in stage.text()

    on_stage(act)


def test_the_end_is_said() -> None:
    still = market()

    async def act(stage: Stage) -> None:
        await stage.show(replace(still, feed=replace(still.feed, phase=Phase.ENDED), cache={}))
        assert "end of file at 10:41:07" in stage.text()

    on_stage(act)


def test_the_wide_screen_shows_the_selected_symbols_minutes() -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("j")
        await stage.show()
        await stage.show()
        text = stage.text()
        assert "10:40" in text
        assert "bid × ask" in text

    on_stage(act, size=(200, 50))


def test_help_and_theme_open_from_anywhere() -> None:
    async def act(stage: Stage) -> None:
        before = stage.app.theme
        await stage.pilot.press("ctrl+t")
        assert stage.app.theme != before
        await stage.pilot.press("?")
        await stage.until(lambda: isinstance(stage.app.screen, HelpScreen))
        await stage.pilot.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))

    on_stage(act)


def test_recent_marks_end_with_the_present_one() -> None:
    snapshot = market(5)
    marks = snapshot.recent_marks(np.array([1, 4]), 30)
    assert marks.shape == (2, 31)
    assert marks[0, -1] == snapshot.mark[1]
    assert marks[1, 0] == snapshot.mark_history[-30][4]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
def test_a_market_of_which_hardly_anything_is_known_is_shown(size: tuple[int, int]) -> None:
    none, zero = np.full(60, np.nan), np.zeros(60, np.int64)
    floats = ("mark", "last", "bid", "ask", "prev_close", "open", "high", "low", "high_day",
              "low_day", "regular_open", "pre_open", "vwap")  # fmt: skip
    unknown = market(
        trades=zero, volume=zero, bars=zero + 3, last_trade_ns=zero, last_quote_ns=zero,
        mark_history=(none,) * 50, **dict.fromkeys(floats, none),  # type: ignore[arg-type]
    )  # fmt: skip

    async def act(stage: Stage) -> None:
        await stage.pilot.press("j", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        await stage.pilot.press(*["tab"] * (size[0] < 100))
        await stage.pilot.pause()
        assert "— in 3 bars" in stage.text()
        await stage.pilot.press("escape", "8", "4", "s", "c", "escape")
        await stage.drawn()

    on_stage(act, snapshot=unknown, size=size)
