"""What `stockscan` shows where there is no key: a demo, a file to open, how to get a key."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from stockscan_tui.market.text import printable
from stockscan_tui.ui.theme import DARK, THEMES

_KEY_HELP = """\
The live feed needs a key of Databento (databento.com/portal/keys).

    export DATABENTO_API_KEY=db-…
    stockscan

or keep it in the file `key` beside config.toml, readable by you alone (chmod 600).
Nothing else is needed: EQUS.MINI is the default dataset."""


class WelcomeApp(App[list[str]]):
    """The first screen without a key; its result is the arguments of the command to run.

    Args:
        theme: The theme's name.
    """

    CSS_PATH = "welcome.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "demo", "Demo"),
        Binding("o", "open", "Open a file"),
        Binding("l", "live", "How to go live"),
        Binding("j", "down", "Down", show=False),
        Binding("k", "up", "Up", show=False),
        Binding("escape", "choose", "Back", show=False),
        Binding("q,ctrl+c", "leave", "Quit"),
    ]

    def __init__(self, theme: str = DARK.name) -> None:
        super().__init__()
        self._theme_name = theme

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(DARK.variables)

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static("stockscan", id="name", markup=False)
            yield Static("the whole US market in a terminal", id="title", markup=False)
            yield OptionList(
                Option("d  Demo: a simulated market through the real live path", id="demo"),
                Option("o  Open a saved DBN file and replay it", id="open"),
                Option("l  Live: how to get a key and where to put it", id="live"),
                Option("q  Quit", id="leave"),
            )
            yield Input(placeholder="a .dbn or .dbn.zst file · Enter opens · Esc back", id="path")
            yield Static(_KEY_HELP, id="help", markup=False)
            yield Static("", id="said", markup=False)

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        known = [theme.name for theme in THEMES]
        self.theme = self._theme_name if self._theme_name in self.available_themes else known[0]
        self.action_choose()

    @on(OptionList.OptionSelected)
    async def _chosen(self, event: OptionList.OptionSelected) -> None:
        await self.run_action(event.option_id or "choose")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        path = Path(event.value.strip()).expanduser()
        if not path.is_file():
            self.query_one("#said", Static).update(f"There is no file {printable(path)}.")
            return
        self.exit(["replay", "--", str(path)])

    def action_demo(self) -> None:
        """Play the demo."""
        self.exit(["demo"])

    def action_open(self) -> None:
        """Ask for a file."""
        self.query_one("#help").display = False
        field = self.query_one("#path", Input)
        field.display = True
        field.focus()

    def action_live(self) -> None:
        """Say how to go live."""
        self.query_one("#help").display = True

    def action_choose(self) -> None:
        """Go back to the choice."""
        self.query_one("#path").display = False
        self.query_one("#help").display = False
        self.query_one("#said", Static).update("")
        self.query_one(OptionList).focus()

    def action_down(self) -> None:
        """Go to the next choice."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """Go to the choice before."""
        self.query_one(OptionList).action_cursor_up()

    def action_leave(self) -> None:
        """Quit."""
        self.exit(None)
