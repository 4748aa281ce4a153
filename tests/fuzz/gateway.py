"""A gateway that lies, stalls and floods, against our client; and such a client against ours.

A case is what one side does: steps of a letter, a length and bytes, so that any bytes are some.
"""

from __future__ import annotations

import asyncio
import gc
import math
import random
import resource
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import zstandard

from stockscan_tui.errors import StockscanError
from stockscan_tui.feed.live import Patience
from stockscan_tui.feed.stream import Link
from stockscan_tui.sim.gateway import GatewayThread, Options
from stockscan_tui.sim.tape import Tape
from tests import wire
from tests.fuzz.part import Part, WrongError, spoilt, threads_left
from tests.streaming import KEY, capture

SAY, AWAIT, FLOOD, DRIP, PAUSE, CLOSE, RESET = range(7)
IMPATIENT = Patience(
    connect_s=0.4,
    heartbeat_s=5,
    silent_s=0.4,
    first_retry_s=0.01,
    longest_retry_s=0.05,
    look_s=0.02,
)
# What a connection may send, and what a case may cost our side.
MOST_FLOOD = 24 << 20
MOST_MB = 500.0
_GREETING = b"lsg_version=0.9\n"
_CRAM = b"cram=abcdefghijkl\n"
_RECORDS = wire.trades([(wire.OPEN_NS + n, 1 + n % 3, 10.0, 5) for n in range(20)]).tobytes()
_META = wire.metadata(None)


def step(what: int, payload: bytes = b"") -> bytes:
    """Return one step of a case."""
    return bytes([what]) + len(payload).to_bytes(3, "little") + payload


