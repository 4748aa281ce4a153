"""The symbol's screen: panels and keys, the way there and back, and what it says of its minutes."""

from __future__ import annotations

import csv
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.geometry import Region

from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.minutes import MinuteBars, Minutes
from stockscan_tui.market.snapshot import Doubt, Snapshot
from stockscan_tui.market.study import Study
from stockscan_tui.market.verdicts import Verdict
from stockscan_tui.ui.arrangement import PANELS, arranged
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.screens.export import ExportScreen
from stockscan_tui.ui.screens.symbol import SymbolScreen
from stockscan_tui.ui.widgets.chart import Chart
from stockscan_tui.ui.widgets.symbol.alerts import AlertList, in_words
from stockscan_tui.ui.widgets.symbol.prints import PrintList
from stockscan_tui.ui.widgets.symbol.strip import MinuteStrip, scale_for
from stockscan_tui.ui.widgets.symbol.table import BarTable
from stockscan_tui.ui.widgets.timeline import TimelineBar
from tests.ui.driving import Stage, on_stage
from tests.ui.market import NOW_NS, day_of, market, passed, study_of
from tests.ui.test_board import ordered

NOW = NOW_NS // MINUTE_NS
Act = Callable[[Stage, SymbolScreen], Awaitable[Any]]


def on_symbol(
    act: Act,
    *,
    snapshot: Snapshot | None = None,
    size: tuple[int, int] = (120, 36),
    stored: Callable[[Snapshot, str], Study | None] = study_of,
) -> None:
    """Run `act` on the screen of the third symbol of the board."""

    async def opened(stage: Stage) -> None:
        stage.player.stored = stored
        await stage.pilot.press("j", "j", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        screen = stage.app.screen
        assert isinstance(screen, SymbolScreen)
        await stage.until(lambda: screen.query_one(Chart).size.height > 0)
        await stage.show()
        await act(stage, screen)

    on_stage(opened, snapshot=snapshot, size=size)


def focused(stage: Stage) -> str:
    return str(stage.app.focused.id) if stage.app.focused is not None else ""


def title(stage: Stage) -> str:
    return stage.text().splitlines()[1]


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((80, 24), {"chart", "strip"}),
        ((120, 36), {"chart", "strip", "figures", "prints", "table", "alerts"}),
        ((200, 60), {"chart", "strip", "figures", "prints", "table", "alerts"}),
    ],
)
def test_panels_fill_the_room_without_overlapping(size: tuple[int, int], shown: set[str]) -> None:
    async def act(_stage: Stage, screen: SymbolScreen) -> None:
        panels = [panel for panel in screen.query("#body > *") if panel.display]
        assert {panel.id for panel in panels} == shown
        body = screen.query_one("#body").region
        assert sum(panel.region.area for panel in panels) == body.area
        for panel in panels:
            assert body.contains_region(panel.region)
            others = [other.region for other in panels if other is not panel]
            assert not any(panel.region.overlaps(other) for other in others)

    on_symbol(act, size=size)


@given(st.integers(1, 300), st.integers(1, 100), st.sampled_from(PANELS))
@settings(max_examples=200, deadline=None)
def test_in_any_room_the_chosen_panel_is_shown_and_none_lies_on_another(
    width: int, height: int, chosen: str
) -> None:
    places = arranged(width, height, chosen)
    assert chosen in places
    assert sum(place.area for place in places.values()) == width * height
    for name, place in places.items():
        assert Region(0, 0, width, height).contains_region(place)
        assert not any(place.overlaps(other) for one, other in places.items() if one != name)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_tab_goes_through_all_panels_and_back(size: tuple[int, int]) -> None:
    order = ["figures", "strip", "prints", "table", "alerts", "chart"]

    async def act(stage: Stage, screen: SymbolScreen) -> None:
        assert focused(stage) == "chart"
        for name in order:
            await stage.pilot.press("tab")
            assert focused(stage) == name
            assert screen.query_one(f"#{name}").region.area > 200
        await stage.pilot.press("shift+tab")
        assert focused(stage) == "alerts"
        assert "runner" in stage.text()

    on_symbol(act, size=size)


