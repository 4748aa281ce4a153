"""DBN files and streams through everything that reads them in Python, and saved states."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
import zstandard

from stockscan_tui.errors import InputError
from stockscan_tui.feed import dbn_file
from stockscan_tui.feed.bar_file import read_bars
from stockscan_tui.feed.control import ControlDecoder
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.file_summary import file_summary
from stockscan_tui.feed.reference import read_closes
from stockscan_tui.feed.zstd_frames import FrameWalker
from stockscan_tui.market import checkpoint, consolidated, sieve
from stockscan_tui.market import kernel as k
from stockscan_tui.market.consolidated import ConsolidatedVolume
from stockscan_tui.market.dbn import STATISTICS_DTYPE, RType
from stockscan_tui.market.sieve import Seen, Sifted
from stockscan_tui.market.state import Market
from stockscan_tui.market.symbols import InstrumentIds
from tests import wire
from tests.fuzz import streams
from tests.fuzz.dice import dice_of
from tests.fuzz.mutate import ROOM, mutate
from tests.fuzz.part import Part, WrongError, spoilt, threads_left
from tests.playing import Played, play, weekdays

_FOLDER = [Path()]
_MAGIC = b"\x28\xb5\x2f\xfd"
_WORDS = (
    b"DBN\x01", b"DBN\x02", b"DBN\x03", b"DBN\x00", b"DBN\x09", _MAGIC, b"\x50\x2a\x4d\x18", b"DBZ",
    b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff" * 8, b"\0" * 16, b"\x7f\xff\xff\xff", b"\x01\0\0\0",
    b"1\0", b"4294967295\0", b"99999999999\0", b"AAA\0", b"\xff\xfe\xfd\0", b"\x1b[2J\0",
    b"\0\0\0\x80", b"\x02\0\0\0\0\0\0\0",
)  # fmt: skip
_SYMBOLS = {"AAA": 1, "BBB": 2, "CCC": 4_294_967_295}


def _folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _FOLDER[0] = folder


@cache
def _streams() -> list[bytes]:
    return [*streams.made(1), *streams.real(100)]


def _spoil_records(rng: random.Random, case: bytes, other: bytes) -> bytes:
    """Spoil records as records, which reaches deeper than bytes."""
    buf = np.zeros(ROOM, np.uint8)
    near = np.zeros(ROOM, np.uint8)
    case, other = case[:ROOM], other[:ROOM]
    buf[: len(case)] = np.frombuffer(case, np.uint8)
    near[: len(other)] = np.frombuffer(other, np.uint8)
    length = mutate(dice_of(rng.randrange(1 << 30)), buf, len(case), near, len(other))
    return buf[:length].tobytes()


# --- whole files --------------------------------------------------------------------------------


@cache
def _files() -> tuple[bytes, ...]:
    found = [path.read_bytes()[:20_000] for path in sorted(streams.SAMPLES.glob("*/*.dbn*"))]
    for version in (1, 2, 3):
        daily = wire.ohlcv([(wire.OPEN_NS, 1, 10, 11, 9, 10, 100)] * 3, RType.OHLCV_1D)
        minutes = wire.ohlcv([(wire.OPEN_NS, n % 2 + 1, 10, 11, 9, 10, 5) for n in range(4)])
        trades = wire.trades([(wire.OPEN_NS + n, 1 + n % 2, 10, 7) for n in range(9)])
        for schema, records in (("ohlcv-1d", daily), ("ohlcv-1m", minutes), ("trades", trades)):
            raw = wire.joined(wire.metadata(schema, _SYMBOLS, version=version), records)
            found += [raw, zstandard.compress(raw)]
    live = wire.joined(wire.metadata(None), wire.mapping_record(7, "AAA"), minutes, daily)
    halves = zstandard.compress(live[:200]) + zstandard.compress(live[200:])
    bomb = zstandard.compress(wire.metadata("trades", _SYMBOLS) + bytes(1 << 24))
    return (*found, live, halves, bomb, halves[:-9], b"", b"D", b"DBN\x03\xff\xff\xff\x0f")


def _spoil_file(rng: random.Random, case: bytes, other: bytes) -> bytes:
    """Spoil what a compressed file holds as often as the file itself."""
    if case[:4] == _MAGIC and rng.random() < 0.6:
        with suppress(zstandard.ZstdError, MemoryError):
            raw = zstandard.ZstdDecompressor().stream_reader(case).read(40_000)
            return zstandard.compress(spoilt(rng, raw, other, _WORDS))
    return spoilt(rng, case, other, _WORDS)


def _read_file(case: bytes) -> None:
    path = _FOLDER[0] / "case.ohlcv-1d.dbn.zst"
    path.write_bytes(case)
    summary = file_summary(path)
    _refused_or(lambda: read_closes(path))
    _refused_or(lambda: read_bars(path))
    try:
        file = DbnFile(path)
    except InputError as error:
        if str(path) not in str(error):
            raise WrongError(f"the file is not named: {error}") from error
        return
    if summary.dataset != file.dataset and "\ufffd" not in summary.dataset and not summary.problem:
        raise WrongError(f"{summary.dataset!r} is {file.dataset!r}")
    file.symbology.on(wire.DAY)
    file.symbology.on(date.max)
    before = set(threading.enumerate())
    stop = threading.Event()
    reader = file.blocks(stop)
    at = 0
    for _ in range(20):
        block = reader.next_block()
        if block is None:
            break
        if block.at != at or not block.start <= block.end <= len(block.data):
            raise WrongError(f"block at {block.at} after {at}: {block.start} to {block.end}")
        at += block.end - block.start
        reader.release(block)
    stop.set()
    if left := threads_left(before):
        raise WrongError(f"threads are left behind: {left}")


def _refused_or(call: Callable[[], object]) -> None:
    try:
        call()
    except InputError as error:
        if not str(error).strip():
            raise WrongError("an error without a word") from error


def _walk_frames(case: bytes) -> None:
    """A stream of frames is judged the same in whatever pieces it comes."""
    whole, pieces = FrameWalker(), FrameWalker()
    whole.feed(case)
    for at in range(0, len(case), 7):
        pieces.feed(case[at : at + 7])
    if (whole.complete, whole.at_block_end) != (pieces.complete, pieces.at_block_end):
        raise WrongError("pieces of it are judged otherwise")


# --- streams ------------------------------------------------------------------------------------


def _sifted(data: bytes, sizes: Sequence[int], seen: Seen) -> tuple[bytes, list[int]]:
    """Return what is new of a stream that comes in pieces, and why each walk came back."""
    new, reasons, left = b"", [], np.zeros(0, np.uint8)
    at = 0
    for number, size in enumerate((*sizes, len(data))):
        piece = np.frombuffer(data[at : at + size], np.uint8)
        at += size
        buf = np.concatenate((left, piece))
        position = 0
        while True:
            final = number == len(sizes)
            found: Sifted = seen.sift(buf, position, sieve.NEVER_NS, final=final)
            if not position <= found.position <= len(buf) or len(found.new) > len(buf) - position:
                raise WrongError(f"it walked from {position} to {found.position} of {len(buf)}")
            if any(not 0 <= place < len(found.new) for place in found.mappings):
                raise WrongError("a mapping outside of what is new")
            new += found.new.tobytes()
            reasons.append(found.reason)
            position = found.position
            if found.reason != sieve.MAPPINGS_FULL:
                break
        left = buf[position:]
        if found.reason == sieve.CORRUPT:
            break
    return new, reasons


def _sift(case: bytes) -> None:
    """Whole or in pieces the same is new; what was seen is not, when it comes again."""
    whole, pieces = Seen(), Seen()
    new, reasons = _sifted(case, (), whole)
    other, _ = _sifted(
        case, [1 + (n * 37 + len(case)) % 90 for n in range(len(case) // 45)], pieces
    )
    if new != other:
        raise WrongError(f"whole {len(new)} bytes are new, in pieces {len(other)}")
    if reasons[-1] != sieve.CORRUPT and len(new) > len(case):
        raise WrongError("more is new than there was")
    whole.repeat()
    again, _ = _sifted(case, (), whole)
    if len(again) > len(new):
        raise WrongError("more is new when it comes again")


def _tape(case: bytes) -> None:
    """The whole tape's volume: the same totals, in whatever pieces the statistics come."""
    totals = []
    for size in (len(case) + 1, 61):
        for version in (1, 3):
            tape = ConsolidatedVolume(weekdays())
            tape.begin_day(weekdays().day(wire.DAY))
            ids = InstrumentIds()
            tape.name(ids, ((number, f"S{number}") for number in range(8)))
            position, end = 0, 0
            while end < len(case):
                end = min(end + size, len(case))
                position = _tape_walked(tape, case, position, end, ids, version)
                if position < 0:
                    break
            totals.append(
                (tape.taken, tape.by_slot([f"S{number}" for number in range(8)]).tolist())
            )
    if repr(totals[:2]) != repr(totals[2:]):
        raise WrongError(f"whole {totals[:2]}, in pieces {totals[2:]}")


