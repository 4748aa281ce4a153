"""The report's figures: a day of 12,000 symbols, alone and held against Databento's bars.

Run it with `python -m tests.bench.bench_report`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from stockscan_tui.market.batch import Batch, MinuteKinds, StateBatch
from stockscan_tui.market.calendar import MINUTE_NS, new_york_time
from stockscan_tui.market.states import tiers
from stockscan_tui.report.capture import Theirs, Wanted, report_day
from stockscan_tui.store.inquiry import Inquiry
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.writer import Writer
from tests.bench.bench_store import (
    DAY_MINUTES,
    FIRST_MINUTE,
    NAMES,
    SYMBOLS,
    bars_of,
)

# A day's first minute, 04:00 in New York.
FIRST = FIRST_MINUTE + 220
SESSION = new_york_time(FIRST * MINUTE_NS).date()
TURNS = 5


def write_day(path: Path) -> None:
    """Write a day's bars, verdicts and states, and print what the verdicts take."""
    random = np.random.default_rng(1)
    share = np.arange(1, SYMBOLS + 1) ** -0.7
    share = np.minimum(1, share / share.sum() * 3_300)
    writer = Writer.open(path, dataset="BENCH", capacity=2)
    for serial, minute in enumerate(range(0, DAY_MINUTES, 48), start=1):
        traded = random.random((48, SYMBOLS)) < share
        at, slots = np.nonzero(traded)
        writer.put(
            Batch(
                serial,
                symbols=NAMES if serial == 1 else (),
                bars=bars_of(slots, FIRST + minute + at, random),
                kinds=tuple(
                    MinuteKinds(SESSION, FIRST + minute + n, np.where(row, 0, 2).astype(np.uint8))
                    for n, row in enumerate(traded)
                ),
            )
        )
    writer.put(Batch(serial + 1, states=(_states(random),)))
    writer.close(60)


def _states(random: np.random.Generator) -> StateBatch:
    change = random.normal(0, 8, SYMBOLS)
    price, count = np.full(SYMBOLS, 10.0), np.ones(SYMBOLS, np.int64)
    return StateBatch(
        session_date=SESSION,
        slot=np.arange(SYMBOLS, dtype=np.int32),
        mark=price,
        last=price,
        bid=price,
        ask=price,
        prev_close=price,
        prev_close_source=("daily",) * SYMBOLS,
        chg=change,
        volume=count,
        tier=tiers(change),
        trades=count,
        bars=count,
        notional=price,
        trade_ns=count,
        quote_ns=count,
        remaps=count * 0,
        updated_ns=FIRST * MINUTE_NS,
    )


def timed(name: str, work: Callable[[], object]) -> None:
    """Print the least of some turns."""
    took = []
    for _ in range(TURNS):
        began = perf_counter()
        work()
        took.append(perf_counter() - began)
    print(f"{name:<52}{min(took) * 1e3:>9.0f} ms")


def main() -> None:
    """Print the figures."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "day.duckdb"
        write_day(path)
        reader = Reader.open(path)
        bars = Inquiry(reader).bars(SESSION, NAMES)
        order = np.argsort(bars.minute, kind="stable")
        theirs = bars.where(order[np.arange(len(bars)) % 997 > 0])
        theirs.close[::1_000] += 10_000_000

        def ask(_dataset: str, _symbols: Sequence[str], _date: date) -> Theirs:
            return Theirs(NAMES, theirs, FIRST, FIRST + DAY_MINUTES)

        kept = reader.rows("SELECT sum(octet_length(kinds)) FROM minute_verdicts")[0][0]
        print(f"{SYMBOLS:,} symbols, {DAY_MINUTES} minutes, {len(bars):,} bars")
        print(f"verdicts stored: {kept / 1e6:.1f} MB")
        timed("report", lambda: report_day(reader, Wanted()))
        timed("report, every bar compared", lambda: report_day(reader, Wanted(), ask))
        reader.release()


if __name__ == "__main__":
    main()
