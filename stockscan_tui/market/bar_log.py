"""Puts bars into a market's log, as if the compiled loop had written them; the engine's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS

if TYPE_CHECKING:
    from stockscan_tui.market.state import Market


def put_bars(market: Market, log: k.Int64s) -> None:
    """Let the log hold these bars and no others; of minutes before them only the store knows.

    Args:
        market: Whose clock stands where it is to go on, and whose symbols have their slots.
        log: Bars of the last hour by minute and slot, shape (bars, BAR_WIDTH); changed.
    """
    market.ctl[k.HELD_FROM_MINUTE] = market.clock_ns // MINUTE_NS - k.KEPT_MINUTES
    while len(market.bars) // k.BAR_WIDTH < 2 * len(log):
        market.grow_bars()
    log[:, k.BAR_BEFORE] = 0
    _link(market, log)
    market.bars[: log.size] = log.ravel()
    # What an earlier bar had left there counts as free.
    market.bars[log.size :] = 0
    market.ctl[k.BARS_HEAD] = len(log)


def _link(market: Market, log: k.Int64s) -> None:
    """Let each bar name its symbol's bar before it, and each symbol its newest."""
    market.rows[:, k.NEWEST_BAR] = 0
    slot = log[:, k.BAR_SLOT]
    by_slot = np.argsort(slot, kind="stable")
    same = slot[by_slot][1:] == slot[by_slot][:-1]
    log[by_slot[1:][same], k.BAR_BEFORE] = by_slot[:-1][same] + 1
    newest = np.append(~same, True)[: len(by_slot)]
    market.rows[slot[by_slot[newest]], k.NEWEST_BAR] = by_slot[newest] + 1