def test_n_walks_along_the_list_and_escape_leads_to_the_row_of_what_was_shown() -> None:
    expected = ordered(market())

    async def act(stage: Stage, _screen: SymbolScreen) -> None:
        await stage.pilot.press("n", "n", "N")
        assert expected[3] in title(stage)
        assert "4 of 60" in title(stage)
        assert stage.player.asked[-1] == expected[3]
        assert stage.player._focus == expected[3]
        await stage.pilot.press("N", "N", "N", "N")
        assert expected[0] in title(stage)
        assert "first one" in stage.text()
        await stage.pilot.press("n", "escape")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        assert stage.selected() == expected[1]
        assert stage.player.asked[-1] is None

    on_symbol(act)


def test_a_symbol_that_is_not_on_the_list_leads_back_to_the_row_that_one_came_from() -> None:
    expected = ordered(market())

    async def act(stage: Stage) -> None:
        hidden = next(name for name in expected if name[0] != expected[0][0])
        await stage.filter(expected[0][0])
        came_from = stage.selected()
        await stage.pilot.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        await stage.pilot.press("slash")
        await stage.write(hidden, "enter")
        await stage.until(lambda: hidden in title(stage))
        assert "not on the list" in title(stage)
        await stage.pilot.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        assert stage.selected() == came_from

    on_stage(act)


def test_jump_completes_opens_and_gives_way_to_escape() -> None:
    names = sorted(market().symbols)

    async def act(stage: Stage, screen: SymbolScreen) -> None:
        before = screen.symbol
        start = names[20][:1]
        found = [name for name in names if name.startswith(start)]
        await stage.pilot.press("slash", start.lower())
        await stage.until(lambda: "  ".join(found[:12]) in stage.text())
        await stage.pilot.press("tab", "tab", "shift+tab", "tab")
        await stage.pilot.press("escape")
        assert stage.app.screen is screen
        assert screen.symbol == before
        assert focused(stage) == "chart"
        await stage.pilot.press("slash", start.lower(), "tab", "tab", "enter")
        assert screen.symbol == found[1]
        await stage.pilot.press("slash", "0", "enter")
        assert screen.symbol == found[1]
        assert "no symbol begins with 0" in stage.text()

    on_symbol(act)


def test_a_digit_leads_back_to_that_list() -> None:
    async def act(stage: Stage, _screen: SymbolScreen) -> None:
        await stage.pilot.press("2")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        assert stage.app._ranking.list is not None
        assert stage.app._ranking.list.key == "2"

    on_symbol(act)


def test_the_interval_goes_round_for_chart_and_table() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        table = screen.query_one(BarTable)
        bars = table.bars
        for key, minutes in (("i", 2), ("i", 5), ("i", 15), ("i", 60), ("i", 1), ("I", 60)):
            await stage.pilot.press(key)
            assert f"{minutes} min" in title(stage)
            assert set((table.bars.minute % minutes).tolist()) == {0}
            assert table.bars.volume.sum() == bars.volume.sum()

    on_symbol(act)


def test_the_crosshair_is_the_charts_unless_the_minutes_have_the_focus() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        chart, strip = screen.query_one(Chart), screen.query_one(MinuteStrip)
        await stage.pilot.press("left", "left", "right")
        assert chart.crossed is not None
        crossed = chart.crossed.minute
        await stage.pilot.press("tab", "tab")
        assert strip.minute == NOW - 1
        await stage.pilot.press("left", "left", "k", "right")
        assert strip.minute == NOW - 62
        assert chart.crossed.minute == crossed

    on_symbol(act)


