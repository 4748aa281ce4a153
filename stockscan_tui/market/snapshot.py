"""What the engine shows to the rest of the program: one immutable picture of the market.

The engine's thread makes a `Snapshot` and puts it into a slot; any thread may keep and read it.
Prices are float64 dollars here, NaN where there is none; symbols are in slot order, and a slot
keeps its symbol for the whole run.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import overload

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.calendar import Session, TradingDay
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.minutes import Minutes
from stockscan_tui.market.vitals import Vitals

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

HISTORY_MINUTES = 128
MOST_PRINTS = 200
MOST_FIRED = 500
# After so many minutes of regular hours their range is kept.
OPENING_WINDOWS = (5, 15, 30, 60)


class Phase(Enum):
    """How far a run has come."""

    OPENING = "opening"
    PRIMING = "priming"
    PLAYING = "playing"
    PAUSED = "paused"
    CONNECTING = "connecting"
    CATCHING_UP = "catching up"
    LIVE = "live"
    SILENT = "silent"
    DOWN = "down"
    ENDED = "ended"
    FAILED = "failed"


# Those of a live feed that has begun.
LIVE_PHASES = frozenset({Phase.CONNECTING, Phase.CATCHING_UP, Phase.LIVE, Phase.SILENT, Phase.DOWN})


class CloseSource(Enum):
    """Where a symbol's previous close comes from, the most trusted first."""

    NONE = 0
    FILE = 1
    DAILY = 2
    DATABASE = 3
    REPLAY = 4
    FIRST_TRADE = 5


