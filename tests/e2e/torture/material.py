"""The days that are played: tapes as DBN files, rules, closes, and the bars that must come of them.

The bars are pandas', made of what the official client reads from the file that the gateway plays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, SECOND_NS
from stockscan_tui.market.dbn import OHLCV_DTYPE
from tests import wire
from tests.e2e.torture.aims import Pace
from tests.e2e.torture.forge import Forge

# Their trades end each tape: whoever has told of the second has taken in all before the first.
MARKER = "ZZEND"
PULSE = "PULSE"
# Monday 2026-06-15, 20:00 in New York: midnight UTC, from which on the numbers are others.
MIDNIGHT_NS = wire.OPEN_NS + 630 * MINUTE_NS
# 03:57: nothing is true yet as the day's first session begins.
MORNING_NS = wire.OPEN_NS - 333 * MINUTE_NS
# Tuesday, 03:50: the next session date begins.
ROLLOVER_NS = MIDNIGHT_NS + 470 * MINUTE_NS
PRICES = ("open", "high", "low", "close")
FIGURES = (*PRICES, "volume", "trades", "notional")
_SHIFT = 5_000
_RULES = """
[[rule]]
name = "move"
move = 3

[[rule]]
name = "swing"
move = 5
rearm = 4.5
cooldown = "10m"

[[rule]]
name = "reclaim"
when = "crosses_above(mark, vwap) and trades > 20"
cooldown = "5m"

[[rule]]
name = "breakout"
when = "mark >= high and volume(5m) > 500"
rearm = "hod_pct < -1"
cooldown = "0s"

