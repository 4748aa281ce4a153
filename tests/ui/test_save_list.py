"""Saving what is shown: as a list on a key or without one, or its filter alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.scan.lists import Toplist, lists
from stockscan_tui.ui.screens.save_list import SaveChoice, SaveListScreen
from stockscan_tui.ui.theme import THEMES
from tests.ui.test_columns_screen import SIZES, Stand, on_stand

DRAFT = Toplist("", "", MetricKey("chg", 5), ascending=True,
                filter="chg > 5 and rvol > 3", columns=(MetricKey("mark"),))  # fmt: skip
OWN = replace(DRAFT, name="Cheap", filter="mark < 5")


def saved(*keys: str, says: str = "", draft: Toplist = DRAFT) -> Any:
    """Return what comes of keys; `says` has to be on the screen after them."""

    async def act(stand: Stand) -> None:
        await stand.press(*keys)
        if says:
            await stand.says(says)

    return on_stand(SaveListScreen(draft, (*lists(), OWN), ("low",)), "save_list.tcss", act)


@pytest.mark.parametrize(
    ("keys", "name", "key"),
    [
        ((*"  penny   movers ",), "penny movers", ""),
        ((*"movers", "tab", "3"), "movers", "3"),
        ((*"q", "tab", "x", "1", "2", "shift+tab"), "q", "1"),
        ((*"Cheap",), "Cheap", ""),
    ],
)
def test_a_list_is_saved_under_a_name_and_a_key(keys: tuple[str, ...], name: str, key: str) -> None:
    assert saved(*keys, "enter") == SaveChoice(replace(DRAFT, name=name, key=key))


@pytest.mark.parametrize("keys", [("down", *"@low"), (*"low", "tab", "tab", "space")])
def test_the_filter_alone_is_saved_under_its_name(keys: tuple[str, ...]) -> None:
    assert saved(*keys, says="The filter @low is replaced.") == "open"
    assert saved(*keys, "enter") == SaveChoice(None, "low")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (("a", "tab", "4"), "It takes the place of rvol on key 4."),
        ((*"Cheap",), "It takes the place of Cheap."),
        (("enter",), "Give the list a name."),
        ((*"Gainers", "enter"), "There is a list gainers on key 1; that key replaces it."),
        ((*"cheap", "enter"), "There is a list Cheap. Take another name."),
        ((*"gainers", "tab", "2", "enter"), "There is a list gainers on key 1"),
        (("down", *"l ow", "enter"), "'l ow' is no name for a filter"),
        (("down", "enter"), "Give the filter a name."),
        (("down", "x", "down"), "columns: PRICE"),
    ],
)
def test_what_saving_would_do_or_why_it_cannot_is_said(keys: tuple[str, ...], says: str) -> None:
    assert saved(*keys, says=says) == "open"


def test_without_a_filter_there_is_none_to_save() -> None:
    draft = replace(DRAFT, filter="")
    assert saved("down", says="There is no filter to save", draft=draft) == "open"
    assert saved(*"all", "down", "enter", draft=draft) == SaveChoice(replace(draft, name="all"))


@pytest.mark.parametrize("keys", [("a", "escape"), ("tab", "escape"), ("tab", "tab", "q")])
def test_leaving_saves_nothing(keys: tuple[str, ...]) -> None:
    assert saved(*keys) is None


def test_the_mouse_chooses_and_saves() -> None:
    async def act(stand: Stand) -> None:
        await stand.write("x")
        for label in ("○ the filter alone", "Enter save"):
            y, line = next((y, line) for y, line in enumerate(stand.lines()) if label in line)
            await stand.pilot.click(offset=(line.index(label) + 2, y))

    assert on_stand(SaveListScreen(DRAFT, lists()), "save_list.tcss", act) == SaveChoice(None, "x")


@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
@pytest.mark.parametrize("size", [*SIZES, (20, 5)])
def test_it_says_in_words_what_is_saved(size: tuple[int, int], theme: str) -> None:
    async def act(stand: Stand) -> None:
        if size in SIZES:
            text = stand.text()
            assert "chg(5m), smallest first · chg > 5 and rvol > 3 columns: PRICE" in text
            assert "Enter save Esc back ↑ ↓ list or filter Tab name or key" in text
        await stand.press("escape")

    screen = SaveListScreen(DRAFT, lists())
    assert on_stand(screen, "save_list.tcss", act, size=size, theme=theme) is None
