"""The screen's twin without a screen: plays to the end and prints, as JSON lines or as text."""

from __future__ import annotations

import json
import math
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol, TextIO

import numpy as np

from stockscan_tui.clock import Clock
from stockscan_tui.engine.core import Engine
from stockscan_tui.market.calendar import SECOND_NS, new_york_time
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.metrics import MetricKey, rank, values_of
from stockscan_tui.market.snapshot import Feed, Phase, Snapshot
from stockscan_tui.market.text import printable
from stockscan_tui.market.troubles import Told
from stockscan_tui.market.vitals import Vitals
from stockscan_tui.memory import resident_mb
from stockscan_tui.run.common import Run, Summary
from stockscan_tui.scan.picking import Picker
from stockscan_tui.store.recovery_files import was_told
from stockscan_tui.store.recovery_report import Recovered

HEALTH_EVERY_NS = 5 * SECOND_NS
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Report:
    """What is printed: how, how many leaders, in which order, after which filter.

    `fired` is where the run puts its alerts: the engine waits for no reader. `look` is called about
    once a second, by the thread that prints.
    """

    as_json: bool
    leaders: int
    sort: MetricKey
    ascending: bool
    picker: Picker
    for_s: float = math.inf
    fired: deque[Fired] = field(default_factory=deque)
    look: Callable[[Run], None] = lambda _run: None


class Printer(Protocol):
    """How the lines of a run are written."""

    def alerts(self, fired: Sequence[Fired]) -> None: ...  # noqa: D102
    def health(self, engine: Engine) -> None: ...  # noqa: D102
    def recovered(self, recovered: Recovered) -> None: ...  # noqa: D102
    def leaders(self, snapshot: Snapshot, rows: list[int]) -> None: ...  # noqa: D102
    def summary(self, summary: Summary) -> None: ...  # noqa: D102


def play(run: Run, report: Report, clock: Clock, stop: Event, out: TextIO) -> Summary:
    """Play `run` to its end, to `report.for_s`, or until `stop` is set; print as it goes.

    Raises:
        StockscanError: The run failed, or bars could not be written.
        OSError: `out` takes no more, or whoever read it has gone; the run was ended cleanly.
    """
    printer: Printer = _JsonLines(out) if report.as_json else _Text(out, report.sort)
    try:
        _wait(run, report, clock, stop, printer)
    except BaseException:
        # Whoever was to be told cannot be; what was played is kept all the same.
        run.close()
        raise
    try:
        summary = run.close()
    finally:
        _tell_alerts(report.fired, printer)
    snapshot = run.snapshot()
    if snapshot is not None and report.leaders:
        printer.leaders(snapshot, leaders(snapshot, report))
    for problem in summary.problems:
        sys.stderr.write(f"stockscan: {printable(problem)}\n")
    printer.summary(summary)
    return summary


def _tell_alerts(fired: deque[Fired], printer: Printer) -> None:
    printer.alerts([fired.popleft() for _ in range(len(fired))])


def _wait(run: Run, report: Report, clock: Clock, stop: Event, printer: Printer) -> None:
    """Return at the run's end, or when it is to end; print its health until then."""
    began_ns = told_ns = looked_ns = clock.now_ns()
    down, failing, troubles = False, False, Told()
    recoveries = _tell_recovered(run, 0, printer)
    while run.engine.running:
        clock.wait(stop, POLL_S)
        _tell_alerts(report.fired, printer)
        down = _tell_link(run.engine.feed(), down=down)
        _tell_troubles(troubles, run.engine.vitals)
        recoveries = _tell_recovered(run, recoveries, printer)
        failing = _tell_store(run.writer.status().error, failing=failing)
        now_ns = clock.now_ns()
        if stop.is_set() or now_ns - began_ns >= report.for_s * SECOND_NS:
            return
        if now_ns - looked_ns >= SECOND_NS:
            looked_ns = now_ns
            report.look(run)
        if now_ns - told_ns >= HEALTH_EVERY_NS:
            told_ns = now_ns
            printer.health(run.engine)


def _tell_recovered(run: Run, told: int, printer: Printer) -> int:
    """Say what became of a damaged database; returns how many recoveries have been told."""
    recovered = run.recovered
    for each in recovered[told:]:
        for line in each.lines():
            sys.stderr.write(f"stockscan: {line}\n")
        printer.recovered(each)
        was_told(each)
    return len(recovered)


def _tell_link(feed: Feed, *, down: bool) -> bool:
    """Say when a live feed has gone down and when it is back; returns whether it is down."""
    if (feed.phase is Phase.DOWN) == down:
        return down
    if down:
        sys.stderr.write(f"stockscan: connected again: {feed.phase.value}\n")
    else:
        sys.stderr.write(f"stockscan: down: {printable(feed.message)}; it is tried again\n")
    return not down


def _tell_troubles(told: Told, vitals: Vitals) -> None:
    """Say once of each trouble that it has begun, and that it is over."""
    begun, over = told.look(vitals.troubles)
    for trouble in begun:
        sys.stderr.write(f"stockscan: alarm: {printable(trouble.sentence)}\n")
    for trouble in over:
        sys.stderr.write(f"stockscan: over: {printable(trouble.over)}\n")