def _tape_walked(
    tape: ConsolidatedVolume, case: bytes, position: int, end: int, ids: InstrumentIds, version: int
) -> int:
    """Walk on to the end of the bytes; returns how far, -1 where no record is any more."""
    data = np.frombuffer(case[:end], np.uint8)
    while True:
        reason, at = tape.walk(data, position, end, ids, version)
        if not position <= at <= end:
            raise WrongError(f"it walked from {position} to {at} of {end}")
        position = at
        if reason == consolidated.CONTROL:
            position += case[position] * 4
        elif reason == consolidated.NEXT_DAY:
            tape.turn()
        else:
            return -1 if reason == consolidated.BROKEN else position


def _statistics() -> list[bytes]:
    rows = np.zeros(20, STATISTICS_DTYPE)
    rows["length"] = STATISTICS_DTYPE.itemsize // 4
    rows["rtype"] = RType.STATISTICS
    rows["instrument_id"] = np.arange(20) % 8
    rows["ts_recv"] = rows["ts_event"] = wire.OPEN_NS + np.arange(20) * 10**12
    rows["quantity"] = np.arange(20) * 100
    rows["stat_type"] = consolidated.CLEARED_VOLUME
    raw = rows.tobytes()
    return [raw, raw + wire.mapping_record(3, "S9") + raw[:160], *_streams()[:4]]


