"""What is known of one symbol besides the picture: its stored bars and the alerts it had."""

from __future__ import annotations

from dataclasses import dataclass, field

from stockscan_tui.market.fired import Fired
from stockscan_tui.market.symbol_bars import SymbolBars


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """One symbol in the database.

    Attributes:
        symbol: Which.
        bars: Its minute bars of the session date and, once `whole`, of the days before, in the
            shares of the session date; whatever lies after the picture's instant is to be cut off.
        alerts: Its alerts in that time, oldest first.
        whole: Whether the days before are there.
        problem: Why something could not be read, empty where nothing is missing.
        leap: The picture's leap for which it was read.
    """

    symbol: str
    bars: SymbolBars = field(default_factory=SymbolBars.none)
    alerts: tuple[Fired, ...] = ()
    whole: bool = False
    problem: str = ""
    leap: int = 0
