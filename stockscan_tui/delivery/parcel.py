"""What one outside channel delivers: an alert, or the line that stands for many of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from stockscan_tui.market.fired import Fired
from stockscan_tui.market.text import printable
from stockscan_tui.scan.rules import Rule
from stockscan_tui.scan.rules.message import filled, told

SIMULATED = "SIMULATED"


@dataclass(frozen=True, slots=True)
class Parcel:
    """An alert on its way out.

    Attributes:
        rule: Whose it is.
        fired: The alert; of a storm, its first one.
        line: What is told in place of the rule's message; empty for that message.
        count: How many alerts it stands for.
        simulated: Whether the market is a simulated one, which the message then says.
    """

    rule: Rule
    fired: Fired
    line: str = ""
    count: int = 1
    simulated: bool = False

    @property
    def said(self) -> str:
        """Return the line or the rule's message, harmless."""
        return printable(self.line) if self.line else told(self.rule, self.fired)

    @property
    def message(self) -> str:
        """Return what is told, harmless, with the word for a simulated market."""
        return f"{SIMULATED} {self.said}" if self.simulated else self.said

    @property
    def price(self) -> str:
        """Return the price as a plain decimal, empty where there is none."""
        if not math.isfinite(self.fired.price):
            return ""
        return f"{self.fired.price:.9f}".rstrip("0").rstrip(".")

    def fill(self, template: str, escape: Callable[[str], str] = str) -> str:
        """Return a command's or webhook's template with its values, `{message}` among them.

        Args:
            template: The text with values in braces (`scan.rules.message`).
            escape: Makes a value, harmless for a terminal already, fit for where it stands.
        """
        rule = replace(self.rule, message=self.message.replace("{", "{{"))
        return filled(template, rule, self.fired, escaped=lambda value: escape(printable(value)))
