"""Clients of the simulated gateway: the official one, gathered, and one of plain sockets."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import databento_dbn as dbn
import numpy as np
from numpy.typing import NDArray

from stockscan_tui.market.dbn import RType

KEY = "db-" + "k" * 29
PATIENCE_S = 20.0
DATASET = "EQUS.MINI"


class Gathered:
    """What an official client was given, in order, and a way to wait for more."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self._changed = threading.Condition()

    def take(self, record: Any) -> None:
        with self._changed:
            self.records.append(record)
            self._changed.notify_all()

    def until(self, reached: Callable[[Gathered], bool]) -> None:
        """Wait until `reached` says so; the test fails where it never does."""
        with self._changed:
            assert self._changed.wait_for(lambda: reached(self), PATIENCE_S), len(self.records)

    def until_quiet(self) -> None:
        """Wait for a heartbeat: all that is due was sent before it."""
        self.until(lambda seen: any(record.code == 0 for record in seen.of(dbn.SystemMsg)))

    def of(self, kind: type) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]

    def systems(self) -> list[tuple[int, str]]:
        """Return the codes and texts of the system messages that are no heartbeats."""
        return [(int(r.code), r.msg) for r in self.of(dbn.SystemMsg) if int(r.code) != 0]

    def as_array(self, kind: type, dtype: np.dtype[Any]) -> NDArray[Any]:
        return np.frombuffer(b"".join(map(bytes, self.of(kind))), dtype)

    def symbols(self) -> dict[str, int]:
        return {r.stype_out_symbol: r.instrument_id for r in self.of(dbn.SymbolMappingMsg)}


@contextmanager
def official(port: int, key: str = KEY, **options: Any) -> Iterator[tuple[Any, Gathered]]:
    """Yield a client of the official library, not started, and what it gathers."""
    import databento

    client = databento.Live(key=key, gateway="127.0.0.1", port=port, **options)
    gathered = Gathered()
    client.add_callback(gathered.take)
    try:
        yield client, gathered
    finally:
        with suppress(ValueError):
            client.terminate()


class RawClient:
    """A client that keeps every byte; a context manager.

    Args:
        port: Of the gateway.
    """

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.received = bytearray()
        self._read = 0

    def say(self, *lines: str) -> None:
        self._sock.sendall("".join(f"{line}\n" for line in lines).encode())

    def line(self) -> str:
        """Return the next line of text, without its end; empty at the connection's end."""
        while (end := self.received.find(b"\n", self._read)) < 0:
            if not self._more():
                return ""
        begin, self._read = self._read, end + 1
        return self.received[begin:end].decode()

    def login(self, extra: str = "") -> str:
        """Answer the challenge with any key and return the gateway's reply."""
        self.line()
        self.line()
        self.say(f"auth=0-0|dataset={DATASET}|encoding=dbn|ts_out=0{extra}")
        return self.line()

    def start(self, *subscriptions: str, extra: str = "") -> None:
        """Go through the whole handshake with these `schema=…` parts of subscriptions."""
        self.login(extra)
        for subscription in subscriptions:
            self.subscribe(subscription)
        self.say("start_session=0")

    def subscribe(self, subscription: str) -> None:
        symbols = "" if "symbols=" in subscription else "|symbols=ALL_SYMBOLS"
        self.say(f"schema={subscription}|stype_in=raw_symbol{symbols}|snapshot=0|is_last=1")

    def read_to_end(self) -> bool:
        """Read until the connection ends; True where it was broken (RST)."""
        try:
            while self._more():
                pass
        except ConnectionResetError:
            return True
        return False

    def read_until(self, reached: Callable[[RawClient], bool]) -> None:
        while not reached(self):
            assert self._more(), "the connection ended early"

    def records(self) -> list[bytes]:
        """Return the whole records so far, whatever their length, behind the metadata."""
        data = bytes(self.received[self._read :])
        if len(data) < 8:
            return []
        at = 8 + struct.unpack_from("<I", data, 4)[0]
        found = []
        while at < len(data) and data[at] and at + data[at] * 4 <= len(data):
            found.append(data[at : at + data[at] * 4])
            at += data[at] * 4
        return found

    def of(self, rtype: RType) -> list[bytes]:
        return [record for record in self.records() if record[1] == rtype]

    def quiet(self) -> bool:
        """Whether a heartbeat has come."""
        return any(record[-1] == 0 for record in self.of(RType.SYSTEM))

    def _more(self) -> bool:
        piece = self._sock.recv(1 << 18)
        self.received += piece
        return bool(piece)

    def still_open(self) -> bool:
        """Whether the connection stands and nothing is waiting to be read."""
        self._sock.setblocking(False)
        try:
            self._sock.recv(1)
        except BlockingIOError:
            return True
        finally:
            self._sock.settimeout(PATIENCE_S)
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sock.close()
