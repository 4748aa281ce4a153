"""Draws a screen as a terminal's window, sharp at the size that is asked for."""

from __future__ import annotations

import subprocess
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .lines import drawn
from .screen import Cell, Screen

FAMILIES = "JetBrains Mono,DejaVu Sans Mono"
SPARE_FAMILY = "DejaVu Sans Mono"
LINE_SHARE = 1.22
DOTS = ("#ff5f57", "#febc2e", "#28c840")
_NOWHERE = "\U0010fffe"


@cache
def font_of(families: str, size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """Return the first of the families that fontconfig has, `size` in pixels."""
    wanted = f"{families}:style={'Bold' if bold else 'Regular'}"
    command = ["fc-match", "-f", "%{file}", wanted]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return ImageFont.truetype(Path(found), size)


@cache
def _written(sign: str, size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """Return the font that has the sign."""
    font = font_of(FAMILIES, size, bold)
    missing = bytes(font.getmask(sign)) == bytes(font.getmask(_NOWHERE))
    return font_of(SPARE_FAMILY, size, bold) if missing else font


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws cells of one size; `size` is the font's, in pixels."""

    size: int

    @property
    def cell(self) -> tuple[int, int]:
        """Width and height of a cell in pixels."""
        width = round(font_of(FAMILIES, self.size, bold=False).getlength("0"))
        return width, round(self.size * LINE_SHARE)

    def draw(self, screen: Screen, ground: Image.Image, at: tuple[int, int] = (0, 0)) -> None:
        """Draw all cells, the first of them at a place of the image."""
        width, height = self.cell
        for y, line in enumerate(screen.lines):
            for x, cell in enumerate(line):
                ground.paste(_image(cell, self.size, self.cell),
                             (at[0] + x * width, at[1] + y * height))  # fmt: skip


@cache
def _image(cell: Cell, size: int, room: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", room, cell.ground)
    mask = drawn(cell.sign, *room)
    pen = ImageDraw.Draw(image)
    if mask is not None:
        image.paste(cell.colour, mask=mask)
    elif cell.sign.strip():
        font = _written(cell.sign, size, cell.bold)
        rise, fall = font_of(FAMILIES, size, bold=False).getmetrics()
        base = (room[1] - rise - fall) / 2 + rise
        pen.text((room[0] / 2, base), cell.sign, cell.colour, font, anchor="ms")
    if cell.underlined:
        y = room[1] - max(2, size // 8)
        pen.rectangle((0, y, room[0], y + max(1, size // 15) - 1), fill=cell.colour)
    return image


@dataclass(frozen=True, slots=True)
class Window:
    """The frame around a screen: three dots, and a line of words.

    Attributes:
        pen: What the cells are drawn with.
    """

    pen: Pen

    def draw(self, screen: Screen, title: str) -> Image.Image:
        """Return the screen in its frame."""
        width, height = self.pen.cell
        body = Counter(cell.ground for line in screen.lines for cell in line).most_common(1)[0][0]
        light = sum(_channels(body)) > 384
        bar, margin = height * 8 // 5, width
        size = (
            screen.columns * width + 2 * margin,
            len(screen.lines) * height + bar + margin,
        )
        image = Image.new("RGB", size, _mixed(body, "#000000" if light else "#ffffff", 0.07))
        self._title(image, bar, title, "#30363f" if light else "#e6e9ee")
        self.pen.draw(screen, image, (margin, bar))
        return image

    def _title(self, image: Image.Image, bar: int, title: str, colour: str) -> None:
        pen, width = ImageDraw.Draw(image), self.pen.cell[0]
        radius = width * 0.6
        for number, dot in enumerate(DOTS):
            x, y = width * (2 + 2.2 * number), bar / 2
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=dot)
        font = font_of(FAMILIES, self.pen.size, bold=True)
        pen.text((image.width / 2, bar / 2), title, colour, font, anchor="mm")


def rounded(image: Image.Image, radius: int) -> Image.Image:
    """Return the image with a palette, see-through beyond rounded corners."""
    corners = Image.new("L", image.size, 255)
    ImageDraw.Draw(corners).rounded_rectangle(
        (0, 0, image.width - 1, image.height - 1), radius, fill=0
    )
    few = image.quantize(255, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.paste(255, mask=corners.point(lambda value: value > 127 and 255))
    few.info["transparency"] = 255
    return few


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[begin:end], 16) for begin, end in pairwise((1, 3, 5, 7)))


def _mixed(colour: str, other: str, share: float) -> tuple[int, int, int]:
    red, green, blue = (
        round(one * (1 - share) + two * share)
        for one, two in zip(_channels(colour), _channels(other), strict=True)
    )
    return red, green, blue