def _tell_store(error: str, *, failing: bool) -> bool:
    """Say when the database takes nothing, and when it does again; returns whether it does not."""
    if error and not failing:
        sys.stderr.write(f"stockscan: alarm: {printable(error)}\n")
    elif failing and not error:
        sys.stderr.write("stockscan: over: the database takes the bars again\n")
    return bool(error)


def leaders(snapshot: Snapshot, report: Report) -> list[int]:
    """Return the rows of the first `report.leaders` symbols in the order asked for."""
    rows = report.picker.pick(snapshot).rows
    ranked = rank(snapshot, report.sort, ascending=report.ascending, rows=rows)
    return [int(row) for row in ranked[: report.leaders]]


def _number(value: float) -> float | None:
    return None if not np.isfinite(value) else round(float(value), 9)


@dataclass(slots=True)
class _JsonLines:
    out: TextIO

    def _line(self, **fields: object) -> None:
        self.out.write(json.dumps(fields, separators=(",", ":")) + "\n")
        self.out.flush()

    def alerts(self, fired: Sequence[Fired]) -> None:
        for each in fired:
            self._line(
                type="alert",
                ts=each.ts_ns,
                symbol=each.symbol,
                rule=each.rule,
                price=_number(each.price),
                values=json.loads(each.values or "{}"),
                late=each.late,
                gated=each.gated,
            )

    def recovered(self, recovered: Recovered) -> None:
        self._line(type="recovery", **recovered.as_json())

    def health(self, engine: Engine) -> None:
        health = engine.health()
        self._line(
            type="health",
            ts=engine.event_ns,
            state=engine.phase.value,
            records=health.records,
            records_per_s=round(health.records_per_s, 1),
            lag_ms=_number(health.lag_ms),
            symbols=health.symbols,
            bars=health.bars,
            gaps=health.gaps,
            completeness=_number(engine.vitals.completeness),
            queue=health.queue,
            rss_mb=resident_mb(),
        )

    def leaders(self, snapshot: Snapshot, rows: list[int]) -> None:
        change = values_of(MetricKey("chg"), snapshot)
        for place, row in enumerate(rows, 1):
            self._line(
                type="leader",
                rank=place,
                symbol=snapshot.symbols[row],
                last=_number(snapshot.last[row]),
                mark=_number(snapshot.mark[row]),
                prev_close=_number(snapshot.prev_close[row]),
                chg=_number(change[row]),
                volume=int(snapshot.volume[row]),
                bars=int(snapshot.bars[row]),
            )

    def summary(self, summary: Summary) -> None:
        self._line(
            type="summary",
            records=summary.records,
            trades=summary.trades,
            quotes=summary.quotes,
            symbols=summary.symbols,
            bars=summary.bars,
            alerts=summary.alerts,
            gaps=summary.gaps,
            healed=summary.healed,
            late=summary.late,
            elapsed_s=summary.elapsed_s,
            records_per_s=summary.records_per_s,
            first_ts=summary.first_ts,
            last_ts=summary.last_ts,
            db=summary.db,
            problems=list(summary.problems),
        )


@dataclass(slots=True)
class _Text:
    out: TextIO
    sort: MetricKey

    def alerts(self, fired: Sequence[Fired]) -> None:
        for each in fired:
            when = f"{new_york_time(each.ts_ns):%H:%M:%S}"
            late = " (late)" if each.late else ""
            self.out.write(
                f"{when} {printable(each.symbol)} {each.price:,.4f} {printable(each.rule)}{late}\n"
            )

    def recovered(self, recovered: Recovered) -> None:
        """All of it is on standard error."""

    def health(self, engine: Engine) -> None:
        health = engine.health()
        self.out.write(f"{engine.phase.value}: {health.records:,} records, {health.bars:,} bars\n")

    def leaders(self, snapshot: Snapshot, rows: list[int]) -> None:
        change = values_of(MetricKey("chg"), snapshot)
        sorted_by = values_of(self.sort, snapshot)
        head = "" if self.sort == MetricKey("chg") else f"{self.sort!s:>14}"
        self.out.write(f"{'#':>3}  {'symbol':<12}{'mark':>12}{'chg %':>10}{'volume':>14}{head}\n")
        for place, row in enumerate(rows, 1):
            extra = f"{sorted_by[row]:>14,.2f}" if head else ""
            self.out.write(
                f"{place:>3}  {printable(snapshot.symbols[row]):<12}{snapshot.mark[row]:>12,.4f}"
                f"{change[row]:>+10.2f}{snapshot.volume[row]:>14,}{extra}\n"
            )

    def summary(self, summary: Summary) -> None:
        self.out.write(summary_text(summary))


def summary_text(summary: Summary) -> str:
    """Return the summary as lines for a person."""
    gaps = ""
    if summary.gaps:
        word = "gap" if summary.gaps == 1 else "gaps"
        gaps = f"{summary.gaps:,} {word} in the feed, {summary.healed:,} healed\n"
    return gaps + (
        f"{summary.records:,} records ({summary.trades:,} trades, {summary.quotes:,} quotes) of "
        f"{summary.symbols:,} symbols in {summary.elapsed_s:.1f} s\n"
        f"{summary.bars:,} one-minute bars in {printable(summary.db)}\n"
    )
