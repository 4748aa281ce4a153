"""Full disks at random bytes: it is said, the feed goes on, and with space all is there."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.torture import witness
from tests.e2e.torture.aims import any_time
from tests.e2e.torture.kills import State, wanted
from tests.e2e.torture.lives import BrokenPromiseError, Life
from tests.e2e.torture.material import Day, Shelf
from tests.e2e.torture.places import Full, Limit, SmallDisk, may_mount
from tests.e2e.torture.records import check_recordings
from tests.e2e.torture.scene import Scene
from tests.e2e.torture.tally import Tally
from tests.e2e.torture.watching import Watch

TOLD_S = 40.0
_OVER = "the database takes the bars again"
# So much of the tape, in event seconds, one full disk takes.
ENOUGH_S = 480.0
PER_CAMPAIGN = 5
_LIVE = State("live", 0, lambda s: s.morning(), any_time)
ENDS = ("freed", "freed", "freed", "killed", "ended")


@dataclass(frozen=True, slots=True)
class Target:
    """What is on the disk that fills up.

    Attributes:
        name: For the table.
        share: How many of a hundred fulls it gets.
        small: The file system, or the limit, of a scene.
        told: What the program is told besides.
        words: What it has to say of it on standard error; empty for nothing.
        most: So many bytes are left at most.
    """

    name: str
    share: int
    small: Callable[[Scene], Full]
    told: Callable[[Scene], tuple[str, ...]] = lambda _scene: ()
    words: str = ""
    most: int = 80_000
    day: Callable[[Shelf], Day] = lambda s: s.morning()
    copies: bool = False


def campaign(target: Target, scene: Scene, fulls: int, tally: Tally) -> None:
    """Let the disk be full again and again, in one life and in those after it; then look.

    Raises:
        BrokenPromiseError: Something did not hold.
    """
    small = target.small(scene)
    small.begin()
    scene.extra = (*scene.extra, *target.told(scene))
    scene.gateway.begin()
    left = fulls
    try:
        while left >= 0:
            with Watch(scene.data) as watch:
                left = _one_life(target, scene, small, left, tally, watch)
            scene.look_after()
        held = scene.read()
        witness.check_kept(scene.before, held)
        witness.check_whole(held, scene.day)
        witness.check_alerts(held, wanted(_LIVE, scene), scene.day.end_ns)
        recovered = witness.recoveries(scene.data)
        witness.check_left(scene.data, scene.database, recovered)
        tally.hits["disk", "recovered at the next start"] += len(recovered)
        check_recordings(scene, held)
    finally:
        scene.gateway.kill()
        small.end()


def _one_life(
    target: Target, scene: Scene, small: Full, left: int, tally: Tally, watch: Watch
) -> int:
    """Fill the disk until one end is not that it is freed; returns how many fulls are left.

    With none left, it comes to the tape's end, which is told by -1.
    """
    chance = scene.chance
    life = scene.begin(*scene.live())
    try:
        while left > 0:
            _wait_for_writes(life, watch, chance.randint(3, 12))
            said = len(life.said)
            if _left_s(scene, life) < ENOUGH_S or not _strike(target, scene, small, life, watch):
                # The tape is over: nothing more would be written.
                break
            end = chance.choice(ENDS)
            left -= 1
            tally.count("disk", target.name, f"{type(small).__name__}, {end}")
            if end == "killed":
                life.kill()
            elif end == "ended":
                _end_while_full(target, life)
            small.free(life)
            if end != "freed":
                return left
            _wait_until_freed(target, life, said)
        scene.finish(life)
        return -1
    finally:
        life.kill()
        small.free(life)


def _strike(target: Target, scene: Scene, small: Full, life: Life, watch: Watch) -> bool:
    """Fill the disk, and see that it is said and that the feed goes on; False at the tape's end."""
    said = len(life.said)
    if target.copies:
        _ask_for_copy(scene, life, watch)
    small.fill(scene.chance.randint(0, target.most), life)
    now_ns = _newest_ns(life)
    if target.words and not _hears(life, said, target.words):
        if _left_s(scene, life) < ENOUGH_S:
            return False
        told = life.told()
        raise BrokenPromiseError(f"nothing is said of the full disk: {told} {life.stacks()}")
    # The feed goes on: alerts of later are told.
    life.wait_for(lambda line: line.get("ts", 0) >= now_ns + 10 * 10**9, TOLD_S)
    if not life.alive():
        raise BrokenPromiseError(f"a full disk ends it: {life.told()}")
    return True


