"""Short questions to Databento, for `stockscan doctor`: is it there, what is its time, who may in.

None of them subscribes to anything or costs anything. Each blocks its thread for the timeout or so.
"""

from __future__ import annotations

import hashlib
import socket
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from stockscan_tui.feed.http_api import DATABENTO_URL, Api, Caller, instant_ns
from stockscan_tui.feed.live import Access
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.text import printable

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LONGEST_LINE = 4096
_BUCKET = 5


class ProbeError(Exception):
    """Nothing answered, or not as a gateway does; the message says what happened, without a key."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a gateway said.

    Attributes:
        addresses: The addresses that its name stands for.
        address: The one that was connected to.
        version: The gateway's own version.
        connect_ms: How long connecting took.
        let_in: Whether the key may have the dataset live; None where it was not asked.
        said: The gateway's words where it refuses.
    """

    addresses: tuple[str, ...]
    address: str
    version: str
    connect_ms: float
    let_in: bool | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Web:
    """What the historical API's host answered: its HTTP status, and how far its clock is from ours.

    `ahead_s` is how many seconds this machine's clock is ahead, None where no date was sent; it is
    right to `within_s`.
    """

    status: int
    ahead_s: float | None
    within_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a key may ask the historical API for.

    Attributes:
        datasets: How many datasets there are.
        listed: Whether the dataset is among them.
        end_ns: Up to when the key may have it, in ns since 1970; None where nothing says.
        schemas: Its schemas.
    """

    datasets: int
    listed: bool
    end_ns: int | None
    schemas: tuple[str, ...]


def look_up(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a name.

    Raises:
        ProbeError: It has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ProbeError(f"the name {host} cannot be resolved: {_words(error)}") from None
    return tuple(dict.fromkeys(str(place[4][0]) for place in found))


def greet(access: Access, timeout_s: float, *, log_in: bool) -> Greeting:
    """Connect to a gateway, read its greeting, and log in where that is wanted.

    Nothing is subscribed to, and the connection is closed at once.

    Args:
        access: Where, and the key; it is sent as Databento's protocol has it, never itself.
        timeout_s: For connecting and for each line.
        log_in: Whether to ask if the key may have the dataset live.

    Raises:
        ProbeError: Nothing answers there, or what answers is no gateway.
    """
    addresses = look_up(access.host, access.port)
    where = f"{access.host}:{access.port}"
    began_s = time.monotonic()
    try:
        with socket.create_connection((access.host, access.port), timeout_s) as connection:
            connect_ms = (time.monotonic() - began_s) * 1e3
            lines = connection.makefile("rb")
            version = _field(lines.readline(_LONGEST_LINE), "lsg_version", where)
            challenge = _field(lines.readline(_LONGEST_LINE), "cram", where)
            address = str(connection.getpeername()[0])
            greeting = Greeting(addresses, address, version, connect_ms)
            if not log_in:
                return greeting
            connection.sendall(_login(access, challenge).encode())
            answer = _fields(lines.readline(_LONGEST_LINE))
    except OSError as error:
        raise ProbeError(f"{where}: {_words(error)}") from None
    said = answer.get("error", "" if answer else "it hung up").replace(access.key, "…")
    let_in = answer.get("success") == "1"
    return Greeting(addresses, address, version, connect_ms, let_in=let_in, said=said)


def _login(access: Access, challenge: str) -> str:
    digest = hashlib.sha256(f"{challenge}|{access.key}".encode()).hexdigest()
    return (
        f"auth={digest}-{access.key[-_BUCKET:]}|dataset={access.dataset}|encoding=dbn|ts_out=0"
        "|client=stockscan doctor\n"
    )


def _fields(line: bytes) -> dict[str, str]:
    text = printable(line.decode("utf-8", "replace").strip())
    return {name: said for name, _, said in (part.partition("=") for part in text.split("|"))}


def _field(line: bytes, name: str, where: str) -> str:
    said = _fields(line).get(name, "")
    if not said:
        raise ProbeError(f"what answers at {where} is no gateway of Databento's")
    return said


def ask_web(url: str | None, timeout_s: float) -> Web:
    """Ask the historical API's host for nothing, without the key.

    Args:
        url: Base URL of a stand-in; None for Databento's own.
        timeout_s: For the connection and the answer.

    Raises:
        ProbeError: It cannot be reached.
    """
    base = (url or DATABENTO_URL).rstrip("/")
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ProbeError("the address has to be https://… or http://…")
    # As the client does: no proxy before a stand-in.
    proxies = urllib.request.ProxyHandler({} if url is not None else None)
    opener = urllib.request.build_opener(proxies, _NoRedirection())
    began_ns = time.time_ns()
    try:
        with opener.open(f"{base}/v0/", timeout=timeout_s) as response:
            status, date = int(response.status), response.headers.get("Date")
    except HTTPError as error:
        # A refusal is an answer.
        with error:
            status, date = error.code, error.headers.get("Date")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ProbeError(f"{parts.hostname}: {_words(reason)}") from None
    ended_ns = time.time_ns()
    return Web(status, *_ahead(date, began_ns, ended_ns))


def _ahead(date: str | None, began_ns: int, ended_ns: int) -> tuple[float | None, float]:
    within_s = 0.5 + (ended_ns - began_ns) / 2 / SECOND_NS
    with suppress(ValueError, TypeError):
        # The header has whole seconds, cut.
        theirs_s = parsedate_to_datetime(date or "").timestamp() + 0.5
        return (began_ns + ended_ns) / 2 / SECOND_NS - theirs_s, within_s
    return None, within_s


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_given: Any, **_named: Any) -> None:
        return None


def ask_plan(key: str, url: str | None, dataset: str, timeout_s: float) -> Plan:
    """Ask what a key may have; costs nothing.

    Raises:
        HistoryError: It cannot be reached, or refuses the key.
    """
    caller = Caller(key, url, timeout_s)
    listed = caller.call("the datasets", "Databento", lambda api: api.metadata.list_datasets())
    if dataset not in listed:
        return Plan(len(listed), listed=False, end_ns=None, schemas=())

    def span(api: Api) -> int:
        return instant_ns(dict(api.metadata.get_dataset_range(dataset))["end"])

    end_ns = caller.call(f"the range of {dataset}", dataset, span)
    schemas = caller.call(
        f"the schemas of {dataset}", dataset, lambda api: api.metadata.list_schemas(dataset)
    )
    return Plan(len(listed), listed=True, end_ns=end_ns, schemas=tuple(map(str, schemas)))


def _words(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(said)
