"""What the simulated gateway plays: one schema's records, and the schemas that follow from them.

A tape does not change once it is made, except that derived streams are made at first use; any
thread may ask for them.
"""

from __future__ import annotations

import mmap
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

import databento_dbn as dbn
import numpy as np
import zstandard
from numpy.typing import NDArray

from stockscan_tui.errors import InputError
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, SECOND_NS, utc_date
from stockscan_tui.market.dbn import MAGIC, MBP1_DTYPE, OHLCV_DTYPE, TRADE_DTYPE, RType

Rows = NDArray[Any]

INTERVALS_NS = {
    "ohlcv-1s": SECOND_NS,
    "ohlcv-1m": MINUTE_NS,
    "ohlcv-1h": 60 * MINUTE_NS,
    "ohlcv-1d": DAY_NS,
}
_DTYPES = {
    "mbp-1": MBP1_DTYPE,
    "tbbo": MBP1_DTYPE,
    "trades": TRADE_DTYPE,
    **dict.fromkeys(INTERVALS_NS, OHLCV_DTYPE),
}
_BARS = {
    RType.OHLCV_1S: "ohlcv-1s",
    RType.OHLCV_1M: "ohlcv-1m",
    RType.OHLCV_1H: "ohlcv-1h",
    RType.OHLCV_1D: "ohlcv-1d",
}
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_READ_BYTES = 1 << 22
_SCAN_ROWS = 1 << 20
_MAX_WINDOW_BYTES = 1 << 27


class Remap(NamedTuple):
    """From `ts_ns` on, `symbol` has the number `instrument_id`."""

    ts_ns: int
    symbol: str
    instrument_id: int


@dataclass(frozen=True, eq=False)
class Stream:
    """One schema's records in the tape's order.

    Attributes:
        schema: Databento's name of it.
        records: Contiguous, in order of the time at which they are due.
        interval_ns: How long after `ts_event` a bar is due; 0 for what is due at `ts_recv`.
    """

    schema: str
    records: Rows
    interval_ns: int

    @property
    def record_bytes(self) -> int:
        """The length of each record."""
        return self.records.dtype.itemsize

    @cached_property
    def _times(self) -> Rows:
        times: Rows = self.records["ts_event" if self.interval_ns else "ts_recv"]
        return times

    def at_ns(self, position: int) -> int:
        """Return the time of the record at `position`: its number is of then."""
        return int(self._times[position])

    def due_ns(self, position: int) -> int:
        """Return when the record at `position` is due."""
        return self.at_ns(position) + self.interval_ns

    def before(self, ts_ns: int) -> int:
        """Return how many records are due before `ts_ns`."""
        # Plain bisection reads 25 records of 20 million; searchsorted would copy the column.
        return bisect_left(cast("Sequence[int]", self._times), ts_ns - self.interval_ns, key=int)

    def by(self, ts_ns: int) -> int:
        """Return how many records are due at or before `ts_ns`."""
        return bisect_right(cast("Sequence[int]", self._times), ts_ns - self.interval_ns, key=int)


