"""What a part of the harness is, and the loop that all parts but the compiled one share."""

from __future__ import annotations

import math
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, Self

# Longer than this no case may keep a processor busy.
LONGEST_S = 1.0
# So many cases are watched line by line at first, and one in `WATCH_EVERY` of the others.
WATCHED = 1_500
WATCH_EVERY = 30
MOST_KEPT = 4_000
_PROJECT = "/stockscan_tui/"


class WrongError(AssertionError):
    """The code under test did what it must not."""


@dataclass(frozen=True)
class Part:
    """One thing that takes hostile input.

    Attributes:
        name: As in the names of findings.
        run: Takes a case; raises where the code under test does what it must not.
        seeds: Cases to begin with.
        words: Pieces that mean something to it.
        share: How many cases of it there are for one that is asked for.
        most_bytes: What cases may grow to.
        setup: Called once, in the process that runs it, with a folder of its own.
        spoil: Makes a case of two others; None for bytes and words alone.
        longest_s: How long a case may keep the processor busy.
        watched: How many of the first cases are watched line by line.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    words: Sequence[bytes] = ()
    share: float = 1.0
    most_bytes: int = 20_000
    setup: Callable[[Path], None] = lambda _folder: None
    spoil: Callable[[random.Random, bytes, bytes], bytes] | None = None
    longest_s: float = LONGEST_S
    watched: int = WATCHED


@dataclass
class Tally:
    """How far a part has come."""

    cases: int = 0
    behaviours: int = 0
    findings: dict[str, Path] = field(default_factory=dict)


class Watch:
    """Notes which lines of the project follow one another; a context."""

    def __init__(self) -> None:
        self.edges: set[tuple[CodeType, int, int]] = set()

    def __enter__(self) -> Self:
        threading.settrace(self._call)
        sys.settrace(self._call)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sys.settrace(None)
        threading.settrace(None)

    def _call(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        if _PROJECT not in frame.f_code.co_filename:
            return None
        last = 0

        def line(frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal last
            if event == "line":
                self.edges.add((frame.f_code, last, frame.f_lineno))
                last = frame.f_lineno
            return line

        return line


def spoilt(rng: random.Random, case: bytes, other: bytes, words: Sequence[bytes]) -> bytes:
    """Return a case that was changed in a few places."""
    raw = bytearray(case)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        at = rng.randrange(len(raw) + 1)
        what = rng.randrange(10)
        if what == 0 and raw:
            raw[at % len(raw)] ^= 1 << rng.randrange(8)
        elif what == 1 and raw:
            raw[at % len(raw)] = rng.randrange(256)
        elif what == 2:
            del raw[at : at + rng.choice((1, 2, 8, 60))]
        elif what == 3:
            raw[at:at] = rng.randbytes(rng.choice((1, 3, 20)))
        elif what == 4 and raw:
            piece = raw[at : at + rng.choice((1, 5, 40))]
            raw[at:at] = piece * rng.choice((1, 2, 60))
        elif what == 5 and other:
            begin = rng.randrange(len(other))
            raw[at : at + rng.choice((0, 20))] = other[begin : begin + rng.randrange(1, 200)]
        elif what == 6:
            del raw[at:]
        elif words:
            raw[at : at + rng.choice((0, 0, 1, 4, 12))] = rng.choice(words)
    return bytes(raw)


def faults_of(part: Part, case: bytes) -> str:
    """Run a case; returns what was wrong, with a traceback, empty where nothing was."""
    begin = time.thread_time()
    try:
        part.run(case)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return "".join(traceback.format_exception(error))
    took_s = time.thread_time() - begin
    return f"it took {took_s:.1f} s of processor" if took_s > part.longest_s else ""


def place_of(fault: str) -> str:
    """Return what tells one fault from another: the last line, without numbers, and where."""
    lines = [line.strip() for line in fault.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("File") and _PROJECT in line]
    said = "".join(c for c in lines[-1] if not c.isdigit())[:80]
    return f"{own[-1] if own else ''}{said}"


def keep_finding(folder: Path, name: str, case: bytes, fault: str) -> Path:
    """Save a case for `--repeat`, with what was wrong beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{sha256(case).hexdigest()[:12]}.case"
    path.write_bytes(case)
    path.with_suffix(".txt").write_text(fault)
    return path


def explore(
    part: Part,
    cases: int,
    seed: int,
    findings: Path,
    note: Callable[[bytes], None] = lambda _case: None,
    progress: Callable[[Tally], None] = lambda _tally: None,
    most_s: float = math.inf,
) -> Tally:
    """Run a part's seeds and what can be made of them; cases that reach new lines are kept.

    Args:
        part: What is tried.
        cases: How many.
        seed: For chance.
        findings: Where cases go that show a fault, one of each kind.
        note: Told of each case before it runs, in case nothing is told after it.
        progress: Told how far it is, now and then.
        most_s: For how long at most.
    """
    rng = random.Random(seed)
    pool = list(part.seeds())
    waiting = pool[::-1]
    known: set[tuple[CodeType, int, int]] = set()
    tally = Tally()
    begun = told = time.monotonic()
    for number in range(cases):
        if time.monotonic() - begun > most_s:
            break
        if waiting:
            case = waiting.pop()
        elif part.spoil is not None and rng.random() < 0.8:
            case = part.spoil(rng, rng.choice(pool), rng.choice(pool))
        else:
            case = spoilt(rng, rng.choice(pool), rng.choice(pool), part.words)
        case = case[: part.most_bytes]
        note(case)
        if number < part.watched or number % WATCH_EVERY == 0:
            with Watch() as watch:
                fault = faults_of(part, case)
            if watch.edges - known:
                tally.behaviours += len(watch.edges - known)
                known |= watch.edges
                pool.append(case)
                if len(pool) > MOST_KEPT:
                    pool.pop(rng.randrange(len(pool)))
        else:
            fault = faults_of(part, case)
        tally.cases += 1
        if fault and (place := place_of(fault)) not in tally.findings:
            tally.findings[place] = keep_finding(findings, part.name, case, fault)
        if time.monotonic() - told > 2:
            told = time.monotonic()
            progress(tally)
    return tally


def threads_left(before: set[threading.Thread], timeout_s: float = 5.0) -> list[str]:
    """Return the names of threads that were begun since and do not end."""
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout_s)
    return [t.name for t in set(threading.enumerate()) - before if t.is_alive()]
