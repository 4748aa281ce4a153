"""Screens that close once, however often and however late they are told to.

Two keys can come before the first has closed a screen; Textual would close the one below it, too.
"""

from __future__ import annotations

from typing import Any, cast

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.screen import ModalScreen, Screen, ScreenResultType
from textual.widgets import Input

from stockscan_tui.ui.widgets.field import WORDS, Harmless


class _Once:
    """What comes before Textual's own way to close."""

    @property
    def there(self) -> bool:
        """Whether its widgets are there: what was asked for before it closed can come after."""
        screen = cast("Screen[Any]", self)
        return screen.is_mounted and screen in screen.app.screen_stack

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close, with a result for whoever opened it, unless another screen is in front."""
        screen = cast("Screen[Any]", self)
        if screen.app.screen is not screen:
            return AwaitComplete()
        return cast("AwaitComplete", super().dismiss(result))  # type: ignore[misc]


class Page(_Once, Screen[ScreenResultType]):
    """A screen that fills the terminal."""


class Sheet(_Once, ModalScreen[ScreenResultType]):
    """A screen over another one."""


class Palette(_Once, CommandPalette):
    """Textual's command palette."""

    def on_mount(self) -> None:
        """Let it hold as much as any other field, and draw it as they do."""
        field = self.query_one(Input)
        field.max_length, field.highlighter = WORDS, Harmless()
