"""A stand-in for Databento's Historical and Reference API, on loopback, out of given tables.

The official client speaks to it as to the real service: the same paths, parameters, answers and
error bodies. It serves in threads of its own and can be told to fail.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qsl, urlsplit

from stockscan_tui.sim.archive import Answer, Library, Tables, detail, refused

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came: the call, as in `metadata.get_cost`, and its parameters."""

    call: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call is spoilt.

    Attributes:
        status: The HTTP status it is answered with; 200 leaves the answer as it is.
        detail: What the error's body holds under `detail`.
        delay_s: How long it waits first; the stand-in's end ends that too.
        cut_at: After how many bytes of the body the connection is closed.
        times: How often, None for always.
    """

    status: int = 200
    detail: object = None
    delay_s: float = 0.0
    cut_at: int | None = None
    times: int | None = None


class HistoryStub:
    """Serves tables until its `with` block ends.

    Args:
        tables: What it knows. A dataset that is not among them is one that the key may not have.

    Attributes:
        requests: What was asked, in order.
    """

    def __init__(self, tables: Tables) -> None:
        self.requests: list[Asked] = []
        self._library = Library(tables)
        self._failures: dict[str, list[Failure]] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server((HOST, 0), _Handler)
        self._server.stub = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="stockscan-stub", daemon=True
        )

    @property
    def url(self) -> str:
        """The base URL to give to a client."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; answers that were being held back go out now."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail(self, call: str, failure: Failure) -> None:
        """Spoil the coming answers to `call`, after those that it is already to be spoilt by."""
        with self._lock:
            times = 1 if failure.times is None else failure.times
            self._failures.setdefault(call, []).extend([failure] * times)

    def asked(self, call: str) -> list[Mapping[str, str]]:
        """Return the parameters of each request for `call` so far."""
        return [request.parameters for request in self.requests if request.call == call]

    def answer(self, call: str, parameters: Mapping[str, str], *, known: bool) -> Answer:
        """Return status, content type and body for a request (a serving thread's work)."""
        self.requests.append(Asked(call, dict(parameters)))
        if not known:
            return refused(401, detail("auth_authentication_failed", "Authentication failed.", 401))
        return self._library.answer(call, parameters)

    def failure(self, call: str) -> Failure:
        """Return how the next answer to `call` is spoilt, having waited as long as it says."""
        with self._lock:
            waiting = self._failures.get(call, [])
            if not waiting:
                return Failure()
            failure = waiting[0]
            if failure.times is not None:
                waiting.pop(0)
        self._closing.wait(failure.delay_s)
        return failure


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    stub: HistoryStub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up: standard error belongs to the screen."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer a request whose parameters stand in its URL."""
        self._serve(urlsplit(self.path).query)

    def do_POST(self) -> None:
        """Answer a request whose parameters are a form."""
        length = int(self.headers.get("content-length") or 0)
        self._serve(self.rfile.read(length).decode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing: standard error belongs to the screen."""

    def _serve(self, form: str) -> None:
        stub = cast("_Server", self.server).stub
        call = urlsplit(self.path).path.removeprefix("/v0/")
        failure = stub.failure(call)
        parameters = dict(parse_qsl(form, keep_blank_values=True))
        status, kind, body = stub.answer(call, parameters, known=self._has_key())
        if failure.status != 200:
            status, kind, body = refused(failure.status, failure.detail)
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: failure.cut_at])

    def _has_key(self) -> bool:
        kind, _, coded = self.headers.get("authorization", "").partition(" ")
        return kind == "Basic" and len(base64.b64decode(coded)) > 1