class Tape:
    """The records of one schema with their symbols.

    Args:
        schema: Of the records: mbp-1, tbbo, trades or ohlcv-*.
        records: In order of `ts_recv` (bars: of `ts_event`).
        symbols: Each symbol's number when the tape begins.
        dataset: Databento's name of the dataset.
        remaps: Numbers that change while the tape plays; the records carry the new ones already.

    Attributes:
        turns: The instants at which numbers change; an *epoch* lies between two of them.
    """

    def __init__(
        self,
        schema: str,
        records: Rows,
        symbols: dict[str, int],
        dataset: str,
        remaps: Iterable[tuple[int, str, int]] = (),
    ) -> None:
        self.schema = schema
        self.dataset = dataset
        self.remaps = tuple(sorted(Remap(*remap) for remap in remaps))
        self.turns = tuple(sorted({remap.ts_ns for remap in self.remaps}))
        self._symbols = [dict(symbols)]
        self._lock = threading.Lock()
        base = Stream(schema, np.ascontiguousarray(records), INTERVALS_NS.get(schema, 0))
        self._streams = {schema: base}
        self.first_ns = base.due_ns(0) - base.interval_ns if len(records) else 0
        self.last_ns = base.due_ns(-1) if len(records) else 0

    @classmethod
    def from_records(
        cls,
        records: Rows,
        symbols: dict[str, int],
        dataset: str = "EQUS.MINI",
        remaps: Iterable[tuple[int, str, int]] = (),
    ) -> Tape:
        """Return a tape of an array in MBP1_DTYPE, TRADE_DTYPE or OHLCV_DTYPE.

        Raises:
            InputError: The array has another type.
        """
        schema = {MBP1_DTYPE: "mbp-1", TRADE_DTYPE: "trades"}.get(records.dtype)
        if records.dtype == OHLCV_DTYPE:
            schema = _BARS.get(records["rtype"][0] if len(records) else RType.OHLCV_1M)
        if schema is None:
            raise InputError("A tape is made of mbp-1, trades or ohlcv records.")
        return cls(schema, records, symbols, dataset, remaps)

    @classmethod
    def from_file(cls, path: Path) -> Tape:
        """Return a tape of a `.dbn` file, mapped into memory, or of a `.dbn.zst`, read into it.

        Raises:
            InputError: It cannot be read, is not DBN, or holds records that cannot be played.
        """
        try:
            data = _contents(path)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}.") from error
        except (zstandard.ZstdError, ValueError) as error:
            raise InputError(f"{path} is empty or not a readable zstd file: {error}.") from error
        metadata, offset = _metadata(data, path)
        schema = str(metadata.schema) if metadata.schema is not None else ""
        records = _records(data, offset, schema, ts_out=bool(metadata.ts_out), path=path)
        first_ns = int(metadata.start)
        if len(records):
            first_ns = int(records["ts_event" if schema in INTERVALS_NS else "ts_recv"][0])
        symbols, remaps = _symbols_of(metadata, utc_date(first_ns))
        return cls(schema, records, symbols, metadata.dataset, remaps)

    def stream(self, schema: str) -> Stream | None:
        """Return the records of `schema`, made now if this is the first time; None: not served."""
        with self._lock:
            if schema not in self._streams:
                made = self._derived(schema)
                if made is None:
                    return None
                self._streams[schema] = Stream(schema, made, INTERVALS_NS.get(schema, 0))
            return self._streams[schema]

    def epoch(self, ts_ns: int) -> int:
        """Return how many turns have come by `ts_ns`."""
        return bisect_right(self.turns, ts_ns)

    def symbols(self, epoch: int) -> dict[str, int]:
        """Return each symbol's number after the first `epoch` turns."""
        with self._lock:
            for turn_ns in self.turns[len(self._symbols) - 1 : epoch]:
                begin = bisect_left(self.remaps, turn_ns, key=lambda remap: remap.ts_ns)
                end = bisect_right(self.remaps, turn_ns, key=lambda remap: remap.ts_ns)
                changed = {r.symbol: r.instrument_id for r in self.remaps[begin:end]}
                self._symbols.append(self._symbols[-1] | changed)
            return self._symbols[epoch]

    def silences(self, longer_ns: int) -> list[tuple[int, int]]:
        """Return the spans of more than `longer_ns` between two records that follow another."""
        stream, found = self._streams[self.schema], []
        count, whole = min(1, len(stream.records)), len(stream.records)
        while count < whole:
            at_ns = stream.due_ns(count - 1)
            following = stream.by(at_ns + longer_ns)
            if following <= count:
                found.append((at_ns, stream.due_ns(count)))
                following = count + 1
            count = following
        return found

    def _derived(self, schema: str) -> Rows | None:
        base = self._streams[self.schema].records
        if schema == "tbbo" and self.schema == "mbp-1":
            return _hits(base)
        if self.schema not in ("mbp-1", "tbbo", "trades"):
            return None
        if schema == "trades":
            return trades_of(base)
        if schema in ("ohlcv-1s", "ohlcv-1m"):
            return bars_of(base, schema)
        return None


def trades_of(rows: Rows) -> Rows:
    """Return the rows with action T as trades."""
    hits = _hits(rows)
    if hits.dtype == TRADE_DTYPE:
        return hits
    trades = np.zeros(len(hits), TRADE_DTYPE)
    for name in cast("tuple[str, ...]", TRADE_DTYPE.names):
        trades[name] = hits[name]
    trades["length"] = TRADE_DTYPE.itemsize // 4
    trades["rtype"] = RType.TRADE
    return trades


