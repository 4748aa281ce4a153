"""A picture whose rows are symbols at instants: what rules are evaluated on.

Any expression works on it as on a picture of the whole market. Nothing is copied beforehand: each
array is made when it is first looked at. It belongs to the engine's thread, and holds only until
the market goes on. Windows, ages and the share of the day's volume are as of the last minute's
close.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from stockscan_tui.market import kernel as k
from stockscan_tui.market.arithmetic import notional_of, to_dollars
from stockscan_tui.market.calendar import MINUTE_NS, Session
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.market.minutes import MinuteBars, Minutes
from stockscan_tui.market.snapshot import (
    CloseSource,
    CoverageFigures,
    Feed,
    Flags,
    Floats,
    Health,
    Integers,
    RowSymbols,
    SessionFigures,
    Snapshot,
    Words,
)
from stockscan_tui.market.state import Market, fallen
from stockscan_tui.market.view import Photographer, average_price, before_open, first_of

_SESSIONS = (Session.PRE, Session.REGULAR, Session.POST)
K = TypeVar("K")
V = TypeVar("V")


class _Gathered(Mapping[K, V]):
    """A mapping whose values are made when they are first asked for."""

    def __init__(self, keys: Sequence[K], make: Callable[[K], V]) -> None:
        self._keys = dict.fromkeys(keys)
        self._make = make
        self._made: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        if key not in self._made:
            if key not in self._keys:
                raise KeyError(key)
            self._made[key] = self._make(key)
        return self._made[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


@dataclass(frozen=True, slots=True)
class _RowMinutes(Minutes):
    """The last minutes as rows see them: the minute that goes on is as the row's instant has it."""

    of: slice | Integers = field(default_factory=lambda: slice(0))
    count: int = 0
    bars: Mapping[str, Floats] | None = None

    def over(self, name: str, window: int, count: int) -> Floats:
        figure = self.before(name, window, count)
        running = (self.bars or {}).get(name)
        if running is None:
            return figure
        if name == "high":
            return np.fmax(figure, running)
        return np.fmin(figure, running) if name == "low" else figure + running

    def before(self, name: str, window: int, count: int) -> Floats:
        figure: Floats = self._ended.before(name, window, self.count)[self.of]
        return figure

    def burst(self, bars: int, count: int) -> Floats:
        ratio: Floats = self._ended.burst(bars, self.count)[self.of]
        return ratio

    @property
    def _ended(self) -> Minutes:
        """The minutes that are over, by slot."""
        return Minutes(self.closed, self.running, self.sums)


