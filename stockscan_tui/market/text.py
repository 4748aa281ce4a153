"""Text from outside, made harmless for a terminal."""

from __future__ import annotations

import unicodedata

# Controls, format characters (bidi overrides, zero-width), surrogates, private use, separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(said: object) -> str:
    """Return the text of `said` with every character that could act on a terminal replaced by �."""
    text = str(said)
    if text.isascii() and text.isprintable():
        return text
    return "".join("�" if unicodedata.category(c) in _UNSAFE else c for c in text)
