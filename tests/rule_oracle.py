"""What rules have to fire on a day, worked out by pandas, TA-Lib and plain Python alone.

Records are walked one by one for what each symbol stood at after them; pandas finds what it stood
at as each second and minute ended; a condition is a function of those columns. Nothing of the
program takes part but its calendar, the shipped curve of volume and the type of a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import talib

from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, Session, TradingDay
from stockscan_tui.market.volume_curve import VolumeCurve
from stockscan_tui.scan.rules import Rule
from tests import wire

Column = Any
Condition = Callable[[pd.DataFrame], Column]
# In the order in which they are looked at, where they fall on one instant.
SECOND, MINUTE, RECORD = range(3)
NULL = wire.NULL_PRICE


@dataclass(frozen=True)
class Material:
    """A day: its records in order of time, names by id, and closes and average volumes by name."""

    records: wire.Records
    names: Mapping[int, str]
    day: TradingDay
    closes: Mapping[str, float]
    average: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stated:
    """A rule, and what its texts say as functions of the columns that `instants` gives.

    `crossing` gives what must rise over zero for the condition to be true besides `holds`.
    """

    rule: Rule
    holds: Condition = lambda frame: np.ones(len(frame), np.bool_)
    crossing: Condition | None = None
    rearms: Condition | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, order=True)
class Want:
    """An alert that has to be: its instant, symbol and rule, the price and the rule's values."""

    ts_ns: int
    symbol: str
    rule: str
    price: float
    values: tuple[tuple[str, float], ...] = ()


def wanted(material: Material, stated: Iterable[Stated], from_ns: int = 0) -> list[Want]:
    """Return all alerts of the day in the order in which they must come.

    With `from_ns`, a minute's close, nothing fires up to it, and what is true then counts as fired.
    """
    walked = walk(material)
    frame = instants(walked, material)
    suspects = split_suspects(walked, material)
    found: list[tuple[tuple[int, int, int, str], Want]] = []
    for place, each in enumerate(stated):
        if each.rule.move:
            hits = moved(each.rule, walked, material, from_ns)
            step = RECORD
            found += [((w.ts_ns, step, place, w.symbol), w) for w in hits]
        else:
            found += [
                ((w.ts_ns, step, place, w.symbol), w)
                for step, w in fired(each, frame, material.day, from_ns)
            ]
    return [want for _, want in sorted(found) if want.symbol not in suspects]


# --- what each symbol stood at after each record -------------------------------------------------


@dataclass
class _Symbol:
    """What is known of one symbol: prices in 1e-9 dollars, 0 for none; `volume` is of all hours."""

    bid: int = 0
    ask: int = 0
    mark: int = 0
    last: int = 0
    first_mark: int = 0
    quote_ns: int = 0
    trade_ns: int = 0
    first_trade: tuple[int, int] | None = None
    held: tuple[int, int, int] | None = None
    volume: int = 0
    trades: int = 0
    total: dict[Session, tuple[int, int]] = field(default_factory=dict)
    high: dict[Session, int] = field(default_factory=dict)

    def stands(self) -> bool:
        """Whether the quote is two-sided, uncrossed, and at most 2 % of its mid wide."""
        return 0 < self.bid <= self.ask and (self.ask - self.bid) * 100 <= (self.bid + self.ask)

    def quote(self, ts: int, bid: int, ask: int) -> None:
        if ts < self.quote_ns:
            return
        self.quote_ns = ts
        self.bid, self.ask = bid if bid != NULL else 0, ask if ask != NULL else 0
        if self.stands():
            self.mark = (self.bid + self.ask) // 2

    def trade(self, ts: int, price: int, size: int, session: Session, begin_ns: int) -> None:
        volume, money = self.total.get(session, (0, 0))
        self.total[session] = (volume + size, money + price * size)
        self.volume += size
        self.trades += session is not Session.CLOSED
        side = self._side(price)
        held = self.held if self.held is not None and self.held[1] == side else None
        if side == 0:
            self._good(ts, price, session)
        elif held is not None and abs(ts - held[0]) <= 60 * SECOND_NS:
            self._good(held[0], held[2], session if held[0] >= begin_ns else Session.CLOSED)
            self._good(ts, price, session)
            self.held = None
        else:
            self.held = (ts, side, price)
            # No alert goes by it while it is held.
            self.last = 0 if ts >= self.trade_ns else self.last
        self.trade_ns = max(self.trade_ns, ts)

    def _side(self, price: int) -> int:
        if self.stands():
            over, under = price * 10 > self.ask * 11, price * 10 < self.bid * 9
        else:
            over, under = price * 10 > self.mark * 12, price * 10 < self.mark * 8
        return 0 if not self.mark else int(over) - int(under)

    def _good(self, ts: int, price: int, session: Session) -> None:
        if ts >= self.trade_ns:
            self.last = price
            if not self.stands():
                self.mark = price
        self.high[session] = max(self.high.get(session, 0), price)
        if session is not Session.CLOSED:
            self.first_trade = min(self.first_trade or (ts, price), (ts, price), key=lambda x: x[0])


