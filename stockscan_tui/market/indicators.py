"""SMA, EMA, RSI and ATR of all symbols, minute by minute; they belong to the engine's thread.

An indicator runs over the bars that exist, that is over the intervals in which its symbol traded,
and goes on over the ends of days. A bar of 5 or 15 minutes takes part once its interval is over.
The definitions, seeds included, are TA-Lib's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.compiled import borrowed, compiled, inlined
from stockscan_tui.market.indicator import IndicatorKey, Kind
from stockscan_tui.market.minutes import MinuteBars

Floats = NDArray[np.float64]
Slots = NDArray[np.int32]

MOST_IMAGE_BYTES = 2 << 20

SMA = 0
EMA = 1
RSI = 2
ATR = 3

# inner[slot]: the bars taken, the close before, and the running sums or averages: the sum of the
# closes and what its rounding lost (SMA); the average (EMA); gain and loss (RSI); true range (ATR)
SEEN = 0
CLOSE = 1
FIRST = 2
SECOND = 3
INNER_WIDTH = 4

# prices[r] of a bar whose interval goes on
HIGH = 0
LOW = 1
LAST = 2


_CODES = {Kind.SMA: SMA, Kind.EMA: EMA, Kind.RSI: RSI, Kind.ATR: ATR}


@inlined
def _add_exactly(inner: Floats, slot: int, amount: float) -> None:
    """Add to the sum and keep what rounding loses of it (Knuth's TwoSum), so it never drifts."""
    before = inner[slot, FIRST]
    after = before + amount
    part = after - before
    inner[slot, SECOND] += (before - (after - part)) + (amount - part)
    inner[slot, FIRST] = after


@inlined
def _sma(inner: Floats, ring: Floats, slot: int, period: int, close: float) -> float:
    seen = int(inner[slot, SEEN])
    at = (seen - 1) % period
    _add_exactly(inner, slot, close)
    _add_exactly(inner, slot, -ring[slot, at])
    ring[slot, at] = close
    if seen < period:
        return np.nan
    return float(inner[slot, FIRST] + inner[slot, SECOND]) / period


@inlined
def _ema(inner: Floats, slot: int, period: int, close: float) -> float:
    seen = inner[slot, SEEN]
    if seen > period:
        inner[slot, FIRST] += (close - inner[slot, FIRST]) * (2.0 / (period + 1))
        return float(inner[slot, FIRST])
    inner[slot, FIRST] += close
    if seen < period:
        return np.nan
    inner[slot, FIRST] /= period
    return float(inner[slot, FIRST])


@inlined
def _smooth(inner: Floats, slot: int, field: int, period: int, amount: float) -> None:
    """Wilder's average of what comes from the second bar on, its first `period` simply averaged."""
    before = inner[slot, field]
    steps = inner[slot, SEEN] - 1
    if steps > period:
        inner[slot, field] = (before * (period - 1) + amount) / period
    elif steps == period:
        inner[slot, field] = (before + amount) / period
    else:
        inner[slot, field] = before + amount


@inlined
def _rsi(inner: Floats, slot: int, period: int, close: float) -> float:
    before = inner[slot, CLOSE]
    inner[slot, CLOSE] = close
    if inner[slot, SEEN] == 1:
        return np.nan
    _smooth(inner, slot, FIRST, period, max(close - before, 0.0))
    _smooth(inner, slot, SECOND, period, max(before - close, 0.0))
    if inner[slot, SEEN] <= period:
        return np.nan
    both = inner[slot, FIRST] + inner[slot, SECOND]
    return 100.0 * (inner[slot, FIRST] / both) if both > 0.0 else 0.0


@inlined
def _atr(inner: Floats, slot: int, period: int, high: float, low: float, close: float) -> float:
    before = inner[slot, CLOSE]
    inner[slot, CLOSE] = close
    if inner[slot, SEEN] == 1:
        return np.nan
    _smooth(inner, slot, FIRST, period, max(high, before) - min(low, before))
    return inner[slot, FIRST] if inner[slot, SEEN] > period else np.nan


@compiled
def _fold(
    code: int,
    period: int,
    slots: Slots,
    high: Floats,
    low: Floats,
    close: Floats,
    inner: Floats,
    ring: Floats,
    values: Floats,
) -> None:
    """Take one finished bar of each of `slots` into the indicator.

    `high`, `low`, `close`, shape (slots,); `inner`, (room, INNER_WIDTH); `ring`, (room, period)
    for SMA, the last closes; `values`, (room,), receives the results.
    """
    slots = borrowed(slots)
    inner = borrowed(inner)
    ring = borrowed(ring)
    for k in range(len(slots)):
        slot = slots[k]
        inner[slot, SEEN] += 1
        if code == SMA:
            values[slot] = _sma(inner, ring, slot, period, close[k])
        elif code == EMA:
            values[slot] = _ema(inner, slot, period, close[k])
        elif code == RSI:
            values[slot] = _rsi(inner, slot, period, close[k])
        else:
            values[slot] = _atr(inner, slot, period, high[k], low[k], close[k])


@compiled
def _join(
    slots: Slots,
    high: Floats,
    low: Floats,
    close: Floats,
    row: Slots,
    held: Slots,
    prices: Floats,
    count: int,
) -> int:
    """Join a minute to the open bars and return how many there are now.

    `held[:count]` are the slots that have one and `prices[:count]` the bars, rows of HIGH, LOW and
    LAST; `row[slot]` says where a slot's stands, and is true where `held` confirms it.
    """
    for k in range(len(slots)):
        slot = slots[k]
        r = row[slot]
        if r < count and held[r] == slot:
            prices[r, HIGH] = max(prices[r, HIGH], high[k])
            prices[r, LOW] = min(prices[r, LOW], low[k])
        else:
            r = count
            count += 1
            row[slot] = r
            held[r] = slot
            prices[r, HIGH] = high[k]
            prices[r, LOW] = low[k]
        prices[r, LAST] = close[k]
    return count


class Finished(NamedTuple):
    """Bars as the loops take them, a row per symbol: its slot and prices in dollars."""

    slot: Slots
    high: Floats
    low: Floats
    close: Floats


def _read_only(array: NDArray[Any], dtype: type[np.generic]) -> NDArray[Any]:
    # One form for whatever comes, so that each loop is compiled once.
    view = np.ascontiguousarray(array, dtype).view()
    view.setflags(write=False)
    return view


def _finished(slot: Slots, *prices: Floats) -> Finished:
    return Finished(_read_only(slot, np.int32), *(_read_only(p, np.float64) for p in prices))


def _grown(array: NDArray[Any], rows: int) -> NDArray[Any]:
    # The system lends zeros page by page: rows that no symbol has filled yet take no memory.
    grown = np.zeros((rows, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown


class _OpenBars:
    """The bars of 5 or 15 minutes whose interval goes on."""

    def __init__(self) -> None:
        self._count = 0
        self._row = np.zeros(0, np.int32)
        self._held = np.zeros(0, np.int32)
        self._prices = np.zeros((0, 3))

    def grow(self, rows: int) -> None:
        self._row = _grown(self._row, rows)
        self._held = _grown(self._held, rows)
        self._prices = _grown(self._prices, rows)

    def join(self, bars: Finished) -> None:
        self._count = _join(*bars, self._row, self._held, self._prices, self._count)

    def rescale(self, ratios: Floats) -> None:
        held = self._held[: self._count]
        known = held < len(ratios)
        self._prices[: self._count][known] /= ratios[held[known], None]

    def finish(self) -> Finished:
        """Return them all, to be used before more are joined, and begin anew."""
        count, self._count = self._count, 0
        return _finished(self._held[:count], *self._prices[:count].T)


class IndicatorState:
    """One indicator of all symbols.

    Args:
        key: Which.
    """

    def __init__(self, key: IndicatorKey) -> None:
        self._key = key
        self._minute = -1
        self._open = _OpenBars()
        self._inner = np.zeros((0, INNER_WIDTH))
        self._ring = np.zeros((0, key.period if key.kind is Kind.SMA else 0))
        self._values: Floats = np.zeros(0)
        self._shown: Floats | None = None

    def close_minute(self, minute: int, bars: Finished, count: int) -> None:
        """Take the bars of a minute (since 1970) that is over; there are `count` symbols.

        A minute that is not later than the one before is passed over: what came after it has been
        folded already.
        """
        if minute <= self._minute:
            return
        self._grow(count)
        interval = self._key.interval
        if interval == 1:
            self._fold(bars)
        else:
            if minute // interval != self._minute // interval:
                self._fold(self._open.finish())
            self._open.join(bars)
            if (minute + 1) % interval == 0:
                self._fold(self._open.finish())
        self._minute = minute

    @property
    def size(self) -> int:
        """Bytes that are needed to go on from here."""
        return self._inner.nbytes + self._ring.nbytes + self._values.nbytes

    def __getstate__(self) -> dict[str, object]:
        """Return all but what can be worked out anew."""
        return vars(self) | {"_shown": None}

    def values(self, count: int) -> Floats:
        """Return a value per symbol, shape (count,), read-only; NaN where bars are too few."""
        if self._shown is None or len(self._shown) != count:
            self._grow(count)
            self._shown = self._values[:count].copy()
            self._shown.setflags(write=False)
        return self._shown

    def rescale(self, ratios: Floats) -> None:
        """Divide all prices that are kept by `ratios`, one per slot."""
        slots = np.flatnonzero(ratios != 1.0)
        if not len(slots):
            return
        self._grow(len(ratios))
        by = ratios[slots, None]
        self._inner[slots, CLOSE:] /= by
        self._ring[slots] /= by
        self._open.rescale(ratios)
        if self._key.kind is not Kind.RSI:
            self._values[slots] /= ratios[slots]
        self._shown = None

    def _grow(self, count: int) -> None:
        have = len(self._values)
        if count <= have:
            return
        rows = max(count, have + have // 4)
        self._inner = _grown(self._inner, rows)
        self._ring = _grown(self._ring, rows)
        self._values = _grown(self._values, rows)
        self._values[have:] = np.nan
        if self._key.interval > 1:
            self._open.grow(rows)

    def _fold(self, bars: Finished) -> None:
        if not len(bars.slot):
            return
        code, period = _CODES[self._key.kind], self._key.period
        _fold(code, period, *bars, self._inner, self._ring, self._values)
        self._shown = None


class Indicators:
    """All indicators that are asked for, each from the bars it was given."""

    def __init__(self) -> None:
        self._states: dict[IndicatorKey, IndicatorState] = {}

    def __getstate__(self) -> dict[str, object]:
        """Return all but those that are too large to be kept often: they can be begun anew."""
        kept = {key: s for key, s in self._states.items() if s.size <= MOST_IMAGE_BYTES}
        return {"_states": kept}

    @property
    def keys(self) -> frozenset[IndicatorKey]:
        """Those that are kept."""
        return frozenset(self._states)

    def add(self, key: IndicatorKey, bars: Iterable[MinuteBars]) -> None:
        """Begin to keep an indicator, from earlier minutes, the oldest first; again is no change.

        Raises:
            ValueError: A bar has a negative slot, or arrays of a minute differ in length.
        """
        if key in self._states:
            return
        state = IndicatorState(key)
        for minute in bars:
            _close(minute, 0, (state,))
        self._states[key] = state

    def adopt(self, others: Indicators) -> None:
        """Keep what others have kept so far, in place of any of the same key."""
        self._states.update(others._states)

    def rescale(self, ratios: Floats) -> None:
        """Let earlier prices be those of today's shares: one of before is `ratios` by slot."""
        for state in self._states.values():
            state.rescale(ratios)

    def remove(self, key: IndicatorKey) -> None:
        """Keep an indicator no longer; one that is not kept is no error."""
        self._states.pop(key, None)

    def close_minute(self, bars: MinuteBars, count: int) -> None:
        """Take the bars of a minute that is over, of `count` symbols.

        Minutes in which nothing traded may be left out; the next one ends what was open. A minute
        that is not later than the one before is passed over.

        Raises:
            ValueError: A bar has a negative slot, or arrays of the minute differ in length.
        """
        _close(bars, count, self._states.values())

    def values(self, count: int) -> Mapping[IndicatorKey, Floats]:
        """Return each indicator's values by slot, shape (count,), read-only.

        NaN where a symbol has too few bars; the array of before where no bar was finished since.
        """
        return MappingProxyType({key: state.values(count) for key, state in self._states.items()})


def _close(minute: MinuteBars, count: int, states: Iterable[IndicatorState]) -> None:
    bars = _finished(minute.slot, minute.high, minute.low, minute.close)
    # The loops write where the slots say: none may lie outside of the arrays.
    if len({len(column) for column in bars}) > 1 or bars.slot.min(initial=0) < 0:
        raise ValueError(
            f"minute {minute.minute}: a negative slot, or arrays that differ in length"
        )
    count = max(count, int(bars.slot.max(initial=-1)) + 1)
    for state in states:
        state.close_minute(minute.minute, bars, count)
