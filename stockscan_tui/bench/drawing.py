"""A frame of the board, beside Textual's own table with the same rows and columns."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from stockscan_tui.bench.figure import Figure, beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from stockscan_tui.bench.material import Material
    from stockscan_tui.market.snapshot import Snapshot

SIZE = (140, 40)
_FRAMES = 10


def frame(material: Material) -> Figure:
    """Measure drawing every line in view anew, from two pictures in turn."""
    from stockscan_tui.bench.ranking import photographer, walked  # noqa: PLC0415

    first = photographer(material, walked(material))()
    second = replace(first, serial=first.serial + 1, mark=first.mark * 1.003, cache={})
    turns = _FRAMES * material.scale.times
    ours_ms, lines, widths = asyncio.run(_board([first, second], turns))

    def measure() -> tuple[float, bool]:
        expected = [_signs(line) for line in lines[turns % 2]]
        peer_ms, shown = asyncio.run(_table(lines, widths, turns))
        return peer_ms, [_signs(line) for line in shown] == expected

    title = f"a frame of the board at {SIZE[0]}×{SIZE[1]}"
    peer = beside("Textual DataTable, its cells' texts ready-made", measure)
    return Figure("frame", title, "ms", ours_ms, (peer,))


async def _board(pictures: list[Snapshot], turns: int) -> tuple[float, list[list[str]], list[int]]:
    """Return the milliseconds of a frame, the lines of the last two, and the columns' widths."""
    from textual.app import App, ComposeResult  # noqa: PLC0415

    import stockscan_tui.ui  # noqa: PLC0415
    from stockscan_tui.market.metrics import MetricKey  # noqa: PLC0415
    from stockscan_tui.ui.ranking import Ranking  # noqa: PLC0415
    from stockscan_tui.ui.theme import DARK  # noqa: PLC0415
    from stockscan_tui.ui.widgets.leaderboard import Leaderboard  # noqa: PLC0415

    folder = Path(str(stockscan_tui.ui.__file__)).parent
    ranking = Ranking(MetricKey("chg"))
    ranking.update(pictures[0], 0.0, force=True)

    class Board(App[None]):
        CSS_PATH = folder / "screens" / "board.tcss"

        def __init__(self) -> None:
            super().__init__()
            self.register_theme(DARK)
            self.theme = DARK.name

        def compose(self) -> ComposeResult:
            yield Leaderboard(ranking)

    app = Board()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        board = app.query_one(Leaderboard)
        lines: list[list[str]] = []

        def draw(turn: int) -> None:
            board.show(pictures[turn % 2], float(turn))
            board.redraw()
            drawn = [board.render_line(y) for y in range(board.size.height)]
            lines[:] = [*lines[-1:], [strip.text for strip in drawn]]

        took_ms = _frames_ms(draw, turns)
        return took_ms, lines, _widths(board.size.width)


async def _table(lines: list[list[str]], widths: list[int], turns: int) -> tuple[float, list[str]]:
    """Return the milliseconds of a frame of a DataTable with those cells, and its last lines."""
    from textual.app import App, ComposeResult  # noqa: PLC0415
    from textual.widgets import DataTable  # noqa: PLC0415

    frames = [[_cells(line, widths) for line in frame] for frame in lines]

    class Table(App[None]):
        def compose(self) -> ComposeResult:
            yield DataTable(cell_padding=0)

    app = Table()
    async with app.run_test(size=SIZE) as pilot:
        table: Any = app.query_one(DataTable)
        for head, width, key in zip(frames[0][0], widths, map(str, range(99)), strict=False):
            table.add_column(head, key=key, width=width)
        columns = [str(n) for n in range(len(widths))]
        rows = [table.add_row(*cells, key=str(n)) for n, cells in enumerate(frames[0][1:])]
        await pilot.pause()
        shown: list[str] = []

        def draw(turn: int) -> None:
            for row, cells in zip(rows, frames[turn % 2][1:], strict=True):
                for column, cell in zip(columns, cells, strict=True):
                    table.update_cell(row, column, cell)
            shown[:] = [table.render_line(y).text for y in range(table.size.height)]

        return _frames_ms(draw, turns), shown


def _frames_ms(draw: Callable[[int], None], turns: int) -> float:
    """Return the median milliseconds of a frame."""
    draw(0)
    took = []
    for turn in range(1, turns + 1):
        began = perf_counter()
        draw(turn)
        took.append(perf_counter() - began)
    return median(took) * 1e3


def _widths(width: int) -> list[int]:
    """Return the widths of the board's columns, its rank and symbol before, its lines after."""
    from stockscan_tui.ui import columns  # noqa: PLC0415

    layout = columns.layout_for(width)
    found = [columns.RANK_WIDTH, columns.SYMBOL_WIDTH + columns.MARKS_WIDTH]
    found += [column.width for column in layout.columns]
    return [*found, width - sum(found)]


def _cells(line: str, widths: list[int]) -> list[str]:
    cells, at = [], 0
    for width in widths:
        cells.append(line[at : at + width])
        at += width
    return cells


def _signs(line: str) -> str:
    return "".join(line.split())
