"""The user's own table: a CSV or Parquet file keyed by symbol, read once through DuckDB.

This reads a file and takes its time: not for the screen's thread.
"""

from __future__ import annotations

import csv
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from stockscan_tui.errors import UsageError
from stockscan_tui.market.text import printable
from stockscan_tui.market.user_data import OwnTable
from stockscan_tui.store.database import fetch_arrays, one_line, quiet

MAX_COLUMNS = 200
MAX_ROWS = 1_000_000
_KEYS = ("symbol", "ticker")
_OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": "1GB",
    "threads": "1",
}
_HEAD_BYTES = 1 << 18
_HEAD_ROWS = 20
_PARQUET = "SELECT * FROM read_parquet(?)"
# All as text: what a column is depends on all its values, and a symbol may read TRUE or NAN.
# Nothing is guessed from the rows, so that a broken one is refused by its line.
_CSV = """SELECT * FROM read_csv(?, delim = ?, skip = ?, columns = {{{columns}}}, header = false,
    quote = '"', escape = '"', auto_detect = false)"""
_MISSING = "('', '-', '--', 'n/a', 'na', 'nan', 'null', 'none')"
_WORDS = "('true', 'false', 'yes', 'no')"
_NUMBER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*")
_TEXT = re.compile(r"VARCHAR|ENUM\(.*")
_TIME = re.compile(r"DATE|TIME.*")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the file: its name there, and its name and type as SQL has them."""

    given: str
    quoted: str
    kind: str

    @property
    def metric(self) -> str:
        """The name as a metric's; empty where nothing is left of it."""
        plain = unicodedata.normalize("NFKD", self.given).encode("ascii", "ignore").decode()
        name = re.sub(r"[^a-z0-9_]+", "_", plain.lower()).strip("_")
        return f"_{name}" if name[:1].isdigit() else name


def read_table(path: Path, taken: Collection[str] = ()) -> OwnTable:
    """Read a table with a column `symbol` (or `ticker`); its other columns become metrics.

    Args:
        path: A CSV file with a head, in UTF-8, or a Parquet file.
        taken: Names that no column may have: those of the metrics there are.

    Raises:
        UsageError: The file cannot be read or is too large, has no symbols, or a column's name is
            taken.
    """
    name = printable(path)
    try:
        real = path.resolve(strict=True)
        with real.open("rb") as file:
            start = file.read(_HEAD_BYTES)
        with quiet(duckdb.connect(config=_OPTIONS)) as connection:
            columns = _load(connection, real, start, name)
            return _read(connection, columns, name, taken)
    except OSError as error:
        raise UsageError(f"The table {name} cannot be read: {error.strerror}.") from error
    except duckdb.Error as error:
        raise UsageError(
            f"The table {name} cannot be read: {one_line(error)}. It has to be CSV in UTF-8 with a "
            "head, or Parquet."
        ) from error


def _load(
    connection: duckdb.DuckDBPyConnection, real: Path, start: bytes, name: str
) -> list[_Column]:
    """Take the file's rows in as `given`, with a connection that can read no other file."""
    # DuckDB takes these signs in a name for a pattern.
    pattern = re.sub(r"([*?\[])", r"[\1]", str(real))
    connection.execute("SET allowed_paths = ?", [[str(real), pattern]])
    connection.execute("SET enable_external_access = false")
    values: list[str | int]
    if start.startswith(b"PAR1"):
        query, values = _PARQUET, [pattern]
        head = connection.execute(f"DESCRIBE {query}", values).fetchall()
        columns = [_Column(row[0], _quoted(row[0]), row[1]) for row in head]
    else:
        delimiter, lines, names = _csv_head(start, name)
        columns = [_Column(given, f"c{n}", "VARCHAR") for n, given in enumerate(names)]
        fields = ", ".join(f"{column.quoted}: 'VARCHAR'" for column in columns)
        query, values = _CSV.format(columns=fields), [pattern, delimiter, lines]
    if len(columns) > MAX_COLUMNS:
        raise UsageError(
            f"The table {name} has {len(columns)} columns; the limit is {MAX_COLUMNS}."
        )
    connection.execute(f"CREATE TEMP TABLE given AS {query} LIMIT {MAX_ROWS + 1}", values)
    rows = connection.execute("SELECT count(*) FROM given").fetchall()[0][0]
    if rows > MAX_ROWS:
        raise UsageError(f"The table {name} has more than {MAX_ROWS:,} rows, which is the limit.")
    return columns


def _csv_head(start: bytes, name: str) -> tuple[str, int, list[str]]:
    """Return a CSV file's delimiter, the lines to its head's end, and the columns' names."""
    text = start.decode("utf-8-sig", "replace")
    found: list[tuple[str, int, list[str]]] = []
    seen: list[str] = []
    for delimiter in ",;\t|":
        rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
        try:
            for row in islice(rows, _HEAD_ROWS):
                seen = seen or row
                if any(cell.strip().lower() in _KEYS for cell in row):
                    found.append((delimiter, rows.line_num, row))
                    break
        except csv.Error:
            continue
    if not found:
        raise UsageError(_without_key(name, seen))
    return max(found, key=lambda head: len(head[2]))


