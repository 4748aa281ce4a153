"""Questions to the database: a symbol's bars, previous closes, counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from stockscan_tui.errors import StoreError
from stockscan_tui.market.batch import BarBatch, Gap, Watermark
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.minutes import MinuteBars
from stockscan_tui.market.symbol_bars import SymbolBars
from stockscan_tui.market.text import printable
from stockscan_tui.store.database import (
    Connect,
    connect_file,
    damage_words,
    damaged,
    fetch_arrays,
    is_damage,
    one_line,
    open_database,
    refusal,
)
from stockscan_tui.store.lock import Hold
from stockscan_tui.store.minute_kinds import NO_VERDICT, unpack_kinds
from stockscan_tui.store.recovery_files import note_damage
from stockscan_tui.store.schema import check_readable

if TYPE_CHECKING:
    from stockscan_tui.market.coverage import BarSources

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the database's timestamps have no zone

# From the table and by number: the bounds let DuckDB pass over other days, which it cannot do
# behind the view's join.
_BARS = """
SELECT epoch_us(ts) // 60000000 AS minute, open, high, low, close, volume, trades, source,
    CASE WHEN trades >= 0 THEN notional_dollars + notional_nanos / 1e9 ELSE 'nan' END AS notional
FROM bars WHERE symbol_id = ? AND ts >= ? AND ts < ?
"""

_PREVIOUS_CLOSES = """
SELECT symbol, arg_max(close, session_date) AS close, max(session_date) AS session_date,
    arg_max(official, session_date) AS official
FROM closes JOIN symbols ON symbols.id = closes.symbol_id
WHERE session_date >= ? AND session_date < ? GROUP BY symbol
"""

_BARS_SINCE = """
SELECT symbol_id, epoch_us(ts) // 60000000 AS minute,
    round(open * 1e9)::BIGINT AS open, round(high * 1e9)::BIGINT AS high,
    round(low * 1e9)::BIGINT AS low, round(close * 1e9)::BIGINT AS close,
    volume, trades, notional_dollars, notional_nanos::BIGINT AS notional_nanos,
    epoch_us(ts) * 1000 + first_ns AS first_ns, epoch_us(ts) * 1000 + last_ns AS last_ns, source
FROM bars WHERE ts >= make_timestamp(?)
"""

_BAR_SOURCES = """
SELECT symbol_id, epoch_us(ts) // 60000000 AS minute, source FROM bars
WHERE ts >= make_timestamp(?)
"""

_UNHEALED = """
SELECT DISTINCT symbol_id, epoch_us(ts) // 60000000 AS minute FROM differences
WHERE ts >= make_timestamp(?) AND NOT healed AND NOT isnan(theirs)
"""

_MINUTES = """
SELECT symbol_id, epoch_us(ts) // 60000000 AS minute, open, high, low, close, volume,
    greatest(trades, 1) AS trades,
    CASE WHEN notional_dollars >= 0 THEN notional_dollars + notional_nanos / 1e9
        ELSE (high + low + close) / 3 * volume END AS notional
FROM bars WHERE ts >= make_timestamp(?) AND ts < make_timestamp(?) ORDER BY ts
"""

_VOLUME_BY_MINUTE = """
SELECT (epoch_us(ts) - ?) // 60000000 AS minute, sum(volume)::DOUBLE AS volume
FROM bars WHERE ts >= make_timestamp(?) AND ts < make_timestamp(?) GROUP BY ALL
"""

_BARS_BY_MINUTE = """
SELECT (epoch_us(ts) - ?) // 60000000 AS minute, count(*) AS bars
FROM bars WHERE ts >= make_timestamp(?) AND ts < make_timestamp(?) GROUP BY ALL
"""

_ALERTS = "SELECT symbol, count(*) FROM alerts WHERE ts >= ? AND ts < ? GROUP BY symbol"

_ALERTS_BY_RULE = "SELECT rule, count(*) FROM fired WHERE ts >= ? AND ts < ? GROUP BY rule"

_FIRED = """
SELECT ts, symbol, rule, coalesce(price, 'nan'), coalesce("values", ''), coalesce(late, false),
    coalesce(gated, false)
