"""Questions about a whole session date: what `report` and `why` are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, time, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.batch import DayRecord
from stockscan_tui.market.calendar import new_york_ns, new_york_time
from stockscan_tui.market.comparison import DayBars
from stockscan_tui.store.minute_kinds import NO_VERDICT
from stockscan_tui.store.reader import Reader

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]

_KINDS = ("traded", "backfilled", "quiet", "missing", "unknown")
_QUIET, _UNKNOWN = _KINDS.index("quiet"), _KINDS.index("unknown")
_DAY_START = time(3, 50)

# The newest bar belongs to no session date of its own: that is reckoned.
_DATES = """
SELECT DISTINCT session_date FROM states
UNION SELECT session_date FROM verdicts UNION SELECT session_date FROM days ORDER BY 1
"""
_NEWEST = "SELECT coalesce(epoch_us(max(ts)), 0) AS newest FROM bars"
_DATASET = "SELECT value FROM meta WHERE name = 'dataset'"

_SYMBOLS = """
WITH traded AS (
    SELECT symbol_id, count(*) AS bars, epoch_us(min(ts)) * 1000 AS first_ns,
        epoch_us(max(ts)) * 1000 AS last_ns, sum(volume)::BIGINT AS volume
    FROM bars WHERE ts >= make_timestamp($2) AND ts < make_timestamp($3) GROUP BY symbol_id
), state AS (SELECT * FROM states WHERE session_date = $1),
verdict AS (SELECT * FROM verdicts WHERE session_date = $1)
SELECT symbol,
    coalesce(mark, 'nan') AS mark, coalesce(last, 'nan') AS last,
    coalesce(bid, 'nan') AS bid, coalesce(ask, 'nan') AS ask,
    coalesce(prev_close, 'nan') AS prev_close,
    coalesce(prev_close_source, '') AS prev_close_source, coalesce(chg, 'nan') AS chg,
    coalesce(tier, 0)::BIGINT AS tier, coalesce(epoch_ns(updated_at), 0) AS updated_ns,
    coalesce(state.trades, -1) AS trades, coalesce(dollars, 'nan') AS notional,
    coalesce(epoch_ns(last_trade), 0) AS trade_ns, coalesce(epoch_ns(last_quote), 0) AS quote_ns,
    coalesce(remaps, 0) AS remaps,
    coalesce(traded.bars, 0) AS bars, coalesce(first_ns, 0) AS first_ns,
    coalesce(last_ns, 0) AS last_ns, coalesce(traded.volume, 0) AS volume,
    coalesce(elapsed, -1) AS elapsed, coalesce(verdict.traded, 0) AS traded,
    coalesce(backfilled, 0) AS backfilled, coalesce(quiet, 0) AS quiet,
    coalesce(missing, 0) AS missing, coalesce(unknown, 0) AS unknown,
    coalesce(verified, -1) AS verified,
    coalesce(verdict.traded + backfilled + missing, 0) AS counted
FROM symbols
LEFT JOIN traded ON traded.symbol_id = symbols.id
LEFT JOIN state ON state.symbol_id = symbols.id
LEFT JOIN verdict ON verdict.symbol_id = symbols.id
WHERE traded.symbol_id IS NOT NULL OR state.symbol_id IS NOT NULL
    OR verdict.symbol_id IS NOT NULL
ORDER BY symbol
"""

# Through the numbers, without the view's join.
_BARS = """
SELECT symbol_id, epoch_us(ts) // 60000000 AS minute,
    open, high, low, close, volume
