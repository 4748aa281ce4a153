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
        crossed[row] = value > 0 and side[slot] < 0
        if value > 0:
            side[slot] = 1
        elif value < 0:
            side[slot] = -1


@compiled
def prime(slots: Int64s, times: Int64s, holds: Flags, disarmed: Flags, last_ns: Int64s) -> None:
    """Let a rule be as if it had fired where it holds already."""
    for row in range(len(slots)):
        if holds[row]:
            disarmed[slots[row]] = True
            last_ns[slots[row]] = times[row]
