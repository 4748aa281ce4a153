"""A simulated day, minute by minute, as MBP-1 rows.

Prices walk from minute to minute and are read off between; each row shows a quote around its
symbol's price, and a share of them are trades at or near it. The rows of one minute are made at
once, so memory does not grow with the day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, new_york_ns
from stockscan_tui.market.dbn import FLAG_LAST, FLAG_TOB, MBP1_DTYPE, UNDEF_PRICE, RType
from stockscan_tui.market.volume_curve import shipped_curve
from stockscan_tui.sim.universe import Floats, Kind, Universe

Rows = NDArray[Any]

PUBLISHER = 95
DAY_MINUTES = 960
OPEN_MINUTE = 330
CLOSE_MINUTE = 720
HALT_FROM_S = OPEN_MINUTE * 60 + 90
HALT_TO_S = HALT_FROM_S + 330
# Of a trade: odd lots and round ones, as `_RowMaker` makes them.
MEAN_SIZE = 0.6 / 0.04 + 0.4 * 100 / 0.3
_CENT = 10_000_000


@dataclass(frozen=True, slots=True)
class DayPlan:
    """What a day is to hold.

    Attributes:
        session_date: The trading day.
        records: How many MBP-1 rows, exactly.
        trade_share: The share of rows with action `T`.
        focus: How much of the day's records fall into 09:29–11:00 beyond the usual; 0 to 1.
        first_minute: The first minute after 04:00 that has records.
        last_minute: The minute after 04:00 at which the day ends.
    """

    session_date: date
    records: int
    trade_share: float = 0.10
    focus: float = 0.0
    first_minute: int = 0
    last_minute: int = DAY_MINUTES


def activity(plan: DayPlan) -> Floats:
    """Return each minute's share of the day's records, shape (960,), which sums to 1."""
    minute = np.arange(DAY_MINUTES)
    regular = (minute >= OPEN_MINUTE) & (minute < CLOSE_MINUTE)
    since_open = (minute - OPEN_MINUTE).astype(np.float64)
    until_close = (CLOSE_MINUTE - minute).astype(np.float64)
    curve = np.where(minute < OPEN_MINUTE, 0.05 + 0.15 * minute / OPEN_MINUTE, 0.06)
    curve[regular] = (
        0.8 + 5.0 * np.exp(-since_open / 8) + 1.4 * np.exp(-since_open / 60)
        + 2.5 * np.exp(-until_close / 12)
    )[regular]  # fmt: skip
    curve[:5] += 0.3
    curve[CLOSE_MINUTE : CLOSE_MINUTE + 5] += 0.5
    early = (minute >= OPEN_MINUTE - 1) & (minute < OPEN_MINUTE + 90)
    curve = np.where(early, curve, curve * (1.0 - plan.focus))
    curve[: plan.first_minute] = 0
    curve[plan.last_minute :] = 0
    share: Floats = curve / curve.sum()
    return share


def usual_volume(universe: Universe, plan: DayPlan, seed: int) -> NDArray[np.int64]:
    """Return each symbol's volume on a usual day, of which this one is the busier or quieter.

    What moves today is busier than it usually is. The day's volume is held against the usual
    curve half an hour after the open, since a plan may crowd its records into the morning.
    """
    by_then = OPEN_MINUTE + 30
    crowded = activity(plan)[:by_then].sum() / shipped_curve()[:by_then].sum()
    expected = universe.weight * plan.records * plan.trade_share * MEAN_SIZE * crowded
    rng = np.random.default_rng([seed, 3])
    busier = rng.lognormal(0.0, 0.35, len(universe))
    lively = np.isin(universe.kind, (Kind.RUNNER, Kind.FADE, Kind.SQUEEZE, Kind.GAPPER))
    busier[lively] *= rng.uniform(2.0, 6.0, len(universe))[lively]
    usual: NDArray[np.int64] = np.maximum(1, expected / busier).astype(np.int64)
    return usual


def minutes(universe: Universe, plan: DayPlan, seed: int) -> Iterator[Rows]:
    """Yield the rows of each minute of the day, in order of `ts_recv`."""
    start_ns = new_york_ns(plan.session_date, time(4, 0))
    seal = [seed, 2, plan.session_date.toordinal()]
    counts = np.random.default_rng([*seal, 0]).multinomial(plan.records, activity(plan))
    walk = _Walk(universe, np.random.default_rng([*seal, 1]))
    maker = _RowMaker(universe, plan, np.random.default_rng([*seal, 2]))
    for minute in range(DAY_MINUTES):
        before, after = walk.step(minute)
        if counts[minute]:
            yield maker.rows(start_ns, minute, int(counts[minute]), before, after)


class _Walk:
    """The price of every symbol at each minute's beginning and end, as logarithms."""

    def __init__(self, universe: Universe, rng: np.random.Generator) -> None:
        self._universe = universe
        self._rng = rng
        self._log = np.log(universe.prev_close * (1.0 + universe.gap))
        self._drift = _drifts(universe, rng)

    def step(self, minute: int) -> tuple[Floats, Floats]:
        before = self._log
        regular = OPEN_MINUTE <= minute < CLOSE_MINUTE
        restless = 1.0 + 3.0 * np.exp(-(minute - OPEN_MINUTE) / 10) if regular else 0.35
        market = self._rng.normal(0.0, 0.00012) * restless
        own = self._rng.normal(0.0, 1.0, len(before)) * self._universe.volatility * restless
        drift = self._drift * (1.0 if regular else 0.1)
        if OPEN_MINUTE + 25 <= minute < OPEN_MINUTE + 55:
            drift = drift + np.where(self._universe.kind == Kind.SQUEEZE, 0.012, 0.0)
        if minute == OPEN_MINUTE + 7:
            own = own + np.where(self._universe.kind == Kind.HALTED, 0.09, 0.0)
        self._log = before + market + own + drift
        return np.exp(before), np.exp(self._log)


