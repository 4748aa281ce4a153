"""A market that stands still, and a player and a clock that do as they are told."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, Session
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.own import Own
from stockscan_tui.market.snapshot import (
    CloseSource,
    Feed,
    Floats,
    FocusBars,
    Health,
    Phase,
    Snapshot,
)

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


def focus(snapshot: Snapshot, symbol: str | None) -> Snapshot:
    """Return the snapshot with the last bars of a symbol."""
    if symbol is None or symbol not in snapshot.symbols:
        return snapshot
    row = snapshot.symbols.index(symbol)
    close = np.array([marks[row] for marks in snapshot.mark_history[-40:]])
    minute = NOW_NS // MINUTE_NS - np.arange(40, 0, -1)
    bars = FocusBars(row, minute, close * 0.999, close * 1.002, close * 0.997, close,
                     np.arange(40) * 37 + 100, np.arange(40) + 1)  # fmt: skip
    return replace(snapshot, focus=bars)


class FakePlayer:
    """Shows the snapshot it is given and remembers what it was asked."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.now = snapshot
        self.failed = ""
        self.speeds: list[float] = []
        self.pauses: list[bool] = []
        self.stopped = False
        self.wanted: frozenset[IndicatorKey] = frozenset()
        self.own = Own()
        self._focus: str | None = None

    def want(self, indicators: frozenset[IndicatorKey]) -> None:
        self.wanted = indicators

    def know_own(self, own: Own) -> None:
        self.own = own

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
