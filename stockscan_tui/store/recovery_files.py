"""The files of a recovery: what is set aside, what is being made, and how far that has come.

The damaged files get a second name in `<db>.damaged-<time>/` before anything else happens, and keep
their own until the recovered database takes its place; a kill in between leaves the one or the
other. `<db>.recovering/` has the work under way.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from stockscan_tui.clock import Clock
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.store.lock import beside
from stockscan_tui.store.recovery_report import Recovered, dump, load

_STATE = "state.json"
_REPORT = "recovered.json"
_WORDS = "what-happened.txt"
_UNTOLD = "not-yet-told.txt"


def journals(path: Path) -> list[Path]:
    """Return the database's journals that are there: one, or up to three after a kill."""
    names = (".wal", ".wal.checkpoint", ".wal.recovery")
    return [journal for name in names if (journal := beside(path, name)).exists()]


def note_path(path: Path) -> Path:
    """Return the file whose being there says that a run met damage in the database."""
    return beside(path, ".damaged")


def note_damage(path: Path, what: str) -> None:
    """Leave word for the next run that the database is damaged; never fails."""
    with suppress(OSError):
        if not note_path(path).exists():
            note_path(path).write_text(what, encoding="utf-8")


def noted_damage(path: Path) -> str:
    """Return what a run that met damage has left word of, empty for nothing."""
    try:
        return note_path(path).read_text(encoding="utf-8", errors="replace").strip() or "unknown"
    except OSError:
        return ""


def forget_damage(path: Path) -> None:
    """Take back what `note_damage` left."""
    with suppress(OSError):
        note_path(path).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Site:
    """Where one recovery takes place.

    Attributes:
        path: The database.
        aside: The folder with the damaged files.
    """

    path: Path
    aside: Path

    @property
    def work(self) -> Path:
        """The folder of the work under way."""
        return work_folder(self.path)

    @property
    def made(self) -> Path:
        """The database that is being made."""
        return self.work / "made.duckdb"

    @property
    def source(self) -> Path:
        """The damaged database, as it stands aside; it may be missing."""
        return self.aside / self.path.name

    def replace(self, found: Recovered) -> None:
        """Let what was made be the database; the damaged one's own names go.

        Raises:
            OSError: It cannot be done; a later recovery goes on from here.
        """
        sync(self.made)
        (self.aside / _REPORT).write_text(dump(found), encoding="utf-8")
        (self.aside / _WORDS).write_text("\n".join(found.lines()) + "\n", encoding="utf-8")
        for name in (_REPORT, _WORDS):
            sync(self.aside / name)
        sync(self.aside)
        self._set_state("replacing")
        # Its journal first: the recovered database must never meet it.
        for journal in journals(self.path):
            journal.unlink()
        sync(self.path.parent)
        self.made.replace(self.path)
        sync(self.path.parent)
        self.finish()

    def finish(self) -> None:
        """Leave word that nobody has been told yet, and remove what the work has left."""
        with suppress(OSError):
            (self.aside / _UNTOLD).touch()
            sync(self.aside)
        # The recovered database stands: what is left the next run removes.
        with suppress(OSError):
            self.clear()

    def clear(self) -> None:
        """Remove what the work has left."""
        forget_damage(self.path)
        # The state last: without it, what is left would be of nobody.
        for each in self.work.iterdir():
            if each.name != _STATE:
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        shutil.rmtree(self.work)

    def undo(self) -> None:
        """Let everything be as it was: the damaged files have their own names, and only those.

        Where the recovered database has taken its place already, the next run ends the work.
        """
        with suppress(OSError):
            if self._replaced:
                return
            kept = [self.source, *journals(self.source)]
            for each in kept:
                own = self.path.with_name(each.name)
                if each.exists() and not own.exists():
                    _second_name(each, own)
            sync(self.path.parent)
            shutil.rmtree(self.work)
            if all(same_file(self.path.with_name(e.name), e) for e in kept if e.exists()):
                shutil.rmtree(self.aside)

    @property
    def _replaced(self) -> bool:
        if not self.path.exists():
            return False
        return not (self.source.exists() and same_file(self.path, self.source))

    def _set_state(self, doing: str) -> None:
        new = self.work / f"{_STATE}.new"
        new.write_text(json.dumps({"aside": self.aside.name, "doing": doing}), encoding="utf-8")
        sync(new)
        new.replace(self.work / _STATE)
        sync(self.work)


