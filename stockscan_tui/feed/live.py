"""The live feed: a thread with an event loop that keeps every subscription connected.

A connection that ends in whatever way is made anew: at once at first, then ever more seldom. Where
the new one starts is asked of the engine, which knows what it has applied. Only what a retry cannot
mend ends a subscription: a key that is refused, a dataset that is not there.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stockscan_tui.clock import Clock
from stockscan_tui.errors import StockscanError
from stockscan_tui.feed.stream import STOPPED, Answer, Link, LinkStatus, Stream
from stockscan_tui.log import LOG
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.text import printable

if TYPE_CHECKING:
    from stockscan_tui.feed.pipe import Pipe
    from stockscan_tui.feed.protocol import LiveProtocol

PORT = 13_000
# What a refused login may say that no other attempt can mend, and what it may say of such that
# another one can.
_FINAL = ("auth", "key", "entitle", "licen", "dataset", "permission", "not allowed", "forbidden")
_PASSING = ("limit", "too many", "timeout", "timed out", "internal", "unavailable", "try again")
# A wall clock that runs ahead of the monotonic one by more than this has slept, or was set.
_JUMP_NS = 5 * SECOND_NS
# So much of what a gateway says of a refused login is told.
_MOST_SAID = 300


@dataclass(frozen=True, slots=True)
class Access:
    """Where the gateway is and who asks; the key shows nowhere.

    Attributes:
        key: The API key.
        dataset: As in `EQUS.MINI`.
        host: The gateway's name or address.
        port: Its port.
    """

    key: str
    dataset: str
    host: str
    port: int = PORT

    def __repr__(self) -> str:
        """Return it without the key."""
        return f"Access({self.dataset} at {self.host}:{self.port})"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what, in seconds.

    `silent_s` is for how long nothing may come, a heartbeat included, before the connection is
    taken for dead.
    """

    connect_s: float = 10.0
    heartbeat_s: int = 10
    silent_s: float = 25.0
    first_retry_s: float = 0.5
    longest_retry_s: float = 30.0
    look_s: float = 1.0


def default_host(dataset: str) -> str:
    """Return Databento's gateway for a dataset."""
    return f"{dataset.lower().replace('.', '-')}.lsg.databento.com"


class RefusedError(StockscanError):
    """The gateway's answer is final."""


