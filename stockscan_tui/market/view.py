"""Turns the engine's arrays into the immutable `Snapshot` that everybody else reads."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import MINUTE_NS, Calendar, Session, TradingDay
from stockscan_tui.market.kinds import kinds_of
from stockscan_tui.market.own import Own, numbers_by_slot, words_by_slot
from stockscan_tui.market.snapshot import (
    CloseSource,
    Feed,
    Flags,
    Floats,
    FocusBars,
    Health,
    Integers,
    SessionFigures,
    Snapshot,
    Words,
)
from stockscan_tui.market.state import Market, to_dollars
from stockscan_tui.market.volume_curve import VolumeCurve

_AT = k.OPEN_NS
_SESSIONS = (Session.PRE, Session.REGULAR, Session.POST)


@dataclass(slots=True)
class Photographer:
    """Makes snapshots of one market, and keeps what changes seldom between them."""

    market: Market
    calendar: Calendar
    curve: VolumeCurve = field(default_factory=VolumeCurve)
    own: Own = field(default_factory=Own)
    _serial: int = 0
    _names: tuple[str, ...] = ()
    _by_symbol: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    _kinds: dict[str, Flags] = field(default_factory=dict)
    _own: Own | None = None
    _watched: dict[str, Flags] = field(default_factory=dict)
    _numbers: dict[str, Floats] = field(default_factory=dict)
    _words: dict[str, Words] = field(default_factory=dict)

    def take(
        self,
        *,
        event_ns: int,
        feed: Feed,
        health: Health,
        closes_known: bool,
        focus: str | None,
    ) -> Snapshot:
        """Return the market as it stands at `event_ns`."""
        market = self.market
        self._serial += 1
        self._list_symbols()
        rows = market.rows.copy()
        prices = _session_prices(market)
        first = _first_trade(market)
        unknown = not closes_known
        count = market.count
        shown = _shown_session(market, event_ns)
        figures = market.figures(shown)
        self._look_up_own()
        return Snapshot(
            serial=self._serial,
            event_ns=event_ns,
            session_date=market.day.session_date if market.day else None,
            session=market.session,
            regular_ns=market.day.regular_ns if market.day else 0,
            next_session_ns=self._next_session_ns(event_ns),
            feed=feed,
            health=health,
            symbols=self._names,
            by_symbol=self._by_symbol,
            mark=to_dollars(rows[:, k.MARK]),
            last=to_dollars(rows[:, k.LAST]),
            bid=to_dollars(rows[:, k.BID]),
            ask=to_dollars(rows[:, k.ASK]),
            prev_close=first if unknown else market.prev_close[:count].copy(),
            close_source=(
                np.full(count, CloseSource.FIRST_TRADE.value, np.uint8)
                if unknown
                else market.close_source[:count].copy()
            ),
            close_age=market.close_age[:count].copy(),
            regular_close=to_dollars(market.regular_close[:count]),
            open=to_dollars(figures[:, k.OPEN - _AT]),
            high=to_dollars(figures[:, k.HIGH - _AT]),
            low=to_dollars(figures[:, k.LOW - _AT]),
            high_day=prices.high,
            low_day=prices.low,
            regular_open=to_dollars(market.figures(Session.REGULAR)[:, k.OPEN - _AT]),
            pre_open=to_dollars(rows[:, k.FIRST_MARK]),
            volume=volume_today(market),
            trades=_summed(market, k.TRADE_COUNT),
            notional=_notional(market, Session.PRE, Session.REGULAR, Session.POST),
            vwap=_vwap(market, shown),
            bars=rows[:, k.BAR_COUNT],
            last_trade_ns=rows[:, k.TRADE_NS],
            last_quote_ns=rows[:, k.QUOTE_NS],
            mark_history=tuple(market.mark_history),
            average_volume=market.average_volume[:count].copy(),
            volume_share=self._volume_share(event_ns),
            split_suspect=market.split_suspect[:count].copy(),
            streak=market.minutes.streak(count),
            closes_known=closes_known,
            focus=self._focus(focus),
            minutes=market.minutes.picture(market.ctl, market.bars, event_ns // MINUTE_NS),
            sessions={session: _figures_of(market, session) for session in _SESSIONS},
            indicators=market.indicators.values(count),
            signs=self._signs(rows, event_ns),
            own=self._numbers,
            words=self._words,
            elapsed_minutes=_elapsed(market.day, event_ns),
        )

    def _signs(self, rows: Integers, event_ns: int) -> dict[str, Flags]:
        """Return the yes-or-no metrics by name."""
        market = self.market
        regular = market.session is Session.REGULAR
        count = market.count
        return {
            **self._kinds,
            **self._watched,
            **market.silence.signs(rows, event_ns, regular=regular),
            "new": market.close_source[:count] == CloseSource.NONE.value,
            "split": market.split_suspect[:count].copy(),
            "ssr": market.restricted(),
        }

    def _look_up_own(self) -> None:
        """Bring the user's lists and table into the order of the slots, when either is new."""
        own = self.own
        if own is self._own:
            return
        self._own = own
        lists = {"watched": own.watched} | {
            f"watched:{name}": symbols for name, symbols in own.watchlists.items()
        }
        names = self._names
        self._watched = {
            sign: np.fromiter((name in symbols for name in names), np.bool_, len(names))
            for sign, symbols in lists.items()
        }
        self._numbers = numbers_by_slot(own.table, names)
        self._words = words_by_slot(own.table, names)

    def _list_symbols(self) -> None:
        names = self.market.symbols.names
        if len(names) != len(self._names):
            self._names = tuple(names)
            self._by_symbol = np.array(
                sorted(range(len(names)), key=self._names.__getitem__), np.int64
            )
            self._kinds = kinds_of(self._names)
            self._own = None

    def _next_session_ns(self, event_ns: int) -> int:
        day = self.market.day
        if day is None:
            return 0
        for begin_ns in (day.pre_ns, day.regular_ns, day.post_ns, day.post_end_ns):
            if event_ns < begin_ns:
                return begin_ns
        following = self.calendar.next_day(day.session_date)
        return following.pre_ns if following else 0

    def _volume_share(self, event_ns: int) -> float:
        day = self.market.day
        return self.curve.share(day, event_ns) if day is not None else 0.0

    def _focus(self, symbol: str | None) -> FocusBars | None:
        slot = self.market.symbols.find(symbol) if symbol else None
        if slot is None:
            return None
        cells = self.market.last_bars(slot)
        return FocusBars(
            slot=slot,
            minute=cells[:, k.BAR_MINUTE],
            open=cells[:, k.BAR_OPEN] / 1e9,
            high=cells[:, k.BAR_HIGH] / 1e9,
            low=cells[:, k.BAR_LOW] / 1e9,
            close=cells[:, k.BAR_CLOSE] / 1e9,
            volume=cells[:, k.BAR_VOLUME],
            trades=cells[:, k.BAR_TRADES],
        )


