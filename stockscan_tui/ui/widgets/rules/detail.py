"""The rule under the cursor, whole: where it stands, what it asks for, and what it would say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.table import Table
from rich.text import Text
from textual.widget import Widget

from stockscan_tui.config.rule_checks import time_text
from stockscan_tui.market.calendar import Session
from stockscan_tui.market.fired import Fired, packed
from stockscan_tui.market.metrics import MetricKey, values_of
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.scan.rules import TRADING, Rule
from stockscan_tui.scan.rules.message import told
from stockscan_tui.ui.matching import Matched
from stockscan_tui.ui.widgets.rules.listing import condition_of

LABEL_CELLS = 9
_SCOPES = {
    "all": "all symbols",
    "toplist": "symbols on the leaderboard",
    "watchlist": "symbols of the current watchlist",
}
_SESSIONS = {Session.PRE: "pre", Session.REGULAR: "regular", Session.POST: "post"}


class RuleDetail(Widget):
    """Lines with a label each."""

    COMPONENT_CLASSES = {"rule--name", "rule--label", "rule--dim"}

    def __init__(self) -> None:
        super().__init__()
        self._lines: tuple[tuple[str, str], ...] = ()

    def show(self, lines: Iterable[tuple[str, str]]) -> None:
        """Show lines, each a label and what stands behind it; the first is the title."""
        shown = tuple(lines)
        if shown != self._lines:
            self._lines = shown
            self.refresh()

    def render(self) -> Table | Text:
        if not self._lines:
            return Text("")
        name = self.get_component_rich_style("rule--name", partial=True)
        label = self.get_component_rich_style("rule--label", partial=True)
        dim = self.get_component_rich_style("rule--dim", partial=True)
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=LABEL_CELLS, no_wrap=True)
        table.add_column(ratio=1, overflow="fold")
        for place, (word, said) in enumerate(self._lines):
            style = name if place == 0 else dim if not word else ""
            table.add_row(Text(word, label), Text(printable(said), style))
        return table


def described(
    rule: Rule, path: Path | None, snapshot: Snapshot | None, matched: Matched | None, symbol: str
) -> list[tuple[str, str]]:
    """Return what is to be said of a rule, label by label.

    Args:
        rule: The rule.
        path: Its file.
        snapshot: The market; None before there is one.
        matched: The symbols it holds for, None while they are not counted.
        symbol: Whose message is shown where none matches.
    """
    state = "on" if rule.enabled else "off: t switches it on"
    lines = [("rule", f"{rule.name} · {state} · {_origin(rule, path)}"), ("", rule.doc),
             ("when", condition_of(rule)), ("filter", rule.filter.text), ("again", _again(rule)),
             ("message", _message(rule, snapshot, matched, symbol)),
             ("where", _where(rule)), ("told by", _told_by(rule))]  # fmt: skip
    return [(label, said) for label, said in lines if said]


def _origin(rule: Rule, path: Path | None) -> str:
    place = f"line {rule.line} of {path.name}" if rule.line and path is not None else ""
    if not rule.shipped:
        return place or "your own"
    return f"library, {place}" if place else "library"


def _again(rule: Rule) -> str:
    """Return what has to happen before it fires again for a symbol."""
    if rule.once_a_day:
        return "once a day for each symbol"
    if rule.rearm is not None:
        armed = f"after {rule.rearm.text}"
    elif rule.rearm_move:
        armed = f"after a move back under {rule.rearm_move:g} %"
    else:
        armed = "once it has ended"
    return f"{armed} · cooldown {time_text(rule.cooldown_s)}" if rule.cooldown_s else armed


def _where(rule: Rule) -> str:
    kind, _, name = rule.scope.partition(":")
    scope = f"symbols of the watchlist {name}" if name else _SCOPES.get(kind, kind)
    sessions = "all sessions" if rule.sessions == TRADING else " and ".join(
        word for session, word in _SESSIONS.items() if session in rule.sessions
    )  # fmt: skip
    return f"{scope} · {sessions} · " + ("gates apply" if rule.gates else "past the gates")


def _told_by(rule: Rule) -> str:
    channels = ", ".join(rule.deliver) or "nobody: it is saved only"
    sound = f" · {rule.sound}" if rule.sound else ""
    return f"{channels} · {rule.priority.value} priority{sound}"


def _message(rule: Rule, snapshot: Snapshot | None, matched: Matched | None, symbol: str) -> str:
    if snapshot is None:
        return ""
    if matched is not None and matched.symbol:
        return told(rule, firing(rule, matched.snapshot, matched.row))
    if symbol not in snapshot.symbols:
        return ""
    form = told(rule, firing(rule, snapshot, snapshot.symbols.index(symbol)))
    return f"{form}   (only its form: no symbol matches now)"


def firing(rule: Rule, snapshot: Snapshot, row: int) -> Fired:
    """Return what a rule would give if it fired for a symbol now."""
    keys = sorted({*rule.keys, MetricKey("chg")}, key=str)
    values = packed((str(key), float(values_of(key, snapshot)[row])) for key in keys)
    price = float(values_of(MetricKey(rule.price), snapshot)[row])
    return Fired(snapshot.event_ns, snapshot.symbols[row], rule.name, price, values)
