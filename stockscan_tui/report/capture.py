"""The capture report: how whole the bars of a session date are, by symbol and for the market."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.errors import StoreError, UsageError
from stockscan_tui.market.batch import DayRecord, Gap
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.comparison import Comparison, DayBars, Difference, compare
from stockscan_tui.store.inquiry import Inquiry, SymbolDay
from stockscan_tui.store.reader import Reader

LEAST_MOVE_PCT = 20.0
TOP = 20
_TIERS = ((1, "≥ 20 %"), (2, "10–20 %"), (3, "5–10 %"), (4, "1–5 %"), (0, "< 1 %"))


@dataclass(frozen=True, slots=True, eq=False)
class Theirs:
    """Databento's own bars of a session date.

    The `symbol` of `bars` counts in `names`; they are all there are of those symbols in the minutes
    (since 1970) from `first_minute` to `last_minute`.
    """

    names: Sequence[str]
    bars: DayBars
    first_minute: int
    last_minute: int


# Gives Databento's bars of a dataset's symbols (at least) on a session date.
AskTheirs = Callable[[str, Sequence[str], date], Theirs]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to report.

    Attributes:
        session_date: The date; None for the last one there is.
        symbols: These symbols; empty for the biggest movers.
        top: How many movers.
        over_pct: Only moves of at least so many percent, either way.
    """

    session_date: date | None = None
    symbols: tuple[str, ...] = ()
    top: int = TOP
    over_pct: float = LEAST_MOVE_PCT


