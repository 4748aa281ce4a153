"""NautilusTrader's Databento loader and bar aggregation, where that is installed.

python -m stockscan_tui.bench.nautilus FILE INTO

It is run in a process of its own, since a record that it does not expect ends the whole process.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from stockscan_tui.bench.bars import Bars
from stockscan_tui.environment import of_own_process
from stockscan_tui.market.calendar import MINUTE_NS

NAME = "NautilusTrader's loader + TimeBarAggregator"
# Simulated prices under a dollar go by a hundredth of a cent.
_DECIMALS = 4
_WAIT_S = 120.0


def measured(path: Path, into: Path, number_of: Mapping[str, int]) -> tuple[float, Bars]:
    """Return the seconds that it takes with a .dbn.zst file, and the bars.

    Args:
        path: The file; trades of no size are not taken by Nautilus.
        into: Where the bars are passed on.
        number_of: Instrument ids by symbol.

    Raises:
        ImportError: It is not installed.
        RuntimeError: It failed.
    """
    if find_spec("nautilus_trader") is None:
        raise ImportError(name="nautilus_trader")
    command = [sys.executable, "-m", "stockscan_tui.bench.nautilus", str(path), str(into)]
    done = subprocess.run(  # noqa: S603 - this very program
        command, capture_output=True, text=True, check=False, timeout=_WAIT_S, env=of_own_process()
    )
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    with np.load(into) as kept:
        numbers = np.array([number_of[name] for name in kept["symbol"].tolist()], np.int64)
        table: Bars = np.column_stack([numbers, kept["bars"]])
    return float(done.stdout), table[np.lexsort((table[:, 1], table[:, 0]))]


def load(path: Path) -> Any:
    """Return the quotes and trades of a .dbn.zst file as Nautilus's objects."""
    from nautilus_trader.adapters.databento.loaders import DatabentoDataLoader  # noqa: PLC0415

    return DatabentoDataLoader().from_dbn_file(path, price_precision=_DECIMALS, include_trades=True)


def aggregate(data: Any) -> list[Any]:
    """Return the minute bars of loaded data, the last quotes being kept beside them."""
    from nautilus_trader.common.component import TestClock  # noqa: PLC0415
    from nautilus_trader.model.data import TradeTick  # noqa: PLC0415

    clock = TestClock()
    clock.set_time(data[0].ts_init // MINUTE_NS * MINUTE_NS)
    made: list[Any] = []
    aggregators: dict[Any, Any] = {}
    quotes: dict[Any, Any] = {}
    for tick in data:
        if tick.ts_init > clock.timestamp_ns():
            for event in clock.advance_time(tick.ts_init):
                event.handle()
        number = tick.instrument_id
        if not isinstance(tick, TradeTick):
            quotes[number] = tick
            continue
        known = aggregators.get(number)
        if known is None:
            known = aggregators[number] = _aggregator(number, clock, made.append)
        known.handle_trade_tick(tick)
    for event in clock.advance_time(clock.timestamp_ns() // MINUTE_NS * MINUTE_NS + MINUTE_NS):
        event.handle()
    return made


def _aggregator(number: Any, clock: Any, take: Any) -> Any:
    from nautilus_trader.data.aggregation import TimeBarAggregator  # noqa: PLC0415
    from nautilus_trader.model.currencies import USD  # noqa: PLC0415
    from nautilus_trader.model.data import BarType  # noqa: PLC0415
    from nautilus_trader.model.instruments import Equity  # noqa: PLC0415
    from nautilus_trader.model.objects import Price, Quantity  # noqa: PLC0415

    share = Equity(
        instrument_id=number, raw_symbol=number.symbol, currency=USD, price_precision=_DECIMALS,
        price_increment=Price(10**-_DECIMALS, _DECIMALS), lot_size=Quantity.from_int(1),
        ts_event=0, ts_init=0,
    )  # fmt: skip
    kind = BarType.from_str(f"{number}-1-MINUTE-LAST-INTERNAL")
    made = TimeBarAggregator(share, kind, take, clock, build_with_no_updates=False)
    # Later versions begin by themselves no more.
    if hasattr(made, "start_timer"):
        made.start_timer()
    return made


def main(path: str, into: str) -> None:
    """Be the process: load and aggregate a file, keep the bars and print the seconds."""
    began = perf_counter()
    made = aggregate(load(Path(path)))
    took = perf_counter() - began
    # Its bars do not count trades.
    rows = [
        (
            # A bar is stamped with its minute's end.
            bar.ts_event // MINUTE_NS - 1,
            *(round(float(price) * 1e9) for price in (bar.open, bar.high, bar.low, bar.close)),
            round(float(bar.volume)),
            0,
        )
        for bar in made
    ]
    symbols = [bar.bar_type.instrument_id.symbol.value for bar in made]
    np.savez(into, bars=np.array(rows, np.int64), symbol=np.array(symbols))
    sys.stdout.write(f"{took}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
