"""Which attacks a run makes, one after the other, each from its own seed."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.torture import damages, disks, kills, races
from tests.e2e.torture.lives import BrokenPromiseError
from tests.e2e.torture.material import Day, Shelf
from tests.e2e.torture.scene import Scene
from tests.e2e.torture.tally import Tally

SLOW = 180.0


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: what it is, of which kind, the number that seeds it, and how many strikes."""

    sort: str
    kind: str
    number: int
    strikes: int
    run: Callable[[Scene, Tally], None]
    scene: Callable[[Path, Shelf, random.Random], Scene]

    @property
    def name(self) -> str:
        """What `--only` calls it."""
        return f"{self.sort}/{self.kind}/{self.number}"


@dataclass(frozen=True, slots=True)
class Runner:
    """Makes attacks in a folder, and counts.

    Attributes:
        folder: Where all of it happens.
        shelf: The days.
        tally: What came of it.
        seed: Of the run.
        keep: Whether the folders of what failed stay.
    """

    folder: Path
    shelf: Shelf
    tally: Tally
    seed: int
    keep: bool = False

    def make(self, attack: Attack) -> None:
        """Make one attack."""
        chance = random.Random(f"{self.seed} {attack.name}")
        folder = self.folder / attack.name.replace("/", "-").replace(" ", "-")
        began_s = time.monotonic()
        failed = False
        try:
            attack.run(attack.scene(folder, self.shelf, chance), self.tally)
        except BrokenPromiseError as error:
            failed = True
            command = f"python -m tests.e2e.torture --seed {self.seed}"
            repeat = f"{command} --only '{attack.name}:{attack.strikes}'"
            self.tally.fail(attack.sort, attack.name, str(error), repeat)
        if not (failed and self.keep):
            shutil.rmtree(folder, ignore_errors=True)
        spent_s = time.monotonic() - began_s
        self.tally.spent_s[attack.sort] = self.tally.spent_s.get(attack.sort, 0.0) + spent_s
        self.tally.say(f"{attack.name}: {attack.strikes} in {spent_s:.1f} s")


def planned(sort: str, count: int, kind: str = "", begin: int = 0) -> Iterator[Attack]:
    """Return the attacks of a sort that make `count` strikes together, of all kinds or of one."""
    for name, share, most in KINDS[sort]:
        if kind and name != kind:
            continue
        left = count if kind else round(count * share / 100)
        number = begin
        while left > 0:
            strikes = min(left, most)
            yield attack(sort, name, number, strikes)
            left -= strikes
            number += 1


def attack(sort: str, kind: str, number: int, strikes: int) -> Attack:
    """Return one attack by its name.

    Raises:
        KeyError: There is none of that name.
    """
    return _MAKERS[sort](kind, number, strikes)


def mixed(attacks: list[Attack], seed: int) -> list[Attack]:
    """Return attacks in an order in which any part of them is of all kinds."""
    return random.Random(seed).sample(attacks, len(attacks))


def _kill(kind: str, number: int, strikes: int) -> Attack:
    state = {each.name: each for each in kills.STATES}[kind]

    def scene(folder: Path, shelf: Shelf, chance: random.Random) -> Scene:
        return Scene(
            folder, state.day(shelf), shelf, chance, state.speed, state.options, state.extra
        )

    return Attack(
        "kill", kind, number, strikes, lambda s, t: kills.campaign(state, s, strikes, t), scene
    )


def _disk(kind: str, number: int, strikes: int) -> Attack:
    target = {each.name: each for each in disks.TARGETS}[kind]
    return Attack(
        "disk", kind, number, strikes, lambda s, t: disks.campaign(target, s, strikes, t),
        _plain(target.day, SLOW),
    )  # fmt: skip


def _race(kind: str, number: int, strikes: int) -> Attack:
    race = {each.name: each for each in races.RACES}[kind]
    return Attack(
        "race", kind, number, strikes, lambda s, t: races.campaign(race, s, t),
        _plain(lambda shelf: shelf.short(), SLOW),
    )  # fmt: skip


def _damage(kind: str, number: int, strikes: int) -> Attack:
    damage = {each.name: each for each in damages.DAMAGES}[kind]
    return Attack(
        "damage", kind, number, strikes, lambda s, t: damages.campaign(damage, s, t),
        _plain(lambda shelf: shelf.short(), SLOW),
    )  # fmt: skip


def _plain(
    day: Callable[[Shelf], Day], speed: float
) -> Callable[[Path, Shelf, random.Random], Scene]:
    return lambda folder, shelf, chance: Scene(folder, day(shelf), shelf, chance, speed)


_MAKERS = {"kill": _kill, "disk": _disk, "race": _race, "damage": _damage}
# The name of each kind, its share of a hundred, and how many strikes one attack makes at most.
KINDS = {
    "kill": [(each.name, each.share, each.per_campaign) for each in kills.STATES],
    "disk": [(each.name, each.share, disks.PER_CAMPAIGN) for each in disks.TARGETS],
    "race": [(each.name, each.share, 1) for each in races.RACES],
    "damage": [(each.name, each.share, 1) for each in damages.DAMAGES],
}
