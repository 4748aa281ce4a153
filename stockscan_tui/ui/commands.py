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
    Command("health", "h", "health", "h", "health", "Feed, completeness, lag, disk: how all is"),
    Command("alerts", "a", "alerts", "a", "alerts", "The alerts of today and before"),
    Command("rules", "r", "rules", "r", "rules", "Rules: on and off, what they ask for, write one"),
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
    Command("make_rule", "A", "app.make_rule", "A", "", "Make a rule of the filter, and try it"),
    Command("copy", "y", "copy", "y", "", "Copy the symbol; y again copies the row"),
    Command("export", "e", "export", "e", "", "Export what is shown: CSV, Parquet, or a picture"),
)

SYMBOL = (
    Command("back", "escape", "back", "Esc", "back", "Back to the same row of the board"),
    Command("next", "n", "next", "n", "next", "Next symbol of the list"),
    Command("previous", "N", "previous", "N", "", "Previous symbol of the list"),
    Command("jump", "slash", "jump", "/", "jump", "Any symbol: Tab completes, Enter opens"),
    Command("interval", "i", "interval(1)", "i", "interval", "Bars of 1, 2, 5, 15, 60 minutes"),
    Command("interval_back", "I", "interval(-1)", "I", "", "The interval before"),
    Command("cross_left", "left", "cross(-1)", "←", "", "Crosshair to the left"),
    Command("cross_right", "right", "cross(1)", "→", "", "Crosshair to the right"),
    Command("pan_left", "shift+left", "pan(-1)", "shift-←", "", "Earlier bars"),
    Command("pan_right", "shift+right", "pan(1)", "shift-→", "", "Later bars"),
    Command("zoom_in", "plus,equals_sign", "zoom(1)", "+", "zoom", "Fewer bars, wider"),
    Command("zoom_out", "minus", "zoom(-1)", "-", "", "More bars, narrower"),
    Command("panel", "tab", "panel(1)", "Tab", "panel", "Figures, minutes, trades, bars, alerts"),
    Command("panel_back", "shift+tab", "panel(-1)", "shift-Tab", "", "The panel before"),
    Command("row_down", "j,down", "move(1)", "j ↓", "", "Next row; among the minutes next hour"),
    Command("row_up", "k,up", "move(-1)", "k ↑", "", "Previous row, or hour"),
    Command("first", "g,home", "end(0)", "g", "", "First row"),
    Command("last", "G,end", "end(1)", "G", "", "Last row"),
    Command("half_on", "ctrl+d,pagedown", "page(1)", "ctrl-d", "", "Half a page down"),
    Command("half_back", "ctrl+u,pageup", "page(-1)", "ctrl-u", "", "Half a page up"),
    Command("sort_bars", "s", "sort", "s", "", "Sort the bars by the next column"),
    Command("turn_bars", "S", "reverse", "S", "", "Turn the order of the bars round"),
    Command("enter", "enter", "enter", "Enter", "", "On an alert: move there in time"),
    Command("copy_row", "y", "copy", "y", "", "Copy the row under the cursor, or the symbol"),
    Command("export_bars", "e", "export", "e", "", "Export the bars: CSV, Parquet, or a picture"),
    *(
        Command(f"to_list_{key}", key, f"list('{key}')", key, "", f"Back, to list {key}: {name}")
        for key, name in LISTS
    ),
)

ALERTS = (
    Command("leave_alerts", "escape", "back", "Esc", "back", "Back to what was shown before"),
    Command("alert_down", "j,down", "move(1)", "j ↓", "move", "Next alert"),
    Command("alert_up", "k,up", "move(-1)", "k ↑", "", "Alert before"),
    Command("first_alert", "g,home", "end(0)", "g", "", "First alert of the list"),
    Command("last_alert", "G,end", "end(1)", "G", "", "Last one; older ones are read there"),
    Command("alerts_on", "ctrl+d,pagedown", "page(1)", "ctrl-d", "", "Half a page down"),
    Command("alerts_back", "ctrl+u,pageup", "page(-1)", "ctrl-u", "", "Half a page up"),
    Command("open_alert", "enter", "enter", "Enter", "open", "The symbol; in a replay its instant"),
    Command("find_alert", "slash", "filter", "/", "find", "Symbol or rule: NV, gap, rule:move"),
    Command("all_alerts", "F", "clear_filter", "F", "", "List all alerts again"),
    Command("done", "d", "acknowledge", "d", "done", "Mark the alert as done, or as not done"),
    Command("all_done", "D", "acknowledge_all", "D", "", "Mark all that are listed as done"),
    Command("mute", "m", "mute_symbol", "m", "mute", "Deliver nothing more of the symbol today"),
    Command("mute_rule", "M", "mute_rule", "M", "", "Deliver nothing more of the rule today"),
    Command("unmute", "u", "unmute", "u", "", "Deliver everything again"),
    Command("sort_alerts", "s", "sort", "s", "sort", "Order: time, symbol, rule, since"),
    Command("turn_alerts", "S", "reverse", "S", "", "Turn the order round"),
    Command("copy_alert", "y", "copy", "y", "", "Copy the alert under the cursor"),
    Command("export_alerts", "e", "export", "e", "", "Export them: CSV, Parquet, or a picture"),
    *(
        Command(f"alerts_to_{key}", key, f"list('{key}')", key, "", f"To list {key}: {name}")
        for key, name in LISTS
    ),
)

