"""When a process is killed: at a random time, at an event of a file, or in its clean end."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.e2e.torture.lives import START_S, BrokenPromiseError, Life
from tests.e2e.torture.watching import Watch

# A life that meets no event of its aim is killed so long after it began to capture.
LONGEST_S = 5.0
# The first writes to a journal tell of the run itself, the next of what it captures.
BEGUN_WRITES = 4


@dataclass(frozen=True, slots=True)
class Aim:
    """What a kill waits for.

    Attributes:
        what: For the table, as in "commit".
        age: How old the process is, in parts of the time that it takes to begin to capture.
        name: How the name of the file ends whose event it is; empty for none.
        kinds: Of the event.
        nth: Which one of them.
        term: Whether the process is asked to end before.
        delay_s: Seconds from then to the kill.
        plainly: Whether the process has to be started plainly: its start is among the moments.
    """

    what: str
    age: float = 0.0
    name: str = ""
    kinds: tuple[str, ...] = ("write",)
    nth: int = 1
    term: bool = False
    delay_s: float = 0.0
    plainly: bool = False


def any_time(chance: random.Random, *, least: float = 0.05, most: float = 1.8) -> Aim:
    """Return a moment of a life's first seconds, its start included."""
    return Aim("any time", age=chance.uniform(least, most), plainly=True)


def in_commit(chance: random.Random, most: int = 20) -> Aim:
    """Return a moment within, or just after, a write to the database's journal."""
    return Aim(
        "journal written",
        name=".duckdb.wal",
        nth=chance.randint(1, most),
        delay_s=chance.choice((0.0, 0.0, chance.uniform(0, 0.004))),
    )


def in_checkpoint(chance: random.Random, most: int = 40) -> Aim:
    """Return a moment while DuckDB writes the database's main file, or has its journal go."""
    delay_s = chance.choice((0.0, 0.0, chance.uniform(0, 0.01)))
    if chance.random() < 0.2:
        return Aim("journal let go", name=".duckdb.wal", kinds=("removed",), delay_s=delay_s)
    # The first writes make the file.
    return Aim("main file written", name=".duckdb", nth=chance.randint(1, most), delay_s=delay_s)


def in_the_end(chance: random.Random) -> Aim:
    """Return a moment of a clean end."""
    return Aim(
        "clean end",
        name=".duckdb.wal",
        nth=chance.randint(2, 8),
        term=True,
        delay_s=chance.uniform(0, 0.25),
    )


class Pace:
    """How long a process takes on this machine, as it is now, to begin to capture."""

    def __init__(self) -> None:
        self.start_s = 2.0

    def learn(self, seconds: float) -> None:
        """Take in how long it has taken."""
        self.start_s = 0.5 * (self.start_s + seconds)


def wait(life: Life, aim: Aim, watch: Watch, pace: Pace) -> str:
    """Return once the moment has come; what was hit, "" where the life had ended before."""
    met = True
    if aim.name:
        met = _event(life, aim, watch, pace)
    else:
        _rest(life, aim.age * pace.start_s - life.age_s)
    if not life.alive():
        return ""
    if aim.term:
        life.process.send_signal(signal.SIGTERM)
    _rest(life, aim.delay_s)
    if not life.alive():
        return ""
    return aim.what if met else f"{aim.what}: not met, killed all the same"


def kill(life: Life, hit: str) -> None:
    """Kill it, and see that it went by that and by nothing before."""
    status = life.kill()
    fine: Sequence[int] = (-signal.SIGKILL,) if hit else (-signal.SIGKILL, 0)
    if status not in fine:
        raise BrokenPromiseError(f"it ended by itself: {life.told()}")


def _event(life: Life, aim: Aim, watch: Watch, pace: Pace) -> bool:
    left, written = aim.nth, 0
    longest_s = START_S
    while life.alive() and life.age_s < longest_s:
        seen = watch.next(0.2)
        if seen is not None and seen.name.endswith(".wal"):
            written += 1
            if written == BEGUN_WRITES:
                pace.learn(life.age_s)
                longest_s = life.age_s + LONGEST_S
        if seen is not None and seen.name.endswith(aim.name) and seen.kind in aim.kinds:
            left -= 1
            if left == 0:
                return True
    return False


def _rest(life: Life, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while life.alive() and (left_s := until_s - time.monotonic()) > 0:
        time.sleep(min(left_s, 0.05))
