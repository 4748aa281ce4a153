"""What is compiled at the first start on a machine, before a market needs it.

Numba keeps what it made; later starts load it in a tenth of a second. As a process of its own it
prints how far it is, so that a screen may be up meanwhile.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import numpy as np
from numba.core import event

from stockscan_tui.errors import StockscanError
from stockscan_tui.market import arithmetic, kernel, sieve, silence
from stockscan_tui.market.compiled import is_compiled
from stockscan_tui.market.instants import all_symbols
from stockscan_tui.market.state import Market
from stockscan_tui.market.symbols import InstrumentIds
from stockscan_tui.scan.rules import firing

DOING = "compiling once for this machine, about 10 s"
_MODULES = (kernel, arithmetic, sieve, silence, firing)


class StoppedError(StockscanError):
    """It was given up before it was done."""

    exit_status = 0


def compile_ahead(
    tell: Callable[[float], None], cancelled: Callable[[], bool] = lambda: False
) -> None:
    """Have what every market needs compiled, or loaded where it was compiled before.

    Args:
        tell: Told how far it is, from 0 to 1; only where something is compiled.
        cancelled: Whether to give up; it is asked between functions.

    Raises:
        StoppedError: `cancelled` said so.
    """
    with _told(tell, cancelled):
        _load()


def _load() -> None:
    """Run each way into the compiled code once, over nothing."""
    market = Market(capacity=1)
    ids, none = InstrumentIds(), np.zeros(0, np.int64)
    kernel.assign_slots(ids.table, none, none)
    data = np.zeros(1, np.uint8)
    market.consume(data, ids)
    sieve.Seen().sift(data, 0, 0, final=False)
    _load_watching(market)
    _load_arithmetic()


def _load_watching(market: Market) -> None:
    """Load what closes seconds and minutes."""
    kernel.close_second(market.state, market.bars, market.ctl, market.seen, market.instants)
    market.note_close(0)
    market.close_minute()
    all_symbols(market, 0)
    kernel.gather_dirty(market.bars, market.dirty, 0, np.empty((kernel.BAR_WIDTH, 0), np.int64))


def _load_arithmetic() -> None:
    """Load what pictures are made with."""
    none, nothing = np.zeros(0), np.zeros(0, np.int64)
    arithmetic.to_dollars(nothing)
    arithmetic.percent_over(none, none)
    arithmetic.price_of(none, none)
    arithmetic.notional_of(nothing, nothing, nothing, nothing)
    arithmetic.share_of_usual(none, none, 0.0, nothing, 0)
    arithmetic.differing(nothing, nothing, nothing, nothing)
    silence.Silence().signs(np.zeros((0, kernel.STATE_WIDTH), np.int64), 0, regular=False)


@contextmanager
def _told(tell: Callable[[float], None], cancelled: Callable[[], bool]) -> Iterator[None]:
    functions = [value for of in _MODULES for value in vars(of).values() if is_compiled(value)]
    listener = _Listener(len(functions), tell, cancelled)
    with event.install_listener("numba:compile", listener):
        yield


class _Listener(event.Listener):
    """Counts the functions that are compiled by this thread.

    Args:
        count: How many there are at most.
        tell: Told what part of them is done.
        cancelled: Whether to give up.
    """

    def __init__(
        self, count: int, tell: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> None:
        self._thread = get_ident()
        self._count = count
        self._done = 0
        self._tell = tell
        self._cancelled = cancelled

    def on_start(self, _event: Any) -> None:
        """Note that one begins."""
        if get_ident() != self._thread:
            return
        if self._cancelled():
            raise StoppedError("Stopped while it was compiling.")
        self._tell(min(self._done / self._count, 1.0))

    def on_end(self, _event: Any) -> None:
        """Note that one is done."""
        if get_ident() == self._thread:
            self._done += 1


def main() -> int:
    """Compile, and print how far it is, a number a line; returns the exit status.

    The only argument is by how much to let other processes go first.
    """
    if hasattr(os, "nice"):
        os.nice(int(sys.argv[1]))

    def tell(done: float) -> None:
        sys.stdout.write(f"{done:.3f}\n")
        sys.stdout.flush()

    compile_ahead(tell)
    return 0


if __name__ == "__main__":
    sys.exit(main())
