"""Watchlists at the keyboard: made, renamed, removed, filled from files and written to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stockscan_tui.scan.watchlists import Watchlists
from stockscan_tui.ui.screens import watchlists as module
from stockscan_tui.ui.screens.watchlists import WatchlistsScreen
from stockscan_tui.ui.theme import THEMES
from tests.ui.test_columns_screen import SIZES, Stand, on_stand

STYLES = "watchlists.tcss"


@pytest.fixture
def kept(tmp_path: Path) -> Watchlists:
    watchlists = Watchlists(tmp_path / "watchlists")
    for symbol in ("AAPL", "MSFT", "BRK.B"):
        watchlists.toggle("main", symbol)
    watchlists.toggle("swing", "NVDA")
    return watchlists


def test_enter_makes_the_selected_list_the_current_one(kept: Watchlists) -> None:
    async def act(stand: Stand) -> None:
        await stand.says("● main 3")
        await stand.says("AAPL")
        await stand.press("j")
        await stand.says("NVDA")
        await stand.press("enter")

    assert on_stand(WatchlistsScreen(kept, "main"), STYLES, act) == "swing"


@pytest.mark.parametrize("key", ["escape", "q"])
def test_leaving_changes_nothing_and_makes_no_file(tmp_path: Path, key: str) -> None:
    watchlists = Watchlists(tmp_path / "none")

    async def act(stand: Stand) -> None:
        await stand.says("● main 0")
        await stand.press("x", "tab", "x", key)

    assert on_stand(WatchlistsScreen(watchlists, "main"), STYLES, act) is None
    assert not watchlists.folder.exists()


def test_lists_are_made_renamed_and_removed(kept: Watchlists) -> None:
    async def act(stand: Stand) -> None:
        await stand.says("● main 3")
        await stand.press("n")
        await stand.write("mine/yours")
        await stand.press("enter")
        await stand.says("letters, digits, spaces, - and _.")
        await stand.press("n", *["backspace"] * 20, *"new one", "enter")
        await stand.says("new one 0")
        await stand.press("g", "R")
        await stand.write("first")
        await stand.press("enter")
        await stand.says("● first 3")
        await stand.press("G", "D")
        await stand.says("Remove swing with its 1 symbols?")
        await stand.press("k", "G", "D")
        await stand.until(lambda: kept.names() == ("first", "new one", "swing"))
        await stand.press("D")
        await stand.until(lambda: kept.names() == ("first", "new one"))
        await stand.press("q")

    # The current list is still the current one under its new name.
    assert on_stand(WatchlistsScreen(kept, "main"), STYLES, act) == "first"


def test_a_symbol_is_taken_off_its_list(kept: Watchlists) -> None:
    async def act(stand: Stand) -> None:
        await stand.says("● main 3")
        await stand.press("x")
        await stand.says("Tab goes to the symbols")
        await stand.press("tab", "j", "x")
        await stand.says("● main 2")
        await stand.press("x", "tab", "j", "enter")

    assert on_stand(WatchlistsScreen(kept, "main"), STYLES, act) == "swing"
    assert kept.symbols("main") == ("AAPL",)


def test_files_are_read_and_written_and_what_is_no_symbol_is_named(
    kept: Watchlists, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "in.txt").write_text("Symbol\nTSLA, A|B\nx\x1b[2J", "utf-8")

    async def act(stand: Stand) -> None:
        await stand.says("● main 3")
        await stand.press("j", "i", *"~/none", "enter")
        await stand.says("cannot be read")
        await stand.press(*["backspace"] * 4, *"in.txt", "enter")
        await stand.says("1 symbols; left out as no symbols, 2: A|B, X�[2J")
        await stand.press("o", "enter")
        await stand.says("2 symbols are in")
        await stand.press("o", "enter")
        await stand.says("There is already a file")
        await stand.press("escape")
        assert not stand.app.result
        await stand.press("escape")

    assert on_stand(WatchlistsScreen(kept, "main"), STYLES, act) is None
    assert (tmp_path / "swing.txt").read_text("utf-8") == "NVDA\nTSLA\n"


def test_a_list_that_cannot_be_read_is_said_and_holds_up_no_other(kept: Watchlists) -> None:
    (kept.folder / "broken.txt").write_bytes(b"\xff\xfe\x00")

    async def act(stand: Stand) -> None:
        await stand.says("is not a text file")
        await stand.says("● main 3")
        await stand.press("escape")

    assert on_stand(WatchlistsScreen(kept, "main"), STYLES, act) is None


def test_of_a_long_list_the_first_symbols_are_shown_and_the_rest_counted(
    kept: Watchlists, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SYMBOLS_SHOWN", 2)

    async def act(stand: Stand) -> None:
        await stand.says("and 1 more")
        assert "BRK.B" not in stand.text()

    on_stand(WatchlistsScreen(kept, "main"), STYLES, act)


@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
@pytest.mark.parametrize("size", [*SIZES, (20, 5)])
def test_names_counts_and_keys_fit(kept: Watchlists, size: tuple[int, int], theme: str) -> None:
    name = "W" * 40
    kept.create(name)

    async def act(stand: Stand) -> None:
        await stand.until(lambda: bool(stand.app.screen.query_one("#names").option_count))  # type: ignore[attr-defined]
        await stand.press("G", "tab")
        if size in SIZES:
            text = stand.text()
            assert f"{'W' * 21}… 0" in text
            assert all(word in text for word in ("Enter current", "i import", "x take out"))
        await stand.press("escape")

    assert on_stand(WatchlistsScreen(kept, "main"), STYLES, act, size=size, theme=theme) is None