@dataclass(frozen=True, slots=True)
class Feed:
    """What is being played and how.

    `since_s` is how long a phase of a live feed has lasted, `retry_s` when it connects again (0
    where that is not planned), both in wall seconds; `message` says why it is down. `goal_ns` is
    the instant that is being moved to while the phase is PRIMING, 0 where there is none.
    """

    mode: str
    title: str
    dataset: str
    schema: str
    simulated: bool = False
    speed: float = 1.0
    progress: float = 0.0
    phase: Phase = Phase.OPENING
    message: str = ""
    since_s: float = 0.0
    retry_s: float = 0.0
    goal_ns: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """Counts since the run began; what went wrong is told here and nowhere else.

    `lag_ms` is the age of the newest record by this machine's clock, NaN where that says nothing.

    `problems` are sentences for the screen, newest last; `queue` counts the batches that wait for
    the disk; `store_error` is empty while the database takes what it is given.
    """

    records: int = 0
    trades: int = 0
    quotes: int = 0
    bars: int = 0
    symbols: int = 0
    late: int = 0
    repeated: int = 0
    unmapped: int = 0
    unknown_records: int = 0
    bad_timestamps: int = 0
    bad_prices: int = 0
    gaps: int = 0
    healed: int = 0
    records_per_s: float = 0.0
    lag_ms: float = math.nan
    queue: int = 0
    store_error: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SessionFigures:
    """One session of the date so far; a value per symbol, prices in dollars, NaN for none.

    `trades` counts at least one for each bar; `notional` is in dollars.
    """

    open: Floats
    high: Floats
    low: Floats
    volume: Integers
    trades: Integers
    notional: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column of words: `code` (one per symbol, -1 for none) points into `names`."""

    code: Integers
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RowSymbols(Sequence[str]):
    """The symbol of each row.

    Attributes:
        names: All symbols, in slot order.
        slot: The slot of each row.
    """

    names: Sequence[str]
    slot: Integers

    def __len__(self) -> int:
        return len(self.slot)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        if isinstance(at, slice):
            return RowSymbols(self.names, self.slot[at])
        return self.names[int(self.slot[at])]


@dataclass(frozen=True, slots=True)
class FocusBars:
    """The last minutes of one symbol's bars, oldest first; only minutes that traded.

    `minute` counts minutes since 1970 (UTC); `volume` and `trades` are shares and prints.
    """

    slot: int
    minute: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Integers
    trades: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Prints:
    """The last trades of one symbol since it is in focus, at most `MOST_PRINTS`.

    They stand in the order in which they came, the oldest first; a late one is not sorted in.
    `ts_ns` is the `ts_recv` in ns since 1970, `price` in dollars, `size` in shares; `side` is the
    aggressor's: 1 for a buy, -1 for a sell, 0 where it is not told.
    """

    slot: int
    ts_ns: Integers
    price: Floats
    size: Integers
    side: Integers


@dataclass(frozen=True, slots=True)
class Doubt:
    """A span of time (ns since 1970) in which the feed is not known to have been whole, and why."""

    from_ns: int
    to_ns: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class CoverageFigures:
    """How many session minutes of the date are over, and of what kind they are for each symbol.

    For each symbol `traded` + `backfilled` + `quiet` + `missing` + `unknown` is `elapsed`.
    `verified` counts the bars that equal Databento's own or were replaced by them, `proved` the
    minutes for which they were compared.
    """

    elapsed: int
    traded: Integers
    backfilled: Integers
    quiet: Integers
    missing: Integers
    unknown: Integers
    verified: Integers
    proved: int = 0

    def completeness(self) -> Floats:
        """Return the part of the elapsed minutes that is known, 0 to 1; NaN before the first."""
        known = self.traded + self.backfilled + self.quiet
        return known / self.elapsed if self.elapsed else np.full(len(known), np.nan)

    def density(self) -> Floats:
        """Return the part of the elapsed minutes that has a bar, 0 to 1; NaN before the first."""
        bars = self.traded + self.backfilled
        return bars / self.elapsed if self.elapsed else np.full(len(bars), np.nan)


@dataclass(frozen=True, slots=True)
class Verification:
    """How our bars compared with Databento's own.

    `equal` and `differing` count bars that both have, `lacking` those that only Databento has,
    `surplus` those that only we have, `healed` those of all that were replaced by Databento's.
    `fields` names each field in which bars differed, with how many did. `source` says whose bars
    they are compared with, empty where there are none.
    """

    source: str = ""
    equal: int = 0
    differing: int = 0
    lacking: int = 0
    surplus: int = 0
    healed: int = 0
    fields: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """What a replay can be moved over; times are ns since 1970.

    `minute` (since 1970) and `records` say how busy each minute was that has been passed so far,
    oldest first; `reached_ns` is the furthest instant that was played. `end_ns` is where the files
    end as far as that is known, else `reached_ns`. `days` are the trading days passed so far;
    `alerts` the instants of alerts, `doubts` the spans in which something is missing.
    """

    begin_ns: int
    end_ns: int
    reached_ns: int
    minute: Integers
    records: Integers
    days: tuple[TradingDay, ...] = ()
    alerts: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The market at one instant of event time; every array has one row per symbol.

    `mark_history` holds the marks at the last minute closes, newest last, one array per minute;
    an array may be shorter than `symbols` when symbols came later. `high_day` and `low_day` span
    all sessions of the date; `open`, `high` and `low` are of pre-market until the regular open
    and of regular hours from then on. `volume`, `trades`, `notional` (dollars) and `bars` count
    all sessions of the date so far. `close_age` is in trading days, 1 for the day before.
    `average_volume` is of a day's sessions, NaN where unknown; `volume_share` is the part of a
    day's volume that is normally done by now, 0 to 1. `split_suspect` marks an overnight move
    that looks like a split which nothing confirms. `minutes` are the bars of the last two hours,
    `sessions` the figures of each session that has begun, `streak` the number of bars in a row
    that closed higher (lower, if negative), `indicators` those that somebody asked for. `signs`
    holds the yes-or-no metrics by name, `own` and `words` the columns of the user's table.
    `coverage` counts the verdicts of the session minutes that are over, `verification` how bars
    compared with Databento's own, `alerts` each symbol's alerts today; `fired` are the last
    `MOST_FIRED` alerts of the session date, oldest first, and `fired_by_rule` counts all of them.
    `opening` holds highs and lows of the first minutes of regular hours, by their number, once
    they are over.
    `tape_volume` is what the whole tape has traded on the session date, NaN where nobody told it.
    `by_symbol` lists all rows in alphabetical order. `regular_ns` is the session date's regular
    open, `next_session_ns` the instant at which the next session begins (0 where unknown).
    `closes_known` is False when a replay has no previous closes at all, so that the day's first
    trade is the basis; the screen then says so in a banner. `prints` are the last trades of the
    symbol in focus, `doubts` the spans of the session date in which the feed is not known to have
    been whole. `timeline` is what a replay can be moved over, None where there is none; `leap`
    goes up whenever it was moved, so that nothing of before compares with what comes after. `day`
    says when the sessions of the session date begin and end. `vitals` is what the run knows of
    itself, `made_ns` when the picture was made, by the monotonic clock (0 where that is not known).
    """

    serial: int
    event_ns: int
    session_date: date | None
    session: Session
    regular_ns: int
    next_session_ns: int
    feed: Feed
    health: Health
    symbols: Sequence[str]
    by_symbol: Integers
    mark: Floats
    last: Floats
    bid: Floats
    ask: Floats
    prev_close: Floats
    close_source: NDArray[np.uint8]
    close_age: NDArray[np.uint8]
    regular_close: Floats
    open: Floats
    high: Floats
    low: Floats
    high_day: Floats
    low_day: Floats
    regular_open: Floats
    pre_open: Floats
    volume: Integers
    trades: Integers
    notional: Floats
    vwap: Floats
    bars: Integers
    last_trade_ns: Integers
    last_quote_ns: Integers
    mark_history: tuple[Floats, ...]
    average_volume: Floats
    volume_share: float
    split_suspect: Flags
    streak: Floats
    closes_known: bool = True
    focus: FocusBars | None = None
    prints: Prints | None = None
    doubts: tuple[Doubt, ...] = ()
    coverage: CoverageFigures | None = None
    verification: Verification = field(default_factory=Verification)
    vitals: Vitals = field(default_factory=Vitals)
    made_ns: int = 0
    timeline: Timeline | None = None
    leap: int = 0
    day: TradingDay | None = None
    minutes: Minutes = field(default_factory=Minutes)
    sessions: Mapping[Session, SessionFigures] = field(default_factory=dict)
    indicators: Mapping[IndicatorKey, Floats] = field(default_factory=dict)
    signs: Mapping[str, Flags] = field(default_factory=dict)
    own: Mapping[str, Floats] = field(default_factory=dict)
    words: Mapping[str, Words] = field(default_factory=dict)
    alerts: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    fired: tuple[Fired, ...] = ()
    fired_by_rule: Mapping[str, int] = field(default_factory=dict)
    opening: Mapping[int, tuple[Floats, Floats]] = field(default_factory=dict)
    tape_volume: Floats = field(default_factory=lambda: np.zeros(0))
    cache: dict[Hashable, Floats] = field(default_factory=dict, repr=False)

    def mark_before(self, minutes: int) -> Floats:
        """Return each symbol's mark `minutes` before the last minute close, NaN where unknown."""
        missing = np.full(len(self.symbols), np.nan)
        # The newest entry is the last minute close itself, zero minutes before it.
        if not 0 <= minutes < len(self.mark_history):
            return missing
        marks = self.mark_history[-1 - minutes]
        count = min(len(marks), len(missing))
        missing[:count] = marks[:count]
        return missing

    def recent_marks(self, rows: Integers, minutes: int) -> Floats:
        """Return the marks at the last minute closes and now, shape (len(rows), minutes + 1).

        Columns are oldest first and end with the present mark; NaN where nothing is known.
        """
        marks = np.full((len(rows), minutes + 1), np.nan)
        if len(rows) == 0:
            return marks
        for column, history in enumerate(self.mark_history[-minutes:][::-1]):
            known = rows < len(history)
            marks[known, minutes - 1 - column] = history[rows[known]]
        marks[:, minutes] = self.mark[rows]
        return marks