class Instants(Snapshot):
    """Symbols at instants of one minute; arrays have a row for each.

    Args:
        photographer: Makes the pictures of the market.
        columns: What was noted, shape (`kernel.INSTANT_WIDTH`, n).
        event_ns: The last minute's close.
        feed: What is being played.
        alerts: Each symbol's alerts up to that close, by slot.
        closes_known: Whether changes are against previous closes.
        whole: Whether the rows are all symbols in slot order.
    """

    __slots__ = ("_columns", "_ground", "_photographer", "ns", "of", "slot")

    def __init__(
        self,
        photographer: Photographer,
        columns: Integers,
        event_ns: int,
        *,
        feed: Feed,
        alerts: Integers,
        closes_known: bool,
        whole: bool = False,
    ) -> None:
        market = photographer.market
        day = market.day
        given: dict[str, Any] = {
            "_photographer": photographer,
            "_ground": market,
            "_columns": columns,
            "slot": columns[k.INSTANT_SLOT],
            "ns": columns[k.INSTANT_NS],
            # What takes the rows out of arrays by slot; of all symbols it is a view.
            "of": slice(columns.shape[1]) if whole else columns[k.INSTANT_SLOT],
            "serial": 0,
            "event_ns": event_ns,
            "session_date": day.session_date if day is not None else None,
            "day": day,
            "session": market.session,
            "regular_ns": day.regular_ns if day is not None else 0,
            "feed": feed,
            "health": Health(),
            "closes_known": closes_known,
            "cache": {},
            "alerts": alerts[columns[k.INSTANT_SLOT]],
        }
        for name, value in given.items():
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        # What was not set yet: slots without a value come here.
        make = _MAKERS.get(name)
        if make is None:
            raise AttributeError(name)
        value = make(self)
        object.__setattr__(self, name, value)
        return value

    def mark_before(self, minutes: int) -> Floats:
        """Return each row's mark `minutes` before the last minute close, NaN where unknown."""
        history = self._ground.mark_history
        if not 0 <= minutes < len(history):
            return np.full(len(self.slot), np.nan)
        marks: Floats = history[-1 - minutes]
        if len(marks) >= self._ground.count:
            every: Floats = marks[self.slot]
            return every
        missing = np.full(len(self.slot), np.nan)
        known = self.slot < len(marks)
        missing[known] = marks[self.slot[known]]
        return missing

    def state(self, field: int) -> Integers:
        """Return a field of the state rows."""
        column: Integers = self._columns[k.INSTANT_STATE + field]
        return column

    def bar(self, field: int) -> Integers:
        """Return a field of the bar that goes on."""
        column: Integers = self._columns[field]
        return column

    @property
    def columns(self) -> Integers:
        """What was noted, shape (`kernel.INSTANT_WIDTH`, n)."""
        columns: Integers = self._columns
        return columns

    @property
    def states(self) -> Integers:
        """What was noted of the state rows, shape (n, `kernel.NOTED_STATE`); a view."""
        states: Integers = self._columns[k.INSTANT_STATE : k.INSTANT_HIGH].T
        return states

    @property
    def ground(self) -> Market:
        """The market that is looked at."""
        market: Market = self._ground
        return market

    @property
    def photographer(self) -> Photographer:
        """Whoever makes its pictures."""
        photographer: Photographer = self._photographer
        return photographer


def all_symbols(market: Market, ns: int) -> Integers:
    """Return every symbol as it stands at a minute's close, shape (`INSTANT_WIDTH`, symbols)."""
    log = np.empty(k.INSTANT_WIDTH * market.count, np.int64)
    k.note_all(market.state, market.count, log, 0, ns)
    return log.reshape(k.INSTANT_WIDTH, -1)


def all_now(market: Market, ns: int) -> Integers:
    """Return the same within a minute: with the bars that go on."""
    log = np.empty(k.INSTANT_WIDTH * market.count, np.int64)
    for slot in range(market.count):
        k.note_instant(market.state, market.bars, slot, ns + 1, log, slot)
    columns = log.reshape(k.INSTANT_WIDTH, -1)
    columns[k.INSTANT_NS] = ns
    return columns


