"""What the board shows, written to a CSV or Parquet file for other programs.

This writes a file and takes its time: not for the screen's thread.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
from duckdb import ColumnExpression, ConstantExpression, Expression, FunctionExpression
from numpy.typing import NDArray

from stockscan_tui.errors import StoreError
from stockscan_tui.market.text import printable
from stockscan_tui.store.database import one_line, quiet

# With which a spreadsheet begins a formula.
_FORMULA = frozenset("=+-@")
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
    NaN becomes NULL, in CSV an empty cell. In CSV a word that a spreadsheet would take for a
    formula (it begins with = + - or @ and is longer than that) gets a ' before it, and controls
    become �; Parquet has words as they are. Of heads that differ in capitals alone, later ones
    take a number.

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
    with replacing(path, ending) as fresh:
        _write(fresh, columns)


@contextmanager
def replacing(path: Path, ending: str, *, force: bool = True) -> Iterator[Path]:
    """Give a file to write beside `path`, in a folder of its own, which takes its place at the end.

    Where it is left by an exception, nothing of it stays.

    Raises:
        FileExistsError: There is such a file, and `force` was not given.
        OSError: The file cannot be put there.
    """

    def refuse() -> None:
        if not force and path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))

    refuse()
    with TemporaryDirectory(dir=path.parent, prefix=".stockscan-") as beside:
        fresh = Path(beside) / f"table{ending}"
        yield fresh
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        refuse()
        if path.exists():
            fresh.chmod(path.stat().st_mode & 0o777)
        fresh.replace(path)


def _write(path: Path, columns: Mapping[str, Sequence[str] | NDArray[Any]]) -> None:
    with quiet(duckdb.connect(config=_OPTIONS)) as connection:
        arrays = {f"c{n}": _array(values) for n, values in enumerate(columns.values())}
        if path.suffix == ".csv":
            arrays = {place: _cells(array) for place, array in arrays.items()}
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


def _cells(array: NDArray[Any]) -> NDArray[Any]:
    """Return words as cells of a CSV that no spreadsheet takes for formulas."""
    if array.dtype.kind != "O":
        return array
    return np.array([_cell(word) if isinstance(word, str) else word for word in array], object)


def _cell(word: str) -> str:
    said = printable(word)
    return f"'{said}" if len(said) > 1 and said[0] in _FORMULA else said


def _value(place: str, array: NDArray[Any]) -> Expression:
    column = ColumnExpression(place)
    if array.dtype.kind == "f":
        return FunctionExpression("nullif", column, ConstantExpression(float("nan")))
    return column.cast("VARCHAR") if array.dtype.kind == "O" else column
