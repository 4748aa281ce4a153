"""Where the panels of the symbol's screen stand in the room that there is; no Textual widgets."""

from __future__ import annotations

from collections.abc import Mapping

from textual.geometry import Region

# In the order in which Tab goes through them.
PANELS = ("chart", "figures", "strip", "prints", "table", "alerts")
MEDIUM_FROM = (112, 26)
WIDE_FROM = (170, 44)


def arranged(width: int, height: int, chosen: str) -> Mapping[str, Region]:
    """Return the place of each panel that is shown.

    Where there is no room for panels side by side, the chosen one has all of it; the chart then
    keeps the minute strip below it.

    Args:
        width: Cells between the lines above and below.
        height: Rows.
        chosen: The panel that has the focus.
    """
    if width >= WIDE_FROM[0] and height >= WIDE_FROM[1]:
        return _wide(width, height)
    if width >= MEDIUM_FROM[0] and height >= MEDIUM_FROM[1]:
        return _medium(width, height)
    return _small(width, height, chosen)


def side_by_side(width: int, height: int) -> bool:
    """Whether there is room for panels side by side."""
    return width >= MEDIUM_FROM[0] and height >= MEDIUM_FROM[1]


def _small(width: int, height: int, chosen: str) -> Mapping[str, Region]:
    if chosen != "chart":
        return {chosen: Region(0, 0, width, height)}
    strip = 2 if height >= 12 else 0
    shown = {"chart": Region(0, 0, width, height - strip)}
    return shown | ({"strip": Region(0, height - strip, width, strip)} if strip else {})


def _medium(width: int, height: int) -> Mapping[str, Region]:
    """Figures and alerts at the right; at the left chart, strip, bars and trades."""
    right, below, strip = 34, max(8, height // 3), 6
    left = width - right
    alerts = max(4, height - 27)
    chart = height - below - strip
    trades = 32
    return {
        "chart": Region(0, 0, left, chart),
        "strip": Region(0, chart, left, strip),
        "table": Region(0, chart + strip, left - trades, below),
        "prints": Region(left - trades, chart + strip, trades, below),
        "figures": Region(left, 0, right, height - alerts),
        "alerts": Region(left, height - alerts, right, alerts),
    }


def _wide(width: int, height: int) -> Mapping[str, Region]:
    """Figures and trades at the right; at the left chart, strip, bars and alerts."""
    right, below, strip = 42, max(10, height // 4), 6
    left = width - right
    figures = 27
    chart = height - below - strip
    alerts = max(48, left - 100)
    return {
        "chart": Region(0, 0, left, chart),
        "strip": Region(0, chart, left, strip),
        "table": Region(0, chart + strip, left - alerts, below),
        "alerts": Region(left - alerts, chart + strip, alerts, below),
        "figures": Region(left, 0, right, figures),
        "prints": Region(left, figures, right, height - figures),
    }
