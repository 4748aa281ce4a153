"""One HTTP request: through the system's proxies, to nowhere else, broken off when it hangs."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

_MOST_READ = 4096
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request.

    Attributes:
        taken: Whether it was accepted.
        sentence: What went wrong, as it reads after the address.
        again: Whether another try can help.
        retry_after: When the server wants to be asked again, in its words.
    """

    taken: bool = False
    sentence: str = ""
    again: bool = False
    retry_after: str = ""


@cache
def _trust() -> ssl.SSLContext:
    """Return whom the system trusts; reading that takes long."""
    return ssl.create_default_context()


class _Connections:
    """Knows the connection of a request, so that another thread can shut it."""

    def __init__(self) -> None:
        self.made: http.client.HTTPConnection | None = None
        self.ended = False

    def plain(self, host: str, /, **options: Any) -> http.client.HTTPConnection:
        self.made = http.client.HTTPConnection(host, **options)
        return self.made

    def secure(self, host: str, /, **options: Any) -> http.client.HTTPConnection:
        self.made = http.client.HTTPSConnection(host, context=_trust(), **options)
        return self.made

    def end(self) -> None:
        self.ended = True
        connection = self.made.sock if self.made is not None else None
        if connection is not None:
            # Past the layer of TLS, which must not be unwrapped while another thread reads.
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, connections: _Connections) -> None:
        super().__init__()
        self._connections = connections

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connections.plain, req)


class _Secure(urllib.request.HTTPSHandler):
    def __init__(self, connections: _Connections) -> None:
        super().__init__(context=_trust())
        self._connections = connections

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connections.secure, req)


class Request:
    """A request that is made once.

    Args:
        method: GET, POST or PUT.
        url: Where, without a user.
        headers: What is sent with it.
        body: What is sent; None for nothing.
    """

    def __init__(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> None:
        self._method = method
        self._url = url
        self._headers = {"User-Agent": "stockscan"} | headers
        self._body = body
        self._connections = _Connections()

    def answer(self, timeout_s: float) -> Answer:
        """Make it and return what became of it, after `timeout_s` at most.

        No redirection is followed: it would take the body and its secrets elsewhere.
        """
        watch = threading.Timer(timeout_s, self._connections.end)
        watch.daemon = True
        watch.start()
        try:
            return self._made(timeout_s)
        except OSError as error:
            return self._failed(error, timeout_s)
        except http.client.HTTPException as error:
            if self._connections.ended:
                return self._late(timeout_s)
            again = not isinstance(error, http.client.InvalidURL)
            return Answer(sentence=f"cannot be spoken to: {type(error).__name__}", again=again)
        except ValueError:
            return Answer(sentence="cannot be told: its address or a header is malformed")
        finally:
            watch.cancel()

    def abort(self) -> None:
        """Break it off, from another thread."""
        self._connections.end()

    def _made(self, timeout_s: float) -> Answer:
        director = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _Plain(self._connections),
            _Secure(self._connections),
        ):
            director.add_handler(handler)
        request = urllib.request.Request(  # noqa: S310 - the director opens http and https alone
            self._url, self._body, self._headers, method=self._method
        )
        response = director.open(request, timeout=timeout_s)
        if response is None:
            return Answer(sentence="is neither http nor https")
        with response:
            # Headers that were cut off read like those that are at their end.
            if self._connections.ended:
                return self._late(timeout_s)
            # The status says all; a body that hangs changes nothing.
            with suppress(OSError, http.client.HTTPException):
                response.read1(_MOST_READ)
            return _judged(int(response.status), str(response.headers.get("Retry-After", "")))

    def _failed(self, error: OSError, timeout_s: float) -> Answer:
        inner = getattr(error, "reason", error)
        if self._connections.ended or isinstance(inner, TimeoutError):
            return self._late(timeout_s)
        if isinstance(inner, ssl.SSLCertVerificationError):
            return Answer(sentence=f"cannot be trusted: {inner.verify_message}")
        words = inner.strerror if isinstance(inner, OSError) else ""
        return Answer(sentence=f"cannot be reached: {words or type(inner).__name__}", again=True)

    @staticmethod
    def _late(timeout_s: float) -> Answer:
        return Answer(sentence=f"did not answer within {timeout_s:g} s", again=True)


def _judged(status: int, retry_after: str) -> Answer:
    if 200 <= status < 300:
        return Answer(taken=True)
    if 300 <= status < 400:
        return Answer(sentence=f"answered {status}: it has moved, and no redirection is followed")
    again = status in _AGAIN or status >= 500
    return Answer(sentence=f"answered {status}", again=again, retry_after=retry_after)
