"""Streams of DBN records to begin with: made ones of every kind, and pieces of real ones."""

from __future__ import annotations

import random
import threading
from pathlib import Path

from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS, SECOND_NS
from stockscan_tui.market.dbn import RType
from tests import wire
from tests.fuzz.mutate import ROOM

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data"
_STEPS = (1, SECOND_NS, 20 * SECOND_NS, MINUTE_NS, 9 * MINUTE_NS)


def record(rtype: int, size: int, number: int = 1, ts_ns: int = wire.OPEN_NS) -> bytes:
    """Return a record of any type and size in bytes, zeros behind its header."""
    head = bytes([size // 4, rtype]) + (95).to_bytes(2, "little") + number.to_bytes(4, "little")
    return (head + ts_ns.to_bytes(8, "little")).ljust(size, b"\0")


def made(seed: int) -> list[bytes]:
    """Return short streams with every record type that the program reads."""
    rng = random.Random(seed)
    found = []
    for step in _STEPS:
        times = [wire.OPEN_NS + n * step for n in range(18)]
        rows = [(ns, rng.randrange(4), 10 + rng.random(), rng.randrange(900)) for ns in times]
        trades = wire.trades(rows)
        quotes = wire.quotes([(ns, number, price, price + 0.01) for ns, number, price, _ in rows])
        bars = [(ns, number, 10.0, 11.0, 9.0, 10.5, 100) for ns, number, _, _ in rows]
        seconds = wire.ohlcv(bars, RType.OHLCV_1S)
        summaries = quotes.copy()
        summaries["rtype"] = [RType.BBO_1S, RType.BBO_1M] * 9
        found += [
            trades.tobytes(),
            wire.rows_with_trade(trades, 10.0, 10.02).tobytes(),
            quotes.tobytes(),
            wire.ohlcv(bars).tobytes(),
            seconds.tobytes(),
            summaries.tobytes(),
            b"".join(a.tobytes() + b.tobytes() for a, b in zip(trades, quotes, strict=True)),
            b"".join(a.tobytes() + b.tobytes() for a, b in zip(trades, seconds, strict=True)),
        ]
    others = [
        wire.mapping_record(1, "AAA"), record(0x12, 40), record(0x13, 520), record(0x15, 320),
        record(0x17, 320), record(0x18, 80), record(0x22, 56), record(0x23, 56), record(0xA0, 32),
        record(0xFF, 1_020), wire.mapping_record(2**32 - 1, "ZZZ", wire.OPEN_NS + DAY_NS),
    ]  # fmt: skip
    return [*found, *others, b"".join(others[:2] + others[6:9]) + found[0]]


def real(most: int = 600) -> list[bytes]:
    """Return pieces of Databento's own samples, cut at records; none where they are not there."""
    found: list[bytes] = []
    paths = sorted(SAMPLES.glob("*/*.dbn*"))
    for path in paths:
        reader = DbnFile(path).blocks(threading.Event())
        block = reader.next_block()
        raw = block.data[block.start : block.end].tobytes() if block is not None else b""
        at = 0
        pieces: list[bytes] = []
        while at + 16 <= len(raw) and raw[at] and len(pieces) < most // len(paths):
            begin = at
            while at + 16 <= len(raw) and raw[at] and at + raw[at] * 4 - begin <= ROOM:
                at += raw[at] * 4
            if at == begin:
                break
            pieces.append(raw[begin:at])
        found += pieces
    return found
