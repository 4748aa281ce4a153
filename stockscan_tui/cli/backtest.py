"""`stockscan backtest`: what rules would have done on saved days, and what followed."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from stockscan_tui.cli import tables
from stockscan_tui.cli.captured_day import LOOPBACK_HOSTS, LOOPBACK_KEY, say
from stockscan_tui.cli.desk import desk_of
from stockscan_tui.cli.signals import apart, on_signals
from stockscan_tui.cli.warming import Telling, warm
from stockscan_tui.config import Config, cache_folder, live_database, read_key
from stockscan_tui.errors import UsageError
from stockscan_tui.market.metrics import nearest
from stockscan_tui.market.text import printable

if TYPE_CHECKING:
    from stockscan_tui.report.outcome import Followed, Horizon, RuleOutcome
    from stockscan_tui.run.backtest_plan import BacktestRequest, Plan
    from stockscan_tui.run.reference import Sources
    from stockscan_tui.run.rule_day import Played
    from stockscan_tui.scan.expression import Names
    from stockscan_tui.scan.rules import Rules

_HEADS = ("rule", "firings", "symbols", "a day", "1m", "5m", "15m", "60m", "close", "best", "worst",
          "winners", "ahead")  # fmt: skip


def backtest(given: argparse.Namespace, config: Config) -> int:
    """Play saved days with rules and print what came of them; returns the exit status."""
    from stockscan_tui.run.backtest import run  # noqa: PLC0415
    from stockscan_tui.run.backtest_plan import plan  # noqa: PLC0415

    if bool(given.files) == (given.since is not None):
        raise UsageError("Name saved files, or --since DATE for the stored bars: one of them.")
    kind = tables.format_of(given.format, given.output)
    stop = Event()
    on_signals(apart(stop.set))
    request = _request(given, config)
    planned = plan(request, stop.is_set)
    # Once here, not once in each process that plays a day.
    warm(Telling(), stop.is_set)
    told = _Told(planned)
    played: list[Played] = []
    for part in run(planned, given.jobs, told.progress, stop.is_set):
        played.append(part)
        told.done(part)
    told.end(len(played))
    played.sort(key=lambda part: min((day.session_date for day in part.days), default=date.max))
    _write(request, planned, played, kind, given.output)
    return 1 if any(part.corrupt for part in played) else 0


def _request(given: argparse.Namespace, config: Config) -> BacktestRequest:
    from stockscan_tui.run.backtest_plan import BacktestRequest  # noqa: PLC0415

    desk = desk_of(argparse.Namespace(**vars(given), sort=None, filter=""), config)
    return BacktestRequest(
        rules=_rules(given, desk.names),
        files=tuple(given.files),
        since=given.since,
        database=given.db or live_database(given.dataset),
        reference=_sources(given, config),
        prev_close=given.prev_close,
        own=desk.read_own(config.watchlist),
        gates=config.gates,
        names=desk.names,
        mark=given.mark or config.mark,
        jobs=given.jobs,
        say=say,
    )


def _rules(given: argparse.Namespace, names: Names) -> Rules:
    """Return the rules to play: those that are switched on, or those that are named.

    Raises:
        UsageError: The file cannot be read, has no such rule, or none is switched on.
    """
    from stockscan_tui.config.rules import read_rules  # noqa: PLC0415

    rules = read_rules(given.rules, names)
    every = {rule.name: rule for rule in rules.rules}
    for name in given.rule:
        if name not in every:
            hint = nearest(name, list(every))
            raise UsageError(f"{printable(given.rules)} has no rule {name!r}.{hint}")
    chosen = [every[name] for name in dict.fromkeys(given.rule)] or rules.watched
    if not chosen:
        raise UsageError(
            f"No rule of {printable(given.rules)} is switched on. Name some: --rule NAME."
        )
    return dataclasses.replace(
        rules, rules=tuple(dataclasses.replace(rule, enabled=True) for rule in chosen)
    )


def _sources(given: argparse.Namespace, config: Config) -> Sources:
    """Return where closes, splits and volumes come from; without a key from what is kept alone."""
    from stockscan_tui.feed.splits import Splits  # noqa: PLC0415
    from stockscan_tui.run.reference import Sources  # noqa: PLC0415

    key = read_key()
    if given.history and not key and urlsplit(given.history).hostname in LOOPBACK_HOSTS:
        key = LOOPBACK_KEY
    return Sources(
        folder=cache_folder() / "reference",
        dataset="",
        tables=Splits.from_tables(config.splits, config.renames),
        key="" if given.offline else key,
        url=given.history,
        max_cost_usd=config.max_cost_usd,
    )


class _Told:
    """Says on standard error how far it is: in a terminal as it goes, else day by day.

    Args:
        planned: What is played.
    """

    def __init__(self, planned: Plan) -> None:
        self._parts = len(planned.jobs)
        self._live = sys.stderr.isatty()
        self._shown = -1
        for warning in planned.warnings:
            say(warning)

    def progress(self, done: float) -> None:
        """Show how far it is, from 0 to 1."""
        percent = int(done * 100)
        if self._live and percent != self._shown:
            self._shown = percent
            sys.stderr.write(f"\r{percent:>3} %\x1b[K")
            sys.stderr.flush()

    def done(self, part: Played) -> None:
        """Say what came of a part."""
        self._clear()
        for problem in part.problems:
            say(problem)
        per_s = part.records / part.elapsed_s if part.elapsed_s else 0.0
        for day in part.days:
            say(f"{day.session_date}: {_counted(len(day), 'firing')}")
        if part.records:
            say(f"{part.records:,} records in {part.elapsed_s:.1f} s, {per_s / 1e6:.2f} M/s")

    def end(self, parts: int) -> None:
        """Say that it is over, and whether anything was left out."""
        self._clear()
        if parts < self._parts:
            say(f"Stopped: {parts} of {self._parts} parts were played.")

    def _clear(self) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


# --- what it came to ------------------------------------------------------------------------------


def _write(
    request: BacktestRequest,
    planned: Plan,
    played: Sequence[Played],
    kind: str,
    output: Path | None,
) -> None:
    from stockscan_tui.report.outcome import outcomes  # noqa: PLC0415

    days = [day for part in played for day in part.days]
    if kind in ("csv", "parquet"):
        tables.write_columns(_columns(days), kind, output)
        return
    found = outcomes([rule.name for rule in request.rules.rules], days)
    if kind == "table":
        tables.write_text(_text(found, days), output)
        return
    said = {
        "days": [{"session_date": str(day.session_date), "firings": len(day)} for day in days],
        "records": sum(part.records for part in played),
        "rules": [_object(outcome) for outcome in found],
        "warnings": list(planned.warnings),
        "problems": [problem for part in played for problem in part.problems],
        "whole": len(played) == len(planned.jobs),
        "age_s": planned.age_s,
    }
    tables.write_json(said, output)


def _object(outcome: RuleOutcome) -> dict[str, object]:
    said = {
        field.name: _plain(getattr(outcome, field.name)) for field in dataclasses.fields(outcome)
    }
    said["per_day"] = _plain(outcome.per_day)
    said["by_day"] = {str(day): count for day, count in outcome.by_day.items()}
    said["horizons"] = [
        {name: _plain(value) for name, value in dataclasses.asdict(horizon).items()}
        for horizon in outcome.horizons
    ]
    return said


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(found: Sequence[RuleOutcome], days: Sequence[Followed]) -> str:
    if not days:
        return "Nothing was played.\n"
    first, last = days[0].session_date, days[-1].session_date
    span = str(first) if first == last else f"{first} to {last}"
    head = f"{_counted(len(days), 'session')} · {span} · medians in percent (the market's)"
    rows = [_cells(outcome) for outcome in found]
    return f"{head}\n\n{tables.aligned(_HEADS, rows)}"


def _cells(outcome: RuleOutcome) -> list[str]:
    return [
        printable(outcome.rule),
        tables.counted(outcome.firings),
        tables.counted(outcome.symbols),
        f"{outcome.per_day:,.1f}",
        *map(_horizon, outcome.horizons),
        _percent(outcome.best_pct),
        _percent(outcome.worst_pct),
        _share(outcome.winners),
        _share(outcome.ahead),
    ]


def _horizon(horizon: Horizon) -> str:
    if not horizon.known:
        return tables.NONE
    return f"{_percent(horizon.median_pct)} ({_percent(horizon.market_pct)})"


def _percent(value: float) -> str:
    return f"{value:+.2f}" if math.isfinite(value) else tables.NONE


def _share(share: float) -> str:
    return f"{share * 100:.0f} %" if math.isfinite(share) else tables.NONE


def _columns(days: Sequence[Followed]) -> dict[str, Any]:
    """Return a row a firing; returns in percent by horizon, the market's beside them."""
    from stockscan_tui.report.outcome import HORIZONS  # noqa: PLC0415

    def joined(name: str) -> Any:
        return np.concatenate([np.empty(0), *(getattr(day, name) for day in days)])

    columns: dict[str, Any] = {
        "session_date": [str(day.session_date) for day in days for _ in range(len(day))],
        "rule": [rule for day in days for rule in day.rule],
        "symbol": [symbol for day in days for symbol in day.symbol],
        "ts": np.concatenate([np.empty(0, np.int64), *(day.ts_ns for day in days)]).view(
            "datetime64[ns]"
        ),
        "price": joined("price"),
        "values": [values for day in days for values in day.values],
        "gated": np.concatenate([np.empty(0, np.bool_), *(day.gated for day in days)]),
    }
    for kind in ("return", "market"):
        for place, name in enumerate(HORIZONS):
            parts = [getattr(day, f"{kind}_pct")[:, place] for day in days]
            columns[f"{kind}_{name}_pct"] = np.concatenate([np.empty(0), *parts])
    columns["best_pct"] = joined("best_pct")
    columns["worst_pct"] = joined("worst_pct")
    return columns