FROM bars WHERE ts >= make_timestamp(?) AND ts < make_timestamp(?)
"""

_NAMES = "SELECT id, symbol FROM symbols ORDER BY id"

_TRADES = """
SELECT symbol_id, epoch_us(ts) // 60000000 AS minute, trades FROM bars
WHERE ts >= make_timestamp(?) AND ts < make_timestamp(?) AND trades >= 0 ORDER BY ts
"""

_UNCOUNTED = """
SELECT coalesce(avg(CASE WHEN trades < 0 THEN 1.0 ELSE 0.0 END), 0.0) AS share FROM bars
WHERE ts >= make_timestamp(?)
"""

_VOLUMES = """
SELECT symbol, volume FROM symbols JOIN (
    SELECT symbol_id, sum(volume)::DOUBLE AS volume FROM bars
    WHERE ts >= make_timestamp(?) AND ts < make_timestamp(?) GROUP BY symbol_id
) ON symbol_id = id
"""

_DAYS = """
SELECT session_date, coalesce(epoch_ns(first_ts), 0), coalesce(epoch_ns(last_ts), 0), records,
    trades, bars, symbols, elapsed, coalesce(completeness, 'nan'), coalesce(density, 'nan'), gaps,
    healed, unknown, compared, equal, differing, lacking, surplus, coalesce(verified, 'nan'), late,
    unmapped
