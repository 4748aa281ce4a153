"""What there is to say of the alert under the cursor."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from stockscan_tui.market.fired import Fired
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.ui.widgets.alerts.wording import instant, told, values_in_words

LATE = "late: seen more than a minute after it happened"
GATED = "gated: the board's gates keep the symbol off, nothing delivered it"


class AlertDetail(Widget):
    """Three lines: which alert, what has become of it, and the rule's values at that instant."""

    COMPONENT_CLASSES = {"detail--dim", "detail--alarm"}

    def __init__(self) -> None:
        super().__init__()
        self._lines: tuple[str, str, str, str] = ("", "", "", "")

    def show(self, snapshot: Snapshot, fired: Fired | None, also: str) -> None:
        """Say it of an alert, None for none; `also` is what is known of it beyond that."""
        lines = ("", "", "", "")
        if fired is not None:
            marks = [LATE] * fired.late + [GATED] * fired.gated + [also] * bool(also)
            lines = (
                f"{fired.symbol}  {fired.rule}",
                instant(fired),
                told(snapshot, fired),
                " · ".join(marks) or values_in_words(fired.values),
            )
            if marks and fired.values:
                lines = (*lines[:3], f"{lines[3]} · {values_in_words(fired.values)}")
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def render(self) -> Text:
        name, at, became, rest = (printable(line) for line in self._lines)
        dim = self.get_component_rich_style("detail--dim", partial=True)
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f" {name}  ", Style(bold=True))
        text.append(at, dim)
        text.append(f"\n {became}")
        text.append(f"\n {rest}", dim)
        return text
