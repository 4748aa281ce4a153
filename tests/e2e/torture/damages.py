"""A journal or a database damaged after a kill: the program goes on, and says what became of it."""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from tests.e2e.torture import aims, witness
from tests.e2e.torture.aims import BEGUN_WRITES, Aim
from tests.e2e.torture.kills import State, wanted
from tests.e2e.torture.lives import BrokenPromiseError
from tests.e2e.torture.scene import Scene
from tests.e2e.torture.tally import Tally
from tests.e2e.torture.watching import Watch

_HEAD_BYTES = 4096
# What a recovery that was through is told by.
_TOLD = "It was recovered in"
_LIVE = State("live", 0, lambda s: s.short(), aims.any_time)


@dataclass(frozen=True, slots=True)
class Damage:
    """What is done to the files.

    Attributes:
        name: For the table.
        share: How many of a hundred damages it gets.
        do: Does it, to a database whose journal stands beside it.
        ours: Whether the program is to go on; else it leaves the files alone and says why.
        kills: How often the recovery is killed before it is let come to its end.
    """

    name: str
    share: int
    do: Callable[[Scene], None]
    ours: bool = True
    kills: int = 0


def campaign(damage: Damage, scene: Scene, tally: Tally) -> None:
    """Kill a capture, damage what it leaves, and let another one come to the tape's end.

    Raises:
        BrokenPromiseError: Something did not hold.
    """
    scene.gateway.begin()
    try:
        _killed_capture(scene)
        if damage.name.startswith("main"):
            # The journal's bars in the main file, as after a checkpoint, then a journal again.
            with duckdb.connect(str(scene.database)) as connection:
                connection.execute("CHECKPOINT")
            _killed_capture(scene)
        damage.do(scene)
        before = _seals(scene)
        told = False
        for _ in range(damage.kills):
            hit, said = _kill_recovery(scene)
            tally.count("kill", "recovering", hit)
            told = told or _TOLD in said
        if damage.ours:
            _goes_on(scene, before, damage, tally, told=told)
        else:
            _is_left_alone(scene, before)
            tally.count("damage", damage.name, "left alone, and said")
    finally:
        scene.gateway.kill()


def _goes_on(
    scene: Scene, before: dict[str, str], damage: Damage, tally: Tally, *, told: bool
) -> None:
    life = scene.live_to_the_end()
    held = scene.read()
    witness.check_whole(held, scene.day)
    witness.check_alerts(held, wanted(_LIVE, scene), scene.day.end_ns)
    aside = [path for path in scene.data.iterdir() if path.is_dir()]
    hit = "no recovery was needed"
    if aside:
        # What lies in a block that no start reads is met later, when the journal is in the file.
        met_later = "recovery" in [line["type"] for line in life.lines[1:]]
        hit = "recovered in mid-run" if met_later else "recovered"
        if not met_later and not any(before.items() <= _sealed(folder).items() for folder in aside):
            raise BrokenPromiseError(f"what was set aside is not what was damaged: {life.told()}")
        if _TOLD not in life.said and not told:
            raise BrokenPromiseError(f"the recovery is not said: {life.told()}")
    again = scene.begin(*scene.live("--for", "1"))
    if again.join() != 0 or len([p for p in scene.data.iterdir() if p.is_dir()]) > len(aside):
        raise BrokenPromiseError(
            f"a recovered database does not start as any other: {again.told()}"
        )
    tally.count("damage", damage.name, hit)


def _is_left_alone(scene: Scene, before: dict[str, str]) -> None:
    life = scene.begin(*scene.live("--for", "5"))
    if life.join() != 1 or scene.database.name not in life.said:
        raise BrokenPromiseError(f"it had to refuse: {life.told()}")
    if _seals(scene) != before:
        raise BrokenPromiseError(f"it has changed what is not its own: {life.told()}")


def _killed_capture(scene: Scene) -> None:
    """Kill a capture some commits after it began."""
    with Watch(scene.data) as watch:
        life = scene.begin(*scene.live())
        left = BEGUN_WRITES + scene.chance.randint(5, 25)
        while left > 0 and life.alive() and life.age_s < 40:
            seen = watch.next(0.2)
            left -= seen is not None and seen.name.endswith(".wal")
        life.kill()
    held = scene.read()
    witness.check_kept(scene.before, held)
    scene.before = held


