"""Chance that is the same in Python and in compiled code, and what runs in both."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Int64s = NDArray[np.int64]

F = TypeVar("F", bound=Callable[..., object])
# Plain Python where Python calls it, compiled where compiled code does.
either = cast("Callable[[F], F]", register_jitable)

_PRIME = 2_147_483_647


def dice_of(seed: int) -> Int64s:
    """Return dice for `roll`."""
    return np.array([seed * 7_919 % (_PRIME - 1) + 1], np.int64)


@either
def roll(dice: Int64s, below: int) -> int:
    """Return a number of 0 up to `below`, which is at most 2^31."""
    dice[0] = dice[0] * 48_271 % _PRIME
    return int((dice[0] >> 4) % below)


@either
def wide(dice: Int64s) -> int:
    """Return any of the numbers of 62 bits."""
    return roll(dice, 1 << 27) << 35 | roll(dice, 1 << 27) << 8 | roll(dice, 256)


@either
def put(buf: Bytes, at: int, value: int, count: int) -> None:
    """Write the lowest `count` bytes of a value, the least first."""
    for place in range(count):
        buf[at + place] = (value >> (8 * place)) & 0xFF


@either
def get(buf: Bytes, at: int, count: int) -> int:
    """Return `count` bytes as a number, the least first; of eight the sign is the last bit."""
    value = 0
    for place in range(count - 1):
        value |= int(buf[at + place]) << (8 * place)
    last = int(buf[at + count - 1])
    if count == 8 and last > 127:
        last -= 256
    return value | last << (8 * (count - 1))
