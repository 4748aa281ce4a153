"""What a session date came to, of all that a run counts; the engine's thread."""

from __future__ import annotations

from stockscan_tui.market import kernel as k
from stockscan_tui.market.batch import DayRecord
from stockscan_tui.market.calendar import TradingDay
from stockscan_tui.market.completeness import share_of, verified_share
from stockscan_tui.market.snapshot import CoverageFigures, Health
from stockscan_tui.market.state import Market
from stockscan_tui.market.view import traded_today


class DayCounts:
    """Tells a session date's part of a run's counts."""

    def __init__(self) -> None:
        self._before = Health()
        self._began_ns = 0

    def begin_day(self, at_ns: int, counted: Health) -> None:
        """Let a session date begin at an instant, `counted` being all that came before it."""
        self._before = counted
        self._began_ns = at_ns

    def record(
        self,
        market: Market,
        day: TradingDay,
        figures: CoverageFigures,
        counted: Health,
        first_ns: int,
    ) -> DayRecord:
        """Return the record of the date as far as it has come.

        Args:
            market: What was captured.
            day: The date.
            figures: The verdicts of its minutes.
            counted: What the run has counted.
            first_ns: The run's first record.
        """
        before, found = self._before, market.verification
        share = share_of(figures)
        compared = found.equal + found.differing + found.lacking + found.surplus
        trades, _notional = traded_today(market)
        return DayRecord(
            session_date=day.session_date,
            first_ns=max(first_ns, self._began_ns),
            last_ns=market.clock_ns,
            records=counted.records - before.records,
            trades=int(trades.sum()),
            bars=int(market.rows[:, k.BAR_COUNT].sum()),
            symbols=market.count,
            elapsed=figures.elapsed,
            completeness=share.complete,
            density=share.dense,
            gaps=counted.gaps - before.gaps,
            healed=counted.healed - before.healed,
            unknown=share.unknown,
            compared=compared,
            equal=found.equal,
            differing=found.differing,
            lacking=found.lacking,
            surplus=found.surplus,
            verified=verified_share(found),
            late=counted.late - before.late,
            unmapped=counted.unmapped - before.unmapped,
        )
