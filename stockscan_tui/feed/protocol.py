"""The connection to a gateway: the official client's handshake, and our own hands on the records.

The base class speaks the text protocol. From the metadata on, the socket is read straight into the
blocks of a pipe, and no Python object is made of a record. Importing this imports the official
client and pandas with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

import databento_dbn as dbn
from databento.live.protocol import DatabentoLiveProtocol

from stockscan_tui.feed.pipe import Pipe
from stockscan_tui.market.dbn import MAGIC

MAX_METADATA_BYTES = 1 << 26
# A login is a few lines; the client would keep whatever comes in place of them.
MAX_LOGIN_BYTES = 1 << 14
_HEAD_BYTES = 8
_NEWEST_VERSION = 3

# They log through Python's last resort, which is the terminal.
for _name in ("databento", "asyncio"):
    _library_log = logging.getLogger(_name)
    _library_log.addHandler(logging.NullHandler())
    _library_log.propagate = False


class LiveProtocol(DatabentoLiveProtocol):
    """One connection; for the feed's event loop.

    Args:
        key: The API key.
        dataset: As in `EQUS.MINI`.
        heartbeat_s: How often the gateway is to show that it is there, in seconds.
    """

    def __init__(self, key: str, dataset: str, *, heartbeat_s: int) -> None:
        super().__init__(
            api_key=key,
            dataset=dataset,
            heartbeat_interval_s=heartbeat_s,
            slow_reader_behavior="warn",
        )
        for future in (self.authenticated, self.disconnected, self.metadata_received):
            # Looked at, so that asyncio does not report it as forgotten.
            future.add_done_callback(lambda f: f.cancelled() or f.exception())
        self.received_bytes = 0
        self.problem = ""
        self._pipe: Pipe | None = None
        self._head = bytearray()
        self._scratch = bytearray(1 << 16)
        self._paused = False

    @property
    def paused(self) -> bool:
        """Whether nothing is read because the engine must first catch up."""
        return self._paused

    @property
    def opened(self) -> bool:
        """Whether the metadata has come, so that records follow."""
        return self._pipe is not None and self._pipe.started

    def deliver_to(self, pipe: Pipe) -> None:
        """Let all that comes from now on go to `pipe`, and what came since the login."""
        self._pipe = pipe
        if self._head:
            self._take_metadata(pipe)

    def get_buffer(self, sizehint: int) -> bytearray | memoryview:  # type: ignore[override]
        """Return where the event loop is to put the next bytes."""
        if self._pipe is None and not self.authenticated.done():
            return super().get_buffer(sizehint)
        if self._pipe is None or not self._pipe.started:
            return self._scratch
        room = self._pipe.room()
        # Reading is paused whenever there is no room, so that this is never asked for then.
        return room if room is not None else self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        """Take the bytes that the event loop has put there."""
        pipe = self._pipe
        self.received_bytes += nbytes
        if pipe is None and not self.authenticated.done():
            if self.received_bytes > MAX_LOGIN_BYTES:
                self._refuse("the gateway sent something that is no login")
                return
            super().buffer_updated(nbytes)
        elif pipe is None:
            # Ahead of the session's start: the library's decoder would end the process on records
            # that are too short.
            self._head += self._scratch[:nbytes]
            if len(self._head) > MAX_METADATA_BYTES:
                self._refuse("the gateway sent data without being asked")
        elif pipe.started:
            pipe.wrote(nbytes)
            self._watch_room(pipe)
        else:
            self._head += self._scratch[:nbytes]
            self._take_metadata(pipe)

    def _watch_room(self, pipe: Pipe) -> None:
        if pipe.room() is not None:
            return
        loop = asyncio.get_running_loop()
        self.transport.pause_reading()
        self._paused = True
        pipe.wait_for_room(_threadsafe(loop, self._resume))
        if pipe.room() is not None:
            self._resume()

    def _resume(self) -> None:
        if self._paused and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    def _take_metadata(self, pipe: Pipe) -> None:
        """Read the metadata once it is whole; what stands behind it are the first records."""
        head = self._head
        if not MAGIC.startswith(bytes(head[: len(MAGIC)])):
            self._refuse("the gateway sent something that is not DBN")
            return
        if len(head) < _HEAD_BYTES:
            return
        size = _HEAD_BYTES + int.from_bytes(head[4:8], "little")
        if size > MAX_METADATA_BYTES or not 1 <= head[3] <= _NEWEST_VERSION:
            self._refuse(f"the gateway sent DBN metadata of version {head[3]} and {size} bytes")
            return
        if len(head) < size:
            return
        try:
            metadata = dbn.Metadata.decode(bytes(head[:size]))
        except (dbn.DBNError, ValueError, OverflowError) as error:
            self._refuse(f"the gateway's metadata cannot be read ({error})")
            return
        rest = bytes(head[size:])
        self._head = bytearray()
        pipe.begin(int(metadata.version), bool(metadata.ts_out))
        while rest:
            room = pipe.room()
            if room is None:
                self._refuse("there is no memory for the first records")
                return
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            pipe.wrote(count)
            rest = rest[count:]

    def _refuse(self, problem: str) -> None:
        self.problem = problem
        self.transport.abort()


def _threadsafe(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> Callable[[], None]:
    def later() -> None:
        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(call)

    return later
