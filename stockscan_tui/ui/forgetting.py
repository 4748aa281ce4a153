"""What Textual keeps of widgets that are gone, and how it is let go."""

from __future__ import annotations

from textual import _styles_cache


def forget_drawn() -> None:
    """Let go of the lines that were drawn of screens that were left.

    A cache of colours has each widget's cache of lines among its keys: the last 1,024 of them would
    stay, with all their lines.
    """
    colours = getattr(_styles_cache.StylesCache, "get_inner_outer", None)
    clear = getattr(colours, "cache_clear", None)
    if clear is not None:
        clear()
