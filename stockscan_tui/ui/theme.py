"""The themes: dark, light, and one whose up and down differ for colour-blind eyes too."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="stockscan-dark",
    dark=True,
    primary="#5aa9e6",
    secondary="#8a94a6",
    accent="#e6b450",
    foreground="#d5dae2",
    background="#0d1117",
    surface="#11161e",
    panel="#1a212c",
    success="#3fb97f",
    error="#f0616d",
    warning="#e6b450",
    variables={"faint": "#697384", "row-cursor": "#233044", "rise": "#3fb97f", "fall": "#f0616d"},
)
LIGHT = Theme(
    name="stockscan-light",
    dark=False,
    primary="#1f6fb2",
    secondary="#5c6773",
    accent="#9a6700",
    foreground="#1c2128",
    background="#fbfbfa",
    surface="#f3f3f1",
    panel="#e6e7e5",
    success="#13784a",
    error="#c4314b",
    warning="#9a6700",
    variables={"faint": "#737b85", "row-cursor": "#d5e3f2", "rise": "#13784a", "fall": "#c4314b"},
)
CLEAR = Theme(
    name="stockscan-clear",
    dark=True,
    primary="#56b4e9",
    secondary="#9aa5b1",
    accent="#f0e442",
    foreground="#f2f4f7",
    background="#000000",
    surface="#0b0d10",
    panel="#1b1f26",
    success="#56b4e9",
    error="#e69f00",
    warning="#f0e442",
    variables={"faint": "#8b95a3", "row-cursor": "#2b3a4f", "rise": "#56b4e9", "fall": "#e69f00"},
)
THEMES = (DARK, LIGHT, CLEAR)


def next_theme(name: str) -> str:
    """Return the theme after `name`."""
    names = [theme.name for theme in THEMES]
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]