FROM alerts WHERE symbol = ? AND ts >= ? AND ts < ? ORDER BY ts, rule
"""

_FIRED_BETWEEN = """
SELECT ts, symbol, rule, coalesce(price, 'nan'), coalesce("values", ''), coalesce(late, false),
    coalesce(gated, false)
FROM alerts WHERE ts >= ? AND ts < ? ORDER BY ts DESC, rule DESC, symbol DESC LIMIT ?
"""

_ALERT_TIMES = "SELECT ts FROM fired WHERE ts >= ? AND ts < ? ORDER BY ts"

_GAP = """
SELECT session_date, epoch_ns(from_ts), coalesce(epoch_ns(to_ts), 0), reason,
    coalesce(epoch_ns(healed_at), 0)
FROM gaps
"""
_GAPS = f"{_GAP} WHERE session_date = ? ORDER BY from_ts"
_OPEN_GAPS = f"{_GAP} WHERE session_date < ? AND to_ts IS NULL ORDER BY from_ts"

_KINDS = "SELECT minute, kinds FROM minute_verdicts WHERE session_date = ? ORDER BY minute"

_COUNTS = """
SELECT (SELECT count(*) FROM symbols), (SELECT count(*) FROM bars),
    (SELECT count(*) FROM fired), (SELECT count(*) FROM gaps)
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows the database holds."""

    symbols: int
    bars: int
    alerts: int
    gaps: int


class Reader:
    """Reads what is committed, through a cursor of its own; for one thread.

    Every method raises StoreError if the database cannot be read; after the writer has reopened
    it, the same reader goes on.

    Args:
        cursor: Gives a new cursor of the open database, or raises StoreError.
        name: The database's name for messages.
        note: Told of what DuckDB fails on.
    """

    def __init__(
        self,
        cursor: Callable[[], duckdb.DuckDBPyConnection],
        name: str,
        note: Callable[[Exception], None] = lambda _error: None,
    ) -> None:
        self._note = note
        self._new_cursor = cursor
        self._name = name
        self._cursor: duckdb.DuckDBPyConnection | None = None
        # A symbol that is committed keeps its number for good.
        self._numbers: dict[str, int] = {}
        # Held during a query, so that `release` from the writer's thread waits for its end.
        self._lock = Lock()

    @classmethod
    def open(
        cls, path: Path, *, connect: Connect = connect_file, may_be_held: bool = True
    ) -> Reader:
        """Open a database that nobody is writing, for reading only; `release` closes it.

        Args:
            path: The database.
            connect: What opens the file.
            may_be_held: Whether somebody may be writing it: false for a copy, which nobody writes.

        Raises:
            StoreHeldError: It is being written.
            StoreError: There is none, or it cannot be read.
        """
        path = path.expanduser().absolute()
        name = printable(path)
        if not path.is_file():
            open_database(path, read_only=True, connect=connect)
        # The hold proves that no writer has the file; from then on DuckDB's own lock keeps writers
        # away, and other readers are let in.
        hold = Hold(path, named=False) if may_be_held else None
        try:
            connection = open_database(path, read_only=True, connect=connect)
        finally:
            if hold is not None:
                hold.release()
        try:
            check_readable(connection, name)
        except duckdb.Error as error:
            connection.close()
            if may_be_held:
                _leave_word(path, error)
            raise refusal(error, path) from error
        except StoreError:
            connection.close()
            raise
        # Nobody sees at a start what only a query meets.
        reader = cls(_closed(name), name, partial(_leave_word, path) if may_be_held else _ignore)
        reader._cursor = connection
        return reader

    @property
    def asking(self) -> Lock:
        """What is held during a query; whoever else holds it keeps queries waiting."""
        return self._lock

    def release(self) -> None:
        """Close the cursor; waits for a query under way. May be called from any thread."""
        with self._lock:
            if self._cursor is not None:
                self._cursor.close()
                self._cursor = None

    def bars(self, symbol: str, start: datetime | int, end: datetime | int) -> SymbolBars:
        """Return the bars of `symbol` whose minute begins in [start, end), oldest first.

        `start` and `end` are ns since 1970 or datetimes, UTC where they have no zone. A symbol
        that is not known has no bars.
        """
        span = [_timestamp(start), _timestamp(end)]
        with self._asking() as cursor:
            number = self._number_of(symbol, cursor)
            columns = fetch_arrays(cursor.execute(_BARS, [number, *span]))
        order = np.argsort(columns["minute"], kind="stable")
        return SymbolBars(**{name: column[order] for name, column in columns.items()})

    def previous_closes(self, before: date, oldest: date) -> dict[str, tuple[float, date, bool]]:
        """Return each symbol's latest close of a session date in [oldest, before).

        The value is the close in dollars, its session date and whether it is the official one.
        """
        with self._asking() as cursor:
            columns = fetch_arrays(cursor.execute(_PREVIOUS_CLOSES, [oldest, before]))
        dates: list[date] = columns["session_date"].astype("datetime64[D]").tolist()
        rows = zip(columns["close"].tolist(), dates, columns["official"].tolist(), strict=True)
        return dict(zip(columns["symbol"].tolist(), rows, strict=True))

    def watermarks(self) -> tuple[Watermark, ...]:
        """Return the watermarks that were stored with the last bars."""
        with self._asking() as cursor:
            rows = cursor.execute(
                "SELECT rtype, publisher_id, ts_recv_ns, count FROM watermarks ORDER BY ALL"
            ).fetchall()
        return tuple(Watermark(*row) for row in rows)

    def checkpoint(self) -> bytes | None:
        """Return the state that was stored with the last bars, None where there is none."""
        with self._asking() as cursor:
            rows = cursor.execute("SELECT state FROM checkpoints").fetchall()
        return bytes(rows[0][0]) if rows else None

    def minute_marks(self) -> list[bytes]:
        """Return the packed marks of the checkpoint's last minutes, oldest first."""
        with self._asking() as cursor:
            rows = cursor.execute(
                "SELECT marks FROM minute_marks SEMI JOIN checkpoints USING (session_date) "
                "ORDER BY minute"
            ).fetchall()
        return [bytes(row[0]) for row in rows]

    def bars_since(self, start_ns: int, symbols: Sequence[str]) -> BarBatch:
        """Return the bars of all `symbols` from the minute of `start_ns` on, whole as stored.

        `slot` is the symbol's place in `symbols`; bars of other symbols are left out.
        """
        minute = start_ns // MINUTE_NS
        with self._asking() as cursor:
            columns = fetch_arrays(cursor.execute(_BARS_SINCE, [minute * 60_000_000]))
        # After the bars: their symbols are there by then.
        slot_of = self._slot_of(symbols)
        slots = slot_of[columns.pop("symbol_id")]
        known = slots >= 0
        return BarBatch(
            slot=slots[known], **{name: column[known] for name, column in columns.items()}
        )

    def bar_sources(self, start_ns: int, symbols: Sequence[str]) -> BarSources:
        """Return which of `symbols` have a bar of which minute from that of `start_ns` on."""
        # With it come compiled functions, which take a quarter of a second and few readers need.
        from stockscan_tui.market.coverage import BarSources  # noqa: PLC0415

        span = [start_ns // MINUTE_NS * 60_000_000]
        with self._asking() as cursor:
            columns = fetch_arrays(cursor.execute(_BAR_SOURCES, span))
            lacking = fetch_arrays(cursor.execute(_UNHEALED, span))
        slot_of = self._slot_of(symbols)
        slots, lacks = slot_of[columns["symbol_id"]], slot_of[lacking["symbol_id"]]
        known = slots >= 0
        return BarSources(
            slots[known].astype(np.int64),
            columns["minute"][known],
            columns["source"][known],
            lacks[lacks >= 0].astype(np.int64),
            lacking["minute"][lacks >= 0],
        )

    def _slot_of(self, symbols: Sequence[str]) -> NDArray[np.int32]:
        """Return the place in `symbols` by the number of a stored symbol, -1 for none."""
        with self._asking() as cursor:
            stored = dict(cursor.execute("SELECT id, symbol FROM symbols").fetchall())
        places = {symbol: place for place, symbol in enumerate(symbols)}
        slot_of = np.full(max(stored, default=0) + 1, -1, np.int32)
        for number, symbol in stored.items():
            slot_of[number] = places.get(symbol, -1)
        return slot_of

    def minutes(self, begin: int, end: int, symbols: Sequence[str]) -> Iterator[MinuteBars]:
        """Return the bars of `symbols` by minute, oldest first, from `begin` up to before `end`.

        Minutes are counted from 1970; `slot` is the symbol's place in `symbols`. An hour is read
        at a time.
        """
        for hour in range(begin, end, 60):
            span = [hour * 60_000_000, min(hour + 60, end) * 60_000_000]
            with self._asking() as cursor:
                columns = fetch_arrays(cursor.execute(_MINUTES, span))
            if not len(columns["minute"]):
                continue
            # After the bars: their symbols are there by then.
            slot_of = self._slot_of(symbols)
            slots = slot_of[columns.pop("symbol_id")]
            minutes = columns.pop("minute")
            known = slots >= 0
            for minute in np.unique(minutes[known]).tolist():
                rows = known & (minutes == minute)
                kept = {name: column[rows] for name, column in columns.items()}
                yield MinuteBars(minute=minute, slot=slots[rows], **kept)

    def volume_shares(self, spans: Sequence[tuple[int, int]], minutes: int) -> NDArray[np.float64]:
        """Return each day's volume by minute as shares of its whole, shape (days, minutes).

        Args:
            spans: Begin and end of each day, in ns since 1970; days with hardly a bar are left out.
            minutes: How many minutes each of them has.
        """
        found = []
        for start_ns, end_ns in spans:
            with self._asking() as cursor:
                span = [start_ns // 1000, start_ns // 1000, end_ns // 1000]
                columns = fetch_arrays(cursor.execute(_VOLUME_BY_MINUTE, span))
            volume = np.zeros(minutes)
            volume[columns["minute"]] = columns["volume"]
            if np.count_nonzero(volume) > minutes // 2:
                found.append(volume / volume.sum())
        return np.array(found).reshape(-1, minutes)

    def bar_counts(self, spans: Sequence[tuple[int, int]], minutes: int) -> NDArray[np.int64]:
        """Return how many symbols had a bar in each minute of some days, shape (days, minutes).

        Args:
            spans: Begin and end of each day, in ns since 1970; days without a bar are left out.
            minutes: How many minutes each of them has.
        """
        found = []
        for start_ns, end_ns in spans:
            with self._asking() as cursor:
                span = [start_ns // 1000, start_ns // 1000, end_ns // 1000]
                columns = fetch_arrays(cursor.execute(_BARS_BY_MINUTE, span))
            if len(columns["minute"]):
                found.append(np.zeros(minutes, np.int64))
                found[-1][columns["minute"]] = columns["bars"]
        return np.array(found, np.int64).reshape(-1, minutes)

    def alerts(self, begin_ns: int, end_ns: int) -> dict[str, int]:
        """Return how many alerts each symbol had between two instants (ns since 1970)."""
        with self._asking() as cursor:
            rows = cursor.execute(_ALERTS, [begin_ns, end_ns]).fetchall()
        return {str(symbol): int(count) for symbol, count in rows}

    def alerts_by_rule(self, begin_ns: int, end_ns: int) -> dict[str, int]:
        """Return how many alerts each rule had between two instants (ns since 1970)."""
        with self._asking() as cursor:
            rows = cursor.execute(_ALERTS_BY_RULE, [begin_ns, end_ns]).fetchall()
        return {str(rule): int(count) for rule, count in rows}

    def fired(self, symbol: str, begin_ns: int, end_ns: int) -> tuple[Fired, ...]:
        """Return a symbol's alerts between two instants (ns since 1970), oldest first."""
        with self._asking() as cursor:
            rows = cursor.execute(_FIRED, [symbol, begin_ns, end_ns]).fetchall()
        return tuple(Fired(*row) for row in rows)

    def fired_between(self, begin_ns: int, end_ns: int, most: int = 100_000) -> tuple[Fired, ...]:
        """Return the newest `most` alerts between two instants (ns since 1970), oldest first."""
        with self._asking() as cursor:
            rows = cursor.execute(_FIRED_BETWEEN, [begin_ns, end_ns, most]).fetchall()
        return tuple(Fired(*row) for row in reversed(rows))

    def alert_times(self, begin_ns: int, end_ns: int) -> NDArray[np.int64]:
        """Return the instants of all alerts between two of them (ns since 1970), oldest first."""
        with self._asking() as cursor:
            columns = fetch_arrays(cursor.execute(_ALERT_TIMES, [begin_ns, end_ns]))
        return columns["ts"].astype(np.int64)

    def gaps(self, session_date: date) -> tuple[Gap, ...]:
        """Return the gaps of a session date, oldest first."""
        with self._asking() as cursor:
            rows = cursor.execute(_GAPS, [session_date]).fetchall()
        return tuple(Gap(*row) for row in rows)

    def open_gaps(self, before: date) -> tuple[Gap, ...]:
        """Return the gaps of session dates before one that were never ended, oldest first."""
        with self._asking() as cursor:
            rows = cursor.execute(_OPEN_GAPS, [before]).fetchall()
        return tuple(Gap(*row) for row in rows)

    def minute_kinds(
        self, session_date: date, symbols: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return the stored minutes (since 1970) of a session date, and their verdicts.

        The verdicts are shape (minutes, len(symbols)): 0 traded, 1 backfilled, 2 quiet, 3 missing,
        4 unknown, `NO_VERDICT` where nothing is stored of a symbol.
        """
        with self._asking() as cursor:
            columns = fetch_arrays(cursor.execute(_KINDS, [session_date]))
            numbers = dict(cursor.execute("SELECT symbol, id FROM symbols").fetchall())
        count = len(numbers)
        # A symbol without a number takes what stands after the last one.
        places = np.array([numbers.get(symbol, count) for symbol in symbols], np.int64)
        kinds = np.full((len(columns["minute"]), len(symbols)), NO_VERDICT, np.uint8)
        for row, packed in enumerate(columns["kinds"].tolist()):
            kinds[row] = unpack_kinds(bytes(packed), count + 1)[places]
        return columns["minute"], kinds

    def columns(self, query: str, values: Sequence[object] = ()) -> dict[str, NDArray[Any]]:
        """Return the columns of a query's result by name; none of its values may be NULL."""
        with self._asking() as cursor:
            return fetch_arrays(cursor.execute(query, values))

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Return the rows of a query's result."""
        with self._asking() as cursor:
            return cursor.execute(query, values).fetchall()

    def copy(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run a `COPY … TO` of a file; returns how many rows it has.

        Raises:
            duckdb.Error: As it comes, since it may be the file's as well as the database's.
        """
        with self._lock:
            if self._cursor is None:
                self._cursor = self._new_cursor()
            return int(self._cursor.execute(statement, values).fetchall()[0][0])

    def interrupt(self) -> None:
        """Break off a query under way; from any thread."""
        cursor = self._cursor
        if cursor is not None:
            cursor.interrupt()

    def counts(self) -> Counts:
        """Return how many rows the database holds."""
        with self._asking() as cursor:
            row = cursor.execute(_COUNTS).fetchall()[0]
        return Counts(*row)

    def _number_of(self, symbol: str, cursor: duckdb.DuckDBPyConnection) -> int:
        if symbol not in self._numbers:
            rows = cursor.execute("SELECT id FROM symbols WHERE symbol = ?", [symbol]).fetchall()
            if not rows:
                return -1
            self._numbers[symbol] = int(rows[0][0])
        return self._numbers[symbol]

    @contextmanager
    def _asking(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._lock:
            if self._cursor is None:
                self._cursor = self._new_cursor()
            try:
                yield self._cursor
            except duckdb.Error as error:
                self._note(error)
                if is_damage(error):
                    raise damaged(Path(self._name), damage_words(error)) from error
                raise StoreError(
                    f"The database {self._name} cannot be read: {one_line(error)}. Ask again when "
                    "it takes bars; if that does not help, start anew."
                ) from error


def _leave_word(path: Path, error: Exception) -> None:
    if is_damage(error):
        note_damage(path, damage_words(error))


def _ignore(_error: Exception) -> None:
    """A copy is not recovered."""


def _closed(name: str) -> Callable[[], duckdb.DuckDBPyConnection]:
    def refuse() -> duckdb.DuckDBPyConnection:
        raise StoreError(f"The database {name} has been closed. Open it again.")

    return refuse


def _timestamp(instant: datetime | int) -> datetime:
    if isinstance(instant, int):
        return _EPOCH + timedelta(microseconds=-(-instant // 1000))
    return instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)
