"""Text for terminals and files that hold no more than ASCII: what is drawn stays as wide as it was.

Importing it registers the error handler `PLAIN`, to be named where text is encoded.
"""

from __future__ import annotations

import codecs
import unicodedata

PLAIN = "stockscan.plain"
_LIKE = {
    "-": "─━╌┈╴╶╸╺—–", "|": "│┃║╎┊╵╷╹╻╽╿▌▐▏", "+": "┼┤├┴┬╭╮╰╯┌┐└┘✓", "_": "▁▂▔", ".": "▃▄·▖▗░",
    "=": "▅▆≈", "#": "▇█▓▒", "'": "▘▝▀", "^": "▲▴↑", "v": "▼▾↓", ">": "→▸▷›", "<": "←", "x": "×✗",
    "*": "●★◆", "o": "○", "~": "…", '"': "“”", "/": "÷",
}  # fmt: skip
_PLAIN = {ord(each): plain for plain, drawn in _LIKE.items() for each in drawn}


def plain_text(text: str) -> str:
    """Return text in ASCII, as many cells wide as before."""
    return "".join(each if each.isascii() else _other(each) for each in text.translate(_PLAIN))


def _other(char: str) -> str:
    if unicodedata.combining(char):
        return ""
    return "??" if unicodedata.east_asian_width(char) in ("W", "F") else "?"


def _encode_plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain_text(error.object[error.start : error.end]), error.end


codecs.register_error(PLAIN, _encode_plain)