def _control(case: bytes) -> None:
    """Rare records, one by one and as a run of mappings; the library must not end the process."""
    for version in (1, 2, 3):
        for ts_out in (False, True):
            decoder = ControlDecoder(version, ts_out=ts_out)
            at = 0
            while at + 16 <= len(case) and (length := case[at] * 4) >= 16:
                if at + length > len(case):
                    break
                decoder.decode(case[at : at + length])
                if case[at + 1] == RType.SYMBOL_MAPPING:
                    decoder.decode_mappings(case[at : at + length] * 2, length)
                at += length


def _play(case: bytes) -> None:
    """The whole engine: the same bars, whatever the size of the blocks a file is read in."""
    path = _FOLDER[0] / "case.dbn"
    path.write_bytes(wire.metadata("mbp-1", _SYMBOLS) + case)
    with patch.object(dbn_file, "BLOCK_BYTES", 1 << 14):
        one = _played(path)
    with patch.object(dbn_file, "BLOCK_BYTES", 200):
        other = _played(path)
    if isinstance(one, str) or isinstance(other, str):
        if one != other:
            raise WrongError(f"{one} and {other}")
        return
    if one.sink.bars != other.sink.bars or one.outcome.health != other.outcome.health:
        raise WrongError("other blocks of the same bytes have other bars")


def _played(path: Path) -> Played | str:
    try:
        return play(path)
    except InputError as error:
        return str(error)


# --- states -------------------------------------------------------------------------------------