def test_each_minute_says_its_verdict_the_reason_and_its_bar() -> None:
    day = day_of()
    doubts = (
        Doubt(day.pre_ns, day.pre_ns + 35 * MINUTE_NS, "before the file"),
        Doubt(NOW_NS - 9 * MINUTE_NS, NOW_NS - 8 * MINUTE_NS, "the connection was \x1b[31mreset"),
    )

    async def act(stage: Stage, screen: SymbolScreen) -> None:
        await stage.pilot.press("tab", "tab")
        told: dict[int, str] = {}
        strip = screen.query_one(MinuteStrip)
        for _ in range(30):
            assert strip.minute is not None
            told[strip.minute] = strip.told
            await stage.pilot.press("left")
        held = study_of(stage.player.now or market(), screen.symbol)
        assert held is not None
        traded = set(held.bars.minute.tolist())
        for minute, said in told.items():
            if NOW - 9 <= minute <= NOW - 8:
                assert "unknown: the connection was" in said
            elif minute in traded:
                assert " traded: " in said
                assert " shares" in said
            else:
                assert "quiet: no trade, and the feed was whole" in said
        assert "\x1b" not in stage.text()
        await stage.pilot.press(*["k"] * 9)
        assert "04:" in strip.told
        assert "unknown: before the file" in strip.told

    on_symbol(act, snapshot=market(doubts=doubts))


def test_a_hole_can_be_seen_in_the_strip_at_every_size() -> None:
    day = day_of()
    hole = Doubt(day.regular_ns + 20 * MINUTE_NS, day.regular_ns + 22 * MINUTE_NS, "down")
    for size in ((80, 24), (120, 36), (200, 60)):

        async def act(_stage: Stage, screen: SymbolScreen) -> None:
            strip = screen.query_one(MinuteStrip)
            rows = [strip.render_line(y).text for y in range(strip.size.height)]
            assert any("░" in row.split("unknown")[0].rstrip("░ ") for row in rows)
            assert any("unknown 2" in row for row in rows)

        on_symbol(act, snapshot=market(doubts=(hole,)), size=size)


@pytest.mark.parametrize("minutes", [960, 780, 1])
def test_every_minute_has_its_cell(minutes: int) -> None:
    for width in (1, 20, 80, 86, 158, 400):
        for rows in range(1, 20):
            scale = scale_for(width, rows, minutes)
            assert scale.rows <= rows
            assert scale.label + scale.cells <= max(width, 1) or width < 3
            if width >= 20:
                assert scale.cells * scale.rows * scale.minutes >= minutes


def test_until_something_is_read_no_minute_is_called_quiet() -> None:
    async def act(_stage: Stage, screen: SymbolScreen) -> None:
        known = screen.query_one(MinuteStrip)._known
        assert known is not None
        assert set(known.codes.tolist()) == {Verdict.UNREAD, Verdict.AHEAD}
        assert "reading" in screen.query_one(BarTable).note

    on_symbol(act, stored=lambda *_: None)


def test_trades_stand_newest_first_with_their_side() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        await stage.show()
        lines = [screen.query_one(PrintList).render_line(y).text for y in (1, 2, 3)]
        snapshot = stage.player.snapshot()
        assert snapshot is not None
        prints = snapshot.prints
        assert prints is not None
        for line, at in zip(lines, (-1, -2, -3), strict=True):
            stamp, price, size, side = line.split()[:4]
            ms = prints.ts_ns[at] // 1_000_000 % 60_000
            assert stamp.endswith(f"{ms // 1000:02}.{ms % 1000:03}")
            assert (float(price), int(size)) == (prints.price[at], prints.size[at])
            assert side[0] == {1: "▲", -1: "▼", 0: "·"}[int(prints.side[at])]

    on_symbol(act)


def test_without_trades_it_is_said_since_when_they_are_kept() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        stage.player.focus("NONE")
        panel = screen.query_one(PrintList)
        panel.show(None, NOW_NS)
        assert "10:41:07" in panel.note

    on_symbol(act)