def walk(material: Material) -> pd.DataFrame:
    """Return, for each record, what its symbol stood at after it; prices in 1e-9, 0 for none."""
    known = {number: _Symbol() for number in material.names}
    day = material.day
    names = ("ts_recv", "instrument_id", "action", "price", "size", "bid_px", "ask_px")
    columns = [material.records[name].tolist() for name in names]
    rows = []
    for ts, number, action, price, size, bid, ask in zip(*columns, strict=True):
        session, symbol = day.session_at(ts), known[number]
        symbol.quote(ts, bid, ask)
        if action == b"T" and size and price != NULL:
            symbol.trade(ts, price, size, session, day.begin_ns(session))
        if session is not Session.CLOSED:
            symbol.first_mark = symbol.first_mark or symbol.mark
        pre = symbol.total.get(Session.PRE, (0, 0))
        regular, post = (symbol.total.get(each, (0, 0)) for each in (Session.REGULAR, Session.POST))
        rows.append(
            (
                *(ts, material.names[number], symbol.mark, symbol.last, symbol.first_mark),
                *(symbol.volume, symbol.trades, *pre),
                *(regular[0] + post[0], regular[1] + post[1]),
                *(symbol.high.get(Session.PRE, 0), symbol.high.get(Session.REGULAR, 0)),
                *(pre[1] + regular[1] + post[1], price if action == b"T" and size else 0),
                symbol.first_trade[1] if symbol.first_trade else 0,
            )
        )
    heads = (
        "ts symbol mark last first_mark volume trades pre_volume pre_money open_volume "
        "open_money pre_high open_high money print first_trade"
    )
    walked = pd.DataFrame(rows, columns=heads.split())
    # Files that overlap take turns second by second.
    walked["reached"] = walked.ts.cummax()
    return walked


def split_suspects(walked: pd.DataFrame, material: Material) -> set[str]:
    """Return the symbols whose first mark is within 8 % of a whole part or times of the close."""
    found = set()
    for symbol, first in walked[walked.first_mark > 0].groupby("symbol").first_mark.first().items():
        close = material.closes.get(str(symbol))
        if close:
            ratio = max(close * 1e9 / first, first / close / 1e9)
            if any(abs(ratio / n - 1) <= 0.08 for n in range(2, 51)):
                found.add(str(symbol))
    return found


# --- what they stood at as seconds and minutes ended ----------------------------------------------


