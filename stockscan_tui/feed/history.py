"""What stockscan asks of Databento's Historical and Reference API: days, minutes, splits, renames.

The official client makes the requests. They block for up to the timeout, so a thread of the
caller's own calls them, never the feed's. Nothing that costs more than is allowed is requested.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from stockscan_tui.feed.http_api import Api, Caller, HistoryError, instant_ns
from stockscan_tui.feed.splits import (
    RENAME_EVENTS,
    SPLIT_EVENTS,
    Rename,
    Row,
    Split,
    renames_of_actions,
    splits_of_actions,
    splits_of_factors,
)
from stockscan_tui.feed.symbology import Symbology
from stockscan_tui.feed.zstd_frames import FrameWalker
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, SECOND_NS, utc_date
from stockscan_tui.market.dbn import OHLCV_DTYPE, PRICE_SCALE, UNDEF_PRICE

__all__ = ["MINUTE_DTYPE", "SUMMARY", "History", "HistoryError", "MinuteBars"]

SUMMARY = "EQUS.SUMMARY"
ALL_SYMBOLS = ("ALL_SYMBOLS",)
# The service takes so many symbols a request.
MOST_SYMBOLS = 2_000
# Minute bars of every symbol for two weeks are less.
MOST_BYTES = 4 << 30
_PIECE_BYTES = 1 << 20
COUNTRY = "US"

MINUTE_DTYPE = np.dtype(
    [
        ("symbol", "<i4"),
        ("minute", "<i8"),
        ("open", "<i8"),
        ("high", "<i8"),
        ("low", "<i8"),
        ("close", "<i8"),
        ("volume", "<i8"),
    ]
)

Records = NDArray[Any]
_WORDS = {"ohlcv-1d": "daily bars", "ohlcv-1m": "minute bars"}
_REFERENCE = "reference data"


@dataclass(frozen=True, slots=True, eq=False)
class MinuteBars:
    """One-minute bars, shape (n,) of `MINUTE_DTYPE`, in order of time.

    `symbol` counts in `names`, `minute` counts minutes since 1970 (UTC), prices are int64 in 1e-9
    dollars. A dataset of several publishers has a bar for each of them.
    """

    names: tuple[str, ...]
    bars: Records


@dataclass(frozen=True, slots=True)
class _Query:
    """A range of bars; ends are exclusive."""

    dataset: str
    schema: str
    symbols: tuple[str, ...]
    start_ns: int
    end_ns: int

    def __str__(self) -> str:
        first, last = utc_date(self.start_ns), utc_date(self.end_ns - 1)
        span = f"on {first}" if first == last else f"from {first} to {last}"
        return f"{_WORDS[self.schema]} of {self.dataset} {span}"

    @property
    def arguments(self) -> dict[str, Any]:
        """What the client's own methods take."""
        return {
            "dataset": self.dataset,
            "schema": self.schema,
            "symbols": list(self.symbols),
            "start": self.start_ns,
            "end": self.end_ns,
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """OHLCV records, shape (n,), and id → symbol by UTC date."""

    bars: Records
    names_on: Callable[[date], Mapping[int, str]]


class History:
    """Databento's Historical and Reference API; for any thread, which it blocks.

    Args:
        key: The API key; it appears in no message.
        url: Base URL of a stand-in, as in `http://127.0.0.1:8080`; None for Databento's own.
        max_cost_usd: A request that would cost more is not made.
        timeout_s: How long to wait for the connection, and for each piece of an answer.
    """

    def __init__(
        self,
        key: str,
        *,
        url: str | None = None,
        max_cost_usd: float = 0.0,
        timeout_s: float = 30.0,
    ) -> None:
        self._url = url
        self._max_cost_usd = max_cost_usd
        self._caller = Caller(key, url, timeout_s)

    def __repr__(self) -> str:
        return f"History(url={self._url!r}, max_cost_usd={self._max_cost_usd})"

    def daily_closes(
        self, days: Sequence[date], dataset: str = SUMMARY
    ) -> dict[date, dict[str, float]]:
        """Return the closes (dollars) by symbol of those of `days` that have any yet.

        Raises:
            HistoryError: The service cannot be reached, refuses, or wants more money.
        """
        found, _ = self._daily(dataset, days)
        closes = {}
        for day, bars, names in found:
            ids, prices = bars["instrument_id"].tolist(), (bars["close"] / PRICE_SCALE).tolist()
            closes[day] = {names[i]: p for i, p in zip(ids, prices, strict=True) if i in names}
        return {day: table for day, table in closes.items() if table}

    def daily_volumes(self, dataset: str, days: Sequence[date]) -> dict[date, dict[str, int]]:
        """Return the shares traded by symbol on those of `days` whose UTC day is published whole.

        Raises:
            HistoryError: As `daily_closes`.
        """
        found, end_ns = self._daily(dataset, days)
        volumes: dict[date, dict[str, int]] = {}
        for day, bars, names in found:
            if _day_ns(day) + DAY_NS > end_ns:
                continue
            table: dict[str, int] = {}
            ids, counts = bars["instrument_id"].tolist(), bars["volume"].tolist()
            for number, count in zip(ids, counts, strict=True):
                if (name := names.get(number)) is not None:
                    table[name] = table.get(name, 0) + count
            volumes[day] = table
        return {day: table for day, table in volumes.items() if table}

    def minute_bars(
        self, dataset: str, symbols: Sequence[str], start_ns: int, end_ns: int
    ) -> MinuteBars:
        """Return the minute bars of some symbols that begin in [start_ns, end_ns).

        Raises:
            HistoryError: As `daily_closes`.
        """
        names = tuple(sorted(set(symbols)))
        index = {name: number for number, name in enumerate(names)}
        pieces = [np.empty(0, MINUTE_DTYPE)]
        for at in range(0, len(names), MOST_SYMBOLS):
            chosen = names[at : at + MOST_SYMBOLS]
            answer, _ = self._bars(_Query(dataset, "ohlcv-1m", chosen, start_ns, end_ns))
            pieces.append(_minutes(answer, index))
        bars = np.concatenate(pieces)
        return MinuteBars(names, bars[np.lexsort((bars["symbol"], bars["minute"]))])

    def splits(self, start: date, end: date) -> list[Split]:
        """Return the US splits with an ex-date in [start, end), by date and symbol.

        Raises:
            HistoryError: As `daily_closes`; the key may have neither kind of reference data.
        """
        try:
            return splits_of_actions(self._actions(SPLIT_EVENTS, start, end))
        except HistoryError as error:
            if error.entitled:
                raise
        rows = self._caller.call(
            f"adjustment factors from {start} to {end}",
            f"{_REFERENCE}: adjustment factors",
            lambda api: _rows(
                api.factors.get_range(
                    start=start, end=end, countries=[COUNTRY], allocate_isins=False
                )
            ),
        )
        return splits_of_factors(rows)

    def renames(self, start: date, end: date) -> list[Rename]:
        """Return the US listings whose symbol changes on a day in [start, end), by date.

        Raises:
            HistoryError: As `daily_closes`.
        """
        return renames_of_actions(self._actions(RENAME_EVENTS, start, end))

    def _actions(self, events: Sequence[str], start: date, end: date) -> list[Row]:
        return self._caller.call(
            f"corporate actions from {start} to {end}",
            f"{_REFERENCE}: corporate actions",
            lambda api: _rows(
                api.actions.get_range(
                    start=start,
                    end=end,
                    events=list(events),
                    countries=[COUNTRY],
                    flatten=False,
                    pit=True,
                    # All symbols at once would use up a plan that is limited by their number.
                    allocate_isins=False,
                )
            ),
        )

    def _daily(
        self, dataset: str, days: Sequence[date]
    ) -> tuple[list[tuple[date, Records, Mapping[int, str]]], int]:
        """Return each day's bars and id → symbol, and the instant up to which was answered."""
        if not days:
            return [], 0
        query = _Query(
            dataset, "ohlcv-1d", ALL_SYMBOLS, _day_ns(min(days)), _day_ns(max(days)) + DAY_NS
        )
        first_ns, end_ns = self._available(query)
        start_ns = max(query.start_ns, first_ns)
        answer, end_ns = self._bars(
            replace(query, start_ns=start_ns, end_ns=min(query.end_ns, end_ns))
        )
        numbers = answer.bars["ts_event"] // np.uint64(DAY_NS)
        parts = [
            (day, answer.bars[numbers == _day_ns(day) // DAY_NS], answer.names_on(day))
            for day in sorted(set(days))
        ]
        return parts, end_ns

    def _available(self, query: _Query) -> tuple[int, int]:
        """Return the span (ns) that the service has of the query's dataset and schema."""

        def span(api: Api) -> tuple[int, int]:
            told: dict[str, Any] = dict(api.metadata.get_dataset_range(query.dataset))
            of_schema = (told.get("schema") or {}).get(query.schema, told)
            return instant_ns(of_schema["start"]), instant_ns(of_schema["end"])

        return self._caller.call(f"the range of {query.dataset}", query.dataset, span)

    def _bars(self, query: _Query) -> tuple[_Answer, int]:
        """Return the query's bars and the end up to which they were asked for.

        Where the service names an earlier end, the query is made once more with that one.
        """
        if query.end_ns <= query.start_ns:
            return _NOTHING, query.end_ns
        try:
            return self._priced(query), query.end_ns
        except HistoryError as error:
            if error.end_ns is None or error.end_ns >= query.end_ns:
                raise
            if error.end_ns <= query.start_ns:
                if error.entitled:
                    return _NOTHING, error.end_ns
                raise
            shorter = replace(query, end_ns=error.end_ns)
        return self._priced(shorter), shorter.end_ns

    def _priced(self, query: _Query) -> _Answer:
        cost = self._caller.call(
            f"the price of {query}",
            query.dataset,
            lambda api: float(api.metadata.get_cost(**query.arguments)),
        )
        # Written so that a price that is no number is refused.
        if not cost <= self._max_cost_usd:
            raise HistoryError(
                f"The {query} would cost {_dollars(cost)}; max_cost_usd allows "
                f"{_dollars(self._max_cost_usd)}, so they were not requested. "
                "Raise max_cost_usd in the config to have them."
            )
        return self._caller.call(f"the {query}", query.dataset, lambda api: _read(api, query))


def _read(api: Api, query: _Query) -> _Answer:
    """Request the bars; an answer that is cut off is none."""
    store = api.timeseries.get_range(**query.arguments)
    walker = FrameWalker()
    walker.feed(store.raw)
    if not walker.complete:
        raise ValueError("it is cut off")
    if _is_larger(store.raw, MOST_BYTES):
        raise ValueError("it is larger than any answer should be")
    bars = np.asarray(store.to_ndarray()).reshape(-1)
    bars = bars[(bars["close"] > 0) & (bars["close"] < UNDEF_PRICE)]
    symbology = Symbology(store.metadata)
    if len(symbology) or not len(bars):
        return _Answer(bars, symbology.on)
    spans = _resolved(api, query)
    return _Answer(
        bars,
        lambda day: {number: symbol for symbol, number, d0, d1 in spans if d0 <= day < d1},
    )


def _is_larger(packed: bytes, most: int) -> bool:
    """Return whether a zstd file holds more bytes; nothing of it is kept."""
    size = 0
    reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
    while size <= most and (piece := reader.read(_PIECE_BYTES)):
        size += len(piece)
    return size > most


def _resolved(api: Api, query: _Query) -> list[tuple[str, int, date, date]]:
    """Ask for the symbols of a query whose answer names none."""
    told = api.symbology.resolve(
        dataset=query.dataset,
        symbols=list(query.symbols),
        stype_in="raw_symbol",
        stype_out="instrument_id",
        start_date=utc_date(query.start_ns),
        end_date=utc_date(query.end_ns - 1) + timedelta(days=1),
    )
    return [
        (symbol, int(span["s"]), date.fromisoformat(span["d0"]), date.fromisoformat(span["d1"]))
        for symbol, spans in told["result"].items()
        for span in spans
        if span["s"]
    ]


def _minutes(answer: _Answer, index: Mapping[str, int]) -> Records:
    """Return records as `MINUTE_DTYPE`, without symbols that were not asked for."""
    source = answer.bars
    found = np.zeros(len(source), MINUTE_DTYPE)
    found["symbol"] = -1
    days = source["ts_event"] // np.uint64(DAY_NS)
    for number in np.unique(days).tolist():
        slots = {i: index.get(s, -1) for i, s in answer.names_on(utc_date(number * DAY_NS)).items()}
        rows = np.flatnonzero(days == number)
        ids, inverse = np.unique(source["instrument_id"][rows], return_inverse=True)
        found["symbol"][rows] = np.array([slots.get(i, -1) for i in ids.tolist()])[inverse]
    found["minute"] = source["ts_event"] // np.uint64(MINUTE_NS)
    for name in ("open", "high", "low", "close", "volume"):
        found[name] = source[name]
    return found[found["symbol"] >= 0]


def _rows(frame: Any) -> list[Row]:
    """Return a data frame's rows as mappings, its index among the columns."""
    rows: list[Row] = frame.reset_index().to_dict("records")
    return rows


def _day_ns(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86_400 * SECOND_NS


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount == 0 or abs(amount) >= 0.01 else f"${amount:.6f}"


_NOTHING = _Answer(np.empty(0, OHLCV_DTYPE), lambda _: {})