def test_the_cursor_stays_with_its_trade_when_others_come() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        await stage.show()
        panel = screen.query_one(PrintList)
        await stage.pilot.press("tab", "tab", "tab", "j", "j")
        before = panel.copied()
        snapshot = stage.player.snapshot()
        assert snapshot is not None
        assert snapshot.prints is not None
        shown = snapshot.prints
        last = NOW_NS
        more = replace(
            shown,
            ts_ns=np.append(shown.ts_ns, last), price=np.append(shown.price, 3.0),
            size=np.append(shown.size, 5), side=np.append(shown.side, 0),
        )  # fmt: skip
        panel.show(more, NOW_NS)
        assert panel.cursor == 3
        assert panel.copied() == before
        await stage.pilot.press("g")
        panel.show(replace(more, ts_ns=more.ts_ns + 1), NOW_NS)
        assert panel.cursor == 0

    on_symbol(act)


def test_the_table_sorts_by_any_column_and_is_copied_by_the_row() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        table = screen.query_one(BarTable)
        await stage.pilot.press(*["tab"] * 4)
        newest = table.bars.minute[-1]
        assert table.key_of(0) == newest
        names = ["open", "high", "low", "close", "change", "volume", "trades", "vwap", "source"]
        for name in names:
            await stage.pilot.press("s")
            assert table.sorted_by == name
            first = table.copied().split("\t")
            values = np.sort(table._values[name][~np.isnan(table._values[name])])[::-1]
            at = int(table._order[0])
            assert table._values[name][at] == values[0]
            await stage.pilot.press("S")
            assert table._values[name][int(table._order[0])] == values[-1]
            assert len(first) == len(table._columns)
        copied: list[str] = []
        stage.app.copy_to_clipboard = copied.append  # type: ignore[method-assign, assignment]
        await stage.pilot.press("s", "j", "y")
        assert copied[0].count("\t") == len(names)
        await stage.pilot.press("tab", "tab", "y")
        assert copied[1] == screen.symbol

    on_symbol(act, size=(200, 60))


def test_a_click_on_a_head_sorts_and_another_turns_it_round() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        table = screen.query_one(BarTable)
        for ascending in (False, True):
            await stage.pilot.click(BarTable, offset=(27, 1))
            assert (table.sorted_by, table.ascending) == ("high", ascending)

    on_symbol(act, size=(200, 60))


def test_the_bars_are_exported_as_they_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def act(stage: Stage, screen: SymbolScreen) -> None:
        await stage.pilot.press("i", "i", "e")
        await stage.until(lambda: isinstance(stage.app.screen, ExportScreen))
        await stage.pilot.press("enter")
        await stage.until(lambda: " rows written to " in stage.text())
        file = next(tmp_path.iterdir())
        assert file.name == f"stockscan-{screen.symbol}-5m-20260615-104107.csv"
        with file.open(encoding="utf-8", newline="") as opened:
            rows = list(csv.DictReader(opened))
        bars = screen.query_one(BarTable).bars
        assert [float(row["close"]) for row in rows] == bars.close[::-1].tolist()
        assert rows[0]["ts"] == "2026-06-15 14:40:00"
        assert set(rows[0]) == {"ts", "open", "high", "low", "close", "volume", "vwap", "trades",
                                "change_pct", "source"}  # fmt: skip

    on_symbol(act)


def test_enter_on_an_alert_moves_the_market_there() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        await stage.pilot.press("shift+tab", "j", "enter")
        fired = screen.query_one(AlertList).chosen
        assert fired is not None
        assert fired.rule == "move"
        assert stage.player.moves == [("to", fired.ts_ns)]

    on_symbol(act, snapshot=passed(market()))


def test_alerts_of_what_is_still_to_come_are_not_told() -> None:
    def stored(s: Snapshot, symbol: str) -> Study | None:
        read = study_of(replace(s, event_ns=NOW_NS), symbol)
        return replace(read, leap=s.leap) if read is not None else None

    async def act(stage: Stage, screen: SymbolScreen) -> None:
        alerts = screen.query_one(AlertList)
        assert alerts.count == 2
        early = day_of().pre_ns + 30 * MINUTE_NS
        await stage.show(market(event_ns=early, leap=1))
        assert alerts.count == 0
        assert "no alert" in alerts.note
        assert screen.query_one(BarTable).bars.minute.max() < early // MINUTE_NS

    on_symbol(act, stored=stored)


