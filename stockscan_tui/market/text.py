"""Text from outside, made harmless for a terminal."""

from __future__ import annotations

import unicodedata

# Controls, format characters (bidi overrides, zero-width), surrogates, private use, separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Marks that stand upon the character before them: no script needs many on one.
_MARKS = frozenset({"Mn", "Me"})
_MOST_MARKS = 2


def printable(said: object) -> str:
    """Return the text of `said` with every character that could act on a terminal replaced by �.

    So is a mark beyond the second one upon a character, with which lines are painted over.
    """
    text = str(said)
    if text.isascii() and text.isprintable():
        return text
    kept, marks = [], 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in _MARKS else 0
        kept.append("�" if category in _UNSAFE or marks > _MOST_MARKS else char)
    return "".join(kept)