class LiveFeed:
    """Keeps streams connected, in a thread of its own.

    Args:
        access: Where to connect.
        streams: The subscriptions; each has a connection of its own.
        clock: Wall time.
        patience: How long is waited for what.
        seed: For the jitter of the retries; None for a different one each time.
        refused: Says in words what a refused login means, given the gateway's and the dataset.
    """

    def __init__(
        self,
        access: Access,
        streams: Sequence[Stream],
        clock: Clock,
        patience: Patience | None = None,
        seed: int | None = None,
        refused: Callable[[str, str], str] | None = None,
    ) -> None:
        self._access = access
        self._streams = tuple(streams)
        self._clock = clock
        self._patience = patience or Patience()
        self._refused = refused or refusal
        self._random = random.Random(seed)  # noqa: S311 - jitter
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = threading.Event()
        self._stopped: asyncio.Event | None = None
        self._awoke: asyncio.Event | None = None
        self._added: deque[Stream] = deque()
        self._more: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="stockscan-feed", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def add(self, stream: Stream) -> None:
        """Keep one more stream connected; may be called from any thread, and before the start."""
        self._added.append(stream)
        self._call(self._begin_added)

    def _begin_added(self) -> None:
        while self._added:
            task = asyncio.get_running_loop().create_task(self._keep(self._added.popleft()))
            self._more.add(task)
            task.add_done_callback(self._more.discard)

    def stop(self) -> None:
        """Close all connections; returns at once."""
        self._stop.set()
        self._call(self._end)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread's end; returns whether it has come."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def retry_now(self) -> None:
        """Cut waits short: connect at once."""
        self._call(self._awake)

    def _call(self, function: Callable[[], object]) -> None:
        if self._loop is not None:
            # The loop may have ended meanwhile.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        try:
            asyncio.run(self._keep_all())
        except BaseException as error:  # noqa: BLE001 - told by failure()
            LOG.exception("the feed's thread broke off")
            for stream in self._streams:
                sentence = f"The feed broke off on a defect: {error!r}."
                self._say(stream, LinkStatus(Link.REFUSED, sentence=sentence))

    async def _keep_all(self) -> None:
        self._loop = asyncio.get_running_loop()
        # Whatever breaks a protocol ends its connection; asyncio would print it on the terminal.
        self._loop.set_exception_handler(lambda _, said: LOG.info("%s", said.get("message")))
        self._stopped = asyncio.Event()
        self._awoke = asyncio.Event()
        if self._stop.is_set():
            return
        tasks = [asyncio.create_task(self._keep(stream)) for stream in self._streams]
        self._begin_added()
        watch = asyncio.create_task(self._watch_sleep())
        ended = asyncio.create_task(self._stopped.wait())
        waits: list[asyncio.Future[Any]] = [ended, asyncio.gather(*tasks)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        more = tuple(self._more)
        for task in (*tasks, *more, watch, ended):
            task.cancel()
        await asyncio.gather(*tasks, *more, watch, ended, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    def _end(self) -> None:
        if self._stopped is not None:
            self._stopped.set()

    def _awake(self) -> None:
        if self._awoke is not None:
            self._awoke.set()
            self._awoke = asyncio.Event()

    async def _watch_sleep(self) -> None:
        """Notice that the machine has slept, and connect anew at once."""
        ahead = self._clock.wall_ns() - self._clock.now_ns()
        while True:
            await asyncio.sleep(self._patience.look_s)
            now = self._clock.wall_ns() - self._clock.now_ns()
            if now - ahead > _JUMP_NS:
                LOG.info("the clock went on by %.0f s: connecting anew", (now - ahead) / SECOND_NS)
                self._awake()
            ahead = now

    async def _keep(self, stream: Stream) -> None:
        """Keep one stream connected until it is finished or refused for good."""
        delay_s = 0.0
        attempts = 0
        while not stream.finished:
            attempts += 1
            self._say(stream, replace(stream.status, link=Link.CONNECTING, attempts=attempts))
            try:
                reason, flowed = await self._connect(stream)
            except RefusedError as error:
                self._say(stream, LinkStatus(Link.REFUSED, sentence=str(error)))
                return
            if reason is None:
                continue
            if flowed:
                delay_s = 0.0
                attempts = 0
            delay_s = min(
                self._patience.longest_retry_s, delay_s * 2 or self._patience.first_retry_s
            )
            wait_s = delay_s * self._random.uniform(0.5, 1.0)
            LOG.warning("%s: %s; again in %.1f s", stream.schema, printable(reason), wait_s)
            retry_ns = self._clock.now_ns() + int(wait_s * SECOND_NS)
            self._say(stream, LinkStatus(Link.DOWN, 0, retry_ns, reason, attempts))
            if await self._pause(wait_s):
                delay_s = 0.0
        self._say(stream, LinkStatus(Link.ENDED))

    async def _pause(self, seconds: float) -> bool:
        """Wait; returns whether the machine awoke meanwhile."""
        if self._awoke is None:
            return False
        try:
            await asyncio.wait_for(self._awoke.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _connect(self, stream: Stream) -> tuple[str | None, bool]:
        """Connect once and stay until the end: why it ended, None if no more is wanted.

        The second value tells whether records came.

        Raises:
            RefusedError: It is of no use to try again.
        """
        from stockscan_tui.feed.protocol import LiveProtocol  # noqa: PLC0415 - imports pandas

        access, patience = self._access, self._patience
        protocol: LiveProtocol | None = None
        pipe: Pipe | None = None
        reason = ""
        try:
            async with asyncio.timeout(patience.connect_s):
                protocol = await self._reach(
                    lambda: LiveProtocol(
                        access.key, access.dataset, heartbeat_s=patience.heartbeat_s
                    )
                )
                await self._authenticate(protocol)
            answer = await self._ask(stream)
            if answer.refusal:
                raise RefusedError(answer.refusal)
            if answer.finished:
                return None, False
            pipe = stream.new_pipe()
            stream.flowed = False
            stream.hang_up_by(lambda: self._call(protocol.transport.abort))
            protocol.deliver_to(pipe)
            stream.more_by(self._subscriber(protocol, stream))
            self._subscribe(protocol, stream, answer)
            self._say(stream, LinkStatus(Link.OPEN))
            reason = await self._stay(protocol, stream)
            if stream.finished:
                return None, True
        except TimeoutError:
            reason = f"no answer from {access.host}:{access.port} in {patience.connect_s:.0f} s"
        except OSError as error:
            reason = _words(error, access)
        except asyncio.CancelledError:
            reason = STOPPED
            raise
        finally:
            if protocol is not None:
                _abort(protocol)
            if pipe is not None:
                pipe.end(reason or "refused")
        return reason, pipe is not None and stream.flowed

    async def _reach(self, make: Callable[[], LiveProtocol]) -> LiveProtocol:
        """Connect to the first of the gateway's addresses that answers.

        Raises:
            OSError: None does, or the name has none.
        """
        loop = asyncio.get_running_loop()
        failure: OSError | None = None
        for family, address in await _addresses(self._access):
            try:
                _, protocol = await loop.create_connection(
                    make, address, self._access.port, family=family
                )
            except OSError as error:
                failure = failure or error
            else:
                return protocol
        raise failure or OSError(f"{self._access.host} has no address")

    async def _authenticate(self, protocol: LiveProtocol) -> None:
        """Wait for the end of the login.

        Raises:
            RefusedError: The key or the dataset is refused.
            ConnectionError: It broke off, or was refused for a reason that passes.
        """
        waits: list[asyncio.Future[Any]] = [protocol.authenticated, protocol.disconnected]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if protocol.authenticated.done():
            error = protocol.authenticated.exception()
            if error is None:
                return
            said = printable(str(error)).strip()[:_MOST_SAID] or "no reason given"
            if _is_final(said):
                raise RefusedError(self._refused(said, self._access.dataset))
            raise ConnectionRefusedError(f"the gateway refused the login: {said}")
        if protocol.problem:
            raise ConnectionAbortedError(protocol.problem)
        cause = protocol.disconnected.exception()
        raise ConnectionResetError(f"it broke off during the login{_because(cause)}")

    async def _ask(self, stream: Stream) -> Answer:
        """Ask the engine where to start; it answers when it has applied all that came before."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()

        def put(answer: Answer) -> None:
            if not future.done():
                future.set_result(answer)

        def tell(answer: Answer) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(put, answer)

        stream.ask_start(tell)
        return await future

    def _subscribe(self, protocol: LiveProtocol, stream: Stream, answer: Answer) -> None:
        symbols = list(stream.symbols) or "ALL_SYMBOLS"
        protocol.subscribe(stream.schema, symbols, start=answer.start_ns)
        protocol.start()

    def _subscriber(
        self, protocol: LiveProtocol, stream: Stream
    ) -> Callable[[Sequence[str]], None]:
        """Return what subscribes to more symbols in mid-session, where no replay is given."""

        def subscribe(symbols: Sequence[str]) -> None:
            if not protocol.disconnected.done():
                protocol.subscribe(stream.schema, list(symbols))

        return lambda symbols: self._call(lambda: subscribe(symbols))

    async def _stay(self, protocol: LiveProtocol, stream: Stream) -> str:
        """Wait for the connection's end, or end it when nothing comes; returns why."""
        patience = self._patience
        awoke = self._awoke
        seen, quiet_s, unopened_s = 0, 0.0, 0.0
        while not protocol.disconnected.done():
            await asyncio.wait([protocol.disconnected], timeout=patience.look_s)
            if stream.finished:
                return "nothing more is wanted"
            if awoke is not None and awoke.is_set():
                return "the machine had slept"
            heard = protocol.received_bytes != seen or protocol.paused
            quiet_s = 0.0 if heard else quiet_s + patience.look_s
            seen = protocol.received_bytes
            unopened_s = 0.0 if protocol.opened else unopened_s + patience.look_s
            if unopened_s >= patience.silent_s and not quiet_s:
                return f"the session's metadata did not come in {patience.silent_s:.0f} s"
            if quiet_s >= patience.silent_s:
                return f"nothing came for {patience.silent_s:.0f} s, not even a heartbeat"
        if protocol.problem:
            return protocol.problem
        error = protocol.disconnected.exception()
        return "the gateway closed the connection" if error is None else _plain(error)

    def _say(self, stream: Stream, status: LinkStatus) -> None:
        """Let everybody know how a stream stands; the attempts of one break are one state."""
        before = stream.status
        lasts = bool(before.sentence) and bool(status.sentence)
        since_ns = before.since_ns if lasts else self._clock.now_ns()
        stream.status = replace(status, since_ns=since_ns)
        stream.wake()


def refusal(said: str, dataset: str) -> str:
    """Return what a refused login means in words, and what to do."""
    said = said.rstrip(".")
    lower = said.lower()
    if "dataset" in lower and any(word in lower for word in ("unknown", "invalid", "not found")):
        return f"The gateway does not know the dataset {dataset}: {said}. Name one with --dataset."
    if any(word in lower for word in ("entitle", "licen", "subscri", "permission", "not allowed")):
        return (
            f"The key is not entitled to live data of {dataset}: {said}. "
            "See your plan at databento.com/portal, or name another dataset with --dataset."
        )
    return (
        f"The gateway refused the key: {said}. Check DATABENTO_API_KEY; keys are listed at "
        "databento.com/portal/keys."
    )


def _is_final(said: str) -> bool:
    lower = said.lower()
    return any(w in lower for w in _FINAL) and not any(w in lower for w in _PASSING)


async def _addresses(access: Access) -> list[tuple[int, str]]:
    """Look up a name in a thread that nobody waits for at the end: a resolver may hang.

    Raises:
        OSError: The name cannot be resolved.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[tuple[int, str]]] = loop.create_future()

    def put(addresses: list[tuple[int, str]], error: OSError | None) -> None:
        if found.done():
            return
        if error is not None:
            found.set_exception(error)
        else:
            found.set_result(addresses)

    def look_up() -> None:
        addresses: list[tuple[int, str]] = []
        failure: OSError | None = None
        try:
            infos = socket.getaddrinfo(access.host, access.port, type=socket.SOCK_STREAM)
            addresses = [(int(family), str(place[0])) for family, _, _, _, place in infos]
        except OSError as error:
            failure = error
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(put, addresses, failure)

    threading.Thread(target=look_up, name="stockscan-resolve", daemon=True).start()
    return await found


def _because(error: BaseException | None) -> str:
    return f" ({_plain(error)})" if error is not None else ""


def _plain(error: BaseException) -> str:
    if isinstance(error, ConnectionResetError):
        return "the connection was reset"
    said = printable(str(error)).strip()
    return said.splitlines()[0] if said else type(error).__name__


def _words(error: OSError, access: Access) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name {access.host} cannot be resolved"
    if error.errno is None:
        return _plain(error)
    return f"{access.host}:{access.port}: {_system_word(error)}"


def _abort(protocol: LiveProtocol) -> None:
    try:
        protocol.transport.abort()
    except ValueError:
        # It never came to a connection.
        return


def _system_word(error: OSError) -> str:
    """Return the system's own word for an error; asyncio's names the address once more."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or _plain(error)
