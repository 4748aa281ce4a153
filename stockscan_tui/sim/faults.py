"""What can be made to go wrong on a gateway's connection, and how that is written."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

from stockscan_tui.errors import UsageError

Kind = Literal[
    "drop",
    "reset",
    "refuse",
    "silent-accept",
    "stall",
    "half",
    "bad-challenge",
    "auth",
    "error",
    "slow",
    "garbage",
]
# Which points in a connection a kind can strike at; the rest strike as it begins.
_POINTS: dict[Kind, tuple[str, ...]] = {
    "drop": ("bytes", "record", "after"),
    "reset": ("bytes", "record", "after"),
    "stall": ("bytes", "record", "after"),
    "garbage": ("bytes", "record", "after"),
    "half": ("record",),
    "error": ("record", "after"),
    "slow": ("record", "after"),
}
_FORMS = (
    "drop@bytes=N, reset@record=N, stall@after=SECONDS, half@record=N, garbage@bytes=N, "
    "error=CODE:TEXT@record=N, slow@record=N, refuse=TIMES, silent-accept, bad-challenge, "
    "auth=TEXT"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong on a connection, once.

    Attributes:
        kind: `drop` ends it (FIN), `reset` breaks it (RST), `stall` keeps it and sends no more,
            `garbage` sends noise from there on, `half` sends half of a record and ends it,
            `error` sends an ErrorMsg and, unless it is a mild one, ends it, `slow` sends the
            slow reader warning; `refuse` ends connections as they come, `silent-accept` never
            says a word, `bad-challenge` greets with a malformed line, `auth` refuses the key.
        at_bytes: Strikes once that many bytes were sent, the handshake's included.
        at_record: Strikes in the place of that market data record, counted from 1.
        after_s: Strikes that many wall seconds after the connection came.
        times: How many connections `refuse` ends.
        code: Of `error`.
        text: Of `error` and `auth`.
    """

    kind: Kind
    at_bytes: int | None = None
    at_record: int | None = None
    after_s: float | None = None
    times: int = 1
    code: int = 0
    text: str = ""

    def __post_init__(self) -> None:
        given = [
            name
            for name, value in (
                ("bytes", self.at_bytes),
                ("record", self.at_record),
                ("after", self.after_s),
            )
            if value is not None
        ]
        allowed = _POINTS.get(self.kind, ())
        if len(given) != bool(allowed) or not set(given) <= set(allowed):
            points = " or ".join(f"@{name}=" for name in allowed) or "no point"
            raise UsageError(f"The fault {self.kind} takes {points}.")
        if self.at_record == 0:
            raise UsageError("A fault's records are counted from 1.")


def parse_fault(text: str) -> Fault:
    """Return the fault that `text` writes, e.g. `drop@bytes=1234` or `error=3@record=20`.

    Raises:
        UsageError: It writes none.
    """
    if text.startswith("auth="):
        return Fault("auth", text=_one_line(text.removeprefix("auth=")))
    head, at, point = text.rpartition("@")
    kind, equals, value = (head if at else text).partition("=")
    if kind not in get_args(Kind) or kind == "auth":
        raise UsageError(f"{text!r} is not a fault. Give one of: {_FORMS}.")
    named = cast("Kind", kind)
    where = _point(text, point) if at else {}
    at_bytes, at_record = where.get("bytes"), where.get("record")
    fault = Fault(
        named,
        at_bytes=None if at_bytes is None else int(at_bytes),
        at_record=None if at_record is None else int(at_record),
        after_s=where.get("after"),
    )
    if named == "error":
        code, _, said = value.partition(":")
        number = _count(text, code)
        if number > 255:
            raise UsageError(f"{text!r}: an error's code is 0 to 255.")
        return replace(fault, code=number, text=said or f"Simulated error {number}")
    if named == "refuse":
        return replace(fault, times=_count(text, value) if equals else 1)
    if equals:
        raise UsageError(f"{text!r}: {kind} takes no value.")
    return fault


def in_turn(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Return the fault of each connection, one after the other."""
    return tuple(
        replace(fault, times=1) if fault.kind == "refuse" else fault
        for fault in faults
        for _ in range(fault.times if fault.kind == "refuse" else 1)
    )


def _point(text: str, point: str) -> dict[str, float]:
    name, _, value = point.partition("=")
    if name == "after":
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds < math.inf:
            raise UsageError(f"{text!r}: {value!r} is not a number of seconds.")
        return {name: seconds}
    if name not in ("bytes", "record"):
        raise UsageError(f"{text!r}: a fault strikes at @bytes=, @record= or @after=.")
    return {name: _count(text, value)}


def _count(text: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal()):
        raise UsageError(f"{text!r}: {value!r} is not a whole number.")
    return int(value)


def _one_line(text: str) -> str:
    if not text or "|" in text or "\n" in text:
        raise UsageError("The text of auth= is one line without bars.")
    return text
