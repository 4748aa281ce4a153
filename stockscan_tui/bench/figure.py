"""A measured figure and what stands beside it."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Peer:
    """What else does the same.

    Attributes:
        name: What it is.
        value: What it needs or does, in the figure's unit; None where it could not be measured.
        same: Whether it came to our result; None where there is nothing to hold against.
        note: Why there is no value, or what else is to be said.
    """

    name: str
    value: float | None
    same: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table and its peers.

    Attributes:
        name: What `--only` calls it.
        title: What was measured.
        unit: Of `ours` and the peers' values: a rate if it ends in `/s`, else a time.
        ours: Our value; None where it could not be measured.
        peers: What stands beside it.
        note: What else is to be said.
    """

    name: str
    title: str
    unit: str
    ours: float | None
    peers: tuple[Peer, ...] = ()
    note: str = ""

    def ratio(self, peer: Peer) -> float | None:
        """Return how many times better than a peer we are, None where one was not measured."""
        if not self.ours or not peer.value:
            return None
        return self.ours / peer.value if self.unit.endswith("/s") else peer.value / self.ours


@dataclass(slots=True)
class Timed:
    """Times of some work that is done several times, in seconds."""

    seconds: list[float] = field(default_factory=list)

    def of(self, work: Callable[[], T], times: int = 1) -> T:
        """Do it and return its last result."""
        gc.collect()
        for _ in range(times):
            began = time.perf_counter()
            result = work()
            self.seconds.append(time.perf_counter() - began)
        return result

    @property
    def median(self) -> float:
        """The median of the times."""
        return statistics.median(self.seconds)


def beside(name: str, measure: Callable[[], tuple[float, bool | None]]) -> Peer:
    """Return a peer's value and whether its result is ours.

    A library may not be there, or be of another version than the one this was written for.
    """
    try:
        value, same = measure()
    except ImportError as error:
        return Peer(name, None, note=f"{error.name or 'a library'} is not installed")
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        return Peer(name, None, note=f"it failed: {type(error).__name__}: {error}")
    return Peer(name, value, same)
