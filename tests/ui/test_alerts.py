"""Alerts on the screen: the list and its keys, the last ones beside the board, toasts."""

from __future__ import annotations

import csv
import math
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.delivery.notice import Kind, Notice
from stockscan_tui.delivery.tally import ChannelStatus
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, SECOND_NS
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import MOST_FIRED, Feed, Phase, Snapshot
from stockscan_tui.market.vitals import Trouble
from stockscan_tui.scan.rules import Priority, Rules
from stockscan_tui.ui.screens.alerts import AlertScreen
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.screens.export import ExportScreen
from stockscan_tui.ui.screens.symbol import SymbolScreen
from stockscan_tui.ui.widgets.alerts.choice import ORDERS, Order, words_of
from stockscan_tui.ui.widgets.alerts.known import KnownAlerts, change_since, row_of
from stockscan_tui.ui.widgets.alerts.list import AlertRows
from stockscan_tui.ui.widgets.alerts.toasts import ToastStack, cursor_line
from stockscan_tui.ui.widgets.alerts.wording import last_alert, values_in_words
from stockscan_tui.ui.widgets.chart import Chart
from stockscan_tui.ui.widgets.symbol.alerts import AlertList
from tests.ui.driving import Stage, on_stage
from tests.ui.market import NOW_NS, FakePlayer, alerted, alerts_of, market, passed

Act = Callable[[Stage, AlertScreen], Awaitable[Any]]


@dataclass
class FakeCourier:
    """Remembers what is muted and what troubles it was told."""

    symbols: set[str] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)
    channels: tuple[ChannelStatus, ...] = ()
    troubles: list[Sequence[Trouble]] = field(default_factory=list)

    def know(self, rules: Rules) -> None:
        self.known = rules

    def mute_symbol(self, symbol: str, on: bool) -> None:
        (self.symbols.add if on else self.symbols.discard)(symbol)

    def mute_rule(self, name: str, on: bool) -> None:
        (self.rules.add if on else self.rules.discard)(name)

    def muted(self) -> tuple[frozenset[str], frozenset[str]]:
        return frozenset(self.symbols), frozenset(self.rules)

    def status(self) -> tuple[ChannelStatus, ...]:
        return self.channels

    def trouble(self, begun: Sequence[Trouble], over: Sequence[Trouble]) -> None:
        self.troubles.append(begun)


def notice(name: str, kind: Kind = "toast", **said: Any) -> Notice:
    return Notice(name, kind, **{"title": name, "text": f"{name} is told", **said})


def on_alerts(
    act: Act,
    *,
    snapshot: Snapshot | None = None,
    size: tuple[int, int] = (120, 36),
    courier: FakeCourier | None = None,
    prepare: Callable[[FakePlayer], None] = lambda _: None,
) -> None:
    """Run `act` on the alert screen of a market with forty alerts."""

    async def opened(stage: Stage) -> None:
        prepare(stage.player)
        await stage.pilot.press("a")
        screen = await opened_alerts(stage)
        await act(stage, screen)

    on_stage(opened, snapshot=snapshot or alerted(passed(market()), 40), size=size, courier=courier)


async def opened_alerts(stage: Stage) -> AlertScreen:
    await stage.until(lambda: isinstance(stage.app.screen, AlertScreen))
    screen = stage.app.screen
    assert isinstance(screen, AlertScreen)
    await stage.until(lambda: bool(screen.query(AlertRows)) and screen.is_mounted)
    await stage.show()
    await stage.until(lambda: not screen._reading)
    return screen


def listed(screen: AlertScreen) -> list[Fired]:
    return list(screen._rows)


def chosen(screen: AlertScreen) -> Fired:
    found = screen.query_one(AlertRows).chosen
    assert found is not None
    return found


# --- the list -----------------------------------------------------------------------------------


