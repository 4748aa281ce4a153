"""The place of one attack: a folder of its own, a gateway, the day that is played."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.torture import witness
from tests.e2e.torture.lives import BrokenPromiseError, Gateway, Life
from tests.e2e.torture.material import Day, Shelf
from tests.e2e.torture.witness import Held

SAVE_S = "0.05"


@dataclass
class Scene:
    """One attack under way.

    Attributes:
        folder: Its own; the database stands in `folder`/data.
        day: What is played.
        shelf: All days.
        chance: Decides what is attacked.
        speed: Event seconds a second of the gateway.
        options: What the gateway is told besides.
        extra: What the program is told besides.
        before: What the database held at the last kill.
    """

    folder: Path
    day: Day
    shelf: Shelf
    chance: random.Random
    speed: float = 240.0
    options: Sequence[str] = ()
    extra: Sequence[str] = ("--no-backfill",)
    from_ns: int = 0
    before: Held = field(default_factory=witness.nothing)

    def __post_init__(self) -> None:
        for path in (self.data, self.recordings):
            path.mkdir(parents=True, exist_ok=True)
        self.gateway = Gateway(
            self.folder, self.day.path, self.speed, self.from_ns or self.day.first_ns, self.options
        )

    @property
    def data(self) -> Path:
        """The folder of the database."""
        return self.folder / "data"

    @property
    def database(self) -> Path:
        """The database."""
        return self.data / "live.duckdb"

    @property
    def recordings(self) -> Path:
        """Where records are taken down."""
        return self.folder / "recordings"

    def live(self, *more: str) -> list[str]:
        """Return the arguments of a live capture."""
        return [
            *("live", "--headless", "--json", "--leaders", "0", "--offline"),
            *("--gateway", f"127.0.0.1:{self.gateway.port}", "--db", str(self.database)),
            *("--save-every", SAVE_S, "--rules", str(self.day.rules)),
            *("--prev-close", str(self.day.closes), *self.extra, *more),
        ]

    def replay(self, *more: str) -> list[str]:
        """Return the arguments of a replay of the day."""
        return [
            *("replay", str(self.day.path), "--headless", "--json", "--leaders", "0", "--offline"),
            *("--db", str(self.database), "--rules", str(self.day.rules)),
            *("--prev-close", str(self.day.closes), *more),
        ]

    def begin(self, *arguments: str, plainly: bool = False) -> Life:
        """Begin a life of the program; a fork of one that has imported it, where that may be."""
        forge = None if plainly else self.shelf.forge
        return Life(self.folder, *arguments, forge=forge)

    def read(self) -> Held:
        """Return what the database holds; nobody may have it open."""
        return witness.read(self.database, self.folder / "copy")

    def look_after(self, *, but_minutes_before: int = 0) -> Held:
        """See after a kill that what was committed is there, and no more than there was."""
        held = self.read()
        witness.check_kept(self.before, held, but_minutes_before=but_minutes_before)
        witness.check_within(held, self.day)
        self.before = held
        return held

    def live_to_the_end(self, *more: str) -> Life:
        """Let a capture come to the tape's end, and end it cleanly."""
        life = self.begin(*self.live(*more))
        try:
            self.finish(life)
        finally:
            life.kill()
        return life

    def finish(self, life: Life) -> None:
        """Let a capture that goes on come to the tape's end, and end it cleanly.

        Raises:
            BrokenPromiseError: It does not come there, or does not end cleanly.
        """
        life.wait_for(lambda line: line.get("ts", 0) >= self.day.end_ns)
        if "--no-backfill" not in self.extra:
            # What is fetched besides has come once a later line says so.
            told = len(life.lines)
            life.wait_for(lambda line: line["type"] == "health" and line in life.lines[told:])
        status = life.end()
        if status != 0:
            raise BrokenPromiseError(f"a clean end has status {status}: {life.told()}")