class _Figures(SessionFigures):
    """A session's figures, each made when it is first looked at."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[str], Any]) -> None:
        object.__setattr__(self, "_make", make)

    def __getattr__(self, name: str) -> Any:
        value = self._make(name)
        object.__setattr__(self, name, value)
        return value


def _session_figures(i: Instants, session: Session) -> SessionFigures:
    if session is not i.ground.session:
        still = i.photographer.still(session)
        return _Figures(lambda name: getattr(still, name)[i.of])
    return _Figures(lambda name: _running(i, name))


def _running(i: Instants, name: str) -> Floats | Integers:
    if name == "notional":
        return i.state(k.DOLLARS) + i.state(k.NANOS) / 1e9
    if name in _COUNTS:
        return i.state(_COUNTS[name])
    return to_dollars(i.state(_PRICES[name]))


_COUNTS = {"volume": k.VOLUME, "trades": k.TRADE_COUNT}
_PRICES = {"open": k.OPEN, "high": k.HIGH, "low": k.LOW}


def _sessions(i: Instants) -> Mapping[Session, SessionFigures]:
    return _Gathered(_SESSIONS, lambda session: _session_figures(i, session))


def _shown(i: Instants) -> SessionFigures:
    early = before_open(i.ground, i.event_ns)
    return i.sessions[Session.PRE if early else Session.REGULAR]


def _of_day(name: str, join: np.ufunc, nothing: float) -> Callable[[Instants], Any]:
    """Return what makes a figure of all sessions together."""

    def make(i: Instants) -> Any:
        others = i.photographer.others(name)
        if i.ground.session not in _SESSIONS:
            return np.full(len(i.slot), nothing) if others is None else others[i.of]
        running = getattr(i.sessions[i.ground.session], name)
        return running if others is None else join(others[i.of], running)

    return make


def _vwap(i: Instants) -> Floats:
    if before_open(i.ground, i.event_ns):
        return average_price(i.sessions[Session.PRE])
    if i.ground.session is Session.REGULAR:
        return average_price(i.sessions[Session.REGULAR])
    return average_price(i.sessions[Session.REGULAR], i.sessions[Session.POST])


def _previous_close(i: Instants) -> Floats:
    if i.closes_known:
        closes: Floats = i.ground.prev_close[i.of]
        return closes
    return first_of(*(i.sessions[s].open for s in _SESSIONS))


def _close_source(i: Instants) -> Any:
    if i.closes_known:
        return i.ground.close_source[i.of]
    return np.full(len(i.slot), CloseSource.FIRST_TRADE.value, np.uint8)


def _minutes(i: Instants) -> Minutes:
    minute = i.event_ns // MINUTE_NS
    pieces, sums = i.ground.minutes.pieces()
    none = np.zeros(0)
    nobody = np.zeros(0, np.int64)
    running = MinuteBars(
        minute, np.zeros(0, np.int32), none, none, none, none, nobody, nobody, none
    )
    return _RowMinutes(pieces, running, sums, i.of, i.ground.count, _Gathered(_BARS, _bar_of(i)))


_BARS = ("high", "low", "volume", "trades", "notional")


def _bar_of(i: Instants) -> Callable[[str], Floats]:
    def figure(name: str) -> Floats:
        high, low, close, volume = (
            i.bar(field)
            for field in (k.INSTANT_HIGH, k.INSTANT_LOW, k.INSTANT_CLOSE, k.INSTANT_VOLUME)
        )
        if name in ("high", "low"):
            return to_dollars(high if name == "high" else low)
        if name == "volume":
            return volume.astype(np.float64)
        if name == "trades":
            trades: Integers = np.maximum(i.bar(k.INSTANT_TRADES), high != 0)
            return trades.astype(np.float64)
        dollars, nanos = i.bar(k.INSTANT_DOLLARS), i.bar(k.INSTANT_NANOS)
        return notional_of(dollars, nanos, high + low + close, volume)

    return figure


def _signs(i: Instants) -> Mapping[str, Flags]:
    market, of = i.ground, i.photographer
    silence = ("halt", "resumed")
    heard: dict[str, Flags] = {}
    names = (*of.by_name(), *silence, "new", "split", "ssr")

    def make(name: str) -> Flags:
        if name in silence:
            if not heard:
                regular = market.session is Session.REGULAR
                heard.update(
                    market.silence.signs(i.states, i.event_ns, regular=regular, slots=i.slot)
                )
            return heard[name]
        if name == "new":
            unknown: Flags = market.close_source[i.of] == CloseSource.NONE.value
            return np.logical_and(unknown, i.closes_known)
        by_slot = market.split_suspect if name == "split" else None
        if by_slot is None:
            if name == "ssr":
                return _restricted(i)
            by_slot = of.by_name()[name]
        flags: Flags = by_slot[i.of]
        return flags

    return _Gathered(names, make)


def _restricted(i: Instants) -> Flags:
    """Return whose short sales are restricted, by the low as the row has it."""
    market, running = i.ground, i.ground.session is Session.REGULAR
    now = i.state(k.LOW) if running else market.figures(Session.REGULAR)[i.of, k.LOW - k.OPEN_NS]
    restricted: Flags = market.ssr_carried[i.of][: len(now)] | fallen(now, market.prev_close[i.of])
    return restricted


def _indicators(i: Instants) -> Mapping[IndicatorKey, Floats]:
    found = i.ground.indicators.values(i.ground.count)
    return _Gathered(tuple(found), lambda key: found[key][i.of])


def _coverage(i: Instants) -> CoverageFigures:
    of = i.photographer.coverage()
    return CoverageFigures(
        elapsed=of.elapsed,
        traded=of.traded[i.of],
        backfilled=of.backfilled[i.of],
        quiet=of.quiet[i.of],
        missing=of.missing[i.of],
        unknown=of.unknown[i.of],
        verified=of.verified[i.of],
        proved=of.proved,
    )


def _opening(i: Instants) -> Mapping[int, tuple[Floats, Floats]]:
    found = i.ground.opening.ranges(i.ground.count)
    return _Gathered(tuple(found), lambda window: _both(found[window], i.of))


def _both(ends: tuple[Floats, Floats], of: slice | Integers) -> tuple[Floats, Floats]:
    return ends[0][of], ends[1][of]


def _own(i: Instants) -> Mapping[str, Floats]:
    found = i.photographer.numbers()
    return _Gathered(tuple(found), lambda name: found[name][i.of])


def _words(i: Instants) -> Mapping[str, Words]:
    found = i.photographer.words()
    return {name: Words(words.code[i.of], words.names) for name, words in found.items()}


_MAKERS: dict[str, Callable[[Instants], Any]] = {
    "symbols": lambda i: RowSymbols(i.photographer.names(), i.slot),
    "by_symbol": lambda i: np.arange(len(i.slot)),
    "next_session_ns": lambda i: 0,
    "mark": lambda i: to_dollars(i.state(k.MARK)),
    "last": lambda i: to_dollars(i.state(k.LAST)),
    "bid": lambda i: to_dollars(i.state(k.BID)),
    "ask": lambda i: to_dollars(i.state(k.ASK)),
    "prev_close": _previous_close,
    "close_source": _close_source,
    "close_age": lambda i: i.ground.close_age[i.of],
    "regular_close": lambda i: to_dollars(i.ground.regular_close[i.of]),
    "open": lambda i: _shown(i).open,
    "high": lambda i: _shown(i).high,
    "low": lambda i: _shown(i).low,
    "high_day": _of_day("high", np.fmax, np.nan),
    "low_day": _of_day("low", np.fmin, np.nan),
    "regular_open": lambda i: i.sessions[Session.REGULAR].open,
    "pre_open": lambda i: to_dollars(i.state(k.FIRST_MARK)),
    "volume": _of_day("volume", np.add, 0),
    "trades": _of_day("trades", np.add, 0),
    "notional": _of_day("notional", np.add, 0.0),
    "vwap": _vwap,
    "bars": lambda i: i.state(k.BAR_COUNT),
    "last_trade_ns": lambda i: i.state(k.TRADE_NS),
    "last_quote_ns": lambda i: i.state(k.QUOTE_NS),
    "mark_history": lambda i: (),
    "average_volume": lambda i: i.ground.average_volume[i.of],
    "tape_volume": lambda i: i.ground.tape_volume[i.of],
    "volume_share": lambda i: i.photographer.volume_share(i.event_ns),
    "split_suspect": lambda i: i.ground.split_suspect[i.of],
    "streak": lambda i: i.ground.minutes.streak(i.ground.count)[i.of],
    "minutes": _minutes,
    "sessions": _sessions,
    "indicators": _indicators,
    "signs": _signs,
    "own": _own,
    "words": _words,
    "coverage": _coverage,
    "opening": _opening,
}