def test_alerts_are_listed_newest_first_with_what_has_become_of_them() -> None:
    snapshot = alerted(passed(market()), 40)
    newest = snapshot.fired[-1]
    row = snapshot.symbols.index(newest.symbol)
    since = float(snapshot.mark[row]) / newest.price * 100 - 100

    async def act(stage: Stage, screen: AlertScreen) -> None:
        assert listed(screen) == list(reversed(snapshot.fired))
        lines = stage.text().splitlines()
        first = next(line for line in lines if newest.symbol in line)
        assert "10:41:05" in first
        assert newest.rule in first
        assert f"{since:+.2f}" in first
        assert "40 today" in stage.text()

    on_alerts(act, snapshot=snapshot)


def test_the_cursor_stays_with_its_alert_when_others_come_above() -> None:
    snapshot = alerted(passed(market()), 40)

    async def act(stage: Stage, screen: AlertScreen) -> None:
        await stage.pilot.press("j", "j", "j", "k")
        held = chosen(screen)
        assert held is snapshot.fired[-3]
        fresh = replace(snapshot.fired[-1], ts_ns=NOW_NS - 1, rule="new one")
        later = replace(snapshot, fired=(*snapshot.fired, fresh), serial=9, cache={})
        await stage.show(later)
        assert listed(screen)[0] == fresh
        assert chosen(screen) == held
        await stage.pilot.press("g")
        assert chosen(screen) == fresh
        await stage.pilot.press("G")
        assert chosen(screen) == snapshot.fired[0]

    on_alerts(act, snapshot=snapshot)


def test_words_narrow_the_list_while_they_are_typed_and_escape_restores() -> None:
    snapshot = alerted(passed(market()), 40)
    symbol = snapshot.fired[7].symbol

    async def act(stage: Stage, screen: AlertScreen) -> None:
        await stage.pilot.press("slash")
        await stage.write("rule:gap")
        assert {one.rule for one in listed(screen)} == {"gap up"}
        await stage.pilot.press("enter")
        assert isinstance(stage.app.focused, AlertRows)
        assert "F clears" in stage.text()
        await stage.pilot.press("slash", "z", "z", "escape")
        assert {one.rule for one in listed(screen)} == {"gap up"}
        await stage.pilot.press("F")
        assert len(listed(screen)) == 40
        await stage.pilot.press("slash")
        await stage.write(symbol.lower(), "enter")
        assert {one.symbol for one in listed(screen)} == {symbol}
        await stage.pilot.press("F", "slash")
        await stage.write("nothing-like-it", "enter")
        assert listed(screen) == []
        assert "no alert has these words" in stage.text()

    on_alerts(act, snapshot=snapshot)


def test_s_orders_by_time_symbol_rule_and_since_and_capital_s_turns_it_round() -> None:
    snapshot = alerted(passed(market()), 40)

    async def act(stage: Stage, screen: AlertScreen) -> None:
        await stage.pilot.press("S")
        assert listed(screen) == list(snapshot.fired)
        await stage.pilot.press("s")
        assert [one.symbol for one in listed(screen)] == sorted(f.symbol for f in snapshot.fired)
        await stage.pilot.press("s", "S")
        rules = [one.rule for one in listed(screen)]
        assert rules == sorted(rules, reverse=True)
        await stage.pilot.press("s")
        since = [change_since(snapshot, one) for one in listed(screen)]
        assert since == sorted(since, reverse=True)

    on_alerts(act, snapshot=snapshot)


def test_enter_opens_the_symbol_at_the_instant_and_escape_leads_back_to_the_row() -> None:
    snapshot = alerted(passed(market()), 40)

    async def act(stage: Stage, screen: AlertScreen) -> None:
        await stage.pilot.press("j", "j")
        fired = chosen(screen)
        await stage.pilot.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        assert fired.symbol in stage.text().splitlines()[1]
        assert stage.player.moves == [("to", fired.ts_ns)]
        await stage.pilot.press("escape")
        again = await opened_alerts(stage)
        assert chosen(again) == fired
        await stage.pilot.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))

    on_alerts(act, snapshot=snapshot)


