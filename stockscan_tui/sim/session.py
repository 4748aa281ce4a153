"""One connection of the simulated gateway: handshake, subscriptions, records as they fall due."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from typing import Never

from stockscan_tui.market.text import printable
from stockscan_tui.sim import messages
from stockscan_tui.sim.broadcast import Broadcast
from stockscan_tui.sim.faults import Fault
from stockscan_tui.sim.handshake import LineError, Login, Request, Requests, check_login
from stockscan_tui.sim.options import EventClock, Options
from stockscan_tui.sim.outlet import CutError, Outlet, end
from stockscan_tui.sim.tape_volume import SUMMARY, Tapes

VERSION = "0.9.0-simulated"
TICK_S = 0.02
_MAX_LINE_BYTES = 1 << 20
_MOST_LINES = 1_024
_READ_BYTES = 1 << 16


class Session:
    """One client's connection.

    Args:
        sock: Accepted, not blocking; the session closes it.
        number: Of the connection.
        tapes: What is played, by dataset.
        clock: The gateway's; started by the first session.
        options: The gateway's.
        faults: Of this connection.
        started: Called as the client starts its session.
    """

    def __init__(
        self,
        sock: socket.socket,
        number: int,
        tapes: Tapes,
        clock: EventClock,
        options: Options,
        faults: Sequence[Fault],
        started: Callable[[], None],
    ) -> None:
        self._sock = sock
        self._number = number
        self._tapes = tapes
        self._clock = clock
        self._options = options
        self._faults = faults
        self._started = started
        self._ts_out = False
        # Where it is full, the socket is not read: a client cannot talk without end.
        self._lines: asyncio.Queue[str] = asyncio.Queue(_MOST_LINES)
        self._cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outlet = Outlet(sock, faults, self._framed, clock.now_ns)

    async def run(self) -> None:
        """Serve until either side ends it."""
        reading = asyncio.create_task(self._read())
        talking = asyncio.create_task(self._talk())
        timers = [
            asyncio.create_task(self._later(f)) for f in self._faults if f.after_s is not None
        ]
        ends: tuple[asyncio.Future[None], ...] = (reading, talking, self._cut)
        outcomes: list[BaseException | None] = []
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patient = talking.done()
            for task in (*ends, *timers):
                task.cancel()
            outcomes = await asyncio.gather(*ends, *timers, return_exceptions=True)
            cuts = [outcome for outcome in outcomes if isinstance(outcome, CutError)]
            await end(self._sock, reset=any(cut.reset for cut in cuts), patient=patient)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, CutError | OSError):
                raise outcome

    def cut(self, *, reset: bool) -> None:
        """End the connection now, whatever is on its way."""
        if not self._cut.done():
            self._cut.set_exception(CutError(reset=reset))

    async def _later(self, fault: Fault) -> None:
        await asyncio.sleep(fault.after_s or 0.0)
        if fault.kind in ("drop", "reset"):
            # A client that does not read would hold up what waits for the next send.
            self.cut(reset=fault.kind == "reset")
        else:
            self._outlet.strike_later(fault)

    async def _read(self) -> None:
        """Take the client's lines until it is gone."""
        rest = b""
        while piece := await asyncio.get_running_loop().sock_recv(self._sock, _READ_BYTES):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                await self._lines.put(line.decode(errors="replace").rstrip("\r"))
            if len(rest) > _MAX_LINE_BYTES:
                return

    async def _talk(self) -> None:
        kinds = {fault.kind for fault in self._faults}
        if "refuse" in kinds:
            return
        if "silent-accept" in kinds:
            await asyncio.Event().wait()
        requests = Requests()
        try:
            login = await self._admit(malformed="bad-challenge" in kinds)
            asked = await self._asked(requests)
        except LineError as error:
            await self._outlet.send(f"success=0|error={_sayable(error)}\n".encode())
            return
        await self._serve(login, requests, asked)

    async def _admit(self, *, malformed: bool) -> Login:
        challenge = secrets.token_urlsafe(24)
        greeting = f"lsg_version={VERSION}\n" + ("cram\n" if malformed else f"cram={challenge}\n")
        await self._outlet.send(greeting.encode())
        line = await self._lines.get()
        for fault in self._faults:
            if fault.kind == "auth":
                raise LineError(fault.text)
        login = check_login(line, challenge, self._options.key, self._options.dataset)
        if login.dataset in self._options.unlicensed:
            raise LineError(f"A live data license is required to access {login.dataset}.")
        await self._outlet.send(f"success=1|session_id={self._number}\n".encode())
        return login

    async def _asked(self, requests: Requests) -> list[Request]:
        """Return the subscriptions that come before `start_session`."""
        asked: list[Request] = []
        while not (line := await self._lines.get()).startswith("start_session"):
            request = requests.take(line)
            if request is not None:
                asked.append(request)
        return asked

    async def _serve(self, login: Login, requests: Requests, asked: list[Request]) -> None:
        self._ts_out = login.ts_out
        self._clock.start()
        self._started()
        tape = await asyncio.to_thread(self._tapes.of, login.dataset)
        dataset = SUMMARY if login.dataset == SUMMARY else self._options.dataset or tape.dataset
        await self._outlet.send(messages.metadata(dataset, ts_out=login.ts_out))
        self._outlet.begin_data()
        broadcast = Broadcast(tape, self._clock, self._options, self._outlet, login.ts_out)
        for request in asked:
            await broadcast.open(request)
        quiet_s = self._options.heartbeat_s or login.heartbeat_s
        while True:
            behind = await broadcast.advance()
            await self._heartbeat(quiet_s)
            try:
                async with asyncio.timeout(0 if behind else TICK_S):
                    line = await self._lines.get()
            except TimeoutError:
                continue
            await self._take(line, requests, broadcast)

    async def _take(self, line: str, requests: Requests, broadcast: Broadcast) -> None:
        """Take what the client asks for in mid-session."""
        if line.startswith("start_session"):
            return
        try:
            request = requests.take(line)
        except LineError as error:
            await self._refuse(_sayable(error))
        if request is not None:
            await broadcast.open(request, late=True)

    async def _refuse(self, text: str) -> Never:
        record = messages.error(self._clock.now_ns(), messages.INVALID_SUBSCRIPTION, text)
        await self._outlet.send(self._framed(record))
        raise CutError(reset=False)

    async def _heartbeat(self, quiet_s: float) -> None:
        await self._outlet.poll()
        if time.monotonic() - self._outlet.last_sent_s >= quiet_s:
            record = messages.system(self._clock.now_ns(), messages.HEARTBEAT, "Heartbeat")
            await self._outlet.send(self._framed(record))

    def _framed(self, record: bytes) -> bytes:
        return messages.stamped_one(record, self._clock.now_ns()) if self._ts_out else record


def _sayable(error: LineError) -> str:
    return printable(error).replace("|", " ")