def bars_of(rows: Rows, schema: str) -> Rows:
    """Return the bars by `ts_recv` of the rows with action T, in order of (interval, number).

    A trade of size 0 is none.
    """
    trades = trades_of(rows)
    trades = trades[trades["size"] > 0]
    interval_ns = np.uint64(INTERVALS_NS[schema])
    begin_ns = trades["ts_recv"] // interval_ns * interval_ns
    order = np.lexsort((trades["instrument_id"], begin_ns))
    trades, begin_ns = trades[order], begin_ns[order]
    new = np.ones(len(trades), np.bool_)
    new[1:] = (np.diff(begin_ns) != 0) | (np.diff(trades["instrument_id"]) != 0)
    starts = np.flatnonzero(new)
    bars = np.zeros(len(starts), OHLCV_DTYPE)
    if len(starts) == 0:
        return bars
    ends = np.append(starts[1:], len(trades)) - 1
    bars["length"] = OHLCV_DTYPE.itemsize // 4
    bars["rtype"] = RType.OHLCV_1S if schema == "ohlcv-1s" else RType.OHLCV_1M
    bars["publisher_id"] = trades["publisher_id"][starts]
    bars["instrument_id"] = trades["instrument_id"][starts]
    bars["ts_event"] = begin_ns[starts]
    bars["open"] = trades["price"][starts]
    bars["close"] = trades["price"][ends]
    bars["high"] = np.maximum.reduceat(trades["price"], starts)
    bars["low"] = np.minimum.reduceat(trades["price"], starts)
    bars["volume"] = np.add.reduceat(trades["size"].astype(np.uint64), starts)
    return bars


def _hits(rows: Rows) -> Rows:
    parts = []
    for begin in range(0, len(rows), _SCAN_ROWS):
        part = rows[begin : begin + _SCAN_ROWS]
        parts.append(part[part["action"] == b"T"])
    return np.concatenate(parts) if parts else rows[:0]


def _contents(path: Path) -> mmap.mmap | bytearray:
    with path.open("rb") as file:
        if file.read(4) != _ZSTD_MAGIC:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        file.seek(0)
        content = bytearray()
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
        with decompressor.stream_reader(file, read_across_frames=True) as stream:
            while piece := stream.read(_READ_BYTES):
                content += piece
        return content


def _metadata(data: mmap.mmap | bytearray, path: Path) -> tuple[dbn.Metadata, int]:
    if bytes(data[:3]) != MAGIC:
        raise InputError(f"{path} is not a DBN file.")
    offset = 8 + int.from_bytes(data[4:8], "little")
    try:
        return dbn.Metadata.decode(bytes(data[:offset])), offset
    except (dbn.DBNError, ValueError, OverflowError) as error:
        raise InputError(f"{path} has DBN metadata that cannot be read ({error}).") from error


def _records(
    data: mmap.mmap | bytearray, offset: int, schema: str, *, ts_out: bool, path: Path
) -> Rows:
    plain = _DTYPES.get(schema)
    if plain is None:
        raise InputError(
            f"{path} holds {schema or 'several schemas'}, which cannot be played. "
            "Give a file of mbp-1, tbbo, trades or ohlcv."
        )
    dtype = np.dtype([*plain.descr, ("ts_out", "<u8")]) if ts_out else plain
    count = (len(data) - offset) // dtype.itemsize
    records = np.frombuffer(data, dtype, count, offset)
    ends = records[[0, -1]] if count else records
    if (ends["length"] != dtype.itemsize // 4).any():
        raise InputError(f"{path} holds other records than its metadata says ({schema}).")
    if not ts_out:
        return records
    bare = np.zeros(count, plain)
    for name in cast("tuple[str, ...]", plain.names):
        bare[name] = records[name]
    bare["length"] = plain.itemsize // 4
    return bare


def _symbols_of(metadata: dbn.Metadata, first: date) -> tuple[dict[str, int], list[Remap]]:
    """Return the numbers on the `first` date and the changes after it."""
    symbols: dict[str, int] = {}
    remaps: list[Remap] = []
    for symbol, intervals in metadata.mappings.items():
        newest: int | None = None
        for interval in cast("list[dict[str, Any]]", intervals):
            if not interval["symbol"] or interval["end_date"] <= first:
                continue
            number = int(interval["symbol"])
            if newest is None:
                symbols[symbol] = number
            elif newest != number:
                days = (interval["start_date"] - date(1970, 1, 1)).days
                remaps.append(Remap(days * DAY_NS, symbol, number))
            newest = number
    return symbols, remaps
