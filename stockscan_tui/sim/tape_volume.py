"""EQUS.SUMMARY beside a tape: the whole market's volume, as statistics, one for each of its trades.

The tape is taken for a sample: the whole market has `TIMES` its volume. As at Databento, the
dataset has instrument ids of its own.
"""

from __future__ import annotations

import threading
from datetime import time, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.calendar import new_york_ns, new_york_time
from stockscan_tui.market.dbn import STATISTICS_DTYPE, UNDEF_PRICE, UNDEF_TIMESTAMP, RType
from stockscan_tui.sim.tape import Tape

SUMMARY = "EQUS.SUMMARY"
TIMES = 25
CLEARED_VOLUME = 6
_PUBLISHER = 90
_ADDED = 1
_OTHER_IDS = 1 << 30
_DAY_BEGINS = time(3, 50)


class Tapes:
    """The tape of each dataset that a gateway serves; for any thread.

    Args:
        tape: What is played, whatever dataset is asked for but EQUS.SUMMARY.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._lock = threading.Lock()
        self._summary: Tape | None = None

    def of(self, dataset: str) -> Tape:
        """Return the tape of a dataset; EQUS.SUMMARY's is made at first use."""
        if dataset != SUMMARY or self._tape.dataset == SUMMARY:
            return self._tape
        with self._lock:
            if self._summary is None:
                self._summary = summary_of(self._tape)
            return self._summary


def summary_of(tape: Tape) -> Tape:
    """Return the statistics of a tape's trades; none where it has no trades."""
    symbols = {symbol: _number(at) for symbol, at in tape.symbols(0).items()}
    remaps = [(r.ts_ns, r.symbol, _number(r.instrument_id)) for r in tape.remaps]
    return Tape("statistics", _statistics(tape), symbols, SUMMARY, remaps)


def _number(instrument_id: int) -> int:
    return instrument_id ^ _OTHER_IDS


def _statistics(tape: Tape) -> NDArray[Any]:
    stream = tape.stream("trades")
    trades: NDArray[Any] = stream.records if stream is not None else np.zeros(0, STATISTICS_DTYPE)
    owner = _owners(trades, tape)
    kept = owner >= 0
    if stream is not None:
        kept &= trades["size"] > 0
    trades, owner = trades[kept], owner[kept]
    rows = np.zeros(len(trades), STATISTICS_DTYPE)
    rows["length"] = STATISTICS_DTYPE.itemsize // 4
    rows["rtype"] = RType.STATISTICS
    rows["publisher_id"] = _PUBLISHER
    rows["instrument_id"] = trades["instrument_id"] ^ np.uint32(_OTHER_IDS)
    rows["ts_event"] = trades["ts_event"]
    rows["ts_recv"] = trades["ts_recv"]
    rows["ts_ref"] = UNDEF_TIMESTAMP
    rows["price"] = UNDEF_PRICE
    rows["stat_type"] = CLEARED_VOLUME
    rows["update_action"] = _ADDED
    if len(rows):
        rows["quantity"] = TIMES * _running(trades, owner)
    return rows


def _owners(trades: NDArray[Any], tape: Tape) -> NDArray[np.int64]:
    """Return which symbol each trade is of, as a number of no meaning; -1 where none is known."""
    owner = np.full(len(trades), -1, np.int64)
    places: dict[str, int] = {}
    turns = np.array(tape.turns, np.uint64)
    edges = [0, *np.searchsorted(trades["ts_recv"], turns), len(trades)]
    for epoch in range(len(edges) - 1):
        part = slice(int(edges[epoch]), int(edges[epoch + 1]))
        if part.start == part.stop:
            continue
        known = tape.symbols(epoch)
        numbers = np.array(sorted(known.values()), np.uint32)
        by_number = {number: symbol for symbol, number in known.items()}
        index = np.array(
            [places.setdefault(by_number[int(n)], len(places)) for n in numbers], np.int64
        )
        mine = trades["instrument_id"][part]
        at = np.minimum(np.searchsorted(numbers, mine), len(numbers) - 1)
        owner[part] = np.where(numbers[at] == mine, index[at], -1)
    return owner


def _running(trades: NDArray[Any], owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each symbol's shares of the session date up to and with each trade."""
    times = trades["ts_recv"].astype(np.int64)
    first, last = (new_york_time(int(ts)).date() for ts in (times[0], times[-1]))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    begins = np.array([new_york_ns(day, _DAY_BEGINS) for day in days], np.int64)
    day = np.searchsorted(begins, times, side="right")
    order = np.lexsort((owner, day))
    sums = np.cumsum(trades["size"][order].astype(np.int64))
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (np.diff(owner[order]) != 0) | (np.diff(day[order]) != 0)
    starts = np.flatnonzero(fresh)
    before = np.concatenate([[0], sums[starts[1:] - 1]])
    running = np.empty(len(order), np.int64)
    running[order] = sums - np.repeat(before, np.diff(np.append(starts, len(order))))
    return running