def _newest_ns(life: Life) -> int:
    return max((line.get("ts", 0) for line in life.lines), default=0)


def _left_s(scene: Scene, life: Life) -> float:
    """Return how much of the tape is still to come, in event seconds."""
    return (scene.day.end_ns - _newest_ns(life)) / 1e9


def _ask_for_copy(scene: Scene, life: Life, watch: Watch) -> None:
    (scene.data / f"{scene.database.name}.snapshot.request").touch()
    until_s = time.monotonic() + 4.0
    while life.alive() and time.monotonic() < until_s:
        seen = watch.next(0.2)
        if seen is not None and seen.name.endswith(".snapshot.partial"):
            return


def _wait_for_writes(life: Life, watch: Watch, count: int) -> None:
    until_s = time.monotonic() + 30.0
    while life.alive() and count > 0 and time.monotonic() < until_s:
        seen = watch.next(0.2)
        if seen is not None and seen.name.endswith(".duckdb.wal"):
            count -= 1
    if not life.alive():
        raise BrokenPromiseError(f"it ended by itself: {life.told()}")


def _wait_until_freed(target: Target, life: Life, said: int) -> None:
    """Wait until it says that the database takes what it is given again."""
    if target.words and not _hears(life, said, _OVER):
        raise BrokenPromiseError(f"with space again, nothing is written: {life.told()}")


def _hears(life: Life, said: int, words: str) -> bool:
    """Return whether it says something beyond what it has said by now."""
    until_s = time.monotonic() + TOLD_S
    while words not in life.said[said:] and life.alive() and time.monotonic() < until_s:
        time.sleep(0.05)
    return words in life.said[said:]


def _end_while_full(target: Target, life: Life) -> None:
    status = life.end(signal.SIGTERM)
    fine = (0, 1) if target.name == "database" else (0,)
    if status not in fine:
        raise BrokenPromiseError(
            f"ended while the disk was full, with status {status}: {life.told()}"
        )
    if status == 1 and "were not written" not in life.said:
        raise BrokenPromiseError(f"what was not written is not said: {life.told()}")


def _database_disk(scene: Scene) -> Full:
    if may_mount() and scene.chance.random() < 0.6:
        return SmallDisk(scene.data)
    return Limit(scene.data, ".duckdb.wal")


def _recording_disk(scene: Scene) -> Full:
    return SmallDisk(scene.recordings, 16) if may_mount() else Limit(scene.recordings, ".dbn.zst")


def _copy_disk(scene: Scene) -> Full:
    if may_mount():
        return SmallDisk(scene.data, 192)
    return Limit(scene.data, ".snapshot.partial")


def _log_folder(scene: Scene) -> Path:
    return scene.folder / "log"


def _log_disk(scene: Scene) -> Full:
    _log_folder(scene).mkdir(exist_ok=True)
    return SmallDisk(_log_folder(scene), 1) if may_mount() else Limit(_log_folder(scene), ".log")


TARGETS = (
    Target("database", 60, _database_disk, words="does not take the bars"),
    Target(
        "recording", 20, _recording_disk, lambda s: ("--record", str(s.recordings)), most=20_000
    ),
    Target("copy", 14, _copy_disk, copies=True, most=400_000),
    Target(
        "log", 6, _log_disk, lambda s: ("--log-file", str(_log_folder(s) / "run.log")), most=200
    ),
)  # fmt: skip
