"""The rules in lines: the user's own first, then the library's by name."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.segment import Segment
from rich.style import Style

from stockscan_tui.config.rule_checks import time_text
from stockscan_tui.market.text import printable
from stockscan_tui.scan.rules import Rule
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.widgets.symbol.listing import Listing, Palette

ON, OFF = "●", "○"
_DIGITS = re.compile(r"(\d+)", re.ASCII)
# From which width on, the cells of the name and of the channels.
_ROOM = ((160, 32, 30), (100, 27, 17), (72, 27, 0), (0, 16, 0))
_MARK_CELLS, _NUMBER_CELLS, _GAP_CELLS = 3, 7, 2


@dataclass(frozen=True, slots=True)
class RuleLines:
    """What the lines show.

    Attributes:
        rules: The rules in order.
        matching: For how many symbols each one holds, by name, as far as that was counted.
        fired: How often each one has fired on the session date, by name.
        sought: The text by which they were chosen; empty for all.
    """

    rules: tuple[Rule, ...] = ()
    matching: Mapping[str, int] = field(default_factory=dict)
    fired: Mapping[str, int] = field(default_factory=dict)
    sought: str = ""


def in_order(rules: Sequence[Rule], sought: str = "") -> tuple[Rule, ...]:
    """Return the rules that a text names: the user's own as in the file, then the library's."""
    words = sought.casefold().split()
    found = [rule for rule in rules if all(word in _said(rule) for word in words)]
    own = [rule for rule in found if not rule.shipped]
    return (*own, *sorted((rule for rule in found if rule.shipped), key=_numbered))


def _numbered(rule: Rule) -> tuple[tuple[int, str], ...]:
    """Return what orders rules by name, and `move 5` before `move 10`."""
    parts = _DIGITS.split(rule.name.casefold())
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in parts)


def _said(rule: Rule) -> str:
    state = "on" if rule.enabled else "off"
    return f"{rule.name} {condition_of(rule)} {rule.doc} {state}".casefold()


def condition_of(rule: Rule) -> str:
    """Return what a rule fires on, on one line."""
    if rule.when is not None:
        return " ".join(rule.when.text.split())
    price = "" if rule.price == "mark" else f" by {rule.price}"
    return f"move of {rule.move:g} % either way{price}"


class RuleList(Listing):
    """On or off, name, condition, how many match, how often it fired, cooldown, channels."""

    def __init__(self) -> None:
        super().__init__("", id="rules")
        self._known = RuleLines()

    def show(self, known: RuleLines) -> None:
        """Take what is known of the rules; the cursor stays with its rule."""
        if known != self._known:
            same = known.sought == self._known.sought
            self._known = known
            if same:
                self.renew()
            else:
                self.move_to(0)

    @property
    def selected(self) -> Rule | None:
        """The rule under the cursor."""
        return self._known.rules[self.cursor] if self.count else None

    @property
    def in_view(self) -> tuple[Rule, ...]:
        """The rules whose lines can be seen."""
        return self._known.rules[self._top : self._top + self.page]

    def select(self, name: str) -> None:
        """Put the cursor on a rule, if it is there."""
        place = self.place_of(name)
        if place is not None:
            self.move_to(place)

    @property
    def count(self) -> int:
        return len(self._known.rules)

    @property
    def note(self) -> str:
        if self._known.sought:
            return f"no rule has {self._known.sought} in it"
        return "no rules yet · A makes one"

    @property
    def _cells(self) -> tuple[int, int, int]:
        """The cells of name, condition and channels; no channels where there is no room."""
        width = self.size.width
        name, channels = next((cells, rest) for least, cells, rest in _ROOM if width >= least)
        taken = _MARK_CELLS + name + 3 * _NUMBER_CELLS + (channels + _GAP_CELLS if channels else 0)
        return name, max(width - taken, 1), channels

    def head(self, palette: Palette) -> list[Segment]:
        name, condition, channels = self._cells
        numbers = "".join(word.rjust(_NUMBER_CELLS) for word in ("NOW", "TODAY", "COOL"))
        told_by = f"  {'DELIVER':<{channels}}" if channels else ""
        text = f"   {fmt.fit('RULE', name)}{fmt.fit('CONDITION', condition)}{numbers}{told_by}"
        return [Segment(text, palette.head)]

    def row(self, place: int, base: Style, palette: Palette) -> list[Segment]:
        rule = self._known.rules[place]
        name, condition, channels = self._cells
        quiet = base if rule.enabled else base + palette.dim
        fired = self._known.fired.get(rule.name, 0)
        mark = f" {ON if rule.enabled else OFF} "
        segments = [
            Segment(mark, base + (palette.up if rule.enabled else palette.dim)),
            Segment(fmt.fit(rule.name, name - 1) + " ", quiet + Style(bold=not rule.shipped)),
            Segment(fmt.fit(condition_of(rule), condition), quiet),
            Segment(_counted(self._known.matching.get(rule.name)), quiet),
            Segment(_counted(fired), base + palette.alarm if fired else quiet),
        ]
        segments.append(Segment(cooldown_of(rule).rjust(_NUMBER_CELLS), quiet))
        if channels:
            said = fmt.fit(" ".join(rule.deliver) or "saved only", channels)
            segments.append(Segment(f"  {said}", base + palette.dim))
        return segments

    def cells(self, place: int) -> Sequence[str]:
        rule = self._known.rules[place]
        return (printable(rule.name), printable(condition_of(rule)))

    def key_of(self, place: int) -> Hashable:
        return self._known.rules[place].name

    def place_of(self, key: Hashable) -> int | None:
        names = (rule.name for rule in self._known.rules)
        return next((place for place, name in enumerate(names) if name == key), None)


def _counted(count: int | None) -> str:
    """Return a count in its cells: a dot for none, three while it is not known."""
    text = "…" if count is None else f"{count:,}" if count else "·"
    return text.rjust(_NUMBER_CELLS)


def cooldown_of(rule: Rule) -> str:
    """Return how soon a rule can fire again for a symbol, as in 15m or `day`."""
    if rule.once_a_day:
        return "day"
    return time_text(rule.cooldown_s) if rule.cooldown_s else "none"
