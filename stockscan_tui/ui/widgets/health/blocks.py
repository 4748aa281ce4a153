"""Figures in blocks, blocks in columns: where each stands, and what its line looks like."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from stockscan_tui.ui.widgets.health.drawn import Pieces

GAP_CELLS = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A figure, or a row of several, that the cursor can stand on.

    Attributes:
        key: What it is known by from one picture to the next.
        pieces: What it looks like.
        title: Its name in the line that explains it.
        doc: What it means, and by which limits it turns.
    """

    key: Hashable
    pieces: Pieces
    title: str
    doc: str


@dataclass(frozen=True, slots=True)
class Block:
    """A title, lines that say nothing by themselves, and entries.

    `wide` ones have a line each; the others stand below them in so many `columns`.
    """

    title: str
    entries: tuple[Entry, ...] = ()
    picture: tuple[Pieces, ...] = ()
    wide: tuple[Entry, ...] = ()
    columns: int = 2


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry at its place in the grid."""

    entry: Entry
    x: int
    y: int
    width: int


@dataclass(frozen=True, slots=True)
class Line:
    """A piece of a line of the grid that is no entry."""

    pieces: Pieces
    x: int
    y: int
    width: int


@dataclass(frozen=True, slots=True)
class Grid:
    """All entries and lines; entries in the order in which the cursor goes through them."""

    placed: tuple[Placed, ...] = ()
    lines: tuple[Line, ...] = ()
    height: int = 0


def laid_out(columns: Sequence[Sequence[Block]], width: int) -> Grid:
    """Return where the blocks of some columns stand, the columns side by side and equally wide."""
    count = max(len(columns), 1)
    each = (width - GAP_CELLS * (count - 1)) // count
    placed: list[Placed] = []
    lines: list[Line] = []
    height = 0
    for at, blocks in enumerate(columns):
        x, y = at * (each + GAP_CELLS), 0
        for block in blocks:
            y = _place(block, x, y, each, placed, lines) + 1
        height = max(height, y - 1)
    return Grid(tuple(placed), tuple(lines), height)


def _place(
    block: Block, x: int, y: int, width: int, placed: list[Placed], lines: list[Line]
) -> int:
    """Add a block's parts at a place; returns the line after it."""
    rule = "─" * max(width - cell_len(block.title) - 1, 0)
    lines.append(Line(((f"{block.title} ", "title"), (rule, "dim")), x, y, width))
    y += 1
    for pieces in block.picture:
        lines.append(Line(pieces, x, y, width))
        y += 1
    for entry in block.wide:
        placed.append(Placed(entry, x, y, width))
        y += 1
    rows = -(-len(block.entries) // block.columns)
    each = width // block.columns
    for at, entry in enumerate(block.entries):
        column, row = divmod(at, rows)
        placed.append(Placed(entry, x + column * each, y + row, each - (block.columns > 1)))
    return y + rows
