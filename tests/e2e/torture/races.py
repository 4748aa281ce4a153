"""Several instances on one database: one wins, the others say so and go, the first is unharmed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from tests.e2e.torture import witness
from tests.e2e.torture.lives import BrokenPromiseError, Life
from tests.e2e.torture.scene import Scene
from tests.e2e.torture.tally import Tally

_FOREIGN = """
import sys, duckdb
held = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Race:
    """How many start at once, and how many shares of a hundred this gets."""

    name: str
    share: int
    starters: int


def campaign(race: Race, scene: Scene, tally: Tally) -> None:
    """Run one race on a database that is there, or not yet, and look at what the winner left.

    Raises:
        BrokenPromiseError: Something did not hold.
    """
    hit = "new database"
    if scene.chance.random() < 0.6:
        first = Life(scene.folder, *scene.replay("--speed", "max"))
        if scene.chance.random() < 0.5:
            hit = "existing database"
            if first.join() != 0:
                raise BrokenPromiseError(first.told())
        else:
            hit = "killed database"
            try:
                first.process.wait(scene.chance.uniform(1, 2) * scene.shelf.pace.start_s)
            except subprocess.TimeoutExpired:
                first.kill()
            first.join()
    if race.name == "foreign":
        _foreign(scene)
    else:
        _at_once(race, scene)
    witness.check_left(scene.data, scene.database)
    held = scene.read()
    witness.check_whole(held, scene.day)
    tally.count("race", race.name, hit)


def _at_once(race: Race, scene: Scene) -> None:
    # Slow enough that none has ended when the last one comes.
    speed = scene.day.end_ns - scene.day.first_ns
    command = scene.replay("--speed", f"{speed / 1e9 / (2 + 3 * scene.shelf.pace.start_s):.0f}")
    runs = [Life(scene.folder, *command) for _ in range(race.starters)]
    looks = [
        Life(scene.folder, *_look(scene, word))
        for word in ("report", "why")
        if race.name == "looks"
    ]
    try:
        statuses = sorted(run.join(120) for run in runs)
        if statuses != [0] + [3] * (race.starters - 1):
            told = "; ".join(run.told() for run in runs)
            raise BrokenPromiseError(f"{race.starters} at once end with {statuses}: {told}")
        for run in runs:
            if run.process.returncode == 3 and "held by" not in run.said:
                raise BrokenPromiseError(f"who holds it is not said: {run.told()}")
        for look in looks:
            if look.join(120) not in (0, 1, 3):
                raise BrokenPromiseError(f"a look beside a writer: {look.told()}")
    finally:
        for run in (*runs, *looks):
            run.kill()


def _look(scene: Scene, word: str) -> list[str]:
    symbols = ["S001", "S002"] if word == "why" else []
    return [word, *symbols, "--format", "json", "--db", str(scene.database)]


def _foreign(scene: Scene) -> None:
    """Let another program have the database open while this one starts; then let it go."""
    with subprocess.Popen(
        [sys.executable, "-c", _FOREIGN, str(scene.database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as foreign:
        assert foreign.stdin is not None
        assert foreign.stdout is not None
        foreign.stdout.readline()
        life = Life(scene.folder, *scene.replay("--speed", "max"))
        status = life.join(120)
        foreign.stdin.close()
    if status != 3 or f"PID {foreign.pid}" not in life.said:
        raise BrokenPromiseError(f"another program has it open, and: {life.told()}")
    last = Life(scene.folder, *scene.replay("--speed", "max"))
    if last.join(120) != 0:
        raise BrokenPromiseError(f"it cannot start once the other is gone: {last.told()}")


RACES = (Race("two", 20, 2), Race("three", 50, 3), Race("looks", 15, 1), Race("foreign", 15, 1))
