"""How complete the session's minutes are, for the market and for parts of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stockscan_tui.market.metrics import MetricKey, values_of
from stockscan_tui.market.snapshot import CoverageFigures, Integers, Snapshot, Verification

# Moves of at least so many percent, either way; the next one begins where it ends.
TIERS = (20.0, 10.0, 5.0, 1.0)
WIDE_PCT = 2.0


@dataclass(frozen=True, slots=True)
class Share:
    """Some symbols' minutes, added up over all of them.

    `complete` and `dense` are parts of the minutes that are over, 0 to 1; NaN where there are none.
    """

    symbols: int
    complete: float = math.nan
    dense: float = math.nan
    missing: int = 0
    unknown: int = 0


def share_of(coverage: CoverageFigures | None, rows: Integers | None = None) -> Share:
    """Return the share of some symbols, of all of them where no rows are given."""
    if coverage is None:
        return Share(0 if rows is None else len(rows))
    kinds = (
        coverage.traded,
        coverage.backfilled,
        coverage.quiet,
        coverage.missing,
        coverage.unknown,
    )
    if rows is not None:
        rows = rows[rows < len(coverage.traded)]
    traded, backfilled, quiet, missing, unknown = (
        int((kind if rows is None else kind[rows]).sum()) for kind in kinds
    )
    total = traded + backfilled + quiet + missing + unknown
    count = len(coverage.traded) if rows is None else len(rows)
    if not total:
        return Share(count)
    return Share(
        symbols=count,
        complete=(traded + backfilled + quiet) / total,
        dense=(traded + backfilled) / total,
        missing=missing,
        unknown=unknown,
    )


def rows_by_tier(snapshot: Snapshot) -> list[tuple[str, Integers]]:
    """Return the rows of the symbols in each tier of moves, with the tier's name."""
    moved = np.nan_to_num(np.abs(values_of(MetricKey("chg"), snapshot)), nan=-1.0)
    found = []
    ceiling = math.inf
    for floor in TIERS:
        name = f"≥ {floor:.0f} %" if math.isinf(ceiling) else f"{floor:.0f}–{ceiling:.0f} %"
        found.append((name, np.flatnonzero((moved >= floor) & (moved < ceiling))))
        ceiling = floor
    return found


def verified_share(found: Verification) -> float:
    """Return the part of the bars compared that are Databento's now, NaN where none was."""
    compared = found.equal + found.differing + found.lacking + found.surplus
    return (found.equal + found.healed) / compared if compared else math.nan


def wide_share(snapshot: Snapshot) -> float:
    """Return the part of the quoted symbols whose quote is wider than 2 %; NaN for no quote."""
    spread = values_of(MetricKey("spread_pct"), snapshot)
    quoted = np.isfinite(spread)
    count = int(np.count_nonzero(quoted))
    return int(np.count_nonzero(spread[quoted] > WIDE_PCT)) / count if count else math.nan
