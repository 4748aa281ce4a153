"""A screen read back from the SVG that Textual writes of it: cells, colours and plain text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len

CELL_WIDTH, LINE_HEIGHT, FIRST_LINE_Y = 12.2, 24.4, 1.5
_FRAME = re.compile(r'-clip-terminal">\s*<rect x="0" y="0" width="([\d.]+)" height="([\d.]+)"')
_LOOK = re.compile(r"-(r\d+) \{ ([^}]*) \}")
_GROUND = re.compile(
    r'<rect fill="(#\w{6})" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" [^>]*shape-rendering'
)
_TEXT = re.compile(
    r'<text class="[^"]*-(r\d+)" x="([\d.]+)"[^>]*-line-(\d+)\)">([^<]*)</text>', re.DOTALL
)
_WINDOW = re.compile(r'<rect fill="(#\w{6})" stroke=')


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its sign, colours as `#rrggbb`, and how it is written."""

    sign: str = " "
    colour: str = "#ffffff"
    ground: str = "#000000"
    bold: bool = False
    underlined: bool = False


@dataclass(frozen=True, slots=True)
class Screen:
    """What a terminal shows; every line has `columns` cells."""

    lines: tuple[tuple[Cell, ...], ...]

    @property
    def columns(self) -> int:
        """Cells of a line."""
        return len(self.lines[0])

    @property
    def text(self) -> str:
        """The signs alone, without blanks at the ends of lines."""
        return "\n".join("".join(cell.sign for cell in line).rstrip() for line in self.lines)


def read_screen(svg: str) -> Screen:
    """Return the screen of an SVG by `App.export_screenshot`.

    Raises:
        ValueError: It is no such SVG.
    """
    frame = _FRAME.search(svg)
    if frame is None:
        raise ValueError("this SVG is not of a terminal")
    columns = round(float(frame[1]) / CELL_WIDTH)
    count = round(float(frame[2]) / LINE_HEIGHT)
    window = _WINDOW.search(svg)
    plain = window[1] if window else "#000000"
    grounds = [[plain] * columns for _ in range(count)]
    for colour, x, y, width in _GROUND.findall(svg):
        line = round((float(y) - FIRST_LINE_Y) / LINE_HEIGHT)
        begin, cells = round(float(x) / CELL_WIDTH), round(float(width) / CELL_WIDTH)
        end = min(begin + cells, columns)
        grounds[line][begin:end] = [colour] * (end - begin)
    lines = [[Cell(ground=ground) for ground in line] for line in grounds]
    for line, at, cell in _signs(svg):
        if at < columns:
            lines[line][at] = Cell(
                cell.sign, cell.colour, grounds[line][at], cell.bold, cell.underlined
            )
    return Screen(tuple(map(tuple, lines)))


def _signs(svg: str) -> Iterator[tuple[int, int, Cell]]:
    """Yield line, column and looks of every sign that is written."""
    looks = dict(_LOOK.findall(svg))
    for name, x, line, text in _TEXT.findall(svg):
        look = looks[name]
        colour = re.search(r"fill: (#\w{6})", look)
        at = round(float(x) / CELL_WIDTH)
        for sign in html.unescape(text).replace("\xa0", " "):
            yield (
                int(line),
                at,
                Cell(
                    sign,
                    colour[1] if colour else "#ffffff",
                    bold="bold" in look,
                    underlined="underline" in look,
                ),
            )
            at += cell_len(sign)