[[rule]]
name = "pulse"
when = "trades > 0 and mark > 3000"
rearm = "trades > 0"
cooldown = "5s"
"""


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """A tape and what comes of it.

    Attributes:
        path: The DBN file.
        rules: A rules file.
        closes: The previous closes, as CSV.
        first_ns: Of its first record.
        end_ns: Where the marker's trades begin; all that is compared lies before it.
        bars: (symbol, minute) to open, high, low, close (1e-9 dollars), volume, trades, notional;
            without the marker's.
    """

    path: Path
    rules: Path
    closes: Path
    first_ns: int
    end_ns: int
    bars: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Plan:
    """What a day is made of: `begin_ns`, minutes, symbols and records a minute."""

    name: str
    begin_ns: int
    minutes: int
    symbols: int = 80
    per_minute: int = 900
    seed: int = 1


def make_day(folder: Path, plan: Plan) -> Day:
    """Make a day of quotes and trades."""
    records = _records(plan)
    names = [f"S{number:03}" for number in range(plan.symbols)] + [PULSE, MARKER]
    records = np.concatenate((records, _pulse(plan), *_marker(plan)))
    records = records[np.argsort(records["ts_recv"], kind="stable")]
    late = records["ts_recv"] >= MIDNIGHT_NS
    records["instrument_id"][late] += _SHIFT
    path = folder / f"{plan.name}.mbp-1.dbn"
    wire.write(path, wire.metadata(mappings=_mappings(names), start_ns=plan.begin_ns), records)
    (folder / f"{plan.name}.toml").write_text(_RULES, "utf-8")
    closes = [f"{name},{_first_price(at) / 100:.2f}" for at, name in enumerate(names[:-1])]
    (folder / f"{plan.name}.csv").write_text("\n".join(["symbol,close", *closes]), "utf-8")
    return Day(
        path,
        folder / f"{plan.name}.toml",
        folder / f"{plan.name}.csv",
        int(records["ts_recv"][0]),
        _end_ns(plan),
        bars_of_trades(path),
    )


def make_bars(folder: Path, name: str, begin_ns: int, *, symbols: int, minutes: int) -> Day:
    """Make a file of Databento's minute bars: much to write for little to read."""
    chance = np.random.default_rng(3)
    count = symbols * minutes
    low = chance.integers(1_000, 5_000, count)
    records = np.zeros(count, OHLCV_DTYPE)
    records["length"] = OHLCV_DTYPE.itemsize // 4
    records["rtype"] = 0x21
    records["publisher_id"] = 95
    records["instrument_id"] = np.tile(np.arange(1, symbols + 1), minutes)
    records["ts_event"] = begin_ns + np.repeat(np.arange(minutes), symbols) * MINUTE_NS
    for column, above in zip(PRICES, (30, 60, 0, 15), strict=True):
        records[column] = (low + above) * 10_000_000
    records["volume"] = chance.integers(1, 1_000, count)
    path = folder / f"{name}.ohlcv-1m.dbn"
    names = [f"S{number:03}" for number in range(symbols)]
    wire.write(
        path,
        wire.metadata("ohlcv-1m", mappings=_mappings(names), start_ns=begin_ns),
        records,
    )
    bars = pd.DataFrame({c: records[c].astype(np.int64) for c in (*PRICES, "volume")})
    bars["trades"], bars["notional"] = -1, -1
    bars["symbol"] = np.array(names)[records["instrument_id"] - 1]
    bars["minute"] = (records["ts_event"] // MINUTE_NS).astype(np.int64)
    end_ns = begin_ns + minutes * MINUTE_NS
    nothing = folder / "none.toml"
    nothing.write_text("", "utf-8")
    (folder / "none.csv").write_text("symbol,close\nS000,10\n", "utf-8")
    return Day(
        path, nothing, folder / "none.csv", begin_ns, end_ns, bars.set_index(["symbol", "minute"])
    )


def bars_of_trades(path: Path) -> pd.DataFrame:
    """Return a file's bars by the official client and pandas, without the marker's."""
    import databento

    frame = databento.DBNStore.from_file(path).to_df(price_type="fixed", pretty_ts=False)
    frame = frame.reset_index()
    frame = frame[(frame["action"] == "T") & (frame["size"] > 0) & (frame["symbol"] != MARKER)]
    frame = frame.astype({"ts_recv": "int64", "price": "int64", "size": "int64"})
    frame["minute"] = frame["ts_recv"] // MINUTE_NS
    frame["notional"] = frame["price"] * frame["size"]
    price, size = ("price",), ("size",)
    told: dict[str, Any] = {
        "open": (*price, "first"),
        "high": (*price, "max"),
        "low": (*price, "min"),
        "close": (*price, "last"),
        "volume": (*size, "sum"),
        "trades": (*size, "count"),
        "notional": ("notional", "sum"),
    }
    frame = frame.sort_values("ts_recv", kind="stable")
    bars: pd.DataFrame = frame.groupby(["symbol", "minute"]).agg(**told)
    return bars


class Shelf:
    """The days of a folder, each made when it is first asked for, and what all attacks share.

    Args:
        folder: Where they are kept.
        forge: What forks lives that need not be started plainly; None to start all plainly.
    """

    def __init__(self, folder: Path, forge: Forge | None = None) -> None:
        self.folder = folder
        self.forge = forge
        self.pace = Pace()
        self.morning = self._one(Plan("morning", MORNING_NS, 45))
        self.long = self._one(Plan("long", wire.OPEN_NS, 60, per_minute=2_500))
        self.midnight = self._one(Plan("midnight", MIDNIGHT_NS - 10 * MINUTE_NS, 18))
        self.rollover = self._one(Plan("rollover", ROLLOVER_NS - 5 * MINUTE_NS, 20))
        self.closed = self._one(Plan("closed", MIDNIGHT_NS + 10 * MINUTE_NS, 10, symbols=20))
        self.short = self._one(Plan("short", MORNING_NS, 12, symbols=40, per_minute=600))

    def _one(self, plan: Plan) -> Callable[[], Day]:
        return cache(lambda: make_day(self.folder, plan))

    @cache  # noqa: B019 - one shelf a run
    def bars(self) -> Day:
        """Return many minute bars."""
        return make_bars(self.folder, "bars", wire.OPEN_NS, symbols=500, minutes=300)

    @cache  # noqa: B019 - one shelf a run
    def old(self) -> Day:
        """Return the minute bars of five days that were long ago."""
        begin_ns = wire.OPEN_NS - 70 * DAY_NS
        return make_bars(self.folder, "old", begin_ns, symbols=4, minutes=5 * 1_440)


def without(day: Day, begin_ns: int, end_ns: int) -> Day:
    """Return a day without the bars of a span, whose minutes are compared no more."""
    minutes = day.bars.index.get_level_values("minute")
    inside = (minutes >= begin_ns // MINUTE_NS) & (minutes < end_ns // MINUTE_NS)
    return replace(day, bars=day.bars[~inside])


def _first_price(at: int) -> int:
    """Return a symbol's price in cents as its day begins."""
    return 1_000 + 50 * at


def _records(plan: Plan) -> wire.Records:
    """Return rows of symbols that wander about, a third of them trades."""
    count = plan.per_minute * plan.minutes
    records = wire.random_rows(plan.seed, count, plan.symbols, plan.minutes)
    for name in ("ts_recv", "ts_event"):
        records[name] = records[name].astype(np.int64) + (plan.begin_ns - wire.OPEN_NS)
    steps = np.random.default_rng(plan.seed + 1).normal(0, 0.003, count)
    for at in range(plan.symbols):
        own = np.flatnonzero(records["instrument_id"] == at + 1)
        middle = np.maximum(10, _first_price(at) * np.exp(np.cumsum(steps[own]))).astype(np.int64)
        records["price"][own] = middle * 10_000_000
        records["bid_px"][own] = (middle - 1) * 10_000_000
        records["ask_px"][own] = (middle + 1) * 10_000_000
    return records


def _pulse(plan: Plan) -> wire.Records:
    """Return a trade a second of one symbol, whose alerts tell what time it is."""
    times = range(plan.begin_ns + SECOND_NS // 2, _end_ns(plan) - MINUTE_NS, SECOND_NS)
    number = plan.symbols + 1
    rows = [(ns, number, 5_000.0 + at % 7, 1) for at, ns in enumerate(times)]
    return wire.rows_with_trade(wire.trades(rows))


def _marker(plan: Plan) -> tuple[wire.Records, ...]:
    end_ns = _end_ns(plan)
    number = plan.symbols + 2
    rows = [(end_ns + at * 20 * SECOND_NS, number, 4_000.0, 1) for at in range(10)]
    return (wire.rows_with_trade(wire.trades(rows)),)


def _end_ns(plan: Plan) -> int:
    return plan.begin_ns + (plan.minutes + 2) * MINUTE_NS


def _mappings(names: list[str]) -> dict[str, list[tuple[date, date, int]]]:
    """Return numbers that change at midnight UTC, for weeks before and after."""
    before, after = wire.DAY - timedelta(days=120), wire.DAY + timedelta(days=3)
    turn = wire.DAY + timedelta(days=1)
    return {
        name: [(before, turn, number), (turn, after, number + _SHIFT)]
        for number, name in enumerate(names, 1)
    }