def _read(
    connection: duckdb.DuckDBPyConnection,
    columns: list[_Column],
    name: str,
    taken: Collection[str],
) -> OwnTable:
    key = _key(columns, name)
    named, unnamed = _named([column for column in columns if column is not key], name, taken)
    chosen, left_out = _selected(connection, named)
    symbols, fetched = _fetched(connection, key, chosen)
    numbers: dict[str, dict[str, float]] = {}
    texts: dict[str, dict[str, str]] = {}
    for metric, values in fetched.items():
        # Of two rows for a symbol the later one counts, also where it says nothing.
        held = dict(zip(symbols, values.tolist(), strict=True))
        held.pop("", None)
        if values.dtype == np.float64:
            numbers[metric] = {s: value for s, value in held.items() if math.isfinite(value)}
        else:
            texts[metric] = {s: printable(word) for s, word in held.items() if word}
    return OwnTable(numbers, texts, (*unnamed, *left_out, *_doubtful(symbols)))


def _key(columns: list[_Column], name: str) -> _Column:
    for wanted in _KEYS:
        for column in columns:
            if column.given.strip().lower() == wanted:
                return column
    raise UsageError(_without_key(name, [column.given for column in columns]))


def _without_key(name: str, columns: list[str]) -> str:
    shown = ", ".join(printable(column) for column in columns[:20]) or "nothing"
    return f"The table {name} has no column called symbol or ticker. It begins with: {shown[:200]}."


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _named(
    columns: list[_Column], name: str, taken: Collection[str]
) -> tuple[dict[str, _Column], list[str]]:
    """Return the columns by metric name, and what is wrong with those that can have none."""
    named: dict[str, _Column] = {}
    problems = []
    for column in columns:
        given, metric = printable(column.given), column.metric
        if not metric:
            problems.append(f"The column {given!r} is left out: its name has no letters.")
        elif metric in taken:
            raise UsageError(
                f"The table {name}: {metric} (column {given!r}) is a metric already. Rename the "
                "column."
            )
        elif metric in named:
            raise UsageError(
                f"The table {name}: the columns {printable(named[metric].given)!r} and {given!r} "
                f"would both be {metric}. Rename one."
            )
        else:
            named[metric] = column
    return named, problems


def _selected(
    connection: duckdb.DuckDBPyConnection, named: Mapping[str, _Column]
) -> tuple[dict[str, str], list[str]]:
    """Return the SQL of each column's values (DOUBLE or VARCHAR), and why others are left out."""
    chosen: dict[str, str] = {}
    problems = []
    for metric, column in named.items():
        value = _number(connection, column)
        if value:
            chosen[metric] = f"coalesce({value}, 'nan'::DOUBLE)"
            continue
        if _TEXT.fullmatch(column.kind) and not _is_time(connection, column):
            chosen[metric] = f"coalesce({column.quoted}::VARCHAR, '')"
            continue
        times = _TEXT.fullmatch(column.kind) or _TIME.match(column.kind)
        problems.append(
            f"The column {printable(column.given)!r} is left out: "
            f"{'dates and times' if times else 'its values'} cannot be compared here."
        )
    return chosen, problems


def _number(connection: duckdb.DuckDBPyConnection, column: _Column) -> str:
    """Return the SQL of a column of numbers or of yes and no; empty for any other."""
    if column.kind == "BOOLEAN" or _NUMBER.fullmatch(column.kind):
        return f"{column.quoted}::DOUBLE"
    if not _TEXT.fullmatch(column.kind):
        return ""
    said = _said(column)
    number = f"TRY_CAST({said} AS DOUBLE)"
    word = f"CASE WHEN lower({said}) IN {_WORDS} THEN lower({said}) IN ('true', 'yes') END"
    for value in (number, f"({word})::DOUBLE"):
        if _holds(connection, column, value):
            return value
    return ""


def _is_time(connection: duckdb.DuckDBPyConnection, column: _Column) -> bool:
    return _holds(connection, column, f"TRY_CAST({_said(column)} AS TIMESTAMP)")


def _said(column: _Column) -> str:
    trimmed = f"trim({column.quoted}::VARCHAR)"
    return f"CASE WHEN lower({trimmed}) NOT IN {_MISSING} THEN {trimmed} END"


def _holds(connection: duckdb.DuckDBPyConnection, column: _Column, value: str) -> bool:
    """Return whether a column says anything, and all of it can be taken as `value`."""
    query = f"SELECT count({_said(column)}), count({value}) FROM given"  # noqa: S608
    said, taken = connection.execute(query).fetchall()[0]
    return bool(said == taken > 0)


def _fetched(
    connection: duckdb.DuckDBPyConnection, key: _Column, chosen: Mapping[str, str]
) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """Return the symbols, row by row and empty where a row has none, and each metric's values."""
    fields = [f"coalesce(trim({key.quoted}::VARCHAR), '') AS c0"]
    fields += [f"{value} AS c{place}" for place, value in enumerate(chosen.values(), start=1)]
    cursor = connection.execute(f"SELECT {', '.join(fields)} FROM given")  # noqa: S608
    symbols, *arrays = fetch_arrays(cursor).values()
    by_metric = dict(zip(chosen, arrays, strict=True))
    return [printable(symbol).upper() for symbol in symbols.tolist()], by_metric


def _doubtful(symbols: list[str]) -> list[str]:
    """Return what is wrong with the rows' symbols, in sentences."""
    problems = []
    counts = Counter(symbols)
    nameless = counts.pop("", 0)
    if nameless:
        problems.append(f"{nameless:,} rows have no symbol and are left out.")
    twice = [symbol for symbol, count in counts.items() if count > 1]
    if twice:
        shown = ", ".join(twice[:5]) + (", …" if len(twice) > 5 else "")
        problems.append(f"{len(twice):,} symbols have several rows; the last counts: {shown}.")
    return problems