def _state() -> bytes:
    """Return what a market with some trades leaves for a later run."""
    market = Market(capacity=8)
    day = weekdays().day(wire.DAY)
    market.begin_day(day, wire.OPEN_NS)
    ids = InstrumentIds()
    ids.assign([(number, market.slots([name])[0]) for number, name in enumerate(("A", "B", "#3"))])
    raw = wire.random_rows(3, 200, 3, 5)
    raw["instrument_id"] -= 1
    data = np.frombuffer(raw.tobytes(), np.uint8)
    market.ctl[[k.POSITION, k.END, k.STOP_NS]] = 0, len(data), 2**62
    market.consume(data, ids)
    place = checkpoint.Place("EQUS.MINI mbp-1", wire.OPEN_NS, {1: wire.OPEN_NS})
    return checkpoint.freeze(market, day, place)


def _states() -> tuple[bytes, ...]:
    raw = zstandard.decompress(_state())
    return (raw, raw.replace(b'"A"', b'"B"'), raw.replace(b"[", b"[[", 1), b"", bytes(8), raw[:300])


_STATE_WORDS = (
    b'"', b"null", b"[]", b"{}", b"1e999", b"-1", b"9" * 30, b"9" * 5_000, b"NaN", b"Infinity",
    b"true", b'"2026-06-15"', b'"9999-12-31"', b"[" * 3_000, b"\xff" * 8,
    b"\x7f" + b"\xff" * 7, bytes(8),
    b", ", b": ", b'"watermarks": ', b'"symbols": ["A", "A", "A"]', b'"session": 9', b"[[1, 2]]",
)  # fmt: skip


def _thaw(case: bytes) -> None:
    """A state that is damaged is refused, and one that is taken can be gone on with."""
    for frozen in (zstandard.compress(case), case):
        market = Market(capacity=8)
        checkpoint.read_header(frozen)
        if not checkpoint.thaw(market, frozen, weekdays()):
            if market.count or market.day is not None:
                raise WrongError("a refused state left something behind")
            continue
        ctl = market.ctl
        if not 0 <= ctl[k.TOUCHED_COUNT] <= market.count:
            raise WrongError("more symbols are touched than there are")
        if market.count == 0:
            continue
        ids = InstrumentIds()
        ids.assign((number, number) for number in range(market.count))
        data = np.frombuffer(wire.random_rows(5, 40, market.count, 2).tobytes(), np.uint8)
        ctl[[k.POSITION, k.END, k.STOP_NS, k.WATCHING]] = 0, len(data), 2**62, 1
        market.consume(data, ids)
        market.take_late()
        market.take_bars()


def _thaw_spoil(rng: random.Random, case: bytes, other: bytes) -> bytes:
    """Spoil the header more often than the numbers behind it, which are taken as they are."""
    size = 8 + int.from_bytes(case[:8], "little")
    if not 8 < size < len(case):
        return spoilt(rng, case, other, _STATE_WORDS)
    head = spoilt(rng, case[8:size], other[8:400], _STATE_WORDS)
    rest = spoilt(rng, case[size:], other, _STATE_WORDS) if rng.random() < 0.3 else case[size:]
    return len(head).to_bytes(8, "little") + head + rest


def _controls() -> list[bytes]:
    return [stream for stream in _streams() if 0x12 <= stream[1] <= 0x23]


PARTS = (
    Part("sift", _sift, _streams, share=0.1, spoil=_spoil_records, most_bytes=ROOM),
    Part("tape", _tape, _statistics, share=0.02, spoil=_spoil_records, most_bytes=ROOM),
    Part("control", _control, _controls, share=0.05, spoil=_spoil_records, most_bytes=ROOM),
    Part("play", _play, _streams, share=0.001, setup=_folder, spoil=_spoil_records),
    Part("dbn-file", _read_file, _files, _WORDS, 0.01, 60_000, _folder, _spoil_file),
    Part("frames", _walk_frames, _files, _WORDS, share=0.02),
    Part("state", _thaw, _states, _STATE_WORDS, 0.01, 60_000, spoil=_thaw_spoil),
)