def test_stored_values_are_shown_in_words_whatever_they_are() -> None:
    assert in_words('{"chg": 5.25, "rvol": 3}') == "chg 5.25  rvol 3"
    assert in_words("") == ""
    assert "\x1b" not in in_words('{"a\\u001b[31m": "\\u001b"}')
    assert "\x1b" not in in_words("no json \x1b")


def running(snapshot: Snapshot, symbol: str, close: float, volume: int) -> Minutes:
    """Return memory with one closed minute and the one that goes on."""
    slot = np.array([snapshot.symbols.index(symbol)], np.int32)

    def piece(minute: int, price: float, size: int) -> MinuteBars:
        one, shares = np.array([price]), np.array([size])
        return MinuteBars(minute, slot, one, one, one, one, shares, shares, one * shares)

    return Minutes((piece(NOW - 1, 77.0, 11),), piece(NOW, close, volume))


def test_memory_wins_over_what_was_stored_and_goes_on_live() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        table = screen.query_one(BarTable)
        still = stage.player.now
        assert still is not None
        for close, volume in ((78.0, 5), (79.0, 9)):
            minutes = running(still, screen.symbol, close, volume)
            await stage.show(replace(still, minutes=minutes, cache={}))
            assert table.bars.minute.tolist()[-2:] == [NOW - 1, NOW]
            assert table.bars.close.tolist()[-2:] == [77.0, close]
            assert table.bars.volume.tolist()[-1] == volume

    on_symbol(act)


def test_nothing_is_made_anew_while_nothing_changes() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        still = stage.player.now
        assert still is not None
        minutes = running(still, screen.symbol, 5.0, 1)
        await stage.show(replace(still, minutes=minutes, cache={}))
        bars = screen.query_one(BarTable)._minutes
        await stage.show(replace(still, minutes=minutes, serial=9, cache={}))
        assert screen.query_one(BarTable)._minutes is bars

    on_symbol(act)


def test_it_asks_again_for_another_symbol_after_a_leap_and_before_memory_forgets() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        player, still = stage.player, stage.player.now
        assert still is not None
        assert player.asked == [screen.symbol]
        await stage.show(after_s=60)
        assert len(player.asked) == 1
        await stage.show(replace(still, leap=1, cache={}))
        assert len(player.asked) == 2
        empty = np.zeros(0, np.int32), *[np.zeros(0)] * 7
        closed = tuple(MinuteBars(NOW - 10 + at, *empty) for at in range(128))  # type: ignore[arg-type]
        later = replace(still, leap=1, event_ns=NOW_NS + 118 * MINUTE_NS,
                        minutes=Minutes(closed), cache={})  # fmt: skip
        await stage.show(later, after_s=1)
        assert len(player.asked) == 2
        await stage.show(replace(later, cache={}), after_s=5)
        assert len(player.asked) == 3
        await stage.show(replace(later, cache={}), after_s=5)
        assert len(player.asked) == 3

    on_symbol(act)


def test_what_is_read_in_another_thread_is_shown_without_a_new_picture() -> None:
    read: list[Study | None] = [None]

    async def act(stage: Stage, screen: SymbolScreen) -> None:
        table = screen.query_one(BarTable)
        assert len(table.bars) == 0
        read[0] = study_of(stage.player.now or market(), screen.symbol)
        thread = threading.Thread(target=stage.player.ready)
        thread.start()
        thread.join()
        await stage.until(lambda: len(table.bars) > 400)
        await stage.pilot.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        stage.player.ready()
        await stage.pilot.pause()

    on_symbol(act, stored=lambda *_: read[0])


