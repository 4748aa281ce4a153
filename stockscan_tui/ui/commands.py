"""Every command once: bindings, footer, help screen and README come from these tables."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType

from stockscan_tui.scan.lists import DEFAULT_LISTS


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a key does.

    Attributes:
        id: Its lasting name.
        keys: Textual's names of the keys, separated by commas.
        action: The action that is run.
        shown: The keys as people read them.
        label: One or two words for the footer; empty where the footer leaves it out.
        doc: What it does, for the help screen.
    """

    id: str
    keys: str
    action: str
    shown: str
    label: str
    doc: str


LISTS = tuple((texts.key, texts.name) for texts in DEFAULT_LISTS)

EVERYWHERE = (
    Command("help", "question_mark", "help", "?", "keys", "This list of keys and columns"),
    Command("theme", "ctrl+t", "next_theme", "ctrl-t", "", "Next theme"),
    Command("palette", "ctrl+p", "command_palette", "ctrl-p", "", "Command palette"),
    Command(
        "pause",
        "space,p",
        "pause",
        "space p",
        "pause",
        "Pause the replay, or go on; live: hold the picture still",
    ),
    Command("slower", "less_than_sign", "slower", "<", "", "Slower"),
    Command("faster", "greater_than_sign", "faster", ">", "speed", "Faster, up to max"),
    Command("quit", "q", "ask_leave", "q", "quit", "Quit; a live capture asks first"),
    Command("stop", "ctrl+c", "leave", "ctrl-c", "", "Quit at once; bars in memory are saved"),
)

BOARD = (
    Command("down", "j,down", "down", "j ↓", "move", "Next row"),
    Command("up", "k,up", "up", "k ↑", "", "Previous row"),
    Command("top", "g,home", "top", "g", "", "First row"),
    Command("bottom", "G,end", "bottom", "G", "", "Last row"),
    Command("half_down", "ctrl+d", "half_down", "ctrl-d", "", "Half a page down"),
    Command("half_up", "ctrl+u", "half_up", "ctrl-u", "", "Half a page up"),
    Command("page_down", "pagedown", "page_down", "PgDn", "", "A page down"),
    Command("page_up", "pageup", "page_up", "PgUp", "", "A page up"),
    Command("open", "enter", "app.open", "Enter", "open", "Open the symbol"),
    Command("filter", "slash", "filter", "/", "filter", "Filter: chg > 5 and rvol > 3, or NV"),
    *(
        Command(f"list_{key}", key, f"list('{key}')", key, "", f"List {key}: {name}")
        for key, name in LISTS
    ),
    Command("sort", "s", "sort", "s", "sort", "Sort by the next column (or click on its head)"),
    Command("reverse", "S", "reverse", "S", "", "Turn the order round"),
    Command("columns", "c", "columns", "c", "columns", "Choose columns"),
    Command("gates", "x", "gates", "x", "gates", "Lift the gates that keep noise off, or set them"),
    Command("watch", "w", "watch", "w", "watch", "Put the symbol on the watchlist, or take it off"),
    Command("watchlists", "W", "watchlists", "W", "", "Watchlists: choose, make, import, export"),
    Command("save_list", "ctrl+s", "save_list", "ctrl-s", "", "Save filter and order as a list"),
    Command("clear", "F", "clear_filter", "F", "", "Clear the filter"),
    Command("copy", "y", "copy", "y", "", "Copy the symbol; y again copies the row"),
    Command("export", "e", "export", "e", "", "Export what is shown: CSV, Parquet, or a picture"),
)

SYMBOL = (
    Command("back", "escape", "back", "Esc", "back", "Back to the same row of the board"),
    Command("next", "n,j,down", "next", "n", "next", "Next symbol of the list"),
    Command("previous", "N,k,up", "previous", "N", "", "Previous symbol of the list"),
)


def bindings(commands: tuple[Command, ...]) -> list[BindingType]:
    """Return Textual's bindings for commands; the footer is our own."""
    return [
        Binding(
            command.keys,
            command.action,
            command.doc,
            show=False,
            id=command.id,
            # Whatever lies over the board, this one ends the program.
            priority=command.id == "stop",
        )
        for command in commands
    ]
