"""Turns the engine's arrays into the immutable `Snapshot` that everybody else reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from stockscan_tui.market import kernel as k
from stockscan_tui.market.arithmetic import price_of, to_dollars
from stockscan_tui.market.calendar import MINUTE_NS, Calendar, Session
from stockscan_tui.market.kinds import kinds_of
from stockscan_tui.market.snapshot import (
    MOST_PRINTS,
    CloseSource,
    CoverageFigures,
    Feed,
    Flags,
    Floats,
    FocusBars,
    Health,
    Integers,
    Prints,
    SessionFigures,
    Snapshot,
    Words,
)
from stockscan_tui.market.state import Market
from stockscan_tui.market.user_data import Own, numbers_by_slot, words_by_slot
from stockscan_tui.market.vitals import Vitals
from stockscan_tui.market.volume_curve import VolumeCurve

_AT = k.OPEN_NS
_SESSIONS = (Session.PRE, Session.REGULAR, Session.POST)
_JOINS = {"high": np.fmax, "low": np.fmin}


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
    _version: tuple[int, Session, int] = (-1, Session.CLOSED, 0)
    _still: dict[Session, SessionFigures] = field(default_factory=dict)
    _others: dict[str, Floats | Integers | None] = field(default_factory=dict)
    _kinds: dict[str, Flags] = field(default_factory=dict)
    _own: Own | None = None
    _watched: dict[str, Flags] = field(default_factory=dict)
    _numbers: dict[str, Floats] = field(default_factory=dict)
    _words: dict[str, Words] = field(default_factory=dict)
    _covered: CoverageFigures | None = None
    _covered_version: tuple[int, int] = (-1, 0)

    def forget(self) -> None:
        """Make everything anew: the market has been put back to what it was."""
        self._names = ()
        self._version = (-1, Session.CLOSED, 0)
        self._still, self._others = {}, {}
        self._own = None
        self._covered = None

    # --- what pictures of single symbols look up, by slot -------------------------------------

    def names(self) -> tuple[str, ...]:
        """Return all symbols in slot order."""
        self._list_symbols()
        return self._names

    def still(self, session: Session) -> SessionFigures:
        """Return the figures of a session that is not the running one."""
        return self._figures(session)[session]

    def others(self, name: str) -> Floats | Integers | None:
        """Return what the sessions that are not running came to together, None for nothing.

        Args:
            name: `high`, `low`, or what is added up.
        """
        still = list(self._stand_still().values())
        if name not in self._others:
            columns = [c for c in (getattr(s, name) for s in still) if np.nan_to_num(c).any()]
            self._others[name] = reduce(_JOINS.get(name, np.add), columns) if columns else None
        return self._others[name]

    def by_name(self) -> dict[str, Flags]:
        """Return the yes-or-no metrics that are the same all day."""
        self._list_symbols()
        self._look_up_own()
        return {**self._kinds, **self._watched}

    def numbers(self) -> dict[str, Floats]:
        """Return the columns of numbers of the user's table."""
        self._list_symbols()
        self._look_up_own()
        return self._numbers

    def words(self) -> dict[str, Words]:
        """Return the columns of words of the user's table."""
        self._list_symbols()
        self._look_up_own()
        return self._words

    def coverage(self) -> CoverageFigures:
        """Return the verdicts' counts; made anew when one has changed."""
        market = self.market
        version = (market.coverage.version, market.count)
        if self._covered is None or version != self._covered_version:
            self._covered_version = version
            self._covered = market.coverage.figures(market.count)
        return self._covered

    def volume_share(self, event_ns: int) -> float:
        """Return the part of a day's volume that is normally done by then."""
        day = self.market.day
        return self.curve.share(day, event_ns) if day is not None else 0.0

    # --- pictures ---------------------------------------------------------------------------------

    def take(
        self,
        *,
        event_ns: int,
        feed: Feed,
        health: Health,
        closes_known: bool,
        focus: str | None,
        vitals: Vitals | None = None,
        made_ns: int = 0,
    ) -> Snapshot:
        """Return the market as it stands at `event_ns`."""
        market = self.market
        self._serial += 1
        self._list_symbols()
        rows = market.rows.copy()
        sessions = self._figures()
        pre, regular, post = (sessions[session] for session in _SESSIONS)
        unknown = not closes_known
        count = market.count
        shown = pre if before_open(market, event_ns) else regular
        self._look_up_own()
        return Snapshot(
            serial=self._serial,
            event_ns=event_ns,
            session_date=market.day.session_date if market.day else None,
            day=market.day,
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
            prev_close=(
                first_of(pre.open, regular.open, post.open)
                if unknown
                else market.prev_close[:count].copy()
            ),
            close_source=(
                np.full(count, CloseSource.FIRST_TRADE.value, np.uint8)
                if unknown
                else market.close_source[:count].copy()
            ),
            close_age=market.close_age[:count].copy(),
            regular_close=to_dollars(market.regular_close[:count]),
            open=shown.open,
            high=shown.high,
            low=shown.low,
            high_day=np.fmax(np.fmax(pre.high, regular.high), post.high),
            low_day=np.fmin(np.fmin(pre.low, regular.low), post.low),
            regular_open=regular.open,
            pre_open=to_dollars(rows[:, k.FIRST_MARK]),
            volume=pre.volume + regular.volume + post.volume,
            trades=pre.trades + regular.trades + post.trades,
            notional=pre.notional + regular.notional + post.notional,
            vwap=average_price(*((pre,) if shown is pre else (regular, post))),
            bars=rows[:, k.BAR_COUNT],
            last_trade_ns=rows[:, k.TRADE_NS],
            last_quote_ns=rows[:, k.QUOTE_NS],
            mark_history=tuple(market.mark_history),
            average_volume=market.average_volume[:count].copy(),
            tape_volume=market.tape_volume[:count].copy(),
            volume_share=self.volume_share(event_ns),
            split_suspect=market.split_suspect[:count].copy(),
            streak=market.minutes.streak(count),
            closes_known=closes_known,
            focus=self._focus(focus),
            prints=self._prints(focus),
            doubts=market.wholeness.doubts(market.day) if market.day else (),
            minutes=market.minutes.picture(market.ctl, market.bars, event_ns // MINUTE_NS),
            sessions=sessions,
            indicators=market.indicators.values(count),
            signs=self._signs(rows, event_ns, closes_known=closes_known),
            own=self._numbers,
            words=self._words,
            coverage=self.coverage(),
            vitals=vitals or Vitals(),
            made_ns=made_ns,
            verification=market.verification,
            alerts=market.alerts[:count].copy(),
            fired=tuple(market.fired),
            fired_by_rule=dict(market.fired_by_rule),
            opening=market.opening.ranges(count),
        )

    def _figures(self, *wanted: Session) -> dict[Session, SessionFigures]:
        """Return each session's figures."""
        still = self._stand_still()
        return {
            session: still.get(session) or figures_of(self.market.figures(session))
            for session in wanted or _SESSIONS
        }

    def _stand_still(self) -> dict[Session, SessionFigures]:
        """Return the figures of sessions that are not running, in order; they are made once."""
        market = self.market
        version = (market.sessions_version, market.session, market.count)
        if version != self._version:
            self._version = version
            self._still, self._others = {}, {}
        if not self._still:
            self._still = {
                session: figures_of(market.figures(session))
                for session in _SESSIONS
                if session is not market.session
            }
        return self._still

    def _signs(self, rows: Integers, event_ns: int, *, closes_known: bool) -> dict[str, Flags]:
        """Return the yes-or-no metrics by name."""
        market = self.market
        regular = market.session is Session.REGULAR
        count = market.count
        return {
            **self._kinds,
            **self._watched,
            **market.silence.signs(rows, event_ns, regular=regular),
            "new": (market.close_source[:count] == CloseSource.NONE.value) & closes_known,
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

    def _prints(self, symbol: str | None) -> Prints | None:
        slot = self.market.symbols.find(symbol) if symbol else None
        if slot is None or self.market.ctl[k.FOCUS] != slot + 1:
            return None
        cells = self.market.last_prints(MOST_PRINTS)
        side = cells[:, k.PRINT_SIDE]
        return Prints(
            slot=slot,
            ts_ns=cells[:, k.PRINT_NS],
            price=cells[:, k.PRINT_PRICE] / 1e9,
            size=cells[:, k.PRINT_SIZE],
            side=(side == k.BUY).astype(np.int64) - (side == k.SELL),
        )


def figures_of(figures: Integers) -> SessionFigures:
    """Return what rows of a session say, shape (n, SESSION_WIDTH), in dollars."""
    return SessionFigures(
        open=to_dollars(figures[:, k.OPEN - _AT]),
        high=to_dollars(figures[:, k.HIGH - _AT]),
        low=to_dollars(figures[:, k.LOW - _AT]),
        volume=figures[:, k.VOLUME - _AT].copy(),
        trades=figures[:, k.TRADE_COUNT - _AT].copy(),
        notional=figures[:, k.DOLLARS - _AT] + figures[:, k.NANOS - _AT] / 1e9,
    )


def first_of(*prices: Floats) -> Floats:
    """Return the first of some prices that is there."""
    found = prices[-1]
    for earlier in reversed(prices[:-1]):
        found = np.where(np.isnan(earlier), found, earlier)
    return found


def before_open(market: Market, event_ns: int) -> bool:
    """Open, high and low are of pre-market until the regular open, of regular hours after it."""
    return market.day is None or event_ns < market.day.regular_ns


def volume_today(market: Market) -> Integers:
    """Return the shares traded in the sessions of the day so far."""
    total: Integers = sum(
        (market.figures(s)[:, k.VOLUME - _AT] for s in (Session.REGULAR, Session.POST)),
        start=market.figures(Session.PRE)[:, k.VOLUME - _AT],
    )
    return total


def traded_today(market: Market) -> tuple[Integers, Floats]:
    """Return the trades of the day's sessions so far, and their price × size in dollars."""
    figures = [market.figures(s) for s in (Session.PRE, Session.REGULAR, Session.POST)]
    trades: Integers = sum(
        (each[:, k.TRADE_COUNT - _AT] for each in figures[1:]),
        start=figures[0][:, k.TRADE_COUNT - _AT],
    )
    notional: Floats = np.zeros(len(trades))
    for each in figures:
        notional += each[:, k.DOLLARS - _AT] + each[:, k.NANOS - _AT] / 1e9
    return trades, notional


def average_price(*sessions: SessionFigures) -> Floats:
    """Return vwap of pre-market, or of regular hours and post-market once they have begun.

    To twelve decimals, so that it equals the price of trades that all had one.
    """
    volume: Floats | Integers = sessions[0].volume
    notional = sessions[0].notional
    for figures in sessions[1:]:
        volume = volume + figures.volume
        notional = notional + figures.notional
    return price_of(notional, volume)
