"""What the board shows, written to a CSV or Parquet file for other programs.

This writes a file and takes its time: not for the screen's thread.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
from duckdb import ColumnExpression, ConstantExpression, Expression, FunctionExpression
from numpy.typing import NDArray

from stockscan_tui.errors import StoreError
from stockscan_tui.market.text import printable
from stockscan_tui.store.database import one_line

ENDINGS = (".csv", ".parquet")
_OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": "256MB",
    "threads": "1",
}


def write_table(path: Path, columns: Mapping[str, Sequence[str] | NDArray[Any]]) -> int:
    """Write columns as CSV with a head, or as Parquet, by the path's ending; returns the rows.

    The file is either as before or whole; one that is there is replaced, and a link is followed.
    NaN becomes NULL, in CSV an empty cell. Words stay as they are: a spreadsheet may take one that
    begins with = + - or @, such as a word of a user's own table, for a formula. Of heads that
    differ in capitals alone, later ones take a number.

    Args:
        path: A file in a folder that exists, ending in .csv or .parquet.
        columns: By head, words or numbers; all of one length.

    Raises:
        StoreError: The ending is another one, the columns differ in length, or the file cannot be
            written.
    """
    name = printable(path)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise StoreError(f"{name} is no table: its name has to end in {' or '.join(ENDINGS)}.")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise StoreError(f"{name} was not written: the table has no columns of one length.")
    try:
        _replace(Path(os.path.realpath(path)), columns, ending)
    except OSError as error:
        raise StoreError(f"{name} cannot be written: {error.strerror}.") from error
    except (ValueError, duckdb.Error) as error:
        raise StoreError(f"{name} cannot be written: {one_line(error)}.") from error
    return lengths.pop()


def _replace(path: Path, columns: Mapping[str, Sequence[str] | NDArray[Any]], ending: str) -> None:
    with TemporaryDirectory(dir=path.parent, prefix=".stockscan-") as beside:
        fresh = Path(beside) / f"table{ending}"
        _write(fresh, columns)
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        if path.exists():
            fresh.chmod(path.stat().st_mode & 0o777)
        fresh.replace(path)


def _write(path: Path, columns: Mapping[str, Sequence[str] | NDArray[Any]]) -> None:
    with duckdb.connect(config=_OPTIONS) as connection:
        arrays = {f"c{n}": _array(values) for n, values in enumerate(columns.values())}
        connection.register("shown", arrays)
        values = [
            _value(place, array).alias(head)
            for head, (place, array) in zip(columns, arrays.items(), strict=True)
        ]
        table = connection.view("shown").select(*values)
        if path.suffix == ".csv":
            table.write_csv(str(path))
        else:
            table.write_parquet(str(path))


def _array(values: Sequence[str] | NDArray[Any]) -> NDArray[Any]:
    """Return words as objects: as NumPy's own texts they would become an enum."""
    if isinstance(values, np.ndarray) and values.dtype.kind != "U":
        return values
    return np.array(values, object)


def _value(place: str, array: NDArray[Any]) -> Expression:
    column = ColumnExpression(place)
    if array.dtype.kind == "f":
        return FunctionExpression("nullif", column, ConstantExpression(float("nan")))
    return column.cast("VARCHAR") if array.dtype.kind == "O" else column