def steps_of(case: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the steps of any bytes."""
    at = 0
    while at + 4 <= len(case):
        size = int.from_bytes(case[at + 1 : at + 4], "little")
        yield case[at] % 7, case[at + 4 : at + 4 + size]
        at += 4 + size


_LOGIN = (step(SAY, _GREETING + _CRAM), step(AWAIT, b"auth="))
_IN = (*_LOGIN, step(SAY, b"success=1|session_id=5\n"), step(AWAIT, b"start_session"))
_SAID = (
    b"success=0|error=Authentication failed.\n", b"success=0|error=\x1b[2J\x07\n", b"success=2\n",
    b"success=0|error=" + b"A" * 9_000 + b"\n", b"success=\n", b"\n\n\n", b"\xff\xfe\n", b"cram=\n",
    b"success=1\n", b"success=0\n", b"=|=|=\n", b"lsg_version=\ncram=" + b"c" * 9_000 + b"\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"SSH-2.0-OpenSSH_9.6\r\n", b"\0" * 500,
    b"success=1|session_id=\xd9\xa3\n", b"success=0|error=too many connections\n",
    b"lsg_version=1\ncram=abc|success=1\n", b"error=1\n", b"\x16\x03\x01\x02\x00\x01\x00", b"cram=",
)  # fmt: skip
_DATA = (
    _META + _RECORDS, _META[:20], b"DBN\x03\xff\xff\xff\xff", b"DBN\x03\xff\xff\xff\x03",
    b"DBN\x09",
    b"DBN\x03\0\0\0\0", b"DBN\x00\x10\0\0\0" + bytes(16), zstandard.compress(_META + _RECORDS),
    b"DBN\x03\x80\0\0\0" + b"\xff" * 128, _META + b"\0" * 64, _META + _RECORDS[:30],
    b"hello, world\n",
    _META + _META + _RECORDS, _META + wire.mapping_record(1, "\x1b[2JAAA") + _RECORDS,
    wire.metadata(None, version=1) + _RECORDS, _META + b"\xff\x15" + b"\xff" * 1_018,
)  # fmt: skip


def _seeds() -> Sequence[bytes]:
    logins = [
        b"".join((*_LOGIN, step(SAY, said), step(end))) for said in _SAID for end in (CLOSE, PAUSE)
    ]
    openings = [step(SAY, said) + step(PAUSE) for said in _SAID]
    data = [b"".join((*_IN, step(SAY, said), step(PAUSE), step(CLOSE))) for said in _DATA]
    eager = [b"".join((*_LOGIN, step(SAY, b"success=1\n" + said), step(PAUSE))) for said in _DATA]
    slow = [step(DRIP, _GREETING + _CRAM), b"".join((*_IN, step(DRIP, _META + _RECORDS)))]
    floods = [
        step(FLOOD, b"A" * 1_000), step(FLOOD, b"lsg_version=1\n"), step(FLOOD, _CRAM),
        b"".join((*_LOGIN, step(FLOOD, b"x|"))), b"".join((*_IN, step(FLOOD, _META))),
        b"".join((*_IN, step(SAY, b"DBN\x03\xff\xff\xff\x03"), step(FLOOD, b"A" * 1_000))),
        b"".join((*_IN, step(SAY, _META), step(FLOOD, _RECORDS))),
        b"".join((*_IN, step(SAY, _META), step(FLOOD, wire.mapping_record(9, "A") + _RECORDS))),
        b"".join((*_LOGIN, step(SAY, b"success=1\n"), step(FLOOD, _META + _RECORDS))),
    ]  # fmt: skip
    cuts = [step(CLOSE), step(RESET), b"".join((*_IN, step(RESET))), b"".join((*_IN, step(PAUSE)))]
    return [*openings, *logins, *data, *eager, *slow, *floods, *cuts]


class Liar:
    """A server that does one case's steps on every connection; a context manager."""

    def __init__(self, case: bytes) -> None:
        self._steps = list(steps_of(case))
        self._stopped = threading.Event()
        self.heard = bytearray()
        self.served = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="liar", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                continue
            with sock, suppress(OSError):
                sock.settimeout(0.05)
                for what, payload in self._steps:
                    if self._stopped.is_set() or not self._do(sock, what, payload):
                        break
                self._hear(sock, b"\0never")
            self.served += 1

    def _do(self, sock: socket.socket, what: int, payload: bytes) -> bool:
        """Take one step; returns whether the connection goes on."""
        if what == SAY:
            sock.sendall(payload)
        elif what == AWAIT:
            self._hear(sock, payload)
        elif what == FLOOD:
            sent, piece = 0, payload * (1 + 60_000 // max(len(payload), 1))
            while payload and sent < MOST_FLOOD and not self._stopped.is_set():
                sock.sendall(piece)
                sent += len(piece)
        elif what == DRIP:
            for byte in payload:
                sock.sendall(bytes([byte]))
                if self._stopped.wait(0.02):
                    return False
        elif what == PAUSE:
            return not self._stopped.wait(0.05)
        elif what == RESET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return what not in {CLOSE, RESET}

    def _hear(self, sock: socket.socket, awaited: bytes) -> None:
        """Read until something has come, or nothing comes any more."""
        begin = len(self.heard)
        with suppress(TimeoutError):
            while awaited not in self.heard[begin:] and not self._stopped.is_set():
                piece = sock.recv(1 << 16)
                if not piece:
                    raise ConnectionResetError
                self.heard += piece


def peak_mb() -> float:
    """Return the most memory that the process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def check_memory(before_mb: float, most_mb: float = MOST_MB) -> None:
    """Raise WrongError where the process had more memory than before by more than allowed."""
    if (more := peak_mb() - before_mb) > most_mb:
        raise WrongError(f"{more:.0f} MB more of memory")


def _client(case: bytes) -> None:
    """Whatever a gateway does, the client goes on or is refused, says so, and can be ended."""
    before, before_mb = set(threading.enumerate()), peak_mb()
    with Liar(case) as liar:
        run = capture(liar.port, patience=IMPATIENT)
        stream = run.feed._streams[0]
        end = time.monotonic() + 1.2
        while time.monotonic() < end and liar.served < 2:
            if not run.engine.running or stream.status.link is Link.REFUSED:
                break
            time.sleep(0.005)
        said = [*run.engine.health().problems, run.engine.failure(), stream.status.sentence]
        error = run.engine._error
        run.feed.stop()
        run.engine.stop()
        ended = run.feed.join(30) and run.engine.join(30)
        heard = bytes(liar.heard)
    if not ended:
        raise WrongError("it could not be ended")
    if error is not None and not isinstance(error, StockscanError):
        raise WrongError(f"the engine broke off: {said}") from error
    if KEY.encode() in heard or any(KEY in text for text in said):
        raise WrongError("the key was said in clear")
    if any(len(text) > 2_000 for text in said):
        raise WrongError(f"a sentence of {max(map(len, said))} characters")
    check_memory(before_mb)
    if left := threads_left(before):
        raise WrongError(f"threads are left behind: {left}")


# --- against our own gateway --------------------------------------------------------------------

_ASKS = (
    b"auth=0-0|dataset=EQUS.MINI|encoding=dbn|ts_out=0\n", b"auth=|dataset=\n",
    b"start_session=0\n",
    b"auth=0-0|dataset=EQUS.MINI|heartbeat_interval_s=" + b"9" * 5_000 + b"\n",
    b"schema=mbp-1|stype_in=raw_symbol|symbols=ALL_SYMBOLS|snapshot=0|is_last=1\n",
    b"schema=mbp-1|symbols=A,B|is_last=0\n",
    b"schema=trades|symbols=ALL_SYMBOLS|start=" + b"9" * 30 + b"\n",
    b"schema=trades|symbols=ALL_SYMBOLS|id=" + b"9" * 5_000 + b"\n", b"schema=\xff|symbols=\0\n",
    b"schema=trades|symbols=ALL_SYMBOLS|start=\xd9\xa3\n", b"schema=x|symbols=ALL_SYMBOLS\n",
    b"|||\n",
    b"schema=trades|stype_in=continuous|symbols=ALL_SYMBOLS|start=0\n", b"GET / HTTP/1.1\r\n\r\n",
    b"auth=\xc3\xa9-0|dataset=\xff|ts_out=1\n", b"schema=ohlcv-1m|symbols=ALL_SYMBOLS|start=1\n",
)  # fmt: skip
_GATEWAYS: list[GatewayThread] = []


def _open(_folder: Path) -> None:
    rows = wire.random_rows(1, 2_000, 20, minutes=10)
    tape = Tape.from_records(rows, {f"S{n}": n for n in range(1, 21)})
    _GATEWAYS[:] = [GatewayThread(tape, Options(speed=math.inf, heartbeat_s=0.1))]
    # What asyncio would print of a task that broke.
    _GATEWAYS[0]._loop.set_exception_handler(_note_broken)


_BROKEN: list[str] = []


def _note_broken(_loop: asyncio.AbstractEventLoop, said: dict[str, object]) -> None:
    _BROKEN.append(f"{said.get('message')}: {said.get('exception')!r}")


def _asks() -> Sequence[bytes]:
    login, subscribe, start = _ASKS[0], _ASKS[4], _ASKS[2]
    every = [step(SAY, ask) for ask in _ASKS]
    inside = [step(SAY, login) + step(SAY, ask) + step(SAY, start) + step(AWAIT) for ask in _ASKS]
    later = [step(SAY, login + subscribe + start) + step(SAY, ask) + step(AWAIT) for ask in _ASKS]
    floods = [
        step(FLOOD, b"\n"), step(FLOOD, b"A"), step(SAY, login) + step(FLOOD, _ASKS[5]),
        step(SAY, login) + step(FLOOD, subscribe), step(SAY, login + start) + step(FLOOD, start),
    ]  # fmt: skip
    return [
        *every,
        *inside,
        *later,
        *floods,
        step(RESET),
        step(SAY, login + subscribe + start) + step(RESET),
    ]


def _server(case: bytes) -> None:
    """Whatever a client sends, the gateway goes on and serves the next one."""
    gateway, before_mb = _GATEWAYS[0], peak_mb()
    _BROKEN.clear()
    liar = Liar.__new__(Liar)
    liar.heard, liar._stopped = bytearray(), threading.Event()
    with socket.create_connection(("127.0.0.1", gateway.port), 5) as sock, suppress(OSError):
        sock.settimeout(0.1)
        for what, payload in steps_of(case):
            if not liar._do(sock, what, payload):
                break
    with socket.create_connection(("127.0.0.1", gateway.port), 5) as sock:
        if not sock.recv(100).startswith(b"lsg_version="):
            raise WrongError("the next client is not served")
    # A broken task is told of as it goes.
    gc.collect(1)
    if _BROKEN:
        raise WrongError(f"a session broke: {_BROKEN[0]}")
    check_memory(before_mb)


def _spoil(rng: random.Random, case: bytes, other: bytes) -> bytes:
    """Change steps as steps."""
    steps, more = list(steps_of(case)), list(steps_of(other))
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(steps) + 1)
        what = rng.randrange(4)
        if what == 0 and steps:
            kind, payload = steps[at % len(steps)]
            said = spoilt(rng, payload, rng.choice(_SAID), (*_SAID, *_ASKS))
            steps[at % len(steps)] = kind, said[:60_000]
        elif what == 1 and more:
            steps[at:at] = [rng.choice(more)]
        elif what == 2:
            del steps[at : at + 1]
        elif steps:
            steps[at % len(steps)] = (
                rng.choice((SAY, SAY, AWAIT, DRIP, PAUSE)),
                steps[at % len(steps)][1],
            )
    return b"".join(step(kind, payload) for kind, payload in steps)


PARTS = (
    Part("gateway", _client, _seeds, share=1.0, most_bytes=1 << 18, spoil=_spoil, longest_s=6.0),
    Part("client", _server, _asks, share=2.0, most_bytes=1 << 18, setup=_open, spoil=_spoil),
)
