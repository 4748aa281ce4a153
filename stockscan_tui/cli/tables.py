"""Rows as text for a terminal, or as a table of CSV or Parquet; to a file or standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.cli.parser import FORMATS
from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import new_york_time
from stockscan_tui.market.text import printable

NONE = "—"
Cell = str | int | float | None


def format_of(given: str | None, output: Path | None) -> str:
    """Return the format asked for, else the one that the output's name ends in, else `table`.

    Raises:
        UsageError: Parquet is to go to a terminal.
    """
    ending = output.suffix.lower().lstrip(".") if output is not None else ""
    chosen = given or (ending if ending in FORMATS else "table")
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        raise UsageError("Parquet is no text for a terminal. Name a file by --output.")
    return chosen


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines under their heads: the first column to the left, numbers to the right.

    Text from outside has to be printable already.
    """
    table = [list(heads), *map(list, rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    lines = []
    for row in table:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines)


def counted(value: int | None) -> str:
    """Return a count with its thousands apart."""
    return NONE if value is None else f"{value:,}"


def clock(ns: int | None) -> str:
    """Return an instant (ns since 1970) as New York's time of day."""
    return NONE if not ns else f"{new_york_time(ns):%H:%M}"


def write_text(text: str, output: Path | None) -> None:
    """Write text to a file, or to standard output.

    Raises:
        UsageError: The file cannot be written.
    """
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{printable(output)} cannot be written: {error.strerror}.") from error


def write_json(said: object, output: Path | None) -> None:
    """Write what is said as one JSON object."""
    write_text(json.dumps(said, indent=1, allow_nan=False) + "\n", output)


def write_columns(
    columns: Mapping[str, Sequence[str] | NDArray[np.generic]], kind: str, output: Path | None
) -> None:
    """Write columns as `csv` or `parquet`.

    Raises:
        StockscanError: They cannot be written.
    """
    from stockscan_tui.store.table_file import write_table  # noqa: PLC0415

    with TemporaryDirectory(prefix="stockscan-") as folder:
        made = Path(folder) / f"table.{kind}"
        write_table(made, columns)
        content = made.read_bytes()
    if output is None and sys.stdout.isatty():
        lines = content.decode("utf-8").splitlines()
        sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
        return
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{printable(output)} cannot be written: {error.strerror}.") from error


def column(values: Sequence[Cell]) -> Sequence[str] | NDArray[np.generic]:
    """Return a column's values: words, counts, or numbers with NaN for None."""
    if any(isinstance(value, str) for value in values):
        return ["" if value is None else str(value) for value in values]
    if values and all(isinstance(value, int) for value in values):
        return np.array(values, np.int64)
    return np.array([np.nan if value is None else value for value in values], np.float64)


def instants(values: Sequence[int | None]) -> NDArray[np.generic]:
    """Return instants (ns since 1970) as timestamps, None as none."""
    ns = [None if not value else np.datetime64(value // 1000, "us") for value in values]
    return np.array(ns, "datetime64[us]")
