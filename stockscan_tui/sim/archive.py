"""The tables of a stand-in for Databento's Historical and Reference API, and its answers.

Paths, parameters, answers and error bodies are those that the official client and its users meet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import databento_dbn as dbn
import numpy as np
import zstandard
from numpy.typing import NDArray

from stockscan_tui.market.calendar import DAY_NS, SECOND_NS, utc_date
from stockscan_tui.market.dbn import OHLCV_DTYPE, PRICE_SCALE, RType
from stockscan_tui.sim.universe import Universe

PUBLISHER = 95
LEVEL = 3
DEFAULT_VOLUME = 1_000
FIRST_DAY = date(2018, 5, 1)
DOCS = "https://databento.com/docs/api-reference-historical/basics"
_JSON = "application/json"
_BINARY = "application/octet-stream"

Rows = NDArray[Any]
Answer = tuple[int, str, bytes]


@dataclass(frozen=True, slots=True, eq=False)
class MinuteTable:
    """OHLCV records of one minute each, in order of time, and the symbols of their ids."""

    records: Rows
    names: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Tables:
    """What the stand-in knows, by dataset.

    Attributes:
        closes: Closes (dollars) by date and symbol.
        volumes: Shares by date and symbol, of the daily bars.
        minutes: Minute bars.
        ends_ns: Up to when each dataset is published; where it is not told, to its last day's end.
        costs: What a request for (dataset, schema) costs, in dollars; nothing where not told.
        actions: Corporate actions, as the service's records.
        factors: Adjustment factors, likewise.
        mappings: Whether answers name their symbols; else `symbology.resolve` alone does.
    """

    closes: Mapping[str, Mapping[date, Mapping[str, float]]] = field(default_factory=dict)
    volumes: Mapping[str, Mapping[date, Mapping[str, int]]] = field(default_factory=dict)
    minutes: Mapping[str, MinuteTable] = field(default_factory=dict)
    ends_ns: Mapping[str, int] = field(default_factory=dict)
    costs: Mapping[tuple[str, str], float] = field(default_factory=dict)
    actions: Sequence[Mapping[str, object]] = ()
    factors: Sequence[Mapping[str, object]] = ()
    mappings: bool = True


def closes_of_universe(universe: Universe, day: date) -> dict[date, dict[str, float]]:
    """Return a simulated market's previous closes as those of `day`."""
    return {day: dict(zip(universe.symbols, universe.prev_close.tolist(), strict=True))}


