"""The part that runs compiled: its loop, its cases as files, and what is told of it."""

from __future__ import annotations

import math
import mmap
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numba
import numpy as np

from tests.fuzz import hunt, streams, walk
from tests.fuzz.dice import dice_of
from tests.fuzz.mutate import ROOM
from tests.fuzz.part import Tally, keep_finding
from tests.fuzz.walk import KNOBS
from tests.fuzz.world import new_world

NAME = "walk"
CALL_CASES = 20_000
# In front of a stream: its length and its knobs.
_HEAD = 8 * (1 + KNOBS)
CASE_BYTES = _HEAD + ROOM


def as_case(pool: hunt.Pool) -> bytes:
    """Return the case at hand as bytes."""
    length = int(pool.counts[hunt.LENGTH])
    head = np.concatenate([[length], pool.case]).astype("<i8")
    return head.tobytes() + pool.buf[:length].tobytes()


def fault_of(case: bytes) -> str:
    """Play one saved case as plain Python around the compiled loop; returns what is wrong."""
    head = np.frombuffer(case[:_HEAD], "<i8").copy()
    buf = np.zeros(ROOM, np.uint8)
    stream = np.frombuffer(case[_HEAD : _HEAD + int(head[0])], np.uint8)
    buf[: len(stream)] = stream
    try:
        one, other = new_world(), new_world()
        return walk.FAULTS[walk.case_fault(one, other, buf, len(stream), head[1:])]
    except (IndexError, ValueError) as error:
        return "".join(traceback.format_exception(error))


def pool_at(path: Path | None, seed: int) -> hunt.Pool:
    """Return a pool whose case at hand lies in a file, where it outlives the process."""
    seeds = [*streams.made(seed), *streams.real()]
    if path is None:
        return hunt.new_pool(seeds, np.zeros(ROOM, np.uint8), np.zeros(KNOBS, np.int64))
    path.write_bytes(bytes(CASE_BYTES))
    with path.open("r+b") as file:
        shared = np.frombuffer(mmap.mmap(file.fileno(), CASE_BYTES), np.uint8)
    shared[:8].view(np.int64)[0] = ROOM
    return hunt.new_pool(seeds, shared[_HEAD:], shared[8:_HEAD].view(np.int64))


def explore(
    cases: int,
    seed: int,
    findings: Path,
    current: Path | None = None,
    progress: Callable[[Tally], None] = lambda _tally: None,
    *,
    compiled: bool = True,
    most_s: float = math.inf,
) -> Tally:
    """Hunt through the compiled loop; as `part.explore`, a million times as fast where compiled."""
    call: Any = numba.njit(nogil=True, error_model="numpy")(hunt.hunt) if compiled else hunt.hunt
    pool = pool_at(current, seed)
    one, other = new_world(), new_world()
    dice = dice_of(seed)
    tally = Tally()
    begun = time.monotonic()
    while tally.cases < cases and time.monotonic() - begun < most_s:
        count = min(CALL_CASES, cases - tally.cases)
        begin = time.thread_time()
        fault, said = 0, ""
        try:
            done, fault = cast("tuple[int, int]", call(dice, one, other, pool, count))
            said = walk.FAULTS[fault]
        except IndexError as error:
            done, said = 1, f"{error!r}"
        tally.cases += done
        tally.behaviours = int(pool.counts[hunt.BEHAVIOURS])
        if said and said not in tally.findings:
            tally.findings[said] = keep_finding(findings, NAME, as_case(pool), said)
        if tally.cases > count and time.thread_time() - begin > 60:
            tally.findings["slow"] = keep_finding(findings, NAME, as_case(pool), "a slow case")
        progress(tally)
    return tally