def test_a_symbol_is_followed_by_its_name_through_a_leap_and_its_absence_is_said() -> None:
    still = market()

    async def act(stage: Stage, screen: SymbolScreen) -> None:
        symbol = screen.symbol
        row = still.symbols.index(symbol)
        names = [name for name in still.symbols if name != symbol]
        other = market(60, seed=5)
        turned = replace(other, symbols=(*still.symbols[1:], still.symbols[0]), leap=1, cache={})
        await stage.show(turned)
        assert f"{other.mark[row - 1]:,.2f}" in title(stage)
        await stage.show(replace(other, symbols=(*names, "ZZZZ"), leap=2, cache={}))
        assert "is not in the market at this instant" in title(stage)
        assert len(screen.query_one(BarTable).bars) == 0
        assert screen.query_one(MinuteStrip).minute is None
        await stage.pilot.press("e", "y", "left", "+", "tab", "n")
        await stage.show(replace(turned, leap=3, cache={}))
        assert "is not in" not in title(stage)

    on_symbol(act)


def test_the_palettes_symbols_and_lists_work_from_here() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        other = sorted(market().symbols)[7]
        stage.app.jump_to(other)
        await stage.pilot.pause()
        assert other in title(stage)
        stage.app.show_list("3")
        await stage.until(lambda: str(getattr(stage.app._ranking.list, "key", "")) == "3")
        assert isinstance(stage.app.screen, BoardScreen)

    on_symbol(act)


def test_a_sheet_over_the_screen_leaves_the_symbol_in_focus() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        await stage.pilot.press("n", "question_mark")
        await stage.show(replace(market(), serial=7, cache={}))
        assert stage.player._focus == screen.symbol
        await stage.pilot.press("escape")
        await stage.until(lambda: stage.app.screen is screen)

    on_symbol(act)


def eq_now(expected: object, seen: Callable[[], object]) -> bool:
    return seen() == expected


def test_another_size_or_theme_is_taken_up_at_once() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        bar, table = screen.query_one(TimelineBar), screen.query_one(BarTable)
        for size, lines in (((80, 24), 1), ((200, 60), 3), ((120, 36), 2)):
            seen = (lines, lines > 1)
            await stage.pilot.resize_terminal(*size)
            await stage.until(partial(eq_now, seen, lambda: (bar.size.height, table.display)))
        ground = screen.query_one(Chart).rich_style.bgcolor
        await stage.pilot.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        await stage.pilot.press("ctrl+t", "enter")
        await stage.until(lambda: screen.query_one(Chart).rich_style.bgcolor != ground)
        await stage.pilot.press("ctrl+t")
        await stage.until(lambda: screen.query_one(Chart).rich_style.bgcolor is not None)

    on_symbol(act, snapshot=passed(market()))


def test_opening_again_asks_again_and_shows_what_was_known_meanwhile() -> None:
    async def act(stage: Stage, screen: SymbolScreen) -> None:
        known = len(screen.query_one(BarTable).bars)
        await stage.pilot.press("i", "escape")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        stage.player.stored = lambda *_: None
        await stage.pilot.press("enter")
        await stage.until(lambda: stage.app.screen is screen)
        assert stage.player.asked == [screen.symbol, None, screen.symbol]
        assert 0 < len(screen.query_one(BarTable).bars) < known
        assert "2 min" in title(stage)

    on_symbol(act)


def test_every_key_does_something_harmless_at_every_size() -> None:
    keys = ["i", "left", "shift+left", "+", "-", "shift+right", "j", "k", "G", "g", "ctrl+d",
            "ctrl+u", "s", "S", "y", "enter", "tab"]  # fmt: skip
    for size in ((1, 1), (20, 5), (40, 12), (111, 40)):

        async def act(stage: Stage) -> None:
            await stage.pilot.press("enter", *keys * 2)
            await stage.show()
            await stage.pilot.press("n", "slash", "a", "escape", "escape")

        on_stage(act, size=size)
