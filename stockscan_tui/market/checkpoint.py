"""All that the engine knows besides its bars, as bytes: what a later run goes on from.

The bytes go into the database in the transaction that holds the bars and watermarks of the same
instant. They are read back by this very layout only: a header in JSON, and the arrays behind it.
Consolidated volume is not among them: a run that goes on asks its own session for it anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import zstandard

from stockscan_tui.errors import StockscanError
from stockscan_tui.market import kernel as k
from stockscan_tui.market import rule_memory
from stockscan_tui.market.bar_log import put_bars
from stockscan_tui.market.batch import BarBatch, BarSource
from stockscan_tui.market.calendar import Calendar, Session, TradingDay
from stockscan_tui.market.coverage import UNSURE
from stockscan_tui.market.snapshot import OPENING_WINDOWS, Doubt, Floats, Verification
from stockscan_tui.market.state import SESSION_WIDTH, WATERMARK_ROWS, Market
from stockscan_tui.market.wholeness import LASTING_NS

# The first goes up whenever a field of the state changes its place or meaning.
_LAYOUT = (6, k.STATE_WIDTH, SESSION_WIDTH)
LEVEL = 1
_MAX_BYTES = 1 << 30
# Values a symbol besides its state and sessions: two of its close, one of the short-sale
# restriction, three of its silence, two of its streak, one of its verified bars, six of what was
# known of the days before, of the leaderboard and of alerts, two for each of its opening ranges.
_SINGLE = 15 + 2 * len(OPENING_WINDOWS)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands besides its market.

    Attributes:
        subscription: What it is subscribed to; only a run with the same goes on from it.
        boundary_ns: The end of the minute that goes on, in ns since 1970.
        proven_ns: By record type, the instant up to which all that there was has come.
    """

    subscription: str = ""
    boundary_ns: int = 0
    proven_ns: Mapping[int, int] = field(default_factory=dict)


