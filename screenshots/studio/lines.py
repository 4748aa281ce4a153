"""Signs that are drawn, not written, so that lines and blocks meet from cell to cell."""

from __future__ import annotations

from PIL import Image, ImageDraw

# Each arm from the middle: left, right, up, down; 1 light, 2 heavy.
_ARMS = {
    "─": (1, 1, 0, 0), "━": (2, 2, 0, 0), "│": (0, 0, 1, 1), "┃": (0, 0, 2, 2),
    "┌": (0, 1, 0, 1), "┐": (1, 0, 0, 1), "└": (0, 1, 1, 0), "┘": (1, 0, 1, 0),
    "├": (0, 1, 1, 1), "┤": (1, 0, 1, 1), "┬": (1, 1, 0, 1), "┴": (1, 1, 1, 0),
    "┼": (1, 1, 1, 1), "╴": (1, 0, 0, 0), "╶": (0, 1, 0, 0), "╵": (0, 0, 1, 0),
    "╷": (0, 0, 0, 1), "╹": (0, 0, 2, 0), "╻": (0, 0, 0, 2), "╽": (0, 0, 1, 2),
    "╿": (0, 0, 2, 1),
}  # fmt: skip
_DASHES = {"┈": (4, False), "╌": (2, False), "┊": (4, True), "╎": (2, True)}
# Towards which corner the arc turns: right, down.
_ARCS = {"╭": (True, True), "╮": (False, True), "╰": (True, False), "╯": (False, False)}
_SHADES = {"░": 1, "▒": 2, "▓": 3}
# Left, top, right, bottom, in eighths.
_BLOCKS = {
    **{sign: (0, 8 - n, 8, 8) for n, sign in enumerate("▁▂▃▄▅▆▇█", 1)},
    **{sign: (0, 0, n, 8) for n, sign in zip(range(7, 0, -1), "▉▊▋▌▍▎▏", strict=True)},
    "▀": (0, 0, 8, 4), "▐": (4, 0, 8, 8), "▔": (0, 0, 8, 1), "▕": (7, 0, 8, 8),
    "▖": (0, 4, 4, 8), "▗": (4, 4, 8, 8), "▘": (0, 0, 4, 4), "▝": (4, 0, 8, 4),
}  # fmt: skip


def drawn(sign: str, width: int, height: int) -> Image.Image | None:
    """Return a sign as a mask of that size in pixels; None where it is to be written."""
    mask = Image.new("L", (width, height))
    pen = ImageDraw.Draw(mask)
    if sign in _BLOCKS:
        left, top, right, bottom = _BLOCKS[sign]
        _fill(pen, width * left / 8, height * top / 8, width * right / 8, height * bottom / 8)
    elif sign in _ARMS:
        _arms(pen, _ARMS[sign], width, height)
    elif sign == "║":
        apart = _light(width) + 1
        for x in (width // 2 - apart, width // 2 + apart):
            _fill(pen, x - _light(width) / 2, 0, x + _light(width) / 2, height)
    elif sign in _DASHES:
        _dashes(pen, *_DASHES[sign], width, height)
    elif sign in _ARCS:
        _arc(mask, *_ARCS[sign])
    elif sign in _SHADES:
        _shade(mask, _SHADES[sign])
    else:
        return None
    return mask


def _light(width: int) -> int:
    return max(1, round(width / 9))


def _fill(pen: ImageDraw.ImageDraw, left: float, top: float, right: float, bottom: float) -> None:
    box = (round(left), round(top), max(round(right), round(left) + 1) - 1,
           max(round(bottom), round(top) + 1) - 1)  # fmt: skip
    pen.rectangle(box, fill=255)


def _middle(width: int, height: int, thick: int) -> tuple[int, int]:
    """Return where a line of that thickness begins in the middle of a cell, across and down."""
    return (width - thick) // 2, (height - thick) // 2


def _arms(
    pen: ImageDraw.ImageDraw, arms: tuple[int, int, int, int], width: int, height: int
) -> None:
    light = _light(width)
    thick = [arm and (light if arm == 1 else max(3, light * 5 // 2)) for arm in arms]
    left, right, up, down = thick
    x, y = _middle(width, height, light)
    for size, begin, end in ((left, 0, x + light), (right, x, width)):
        if size:
            top = (height - size) // 2
            _fill(pen, begin, top, end, top + size)
    for size, begin, end in ((up, 0, y + light), (down, y, height)):
        if size:
            side = (width - size) // 2
            _fill(pen, side, begin, side + size, end)


def _dashes(pen: ImageDraw.ImageDraw, count: int, upright: bool, width: int, height: int) -> None:
    light = _light(width)
    x, y = _middle(width, height, light)
    length = height if upright else width
    for number in range(count):
        begin = length * number / count + length / count / 4
        end = begin + length / count / 2
        if upright:
            _fill(pen, x, begin, x + light, end)
        else:
            _fill(pen, begin, y, end, y + light)


def _arc(mask: Image.Image, right: bool, down: bool) -> None:
    """Draw a rounded corner four times as large, and make it small."""
    width, height = mask.width * 4, mask.height * 4
    large = Image.new("L", (width, height))
    pen = ImageDraw.Draw(large)
    thick = _light(mask.width) * 4
    x, y = (4 * at for at in _middle(mask.width, mask.height, thick // 4))
    radius = width - x
    across = (x, x + 2 * radius) if right else (x + thick - 2 * radius, x + thick)
    along = (y, y + 2 * radius) if down else (y + thick - 2 * radius, y + thick)
    start = {(True, True): 180, (False, True): 270, (True, False): 90, (False, False): 0}
    angle = start[right, down]
    pen.arc((across[0], along[0], across[1], along[1]), angle, angle + 90, fill=255, width=thick)
    rest = (y + radius, height) if down else (0, y + thick - radius)
    if rest[0] < rest[1]:
        pen.rectangle((x, rest[0], x + thick - 1, rest[1]), fill=255)
    mask.paste(large.resize(mask.size, Image.Resampling.BOX))


def _shade(mask: Image.Image, quarters: int) -> None:
    """Draw a quarter, half or three quarters of the dots of a grid."""
    dot = max(1, mask.width // 8)
    pixels = mask.load()
    if pixels is None:
        return
    for y in range(mask.height):
        for x in range(mask.width):
            odd = (x // dot + y // dot) % 2
            sparse = (x // dot) % 2 == 0 and (y // dot) % 2 == 0
            on = (sparse, not odd, sparse or bool(odd))[quarters - 1]
            pixels[x, y] = 255 if on else 0
