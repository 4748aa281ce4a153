"""What `stockscan` shows where there is no key: a demo, files to open, a key to enter."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from stockscan_tui.config import config_path, key_path
from stockscan_tui.market.text import printable
from stockscan_tui.ui.app_base import LastingApp
from stockscan_tui.ui.theme import DARK, THEMES, next_theme

_PLAN = """\
Live     live data of EQUS.MINI, or of another equities dataset
         (stockscan live --dataset), with the licence for live data
Closes   historical access; the official ones are EQUS.SUMMARY's. Nothing
         that costs money beyond the plan is asked for
Without  the demo, and replays of the DBN files that you have
Keys     databento.com/portal/keys, entered here or in DATABENTO_API_KEY"""

LEAVE_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Chosen:
    """What to start: a command's arguments, and a key for this run alone.

    The key stands in no representation; it is empty where the user's own is to be used.
    """

    arguments: tuple[str, ...]
    key: str = field(default="", repr=False)


class WelcomeApp(LastingApp[Chosen]):
    """The first screen without a key; its result says what to start, None nothing.

    Args:
        theme: The theme's name.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS_PATH: ClassVar[list[str]] = [  # type: ignore[assignment]
        "welcome.tcss",
        "screens/file_picker.tcss",
        "screens/key_entry.tcss",
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "demo", "Demo"),
        Binding("o", "open", "Open files"),
        Binding("l", "live", "Enter a key"),
        Binding("p,question_mark", "plan", "What a plan needs"),
        Binding("j", "down", "Down", show=False),
        Binding("k", "up", "Up", show=False),
        Binding("escape", "close", "Close", show=False),
        Binding("ctrl+t", "theme", "Next theme", show=False),
        Binding("q", "leave", "Quit"),
        Binding("ctrl+c", "leave", "Quit", show=False, priority=True),
    ]

    def __init__(self, theme: str = DARK.name) -> None:
        super().__init__()
        self._theme_name = theme

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(DARK.variables)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box", can_focus=False):
            yield Static("stockscan", id="name", markup=False)
            yield Static("the whole US market in a terminal", id="title", markup=False)
            yield OptionList(
                Option("d  Demo: a simulated market through the real live path", id="demo"),
                Option("o  Open DBN files and replay them", id="open"),
                Option("l  Live: enter an API key of Databento", id="live"),
                Option("p  What a plan needs to have, and what works without", id="plan"),
                Option("q  Quit", id="leave"),
                id="choices",
            )
            yield Static(_PLAN, id="plan", markup=False)
            places = f"settings  {config_path()}\nkey       {key_path()}"
            yield Static(_printable_lines(places), id="places", markup=False)

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        known = [theme.name for theme in THEMES]
        self.theme = self._theme_name if self._theme_name in self.available_themes else known[0]
        self._choices.focus()
        self.set_interval(LEAVE_POLL_S, self._leave_if_told)
        # The first frame is painted before the picker's imports begin.
        self.call_after_refresh(self._prepare)

    def _leave_if_told(self) -> None:
        if self.leaving:
            self.exit(None)

    def _prepare(self) -> None:
        self.run_worker(asyncio.to_thread(_import_picker))

    @property
    def _choices(self) -> OptionList:
        return self.query_one("#choices", OptionList)

    @on(OptionList.OptionSelected)
    async def _chosen(self, event: OptionList.OptionSelected) -> None:
        await self.run_action(event.option_id or "close")

    def action_demo(self) -> None:
        """Play the demo."""
        self.exit(Chosen(("demo",)))

    async def action_open(self) -> None:
        """Choose files to replay."""
        await asyncio.to_thread(_import_picker)
        from stockscan_tui.ui.screens.file_picker import FilePickerScreen  # noqa: PLC0415

        def replay(files: tuple[Path, ...] | None) -> None:
            if files:
                self.exit(Chosen(("replay", "--", *map(str, files))))

        self.push_screen(FilePickerScreen(), replay)

    def action_live(self) -> None:
        """Ask for a key."""
        from stockscan_tui.ui.screens.key_entry import KeyChoice, KeyEntryScreen  # noqa: PLC0415

        def go_live(choice: KeyChoice | None) -> None:
            if choice is not None:
                self.exit(Chosen(("live",), "" if choice.kept else choice.key))

        self.push_screen(KeyEntryScreen(), go_live)

    def action_plan(self) -> None:
        """Say what a plan needs to have, or close that."""
        self.query_one("#plan").toggle_class("-open")

    def action_close(self) -> None:
        """Close what is open; never quits."""
        self.query_one("#plan").remove_class("-open")

    def action_down(self) -> None:
        """Go to the next choice."""
        self._choices.action_cursor_down()

    def action_up(self) -> None:
        """Go to the choice before."""
        self._choices.action_cursor_up()

    def action_theme(self) -> None:
        """Switch to the next theme."""
        self.theme = next_theme(self.theme)

    def action_leave(self) -> None:
        """Quit."""
        self.exit(None)


def _import_picker() -> None:
    """Import what takes a while off the interface's thread."""
    import stockscan_tui.ui.screens.file_picker  # noqa: F401, PLC0415


def _printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))
