"""An application that can be told to end, and ends well where its terminal does not."""

from __future__ import annotations

import threading
from traceback import format_exc
from typing import Any, cast

from rich.text import Text
from textual.app import App, ReturnType
from textual.await_complete import AwaitComplete
from textual.driver import Driver

from stockscan_tui.market.text import printable
from stockscan_tui.ui.forgetting import forget_drawn
from stockscan_tui.ui.sheet import Palette


class LastingApp(App[ReturnType]):
    """An application whose terminal may stall, go away, or be stopped and come back.

    It looks at `leaving` now and then, and ends once that is true.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._told_to_leave = threading.Event()

    @property
    def leaving(self) -> bool:
        """Whether it was told to end."""
        return self._told_to_leave.is_set()

    def leave_soon(self) -> None:
        """Let it end; may be called from any thread, and from a signal handler."""
        self._told_to_leave.set()

    def pop_screen(self) -> AwaitComplete:
        """Leave a screen, and let go of what was drawn of those that were left before."""
        forget_drawn()
        return super().pop_screen()

    def action_command_palette(self) -> None:
        """Open the command palette, one that closes once."""
        if self.use_command_palette and not Palette.is_open(cast("App[object]", self)):
            self.push_screen(Palette(id="--command-palette"))

    def _fatal_error(self) -> None:
        """End after a defect as Textual does, but tell no variables: a key may be among them."""
        lines = (printable(line) for line in format_exc().splitlines())
        self._exit_renderables.append(Text("\n".join(lines)))
        self._close_messages_no_wait()

    def get_driver_class(self) -> type[Driver]:
        """Return what drives the terminal."""
        found = super().get_driver_class()
        if found.__module__ != "textual.drivers.linux_driver":
            return found
        from stockscan_tui.ui.terminal import LastingDriver  # noqa: PLC0415 - POSIX only

        return LastingDriver
