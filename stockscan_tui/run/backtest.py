"""Rules tried on saved days: what was planned is played, several days at once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from stockscan_tui.config import cache_folder
from stockscan_tui.feed.splits import Splits
from stockscan_tui.market.user_data import Own
from stockscan_tui.report.outcome import Followed, outcomes
from stockscan_tui.run.backtest_plan import BacktestRequest, Plan, plan
from stockscan_tui.run.reference import Sources
from stockscan_tui.run.rule_day import Played, play
from stockscan_tui.run.workers import in_turn, spread
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.gates import SHIPPED, Gates
from stockscan_tui.scan.rules import Rule, Rules

NO_OWN = Own()
NO_NAMES = Names()


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """What a rule would have done on a session date.

    Attributes:
        session_date: The date.
        firings: How often it would have fired.
        symbols: For how many symbols.
        median_pct: The median return 15 minutes after, in percent; NaN where there is none.
        market_pct: The market's median over the same minutes, in percent.
        winners: The share of firings with a return above 0 after 15 minutes; NaN for none.
        warning: What cannot be told from saved bars, in sentences; empty for nothing.
    """

    session_date: date
    firings: int
    symbols: int
    median_pct: float
    market_pct: float
    winners: float
    warning: str


def run(
    planned: Plan,
    jobs: int,
    progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> Iterator[Played]:
    """Play what was planned, and release it; yields what came of each part, as it is done.

    Args:
        planned: What to play.
        jobs: How many processes play at once; 0 for as many as there are cores.
        progress: Told how far all of it is, from 0 to 1, on this thread.
        cancelled: Whether to give up what is not done yet.

    Raises:
        StockscanError: A part cannot be played.
    """
    done = [0.0] * len(planned.jobs)
    whole = sum(planned.weights) or 1.0

    def note(place: int, part: float) -> None:
        done[place] = part
        progress(sum(map(math.prod, zip(done, planned.weights, strict=True))) / whole)

    processes = min(jobs or os.cpu_count() or 1, len(planned.jobs))
    if processes == 1:
        parts = in_turn(play, planned.jobs, progress=note, cancelled=cancelled)
    else:
        parts = spread(play, planned.jobs, processes, progress=note, cancelled=cancelled)
    try:
        for place, played in parts:
            note(place, 1.0)
            yield played
    finally:
        planned.release()


def dry_run(
    rule: Rule,
    database: Path,
    *,
    files: Sequence[Path] = (),
    prev_close: Path | None = None,
    sessions: int = 5,
    own: Own = NO_OWN,
    gates: Gates = SHIPPED,
    names: Names = NO_NAMES,
    told: Callable[[SessionOutcome], None],
    progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> None:
    """Play a rule over files, or the last stored sessions, the newest first, in its own process.

    What is not on this machine is not asked for. It waits for the end: not for the screen's thread.

    Args:
        rule: The rule; whether it is switched on does not count.
        database: Where the sessions are stored; while it is held, a copy of it is asked for.
        files: What is played instead; empty for the stored sessions.
        prev_close: A file of previous closes, for files.
        sessions: How many of the stored ones.
        own: The user's watchlists and table.
        gates: What would keep alerts from being delivered.
        names: What may stand in gates besides metrics.
        told: Told what came of each, as it is done.
        progress: Told how far all of it is, from 0 to 1.
        cancelled: Whether to give up.

    Raises:
        StockscanError: The sessions cannot be played, or there are none.
    """
    request = BacktestRequest(
        rules=Rules((replace(rule, enabled=True),)),
        files=tuple(files),
        since=None,
        prev_close=prev_close,
        database=database,
        reference=Sources(cache_folder() / "reference", "", Splits()),
        own=own,
        gates=gates,
        names=names,
    )
    planned = plan(request, cancelled, last=sessions)
    warning = " ".join(planned.warnings)

    def note(place: int, part: float) -> None:
        progress((place + part) / len(planned.jobs))

    jobs = planned.jobs[::-1]
    try:
        for _, played in spread(play, jobs, 1, progress=note, cancelled=cancelled):
            for day in played.days:
                told(_session_outcome(rule, day, warning))
        if not cancelled():
            progress(1.0)
    finally:
        planned.release()


def _session_outcome(rule: Rule, day: Followed, warning: str) -> SessionOutcome:
    (found,) = outcomes([rule.name], [day])
    return SessionOutcome(
        session_date=day.session_date,
        firings=found.firings,
        symbols=found.symbols,
        median_pct=found.judged.median_pct,
        market_pct=found.judged.market_pct,
        winners=found.winners,
        warning=warning,
    )