def detail(
    case: str, message: str, status: int, payload: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Return what the service puts into an error's body."""
    return {
        "case": case,
        "message": message,
        "status_code": status,
        "docs": DOCS,
        "payload": dict(payload or {}),
    }


def not_licensed(dataset: str, after_ns: int | None = None) -> dict[str, object]:
    """Return the detail of a 403: a dataset, or what of it is later than an instant."""
    since = f" data after {_iso(after_ns)}" if after_ns is not None else ""
    message = f"A live data license is required to access {dataset}{since}."
    return detail("license_not_found_unauthorized", message, 403)


def out_of_plan(dataset: str, end_ns: int) -> dict[str, object]:
    """Return the detail of a 422: the plan does not reach the end that was asked for."""
    message = (
        f"Part or all of your request for dataset '{dataset}' requires a subscription and/or "
        f"license to access. Try again with an end time before {_iso(end_ns)}."
    )
    return detail("dataset_unavailable_range", message, 422)


def split_action(symbol: str, ex_date: date, old: float, new: float) -> dict[str, object]:
    """Return a corporate action: `old` shares become `new` ones."""
    event = "FSPLT" if new > old else "RSPLT"
    return _action(symbol, event, ex_date) | {"ratio_old": old, "ratio_new": new}


def rename_action(old: str, new: str, day: date) -> dict[str, object]:
    """Return a corporate action: a listing's code changes."""
    told = {"old_local_code": old, "new_local_code": new}
    return _action(new, "LCC", day) | {"event_info": told, "ex_date": None}


def _action(symbol: str, event: str, day: date) -> dict[str, object]:
    return {
        "ts_record": f"{day}T04:00:00Z",
        "event_unique_id": f"U-{event}-{symbol}-{day}",
        "event_action": "U",
        "event": event,
        "event_date": str(day),
        "effective_date": None,
        "ex_date": str(day),
        "symbol": symbol,
        "nasdaq_symbol": symbol,
        "local_code": symbol,
        "listing_country": "US",
        "ratio_old": None,
        "ratio_new": None,
        "date_info": {},
        "rate_info": {},
        "event_info": {},
        "ts_created": f"{day}T04:00:00Z",
    }


class Library:
    """Answers calls out of tables; for any thread."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def answer(self, call: str, parameters: Mapping[str, str]) -> Answer:
        """Return status, content type and body for a call as in `metadata.get_cost`."""
        if call == "corporate_actions.get_range":
            return _lines(_chosen(self._tables.actions, "event_date", parameters))
        if call == "adjustment_factors.get_range":
            return _lines(_chosen(self._tables.factors, "ex_date", parameters))
        if call == "metadata.list_datasets":
            return _json(sorted({*self._tables.closes, *self._tables.minutes}))
        dataset = parameters.get("dataset", "")
        if not self._days(dataset) and dataset not in self._tables.minutes:
            return refused(403, not_licensed(dataset))
        of_dataset = {
            "metadata.get_dataset_range": self._range,
            "metadata.list_schemas": lambda *_: _json(["mbp-1", "ohlcv-1d", "ohlcv-1m", "trades"]),
            "symbology.resolve": self._resolved,
            "metadata.get_cost": self._cost,
            "timeseries.get_range": self._bars,
        }
        if call not in of_dataset:
            return refused(404, "Not Found")
        return of_dataset[call](dataset, parameters)

    def _cost(self, dataset: str, parameters: Mapping[str, str]) -> Answer:
        cost = self._tables.costs.get((dataset, parameters["schema"]), 0.0)
        return self._out_of_range(dataset, parameters) or _json(cost)

    def _bars(self, dataset: str, parameters: Mapping[str, str]) -> Answer:
        if (too_late := self._out_of_range(dataset, parameters)) is not None:
            return too_late
        return 200, _BINARY, self._records(dataset, parameters)

    def _days(self, dataset: str) -> list[date]:
        closes = self._tables.closes.get(dataset, {})
        return sorted({*closes, *self._tables.volumes.get(dataset, {})})

    def _end_ns(self, dataset: str) -> int:
        ends = [_day_ns(day) + DAY_NS for day in self._days(dataset)[-1:]]
        if (table := self._tables.minutes.get(dataset)) is not None and len(table.records):
            ends.append((int(table.records["ts_event"][-1]) // DAY_NS + 1) * DAY_NS)
        return self._tables.ends_ns.get(dataset, max(ends, default=0))

    def _range(self, dataset: str, _: Mapping[str, str]) -> Answer:
        span = {"start": _iso(_day_ns(FIRST_DAY)), "end": _iso(self._end_ns(dataset))}
        return _json(span | {"schema": {"ohlcv-1d": span, "ohlcv-1m": span}})

    def _out_of_range(self, dataset: str, parameters: Mapping[str, str]) -> Answer | None:
        start_ns, end_ns = _ns(parameters["start"]), _ns(parameters["end"])
        usable_ns = self._end_ns(dataset)
        if end_ns <= usable_ns:
            return None
        message = (
            f"The dataset {dataset} has data available up to '{_spaced(usable_ns)}'. The `end` in "
            f"the query ('{_spaced(end_ns)}') is after the available range. Try requesting with "
            "an earlier `end`."
        )
        payload = {
            "dataset": dataset,
            "start": _iso(start_ns),
            "end": _iso(end_ns),
            "available_end": _iso(usable_ns),
        }
        return refused(422, detail("data_end_after_available_end", message, 422, payload))

    def _numbers(self, dataset: str) -> dict[str, int]:
        """Return symbol → instrument id: those of the minute bars, and new ones for the rest."""
        table = self._tables.minutes.get(dataset)
        numbers = {symbol: number for number, symbol in (table.names if table else {}).items()}
        following = max(numbers.values(), default=0)
        tables = (self._tables.closes.get(dataset, {}), self._tables.volumes.get(dataset, {}))
        symbols = {symbol for days in tables for day in days.values() for symbol in day}
        for number, symbol in enumerate(sorted(symbols - numbers.keys()), following + 1):
            numbers[symbol] = number
        return numbers

    def _resolved(self, dataset: str, parameters: Mapping[str, str]) -> Answer:
        start, end = parameters["start_date"], parameters["end_date"]
        chosen = _symbols(parameters["symbols"], self._numbers(dataset))
        told = {
            "result": {s: [{"d0": start, "d1": end, "s": str(n)}] for s, n in chosen.items()},
            "symbols": parameters["symbols"].split(","),
            "stype_in": "raw_symbol",
            "stype_out": "instrument_id",
            "start_date": start,
            "end_date": end,
            "partial": [],
            "not_found": [],
            "message": "OK",
            "status": 0,
        }
        return _json(told)

    def _records(self, dataset: str, parameters: Mapping[str, str]) -> bytes:
        schema, table = parameters["schema"], self._tables.minutes.get(dataset)
        start_ns, end_ns = _ns(parameters["start"]), _ns(parameters["end"])
        numbers = _symbols(parameters["symbols"], self._numbers(dataset))
        if schema == "ohlcv-1d":
            rows = self._daily(dataset, numbers)
        else:
            rows = np.empty(0, OHLCV_DTYPE) if table is None else table.records
        inside = (rows["ts_event"] >= start_ns) & (rows["ts_event"] < end_ns)
        rows = rows[inside & np.isin(rows["instrument_id"], list(numbers.values()))]
        named = numbers if self._tables.mappings else {}
        head = _metadata(dataset, schema, start_ns, end_ns, named)
        return zstandard.ZstdCompressor(level=LEVEL).compress(head + rows.tobytes())

    def _daily(self, dataset: str, numbers: Mapping[str, int]) -> Rows:
        pieces = [np.empty(0, OHLCV_DTYPE)]
        for day in self._days(dataset):
            closes = self._tables.closes.get(dataset, {}).get(day, {})
            volumes = self._tables.volumes.get(dataset, {}).get(day, {})
            names = [name for name in {**closes, **volumes} if name in numbers]
            rows = np.zeros(len(names), OHLCV_DTYPE)
            rows["length"] = OHLCV_DTYPE.itemsize // 4
            rows["rtype"] = RType.OHLCV_1D
            rows["publisher_id"] = PUBLISHER
            rows["instrument_id"] = [numbers[name] for name in names]
            rows["ts_event"] = _day_ns(day)
            prices = np.array([closes.get(name, 1.0) for name in names])
            for column in ("open", "high", "low", "close"):
                rows[column] = np.round(prices * PRICE_SCALE)
            rows["volume"] = [volumes.get(name, DEFAULT_VOLUME) for name in names]
            pieces.append(rows)
        return np.concatenate(pieces)


def _symbols(asked: str, numbers: Mapping[str, int]) -> dict[str, int]:
    if asked == "ALL_SYMBOLS":
        return dict(numbers)
    return {symbol: numbers[symbol] for symbol in asked.split(",") if symbol in numbers}


def _metadata(
    dataset: str, schema: str, start_ns: int, end_ns: int, numbers: Mapping[str, int]
) -> bytes:
    first, last = utc_date(start_ns), utc_date(end_ns - 1) + timedelta(days=1)
    spans = [
        SimpleNamespace(
            raw_symbol=symbol,
            intervals=[SimpleNamespace(start_date=first, end_date=last, symbol=str(number))],
        )
        for symbol, number in numbers.items()
    ]
    metadata = dbn.Metadata(
        dataset=dataset,
        start=start_ns,
        end=end_ns,
        stype_in=cast("Any", dbn.SType.RAW_SYMBOL),
        stype_out=cast("Any", dbn.SType.INSTRUMENT_ID),
        schema=dbn.Schema.from_str(schema),
        symbols=["ALL_SYMBOLS"],
        mappings=cast("Any", spans),
        version=3,
    )
    return bytes(metadata)


def _chosen(
    records: Sequence[Mapping[str, object]], index: str, parameters: Mapping[str, str]
) -> list[Mapping[str, object]]:
    """Return the records of a span of dates, of the events that were asked for."""
    events = parameters.get("events")
    return [
        record
        for record in records
        if parameters["start"] <= str(record[index]) < parameters["end"]
        and (not events or record["event"] in events.split(","))
    ]


def _lines(records: Sequence[Mapping[str, object]]) -> Answer:
    text = "".join(json.dumps(record) + "\n" for record in records)
    return 200, _BINARY, zstandard.ZstdCompressor(level=LEVEL).compress(text.encode())


def _json(value: object) -> Answer:
    return 200, _JSON, json.dumps(value).encode()


def refused(status: int, told: object) -> Answer:
    """Return the answer that carries an error's `detail`."""
    return status, _JSON, json.dumps({"detail": told}).encode()


def _day_ns(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_NS


def _ns(text: str) -> int:
    if text.isdigit():
        return int(text)
    instant = datetime.fromisoformat(text)
    return int(instant.replace(tzinfo=instant.tzinfo or UTC).timestamp()) * SECOND_NS


def _iso(ts_ns: int) -> str:
    whole = datetime.fromtimestamp(ts_ns // SECOND_NS, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ts_ns % SECOND_NS:09d}Z"


def _spaced(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // SECOND_NS, UTC):%Y-%m-%d %H:%M:%S}+00:00"