def test_of_a_live_feed_enter_opens_the_symbol_and_leaves_now_alone() -> None:
    live = Feed("LIVE", "gateway", "EQUS.MINI", "mbp-1", phase=Phase.LIVE)

    async def act(stage: Stage, _screen: AlertScreen) -> None:
        await stage.pilot.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        assert stage.player.moves == []

    on_alerts(act, snapshot=replace(alerted(passed(market()), 4), feed=live))


def test_a_and_escape_lead_back_and_a_digit_to_its_list() -> None:
    async def act(stage: Stage, _screen: AlertScreen) -> None:
        await stage.pilot.press("a")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        await stage.pilot.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        await stage.pilot.press("a")
        await opened_alerts(stage)
        await stage.pilot.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        await stage.pilot.press("a")
        await opened_alerts(stage)
        await stage.pilot.press("2")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        assert getattr(stage.app._ranking.list, "key", "") == "2"

    on_alerts(act)


def test_done_is_marked_and_goes_on_to_the_next() -> None:
    async def act(stage: Stage, screen: AlertScreen) -> None:
        first, second = listed(screen)[:2]
        await stage.pilot.press("d")
        assert stage.app.alerting.is_done(first)
        assert chosen(screen) == second
        assert "39 not done" in stage.text()
        await stage.pilot.press("k", "d")
        assert not stage.app.alerting.is_done(first)
        await stage.pilot.press("D")
        assert "0 not done" in stage.text()

    on_alerts(act)


def test_symbols_and_rules_are_muted_for_today_and_heard_again() -> None:
    courier = FakeCourier()

    async def act(stage: Stage, screen: AlertScreen) -> None:
        fired = chosen(screen)
        await stage.pilot.press("m", "M")
        assert (courier.symbols, courier.rules) == ({fired.symbol}, {fired.rule})
        assert f"muted: {fired.symbol}, rule {fired.rule}" in stage.text()
        await stage.pilot.press("m")
        assert (courier.symbols, courier.rules) == (set(), {fired.rule})
        await stage.pilot.press("u")
        assert not courier.symbols | courier.rules

    on_alerts(act, courier=courier)


def test_channels_that_fail_are_named_in_one_line() -> None:
    failing = ChannelStatus("phone", failed=3, failure="https://ntfy.sh/… answered 502.")
    courier = FakeCourier(channels=(ChannelStatus("bell", delivered=2), failing))

    async def act(stage: Stage, _screen: AlertScreen) -> None:
        assert "✗ phone: https://ntfy.sh/… answered 502. (3 failed)" in stage.text()
        courier.channels = ()
        await stage.show(replace(alerted(market()), serial=8, cache={}))
        assert "✗" not in stage.text()

    on_alerts(act, courier=courier)


