"""The compiled loops of rules: in the order of time, symbol by symbol."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.compiled import compiled

Int64s = NDArray[np.int64]
Flags = NDArray[np.bool_]


@compiled
def fire(
    slots: Int64s,
    times: Int64s,
    holds: Flags,
    rearms: Flags,
    has_rearm: bool,
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
        rearms: Whether the condition that arms it again holds there.
        has_rearm: Whether there is such a condition; else it is armed where it does not hold.
        once: Whether it is never armed again.
        cooldown_ns: The least time between two firings for a symbol.
        disarmed: By slot, whether it has fired and was not armed again; kept.
        last_ns: By slot, when it fired last, 0 for never; kept.
        fired: Receives the rows at which it fires.
    """
    count = 0
    for row in range(len(slots)):
        slot = slots[row]
        if disarmed[slot]:
            if not once and (rearms[row] if has_rearm else not holds[row]):
                disarmed[slot] = False
        elif holds[row]:
            before = last_ns[slot]
            if before == 0 or times[row] - before >= cooldown_ns:
                fired[count] = row
                count += 1
                disarmed[slot] = True
                last_ns[slot] = times[row]
    return count


@compiled
def cross(
    slots: Int64s, difference: NDArray[np.float64], side: NDArray[np.int8], crossed: Flags
) -> None:
    """Tell at which rows something has risen over zero that was under it.

    Args:
        slots: The symbol of each row; rows are in the order of time.
        difference: What has to rise over zero, NaN where unknown.
        side: By slot, -1 under, 1 over, 0 for unknown; kept. Zero and NaN leave it as it is.
        crossed: Receives the result.
    """
    for row in range(len(slots)):
        slot = slots[row]
        value = difference[row]
        before = side[slot]
        # Without a branch: which side it is on is as good as random.
        crossed[row] = (value > 0) & (before < 0)
        over = 1 if value > 0 else before
        side[slot] = -1 if value < 0 else over


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
