"""What the board says in words: counts, what is wrong, what has happened, what can be done.

All times are wall seconds of the clock that the board is shown by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len

from stockscan_tui.market.completeness import share_of, verified_share
from stockscan_tui.market.judgement import ms, percent
from stockscan_tui.market.limits import Level, level_of
from stockscan_tui.market.metrics import title_of
from stockscan_tui.market.snapshot import LIVE_PHASES, Phase, Snapshot
from stockscan_tui.market.troubles import GB, bars_level
from stockscan_tui.ui import format as fmt
from stockscan_tui.ui.marks import explanation
from stockscan_tui.ui.ranking import Ranking
from stockscan_tui.ui.widgets.lines import Shown

HINT_S = 60.0
SAID_S = 10.0
# A flash, an arrow and a held order are over so long after the last change.
FADES_S = (0.3, 2.0, 3.0)
# A live feed goes on for hours after what went wrong once.
PROBLEM_S = 60.0
OFFERS = 8
SEPARATOR = " · "
# A live run in one of these is looking at its past.
PLAYED_PHASES = frozenset({Phase.PRIMING, Phase.PLAYING, Phase.PAUSED, Phase.ENDED})


class Telling:
    """Finds the words for one board.

    Args:
        ranking: What the board shows.

    Attributes:
        now_s: When the board was shown last.
        held_s: Since when the picture has been held still, None for not.
    """

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking
        self.now_s = 0.0
        self.held_s: float | None = None
        self._began_s = 0.0
        self._changed_s = 0.0
        self._said = ""
        self._said_s = -HINT_S
        self._problems_told = 0
        self._problem_since_s = 0.0

    def forget(self, snapshot: Snapshot) -> None:
        """Take note of problems without telling them: they are of another time."""
        self._problems_told = len(snapshot.health.problems)

    def look(self, now_s: float, *, changed: bool) -> None:
        """The board is shown, with another picture or the same."""
        self._began_s = self._began_s or now_s
        if changed:
            self._changed_s = now_s
        self.now_s = now_s

    def say(self, sentence: str) -> None:
        """Let something be said for a while."""
        self._said, self._said_s = sentence, self.now_s

    def settled(self, now_s: float) -> bool:
        """Whether nothing has faded or run out since the board was shown."""
        fading = (self._changed_s + after for after in FADES_S)
        ends = (*fading, self._said_s + SAID_S, self._began_s + HINT_S,
                self._problem_since_s + PROBLEM_S)  # fmt: skip
        return not any(self.now_s < end <= now_s for end in ends)

    def shown(self) -> Shown:
        """Return which list is shown, its order and filter, and how many."""
        ranking = self._ranking
        listed, picked = ranking.list, ranking.picked
        return Shown(
            name=listed.name if listed is not None else "all",
            color=listed.color if listed is not None else "",
            key=ranking.key,
            ascending=ranking.ascending,
            filtered=ranking.chosen.text,
            matching=len(ranking.rows),
            gated=picked.gated,
            total=picked.total,
            unknown=tuple((str(key), count) for key, count in picked.unknown.items()),
            lifted=ranking.picker.lifted,
        )

    def warning(self, snapshot: Snapshot) -> str:
        """Return what is wrong behind what is shown, empty where nothing is."""
        if snapshot.health.store_error:
            return snapshot.health.store_error
        if snapshot.feed.phase is Phase.DOWN:
            return f"{snapshot.feed.message} · prices as of {fmt.clock(snapshot.event_ns)}"
        if self.held_s is not None:
            behind = fmt.span(self.now_s - self.held_s)
            return f"held at {fmt.clock(snapshot.event_ns)}, {behind} behind · space goes on"
        if snapshot.feed.mode != "REPLAY" and snapshot.feed.phase in PLAYED_PHASES:
            return f"the past, {fmt.clock(snapshot.event_ns)[:5]} · L returns to now"
        if not snapshot.closes_known:
            return "no previous closes: changes are from the day's first trade"
        return ""

    def hint(self, snapshot: Snapshot) -> str:
        """Return the line of advice, or of what has happened."""
        if self._said and self.now_s - self._said_s < SAID_S:
            return self._said
        return self._problem(snapshot) or self._news(snapshot)

    def _problem(self, snapshot: Snapshot) -> str:
        problems = snapshot.health.problems
        if len(problems) != self._problems_told:
            self._problems_told = len(problems)
            self._problem_since_s = self.now_s
        lasting = snapshot.feed.phase not in LIVE_PHASES
        shown = problems and (lasting or self.now_s - self._problem_since_s < PROBLEM_S)
        return problems[-1] if shown else ""

    def _news(self, snapshot: Snapshot) -> str:
        """Return what is worth saying while all is well."""
        if snapshot.feed.phase is Phase.CATCHING_UP:
            closes = int(np.isfinite(snapshot.prev_close).sum())
            when = fmt.clock(snapshot.event_ns)[:5]
            done = f"{snapshot.feed.progress * 100:.0f} %"
            return f"closes {closes:,} ✓ · catching up, {when} reached · {done}"
        if snapshot.feed.phase is Phase.ENDED:
            return _ended(snapshot)
        selected = self._ranking.selected
        meant = explanation(snapshot, selected) if selected is not None else ""
        if meant and selected is not None:
            return f"{snapshot.symbols[selected]}: {meant}{self._time_on_list(snapshot, selected)}"
        if self.now_s - self._began_s < HINT_S:
            moves = " · [ ] T through time" if snapshot.timeline is not None else ""
            return f"j/k move · Enter open · / filter · 1-9 lists{moves} · ? keys"
        gone = self._ranking.presence.gone(snapshot.event_ns)
        if gone:
            return f"left the list: {' '.join(gone)}"
        on = self._time_on_list(snapshot, selected) if selected is not None else ""
        return f"{snapshot.symbols[selected]}{on}" if on and selected is not None else ""

    def _time_on_list(self, snapshot: Snapshot, row: int) -> str:
        """Return how long a symbol has been on the list, as far as it was watched."""
        minutes = self._ranking.presence.minutes_on(snapshot.symbols[row], snapshot.event_ns)
        return f" · on the list for {minutes:.0f} min" if minutes >= 1 else ""

    def typing(self, completions: Sequence[str]) -> str:
        """Return what is said while a filter is typed, with what the word can become."""
        counted = f"{len(self._ranking.rows):,} match"
        unknown = self._ranking.picked.unknown
        lacking = "".join(f" · {title_of(key)} unknown for {n:,}" for key, n in unknown.items())
        hint = self._ranking.chosen.hint
        offers = " ".join(completions[:OFFERS])
        tail = f" · {hint}" if hint else f" · Tab: {offers}" if offers else ""
        return f"{counted}{lacking} · Enter keeps · Esc restores{tail}"


def proof_of(snapshot: Snapshot, width: int) -> str:
    """Return how complete and how true the bars are, in as many words as `width` cells hold.

    What matters least is left out first; each part whose limit is passed has its sign.
    """
    parts = _proofs(snapshot)
    while len(parts) > 1 and cell_len(SEPARATOR.join(text for _, text in parts)) > width:
        parts.remove(min(parts, key=lambda part: part[0]))
    return SEPARATOR.join(text for _, text in parts)


def _proofs(snapshot: Snapshot) -> list[tuple[int, str]]:
    """Return the parts of the proof with how much each matters."""
    health, vitals, found = snapshot.health, snapshot.vitals, snapshot.verification
    share = share_of(snapshot.coverage).complete
    if math.isnan(share):
        parts = [(90, f"{health.records:,} records")]
        if snapshot.coverage is not None:
            parts.append((20, "no minute of a session is over yet"))
    else:
        sign = level_of("completeness", share * 100).sign
        parts = [(90, f"{sign} {percent(share)} complete")]
    pace = vitals.pace
    if not math.isnan(pace.now):
        usual = f" (usual {pace.usual_now:,.0f})" if not math.isnan(pace.usual_now) else ""
        parts.append((50, f"{_turned(bars_level(pace))}{pace.now:,.0f} bars/min{usual}"))
    if health.gaps:
        parts.append((80, _gaps(snapshot)))
    verified = verified_share(found)
    if not math.isnan(verified):
        sign = _turned(level_of("verified", verified * 100))
        parts.append((70, f"{sign}verified {percent(verified)}"))
    lag = vitals.lag
    if lag.samples:
        parts.append((60, f"{_turned(level_of('lag', lag.p99_ms))}lag {ms(lag.p50_ms)}"))
    store = vitals.store
    free = level_of("free_disk", store.free_bytes / GB) if store.free_bytes >= 0 else Level.UNKNOWN
    if free > Level.GOOD:
        parts.append((85, f"{free.sign} {store.free_bytes / GB:,.1f} GB free"))
    parts.append((30, f"{health.bars:,} bars"))
    return parts


def _ended(snapshot: Snapshot) -> str:
    back = " · [ { T go back" if snapshot.timeline is not None else ""
    when = fmt.clock(snapshot.event_ns)
    if snapshot.feed.mode != "REPLAY":
        return f"the past up to {when}{back} · L returns to now"
    return f"end of file at {when}{back} · q quits"


def _gaps(snapshot: Snapshot) -> str:
    """Return what became of the feed's gaps."""
    health = snapshot.health
    gaps = "1 gap" if health.gaps == 1 else f"{health.gaps:,} gaps"
    open_ones = health.gaps - health.healed
    if open_ones <= 0:
        return f"{gaps} healed"
    mending = ", mending" if snapshot.feed.phase is not Phase.LIVE else ""
    if health.gaps == open_ones:
        return f"! {gaps} open{mending}"
    return f"! {gaps}, {open_ones:,} open{mending}"


def _turned(level: Level) -> str:
    """Return the sign of a level that is worth a look, with a blank; else nothing."""
    return f"{level.sign} " if level > Level.GOOD else ""