def untold(path: Path) -> list[Recovered]:
    """Return the recoveries of a database that nobody has been told of yet, oldest first.

    The runs that made them were ended before they could.
    """
    found = []
    for mark in sorted(path.parent.glob(f"{glob.escape(path.name)}.damaged-*/{_UNTOLD}")):
        with suppress(OSError, ValueError):
            found.append(_came_to(mark.parent))
    return found


def was_told(found: Recovered) -> None:
    """Take down that somebody has been told of a recovery; never fails."""
    with suppress(OSError):
        (Path(found.aside) / _UNTOLD).unlink(missing_ok=True)


def work_folder(path: Path) -> Path:
    """Return the folder that a recovery of the database works in."""
    return beside(path, ".recovering")


def begin_site(path: Path, clock: Clock) -> Site:
    """Give the damaged files a second name, all of them, and make a place to work.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    work = work_folder(path)
    shutil.rmtree(work, ignore_errors=True)
    aside = _free_name(path, clock)
    part = aside.with_name(f"{aside.name}.partial")
    for left in path.parent.glob(f"{glob.escape(path.name)}.damaged-*.partial"):
        # Second names, of files that had kept their own.
        shutil.rmtree(left, ignore_errors=True)
    part.mkdir()
    for each in (path, *journals(path)):
        if each.exists():
            _second_name(each, part / each.name)
    sync(part)
    work.mkdir()
    site = Site(path, aside)
    site._set_state("reading")
    # From here on whoever comes after a kill knows of the folder.
    part.replace(aside)
    sync(path.parent)
    return site


def left_site(path: Path) -> tuple[Site, Recovered | None] | None:
    """Return the recovery that was broken off, and what it came to if it was through.

    None where there is none. Where there is one that was not through, its damaged files are still
    complete aside.
    """
    work = work_folder(path)
    if not work.is_dir():
        return None
    try:
        said = json.loads((work / _STATE).read_text(encoding="utf-8"))
        site = Site(path, path.with_name(Path(said["aside"]).name))
        doing = said["doing"]
    except (OSError, ValueError, KeyError, TypeError):
        # Killed before the damaged files had been set aside.
        shutil.rmtree(work, ignore_errors=True)
        return None
    if not site.aside.is_dir():
        shutil.rmtree(work, ignore_errors=True)
        return None
    if doing != "replacing" or site.made.exists():
        return site, None
    try:
        return site, _came_to(site.aside)
    except (OSError, ValueError):
        return site, None


def _came_to(aside: Path) -> Recovered:
    """Return what a recovery came to, of the folder as it stands: it may have been moved."""
    found = load((aside / _REPORT).read_text(encoding="utf-8"))
    return replace(found, aside=str(aside))


def same_file(path: Path, other: Path) -> bool:
    """Return whether a file is the other by another name, or a copy of it."""
    mine, theirs = path.stat(), other.stat()
    return mine.st_ino == theirs.st_ino or (
        (mine.st_size, mine.st_mtime_ns) == (theirs.st_size, theirs.st_mtime_ns)
    )


def sync(path: Path) -> None:
    """Have a file's bytes, or a folder's names, reach the disk.

    Raises:
        OSError: They do not.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _free_name(path: Path, clock: Clock) -> Path:
    when = datetime.fromtimestamp(clock.wall_ns() // SECOND_NS, UTC)
    name = f".damaged-{when:%Y%m%d-%H%M%S}"
    aside, number = beside(path, name), 1
    while aside.exists():
        number += 1
        aside = beside(path, f"{name}-{number}")
    return aside


def _second_name(path: Path, other: Path) -> None:
    try:
        os.link(path, other)
    except OSError:
        # Not every file system has second names.
        shutil.copy2(path, other)
        sync(other)