def _drifts(universe: Universe, rng: np.random.Generator) -> Floats:
    """Return each symbol's steady move a minute."""
    pace = rng.uniform(0.3, 1.0, len(universe))
    drift = np.zeros(len(universe))
    runner = universe.kind == Kind.RUNNER
    drift[runner] = (0.0016 * pace)[runner]
    fade = universe.kind == Kind.FADE
    drift[fade] = (-0.0010 * pace)[fade]
    warrant = universe.kind == Kind.WARRANT
    drift[warrant] = rng.normal(0.0, 0.0015, len(universe))[warrant]
    steady: Floats = drift
    return steady


class _RowMaker:
    def __init__(self, universe: Universe, plan: DayPlan, rng: np.random.Generator) -> None:
        self._universe = universe
        self._plan = plan
        self._rng = rng
        self._bounds = np.cumsum(universe.weight)
        self._seen = np.zeros(len(universe), np.bool_)
        self._halted = int(np.flatnonzero(universe.kind == Kind.HALTED)[0])
        self._stand_in = int(np.argmax(universe.weight * (universe.kind != Kind.HALTED)))
        self._sequence = 0

    def rows(self, start_ns: int, minute: int, count: int, before: Floats, after: Floats) -> Rows:
        """Return the rows of one minute."""
        rng = self._rng
        offset = np.sort(rng.integers(0, MINUTE_NS // 1000, count)) * 1000
        # Some records share a timestamp, as those of one packet do.
        same = np.flatnonzero(rng.random(count) < 0.03)
        offset[same] = offset[np.maximum(same - 1, 0)]
        offset = np.maximum.accumulate(offset)
        chosen = np.searchsorted(self._bounds, rng.random(count) * self._bounds[-1])
        self._halt(chosen, minute * 60 + offset // SECOND_NS)
        part = offset / MINUTE_NS
        price = before[chosen] * (1.0 - part) + after[chosen] * part
        rows = np.zeros(count, MBP1_DTYPE)
        self._head(rows, chosen, start_ns + minute * MINUTE_NS + offset)
        regular = OPEN_MINUTE <= minute < CLOSE_MINUTE
        bid, ask, tick = self._quote(rows, chosen, price, calm=regular)
        self._trades(rows, chosen, bid, ask, tick)
        self._first(rows, chosen)
        return rows

    def _halt(self, chosen: NDArray[np.int64], second: NDArray[np.int64]) -> None:
        """Let the halted symbol be busy before its halt and have no record during it."""
        still = (second >= HALT_FROM_S) & (second < HALT_TO_S)
        chosen[still & (chosen == self._halted)] = self._stand_in
        busy = (second >= HALT_FROM_S - 400) & (second < HALT_FROM_S)
        chosen[busy & (self._rng.random(len(chosen)) < 0.004)] = self._halted

    def _head(self, rows: Rows, chosen: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        count = len(rows)
        rows["length"] = MBP1_DTYPE.itemsize // 4
        rows["rtype"] = RType.MBP_1
        rows["publisher_id"] = PUBLISHER
        rows["instrument_id"] = self._universe.instrument_id[chosen]
        rows["ts_recv"] = times
        rows["ts_event"] = times - self._rng.integers(20, 400, count) * 1000
        rows["flags"] = FLAG_LAST | FLAG_TOB
        rows["sequence"] = self._sequence + np.arange(count)
        self._sequence += count

    def _quote(
        self, rows: Rows, chosen: NDArray[np.int64], price: Floats, *, calm: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        rng = self._rng
        count = len(rows)
        tick = np.where(price >= 1.0, _CENT, _CENT // 100).astype(np.int64)
        width = self._universe.spread[chosen] * price * (1.0 if calm else 3.0)
        steps = np.maximum(1, np.round(width * 1e9 / tick * rng.choice((0.5, 1, 1, 1.5), count)))
        middle = price * 1e9 / tick + rng.choice((-0.5, 0.0, 0.0, 0.5), count)
        bid = np.maximum(1, np.floor(middle - steps / 2)).astype(np.int64) * tick
        ask = bid + steps.astype(np.int64) * tick
        odd = rng.random(count)
        crossed = odd < 0.0004
        rows["bid_px"] = np.where(crossed, ask, bid)
        rows["ask_px"] = np.where(crossed, bid, ask)
        rows["bid_px"][(odd > 0.9990) & (odd < 0.9995)] = UNDEF_PRICE
        rows["ask_px"][odd >= 0.9995] = UNDEF_PRICE
        rows["bid_sz"] = rng.geometric(0.35, count) * 100
        rows["ask_sz"] = rng.geometric(0.35, count) * 100
        return bid, ask, tick

    def _trades(
        self,
        rows: Rows,
        chosen: NDArray[np.int64],
        bid: NDArray[np.int64],
        ask: NDArray[np.int64],
        tick: NDArray[np.int64],
    ) -> None:
        rng = self._rng
        count = len(rows)
        silent = self._universe.kind[chosen] == Kind.DEAD
        trade = (rng.random(count) < self._plan.trade_share) & ~silent
        side = rng.random(count)
        at_bid = side < 0.45
        rows["action"] = np.where(trade, b"T", np.where(side < 0.7, b"A", b"C"))
        rows["side"] = np.where(trade & (side < 0.9), b"N", np.where(at_bid, b"B", b"A"))
        rows["price"] = np.where(at_bid, bid, ask)
        rows["size"] = rng.geometric(0.35, count) * 100
        hits = np.flatnonzero(trade)
        odd_lot = rng.random(len(hits)) < 0.6
        lots = rng.geometric(0.3, len(hits)) * 100
        rows["size"][hits] = np.where(odd_lot, rng.geometric(0.04, len(hits)), lots)
        chance = rng.random(len(hits))
        inside = hits[chance < 0.10]
        rows["price"][inside] = (bid[inside] + ask[inside]) // 2
        bad = hits[chance > 0.9996]
        off = rng.uniform(0.12, 0.4, len(bad)) * np.where(rng.random(len(bad)) < 0.5, 1, -1)
        far = np.round(bid[bad] * (1 + off) / tick[bad]).astype(np.int64) * tick[bad]
        rows["price"][bad] = np.maximum(far, tick[bad])
        rows["size"][hits[(chance > 0.5) & (chance < 0.5002)]] = 0

    def _first(self, rows: Rows, chosen: NDArray[np.int64]) -> None:
        """A symbol's first row of the day clears its book, and its second is one-sided."""
        symbols, at = np.unique(chosen, return_index=True)
        at = at[~self._seen[symbols]]
        self._seen[symbols] = True
        rows["action"][at] = b"R"
        rows["side"][at] = b"N"
        rows["size"][at] = 0
        for name in ("price", "bid_px", "ask_px"):
            rows[name][at] = UNDEF_PRICE
        for name in ("bid_sz", "ask_sz"):
            rows[name][at] = 0