@dataclass(frozen=True, slots=True)
class SymbolRow:
    """One symbol's capture; None where it is not known.

    `chg` is in percent, `density`, `completeness` and `verified` are 0 to 1. `first_ns` and
    `last_ns` are the starts of its first and last bar (ns since 1970), `duration` the minutes from
    the one to the end of the other. `differing`, `lacking` and `surplus` count bars that were
    compared and are not as Databento's.
    """

    symbol: str
    chg: float | None = None
    bars: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    duration: int = 0
    density: float | None = None
    completeness: float | None = None
    verified: float | None = None
    volume: int = 0
    missing: int | None = None
    unknown: int | None = None
    differing: int | None = None
    lacking: int | None = None
    surplus: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The capture of many symbols together; shares as in `SymbolRow`."""

    name: str
    symbols: int
    bars: int
    completeness: float | None = None
    density: float | None = None
    verified: float | None = None
    missing: int | None = None
    unknown: int | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """How the bars compared with Databento's own: counts, by field, and the first differences.

    A difference's symbol stands beside it.
    """

    equal: int
    differing: int
    lacking: int
    surplus: int
    fields: dict[str, int]
    differences: tuple[tuple[str, Difference], ...]


@dataclass(frozen=True, slots=True)
class DayReport:
    """The report of one session date; `record` is what the engine said of it, None where nothing.

    `elapsed` counts the session minutes that were over, None where no verdicts are stored.
    """

    session_date: date
    dataset: str
    elapsed: int | None
    rows: tuple[SymbolRow, ...]
    market: Part
    tiers: tuple[Part, ...]
    gaps: tuple[Gap, ...]
    record: DayRecord | None
    verification: Verified | None = None


def report_day(reader: Reader, wanted: Wanted, ask: AskTheirs | None = None) -> DayReport:
    """Return the capture report of a session date.

    Args:
        reader: Reads the database.
        wanted: Which date and symbols.
        ask: Gives Databento's bars; None to compare nothing.

    Raises:
        UsageError: There is nothing of that date.
        StockscanError: The database or Databento's bars cannot be read.
    """
    inquiry = Inquiry(reader)
    session_date = chosen_date(inquiry, wanted.session_date)
    day = inquiry.symbols(session_date)
    names = list(wanted.symbols) or _movers(day, wanted)
    found: Comparison | None = None
    compared: dict[str, int] = {}
    if ask is not None and names:
        theirs = ask(inquiry.dataset(), names, session_date)
        found, compared = _compared(inquiry, session_date, theirs)
    places = {symbol: place for place, symbol in enumerate(day.symbol)}
    listed = [_row(day, places.get(name), name, found, compared) for name in names]
    every = np.arange(len(day))
    elapsed = int(day.elapsed.max(initial=-1))
    records = [each for each in inquiry.days(session_date) if each.session_date == session_date]
    return DayReport(
        session_date=session_date,
        dataset=inquiry.dataset(),
        elapsed=elapsed if elapsed >= 0 else None,
        rows=tuple(listed),
        market=_part("market", day, every),
        tiers=tuple(_part(name, day, np.flatnonzero(day.tier == tier)) for tier, name in _TIERS),
        gaps=reader.gaps(session_date),
        record=records[0] if records else None,
        verification=_verified(found, compared),
    )


def report_days(reader: Reader, since: date) -> list[DayRecord]:
    """Return a record of each session date from one on; reckoned where none was written.

    Raises:
        UsageError: There is nothing from that date on.
        StoreError: The database cannot be read.
    """
    inquiry = Inquiry(reader)
    dates = [each for each in inquiry.session_dates() if each >= since]
    if not dates:
        raise UsageError(f"There is no session date from {since} on in this database.")
    written = {record.session_date: record for record in inquiry.days(since)}
    return [written.get(each) or _reckoned(inquiry.symbols(each), each) for each in dates]


def chosen_date(inquiry: Inquiry, wanted: date | None) -> date:
    """Return the session date asked for, or the last one.

    Raises:
        StoreError: There is nothing at all.
        UsageError: There is nothing of it.
    """
    dates = inquiry.session_dates()
    if not dates:
        raise StoreError("The database holds no session yet. Ask again once bars have come.")
    if wanted is None:
        return dates[-1]
    if wanted not in dates:
        shown = ", ".join(str(each) for each in dates[-5:])
        raise UsageError(f"The database has nothing of {wanted}. Its last dates are: {shown}.")
    return wanted


def _movers(day: SymbolDay, wanted: Wanted) -> list[str]:
    moved = np.abs(np.nan_to_num(day.chg, nan=-1.0))
    order = np.argsort(-moved, kind="stable")
    chosen = order[(moved[order] >= wanted.over_pct) & np.isfinite(day.chg[order])]
    return [day.symbol[row] for row in chosen[: wanted.top].tolist()]


def _compared(
    inquiry: Inquiry, session_date: date, theirs: Theirs
) -> tuple[Comparison, dict[str, int]]:
    """Return the comparison, and the place of each symbol in it."""
    ours = inquiry.bars(session_date, theirs.names)
    within = (ours.minute >= theirs.first_minute) & (ours.minute <= theirs.last_minute)
    if not within.all():
        ours = ours.where(within)
    places = {name: place for place, name in enumerate(theirs.names)}
    return compare(ours, theirs.bars, len(places)), places


def _row(
    day: SymbolDay,
    at: int | None,
    symbol: str,
    found: Comparison | None,
    compared: dict[str, int],
) -> SymbolRow:
    place = compared.get(symbol)
    share, differing, lacking, surplus = math.nan, None, None, None
    if found is not None and place is not None:
        share = float(found.share[place])
        differing, lacking = int(found.differing[place]), int(found.lacking[place])
        surplus = int(found.surplus[place])
    if at is None:
        return SymbolRow(
            symbol,
            verified=_known(share),
            differing=differing,
            lacking=lacking,
            surplus=surplus,
        )
    bars, elapsed = int(day.bars[at]), int(day.elapsed[at])
    dense = int(day.traded[at] + day.backfilled[at])
    if math.isnan(share) and day.verified[at] >= 0 and day.counted[at] > 0:
        share = float(day.verified[at]) / float(day.counted[at])
    first_ns, last_ns = int(day.first_ns[at]), int(day.last_ns[at])
    return SymbolRow(
        symbol=symbol,
        chg=_known(day.chg[at]),
        bars=bars,
        first_ns=first_ns if bars else None,
        last_ns=last_ns if bars else None,
        duration=(last_ns - first_ns) // MINUTE_NS + 1 if bars else 0,
        density=dense / elapsed if elapsed > 0 else None,
        completeness=(dense + int(day.quiet[at])) / elapsed if elapsed > 0 else None,
        verified=_known(share),
        volume=int(day.volume[at]),
        missing=int(day.missing[at]) if elapsed >= 0 else None,
        unknown=int(day.unknown[at]) if elapsed >= 0 else None,
        differing=differing,
        lacking=lacking,
        surplus=surplus,
    )


def _part(name: str, day: SymbolDay, rows: NDArray[np.intp]) -> Part:
    judged = rows[day.elapsed[rows] > 0]
    total = int(day.elapsed[judged].sum())
    bars = int(day.bars[rows].sum())
    if not total:
        return Part(name, len(rows), bars)
    dense = int(day.traded[judged].sum() + day.backfilled[judged].sum())
    quiet, missing = int(day.quiet[judged].sum()), int(day.missing[judged].sum())
    held = judged[day.verified[judged] >= 0]
    checked = int(day.counted[held].sum())
    return Part(
        name=name,
        symbols=len(rows),
        bars=bars,
        completeness=(dense + quiet) / total,
        density=dense / total,
        verified=int(day.verified[held].sum()) / checked if checked else None,
        missing=missing,
        unknown=int(day.unknown[judged].sum()),
    )


def _reckoned(day: SymbolDay, session_date: date) -> DayRecord:
    """Return what the stored rows say of a date whose record was never written."""
    part = _part("", day, np.arange(len(day)))
    seen = day.first_ns[day.bars > 0]
    return DayRecord(
        session_date,
        first_ns=int(seen.min()) if len(seen) else 0,
        last_ns=int(day.last_ns.max(initial=0)),
        trades=int(np.maximum(day.trades, 0).sum()),
        bars=part.bars,
        symbols=part.symbols,
        elapsed=max(0, int(day.elapsed.max(initial=0))),
        completeness=math.nan if part.completeness is None else part.completeness,
        density=math.nan if part.density is None else part.density,
        unknown=part.unknown or 0,
        verified=math.nan if part.verified is None else part.verified,
    )


def _verified(found: Comparison | None, compared: dict[str, int]) -> Verified | None:
    if found is None:
        return None
    names = list(compared)
    return Verified(
        equal=int(found.equal.sum()),
        differing=int(found.differing.sum()),
        lacking=int(found.lacking.sum()),
        surplus=int(found.surplus.sum()),
        fields={name: count for name, count in found.fields.items() if count},
        differences=tuple((names[each.symbol], each) for each in found.differences),
    )


def _known(value: float) -> float | None:
    return None if not np.isfinite(value) else float(value)