HEALTH = (
    Command("leave_health", "escape", "back", "Esc", "back", "Back to what was shown before"),
    Command("figure_down", "j,down", "move(1)", "j ↓", "move", "Next figure"),
    Command("figure_up", "k,up", "move(-1)", "k ↑", "", "Previous figure"),
    Command("figure_right", "right", "aside(1)", "→", "", "Figure at the right"),
    Command("figure_left", "left", "aside(-1)", "←", "", "Figure at the left"),
    Command("first_figure", "g,home", "end(0)", "g", "", "First figure"),
    Command("last_figure", "G,end", "end(1)", "G", "", "Last figure"),
    Command("figures_on", "ctrl+d,pagedown", "page(1)", "ctrl-d", "", "Half a page down"),
    Command("figures_back", "ctrl+u,pageup", "page(-1)", "ctrl-u", "", "Half a page up"),
    Command("copy_figure", "y", "copy", "y", "copy", "Copy the figure under the cursor"),
    *(
        Command(f"health_to_{key}", key, f"list('{key}')", key, "", f"To list {key}: {name}")
        for key, name in LISTS
    ),
)

RULES = (
    Command("leave_rules", "escape", "back", "Esc", "back", "Back to what was shown before"),
    Command("rule_down", "j,down", "move(1)", "j ↓", "move", "Next rule"),
    Command("rule_up", "k,up", "move(-1)", "k ↑", "", "Previous rule"),
    Command("switch", "t", "switch", "t", "on, off", "Switch the rule on, or off"),
    Command("edit_rule", "enter", "edit", "Enter", "edit", "Write another condition, and try it"),
    Command("new_rule", "A", "new", "A", "new", "Write a new rule"),
    Command("remove_rule", "X", "remove", "X", "remove", "Remove your own rule; asks first"),
    Command("find_rule", "slash", "find", "/", "find", "Find by name or condition; on, off"),
    Command("copy_rule", "y", "copy", "y", "copy", "Copy the condition"),
    Command("first_rule", "g,home", "end(0)", "g", "", "First rule"),
    Command("last_rule", "G,end", "end(1)", "G", "", "Last rule"),
    Command("rules_on", "ctrl+d,pagedown", "page(1)", "ctrl-d", "", "Half a page down"),
    Command("rules_back", "ctrl+u,pageup", "page(-1)", "ctrl-u", "", "Half a page up"),
    *(
        Command(f"rules_to_{key}", key, f"list('{key}')", key, "", f"To list {key}: {name}")
        for key, name in LISTS
    ),
)

REPLAY = (
    Command("minute_back", "left_square_bracket", "move_by(-60)", "[", "", "A minute back"),
    Command("minute_on", "right_square_bracket", "move_by(60)", "]", "", "A minute on"),
    Command("quarter_back", "left_curly_bracket", "move_by(-900)", "{", "", "15 minutes back"),
    Command("quarter_on", "right_curly_bracket", "move_by(900)", "}", "", "15 minutes on"),
    Command("alert_before", "comma", "move_to_alert(-1)", ",", "", "To the alert before"),
    Command("alert_after", "full_stop", "move_to_alert(1)", ".", "", "To the next alert"),
    Command("go_to", "T", "go_to", "T", "to a time", "To a time: 10:30, +15m, open"),
    Command("now", "L", "to_now", "L", "", "From the past of a live feed back to now"),
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