def instants(walked: pd.DataFrame, material: Material) -> pd.DataFrame:
    """Return a row for each symbol and instant at which rules look at it, in their order."""
    seconds = walked.groupby(["symbol", walked.ts // SECOND_NS]).tail(1).copy()
    seconds["at"] = (seconds.ts // SECOND_NS + 1) * SECOND_NS
    seconds["step"] = SECOND
    seconds["closed"] = (seconds["at"] - 1) // MINUTE_NS * MINUTE_NS
    first, last = walked.ts.iloc[0] // MINUTE_NS + 1, walked.ts.iloc[-1] // MINUTE_NS + 1
    closes = np.arange(first, last + 1) * MINUTE_NS
    every = pd.MultiIndex.from_product([closes, sorted(walked.symbol.unique())])
    minutes = _stood(every.to_frame(index=False, name=["at", "symbol"]), walked)
    minutes["step"] = MINUTE
    minutes["closed"] = minutes["at"]
    frame = pd.concat([seconds, minutes[minutes.ts.notna()]], ignore_index=True)
    frame = frame.sort_values(["at", "step", "symbol"], ignore_index=True)
    return _with_metrics(frame, walked, material)


def _stood(asked: pd.DataFrame, walked: pd.DataFrame) -> pd.DataFrame:
    """Return what each symbol stood at just before each instant `at`."""
    return pd.merge_asof(
        asked.sort_values("at", kind="stable"),
        walked,
        left_on="at",
        right_on="reached",
        by="symbol",
        allow_exact_matches=False,
    )


def _with_metrics(frame: pd.DataFrame, walked: pd.DataFrame, material: Material) -> pd.DataFrame:
    day, curve = material.day, VolumeCurve()
    opened = frame["at"] >= day.regular_ns
    volume = frame.open_volume.where(opened, frame.pre_volume)
    money = frame.open_money.where(opened, frame.pre_money)
    five = frame[["closed", "symbol"]].assign(at=frame.closed - 5 * MINUTE_NS, row=frame.index)
    before = _stood(five, walked).sort_values("row")
    closes = frame.symbol.map(dict(material.closes)).astype(float)
    usual = frame.symbol.map(dict(material.average)).astype(float)
    share = frame.closed.map({at: curve.share(day, at) for at in frame.closed.unique()})
    marks = dollars(frame["mark"])
    frame["price"] = marks
    frame["chg"] = percent(marks, closes)
    frame["chg_first"] = percent(marks, dollars(frame.first_trade))
    frame["chg5"] = percent(marks, dollars(before["mark"]).to_numpy())
    frame["volume5"] = frame.volume - before.volume.fillna(0).to_numpy()
    counted = (frame.trades >= 25) & (share > 0)
    frame["rvol"] = ((frame.pre_volume + frame.open_volume) / (usual * share)).where(counted)
    frame["vwap"] = (money / 1e9 / volume).where(volume > 0)
    # In whole numbers: what is equal is never above or below.
    over: Column = frame["mark"] * volume - money
    frame["over_vwap"] = over.clip(-1, 1).where((volume > 0) & (frame["mark"] > 0))
    frame["high"] = dollars(frame.open_high.where(opened, frame.pre_high))
    frame["hod"] = percent(marks, frame.high)
    frame["dvol"] = frame.money / 1e9
    frame["rsi"] = _strength(frame, walked)
    return frame


def _strength(frame: pd.DataFrame, walked: pd.DataFrame) -> Column:
    """Return RSI(14) as of the last minute's close, over the minutes in which each traded."""
    prints = walked[walked["print"] > 0].sort_values("ts", kind="stable")
    bars = prints.groupby(["symbol", prints.ts // MINUTE_NS])["print"].last() / 1e9
    pieces = []
    for symbol, closes in bars.groupby("symbol"):
        at = (closes.index.get_level_values(1).to_numpy() + 1) * MINUTE_NS
        strength = talib.RSI(closes.to_numpy(), 14)
        pieces.append(pd.DataFrame({"closed": at, "symbol": symbol, "rsi": strength}))
    known = pd.concat(pieces).sort_values("closed")
    asked = frame[["closed", "symbol"]].assign(row=frame.index).sort_values("closed")
    found = pd.merge_asof(asked, known, on="closed", by="symbol")
    return found.sort_values("row").rsi.to_numpy()


def dollars(prices: Column) -> Column:
    """Return prices in 1e-9 as dollars, NaN for none."""
    return (prices / 1e9).where(prices > 0)


def percent(value: Column, base: Column) -> Column:
    """Return by how many percent a value is over a base, to twelve decimals."""
    return ((value - base) * 100.0 / base).round(12)


# --- when they fire -------------------------------------------------------------------------------


def fired(
    stated: Stated, frame: pd.DataFrame, day: TradingDay, from_ns: int = 0
) -> list[tuple[int, Want]]:
    """Return what a rule with a condition fires, each with the step at which it does."""
    rule, found = stated.rule, []
    frame = frame[(frame["at"] > from_ns) | ((frame["at"] == from_ns) & (frame.step == MINUTE))]
    # Of the second that has ended.
    sessions = frame["at"].map(
        {at: day.session_at(at - (at > from_ns)) for at in frame["at"].unique()}
    )
    looked = frame[sessions.isin(rule.sessions)].copy()
    looked["holds"] = np.asarray(stated.holds(looked), np.bool_)
    if stated.crossing is not None:
        looked["holds"] &= _crossed(looked, np.asarray(stated.crossing(looked), np.float64))
    looked["rearms"] = (
        ~looked.holds if stated.rearms is None else np.asarray(stated.rearms(looked), np.bool_)
    )
    for symbol, rows in looked.groupby("symbol"):
        armed, last_ns = True, None
        for place, at, step, holds, rearms in zip(
            *(rows.index, rows["at"], rows.step, rows.holds, rows.rearms), strict=True
        ):
            rested = last_ns is None or at - last_ns >= rule.cooldown_s * SECOND_NS
            if at == from_ns:
                armed, last_ns = not holds, at if holds else None
            elif holds and armed and rested:
                armed, last_ns = False, at
                row = rows.loc[place]
                values = tuple((name, float(row[head])) for name, head in stated.values.items())
                found.append((int(step), Want(int(at), str(symbol), rule.name, row.price, values)))
            elif rearms and not (rule.once_a_day and last_ns is not None):
                armed = True
    return found


def _crossed(frame: pd.DataFrame, over: Column) -> Column:
    """Return where what was below zero the last time that it was not zero is above it now."""
    sides: Column = pd.Series(over, frame.index)
    sides = sides.where(sides != 0)
    before = sides.groupby(frame.symbol).ffill().groupby(frame.symbol).shift()
    return (sides > 0) & (before < 0)


def moved(rule: Rule, walked: pd.DataFrame, material: Material, from_ns: int = 0) -> list[Want]:
    """Return what a move rule fires, on the very records that cross."""
    found = []
    for symbol, rows in walked.groupby("symbol"):
        close = round(material.closes.get(str(symbol), 0) * 1e9)
        if not close:
            continue
        armed, last_ns = True, None
        before = rows[rows.ts < from_ns][rule.price]
        if len(before) and before.iloc[-1]:
            armed = abs(before.iloc[-1] - close) * 100 < rule.move * close
            last_ns = None if armed else from_ns
        later = rows[rows.ts >= from_ns]
        for ts, price in zip(later.ts, later[rule.price], strict=True):
            if not price or material.day.session_at(ts) not in rule.sessions:
                continue
            size = abs(price - close) * 100
            rested = last_ns is None or ts - last_ns >= rule.cooldown_s * SECOND_NS
            if armed and rested and size >= rule.move * close:
                armed, last_ns = False, ts
                change = round((price - close) * 100.0 / close, 12)
                found.append(Want(int(ts), str(symbol), rule.name, price / 1e9, (("chg", change),)))
            elif size < (rule.rearm_move or rule.move) * close:
                armed = armed or not rule.once_a_day
    return found
