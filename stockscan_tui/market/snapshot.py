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

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.calendar import Session
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.minutes import Minutes

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

HISTORY_MINUTES = 128


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
    where that is not planned), both in wall seconds; `message` says why it is down.
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
    `elapsed_minutes` counts the session minutes of the date that are over, `unknown_minutes`
    those of them in which the feed is not known to have been whole, `alerts` each symbol's today.
    `by_symbol` lists all rows in alphabetical order. `regular_ns` is the session date's regular
    open, `next_session_ns` the instant at which the next session begins (0 where unknown).
    `closes_known` is False when a replay has no previous closes at all, so that the day's first
    trade is the basis; the screen then says so in a banner.
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
    minutes: Minutes = field(default_factory=Minutes)
    sessions: Mapping[Session, SessionFigures] = field(default_factory=dict)
    indicators: Mapping[IndicatorKey, Floats] = field(default_factory=dict)
    signs: Mapping[str, Flags] = field(default_factory=dict)
    own: Mapping[str, Floats] = field(default_factory=dict)
    words: Mapping[str, Words] = field(default_factory=dict)
    elapsed_minutes: int = 0
    unknown_minutes: int = 0
    alerts: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
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
