"""The top line: what is playing, when it is there, how fast, and how far."""

from __future__ import annotations

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from stockscan_tui.market.calendar import SECOND_NS, Session
from stockscan_tui.market.snapshot import LIVE_PHASES, Phase, Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.ui import format as fmt

PROGRESS_CELLS = 10
_SHOWN_BY_BAR = frozenset({Phase.PLAYING, Phase.PAUSED, Phase.ENDED})


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
            *self._course(snapshot, dim),
            *_board_of(snapshot),
            (40, Text(f"{fmt.count(snapshot.health.records_per_s)} rec/s", dim)),
            (50, Text(f"{len(snapshot.symbols):,} symbols", dim)),
            (30, Text(printable(f"{feed.dataset} {feed.schema}"), dim)),
            (20, Text(fmt.fit(feed.title, min(cell_len(feed.title), 44)), dim)),
        ]
        return parts

    def _course(self, snapshot: Snapshot, dim: Style) -> list[tuple[int, Text]]:
        """Return speed and progress, unless the replay bar shows them."""
        phase = snapshot.feed.phase
        if snapshot.timeline is not None and phase in _SHOWN_BY_BAR:
            return []
        pace = (80, self._pace(snapshot))
        if phase in LIVE_PHASES or snapshot.feed.goal_ns:
            return [pace]
        return [pace, (70, Text(_progress(snapshot.feed.progress), dim))]

    def _pace(self, snapshot: Snapshot) -> Text:
        feed = snapshot.feed
        if feed.phase in LIVE_PHASES:
            # Outside sessions silence is no alarm.
            quiet = feed.phase is Phase.SILENT and snapshot.session is Session.CLOSED
            well = feed.phase in (Phase.LIVE, Phase.CATCHING_UP) or quiet
            alarm = "" if well else self.get_component_rich_style("status--alarm", partial=True)
            return Text(fmt.link(feed), alarm)
        if feed.phase is Phase.ENDED:
            return Text("ended", self.get_component_rich_style("status--alarm", partial=True))
        if feed.phase is Phase.PRIMING:
            return Text(_way(snapshot))
        paused = feed.phase is Phase.PAUSED
        style = self.get_component_rich_style("status--alarm", partial=True) if paused else ""
        return Text(fmt.speed(feed.speed, paused=paused), style)


def _board_of(snapshot: Snapshot) -> list[tuple[int, Text]]:
    """Return whose day is shown, outside sessions."""
    if snapshot.session is not Session.CLOSED or not snapshot.session_date:
        return []
    return [(60, Text(f"board of {snapshot.session_date:%a %d %b}"))]


def _way(snapshot: Snapshot) -> str:
    """Return where a replay is going to, and how far that is, as in → 10:30 18m to go."""
    goal_ns = snapshot.feed.goal_ns
    if not goal_ns:
        return "catching up"
    left_s = max(goal_ns - snapshot.event_ns, 0) / SECOND_NS
    goal = fmt.clock(goal_ns).removesuffix(":00")
    return f"→ {goal} {fmt.age(left_s)} to go"


def _progress(done: float) -> str:
    full = round(done * PROGRESS_CELLS)
    return f"{'━' * full}{'╌' * (PROGRESS_CELLS - full)} {done * 100:3.0f} %"


def _session(snapshot: Snapshot) -> str:
    word = fmt.session_word(snapshot.session)
    if snapshot.session is not Session.CLOSED or not snapshot.next_session_ns:
        return word
    following = snapshot.next_session_ns
    return f"{word} · next pre-market {fmt.day(following)[:3]} {fmt.clock(following)[:5]}"