def test_a_row_is_copied_and_the_list_is_exported(tmp_path: Path) -> None:
    snapshot = alerted(passed(market()), 12)

    async def act(stage: Stage, _screen: AlertScreen) -> None:
        await stage.pilot.press("y")
        assert stage.app.clipboard.split("\t")[1] == snapshot.fired[-1].symbol
        await stage.pilot.press("e")
        await stage.until(lambda: isinstance(stage.app.screen, ExportScreen))
        stage.app.screen.query_one("Input").value = str(tmp_path / "a.csv")  # type: ignore[attr-defined]
        await stage.pilot.press("enter")
        await stage.until((tmp_path / "a.csv").exists)
        await stage.until(lambda: "12 rows written" in stage.text())
        with (tmp_path / "a.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [int(row["ts"]) for row in rows] == [f.ts_ns for f in reversed(snapshot.fired)]
        assert rows[0]["values"] == snapshot.fired[-1].values

    on_alerts(act, snapshot=snapshot)


def test_the_palette_leads_from_the_alerts_to_a_list_and_to_a_symbol() -> None:
    symbol = market().symbols[3]

    async def act(stage: Stage, _screen: AlertScreen) -> None:
        stage.app.show_list("3")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        await stage.pilot.press("a")
        await opened_alerts(stage)
        stage.app.jump_to(symbol)
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        assert stage.selected() == symbol

    on_alerts(act)


# --- older ones ---------------------------------------------------------------------------------


def test_older_alerts_are_read_where_the_end_of_the_list_is_near() -> None:
    stored = alerts_of(market(), 1_700, every_s=60)
    snapshot = replace(passed(market()), fired=stored[-MOST_FIRED:])

    def prepare(player: FakePlayer) -> None:
        player.stored_alerts = stored

    async def act(stage: Stage, screen: AlertScreen) -> None:
        assert len(stage.player.questions) == 0
        for _ in range(4):
            await stage.pilot.press("G")
            await stage.until(lambda: not screen._reading)
        assert listed(screen) == list(reversed(stored))
        assert chosen(screen) == stored[0]
        asked = len(stage.player.questions)
        await stage.pilot.press("G", "g", "G")
        assert len(stage.player.questions) == asked
        assert "14 Jun" in stage.text()

    on_alerts(act, snapshot=snapshot, prepare=prepare)


def test_a_thousand_alerts_of_one_instant_are_all_read() -> None:
    base = alerts_of(market(), 1)[0]
    stored = tuple(replace(base, symbol=f"S{n:04}") for n in range(1_700))
    snapshot = replace(passed(market()), fired=stored[-MOST_FIRED:])

    def prepare(player: FakePlayer) -> None:
        player.stored_alerts = stored

    async def act(stage: Stage, screen: AlertScreen) -> None:
        for _ in range(4):
            await stage.pilot.press("G")
            await stage.until(lambda: not screen._reading)
        assert len(listed(screen)) == 1_700

    on_alerts(act, snapshot=snapshot, prepare=prepare)


def test_in_the_past_nothing_later_is_listed() -> None:
    stored = alerts_of(market(), 200, every_s=60)
    snapshot = replace(passed(market()), fired=stored)

    def prepare(player: FakePlayer) -> None:
        player.stored_alerts = stored

    async def act(stage: Stage, screen: AlertScreen) -> None:
        past_ns = NOW_NS - 30 * MINUTE_NS
        earlier = tuple(one for one in stored if one.ts_ns <= past_ns)
        moved = replace(snapshot, event_ns=past_ns, fired=earlier, leap=1, serial=5, cache={})
        await stage.show(moved)
        await stage.until(lambda: not screen._reading)
        assert listed(screen) == list(reversed(earlier))

    on_alerts(act, snapshot=snapshot, prepare=prepare)


def test_what_the_database_says_is_said_where_no_alert_is_known() -> None:
    def prepare(player: FakePlayer) -> None:
        player.unreadable = "The database day.duckdb cannot be read: it is broken."

    async def act(stage: Stage, _screen: AlertScreen) -> None:
        await stage.until(lambda: "it is broken" in stage.text())

    on_alerts(act, snapshot=passed(market()), prepare=prepare)


def test_reading_holds_up_no_key() -> None:
    let_go = threading.Event()
    thread: list[int] = []

    def prepare(player: FakePlayer) -> None:
        def slowly(begin_ns: int, end_ns: int, most: int) -> Sequence[Fired]:
            thread.append(threading.get_ident())
            let_go.wait(5)
            return ()

        player.fired_between = slowly  # type: ignore[method-assign]

    async def opened(stage: Stage) -> None:
        prepare(stage.player)
        await stage.pilot.press("a")
        await stage.until(lambda: isinstance(stage.app.screen, AlertScreen) and bool(thread))
        await stage.pilot.press("s", "escape")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        let_go.set()
        assert thread[0] != threading.get_ident()

    on_stage(opened, snapshot=passed(market()))


def test_a_storm_between_two_pictures_leaves_no_hole() -> None:
    known = KnownAlerts()
    snapshot = alerted(market(), 40)
    known.look(snapshot)
    later = tuple(replace(one, ts_ns=one.ts_ns + DAY_NS) for one in alerts_of(market(), MOST_FIRED))
    generation = known.generation
    assert known.look(replace(snapshot, fired=later))
    assert known.generation == generation + 1
    assert known.newest_first == tuple(reversed(later))


# --- order and words ----------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from("ABCD"), st.sampled_from("xyz")),
                max_size=40),
       st.sampled_from(ORDERS), st.booleans())  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_every_order_keeps_every_alert(
    made: list[tuple[int, str, str]], by: str, turned: bool
) -> None:
    snapshot = market()
    alerts = [Fired(NOW_NS - at * SECOND_NS, symbol, rule, 5.0) for at, symbol, rule in made]
    ordered = Order(by, turned).apply(alerts, snapshot)
    assert sorted(map(id, ordered)) == sorted(map(id, alerts))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", {"gap up", "gap down", "move", "move 5"}),
        ("gap", {"gap up", "gap down"}),
        ("GAP down", {"gap down"}),
        ('rule:"move"', {"move"}),
        ("rule:move", {"move", "move 5"}),
        ('"gap up"', {"gap up"}),
        ("nv", {"gap up", "gap down", "move", "move 5"}),
        ("vd", set()),
        ('rule:"', {"gap up", "gap down", "move", "move 5"}),
    ],
)
def test_words_mean_symbols_and_rules(text: str, kept: set[str]) -> None:
    rules = ("gap up", "gap down", "move", "move 5")
    words = words_of(text)
    assert {rule for rule in rules if words.keep(Fired(1, "NVDA", rule, 1.0))} == kept


