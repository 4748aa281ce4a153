"""Rows of the contract's views as CSV, JSON or Parquet, piece by piece.

A year of bars is a hundred million rows: DuckDB writes three hours of them at a time, in order, so
that neither memory nor a sort on the disk grows with the years.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import duckdb

from stockscan_tui.errors import StoreError
from stockscan_tui.market.calendar import new_york_ns, new_york_time
from stockscan_tui.market.text import printable
from stockscan_tui.store.database import one_line
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.table_file import replacing

Progress = Callable[[int, float], None]
"""Told how many rows there are so far, and the share of the time that has been looked through."""

_DAY_START = time(3, 50)
_PIECE_US = 3 * 3_600 * 1_000_000
_AGAIN_S = 0.05

_KNOWN = "SELECT symbol FROM symbols WHERE list_contains($1::VARCHAR[], symbol)"
_OPTIONS = {
    "csv": "FORMAT csv, HEADER {head}, TIMESTAMPFORMAT '{instant}'",
    "json": "FORMAT json, TIMESTAMPFORMAT '{instant}'",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}
FORMATS = tuple(_OPTIONS)


@dataclass(frozen=True, slots=True)
class _View:
    """What can be exported.

    Attributes:
        query: Its rows, with a place for a condition.
        within: The condition on its time, of two parameters.
        extent: The query for the first and the last instant, in µs since 1970.
        order: What its rows are ordered by.
        instant: How its timestamps are written, always with their zone.
        as_json: What stands instead of `*` where a value is to be an object of its own.
    """

    query: str
    within: str
    extent: str
    order: str
    instant: str = "%Y-%m-%dT%H:%M:%S.%fZ"
    as_json: str = "*"


VIEWS = {
    "bars": _View(
        "bars_1m", "ts >= make_timestamp($1) AND ts < make_timestamp($2)",
        "SELECT epoch_us(min(ts)), epoch_us(max(ts)) FROM bars",
        "ts, symbol", instant="%Y-%m-%dT%H:%M:%SZ",
    ),
    "alerts": _View(
        "alerts", "ts >= $1 * 1000 AND ts < $2 * 1000",
        "SELECT min(ts) // 1000, max(ts) // 1000 FROM fired", "ts, rule, symbol",
        as_json='* REPLACE (CASE WHEN json_valid("values") THEN "values"::JSON END AS "values")',
    ),
    "state": _View(
        # A state belongs to its session date, however late it was written.
        "symbol_state",
        "epoch_us(session_date + INTERVAL 12 HOUR) >= $1 "
        "AND epoch_us(session_date + INTERVAL 12 HOUR) < $2",
        "SELECT epoch_us(min(session_date) + INTERVAL 12 HOUR), "
        "epoch_us(max(session_date) + INTERVAL 12 HOUR) FROM states",
        "session_date, symbol",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Extract:
    """What is wanted.

    Attributes:
        what: One of `VIEWS`: bars, alerts or state.
        first: The first session date.
        last: The last one.
        symbols: Only these; all where there are none.
        kind: One of `FORMATS`.
    """

    what: str
    first: date
    last: date
    symbols: tuple[str, ...] = ()
    kind: str = "csv"


def known(reader: Reader, symbols: tuple[str, ...]) -> set[str]:
    """Return those of some symbols that any day has mapped."""
    return {str(row[0]) for row in reader.rows(_KNOWN, [list(symbols)])}


def extent(reader: Reader, what: str) -> tuple[date, date] | None:
    """Return the first and the last session date of which there are rows, None without any."""
    ((first_us, last_us),) = reader.rows(VIEWS[what].extent)
    if first_us is None:
        return None
    return _session_date(first_us), _session_date(last_us)


def write_file(
    reader: Reader, wanted: Extract, path: Path, done: Progress, *, force: bool = False
) -> int:
    """Write what is wanted to a file, which is there when it is whole; returns the rows.

    Rows come in the order of their time. CSV begins with a head, also where there are no rows;
    JSON is an object a line.

    Args:
        reader: Reads the database; its thread is the caller's.
        wanted: What.
        path: The file.
        done: Told how it goes.
        force: Whether a file that is there is replaced.

    Raises:
        StoreError: The database cannot be read, or the file cannot be written.
    """
    name = printable(path)
    count = _Count(done)
    try:
        with replacing(Path(os.path.realpath(path)), f".{wanted.kind}", force=force) as fresh:
            for piece in _pieces(reader, wanted, fresh.parent, count):
                if not fresh.exists():
                    piece.replace(fresh)
                    continue
                with fresh.open("ab") as whole:
                    _append(piece, whole)
    except FileExistsError as error:
        raise StoreError(f"{name} is there already. Name another file, or add --force.") from error
    except (OSError, duckdb.Error) as error:
        raise StoreError(f"{name} was not written: {_reason(error)}.") from error
    return count.rows


def write_stream(reader: Reader, wanted: Extract, out: BinaryIO, done: Progress) -> int:
    """Write what is wanted to a stream, as `write_file` does to a file; returns the rows.

    Raises:
        StoreError: The database cannot be read, or the stream cannot be written.
        BrokenPipeError: Nobody reads it any more.
    """
    count = _Count(done)
    try:
        with TemporaryDirectory(prefix="stockscan-") as folder:
            for piece in _pieces(reader, wanted, Path(folder), count):
                _append(piece, out)
        out.flush()
    except BrokenPipeError:
        raise
    except (OSError, duckdb.Error) as error:
        raise StoreError(f"The output broke off: {_reason(error)}.") from error
    return count.rows


@dataclass(slots=True)
class _Count:
    done: Progress
    rows: int = 0

    def add(self, rows: int, share: float) -> None:
        self.rows += rows
        self.done(self.rows, share)


def _append(piece: Path, out: BinaryIO) -> None:
    with piece.open("rb") as file:
        shutil.copyfileobj(file, out, 1 << 20)
    piece.unlink()


def _reason(error: OSError | duckdb.Error) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return one_line(error).rstrip(".")


def _pieces(reader: Reader, wanted: Extract, folder: Path, count: _Count) -> Iterator[Path]:
    """Yield files that make up what is wanted, one after the other; Parquet is one file."""
    spans = _spans(wanted, extent(reader, wanted.what))
    made: list[Path] = []
    for number, span in enumerate(spans):
        piece = folder / f"{number}.{wanted.kind}"
        rows = _copy(reader, _statement(wanted, piece, head=not number), _values(wanted, span))
        count.add(rows, (number + 1) / len(spans))
        if number and not rows:
            piece.unlink()
        elif wanted.kind == "parquet":
            made.append(piece)
        else:
            yield piece
    if wanted.kind == "parquet":
        yield _joined(reader, made, folder)


def _joined(reader: Reader, made: list[Path], folder: Path) -> Path:
    if len(made) == 1:
        return made[0]
    whole = folder / "whole.parquet"
    query = f"COPY (FROM read_parquet($1)) TO {_text(whole)} ({_OPTIONS['parquet']})"
    _copy(reader, query, [[str(path) for path in made]])
    for path in made:
        path.unlink()
    return whole


def _copy(reader: Reader, statement: str, values: list[object]) -> int:
    """Run a statement that a signal's handler can break off.

    DuckDB gives the interpreter no chance to run one on the thread that it works in.
    """
    pool = ThreadPoolExecutor(1)
    running: Future[int] | None = None
    try:
        running = pool.submit(reader.copy, statement, values)
        return running.result()
    finally:
        # Again and again: it may not have begun yet.
        while running is not None and not running.done():
            reader.interrupt()
            wait([running], _AGAIN_S)
        pool.shutdown()


def _statement(wanted: Extract, path: Path, *, head: bool) -> str:
    view = VIEWS[wanted.what]
    chosen = view.as_json if wanted.kind == "json" else "*"
    among = "AND symbol IN (SELECT unnest($3::VARCHAR[]))" if wanted.symbols else ""
    options = _OPTIONS[wanted.kind].format(head=str(head).lower(), instant=view.instant)
    return (
        f"COPY (SELECT {chosen} FROM {view.query} WHERE {view.within} {among} "  # noqa: S608
        f"ORDER BY {view.order}) TO {_text(path)} ({options})"
    )


def _values(wanted: Extract, span: tuple[int, int]) -> list[object]:
    return [*span, list(wanted.symbols)] if wanted.symbols else list(span)


def _spans(wanted: Extract, stored: tuple[date, date] | None) -> list[tuple[int, int]]:
    """Return the spans of time that are looked through, in µs since 1970: always one."""
    first, last = wanted.first, wanted.last
    if stored is not None:
        first, last = max(first, stored[0]), min(last, stored[1])
    if stored is None or first > last:
        return [(0, 0)]
    begin_us, end_us = _begin_us(first), _begin_us(last + timedelta(days=1))
    step_us = _PIECE_US if wanted.what == "bars" else 8 * _PIECE_US
    return [(at, min(at + step_us, end_us)) for at in range(begin_us, end_us, step_us)]


def _begin_us(session_date: date) -> int:
    return new_york_ns(session_date, _DAY_START) // 1000


def _session_date(instant_us: int) -> date:
    local: datetime = new_york_time(instant_us * 1000)
    return local.date() - timedelta(days=int(local.time() < _DAY_START))


def _text(path: Path) -> str:
    quoted = os.fspath(path).replace("'", "''")
    return f"'{quoted}'"