def freeze(market: Market, day: TradingDay, place: Place) -> bytes:
    """Return the state of all symbols on `day`, the sessions' figures, watermarks and the clock."""
    count = market.count
    heads, remembered = rule_memory.freeze(market.rule_memories, count)
    header = {
        "layout": _LAYOUT,
        "session_date": day.session_date.isoformat(),
        "session": int(market.session),
        "mark_mode": int(market.ctl[k.MARK_MODE]),
        "clock_ns": market.clock_ns,
        "session_start_ns": int(market.ctl[k.SESSION_START_NS]),
        "subscription": place.subscription,
        "boundary_ns": place.boundary_ns,
        "proven_ns": {str(rtype): ns for rtype, ns in place.proven_ns.items()},
        "watermarks": market.watermarks[:, : k.MARK_SKIP_NS].tolist(),
        "doubts": [
            # A gap that lasts is begun anew by whoever goes on from here.
            astuple(doubt)
            for doubt in market.wholeness.doubts(day)
            if doubt.to_ns < LASTING_NS
        ],
        "unsure": market.coverage.unsure(),
        "proved": market.coverage.proved.tolist(),
        "verification": asdict(market.verification),
        "second_ns": int(market.ctl[k.SECOND_NS]),
        "rules": heads,
        "symbols": market.symbols.names,
    }
    head = json.dumps(header).encode()
    parts = [
        len(head).to_bytes(8, "little"),
        head,
        market.rows.tobytes(),
        np.ascontiguousarray(market.sessions[:, :count]).tobytes(),
        market.regular_close[:count].tobytes(),
        market.regular_close_ns[:count].tobytes(),
        market.ssr_carried[:count].astype(np.int64).tobytes(),
        market.silence.freeze(count).tobytes(),
        market.minutes.freeze(count).tobytes(),
        market.coverage.verified(count).tobytes(),
        market.prev_close[:count].tobytes(),
        market.average_volume[:count].tobytes(),
        market.close_source[:count].astype(np.int64).tobytes(),
        market.close_age[:count].astype(np.int64).tobytes(),
        market.leaders[:count].astype(np.int64).tobytes(),
        market.closed_alerts[:count].tobytes(),
        market.opening.freeze(count).tobytes(),
        remembered,
    ]
    # A bit that flips on the disk shows in the checksum, where the values behind it could be any.
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(b"".join(parts))


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What bytes of `freeze` say of themselves; times are ns since 1970."""

    layout: tuple[int, ...]
    session_date: date
    session: Session
    mark_mode: int
    clock_ns: int
    session_start_ns: int
    place: Place
    watermarks: k.Int64s
    doubts: tuple[Doubt, ...]
    unsure: tuple[tuple[int, int], ...]
    proved: tuple[int, ...]
    verification: Verification
    second_ns: int
    rules: tuple[Mapping[str, object], ...]
    symbols: tuple[str, ...]

    def saw(self, rtype: int) -> bool:
        """Whether a record of that type had been applied."""
        own = (self.watermarks[:, k.MARK_KEY] >> 16) == rtype
        return bool((self.watermarks[own, k.MARK_NS] > 0).any())


def read_header(frozen: bytes) -> Header | None:
    """Return the header of what `freeze` returned, None for damaged bytes or another layout."""
    found = _open(frozen)
    return found[0] if found is not None else None


def _open(frozen: bytes) -> tuple[Header, k.Int64s, bytes] | None:
    try:
        with zstandard.ZstdDecompressor().stream_reader(frozen) as stream:
            # A damaged size at its head must not ask for all the memory there is.
            raw = stream.read(_MAX_BYTES)
        size = int.from_bytes(raw[:8], "little")
        said = json.loads(raw[8 : 8 + size])
        header = Header(
            layout=tuple(said["layout"]),
            session_date=date.fromisoformat(said["session_date"]),
            session=Session(said["session"]),
            mark_mode=int(said["mark_mode"]),
            clock_ns=int(said["clock_ns"]),
            session_start_ns=int(said["session_start_ns"]),
            place=Place(
                str(said["subscription"]),
                int(said["boundary_ns"]),
                {int(rtype): int(ns) for rtype, ns in said["proven_ns"].items()},
            ),
            watermarks=np.array(said["watermarks"], np.int64).reshape(-1, k.MARK_SKIP_NS),
            doubts=tuple(Doubt(int(a), int(b), str(why)) for a, b, why in said["doubts"]),
            unsure=tuple((int(minute), int(slot)) for minute, slot in said["unsure"]),
            proved=tuple(said["proved"]),
            verification=_verification(said["verification"]),
            second_ns=int(said["second_ns"]),
            rules=tuple(said["rules"]),
            symbols=tuple(said["symbols"]),
        )
        if header.layout != _LAYOUT:
            return None
        _check(header)
        whole = len(header.symbols) * (k.STATE_WIDTH + len(Session) * SESSION_WIDTH + _SINGLE)
        values = np.frombuffer(raw, np.int64, count=whole, offset=8 + size)
        return header, values, raw[8 + size + 8 * whole :]
    except (
        zstandard.ZstdError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        return None


def _check(header: Header) -> None:
    """Raise ValueError where a header says what no market can be."""
    names, place = header.symbols, header.place
    whole = [
        header.clock_ns,
        header.session_start_ns,
        header.second_ns,
        place.boundary_ns,
        *place.proven_ns.values(),
        *header.proved,
        *(minute for minute, _ in header.unsure),
        *(ns for doubt in header.doubts for ns in (doubt.from_ns, doubt.to_ns)),
    ]
    if not all(isinstance(value, int) and abs(value) < 1 << 63 for value in whole):
        raise ValueError("a number that is no time")
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError("symbols that are none, or one twice")
    if not all(0 <= slot < len(names) for _, slot in header.unsure):
        raise ValueError("a symbol that there is not")
    if len(header.watermarks) > WATERMARK_ROWS:
        raise ValueError("more watermarks than there is room for")


def _verification(said: Mapping[str, Any]) -> Verification:
    fields = tuple((str(name), int(count)) for name, count in said["fields"])
    return Verification(**{**said, "fields": fields})


def thaw(market: Market, frozen: bytes, calendar: Calendar) -> bool:
    """Let an empty market be as it was; its bars and marks come separately.

    Returns whether it is: False for bytes of another layout, of another way to make the mark, or
    damaged ones, with the market left empty.
    """
    found = _open(frozen)
    if found is None or found[0].mark_mode != market.ctl[k.MARK_MODE]:
        return False
    header, values, remembered = found
    count = len(header.symbols)
    try:
        day = calendar.day(header.session_date)
        memories = rule_memory.thaw(header.rules, remembered, count)
    except (StockscanError, ValueError, KeyError, TypeError):
        return False
    market.slots(header.symbols)
    market.begin_day(day, header.clock_ns)
    sizes = [k.STATE_WIDTH, len(Session) * SESSION_WIDTH, 1, 1, 1, 3, 2, 1, 1, 1, 1, 1, 1, 1]
    rows, sessions, closes, times, carried, silence, streak, verified, *rest = np.split(
        values, np.cumsum([count * size for size in sizes])
    )
    before, usual, source, age, leaders, alerts, opening = rest
    # Until they are looked up again, they are as they were: rules go on without a break.
    market.prev_close[:count] = before.view(np.float64)
    market.average_volume[:count] = usual.view(np.float64)
    market.close_source[:count] = source
    market.close_age[:count] = age
    market.leaders[:count] = leaders > 0
    market.closed_alerts[:count] = alerts
    for doubt in header.doubts:
        market.wholeness.doubt(doubt.from_ns, doubt.to_ns, doubt.reason)
    market.coverage.take_up(header.proved, verified)
    market.verification = replace(header.verification, source=market.verification.source)
    for minute, slot in header.unsure:
        market.coverage.note(minute, np.array([slot]), UNSURE)
    for slot, name in enumerate(header.symbols):
        if name.startswith("#"):
            market.coverage.distrust(slot)
    market.ssr_carried[:count] = carried > 0
    market.silence.thaw(silence.reshape(3, count))
    market.minutes.thaw(streak.view(np.float64).reshape(2, count))
    market.opening.thaw(opening.reshape(-1, count))
    market.rule_memories = memories
    market.rows[:] = rows.reshape(count, k.STATE_WIDTH)
    seen = np.flatnonzero(market.rows[:, k.TOUCHED] & k.TOUCHED_SECOND)
    market.seen[: len(seen)] = seen
    market.ctl[k.SEEN_COUNT] = len(seen)
    market.ctl[k.SECOND_NS] = header.second_ns
    # The log of bars that these places are in is gone.
    market.rows[:, k.NEWEST_BAR] = 0
    # So is the list of those touched since the minute's beginning: let it be all.
    market.rows[:, k.TOUCHED] |= k.TOUCHED_MARK
    market.touched[:count] = np.arange(count)
    market.ctl[k.TOUCHED_COUNT] = count
    market.sessions_version += 1
    market.sessions[:, :count] = sessions.reshape(len(Session), count, SESSION_WIDTH)
    market.regular_close[:count] = closes
    market.regular_close_ns[:count] = times
    market.session = header.session
    market.ctl[k.CLOCK_NS] = header.clock_ns
    market.ctl[k.SESSION_START_NS] = header.session_start_ns
    market.ctl[k.IN_SESSION] = header.session is not Session.CLOSED
    market.watermarks[: len(header.watermarks), : k.MARK_SKIP_NS] = header.watermarks
    return True


def restore_bars(market: Market, bars: BarBatch) -> None:
    """Put stored bars of the last hour into an empty log; every symbol must have its slot.

    Of minutes before them only the store knows what there was.
    """
    order = np.lexsort((bars.slot, bars.minute))
    log = np.zeros((len(order), k.BAR_WIDTH), np.int64)
    columns: dict[int, k.Int64s] = {
        k.BAR_MINUTE: bars.minute,
        k.BAR_OPEN: bars.open,
        k.BAR_HIGH: bars.high,
        k.BAR_LOW: bars.low,
        k.BAR_CLOSE: bars.close,
        k.BAR_VOLUME: bars.volume,
        k.BAR_TRADES: bars.trades,
        k.BAR_DOLLARS: bars.notional_dollars,
        k.BAR_NANOS: bars.notional_nanos,
        k.BAR_FIRST_NS: bars.first_ns,
        k.BAR_LAST_NS: bars.last_ns,
        k.BAR_SLOT: bars.slot.astype(np.int64),
    }
    for place, column in columns.items():
        log[:, place] = column[order]
    source = bars.source[order]
    log[:, k.BAR_FLAGS] = np.where(source == BarSource.TRADES, 0, k.BAR_OHLCV)
    log[source == BarSource.BACKFILL, k.BAR_FLAGS] |= k.BAR_BACKFILL
    put_bars(market, log)


def pack_marks(marks: Floats) -> bytes:
    """Return one minute's marks (dollars by slot, NaN for none) as bytes."""
    return zstandard.compress(marks.tobytes(), LEVEL)


def unpack_marks(packed: bytes) -> Floats:
    """Return the marks that `pack_marks` packed.

    Raises:
        zstandard.ZstdError: They are damaged.
    """
    raw = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MAX_BYTES)
    return np.frombuffer(raw, np.float64)
