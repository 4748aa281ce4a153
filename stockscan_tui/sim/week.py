"""Several session dates in one file: prices go on, and each UTC date has ids of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, new_york_ns, utc_date
from stockscan_tui.market.dbn import PRICE_SCALE
from stockscan_tui.sim.day import CLOSE_MINUTE, DAY_MINUTES, DayPlan, Rows, minutes
from stockscan_tui.sim.files import CancelledError, Progress, encoded, writing
from stockscan_tui.sim.universe import Floats, Universe

_ID_SPACE = 4


def ids_of(universe: Universe, day: date, seed: int) -> NDArray[np.int64]:
    """Return the symbols' instrument ids on a UTC date; those of other dates are others."""
    count = len(universe)
    rng = np.random.default_rng([seed, 4, day.toordinal()])
    ids: NDArray[np.int64] = rng.permutation(_ID_SPACE * count)[:count].astype(np.int64) + 1
    return ids


class Sessions:
    """The rows of one session date after the other.

    Args:
        universe: As it is before the first of them.
        plans: One for each session date, in order.
        seed: Of everything.

    Attributes:
        closes: Each symbol's last trade before 16:00, in dollars, or its close before, by session
            date; filled as the rows are made.
    """

    def __init__(self, universe: Universe, plans: Sequence[DayPlan], seed: int) -> None:
        self._universe = universe
        self._plans = tuple(plans)
        self._seed = seed
        self.closes: dict[date, Floats] = {}

    def head(self, schema: str = "mbp-1") -> bytes:
        """Return the metadata of all of them."""
        first, last = self._plans[0].session_date, self._plans[-1].session_date
        begin_ns = new_york_ns(first, time(4, 0))
        end_ns = new_york_ns(last, time(4, 0)) + DAY_MINUTES * MINUTE_NS
        days = [first + timedelta(days=n) for n in range((utc_date(end_ns - 1) - first).days + 1)]
        valid = [
            (day, day + timedelta(days=1), ids_of(self._universe, day, self._seed)) for day in days
        ]
        return encoded(self._universe.symbols, valid, schema, begin_ns, end_ns)

    def rows(self) -> Iterator[Rows]:
        """Yield the rows of each minute with records, in order of `ts_recv`."""
        universe = self._universe
        for number, plan in enumerate(self._plans):
            if number:
                rng = np.random.default_rng([self._seed, 5, number])
                # What moved yesterday is not what moves today: the habits change hands.
                gap = rng.permutation(universe.gap)
                universe = replace(universe, gap=gap, prev_close=self._last_close())
            yield from self._of_day(universe, plan)

    def _last_close(self) -> Floats:
        return self.closes[max(self.closes)]

    def _of_day(self, universe: Universe, plan: DayPlan) -> Iterator[Rows]:
        day = plan.session_date
        numbered = replace(universe, instrument_id=np.arange(len(universe)))
        turn_ns = (day - date(1970, 1, 1)).days * DAY_NS + DAY_NS
        ids = [ids_of(universe, each, self._seed) for each in (day, day + timedelta(days=1))]
        close_ns = new_york_ns(day, time(4, 0)) + CLOSE_MINUTE * MINUTE_NS
        close = universe.prev_close.copy()
        for rows in minutes(numbered, plan, self._seed):
            traded = rows[(rows["action"] == b"T") & (rows["size"] > 0)]
            traded = traded[traded["ts_recv"] < close_ns]
            # Of several assignments to one place the last one stays.
            close[traded["instrument_id"]] = traded["price"] / PRICE_SCALE
            later = rows["ts_recv"] >= turn_ns
            numbers = rows["instrument_id"]
            rows["instrument_id"] = np.where(later, ids[1][numbers], ids[0][numbers])
            yield rows
        self.closes[day] = close


def write_sessions(
    path: Path,
    sessions: Sessions,
    records: int,
    *,
    progress: Progress = lambda _done: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Write all of `sessions` as `mbp-1`; `records` is how many there are, for `progress`.

    Raises:
        CancelledError: `cancelled` said so.
        OSError: The file cannot be written.
    """
    done = 0
    with writing(path, sessions.head()) as out:
        for rows in sessions.rows():
            if cancelled():
                raise CancelledError(f"{path.name} was not made: it was called off.")
            out.write(rows.tobytes())
            done += len(rows)
            progress(done / records)
