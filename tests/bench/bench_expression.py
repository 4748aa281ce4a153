"""What a filter costs: to read, to evaluate over all symbols, to complete.

Each beside plain NumPy that does the same by hand.

    python -m tests.bench.bench_expression
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from stockscan_tui.market.snapshot import Flags, Snapshot
from stockscan_tui.scan.expression import complete, parse
from stockscan_tui.scan.gates import SHIPPED
from tests.ui.market import market

FIVE = "chg > 5 and rvol >= 3 and mark 1..20 and dvol > 100k and not spread_pct > 3"
LONG = (
    "chg(5m) > 2 and abs(gap) >= 4% and mark > min(vwap, 20) and not warrant and dvol >= 250k or NV"
)


def median_ms(work: Callable[[], object], before: Callable[[], object], times: int = 200) -> float:
    """Return the median milliseconds of some work, each time after something that is not timed."""
    took = []
    for _ in range(times):
        before()
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


def by_hand(s: Snapshot) -> Flags:
    """Return FIVE as one would write it without an expression."""
    with np.errstate(all="ignore"):
        change = (s.mark / s.prev_close - 1) * 100
        usual = s.average_volume * s.volume_share
        spread = (s.ask - s.bid) / ((s.ask + s.bid) / 2) * 100
        shown: Flags = (change > 5) & (s.volume / usual >= 3) & (s.mark >= 1) & (s.mark <= 20)
        return shown & (s.notional > 100_000) & ~(spread > 3)


def main() -> None:
    """Measure and print."""
    s = market(12_000)
    nothing = lambda: None  # noqa: E731
    hand = median_ms(lambda: by_hand(s), nothing)
    print(f"12,000 symbols, {FIVE}")
    print(f"  by hand in NumPy {hand:.3f} ms")
    for name, text in (
        ("five terms", FIVE),
        ("shipped gate", SHIPPED.regular),
        ("prefixes", "NV K"),
    ):
        expression = parse(text)
        cold = median_ms(lambda e=expression: e.rows(s), s.cache.clear)  # type: ignore[misc]
        warm = median_ms(lambda e=expression: e.rows(s), nothing)  # type: ignore[misc]
        print(f"  {name}: metrics not cached {cold:.3f} ms ({cold / hand:.1f}×), cached {warm:.3f}")
    print(f"  unknown: {median_ms(lambda: parse(FIVE).unknown(s), s.cache.clear):.3f} ms")
    fresh = median_ms(lambda: parse("NV K").mask(s), nothing, 20)
    print(f"  prefixes for the first time: {fresh:.3f} ms")
    print(f"parse of {len(LONG)} characters: {median_ms(lambda: parse(LONG), nothing):.3f} ms")
    print(f"complete: {median_ms(lambda: complete(LONG + ' and r', 200), nothing):.3f} ms")


if __name__ == "__main__":
    main()
