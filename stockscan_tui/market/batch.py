"""What the engine hands to the store: arrays that go into the database in one transaction.

Prices are int64 in 1e-9 dollars; `slot` is the engine's number for a symbol, and `symbols` of a
`Batch` names the slots that the store has not been told of before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from datetime import date
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.fired import Fired

Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]


class BarSource(IntEnum):
    """Where a bar's figures come from."""

    TRADES = 0
    OHLCV = 1
    BACKFILL = 2


@dataclass(frozen=True, slots=True, eq=False)
class BarBatch:
    """Whole one-minute bars; each replaces a stored bar of the same symbol and minute.

    `minute` counts minutes since 1970 (UTC). `notional_dollars` + `notional_nanos` / 1e9 is the
    exact sum of price × size in dollars. `first_ns` and `last_ns` are the `ts_recv` of the first
    and last trade. For bars from ohlcv records `trades` and the notional are unknown (-1).
    """

    slot: Int32s
    minute: Int64s
    open: Int64s
    high: Int64s
    low: Int64s
    close: Int64s
    volume: Int64s
    trades: Int64s
    notional_dollars: Int64s
    notional_nanos: Int64s
    first_ns: Int64s
    last_ns: Int64s
    source: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.slot)

    def where(self, rows: NDArray[np.bool_]) -> BarBatch:
        """Return some of the bars."""
        return BarBatch(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class StateBatch:
    """The state of symbols on one session date; replaces what is stored for (date, symbol).

    Prices and `notional` (of the date's sessions) are float64 dollars, NaN for none; `tier` is 0
    for moves under 1 %; `trade_ns` and `quote_ns` are the last of each, 0 for none; `remaps` counts
    how often the symbol has got another instrument id; `updated_ns` is event time.
    """

    session_date: date
    slot: Int32s
    mark: NDArray[np.float64]
    last: NDArray[np.float64]
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]
    prev_close: NDArray[np.float64]
    prev_close_source: tuple[str, ...]
    chg: NDArray[np.float64]
    volume: Int64s
    tier: NDArray[np.uint8]
    trades: Int64s
    bars: Int64s
    notional: NDArray[np.float64]
    trade_ns: Int64s
    quote_ns: Int64s
    remaps: Int64s
    updated_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class CloseBatch:
    """Regular-session closes of one session date (float64 dollars); replaces what is stored."""

    session_date: date
    slot: Int32s
    close: NDArray[np.float64]
    official: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Watermark:
    """The last `ts_recv` applied of one record type and publisher, and how many records at it."""

    rtype: int
    publisher_id: int
    ts_recv_ns: int
    count: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A time for which the feed was not there; replaces what is stored of that instant and reason.

    Times are ns since 1970: `from_ns` is the last record before it, `to_ns` its end, 0 while it
    lasts, and `healed_ns` when everything in it had been fetched, 0 until then.
    """

    session_date: date
    from_ns: int
    to_ns: int
    reason: str
    healed_ns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class CoverageBatch:
    """How many of a session date's minutes are of which kind; replaces what is stored.

    For each slot `traded` + `backfilled` + `quiet` + `missing` + `unknown` is `elapsed`.
    `verified` counts the bars that equal Databento's own, None where none were compared.
    """

    session_date: date
    slot: Int32s
    elapsed: int
    traded: Int64s
    backfilled: Int64s
    quiet: Int64s
    missing: Int64s
    unknown: Int64s
    verified: Int64s | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MinuteKinds:
    """The verdict of one minute (since 1970) for every slot; replaces what is stored of them.

    `kinds` is shape (slots,): 0 traded, 1 backfilled, 2 quiet, 3 missing, 4 unknown. Symbols that
    have no slot keep what is stored of them.
    """

    session_date: date
    minute: int
    kinds: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class DifferenceBatch:
    """Bars that are not as Databento's own; each replaces what is stored of (slot, minute, field).

    `minute` counts minutes since 1970; `field` is `open`, `high`, `low`, `close`, `volume`, or
    `bar` where one side has none at all, which is NaN there. Prices are float64 dollars. `healed`
    says whether Databento's took the place of ours.
    """

    session_date: date
    slot: Int32s
    minute: Int64s
    field: tuple[str, ...]
    ours: NDArray[np.float64]
    theirs: NDArray[np.float64]
    healed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.slot)


@dataclass(frozen=True, slots=True)
class DayRecord:
    """What a session date came to; replaces what the run has stored of that date.

    Times are ns since 1970, 0 for none. `elapsed` counts session minutes, `unknown` those of all
    symbols; the shares are 0 to 1, NaN for none. `records`, `gaps`, `healed`, `late` and
    `unmapped` are of one run, so that those of several add up; the rest is of the whole date so
    far. `compared` counts the bars that were held against Databento's:
    `equal` and `differing` have both, `lacking` only Databento, `surplus` only we; `verified` is
    the equal part of all.
    """

    session_date: date
    first_ns: int = 0
    last_ns: int = 0
    records: int = 0
    trades: int = 0
    bars: int = 0
    symbols: int = 0
    elapsed: int = 0
    completeness: float = math.nan
    density: float = math.nan
    gaps: int = 0
    healed: int = 0
    unknown: int = 0
    compared: int = 0
    equal: int = 0
    differing: int = 0
    lacking: int = 0
    surplus: int = 0
    verified: float = math.nan
    late: int = 0
    unmapped: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a later run goes on from: as of the same instant as the batch's bars and watermarks.

    `state` is what `market.checkpoint.freeze` made; `marks` are (minute, packed marks) of the
    minutes that closed since the last checkpoint, minutes counted since 1970.
    """

    session_date: date
    state: bytes
    marks: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One transaction.

    `late` holds single late trades' contributions to bars that have left the engine's memory:
    the store merges each into its row (open and close follow `first_ns` and `last_ns`, volume,
    trades and notional add up), or inserts it where there is no row. Rows of `late` may repeat a
    key; `bars` never does. `fired` are alerts, of which the store keeps each once; those that it
    has between the instants `forgotten` give way to them. `serial` grows by one with each batch
    of a run.
    """

    serial: int
    first_slot: int = 0
    symbols: tuple[str, ...] = ()
    bars: BarBatch | None = None
    late: BarBatch | None = None
    states: tuple[StateBatch, ...] = ()
    closes: tuple[CloseBatch, ...] = ()
    watermarks: tuple[Watermark, ...] = field(default=())
    gaps: tuple[Gap, ...] = ()
    coverage: tuple[CoverageBatch, ...] = ()
    kinds: tuple[MinuteKinds, ...] = ()
    differences: tuple[DifferenceBatch, ...] = ()
    days: tuple[DayRecord, ...] = ()
    forgotten: tuple[int, int] | None = None
    fired: tuple[Fired, ...] = ()
    checkpoint: Checkpoint | None = None