FROM days WHERE session_date >= ? ORDER BY session_date
"""


@dataclass(frozen=True, slots=True, eq=False)
class SymbolDay:
    """What the database has of every symbol on one session date, a row each, by symbol.

    Prices and `notional` are dollars, NaN for none; `chg` is in percent; times are ns since 1970, 0
    for none. `bars`, `first_ns`, `last_ns` (starts of minutes) and `volume` are of the stored bars.
    `trades` is -1 where no state was stored, `elapsed` -1 where no verdicts were, `verified` -1
    where nothing was compared; `counted` are the bars that there were when that was counted.
    """

    symbol: Sequence[str]
    mark: Floats
    last: Floats
    bid: Floats
    ask: Floats
    prev_close: Floats
    prev_close_source: Sequence[str]
    chg: Floats
    tier: Int64s
    updated_ns: Int64s
    trades: Int64s
    notional: Floats
    trade_ns: Int64s
    quote_ns: Int64s
    remaps: Int64s
    bars: Int64s
    first_ns: Int64s
    last_ns: Int64s
    volume: Int64s
    elapsed: Int64s
    traded: Int64s
    backfilled: Int64s
    quiet: Int64s
    missing: Int64s
    unknown: Int64s
    verified: Int64s
    counted: Int64s

    def __len__(self) -> int:
        return len(self.symbol)


class Inquiry:
    """Asks one database about session dates; raises StoreError where it cannot be read.

    Args:
        reader: Reads it; its thread is the caller's.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def dataset(self) -> str:
        """Return what the database holds, as in `EQUS.MINI`."""
        return str(self._reader.columns(_DATASET)["value"][0])

    def names(self) -> list[str]:
        """Return all symbols that any day has mapped."""
        found: list[str] = self._reader.columns(_NAMES)["symbol"].tolist()
        return found

    def trade_counts(self, session_date: date) -> tuple[Int64s, Int64s, Int64s]:
        """Return the places among `names`, minutes and trades of a date's bars that count them."""
        columns = self._reader.columns(_TRADES, list(_span_us(session_date)))
        ids = self._reader.columns(_NAMES)["id"]
        place = np.searchsorted(ids, columns["symbol_id"]).astype(np.int64)
        return place, columns["minute"], columns["trades"]

    def uncounted(self, since: date) -> float:
        """Return the share of the bars from a session date on that do not count trades."""
        columns = self._reader.columns(_UNCOUNTED, [_span_us(since)[0]])
        return float(columns["share"][0])

    def average_volumes(self, before: date, sessions: int = 20) -> dict[str, float]:
        """Return each symbol's mean volume of the stored session dates before one.

        Args:
            before: That date.
            sessions: How many dates count, the last ones; a date without a trade counts as nothing.
        """
        days = [day for day in self.session_dates() if day < before][-sessions:]
        if not days:
            return {}
        span = [_span_us(days[0])[0], _span_us(days[-1])[1]]
        columns = self._reader.columns(_VOLUMES, span)
        averages = (columns["volume"] / len(days)).tolist()
        return dict(zip(columns["symbol"].tolist(), averages, strict=True))

    def session_dates(self) -> list[date]:
        """Return the session dates of which there is anything, oldest first."""
        columns = self._reader.columns(_DATES)
        found: set[date] = set(columns["session_date"].astype("datetime64[D]").tolist())
        newest_us = int(self._reader.columns(_NEWEST)["newest"][0])
        if newest_us:
            local = new_york_time(newest_us * 1000)
            found.add(local.date() - timedelta(days=int(local.time() < _DAY_START)))
        return sorted(found)

    def known(self, symbols: Sequence[str]) -> set[str]:
        """Return those of some symbols that any day has mapped."""
        query = "SELECT symbol FROM symbols WHERE list_contains($1::VARCHAR[], symbol)"
        return set(self._reader.columns(query, [list(symbols)])["symbol"].tolist())

    def symbols(self, session_date: date) -> SymbolDay:
        """Return what there is of each symbol on a session date."""
        begin_us, end_us = _span_us(session_date)
        columns = self._reader.columns(_SYMBOLS, [session_date, begin_us, end_us])
        values: dict[str, Any] = {f.name: columns[f.name] for f in fields(SymbolDay)}
        for name in ("symbol", "prev_close_source"):
            values[name] = columns[name].tolist()
        return self._counted(SymbolDay(**values), session_date)

    def _counted(self, stored: SymbolDay, session_date: date) -> SymbolDay:
        """Count the verdicts of the minutes, which are stored oftener than those of symbols."""
        minutes, kinds = self._reader.minute_kinds(session_date, stored.symbol)
        if len(minutes) < stored.elapsed.max(initial=0) or not len(stored):
            return stored
        # Of a symbol that came later, what the minute was for all others that did not trade.
        whole = (kinds == _QUIET).any(axis=1)
        settled = np.where(whole, _QUIET, _UNKNOWN).astype(np.uint8)
        kinds = np.where(kinds == NO_VERDICT, settled[:, np.newaxis], kinds)
        counts = {
            name: (kinds == kind).sum(axis=0, dtype=np.uint16).astype(np.int64)
            for kind, name in enumerate(_KINDS)
        }
        return replace(stored, elapsed=np.full(len(stored), len(minutes)), **counts)

    def bars(self, session_date: date, symbols: Sequence[str]) -> DayBars:
        """Return some symbols' bars of a session date; `symbol` is the place among `symbols`."""
        columns = self._reader.columns(_BARS, list(_span_us(session_date)))
        stored = self._reader.columns("SELECT id, symbol FROM symbols")
        places = {name: place for place, name in enumerate(symbols)}
        ids = stored["id"]
        place_of = np.full(int(ids.max(initial=-1)) + 1, -1, np.int32)
        place_of[ids] = [places.get(name, -1) for name in stored["symbol"].tolist()]
        place = place_of[columns["symbol_id"]]
        wanted = place >= 0
        if not wanted.all():
            columns = {name: column[wanted] for name, column in columns.items()}
            place = place[wanted]
        prices = {
            name: np.rint(columns[name] * 1e9).astype(np.int64)
            for name in ("open", "high", "low", "close")
        }
        return DayBars(
            symbol=place.astype(np.int64),
            minute=columns["minute"],
            volume=columns["volume"],
            **prices,
        )

    def days(self, since: date) -> list[DayRecord]:
        """Return the records of the session dates from one on, oldest first."""
        return [DayRecord(*row) for row in self._reader.rows(_DAYS, [since])]


def _span_us(session_date: date) -> tuple[int, int]:
    """Return begin and end of a session date, in µs since 1970."""
    following = session_date + timedelta(days=1)
    return new_york_ns(session_date, _DAY_START) // 1000, new_york_ns(following, _DAY_START) // 1000
