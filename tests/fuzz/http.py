"""Answers of Databento's historical service that are broken, endless or lead elsewhere."""

from __future__ import annotations

import gzip
import json
import random
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

import zstandard

from stockscan_tui.feed.history import History, HistoryError
from stockscan_tui.market.dbn import RType
from tests import wire
from tests.fuzz.gateway import DRIP, FLOOD, SAY, Liar, check_memory, peak_mb, step, steps_of
from tests.fuzz.part import Part, WrongError, spoilt
from tests.streaming import KEY

TIMEOUT_S = 0.5
# Longer than this no call may take, whatever comes.
LONGEST_S = 30.0
_OK = b"HTTP/1.1 200 OK\r\n"
_DAY = date(2026, 6, 15)
_RANGE = {"start": "2020-01-01T00:00:00Z", "end": "2026-06-17T00:00:00Z"}
_DAILY = zstandard.compress(
    wire.joined(
        wire.metadata("ohlcv-1d", {"AAA": 1}),
        wire.ohlcv([(wire.OPEN_NS, 1, 10, 11, 9, 10, 100)], RType.OHLCV_1D),
    )
)


def _answer(body: bytes, *headers: bytes, status: bytes = _OK) -> bytes:
    head = b"".join(header + b"\r\n" for header in headers)
    return status + head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


_BODIES = (
    json.dumps(_RANGE).encode(), b"0.0", b"NaN", b"1e999", b"9" * 5_000, b"[" * 90_000, b"{}",
    b"null", b'"',
    b'{"start": "x", "end": 5}',
    b'{"result": {"AAA": [{"s": "1", "d0": "2026-06-15", "d1": "x"}]}}',
    _DAILY, _DAILY[:-4], b"\x28\xb5\x2f\xfd\xe0" + (2**62).to_bytes(8, "little"), b"", b"\xff\xfe",
    zstandard.compress(bytes(1 << 27)), b'{"detail": {"case": 5, "message": [1]}}', b"symbol\nA\n",
)  # fmt: skip
_BOMB = gzip.compress(bytes(1 << 28), 9)[:65_000]


def _seeds() -> Sequence[bytes]:
    found = [step(SAY, _answer(body)) for body in _BODIES]
    for status in (b"301", b"302", b"307", b"308"):
        for place in (b"http://localhost:%(port)/else", b"/again", b"file:///etc/passwd", b"\xff"):
            moved = b"HTTP/1.1 " + status + b" Moved\r\n"
            found.append(step(SAY, _answer(b"", b"Location: " + place, status=moved)))
    for status in (
        b"400 Bad",
        b"401 No",
        b"403 No",
        b"422 No",
        b"429 Slow",
        b"500 Oh",
        b"504 Oh",
        b"999 X",
    ):
        for body in (
            b"[]",
            b'{"detail": "' + KEY.encode() + b' \x1b[2J"}',
            b"<html>",
            b'"a"',
            b"[" * 50_000,
        ):
            found.append(step(SAY, _answer(body, status=b"HTTP/1.1 " + status + b"\r\n")))
    chunked = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
    return [
        *found,
        step(SAY, _answer(_BOMB, b"Content-Encoding: gzip")),
        step(SAY, _OK + b"\r\n") + step(FLOOD, b"A" * 1_000),
        step(SAY, chunked) + step(FLOOD, b"5\r\nhello\r\n"),
        step(SAY, chunked + b"ffffffffffffffff\r\n") + step(FLOOD, b"A" * 1_000),
        step(SAY, _OK + b"Content-Length: 99999999999\r\n\r\n") + step(FLOOD, b"A" * 1_000),
        step(SAY, _OK) + step(FLOOD, b"X-A: b\r\n"),
        step(SAY, _answer(b"{}", b"X-Warning: [")),
        step(DRIP, _OK), step(SAY, _OK + b"\r\n") + step(DRIP, b"a" * 900), b"",
        step(SAY, b"\0" * 99),
    ]  # fmt: skip


class _Elsewhere:
    """Another host, which must never be told the key."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.heard = bytearray()
        threading.Thread(target=self._serve, name="elsewhere", daemon=True).start()

    def _serve(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            with sock, suppress(OSError):
                sock.settimeout(0.3)
                self.heard += sock.recv(1 << 16)
                sock.sendall(_answer(b"{}"))


_OTHER: list[_Elsewhere] = []


def _setup(_folder: Path) -> None:
    _OTHER[:] = [_Elsewhere()]


def _run(case: bytes) -> None:
    other, before_mb = _OTHER[0], peak_mb()
    other.heard.clear()
    case = b"".join(
        step(kind, payload.replace(b"%(port)", b"%d" % other.port))
        for kind, payload in steps_of(case)
    )
    with Liar(case) as liar:
        history = History(KEY, url=f"http://127.0.0.1:{liar.port}", timeout_s=TIMEOUT_S)
        calls = (
            lambda: history.daily_closes([_DAY]),
            lambda: history.minute_bars("EQUS.MINI", ["AAA"], wire.OPEN_NS, wire.OPEN_NS + 10**12),
            lambda: history.splits(_DAY, date(2026, 6, 16)),
            lambda: history._caller.call("bars", "x", lambda api: api.timeseries.get_range(
                dataset="EQUS.MINI", schema="ohlcv-1d", symbols="A", start=0, end=10**18)),
        )  # fmt: skip
        begin = time.monotonic()
        for call in calls:
            try:
                call()
            except HistoryError as error:
                if KEY in str(error) or len(str(error)) > 2_000:
                    raise WrongError(f"said: {str(error)[:300]!r}") from error
        took_s = time.monotonic() - begin
    if b"Authorization" in other.heard or b"ZGIt" in other.heard:
        raise WrongError("the key was sent elsewhere")
    if took_s > LONGEST_S:
        raise WrongError(f"it took {took_s:.1f} s")
    check_memory(before_mb)


def _spoil(rng: random.Random, case: bytes, other: bytes) -> bytes:
    steps = list(steps_of(case)) or [(SAY, _OK)]
    at = rng.randrange(len(steps))
    kind, payload = steps[at]
    near = next(steps_of(other), (SAY, b""))[1]
    steps[at] = kind, spoilt(rng, payload, near, _BODIES)[:60_000]
    return b"".join(step(what, said) for what, said in steps)


PARTS = (
    Part(
        "http",
        _run,
        _seeds,
        share=0.5,
        most_bytes=1 << 18,
        setup=_setup,
        spoil=_spoil,
        longest_s=6.0,
    ),
)
