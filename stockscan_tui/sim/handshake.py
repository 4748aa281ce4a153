"""The text part of a live session: lines of `name=value` joined by bars."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from stockscan_tui.errors import StockscanError

ALL_SYMBOLS = "ALL_SYMBOLS"
# What one session may ask for.
MOST_REQUESTS = 100_000
MOST_SYMBOLS = 200_000
_MOST_DIGITS = 19
_BUCKET = 5


class LineError(StockscanError):
    """A client's line cannot be understood or is refused; the message goes back to it."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a client that was let in asked for; `heartbeat_s` in wall seconds."""

    dataset: str
    ts_out: bool
    heartbeat_s: float


@dataclass(frozen=True, slots=True)
class Request:
    """One subscription.

    Attributes:
        schema: As the client wrote it.
        stype_in: How its symbols are to be read.
        symbols: None for all.
        start_ns: The `ts_event` to replay from; None without `start=`.
        number: The client's own for it.
    """

    schema: str
    stype_in: str
    symbols: tuple[str, ...] | None
    start_ns: int | None
    number: int


def fields_of(line: str) -> dict[str, str]:
    """Return the names and values of a line."""
    return {name: value for name, _, value in (part.partition("=") for part in line.split("|"))}


def _is_number(text: str) -> bool:
    """Return whether a text is a whole number of 64 bits."""
    return len(text) <= _MOST_DIGITS and text.isascii() and text.isdecimal()


def check_login(line: str, challenge: str, key: str | None, dataset: str | None) -> Login:
    """Return what the client's `auth=` line asks for.

    Raises:
        LineError: The key or the dataset is wrong, or the line asks for what is not served.
    """
    fields = fields_of(line)
    digest, _, bucket = fields.get("auth", "").partition("-")
    if not digest or "dataset" not in fields:
        raise LineError("Malformed authentication request")
    if key is not None:
        right = hashlib.sha256(f"{challenge}|{key}".encode()).hexdigest()
        same = hmac.compare_digest(right.encode(), digest.encode())
        if not same or bucket != key[-_BUCKET:]:
            raise LineError("Authentication failed.")
    if dataset is not None and fields["dataset"] != dataset:
        raise LineError(f"Unknown dataset {fields['dataset']}")
    if fields.get("encoding", "dbn") != "dbn" or fields.get("compression", "none") != "none":
        raise LineError("Only encoding=dbn and compression=none are served")
    heartbeat = fields.get("heartbeat_interval_s", "30")
    if not _is_number(heartbeat):
        raise LineError("Malformed heartbeat_interval_s")
    return Login(fields["dataset"], fields.get("ts_out") == "1", max(float(heartbeat), 1.0))


class Requests:
    """Joins the lines of a subscription, which carries at most 500 symbols in each."""

    def __init__(self) -> None:
        self._symbols: list[str] = []
        self._lines = 0

    def take(self, line: str) -> Request | None:
        """Return the subscription that `line` completes, or None if more lines are to come.

        Raises:
            LineError: It is no subscription.
        """
        fields = fields_of(line)
        schema, symbols = fields.get("schema"), fields.get("symbols")
        start, number = fields.get("start", ""), fields.get("id", "0")
        if not schema or not symbols or not _is_number(number):
            raise LineError("Malformed subscription request")
        if start and not _is_number(start):
            raise LineError("Malformed start")
        self._lines += 1
        self._symbols += [symbol for symbol in symbols.split(",") if symbol]
        if self._lines > MOST_REQUESTS or len(self._symbols) > MOST_SYMBOLS:
            raise LineError("Too many subscriptions")
        if fields.get("is_last", "1") == "0":
            return None
        wanted, self._symbols = tuple(dict.fromkeys(self._symbols)), []
        return Request(
            schema=schema,
            stype_in=fields.get("stype_in", "raw_symbol"),
            symbols=None if ALL_SYMBOLS in wanted else wanted,
            start_ns=int(start) if start else None,
            number=int(number),
        )