@dataclass(frozen=True, slots=True)
class _Range:
    high: Floats
    low: Floats


def _session_prices(market: Market) -> _Range:
    """Return the day's high and low over all of its sessions."""
    sessions = [market.figures(s) for s in (Session.PRE, Session.REGULAR, Session.POST)]
    high = np.maximum.reduce([figures[:, k.HIGH - _AT] for figures in sessions])
    lows = [np.where(f[:, k.LOW - _AT] == 0, k.NULL_PRICE, f[:, k.LOW - _AT]) for f in sessions]
    low = np.minimum.reduce(lows)
    low[low == k.NULL_PRICE] = 0
    return _Range(to_dollars(high), to_dollars(low))


def _figures_of(market: Market, session: Session) -> SessionFigures:
    figures = market.figures(session)
    return SessionFigures(
        open=to_dollars(figures[:, k.OPEN - _AT]),
        high=to_dollars(figures[:, k.HIGH - _AT]),
        low=to_dollars(figures[:, k.LOW - _AT]),
        volume=figures[:, k.VOLUME - _AT].copy(),
        trades=figures[:, k.TRADE_COUNT - _AT].copy(),
        notional=_notional(market, session),
    )


def _elapsed(day: TradingDay | None, event_ns: int) -> int:
    """Return the minutes of the day's sessions that are over at `event_ns`."""
    if day is None:
        return 0
    return max(0, min(event_ns, day.post_end_ns) - day.pre_ns) // MINUTE_NS


def _first_trade(market: Market) -> Floats:
    """Return the first trade of the day's sessions."""
    first = market.figures(Session.PRE)[:, k.OPEN - _AT].copy()
    for session in (Session.REGULAR, Session.POST):
        missing = first == 0
        first[missing] = market.figures(session)[missing, k.OPEN - _AT]
    return to_dollars(first)


def _shown_session(market: Market, event_ns: int) -> Session:
    """Open, high and low are of pre-market until the regular open, of regular hours after it."""
    before = market.day is None or event_ns < market.day.regular_ns
    return Session.PRE if before else Session.REGULAR


def volume_today(market: Market) -> Integers:
    """Return the shares traded in the sessions of the day so far."""
    return _summed(market, k.VOLUME)


def _summed(market: Market, field: int) -> Integers:
    total: Integers = sum(
        (market.figures(s)[:, field - _AT] for s in (Session.REGULAR, Session.POST)),
        start=market.figures(Session.PRE)[:, field - _AT],
    )
    return total


def _notional(market: Market, *sessions: Session) -> Floats:
    total = np.zeros(market.count)
    for session in sessions:
        figures = market.figures(session)
        total += figures[:, k.DOLLARS - _AT] + figures[:, k.NANOS - _AT] / 1e9
    return total


def _vwap(market: Market, shown: Session) -> Floats:
    """Return vwap of pre-market, or of regular hours and post-market once they have begun."""
    sessions = (Session.PRE,) if shown is Session.PRE else (Session.REGULAR, Session.POST)
    volume = np.zeros(market.count)
    for session in sessions:
        volume += market.figures(session)[:, k.VOLUME - _AT]
    notional = _notional(market, *sessions)
    vwap: Floats = np.full(market.count, np.nan)
    np.divide(notional, volume, out=vwap, where=(volume > 0) & (notional > 0))
    return vwap
