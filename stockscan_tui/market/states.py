"""When the state of which symbols goes to the store: the bigger the move, the oftener."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market import kernel as k
from stockscan_tui.market.arithmetic import percent_over, to_dollars
from stockscan_tui.market.batch import StateBatch
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.snapshot import CloseSource, Floats
from stockscan_tui.market.state import Market
from stockscan_tui.market.view import traded_today, volume_today

# Tier 1 is a move of 20 % and more, 2 from 10, 3 from 5, 4 from 1; 0 is less.
TIER_LIMITS_PCT = ((1, 20.0), (2, 10.0), (3, 5.0), (4, 1.0))
SAVE_EVERY_S = {1: 5, 2: 30, 3: 60, 4: 120, 0: 120}
_SOURCE_NAMES = {source.value: source.name.lower() for source in CloseSource}


def tiers(change_pct: Floats) -> NDArray[np.uint8]:
    """Return each move's tier, 0 where there is none."""
    size = np.abs(np.nan_to_num(change_pct))
    tier = np.zeros(len(size), np.uint8)
    for number, limit in reversed(TIER_LIMITS_PCT):
        tier[size >= limit] = number
    return tier


def _counts(by_slot: Mapping[int, int], count: int) -> NDArray[np.int64]:
    counts = np.zeros(count, np.int64)
    counts[list(by_slot.keys())] = list(by_slot.values())
    return counts


class StateSaver:
    """Picks the symbols whose state is due to be saved."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._saved_ns = dict.fromkeys(SAVE_EVERY_S, 0)

    def everything(self, updated_ns: int) -> tuple[StateBatch, ...]:
        """Return the state of all symbols that have any."""
        rows = self._market.rows
        changed = np.flatnonzero((rows[:, k.TRADE_NS] != 0) | (rows[:, k.QUOTE_NS] != 0))
        return self._batch(changed, updated_ns)

    def due(self, wall_ns: int) -> tuple[StateBatch, ...]:
        """Return the state of the tiers whose time has come by the wall clock."""
        ready = [
            tier
            for tier, every_s in SAVE_EVERY_S.items()
            if wall_ns - self._saved_ns[tier] >= every_s * SECOND_NS
        ]
        if not ready:
            return ()
        for tier in ready:
            self._saved_ns[tier] = wall_ns
        rows = self._market.rows
        active = (rows[:, k.TRADE_NS] != 0) | (rows[:, k.QUOTE_NS] != 0)
        chosen = np.flatnonzero(active & np.isin(tiers(self._change()), ready))
        return self._batch(chosen, self._market.clock_ns)

    def _change(self) -> Floats:
        market = self._market
        marks = to_dollars(market.rows[:, k.MARK])
        return percent_over(marks, market.prev_close[: market.count])

    def _batch(self, slots: NDArray[np.intp], updated_ns: int) -> tuple[StateBatch, ...]:
        market = self._market
        if market.day is None or len(slots) == 0:
            return ()
        rows = market.rows[slots]
        change = self._change()[slots]
        sources = market.close_source[slots]
        trades, notional = traded_today(market)
        batch = StateBatch(
            session_date=market.day.session_date,
            slot=slots.astype(np.int32),
            mark=to_dollars(rows[:, k.MARK]),
            last=to_dollars(rows[:, k.LAST]),
            bid=to_dollars(rows[:, k.BID]),
            ask=to_dollars(rows[:, k.ASK]),
            prev_close=market.prev_close[slots],
            prev_close_source=tuple(_SOURCE_NAMES[int(source)] for source in sources),
            chg=change,
            volume=volume_today(market)[slots],
            tier=tiers(change),
            trades=trades[slots],
            bars=rows[:, k.BAR_COUNT],
            notional=notional[slots],
            trade_ns=rows[:, k.TRADE_NS],
            quote_ns=rows[:, k.QUOTE_NS],
            remaps=_counts(market.symbols.remapped, market.count)[slots],
            updated_ns=updated_ns,
        )
        return (batch,)
