"""The palette: every command, list, theme and symbol by a few signs of its name."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.screen import Screen

from stockscan_tui.market.metrics import MetricKey, values_of
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.scan.lists import Toplist
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.player import Player
from stockscan_tui.ui.screens.help import Section
from stockscan_tui.ui.theme import THEMES

SYMBOLS_AT_MOST = 20
_CHANGE = MetricKey("chg")
_PALETTE = "command_palette"


class PaletteHost(Protocol):
    """What the application is to the palette."""

    @property
    def player(self) -> Player | None:
        """Where the symbols come from; None before there is a market."""

    @property
    def sections(self) -> Sequence[Section]:
        """The tables of commands, each with its title."""

    @property
    def toplists(self) -> Sequence[Toplist]:
        """All lists."""

    @property
    def recovered(self) -> Sequence[object]:
        """What became of a damaged database."""

    def show_recovered(self) -> None:
        """Show it."""

    def jump_to(self, symbol: str) -> None:
        """Show the board with the cursor on a symbol."""

    def show_list(self, key_or_name: str) -> None:
        """Show a list."""

    def choose_theme(self, name: str) -> object:
        """Switch to a theme; may be a coroutine."""

    async def run_action(self, action: str) -> bool:
        """Run an action of the application."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something that can be chosen.

    Attributes:
        title: What it is.
        beside: The key that does the same, or what else is good to know.
        words: Other words it goes by, in small letters.
        run: Does it.
    """

    title: str
    beside: str
    words: str
    run: Callable[[], Any]

    def score(self, query: str) -> float:
        """Return how well it meets a query in small letters, from 0 to 1."""
        title = self.title.casefold()
        if title.startswith(query) or query == self.beside.casefold():
            return 0.9
        if f" {query}" in title:
            return 0.8
        if any(word.startswith(query) for word in self.words.split()):
            return 0.5
        text = f"{title} {self.words}"
        return 0.4 if all(word in text for word in query.split()) else 0.0


class Everything(Provider):
    """Commands that the screen below can run, lists, themes, and the symbols of the picture."""

    async def startup(self) -> None:
        host = cast("PaletteHost", self.app)
        self._items = [
            *_commands(host, self.screen),
            *_recovered(host),
            *_lists(host),
            *(_theme(host, theme.name) for theme in THEMES),
        ]
        self._snapshot = host.player.snapshot() if host.player is not None else None
        self._symbols = Symbols(self._snapshot) if self._snapshot is not None else None

    async def discover(self) -> Hits:
        for item in self._items:
            yield DiscoveryHit(_display(item.title, item.beside), item.run, text=item.title)

    async def search(self, query: str) -> Hits:
        small = query.casefold()
        for item in self._items:
            score = item.score(small)
            if score:
                yield Hit(score, _display(item.title, item.beside), item.run, text=item.title)
        if self._symbols is None:
            return
        host = cast("PaletteHost", self.app)
        for symbol, score in self._symbols.hits(query):
            shown = printable(symbol)
            display = _display(shown, self._symbols.facts(symbol))
            yield Hit(score, display, partial(host.jump_to, symbol), text=shown)


class Symbols:
    """The symbols of a picture, to be found by a part of their name."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._names = [snapshot.symbols[row] for row in snapshot.by_symbol.tolist()]
        self._rows = snapshot.by_symbol

    def hits(self, query: str) -> Iterator[tuple[str, float]]:
        """Return at most 20 symbols with scores: those that begin so, then those that hold it.

        A query in capitals means a symbol, and comes before commands.
        """
        wanted = query.upper()
        first = 0.95 if query == wanted else 0.7
        found = list(islice(self._beginning(wanted), SYMBOLS_AT_MOST))
        for place, name in enumerate(found):
            yield name, 1.0 if name == wanted else first - place / 1000
        rest = SYMBOLS_AT_MOST - len(found)
        if rest and len(wanted) > 1:
            holding = (n for n in self._names if wanted in n and not n.startswith(wanted))
            for place, name in enumerate(islice(holding, rest)):
                yield name, 0.3 - place / 1000

    def facts(self, symbol: str) -> str:
        """Return a symbol's price and change."""
        row = int(self._rows[bisect_left(self._names, symbol)])
        change = fmt.percent(float(values_of(_CHANGE, self._snapshot)[row]))
        return f"{fmt.price(float(self._snapshot.mark[row]))}  {change} %"

    def _beginning(self, wanted: str) -> Iterator[str]:
        for name in islice(self._names, bisect_left(self._names, wanted), None):
            if not name.startswith(wanted):
                return
            yield name


def _commands(host: PaletteHost, screen: Screen[Any]) -> Iterable[Item]:
    """Return the commands that the screen, or the application itself, can run."""
    # Lists have items of their own, by the names that the user gave them.
    seen = {_PALETTE, *(f"list('{toplist.key}')" for toplist in host.toplists)}
    for _, commands in host.sections:
        for command in commands:
            run = _runner(host, screen, command.action)
            if run is not None and command.action not in seen:
                seen.add(command.action)
                words = f"{command.id} {command.label}".replace("_", " ").casefold()
                yield Item(command.doc, command.shown, words, run)


def _runner(host: PaletteHost, screen: Screen[Any], action: str) -> Callable[[], Any] | None:
    place, _, rest = action.rpartition(".") if "(" not in action else ("", "", action)
    method = f"action_{rest.partition('(')[0]}"
    if place != "app" and hasattr(screen, method):
        return partial(screen.run_action, action)
    return partial(host.run_action, action) if hasattr(host, method) else None


def _recovered(host: PaletteHost) -> Iterable[Item]:
    if host.recovered:
        words = "recovery damaged database aside lost"
        yield Item("What was recovered of the damaged database", "", words, host.show_recovered)


def _lists(host: PaletteHost) -> Iterable[Item]:
    for toplist in host.toplists:
        title = f"List: {printable(toplist.name)}"
        words = f"{printable(toplist.name)} {toplist.sort}".casefold()
        show = partial(host.show_list, toplist.key or toplist.name)
        yield Item(title, toplist.key, words, show)


def _theme(host: PaletteHost, name: str) -> Item:
    return Item(f"Theme: {name}", "", f"{name} colours", partial(host.choose_theme, name))


def _display(title: str, beside: str) -> Any:
    """Return a line of the palette; as content, so that no sign in it is taken for markup."""
    return Content.assemble(title, "   ", (beside, "dim")) if beside else Content(title)
