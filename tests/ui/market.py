"""A market that stands still, and a player and a clock that do as they are told."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import date, time, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from stockscan_tui.errors import StoreError
from stockscan_tui.market.batch import BarSource
from stockscan_tui.market.calendar import (
    MINUTE_NS,
    SECOND_NS,
    Session,
    TradingDay,
    new_york_ns,
    new_york_time,
)
from stockscan_tui.market.fired import Fired, packed
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.snapshot import (
    MOST_FIRED,
    CloseSource,
    Feed,
    Floats,
    FocusBars,
    Health,
    Phase,
    Prints,
    Snapshot,
    Timeline,
)
from stockscan_tui.market.study import Study
from stockscan_tui.market.symbol_bars import SymbolBars
from stockscan_tui.market.user_data import Own
from stockscan_tui.scan.rules import Rules

# Monday 2026-06-15, 10:41:07 in New York.
NOW_NS = 1_781_530_200 * SECOND_NS + 71 * MINUTE_NS + 7 * SECOND_NS


def symbols(count: int) -> tuple[str, ...]:
    """Return distinct symbols of four letters, in no order."""
    letters = "KQTBZMXARLEWSNVD"
    names = []
    for n in range(count):
        m = n * 7_919 + 13
        names.append("".join(letters[(m >> (4 * k)) % 16] for k in range(4)))
    return tuple(f"{name}{n}" if names.count(name) > 1 and count < 500 else name
                 for n, name in enumerate(names))  # fmt: skip


def market(count: int = 60, seed: int = 1, **changed: Any) -> Snapshot:
    """Return a snapshot of `count` symbols in regular hours, fields replaced as told."""
    rng = np.random.default_rng(seed)
    close: Floats = np.round(np.exp(rng.normal(3, 1.3, count)), 2).astype(np.float64)
    moves = np.cumsum(rng.normal(0, 0.006, (90, count)), axis=0) + rng.normal(0, 0.12, count)
    marks = close * np.exp(moves)
    mark = np.round(marks[-1], 2)
    mark[count // 2] = np.nan
    spread = np.round(np.maximum(0.01, mark * rng.uniform(0.0003, 0.03, count)), 2)
    source = np.full(count, CloseSource.DAILY.value, np.uint8)
    source[3::11] = CloseSource.REPLAY.value
    prev_close: Floats = close.copy()
    prev_close[5::13], source[5::13] = np.nan, CloseSource.NONE.value
    names = symbols(count)
    volume = rng.geometric(0.0001, count).astype(np.int64)
    snapshot = Snapshot(
        serial=seed,
        event_ns=NOW_NS,
        session_date=date(2026, 6, 15),
        day=day_of(),
        session=Session.REGULAR,
        regular_ns=NOW_NS - 71 * MINUTE_NS,
        next_session_ns=NOW_NS + 319 * MINUTE_NS,
        feed=Feed("REPLAY", "day.dbn.zst", "EQUS.MINI", "mbp-1", speed=60.0, progress=0.42,
                  phase=Phase.PLAYING),
        health=Health(records=8_400_000, trades=840_000, quotes=8_400_000, bars=301_222,
                      symbols=count, records_per_s=41_300.0),
        symbols=names,
        by_symbol=np.array(sorted(range(count), key=names.__getitem__), np.int64),
        mark=mark,
        last=mark,
        bid=mark - spread / 2,
        ask=mark + spread / 2,
        prev_close=prev_close,
        close_source=source,
        close_age=np.ones(count, np.uint8),
        regular_close=np.full(count, np.nan),
        open=marks[20],
        high=np.nanmax(marks, axis=0),
        low=np.nanmin(marks, axis=0),
        high_day=np.nanmax(marks, axis=0),
        low_day=np.nanmin(marks, axis=0),
        regular_open=marks[20],
        pre_open=marks[0],
        volume=volume,
        trades=volume // 90,
        notional=(volume * close).astype(np.float64),
        vwap=marks.mean(axis=0),
        bars=rng.integers(0, 400, count),
        last_trade_ns=np.full(count, NOW_NS - 3 * SECOND_NS, np.int64),
        last_quote_ns=np.full(count, NOW_NS, np.int64),
        mark_history=tuple(marks),
        average_volume=np.full(count, np.nan),
        volume_share=0.3,
        split_suspect=np.zeros(count, np.bool_),
        streak=np.zeros(count),
    )  # fmt: skip
    return replace(snapshot, **{"cache": {}, **changed})


def day_of(ns: int = NOW_NS, days: int = 0) -> TradingDay:
    """Return the full trading day `days` after that of an instant in regular hours."""
    day = new_york_time(ns).date() + timedelta(days=days)
    hours = [new_york_ns(day, time(*at)) for at in ((3, 50), (4,), (9, 30), (16,), (20,))]
    return TradingDay(day, *hours)


def passed(snapshot: Snapshot, *, end_ns: int = 0, **changed: Any) -> Snapshot:
    """Return the snapshot of a replay that has played from 04:00 to where it stands."""
    day = day_of(snapshot.event_ns)
    minute = np.arange(day.pre_ns, snapshot.event_ns, MINUTE_NS) // MINUTE_NS
    since_open = minute - day.regular_ns // MINUTE_NS
    busy = np.where(since_open < 0, 300 + since_open % 7 * 60, 60_000 / (1 + abs(since_open) / 12))
    timeline = Timeline(
        begin_ns=day.pre_ns,
        end_ns=end_ns or day.post_end_ns,
        reached_ns=snapshot.event_ns,
        minute=minute,
        records=busy.astype(np.int64),
        days=(day,),
    )
    return replace(snapshot, timeline=replace(timeline, **changed))


def focus(snapshot: Snapshot, symbol: str | None) -> Snapshot:
    """Return the snapshot with the last bars of a symbol."""
    if symbol is None or symbol not in snapshot.symbols:
        return snapshot
    row = snapshot.symbols.index(symbol)
    close = np.array([marks[row] for marks in snapshot.mark_history[-40:]])
    minute = NOW_NS // MINUTE_NS - np.arange(40, 0, -1)
    bars = FocusBars(row, minute, close * 0.999, close * 1.002, close * 0.997, close,
                     np.arange(40) * 37 + 100, np.arange(40) + 1)  # fmt: skip
    return replace(snapshot, focus=bars, prints=prints_of(snapshot, row))


def prints_of(snapshot: Snapshot, row: int, count: int = 60) -> Prints:
    """Return the last trades of a symbol up to its mark, every seventh of an unknown side."""
    at = np.arange(count)
    price = np.round(snapshot.mark[row] * (1 + 0.0004 * np.sin(count - 1 - at)), 2)
    side = np.where(at % 7 == 0, 0, np.where(at % 3, 1, -1))
    ts_ns = snapshot.event_ns - (count - at) * 1_370_000_000
    return Prints(row, ts_ns, price, (at * 37) % 900 + 1, side)


def walked(day: TradingDay, until_ns: int, last: float, seed: int) -> SymbolBars:
    """Return a day's minute bars that end at a price; thin in pre-market, with a few holes."""
    rng = np.random.default_rng(seed)
    minute = np.arange(day.pre_ns, min(until_ns, day.post_end_ns), MINUTE_NS) // MINUTE_NS
    regular = (minute >= day.regular_ns // MINUTE_NS) & (minute < day.post_ns // MINUTE_NS)
    minute = minute[rng.random(len(minute)) < np.where(regular, 0.97, 0.55)]
    steps = rng.normal(0, 0.002, len(minute))
    close = last * np.exp(np.cumsum(steps[::-1])[::-1] * -1.0)
    opened = np.concatenate([[close[0]], close[:-1]]) * (1 + rng.normal(0, 0.0004, len(minute)))
    high = np.maximum(opened, close) * (1 + rng.exponential(0.0008, len(minute)))
    low = np.minimum(opened, close) * (1 - rng.exponential(0.0008, len(minute)))
    volume = rng.geometric(0.0004, len(minute)).astype(np.int64)
    source = np.full(len(minute), BarSource.TRADES, np.uint8)
    return SymbolBars(minute, opened, high, low, close, volume, volume // 90 + 1,
                      volume * (high + low + close) / 3, source)  # fmt: skip


def study_of(snapshot: Snapshot, symbol: str) -> Study | None:
    """Return what a database has of a symbol: today and the day before, and two alerts."""
    if symbol not in snapshot.symbols:
        return Study(symbol, whole=True, leap=snapshot.leap)
    return _stored(symbol, snapshot.event_ns, snapshot.leap,
                   float(snapshot.mark[snapshot.symbols.index(symbol)]))  # fmt: skip


@lru_cache(maxsize=64)
def _stored(symbol: str, event_ns: int, leap: int, mark: float) -> Study:
    last = mark if mark > 0 else 10.0
    seed = sum(map(ord, symbol))
    today = walked(day_of(event_ns), event_ns, last, seed)
    before = walked(day_of(event_ns, -3), event_ns, last * 0.96, seed + 1)
    bars = SymbolBars(*(np.concatenate([getattr(before, f.name), getattr(today, f.name)])
                        for f in fields(SymbolBars)))  # fmt: skip
    at = (today.minute[[60, 200]] * MINUTE_NS + 17 * SECOND_NS).tolist()
    alerts = tuple(Fired(ns, symbol, rule, last, '{"chg": 5.25, "rvol": 3}')
                   for ns, rule in zip(at, ("move", "runner"), strict=True))  # fmt: skip
    return Study(symbol, bars, alerts, whole=True, leap=leap)


def alerts_of(snapshot: Snapshot, count: int, every_s: float = 23.0) -> tuple[Fired, ...]:
    """Return the last alerts of a market, oldest first, the newest two seconds old."""
    rules = ("move", "running up", "gap up", "volume spike 10")
    rows = [row for row in snapshot.by_symbol.tolist() if snapshot.mark[row] > 0]
    found = []
    for n in reversed(range(count)):
        row = rows[(n * 7) % len(rows)]
        price = round(float(snapshot.mark[row]) * (1 + 0.004 * ((n * 5) % 9 - 4)), 2)
        ts_ns = snapshot.event_ns - 2 * SECOND_NS - int(n * every_s * SECOND_NS) - n
        values = packed({"chg": 3.0 + n % 7, "rvol": 2.5 + n % 3}.items())
        found.append(Fired(ts_ns, snapshot.symbols[row], rules[n % 4], price, values,
                           late=n % 13 == 5, gated=n % 11 == 7))  # fmt: skip
    return tuple(found)


def alerted(snapshot: Snapshot, count: int = 30, every_s: float = 23.0) -> Snapshot:
    """Return the snapshot of a market that has had so many alerts."""
    fired = alerts_of(snapshot, count, every_s)
    names = [one.symbol for one in fired]
    return replace(
        snapshot,
        fired=fired[-MOST_FIRED:],
        fired_by_rule=dict(Counter(one.rule for one in fired)),
        alerts=np.array([names.count(symbol) for symbol in snapshot.symbols], np.int64),
        cache={},
    )


class FakePlayer:
    """Shows the snapshot it is given and remembers what it was asked."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.now = snapshot
        self.failed = ""
        self.speeds: list[float] = []
        self.pauses: list[bool] = []
        self.stopped = False
        self.moves: list[tuple[str, int]] = []
        self.wanted: frozenset[IndicatorKey] = frozenset()
        self.own = Own()
        self.rules = Rules()
        self.tell_fired: Callable[[Sequence[Fired]], None] = lambda _: None
        self.stored_alerts: Sequence[Fired] = ()
        self.questions: list[tuple[int, int, int]] = []
        self.unreadable = ""
        self._focus: str | None = None
        self.asked: list[str | None] = []
        self.ready: Callable[[], None] = lambda: None
        self.stored: Callable[[Snapshot, str], Study | None] = study_of

    def want(self, indicators: frozenset[IndicatorKey]) -> None:
        self.wanted = indicators

    def know_own(self, own: Own) -> None:
        self.own = own

    def know_rules(self, rules: Rules) -> None:
        self.rules = rules

    def on_fired(self, listener: Callable[[Sequence[Fired]], None]) -> None:
        self.tell_fired = listener

    def fired_between(self, begin_ns: int, end_ns: int, most: int) -> Sequence[Fired]:
        self.questions.append((begin_ns, end_ns, most))
        if self.unreadable:
            raise StoreError(self.unreadable)
        return [one for one in self.stored_alerts if begin_ns <= one.ts_ns < end_ns][-most:]

    def snapshot(self) -> Snapshot | None:
        return focus(self.now, self._focus) if self.now is not None else None

    def failure(self) -> str:
        return self.failed

    def set_speed(self, speed: float) -> None:
        self.speeds.append(speed)

    def set_paused(self, paused: bool) -> None:
        self.pauses.append(paused)

    def focus(self, symbol: str | None) -> None:
        self._focus = symbol

    def seek(self, ns: int) -> None:
        self.moves.append(("to", ns))

    def seek_by(self, ns: int) -> None:
        self.moves.append(("by", ns))

    def to_now(self) -> None:
        self.moves.append(("now", 0))

    def study(self, symbol: str | None, ready: Callable[[], None] = lambda: None) -> None:
        self.asked.append(symbol)
        self.ready = ready

    def studied(self) -> Study | None:
        asked = self.asked[-1] if self.asked else None
        return self.stored(self.now, asked) if asked is not None and self.now is not None else None

    def stop(self) -> None:
        self.stopped = True


class HandClock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.ns = 1_000 * SECOND_NS

    def now_ns(self) -> int:
        return self.ns

    def wall_ns(self) -> int:
        return self.ns

    def wait(self, event: threading.Event, timeout_s: float) -> None:
        self.ns += int(timeout_s * 1e9)

    def pass_s(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)
