"""The market of a session date as far as the database has it, in the form that conditions read."""

from __future__ import annotations

import numpy as np

from stockscan_tui.market.calendar import TradingDay
from stockscan_tui.market.kinds import kinds_of
from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.market.snapshot import CloseSource, CoverageFigures, Feed, Health, Snapshot
from stockscan_tui.store.inquiry import SymbolDay

# Metrics that are made of what is stored, without brackets.
STORED = frozenset(
    {"mark", "last", "bid", "ask", "mid", "spread", "spread_pct", "prev_close", "chg",
     "chg_dollars", "volume", "dvol", "trades", "bars", "trade_age", "quote_age", "tier",
     "warrant", "unit", "right", "preferred"}
)  # fmt: skip
_SOURCES = {source.name.lower(): source.value for source in CloseSource}


def tells(key: MetricKey) -> bool:
    """Return whether such a picture has what a metric is made of."""
    return key == MetricKey(key.name) and key.name in STORED


def picture_of(stored: SymbolDay, day: TradingDay, dataset: str) -> Snapshot:
    """Return the market at the instant of the newest state that was stored.

    What is not stored is missing: NaN, or none.
    """
    count = len(stored)
    nothing = np.full(count, np.nan)
    event_ns = int(stored.updated_ns.max(initial=day.pre_ns))
    sources = [_SOURCES.get(name, 0) for name in stored.prev_close_source]
    return Snapshot(
        serial=1,
        event_ns=event_ns,
        session_date=day.session_date,
        session=day.session_at(event_ns),
        regular_ns=day.regular_ns,
        next_session_ns=0,
        feed=Feed("REPLAY", "", dataset, ""),
        health=Health(),
        symbols=stored.symbol,
        by_symbol=np.arange(count),
        mark=stored.mark,
        last=stored.last,
        bid=stored.bid,
        ask=stored.ask,
        prev_close=stored.prev_close,
        close_source=np.array(sources, np.uint8),
        close_age=np.ones(count, np.uint8),
        regular_close=nothing,
        open=nothing,
        high=nothing,
        low=nothing,
        high_day=nothing,
        low_day=nothing,
        regular_open=nothing,
        pre_open=nothing,
        volume=stored.volume,
        trades=np.maximum(stored.trades, 0),
        notional=stored.notional,
        vwap=nothing,
        bars=stored.bars,
        last_trade_ns=stored.trade_ns,
        last_quote_ns=stored.quote_ns,
        mark_history=(),
        average_volume=nothing,
        volume_share=np.nan,
        split_suspect=np.zeros(count, np.bool_),
        streak=nothing,
        day=day,
        signs=kinds_of(stored.symbol),
        coverage=_coverage(stored),
    )


def _coverage(stored: SymbolDay) -> CoverageFigures | None:
    elapsed = int(stored.elapsed.max(initial=-1))
    if elapsed < 0:
        return None
    return CoverageFigures(
        elapsed=elapsed,
        traded=stored.traded,
        backfilled=stored.backfilled,
        quiet=stored.quiet,
        missing=stored.missing,
        unknown=stored.unknown,
        verified=np.maximum(stored.verified, 0),
    )
