"""SIGKILL in every state of the program: what was committed stays, and the rest comes again."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.e2e.torture import aims, witness
from tests.e2e.torture.aims import Aim
from tests.e2e.torture.lives import BrokenPromiseError, Life
from tests.e2e.torture.material import Day, Shelf
from tests.e2e.torture.records import check_recordings, check_recordings_at_end
from tests.e2e.torture.scene import Scene
from tests.e2e.torture.tally import Tally
from tests.e2e.torture.watching import Watch
from tests.e2e.torture.witness import Held

PER_CAMPAIGN = 12


@dataclass(frozen=True, slots=True)
class State:
    """A state in which the program is killed.

    Attributes:
        name: For the table.
        share: How many of a hundred kills it gets.
        day: What is played.
        aim: When it is killed.
        replays: A file is replayed, instead of a gateway's session captured.
        speed: Event seconds a second.
        options: What the gateway is told besides.
        extra: What the program is told besides.
        victims: Who is killed: program, gateway or both.
        per_campaign: How many kills one database sees.
        backfills: The session so far is fetched, and what is not whole then is said.
        wanted_speed: Of the uninterrupted run whose alerts must be the same; 0 where they depend
            on when a run begins; `inf` for a replay of the tape, which misses nothing of it.
        begin: Done before the first life.
        during: Done as each life begins.
        after: Looked at after each kill.
        at_end: Looked at after the last life.
    """

    name: str
    share: int
    day: Callable[[Shelf], Day]
    aim: Callable[[random.Random], Aim]
    replays: bool = False
    speed: float = 240.0
    options: tuple[str, ...] = ()
    extra: tuple[str, ...] = ("--no-backfill",)
    victims: tuple[str, ...] = ("program",)
    per_campaign: int = PER_CAMPAIGN
    backfills: bool = False
    wanted_speed: float = 100_000.0
    begin: Callable[[Scene], None] = lambda _scene: None
    during: Callable[[Scene, Life], None] = lambda _scene, _life: None
    after: Callable[[Scene, Held], None] = lambda _scene, _held: None
    at_end: Callable[[Scene, Held], None] = lambda _scene, _held: None


def campaign(state: State, scene: Scene, kills: int, tally: Tally) -> None:
    """Kill a capture, or a replay, again and again, let the last life come to its end, and look.

    Raises:
        BrokenPromiseError: Something did not hold.
    """
    state.begin(scene)
    if not state.replays:
        scene.gateway.begin()
    try:
        for _ in range(kills):
            hit = _strike(state, scene, tally)
            if hit:
                tally.count("kill", state.name, hit)
            state.after(scene, scene.look_after(but_minutes_before=_kept_from(state, scene)))
        _finish(state, scene)
    finally:
        scene.gateway.kill()


def _strike(state: State, scene: Scene, tally: Tally) -> str:
    chance = scene.chance
    aim, victim = state.aim(chance), chance.choice(state.victims)
    with Watch(scene.data, scene.recordings) as watch:
        command = scene.replay("--speed", f"{state.speed:g}") if state.replays else scene.live()
        life = scene.begin(*command, plainly=aim.plainly)
        tally.hits["life", type(life.process).__name__] += 1
        try:
            state.during(scene, life)
            hit = aims.wait(life, aim, watch, scene.shelf.pace)
            scene.gateway.tick()
            if victim == "gateway":
                _kill_gateway(scene, life)
            elif victim == "both":
                scene.gateway.kill()
            aims.kill(life, hit)
            if victim == "both":
                scene.gateway.begin()
        finally:
            life.kill()
    return hit if victim == "program" or not hit else f"{hit}, {victim} killed"


def _kill_gateway(scene: Scene, life: Life) -> None:
    """Kill the gateway, and let the program live on with the next one for a while."""
    scene.gateway.kill()
    time.sleep(scene.chance.uniform(0, 0.5))
    scene.gateway.begin()
    words = "connected again" if "down:" in life.said else ""
    if words:
        life.wait_for_words(words, 10.0)
    if not life.alive():
        raise BrokenPromiseError(f"it ended with its gateway: {life.told()}")


def _finish(state: State, scene: Scene) -> None:
    if state.replays:
        life = scene.begin(*scene.replay("--speed", "max"))
        if life.join() != 0:
            raise BrokenPromiseError(f"the file cannot be replayed after kills: {life.told()}")
    else:
        scene.live_to_the_end()
    witness.check_left(scene.data, scene.database)
    held = scene.read()
    witness.check_kept(scene.before, held, but_minutes_before=_kept_from(state, scene))
    unsure = witness.unhealed_minutes(held) if state.backfills else set()
    witness.check_whole(held, scene.day, unsure)
    if state.wanted_speed:
        witness.check_alerts(held, wanted(state, scene), scene.day.end_ns)
    state.at_end(scene, held)


def _kept_from(state: State, scene: Scene) -> int:
    return scene.day.first_ns // 60_000_000_000 - 20 * 1_440 if state.name == "pruning" else 0


_WANTED: dict[tuple[Path, bool], Held] = {}


def wanted(state: State, scene: Scene) -> Held:
    """Return what an uninterrupted run of the day leaves; each is made once."""
    replayed = state.replays or math.isinf(state.wanted_speed)
    key = (scene.day.path, replayed)
    if key not in _WANTED:
        folder = scene.shelf.folder / f"wanted-{scene.day.path.stem}-{replayed}"
        own = replace(scene, folder=folder, speed=state.wanted_speed, before=witness.nothing())
        if replayed:
            life = own.begin(*own.replay("--speed", "max"))
            if life.join() != 0:
                raise BrokenPromiseError(life.told())
        else:
            own.gateway.begin()
            try:
                own.live_to_the_end()
            finally:
                own.gateway.kill()
        held = own.read()
        witness.check_whole(held, own.day)
        _WANTED[key] = held
    return _WANTED[key]


# --- the states ------------------------------------------------------------------------------


def _mostly_commits(chance: random.Random) -> Aim:
    return chance.choice((aims.in_commit, aims.in_commit, aims.any_time))(chance)


def _replaying(chance: random.Random) -> Aim:
    return chance.choice((lambda c: aims.in_commit(c, 25), aims.any_time))(chance)


def _catching_up(chance: random.Random) -> Aim:
    if chance.random() < 0.3:
        return aims.any_time(chance, least=0.9, most=1.3)
    return replace(aims.in_commit(chance, 25), what="catching up")


def _turning(chance: random.Random) -> Aim:
    """Return a moment about the time at which a tape that begins minutes before turns."""
    return Aim(
        "about the turn", name=".duckdb.wal", nth=4, delay_s=max(0.0, chance.gauss(1.0, 0.35))
    )


def _recording(chance: random.Random) -> Aim:
    kinds = chance.choice((("write",), ("write",), ("made",)))
    return Aim("recording " + kinds[0], name=".dbn.zst", kinds=kinds, nth=chance.randint(1, 3),
               delay_s=chance.choice((0.0, chance.uniform(0, 0.8))))  # fmt: skip


def _copying(chance: random.Random) -> Aim:
    name, kind, most = chance.choice((
        (".snapshot.partial", "made", 1),
        (".snapshot.partial", "write", 4),
        (".snapshot.partial.wal", "write", 3),
        (".snapshot.duckdb", "moved here", 1),
    ))  # fmt: skip
    return Aim(f"copy {kind}", name=name, kinds=(kind,), nth=chance.randint(1, most),
               delay_s=chance.choice((0.0, 0.0, chance.uniform(0, 0.01))))  # fmt: skip


def _pruning(chance: random.Random) -> Aim:
    return Aim("pruning", name=".duckdb.wal", nth=chance.randint(10, 60),
               delay_s=chance.uniform(0, 0.003))  # fmt: skip


def _record(scene: Scene) -> None:
    scene.extra = (*scene.extra, "--record", str(scene.recordings))


def _ask_for_copy(scene: Scene, _life: Life) -> None:
    (scene.data / f"{scene.database.name}.snapshot.request").touch()


def _check_copy(scene: Scene, held: Held) -> None:
    copy = scene.data / f"{scene.database.name}.snapshot.duckdb"
    if copy.exists():
        scene.folder.joinpath("copy of copy").mkdir(exist_ok=True)
        own = scene.folder / "copy of copy" / copy.name
        own.write_bytes(copy.read_bytes())
        witness.check_kept(witness.look(own), held)


def _let_old_days_be_there(scene: Scene) -> None:
    """Put two weeks of long ago into the database, by the program itself, and keep 30 days."""
    old = scene.shelf.old()
    kept = scene.shelf.folder / "old.duckdb"
    if not kept.exists():
        own = replace(scene, folder=scene.shelf.folder / "old", day=old)
        if own.begin(*own.replay("--speed", "max")).join() != 0:
            raise BrokenPromiseError("the old days cannot be replayed")
        own.database.rename(kept)
    scene.database.write_bytes(kept.read_bytes())
    path = scene.folder / "CONFIG" / "stockscan" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('keep_bars = "30d"\n', "utf-8")


def _check_pruned(scene: Scene, _held: Held) -> None:
    """Let a last life go on for seconds: then the old days are gone, and nothing else is."""
    if scene.begin(*scene.live("--for", "8")).join() != 0:
        raise BrokenPromiseError("it cannot go on after pruning")
    held = scene.read()
    minutes = held.bars.index.get_level_values("minute")
    old = minutes < scene.day.first_ns // 60_000_000_000 - 31 * 1_440
    if old.any():
        raise BrokenPromiseError(f"{old.sum()} bars of long ago are still there")
    witness.check_whole(held, scene.day)


STATES = (
    State("replay", 12, lambda s: s.morning(), _replaying, replays=True, speed=1_500.0),
    State(
        "checkpoint", 14, lambda s: s.bars(), aims.in_checkpoint, replays=True, speed=999_999.0
    ),
    State("live", 16, lambda s: s.morning(), _mostly_commits),
    State("closing", 6, lambda s: s.morning(), aims.in_the_end),
    State(
        "catching up", 12, lambda s: s.long(), _catching_up, speed=600.0, wanted_speed=0,
        backfills=True, options=("--live-only",), extra=(), per_campaign=10,
    ),
    State(
        "rollover", 8, lambda s: s.rollover(), _turning, speed=200.0, wanted_speed=math.inf,
        per_campaign=3,
    ),
    State(
        "new ids", 6, lambda s: s.midnight(), _turning, speed=400.0, wanted_speed=0,
        per_campaign=3,
    ),
    State(
        "recording", 8, lambda s: s.morning(), _recording, begin=_record, after=check_recordings,
        at_end=check_recordings_at_end,
    ),
    State("copying", 8, lambda s: s.morning(), _copying, during=_ask_for_copy, after=_check_copy),
    State(
        "pruning", 6, lambda s: s.closed(), _pruning, speed=30.0, begin=_let_old_days_be_there,
        at_end=_check_pruned, per_campaign=5,
    ),
    State("gateway", 10, lambda s: s.morning(), _mostly_commits, victims=("gateway", "both")),
)  # fmt: skip