def _kill_recovery(scene: Scene) -> tuple[str, str]:
    """Begin a capture, and kill it while it recovers the database, or soon after.

    Returns what was hit, and what it had said.
    """
    chance = scene.chance
    kind, name, delay_s = chance.choice((
        ("made", ".recovering", chance.uniform(0, scene.shelf.pace.start_s)),
        ("made", ".recovering", chance.uniform(0, 0.05)),
        ("removed", ".wal", 0.0),
        ("moved here", ".duckdb", chance.uniform(0, 0.005)),
        ("removed", ".recovering", 0.0),
    ))  # fmt: skip
    aim = Aim(f"recovery: {name} {kind}", name=name, kinds=(kind,), delay_s=delay_s)
    with Watch(scene.data) as watch:
        life = scene.begin(*scene.live())
        try:
            hit = aims.wait(life, aim, watch, scene.shelf.pace)
        finally:
            status = life.kill()
    if status != -signal.SIGKILL:
        raise BrokenPromiseError(f"a recovery ended by itself: {life.told()}")
    return hit, life.said


def _files(scene: Scene) -> list[Path]:
    return [scene.database, scene.data / f"{scene.database.name}.wal"]


def _seals(scene: Scene) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in _files(scene)
        if path.exists()
    }


def _sealed(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file()
    }


# --- what is done ----------------------------------------------------------------------------


def _changed(
    place: int, change: Callable[[bytearray, random.Random], None]
) -> Callable[[Scene], None]:
    def do(scene: Scene) -> None:
        path = _files(scene)[place]
        content = bytearray(path.read_bytes()) if path.exists() else bytearray()
        if not content:
            raise BrokenPromiseError(f"nothing to damage: {path.name} is not there")
        change(content, scene.chance)
        path.write_bytes(content)

    return do


def _cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def _zero(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    size = min(len(content) - at, chance.choice((8, 512, 4096, 1 << 30)))
    content[at : at + size] = bytes(size)


def _flip(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 4, 30))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _noise(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    size = min(len(content) - at, chance.randint(1, 8192))
    content[at : at + size] = chance.randbytes(size)


def _tail(content: bytearray, chance: random.Random) -> None:
    content += chance.randbytes(chance.randint(1, 5000))


def _foreign_journal(scene: Scene) -> None:
    """Put the journal of another database beside this one."""
    other = replace(scene, folder=scene.folder / "other", before=witness.nothing())
    other.gateway = scene.gateway
    _killed_capture(other)
    shutil.copy(_files(other)[1], _files(scene)[1])


def _without_main(scene: Scene) -> None:
    scene.database.unlink()


def _empty_main(scene: Scene) -> None:
    scene.database.write_bytes(b"")


def _newer_schema(scene: Scene) -> None:
    with duckdb.connect(str(scene.database)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema_version'")


def _newer_storage(scene: Scene) -> None:
    with duckdb.connect(str(scene.database)) as connection:
        connection.execute("CHECKPOINT")
    content = bytearray(scene.database.read_bytes())
    # The header: a checksum, the letters DUCK, the version.
    content[12:20] = (999).to_bytes(8, "little")
    content[:8] = _checksum(bytes(content[8:_HEAD_BYTES])).to_bytes(8, "little")
    scene.database.write_bytes(content)


def _checksum(content: bytes) -> int:
    """Return DuckDB's checksum of whole words of eight bytes."""
    found = 5381
    for (word,) in struct.iter_unpack("<Q", content):
        found ^= word * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
    return found


def _text(scene: Scene) -> None:
    for path in _files(scene):
        path.unlink(missing_ok=True)
    scene.database.write_text("Dear diary, this is no database.\n" * 500, "utf-8")


def _any(scene: Scene) -> None:
    """Damage the journal so that it is noticed, or cut the main file."""
    _changed(1, scene.chance.choice((_zero_much, _noise)))(scene)


def _zero_much(content: bytearray, _chance: random.Random) -> None:
    content[100:5_000] = bytes(len(content[100:5_000]))


DAMAGES = (
    Damage("recovery killed", 15, _any, kills=2),
    Damage("journal cut", 12, _changed(1, _cut)),
    Damage("journal zeroed", 8, _changed(1, _zero)),
    Damage("journal flipped", 12, _changed(1, _flip)),
    Damage("journal noise", 6, _changed(1, _noise)),
    Damage("journal tail", 4, _changed(1, _tail)),
    Damage("journal foreign", 4, _foreign_journal),
    Damage("without main", 6, _without_main),
    Damage("main emptied", 4, _empty_main),
    Damage("main cut", 8, _changed(0, _cut)),
    Damage("main zeroed", 6, _changed(0, _zero)),
    Damage("main flipped", 9, _changed(0, _flip)),
    Damage("newer schema", 3, _newer_schema, ours=False),
    Damage("newer storage", 2, _newer_storage, ours=False),
    Damage("text", 3, _text, ours=False),
)