def test_every_symbol_is_found_and_no_other() -> None:
    snapshot = market(300)
    assert all(row_of(snapshot, name) == row for row, name in enumerate(snapshot.symbols))
    assert row_of(snapshot, "") is None
    assert row_of(snapshot, "~~~~") is None


def test_since_is_told_of_the_session_date_alone() -> None:
    snapshot = market()
    row = int(np.flatnonzero(snapshot.mark > 1)[0])
    fired = Fired(NOW_NS - MINUTE_NS, snapshot.symbols[row], "move", float(snapshot.mark[row]) / 2)
    assert change_since(snapshot, fired) == pytest.approx(100)
    assert math.isnan(change_since(snapshot, replace(fired, ts_ns=NOW_NS - DAY_NS)))
    assert math.isnan(change_since(snapshot, replace(fired, price=0.0)))
    assert math.isnan(change_since(snapshot, replace(fired, symbol="GONE~")))


def test_values_are_told_with_their_units_and_nothing_acts_on_the_terminal() -> None:
    assert values_in_words('{"chg(5m)":3.4,"rvol":5.25,"x\\u001b[31m":null,"halt":0}') == (
        "chg(5m) +3.40 %  rvol 5.2  x�[31m —"
    )
    assert values_in_words("no json") == ""
    assert values_in_words('{"chg":3,"rvol":2}', without="chg") == "rvol 2.0"


# --- the board ----------------------------------------------------------------------------------


def test_a_small_board_has_a_line_with_the_last_alert() -> None:
    snapshot = alerted(market(), 40, every_s=17)
    newest = snapshot.fired[-1]

    async def act(stage: Stage) -> None:
        assert "no alert yet · r rules" in stage.text()
        await stage.show(replace(snapshot, serial=3, cache={}))
        told = f"10:41:05 {newest.symbol} +3.00 % {newest.rule} · 3 more in the last minute"
        assert told in stage.text()

    on_stage(act, size=(80, 24))


@pytest.mark.parametrize("size", [(120, 36), (200, 60)])
def test_a_larger_board_has_the_last_alerts_beside_it(size: tuple[int, int]) -> None:
    snapshot = alerted(market(), 40)

    async def act(stage: Stage) -> None:
        assert "no alert yet · r rules" in stage.text()
        await stage.show(replace(snapshot, serial=3, cache={}), after_s=1)
        text = stage.text()
        heard = [one for one in snapshot.fired if not one.gated]
        assert all(f"{one.symbol}" in text and one.rule in text for one in heard[-5:])
        assert "ALERTS 40 today" in text

    on_stage(act, size=size)


