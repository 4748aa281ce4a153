"""Lists, gates, columns, watchlists and what is kept, by keyboard."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from stockscan_tui.config import read_config
from stockscan_tui.market.metrics import MetricKey, rank
from stockscan_tui.market.user_data import Own
from stockscan_tui.scan.expression import Names, parse
from stockscan_tui.scan.gates import Gates
from stockscan_tui.scan.lists import lists
from stockscan_tui.scan.watchlists import Watchlists
from stockscan_tui.ui.app import StockscanApp
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.widgets.filter_field import FilterField
from tests.ui.driving import Stage, on_stage
from tests.ui.market import FakePlayer, HandClock, market

KEYS = int(os.environ.get("STOCKSCAN_KEYS", "120"))


def desk_in(folder: Path, **given: object) -> Desk:
    """Return a desk whose changes are kept in a folder."""
    watchlists = Watchlists(folder / "watchlists")

    def read_own(current: str) -> Own:
        return Own(watched=frozenset(watchlists.symbols(current)) if watchlists.names() else
                   frozenset())  # fmt: skip

    return Desk(
        gates=None, watchlists=watchlists, config=folder / "config.toml", keeps=True,
        read_own=read_own, **given,  # type: ignore[arg-type]
    )  # fmt: skip


def first_of(sort: str, *, ascending: bool = False) -> str:
    snapshot = market()
    rows = rank(snapshot, MetricKey(sort), ascending=ascending, rows=snapshot.by_symbol)
    return str(snapshot.symbols[rows[0]])


def test_digits_show_lists_and_the_session_chooses_the_first() -> None:
    async def act(stage: Stage) -> None:
        assert "1 gainers" in stage.text()
        for key, sort, ascending in (("8", "dvol", False), ("2", "chg", True), ("5", "gap", False)):
            await stage.pilot.press(key)
            await stage.drawn()
            assert stage.shown(1) == [first_of(sort, ascending=ascending)]
        assert "5 gappers" in stage.text()

    on_stage(act)


def test_gates_are_counted_and_x_lifts_them() -> None:
    async def act(stage: Stage) -> None:
        dear = int((market().mark >= 20).sum())
        assert f"{dear} shown, {60 - dear} gated" in stage.text()
        await stage.pilot.press("x")
        await stage.drawn()
        assert "gates off" in stage.text()
        assert len(stage.app._ranking.rows) == 60

    on_stage(act, desk=Desk(gates=Gates(regular="mark >= 20")))


def test_a_filter_is_completed_recalled_and_left_as_it_was() -> None:
    async def act(stage: Stage) -> None:
        field = stage.app.screen.query_one(FilterField)
        await stage.filter("chg > 2 and mar", "tab")
        assert field.value == "chg > 2 and mark"
        await stage.pilot.press(*" < 50", "enter")
        assert stage.app._ranking.chosen.text == "chg > 2 and mark < 50"
        await stage.pilot.press("slash", "ctrl+u", *"K", "enter")
        assert stage.app._ranking.chosen.text == "K"
        await stage.pilot.press("slash", "up", "up", "enter")
        assert stage.app._ranking.chosen.text == "chg > 2 and mark < 50"
        await stage.pilot.press("slash", *" or 3", "escape")
        assert stage.app._ranking.chosen.text == "chg > 2 and mark < 50"
        await stage.pilot.press("F")
        assert stage.app._ranking.chosen.empty

    on_stage(act)


def test_what_is_being_typed_keeps_the_last_filter_that_could_be_read() -> None:
    async def act(stage: Stage) -> None:
        await stage.filter("chg > 2", *" and rv")
        assert stage.app._ranking.chosen.text == "chg > 2"
        await stage.pilot.press(*"ol >")
        assert stage.app._ranking.chosen.text == "chg > 2"
        await stage.pilot.press("enter")
        assert "Column" in stage.text()
        for text in ("mark > prev_close", "volume > 3k", "chg > 2 and not warrant", "@cheap"):
            await stage.pilot.press("slash", "ctrl+u")
            await stage.write(text, "end")
            assert stage.app._ranking.chosen.text == text
            await stage.pilot.press("enter")

    on_stage(act, desk=Desk(gates=None, names=Names(filters={"cheap": "mark < 20"})))


def test_an_empty_board_says_why() -> None:
    async def act(stage: Stage) -> None:
        await stage.filter("rvol > 3")
        await stage.drawn()
        assert "0 of 60 match; rvol unknown for 60 · F clears" in stage.text()

    on_stage(act, size=(160, 40))


def test_chosen_columns_are_kept_for_their_list(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("c", "j", "space", "enter")
        await stage.until((tmp_path / "config.toml").exists)
        assert "CHG%" not in stage.text().splitlines()[2]
        await stage.pilot.press("2")
        await stage.drawn()
        assert "CHG%" in stage.text().splitlines()[2]

    on_stage(act, desk=desk_in(tmp_path))
    kept = lists(read_config(tmp_path / "config.toml").lists)[0].columns
    assert kept is not None
    assert MetricKey("chg") not in kept
    assert MetricKey("mark") in kept


def test_nothing_is_written_before_a_change_and_a_watched_symbol_is(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("j", "k", "s", "S", "x", "slash", "K", "escape", "2", "1")
        assert list(tmp_path.iterdir()) == []
        symbol = stage.selected()
        await stage.pilot.press("w")
        await stage.until(lambda: symbol in stage.player.own.watched)
        assert (tmp_path / "watchlists" / "main.txt").read_text() == f"{symbol}\n"
        await stage.pilot.press("w")
        await stage.until(lambda: not stage.player.own.watched)

    on_stage(act, desk=desk_in(tmp_path))


def test_filter_and_order_are_saved_as_a_list(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.filter("chg > 1")
        await stage.pilot.press("ctrl+s", *"hot", "enter")
        await stage.until((tmp_path / "config.toml").exists)
        await stage.drawn()
        assert "hot" in stage.text().splitlines()[1]
        assert stage.app._ranking.chosen.empty
        assert stage.app._ranking.picker.listed.text == "chg > 1"

    on_stage(act, desk=desk_in(tmp_path))
    saved = lists(read_config(tmp_path / "config.toml").lists)[-1]
    assert (saved.name, saved.filter, saved.sort) == ("hot", "chg > 1", MetricKey("chg"))


def test_the_theme_is_kept(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("ctrl+t")
        await stage.until((tmp_path / "config.toml").exists)

    on_stage(act, desk=desk_in(tmp_path))
    assert read_config(tmp_path / "config.toml").theme == "stockscan-light"


def test_what_is_shown_is_exported(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    async def act(stage: Stage) -> None:
        await stage.filter("chg > 0")
        await stage.pilot.press("e", "ctrl+u")
        await stage.write(str(path), "enter")
        await stage.until(path.exists)

    app = on_stage(act, desk=desk_in(tmp_path))
    frame = pd.read_csv(path)
    shown = [market().symbols[row] for row in app._ranking.rows]
    assert frame["symbol"].tolist() == shown
    assert (frame["chg"] > 0).all()


def test_the_symbol_and_then_its_row_are_copied() -> None:
    async def act(stage: Stage) -> None:
        symbol = stage.selected()
        await stage.pilot.press("y")
        assert stage.app.clipboard == symbol
        await stage.pilot.press("y")
        assert stage.app.clipboard.split("\t")[0] == symbol
        assert len(stage.app.clipboard.split("\t")) > 5

    on_stage(act)


def test_a_jump_lifts_what_hides_the_symbol() -> None:
    async def act(stage: Stage) -> None:
        await stage.filter("chg > 1000")
        stage.app.jump_to(market().symbols[7])
        await stage.drawn()
        assert stage.selected() == market().symbols[7]

    on_stage(act)


def test_indicators_in_use_are_asked_for() -> None:
    async def act(stage: Stage) -> None:
        await stage.filter("rsi(14) < 30")
        await stage.until(lambda: [str(key) for key in stage.player.wanted] == ["rsi(14)"])
        await stage.pilot.press("F")
        await stage.until(lambda: not stage.player.wanted)

    on_stage(act)


def test_marks_beside_a_symbol_are_explained_under_the_cursor() -> None:
    snapshot = market()
    halted = np.zeros(60, np.bool_)
    halted[snapshot.symbols.index(first_of("chg"))] = True

    async def act(stage: Stage) -> None:
        assert "halt?" in stage.text().splitlines()[3]
        assert "neither trade nor quote for 60 s" in stage.text()

    on_stage(act, snapshot=replace(snapshot, signs={"halt": halted, "watched": halted}, cache={}))


def test_saved_filters_and_watchlists_can_be_named_in_a_filter() -> None:
    names = Names(filters={"cheap": "mark < 20"})

    async def act(stage: Stage) -> None:
        await stage.filter("@cheap and chg > 0")
        rows = parse("mark < 20 and chg > 0").rows(market())
        assert sorted(stage.app._ranking.rows) == sorted(rows)

    on_stage(act, desk=Desk(gates=None, names=names))


def test_no_keys_break_the_board_or_trap_the_user(tmp_path: Path) -> None:
    rng = random.Random(11)
    keys = [*"jkgGsSxXcwWyeFaArhnNiI0123456789?/+-<>[]{},.TLp", "space", "enter", "escape", "tab",
            "up", "down", "left", "right", "pagedown", "pageup", "home", "end", "ctrl+d", "ctrl+u",
            "ctrl+s", "ctrl+t", "ctrl+p", "backspace", "delete", "shift+tab"]  # fmt: skip
    player = FakePlayer(market(200))
    clock = HandClock()
    app = StockscanApp(lambda _opening: player, title="day", clock=clock, desk=desk_in(tmp_path))

    async def run() -> None:
        async with app.run_test(size=(100, 30)) as pilot:
            while not (isinstance(app.screen, BoardScreen) and app.screen.ready):
                await pilot.pause()
            for number in range(KEYS):
                await pilot.press(rng.choice(keys))
                assert app.is_running
                if number % 7 == 0:
                    player.now = replace(market(200, seed=number % 50), serial=number, cache={})
            for _ in range(4):
                await pilot.press("escape")
            assert isinstance(app.screen, BoardScreen)
            await pilot.press("q")

    home = Path.cwd()
    os.chdir(tmp_path)
    try:
        asyncio.run(run())
    finally:
        os.chdir(home)
    assert player.stopped
