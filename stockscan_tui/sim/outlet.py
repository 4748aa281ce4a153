"""What a connection sends, counted, with the faults that strike at a count."""

from __future__ import annotations

import asyncio
import fcntl
import random
import socket
import struct
import termios
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from stockscan_tui.sim import messages
from stockscan_tui.sim.faults import Fault

# Send buffers and slices of this size keep the loop out of the way of the kernel.
SEND_BYTES = 1 << 22
_NOISE_BYTES = 1 << 16
_NOISE_SEED = 20_260_615
_DRAIN_S = 1.0
_DRAIN_STEP_S = 0.001


class CutError(Exception):
    """The connection is to end: with a FIN, or with an RST where `reset`."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


class Outlet:
    """The sending side of one connection; belongs to its event loop.

    Args:
        sock: Not blocking.
        faults: What is to strike on this connection; those at a time are struck by `strike_later`.
        frame: Makes a record of the session from a system or error message.
        now_ns: Event time.
    """

    def __init__(
        self,
        sock: socket.socket,
        faults: Iterable[Fault],
        frame: Callable[[bytes], bytes],
        now_ns: Callable[[], int],
    ) -> None:
        self._sock = sock
        self._frame = frame
        self._now_ns = now_ns
        self._armed = [fault for fault in faults if fault.after_s is None]
        self._ripe: list[Fault] = []
        self._in_data = False
        self._noise: random.Random | None = None
        self._records = 0
        self._bytes = 0
        self.last_sent_s = time.monotonic()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def begin_data(self) -> None:
        """Let what is a record strike: the metadata were sent."""
        self._in_data = True

    def strike_later(self, fault: Fault) -> None:
        """Let a fault strike with the next send or `poll`."""
        self._ripe.append(fault)

    async def poll(self) -> None:
        """Strike what has become ripe.

        Raises:
            CutError: A fault ends the connection.
        """
        ripe = [f for f in self._ripe if self._in_data or f.kind in ("stall", "garbage")]
        for fault in ripe:
            self._ripe.remove(fault)
            await self._strike(fault, memoryview(b""))

    async def send(self, data: bytes | memoryview, record_bytes: int = 0) -> None:
        """Send everything, in order.

        Args:
            data: Text, or whole records.
            record_bytes: The length of each of the market data records that `data` is made of;
                0 for anything else.

        Raises:
            CutError: A fault ends the connection.
            OSError: The other side is gone.
        """
        view = memoryview(data)
        await self.poll()
        while view:
            fault, room = self._next(len(view), record_bytes)
            await self._write(view[:room])
            self._records += room // record_bytes if record_bytes else 0
            view = view[room:]
            if fault is not None:
                self._armed.remove(fault)
                await self._strike(fault, view[:record_bytes])

    def _next(self, length: int, record_bytes: int) -> tuple[Fault | None, int]:
        """Return the fault that strikes first within `length` bytes, and the bytes before it."""
        first: Fault | None = None
        room = length
        for fault in self._armed:
            if fault.at_bytes is not None:
                before = max(fault.at_bytes - self._bytes, 0)
            elif fault.at_record is not None and record_bytes:
                before = max(fault.at_record - 1 - self._records, 0) * record_bytes
            else:
                continue
            # A count of bytes that ends with this send strikes now, not before the next one.
            reached = before <= room if fault.at_bytes is not None else before < room
            if reached and (first is None or before < room):
                first, room = fault, before
        return first, room

    async def _write(self, view: memoryview) -> None:
        if self._noise is not None:
            view = memoryview(self._noise.randbytes(min(len(view), _NOISE_BYTES)))
        await asyncio.get_running_loop().sock_sendall(self._sock, view)
        self._bytes += len(view)
        self.last_sent_s = time.monotonic()

    async def _strike(self, fault: Fault, record: memoryview) -> None:
        match fault.kind:
            case "drop" | "reset":
                raise CutError(reset=fault.kind == "reset")
            case "stall":
                await asyncio.Event().wait()
            case "half":
                await self._write(record[: len(record) // 2])
                raise CutError(reset=False)
            case "garbage":
                self._noise = random.Random(_NOISE_SEED)  # noqa: S311 - the same noise each time
                await self._write(memoryview(bytes(_NOISE_BYTES)))
            case "slow":
                text = "Slow reader detected"
                await self._say(messages.system(self._now_ns(), messages.SLOW_READER, text))
            case "error":
                await self._say(messages.error(self._now_ns(), fault.code, fault.text))
                if fault.code not in messages.NOT_FATAL:
                    raise CutError(reset=False)

    async def _say(self, record: bytes) -> None:
        await self._write(memoryview(self._frame(record)))


async def end(sock: socket.socket, *, reset: bool, patient: bool = True) -> None:
    """Close a connection whose sending is over.

    Args:
        sock: Not blocking.
        reset: Break it (RST) once the other side's kernel has what was sent.
        patient: Give the other side a moment to take everything.
    """
    with suppress(OSError), sock:
        if reset:
            await _drained(sock, _DRAIN_S if patient else 0.0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        sock.shutdown(socket.SHUT_WR)
        # Closing on unread bytes would send an RST that can overtake the FIN.
        async with asyncio.timeout(_DRAIN_S if patient else 0.01):
            while await asyncio.get_running_loop().sock_recv(sock, 1 << 16):
                pass


async def _drained(sock: socket.socket, limit_s: float) -> None:
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s and _unsent(sock):
        await asyncio.sleep(_DRAIN_STEP_S)


def _unsent(sock: socket.socket) -> int:
    answer = fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(answer, "little")
