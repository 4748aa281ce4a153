"""What a check found, and how checks are made: each in a thread of its own, none for too long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import Generic, TypeVar

from stockscan_tui.errors import StockscanError
from stockscan_tui.log import LOG

LIMIT_S = 5.0

_T = TypeVar("_T")


class State(StrEnum):
    """How it is: good, worth a look, in the way of a capture, or not looked at."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        name: What was looked at.
        state: How it is.
        found: What was found; text from outside may stand in it as it is.
        do: What to do about it, a sentence; empty where nothing is to be done.
    """

    name: str
    state: State
    found: str
    do: str = ""


def ok(name: str, found: str) -> Finding:
    """Return a finding that is good."""
    return Finding(name, State.OK, found)


def warn(name: str, found: str, do: str) -> Finding:
    """Return a finding that is worth a look."""
    return Finding(name, State.WARN, found, do)


def fail(name: str, found: str, do: str) -> Finding:
    """Return a finding that is in the way of a capture."""
    return Finding(name, State.FAIL, found, do)


def skipped(name: str, found: str) -> Finding:
    """Return that something was not looked at, and why."""
    return Finding(name, State.SKIPPED, found)


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at.

    Attributes:
        name: What its findings are called where it breaks off.
        look: Looks; in a thread of its own, next to the others.
        limit_s: After so many seconds nobody waits for it any more.
        hangs: What to do then.
    """

    name: str
    look: Callable[[], Sequence[Finding]]
    limit_s: float = LIMIT_S
    hangs: str = "Something there hangs: a disk, the net or a program."


@dataclass(slots=True)
class _Look:
    check: Check
    began_s: float = field(default_factory=monotonic)
    done: threading.Event = field(default_factory=threading.Event)
    found: Sequence[Finding] = ()

    def run(self) -> None:
        try:
            self.found = self.check.look()
        except StockscanError as error:
            self.found = (_told(self.check.name, str(error)),)
        except Exception as error:  # noqa: BLE001 - told as a finding
            # Its text may hold anything, an address with a password too.
            LOG.exception("doctor: %s", self.check.name)
            what = f"the check broke off: {type(error).__name__}"
            self.found = (fail(self.check.name, what, "Run it again with --log-file PATH."),)
        self.done.set()


def examine(checks: Iterable[Check]) -> Iterator[Finding]:
    """Make all checks at once and yield their findings in the order of the checks; never raises."""
    looks = [_Look(check) for check in checks]
    for look in looks:
        name = f"stockscan-doctor-{look.check.name}"
        threading.Thread(target=look.run, name=name, daemon=True).start()
    for look in looks:
        left_s = look.began_s + look.check.limit_s - monotonic()
        if look.done.wait(max(left_s, 0.0)):
            yield from look.found
            continue
        found = f"no answer within {look.check.limit_s:g} s"
        yield fail(look.check.name, found, look.check.hangs)


def _told(name: str, sentence: str) -> Finding:
    """Return a finding of an error's message, which ends with what to do."""
    happened, dot, do = sentence.partition(". ")
    return fail(name, f"{happened}.", do) if dot else fail(name, sentence, "Mend it as it says.")


class Once(Generic[_T]):
    """Something that several checks need and the first of them makes.

    Args:
        make: Makes it; what it raises is raised to everybody.
    """

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[_T] = []
        self._error: StockscanError | None = None

    def get(self) -> _T:
        """Return it, made at the first need."""
        with self._lock:
            if self._error is not None:
                raise self._error
            if not self._made:
                try:
                    self._made.append(self._make())
                except StockscanError as error:
                    self._error = error
                    raise
            return self._made[0]
