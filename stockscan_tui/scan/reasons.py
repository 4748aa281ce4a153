"""Why a symbol has few bars or none, or is not on the board: reasons, with the counts that say so.

The same for the command and for the symbol's screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from stockscan_tui.market.calendar import MINUTE_NS, new_york_time
from stockscan_tui.market.metrics import metric_of
from stockscan_tui.market.metrics.metric import Unit
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.scan.gating import GatePart

# As wide as a quote may be that makes a mark.
WIDEST_PCT = 2.0
# A first bar so long after the capture's own, or a lesser part of the minutes, is worth a word.
LATE_MINUTES = 5
THIN = 0.9


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one symbol on one session date; as outside text came, not yet printable.

    Attributes:
        symbol: The symbol.
        dataset: Where it comes from.
        known: Whether any day's feed has named it.
        mapped: Whether this day's has.
        bars: Its minute bars.
        trades: Its trades; -1 where only bars are known.
        bid: The last bid in dollars, NaN for none.
        ask: The last ask.
        trade_ns: The last trade (ns since 1970), 0 for none.
        quote_ns: The last quote.
        prev_close: The previous close in dollars, NaN for none.
        first_ns: The start of its first bar, 0 where that is not known.
        since_ns: Since when the day is captured, 0 where that is not known.
        elapsed: Session minutes that are over; -1 where no verdicts are known.
        dense: Those with a bar.
        quiet: Those without a trade while the feed was whole.
        missing: Those of which Databento has a bar and we do not.
        unknown: Those in which the feed is not known to have been whole.
        gaps: Gaps of the feed that were not healed.
        refused: What of the board's gate it does not meet.
        renamed_to: What it trades as now, empty for the same.
        renamed_from: What it traded as before.
        remaps: How often its instrument id has changed today.
    """

    symbol: str
    dataset: str
    known: bool = True
    mapped: bool = True
    bars: int = 0
    trades: int = 0
    bid: float = math.nan
    ask: float = math.nan
    trade_ns: int = 0
    quote_ns: int = 0
    prev_close: float = math.nan
    first_ns: int = 0
    since_ns: int = 0
    elapsed: int = -1
    dense: int = 0
    quiet: int = 0
    missing: int = 0
    unknown: int = 0
    gaps: int = 0
    refused: tuple[GatePart, ...] = ()
    renamed_to: str = ""
    renamed_from: str = ""
    remaps: int = 0

    @property
    def spread_pct(self) -> float:
        """The last quote's width in percent of its middle, NaN for no two-sided quote."""
        middle = (self.bid + self.ask) / 2
        return (self.ask - self.bid) / middle * 100 if middle > 0 else math.nan


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: a word for programs, and a sentence; what came from outside stands in it."""

    code: str
    sentence: str


def facts_of(snapshot: Snapshot, row: int, refused: tuple[GatePart, ...] = ()) -> Facts:
    """Return what a picture of the market tells of the symbol in a row.

    Args:
        snapshot: The market.
        row: The symbol's row.
        refused: What of the gate it does not meet.
    """
    coverage = snapshot.coverage
    judged = coverage is not None and row < len(coverage.traded)
    facts = Facts(
        symbol=snapshot.symbols[row],
        dataset=snapshot.feed.dataset,
        bars=int(snapshot.bars[row]),
        trades=int(snapshot.trades[row]),
        bid=float(snapshot.bid[row]),
        ask=float(snapshot.ask[row]),
        trade_ns=int(snapshot.last_trade_ns[row]),
        quote_ns=int(snapshot.last_quote_ns[row]),
        prev_close=float(snapshot.prev_close[row]),
        refused=refused,
    )
    if coverage is None or not judged:
        return facts
    return replace(
        facts,
        elapsed=coverage.elapsed,
        dense=int(coverage.traded[row] + coverage.backfilled[row]),
        quiet=int(coverage.quiet[row]),
        missing=int(coverage.missing[row]),
        unknown=int(coverage.unknown[row]),
    )


def explain(facts: Facts) -> list[Reason]:
    """Return why a symbol has the bars it has and where it is kept off, the weightiest first."""
    found = list(_names(facts))
    if facts.known and facts.mapped:
        found += _market(facts)
        found += _feed(facts)
        found += _board(facts)
    return found or [Reason("whole", _whole(facts))]


def _names(facts: Facts) -> Iterator[Reason]:
    """Yield what is the matter with the name."""
    if facts.renamed_to:
        yield Reason("renamed", f"it trades as {facts.renamed_to}: ask for that")
    if not facts.known and not facts.renamed_to:
        yield Reason(
            "universe",
            f"not in the universe of {facts.dataset}: its feed has never named it here",
        )
    elif facts.known and not facts.mapped:
        yield Reason("unmapped", "the feed has not named it on this date, though on another one")
    if facts.renamed_from:
        yield Reason("renamed", f"it traded as {facts.renamed_from} before")


def _market(facts: Facts) -> Iterator[Reason]:
    """Yield what the market has to do with it."""
    traded = bool(facts.trade_ns or facts.bars)
    if not traded and not facts.quote_ns:
        yield Reason("silent", "mapped and silent: neither a quote nor a trade has come")
    elif not traded:
        last = f"the last quote at {_clock(facts.quote_ns)}"
        yield Reason("quotes", f"quotes only: no trade has come ({last})")
        if facts.spread_pct > WIDEST_PCT:
            yield Reason(
                "wide",
                f"its quotes are too wide for a price: {facts.spread_pct:.1f} % wide, and at most "
                f"{WIDEST_PCT:g} % count",
            )
    late = (facts.first_ns - facts.since_ns) // MINUTE_NS
    if facts.first_ns and facts.since_ns and late >= LATE_MINUTES:
        yield Reason(
            "late",
            f"it starts later today: its first bar is of {_clock(facts.first_ns)}, {late:,} "
            f"minutes after the first of all ({_clock(facts.since_ns)})",
        )
    if traded and facts.elapsed > 0 and facts.quiet and facts.dense < THIN * facts.elapsed:
        yield Reason(
            "thin",
            f"traded in {facts.dense:,} of {facts.elapsed:,} session minutes; in {facts.quiet:,} "
            "it was quiet while the feed was whole",
        )


def _feed(facts: Facts) -> Iterator[Reason]:
    """Yield what the feed has to do with it."""
    if facts.unknown:
        gaps = "1 gap was" if facts.gaps == 1 else f"{facts.gaps:,} gaps were"
        because = f": {gaps} not healed" if facts.gaps else ""
        yield Reason(
            "gap", f"in {facts.unknown:,} minutes the feed is not known to have been whole{because}"
        )
    if facts.missing:
        minutes = "1 minute" if facts.missing == 1 else f"{facts.missing:,} minutes"
        yield Reason(
            "missing", f"of {minutes} Databento has a bar that is not here, or differs from ours"
        )
    if facts.remaps:
        times = "once" if facts.remaps == 1 else f"{facts.remaps:,} times"
        yield Reason("remapped", f"the feed gave it another instrument id {times} today")


def _board(facts: Facts) -> Iterator[Reason]:
    """Yield what keeps it off the board, or without a change."""
    if math.isnan(facts.prev_close):
        yield Reason("no close", "no previous close is known, so that it has no change")
    for part in facts.refused:
        if part.known:
            yield Reason("gated", f"kept off the board by {part.text!r}{_has(part)}")
        else:
            yield Reason("gate", f"whether {part.text!r} keeps it off the board is not kept")


def _whole(facts: Facts) -> str:
    if facts.elapsed <= 0:
        return f"nothing is wrong with it: {facts.bars:,} bars"
    return f"nothing is wrong with it: bars in {facts.dense:,} of {facts.elapsed:,} session minutes"


def _clock(ns: int) -> str:
    return f"{new_york_time(ns):%H:%M}"


def _has(part: GatePart) -> str:
    """Return what a symbol has of the metrics in a condition; of yes-or-no ones those with yes."""
    said = []
    for key, value in part.has:
        if metric_of(key.name).unit is not Unit.FLAG:
            said.append(f"its {key} is {_figure(value)}")
        elif value > 0:
            said.append(f"{key}: yes")
    return f" ({', '.join(said)})" if said else ""


def _figure(value: float) -> str:
    if math.isnan(value):
        return "not known"
    return f"{value:,.2f}".rstrip("0").rstrip(".")
