"""The compiled loops of rules: in the order of time, symbol by symbol."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.compiled import compiled, inlined

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]
Flags = NDArray[np.bool_]


@compiled
def fire(
    slots: Int64s,
    times: Int64s,
    holds: Flags,
    rearms: Flags,
    waits: Flags,
    once: bool,
    cooldown_ns: int,
    disarmed: Flags,
    last_ns: Int64s,
    fired: Int64s,
) -> int:
    """Let a rule fire where it holds, is armed and has cooled down; returns how often it did.

    Args:
        slots: The symbol of each row; rows are in the order of time.
        times: Its instant, ns since 1970.
        holds: Whether the condition holds there.
        rearms: Whether the condition that arms it again holds there; empty for none: then it is
            armed where it does not hold.
        waits: At which rows nothing happens; empty for none.
        once: Whether it is never armed again.
        cooldown_ns: The least time between two firings for a symbol.
        disarmed: By slot, whether it has fired and was not armed again; kept.
        last_ns: By slot, when it fired last, 0 for never; kept.
        fired: Receives the rows at which it fires.
    """
    count = 0
    own = len(rearms) > 0
    waiting = len(waits) > 0
    for row in range(len(slots)):
        slot = slots[row]
        # One branch that is hardly ever taken: most rows change nothing.
        back = rearms[row] if own else not holds[row]
        if not (back if disarmed[slot] else holds[row]):
            continue
        if waiting and waits[row]:
            continue
        if disarmed[slot]:
            disarmed[slot] = once
            continue
        before = last_ns[slot]
        if before == 0 or times[row] - before >= cooldown_ns:
            fired[count] = row
            count += 1
            disarmed[slot] = True
            last_ns[slot] = times[row]
    return count


@compiled
def cross(
    slots: Int64s, rising: Float64s, falling: Float64s, side: NDArray[np.int8], crossed: Flags
) -> None:
    """Tell at which rows one thing has risen over another that it was under.

    Args:
        slots: The symbol of each row; rows are in the order of time.
        rising: What rises, a value for each row or one for all, NaN where unknown.
        falling: What it rises over, likewise.
        side: By slot, -1 under, 1 over, 0 for unknown; kept. Equal and NaN leave it as it is.
        crossed: Receives the result.
    """
    # Without a branch: which side it is on is as good as random.
    if len(rising) == 1:
        for row in range(len(slots)):
            crossed[row] = _over(rising[0], falling[row], slots[row], side)
    elif len(falling) == 1:
        for row in range(len(slots)):
            crossed[row] = _over(rising[row], falling[0], slots[row], side)
    else:
        for row in range(len(slots)):
            crossed[row] = _over(rising[row], falling[row], slots[row], side)


@inlined
def _over(rising: float, falling: float, slot: int, side: NDArray[np.int8]) -> bool:
    before = side[slot]
    over = 1 if rising > falling else before
    side[slot] = -1 if rising < falling else over
    crossed: bool = (rising > falling) & (before < 0)
    return crossed


@compiled
def prime(slots: Int64s, times: Int64s, holds: Flags, disarmed: Flags, last_ns: Int64s) -> None:
    """Let a rule be as if it had fired where it holds already."""
    for row in range(len(slots)):
        if holds[row]:
            disarmed[slots[row]] = True
            last_ns[slots[row]] = times[row]


@compiled
def percent_part(close: int, over: int, under: int) -> int:
    """Return over ÷ under of a price, rounded up; exact, without leaving 64 bits."""
    return close // under * over + ((close % under) * over + under - 1) // under


@compiled
def join_levels(
    levels: Int64s,
    column: int,
    slots: Int64s,
    closes: Int64s,
    prices: Int64s,
    there: Flags,
    disarmed: Flags,
    last_ns: Int64s,
    move: Int64s,
    back: Int64s,
    once: bool,
    cooldown_ns: int,
    ts_ns: int,
    wake: int,
) -> None:
    """Let the prices that one move rule waits for be among those of some symbols.

    Args:
        levels: By slot, what is waited for; kept at the nearest of all rules'.
        column: Where the price that the rule looks at has its level above; below is the next.
        slots: Whose.
        closes: Their previous closes in 1e-9 dollars.
        prices: What they stand at.
        there: Whether the rule is for them, and can be told.
        disarmed: By slot, whether it has fired and was not armed again.
        last_ns: By slot, when it fired last, 0 for never.
        move: The part of a close that fires it: over and under.
        back: The part within which a price is back: over and under.
        once: Whether it is never armed again.
        cooldown_ns: The least time between two firings for a symbol.
        ts_ns: Before this instant nothing happens any more.
        wake: The column of the instant from which on whatever comes is looked at.
    """
    for row in range(len(slots)):
        if not there[row]:
            continue
        slot = slots[row]
        close = closes[row]
        if not disarmed[slot]:
            until = last_ns[slot] + cooldown_ns
            if last_ns[slot] > 0 and until > ts_ns:
                if not once:
                    levels[slot, wake] = min(levels[slot, wake], until)
                continue
            part = percent_part(close, move[0], move[1])
            levels[slot, column] = min(levels[slot, column], close + part)
            levels[slot, column + 1] = max(levels[slot, column + 1], close - part)
        elif not once:
            # Out there, it waits for the price to come back.
            part = percent_part(close, back[0], back[1])
            if prices[row] >= close + part:
                levels[slot, column + 1] = max(levels[slot, column + 1], close + part - 1)
            elif prices[row] <= close - part:
                levels[slot, column] = min(levels[slot, column], close - part + 1)
            else:
                levels[slot, wake] = 0
