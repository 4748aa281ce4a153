"""Every field holds a bounded text, and says so where a text does not fit."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

from textual import events
from textual.app import App, ComposeResult
from textual.widgets import Input

import stockscan_tui.ui
from stockscan_tui.market.text import printable
from stockscan_tui.scan.expression import MAX_LENGTH
from stockscan_tui.ui.widgets.field import WORDS, Field
from stockscan_tui.ui.widgets.filter_field import FilterField
from tests.ui.driving import Stage, on_stage

UI = Path(stockscan_tui.ui.__file__).parent


class Host(App[None]):
    """One field, with a text in it that is too long for it."""

    def compose(self) -> ComposeResult:
        yield Field("abcdefgh", most=5)


def test_a_field_takes_what_there_is_room_for_and_can_be_emptied_again() -> None:
    app = Host()

    async def use() -> None:
        async with app.run_test() as pilot:
            field = app.query_one(Field)
            assert field.value == "abcde"
            await pilot.press("end", *["backspace"] * 3)
            for text, holds in (("x" * 1_000_000, "abxxx"), ("y", "abxxx")):
                field.post_message(events.Paste(text))
                await pilot.pause()
                assert field.value == holds
            assert [notice.message for notice in app._notifications] == [
                "cut off: this field takes 5 characters"
            ]
            await pilot.press("z", *["backspace"] * 5)
            assert not field.value

    asyncio.run(use())


def test_a_filter_takes_what_can_be_read_and_the_palette_no_more_than_words() -> None:
    async def act(stage: Stage) -> None:
        await stage.pilot.press("slash")
        field = stage.app.screen.query_one(FilterField)
        field.post_message(events.Paste("a" * MAX_LENGTH + "b"))
        await stage.until(lambda: field.value == "a" * MAX_LENGTH)
        await stage.pilot.press("escape", "ctrl+p")
        await stage.until(lambda: isinstance(stage.app.focused, Input))
        palette = stage.app.focused
        assert isinstance(palette, Input)
        palette.insert_text_at_cursor("a" * WORDS)
        palette.insert_text_at_cursor("b")
        assert palette.value == "a" * WORDS

    on_stage(act)


def test_what_is_pasted_does_nothing_to_the_terminal() -> None:
    """In a field, nor among the palette's commands."""
    text = "ab\x1b]0;t\x07\x9b2J\u202ec\u200b\x00d"

    def drawn(stage: Stage) -> str:
        lines = stage.app.screen._compositor.render_strips()
        return "".join(segment.text for line in lines for segment in line)

    async def act(stage: Stage) -> None:
        for key in ("slash", "ctrl+p"):
            await stage.pilot.press(key)
            await stage.until(lambda: isinstance(stage.app.focused, Input))
            field = stage.app.focused
            assert isinstance(field, Input)
            field.post_message(events.Paste(text))
            await stage.until(lambda: "�2J�c��d" in drawn(stage))
            assert printable(drawn(stage)) == drawn(stage)
            await stage.pilot.press("escape")

    on_stage(act)


def test_no_screen_has_a_field_without_a_bound() -> None:
    for path in UI.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                made = [node.func]
            elif isinstance(node, ast.ClassDef) and path.name != "field.py":
                made = node.bases
            else:
                continue
            names = {each.id for each in made if isinstance(each, ast.Name)}
            assert not names & {"Input", "TextArea", "MaskedInput"}, f"{path}:{node.lineno}"
