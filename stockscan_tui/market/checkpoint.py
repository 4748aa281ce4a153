"""All that the engine knows besides its bars, as bytes: what a later run goes on from.

The bytes go into the database in the transaction that holds the bars and watermarks of the same
instant. They are read back by this very layout only: a header in JSON, and the arrays behind it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

import numpy as np
import zstandard

from stockscan_tui.errors import StockscanError
from stockscan_tui.market import kernel as k
from stockscan_tui.market.batch import BarBatch, BarSource, Watermark
from stockscan_tui.market.calendar import Calendar, Session, TradingDay
from stockscan_tui.market.snapshot import Floats
from stockscan_tui.market.state import SESSION_WIDTH, Market

# The first goes up whenever a field of the state changes its place or meaning.
_LAYOUT = (1, k.STATE_WIDTH, SESSION_WIDTH)
LEVEL = 1
_MAX_BYTES = 1 << 30


def freeze(market: Market, day: TradingDay) -> bytes:
    """Return the state of all symbols on `day`, the sessions' figures and the clock."""
    count = market.count
    header = {
        "layout": _LAYOUT,
        "session_date": day.session_date.isoformat(),
        "session": int(market.session),
        "mark_mode": int(market.ctl[k.MARK_MODE]),
        "clock_ns": market.clock_ns,
        "session_start_ns": int(market.ctl[k.SESSION_START_NS]),
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
    ]
    return zstandard.compress(b"".join(parts), LEVEL)


@dataclass(frozen=True, slots=True)
class Header:
    """What bytes of `freeze` say of themselves; times are ns since 1970."""

    layout: tuple[int, ...]
    session_date: date
    session: Session
    mark_mode: int
    clock_ns: int
    session_start_ns: int
    symbols: tuple[str, ...]


def read_header(frozen: bytes) -> Header | None:
    """Return the header of what `freeze` returned, None for damaged bytes or another layout."""
    found = _open(frozen)
    return found[0] if found is not None else None


def _open(frozen: bytes) -> tuple[Header, k.Int64s] | None:
    try:
        raw = zstandard.ZstdDecompressor().decompress(frozen, max_output_size=_MAX_BYTES)
        size = int.from_bytes(raw[:8], "little")
        said = json.loads(raw[8 : 8 + size])
        header = Header(
            layout=tuple(said["layout"]),
            session_date=date.fromisoformat(said["session_date"]),
            session=Session(said["session"]),
            mark_mode=int(said["mark_mode"]),
            clock_ns=int(said["clock_ns"]),
            session_start_ns=int(said["session_start_ns"]),
            symbols=tuple(said["symbols"]),
        )
        values = np.frombuffer(raw, np.int64, offset=8 + size)
    except (zstandard.ZstdError, ValueError, KeyError, TypeError):
        return None
    whole = len(header.symbols) * (k.STATE_WIDTH + len(Session) * SESSION_WIDTH + 2)
    return (header, values) if header.layout == _LAYOUT and len(values) == whole else None


def thaw(market: Market, frozen: bytes, calendar: Calendar) -> bool:
    """Let an empty market be as it was; its bars and marks come separately.

    Returns whether it is: False for bytes of another layout, of another way to make the mark, or
    damaged ones, with the market left empty.
    """
    found = _open(frozen)
    if found is None or found[0].mark_mode != market.ctl[k.MARK_MODE]:
        return False
    header, values = found
    try:
        day = calendar.day(header.session_date)
    except StockscanError:
        return False
    count = len(header.symbols)
    market.slots(header.symbols)
    market.begin_day(day, header.clock_ns)
    rows, sessions, closes, times = np.split(
        values,
        np.cumsum([count * k.STATE_WIDTH, count * len(Session) * SESSION_WIDTH, count]),
    )
    market.rows[:] = rows.reshape(count, k.STATE_WIDTH)
    # The log of bars that these places are in is gone.
    market.rows[:, k.NEWEST_BAR] = 0
    # So is the list of those touched since the minute's beginning: let it be all.
    market.rows[:, k.TOUCHED] = 1
    market.touched[:count] = np.arange(count)
    market.ctl[k.TOUCHED_COUNT] = count
    market.sessions[:, :count] = sessions.reshape(len(Session), count, SESSION_WIDTH)
    market.regular_close[:count] = closes
    market.regular_close_ns[:count] = times
    market.session = header.session
    market.ctl[k.CLOCK_NS] = header.clock_ns
    market.ctl[k.SESSION_START_NS] = header.session_start_ns
    market.ctl[k.IN_SESSION] = header.session is not Session.CLOSED
    return True


def restore_bars(market: Market, bars: BarBatch) -> None:
    """Put stored bars of the last hour into an empty log; every symbol must have its slot."""
    order = np.lexsort((bars.slot, bars.minute))
    while len(market.bars) // k.BAR_WIDTH < 2 * len(order):
        market.grow_bars()
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
    for field, column in columns.items():
        log[:, field] = column[order]
    source = bars.source[order]
    log[:, k.BAR_FLAGS] = np.where(source == BarSource.TRADES, 0, k.BAR_OHLCV)
    log[source == BarSource.BACKFILL, k.BAR_FLAGS] |= k.BAR_BACKFILL
    _link(market, log)
    market.bars[: log.size] = log.ravel()
    market.ctl[k.BARS_HEAD] = len(log)


def _link(market: Market, log: k.Int64s) -> None:
    """Let each bar name its symbol's bar before it, and each symbol its newest."""
    slot = log[:, k.BAR_SLOT]
    by_slot = np.argsort(slot, kind="stable")
    same = slot[by_slot][1:] == slot[by_slot][:-1]
    log[by_slot[1:][same], k.BAR_BEFORE] = by_slot[:-1][same] + 1
    newest = np.append(~same, True)[: len(by_slot)]
    market.rows[slot[by_slot[newest]], k.NEWEST_BAR] = by_slot[newest] + 1


def restore_watermarks(market: Market, watermarks: tuple[Watermark, ...]) -> None:
    """Let the watermarks be those that were stored."""
    for row, mark in zip(market.watermarks, watermarks, strict=False):
        row[k.MARK_KEY] = mark.rtype << 16 | mark.publisher_id
        row[k.MARK_NS] = mark.ts_recv_ns
        row[k.MARK_COUNT] = mark.count


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
