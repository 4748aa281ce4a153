"""Closes into the market's arrays, and out of them at a day's end; on the engine's thread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market.batch import CloseBatch
from stockscan_tui.market.calendar import TradingDay
from stockscan_tui.market.snapshot import CloseSource, Floats
from stockscan_tui.market.state import Market

KnownCloses = tuple[Floats, NDArray[np.uint8], NDArray[np.uint8]]


def resolve_closes(market: Market, closes: PreviousCloses, slots: Sequence[int]) -> None:
    """Look up the previous closes of some symbols for the market's session date."""
    if market.day is None:
        return
    names = market.symbols.names
    for close, age, table in reversed(closes.before(market.day.session_date)):
        found = [slot for slot in slots if names[slot] in table]
        market.prev_close[found] = [table[names[slot]] for slot in found]
        market.close_source[found] = close.source.value
        market.close_age[found] = age


def known_closes(market: Market) -> KnownCloses:
    """Return the previous closes as they are known now, with their ages and sources."""
    count = market.count
    return (
        market.prev_close[:count].copy(),
        market.close_age[:count].copy(),
        market.close_source[:count].copy(),
    )


def keep_better(market: Market, before: KnownCloses) -> None:
    """Go back to closes that were known before, where they are better than those of now."""
    price, age, source = before
    now = market.close_age[: len(price)], market.close_source[: len(price)]
    newer = (age < now[0]) | ((age == now[0]) & (source < now[1]))
    slots = np.flatnonzero(np.isfinite(price) & newer)
    market.prev_close[slots] = price[slots]
    market.close_age[slots], market.close_source[slots] = age[slots], source[slots]


def keep_closes(market: Market, closes: PreviousCloses, day: TradingDay) -> CloseBatch | None:
    """Let the day's regular closes be known to the days after it; returns them for the store.

    Where the official close of the day is known, it is the one that is stored.
    """
    slots = np.flatnonzero(market.regular_close[: market.count])
    if len(slots) == 0:
        return None
    own = market.regular_close[slots] / 1e9
    names = [market.symbols.names[slot] for slot in slots]
    closes.add(day.session_date, CloseSource.REPLAY, dict(zip(names, own, strict=True)))
    official = closes.official_on(day.session_date)
    return CloseBatch(
        day.session_date,
        slots.astype(np.int32),
        np.array([official.get(name, price) for name, price in zip(names, own, strict=True)]),
        np.array([name in official for name in names]),
    )
