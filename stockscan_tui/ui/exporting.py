"""Writes what is shown to a file: a table, or a picture of the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from stockscan_tui.errors import StockscanError
from stockscan_tui.market.text import printable

Table = Mapping[str, Sequence[str] | NDArray[Any]]


async def write_view(path: Path, picture: str, table: Callable[[], Table]) -> str:
    """Write in a thread; returns a sentence on what has been written, or why it was not.

    Args:
        path: As `store.export.write_table` takes it; for a picture any file.
        picture: The picture; empty where a table is to be written.
        table: Makes the table, in that thread.
    """
    from stockscan_tui.scan.watchlists import replace_text  # noqa: PLC0415
    from stockscan_tui.store.table_file import write_table  # noqa: PLC0415 - DuckDB comes with it

    def work() -> int:
        if picture:
            replace_text(path, picture)
            return 0
        return write_table(path, table())

    try:
        count = await asyncio.to_thread(work)
    except (StockscanError, OSError) as error:
        return f"{printable(path.name)} was not written: {error}"
    what = "a picture" if picture else f"{count:,} rows"
    return f"{what} written to {printable(path)}"
