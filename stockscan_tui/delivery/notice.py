"""What the screen is told of alerts: harmless text, ready to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stockscan_tui.scan.rules import Priority

Kind = Literal["toast", "bell", "desktop", "storm", "digest", "trouble"]

TOAST_S = 5.0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to show, ring or write to the terminal now.

    Attributes:
        id: What it is called; one whose id stands on the screen already takes its place.
        kind: `toast`, `storm`, `digest` and `trouble` are shown as toasts; `bell` rings; `desktop`
            is written as the terminal's own escape sequence (`desktop_sequence`).
        title: The rule's name, or what else it is about.
        text: What is told.
        priority: How much it matters.
        rule: The rule's name, empty for none.
        symbol: Whose alert it is, empty for none or several.
        count: How many alerts it stands for.
        seconds: How long it stands from now on.
    """

    id: str
    kind: Kind
    title: str = ""
    text: str = ""
    priority: Priority = Priority.NORMAL
    rule: str = ""
    symbol: str = ""
    count: int = 1
    seconds: float = TOAST_S
