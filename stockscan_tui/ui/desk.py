"""What the screen is given besides the market: lists, gates, saved filters, columns, watchlists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.market.user_data import Own
from stockscan_tui.scan.expression import Expression, Names, parse
from stockscan_tui.scan.gates import SHIPPED, Gates
from stockscan_tui.scan.lists import Toplist, lists
from stockscan_tui.scan.watchlists import Watchlists
from stockscan_tui.ui.ruling import DryRun, RulesSource


@dataclass(frozen=True, slots=True)
class Desk:
    """How the board begins, and what it may use.

    Attributes:
        lists: All lists, those on 1 to 9 and 0 first.
        start: The list it begins with; None for that of the session.
        chosen: The filter it begins with.
        gates: What keeps noise off the board; None for nothing.
        names: What may stand in a filter besides metrics.
        widths: The columns' widths that the user chose.
        watchlists: The user's watchlists; None where there are none to be had.
        watchlist: The current one's name.
        config: The config file in which changes are kept; None for the usual one.
        keeps: Whether changes are kept at all.
        read_own: Reads the user's table and watchlists; not for the screen's thread.
        rules: The rules file; None where there is none to be had.
        dry_run: Plays a rule over saved sessions; None where there are none.
    """

    lists: tuple[Toplist, ...] = field(default_factory=lists)
    start: Toplist | None = None
    chosen: Expression = field(default_factory=lambda: parse(""))
    gates: Gates | None = SHIPPED
    names: Names = field(default_factory=Names)
    widths: Mapping[MetricKey, int] = field(default_factory=dict)
    watchlists: Watchlists | None = None
    watchlist: str = "main"
    config: Path | None = None
    keeps: bool = False
    read_own: Callable[[str], Own] = field(default=lambda _current: Own())
    rules: RulesSource | None = None
    dry_run: DryRun | None = None
