"""A gateway on loopback that speaks Databento's live protocol and plays a tape.

`Gateway` belongs to its event loop; `GatewayThread` gives it a thread and `run_gateway` a process.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TextIO

from stockscan_tui.errors import StockscanError
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.sim.faults import Fault, in_turn
from stockscan_tui.sim.options import EventClock, Options
from stockscan_tui.sim.session import Session
from stockscan_tui.sim.tape import Tape
from stockscan_tui.sim.tape_volume import Tapes

__all__ = ["Gateway", "GatewayThread", "Options", "run_gateway"]

_BACKLOG = 128
_PARENT_CHECK_S = 0.5
# Hours without a record are a night.
_NIGHT_NS = 2 * 3600 * SECOND_NS


class Gateway:
    """Serves a tape to any number of clients.

    Args:
        tape: What is played.
        options: How.
    """

    def __init__(self, tape: Tape, options: Options) -> None:
        self._tapes = Tapes(tape)
        self._options = options
        from_ns = tape.first_ns if options.from_ns is None else options.from_ns
        night_s = math.inf if options.night_s is None else options.night_s
        nights = [] if math.isinf(night_s) else tape.silences(_NIGHT_NS)
        self._clock = EventClock(from_ns, tape.last_ns, options.speed, nights, night_s)
        self._sessions: dict[asyncio.Task[None], Session] = {}
        self._faults = _Faults(options.faults, in_turn_only=options.faults_in_turn)
        self.connections = 0
        self.sessions_started = 0

    async def serve(self, ready: Callable[[int], None], stop: asyncio.Event) -> None:
        """Serve until `stop` is set.

        Args:
            ready: Called with the port once clients can connect.
            stop: Ends it, with every connection.

        Raises:
            StockscanError: The port cannot be listened on.
        """
        with _listener(self._options.host, self._options.port) as listener:
            accepting = asyncio.create_task(self._accept(listener))
            ready(listener.getsockname()[1])
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({accepting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if accepting.done():
                    accepting.result()
            finally:
                accepting.cancel()
                stopping.cancel()
                await self.drop_all(reset=False)
                await asyncio.gather(accepting, stopping, return_exceptions=True)

    async def drop_all(self, *, reset: bool) -> None:
        """Cut every connection now; return once all are closed."""
        for session in self._sessions.values():
            session.cut(reset=reset)
        await asyncio.gather(*self._sessions, return_exceptions=True)

    @property
    def now_ns(self) -> int:
        """Event time."""
        return self._clock.now_ns()

    def set_faults(self, faults: Sequence[Fault], *, faults_in_turn: bool = False) -> None:
        """Give the connections that come from now on these faults instead."""
        self._faults = _Faults(faults, in_turn_only=faults_in_turn)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(listener)
            self.connections += 1
            session = Session(
                sock,
                self.connections,
                self._tapes,
                self._clock,
                self._options,
                self._faults.of_next(),
                self._count_start,
            )
            task = loop.create_task(session.run())
            self._sessions[task] = session
            task.add_done_callback(self._sessions.pop)

    def _count_start(self) -> None:
        self.sessions_started += 1


class _Faults:
    """Gives each connection its faults."""

    def __init__(self, faults: Sequence[Fault], *, in_turn_only: bool) -> None:
        self._queue = list(in_turn(tuple(faults))) if in_turn_only else None
        self._standing = list(faults)

    def of_next(self) -> tuple[Fault, ...]:
        if self._queue is not None:
            return (self._queue.pop(0),) if self._queue else ()
        now = tuple(fault for fault in self._standing if fault.kind != "refuse" or fault.times)
        self._standing = [
            replace(fault, times=fault.times - 1) if fault.kind == "refuse" else fault
            for fault in now
        ]
        return now


class GatewayThread:
    """A gateway in a thread of its own; a context manager that closes it. Any thread may use it.

    Args:
        tape: What is played.
        options: How.

    Raises:
        StockscanError: The port cannot be listened on.
    """

    def __init__(self, tape: Tape, options: Options | None = None) -> None:
        self._gateway = Gateway(tape, options or Options())
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._failures: list[StockscanError] = []
        self.port = 0
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self._thread.start()
        self._ready.wait()
        for failure in self._failures:
            self._thread.join()
            raise failure

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._gateway.connections

    @property
    def sessions_started(self) -> int:
        """How many sessions were started so far."""
        return self._gateway.sessions_started

    @property
    def now_ns(self) -> int:
        """Event time."""
        return self._gateway.now_ns

    def drop_all(self, reset: bool = False) -> None:
        """Cut every connection now; return once all are closed."""
        self._call(self._gateway.drop_all(reset=reset))

    def set_faults(self, faults: Sequence[Fault], *, faults_in_turn: bool = False) -> None:
        """Give the connections that come from now on these faults instead."""

        async def change() -> None:
            self._gateway.set_faults(faults, faults_in_turn=faults_in_turn)

        self._call(change())

    def close(self) -> None:
        """Cut every connection and end the thread; closing twice is harmless."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._gateway.serve(self._listening, self._stop))
        except StockscanError as error:
            self._failures.append(error)
        finally:
            self._ready.set()

    def _listening(self, port: int) -> None:
        self.port = port
        self._ready.set()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()


def run_gateway(tape: Tape, options: Options, out: TextIO, parent_pid: int | None) -> None:
    """Serve in this process until SIGTERM or SIGINT, or until the parent process is gone.

    Args:
        tape: What is played.
        options: How.
        out: Gets `listening on 127.0.0.1:PORT` once clients can connect.
        parent_pid: The process to end with; None to stay.

    Raises:
        StockscanError: The port cannot be listened on.
    """
    asyncio.run(_serve_process(tape, options, out, parent_pid))


async def _serve_process(tape: Tape, options: Options, out: TextIO, parent_pid: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def ready(port: int) -> None:
        out.write(f"listening on {options.host}:{port}\n")
        out.flush()

    watching = asyncio.create_task(_watch(parent_pid, stop))
    try:
        await Gateway(tape, options).serve(ready, stop)
    finally:
        watching.cancel()


async def _watch(parent_pid: int | None, stop: asyncio.Event) -> None:
    while parent_pid is not None:
        if os.getppid() != parent_pid:
            stop.set()
            return
        await asyncio.sleep(_PARENT_CHECK_S)


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise StockscanError(
            f"{host}:{port} cannot be listened on: {error.strerror}. Choose another port."
        ) from error
    return listener