def test_gated_alerts_are_not_told_beside_the_board() -> None:
    snapshot = alerted(market(), 3)
    gated = replace(snapshot, fired=tuple(replace(one, gated=True) for one in snapshot.fired))
    assert last_alert(gated) == "3 gated alerts · a shows them"
    mixed = replace(snapshot, fired=(snapshot.fired[0], *gated.fired[1:]))
    assert last_alert(mixed).split()[1] == snapshot.fired[0].symbol


def test_an_alert_wakes_the_screen() -> None:
    snapshot = alerted(market(), 40)

    async def act(stage: Stage) -> None:
        stage.player.now = replace(snapshot, serial=3, cache={})
        thread = threading.Thread(target=lambda: stage.player.tell_fired(snapshot.fired[-1:]))
        thread.start()
        thread.join()
        await stage.pilot.pause()
        await stage.pilot.pause()
        assert stage.app._shown is not None
        assert stage.app._shown.serial == 3

    on_stage(act, size=(80, 24))


def test_a_fresh_alert_stands_on_the_symbols_screen_and_chart_at_once() -> None:
    snapshot = passed(market())

    async def act(stage: Stage) -> None:
        await stage.pilot.press("j", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        screen = stage.app.screen
        assert isinstance(screen, SymbolScreen)
        await stage.until(lambda: screen.query_one(Chart).size.height > 0)
        await stage.show()
        stored = screen.query_one(AlertList).count
        fresh = Fired(NOW_NS - SECOND_NS, screen.symbol, "just now", 12.5)
        other = replace(fresh, symbol="OTHER")
        await stage.show(replace(snapshot, fired=(other, fresh), serial=4, cache={}))
        assert screen.query_one(AlertList).count == stored + 1
        assert screen.query_one(AlertList)._at(0) == fresh
        await stage.show(replace(snapshot, fired=(fresh,), serial=5, cache={}))
        assert screen.query_one(AlertList).count == stored + 1

    on_stage(act, snapshot=snapshot)


# --- toasts -------------------------------------------------------------------------------------


async def told(stage: Stage, *notices: Notice) -> ToastStack:
    """Tell notices from another thread and wait for them to be shown."""

    def tell() -> None:
        for one in notices:
            stage.app.alerting.tell(one)

    thread = threading.Thread(target=tell)
    thread.start()
    thread.join()
    await stage.until(lambda: bool(stage.app.screen.query(ToastStack)))
    stack = stage.app.screen.query_one(ToastStack)
    await stage.until(lambda: stack.display and stack.region.height > 0)
    await stage.pilot.pause()
    return stack


def test_a_toast_is_told_says_what_opens_it_and_goes() -> None:
    async def act(stage: Stage) -> None:
        stack = await told(stage, notice("running up", text="NVDA +3.4 % · 181.20"))
        assert "running up" in stage.text()
        assert "NVDA +3.4 % · 181.20" in stage.text()
        assert "a opens" in stage.text()
        stage.clock.pass_s(5.1)
        await stage.until(lambda: not stack.display)
        assert "a opens" not in stage.text().replace("today · a opens", "")

    on_stage(act)


def test_a_storm_is_renewed_in_place_and_a_opens_its_rule() -> None:
    async def act(stage: Stage) -> None:
        await told(stage, notice("1"), notice("s", "storm", rule="move", text="move: 12 symbols"))
        stack = await told(
            stage, notice("2"), notice("s", "storm", rule="move", text="move: 214 symbols")
        )
        assert [one.text for one in stage.app.alerting.toasts] == [
            "1 is told", "move: 214 symbols", "2 is told"
        ]  # fmt: skip
        assert "214 symbols" in stage.text()
        await stage.pilot.press("a")
        screen = await opened_alerts(stage)
        assert {one.rule for one in listed(screen)} == {"move"}
        assert not stack.display or stage.app.screen is screen

    on_stage(act, snapshot=alerted(passed(market()), 40))


def test_no_more_than_three_toasts_stand_at_a_time() -> None:
    async def act(stage: Stage) -> None:
        await told(stage, *(notice(str(n)) for n in range(9)))
        assert [one.id for one in stage.app.alerting.toasts] == ["6", "7", "8"]

    on_stage(act)


def test_a_toast_never_covers_the_row_under_the_cursor() -> None:
    async def act(stage: Stage) -> None:
        stack = await told(stage, *(notice(str(n), seconds=600) for n in range(3)))
        for key in ("G", "k", "k", "k", "g", "ctrl+d", "j", "j", "j", "j", "j", "j", "j", "j"):
            await stage.pilot.press(key)
            line = cursor_line(stage.app.screen)
            assert line is not None
            row = (line, *range(line, line + 1))
            await stage.until(
                lambda row=row: (
                    not any(  # type: ignore[misc]
                        stack.region.y <= y < stack.region.bottom for y in row
                    )
                )
            )

    on_stage(act, size=(80, 24), snapshot=market(300))


def test_keys_keep_their_meaning_while_toasts_stand() -> None:
    async def act(stage: Stage) -> None:
        await told(stage, notice("1"))
        await stage.pilot.press("j", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        await stage.until(lambda: bool(stage.app.screen.query(ToastStack)))
        assert stage.app.screen.query_one(ToastStack).display

    on_stage(act)


def test_over_a_dialog_one_toast_stands_alone() -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("c")
        stack = await told(stage, *(notice(str(n), seconds=600) for n in range(3)))
        assert {one.id for one, _ in stack._lines} == {"2"}
        await stage.pilot.press("escape")
        await stage.until(lambda: len(stage.app.screen.query(ToastStack)) > 0)
        board = stage.app.screen.query_one(ToastStack)
        await stage.until(lambda: {one.id for one, _ in board._lines} == {"0", "1", "2"})

    on_stage(act)


def test_priority_differs_by_shape_and_not_by_colour_alone() -> None:
    async def act(stage: Stage) -> None:
        notices = [notice(p.value, priority=p, seconds=600) for p in Priority]
        stack = await told(stage, *notices)
        bars = {line.text[0] for _, line in stack._lines}
        assert len(bars) == len(Priority)

    on_stage(act)


def test_troubles_go_to_the_courier_where_there_is_one() -> None:
    courier = FakeCourier()
    trouble = Trouble("down", "the feed is down", "the feed is back")
    still = market()

    async def act(stage: Stage) -> None:
        vitals = replace(still.vitals, troubles=(trouble,))
        await stage.show(replace(still, vitals=vitals, serial=4, cache={}))
        assert [list(begun) for begun in courier.troubles if begun] == [[trouble]]
        assert not stage.app._notifications

    on_stage(act, courier=courier)


def test_a_notice_after_the_end_is_harmless() -> None:
    async def act(_stage: Stage) -> None:
        pass

    app = on_stage(act)
    app.alerting.tell(notice("late"))
    app.alerting.fired(alerts_of(market(), 1))


def test_every_key_is_harmless_at_every_size_with_and_without_alerts() -> None:
    keys = ["j", "k", "G", "g", "ctrl+d", "ctrl+u", "s", "S", "d", "D", "m", "M", "u", "y", "F"]
    for size, count in (((1, 1), 3), ((20, 5), 0), ((40, 12), 3), ((170, 40), 3)):

        async def act(stage: Stage) -> None:
            await stage.pilot.press("a", *keys)
            await told_or_not(stage)
            await stage.pilot.press("slash", "x", "escape", "escape")

        on_stage(act, size=size, snapshot=alerted(market(), count))


async def told_or_not(stage: Stage) -> None:
    """Tell a toast where there may be no room for one."""
    stage.app.alerting.tell(notice("x" * 300, text="y " * 300))
    await stage.pilot.pause()
