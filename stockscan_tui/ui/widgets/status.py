"""The top line: what is playing, when it is there, how fast, and how far."""

from __future__ import annotations

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from stockscan_tui.market.calendar import Session
from stockscan_tui.market.snapshot import LIVE_PHASES, Phase, Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.ui import format as fmt

PROGRESS_CELLS = 10


class StatusLine(Widget):
    """One line; what matters least goes first where it is narrow."""

    COMPONENT_CLASSES = {
        "status--mode",
        "status--simulated",
        "status--dim",
        "status--alarm",
    }

    def __init__(self) -> None:
        super().__init__()
        self._snapshot: Snapshot | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Take a new picture."""
        self._snapshot = snapshot
        self.refresh()

    def render(self) -> Text:
        snapshot = self._snapshot
        if snapshot is None:
            return Text("")
        parts = self._parts(snapshot)
        # (importance, text): the least important are left out until the rest fits.
        while sum(cell_len(part.plain) + 2 for _, part in parts) > self.size.width:
            if len(parts) == 1:
                break
            parts.remove(min(parts, key=lambda part: part[0]))
        return Text("  ", end="").join(part for _, part in parts)

    def _parts(self, snapshot: Snapshot) -> list[tuple[int, Text]]:
        feed = snapshot.feed
        dim = self.get_component_rich_style("status--dim", partial=True)
        parts = [(99, Text(f" {feed.mode} ", self.get_component_rich_style("status--mode")))]
        if feed.simulated:
            style = self.get_component_rich_style("status--simulated")
            parts.append((98, Text(" SIMULATED ", style)))
        bold = Style(bold=True)
        parts += [
            (90, Text(f"{fmt.day(snapshot.event_ns)} {fmt.clock(snapshot.event_ns)}", bold)),
            (85, Text(_session(snapshot))),
            (80, self._pace(snapshot)),
            *([] if feed.phase in LIVE_PHASES else [(70, Text(_progress(feed.progress), dim))]),
            (40, Text(f"{fmt.count(snapshot.health.records_per_s)} rec/s", dim)),
            (50, Text(f"{len(snapshot.symbols):,} symbols", dim)),
            (30, Text(printable(f"{feed.dataset} {feed.schema}"), dim)),
            (20, Text(fmt.fit(feed.title, min(cell_len(feed.title), 44)), dim)),
        ]
        return parts

    def _pace(self, snapshot: Snapshot) -> Text:
        feed = snapshot.feed
        if feed.phase in LIVE_PHASES:
            well = feed.phase in (Phase.LIVE, Phase.CATCHING_UP)
            alarm = "" if well else self.get_component_rich_style("status--alarm", partial=True)
            return Text(fmt.link(feed), alarm)
        if feed.phase is Phase.ENDED:
            return Text("ended", self.get_component_rich_style("status--alarm", partial=True))
        if feed.phase is Phase.PRIMING:
            return Text("catching up")
        paused = feed.phase is Phase.PAUSED
        style = self.get_component_rich_style("status--alarm", partial=True) if paused else ""
        return Text(fmt.speed(feed.speed, paused=paused), style)


def _progress(done: float) -> str:
    full = round(done * PROGRESS_CELLS)
    return f"{'━' * full}{'╌' * (PROGRESS_CELLS - full)} {done * 100:3.0f} %"


def _session(snapshot: Snapshot) -> str:
    word = fmt.session_word(snapshot.session)
    if snapshot.session is not Session.CLOSED or not snapshot.next_session_ns:
        return word
    following = snapshot.next_session_ns
    return f"{word} · next pre-market {fmt.day(following)[:3]} {fmt.clock(following)[:5]}"
