"""Disks and the database."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from stockscan_tui.doctor.database_child import Reading
from stockscan_tui.doctor.finding import Finding, fail, ok, skipped, warn
from stockscan_tui.errors import StoreError
from stockscan_tui.market.calendar import new_york_time
from stockscan_tui.store.checkup import Condition, Owner
from stockscan_tui.store.schema import SCHEMA_VERSION

LEAST_FREE = 1_000_000_000
FEW_DAYS = 14
SLOW_S = 1.0
# A journal grows to 16 MB before it is worked in; one much larger was left behind.
LARGE_JOURNAL = 200_000_000
OLD_COPY_S = 3_600.0
_RECENT = 5
_REMOTE = frozenset({"nfs", "nfs3", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre",
                     "glusterfs", "fuse.sshfs", "fuse.glusterfs", "fuse.rclone", "gpfs",
                     "virtiofs"})  # fmt: skip
_MOUNTS = Path("/proc/self/mountinfo")


def disk(
    name: str,
    folder: Path,
    per_day: Callable[[], int] = lambda: 0,
    free_of: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    mounts: Path = _MOUNTS,
) -> Sequence[Finding]:
    """Say how much room a folder has, for how long that lasts, and whether it keeps what it gets.

    Args:
        name: What lives there.
        folder: The folder; it need not be there, and is not made.
        per_day: Bytes that a session adds, 0 where that is not known.
        free_of: Returns the bytes that are free where a path is.
        mounts: The system's table of file systems.
    """
    name = f"disk: {name}"
    there = _nearest(folder)
    free, daily = free_of(there), per_day()
    days = free // daily if daily else None
    found = f"{folder}: {_size(free)} free"
    if daily and days is not None:
        found += f", at {_size(daily)} a session full in {_days(days)}"
    elif there != folder:
        found += " (not there yet)"
    findings = [_room(name, found, free, days), *_kept(name, there)]
    if os.name == "posix" and there == folder and there.stat().st_mode & 0o002:
        do = f"Keep it to yourself: chmod o-w '{folder}', or name another place (--db)."
        findings.append(warn(name, f"every user of this machine can write {folder}", do))
    kind = remote(there, mounts)
    if kind:
        do = "Keep the database on a disk of this machine (--db): locks and fsync fail elsewhere."
        findings.append(warn(name, f"{folder} is on a network file system ({kind})", do))
    return findings


def _room(name: str, found: str, free: int, days: int | None) -> Finding:
    do = "Free some space, or keep less: keep_bars and keep_recordings in config.toml."
    if free < LEAST_FREE:
        return fail(name, found, do)
    return warn(name, found, do) if days is not None and days < FEW_DAYS else ok(name, found)


def _kept(name: str, folder: Path) -> Sequence[Finding]:
    """Write, keep, rename and remove a small file in a folder."""
    first = folder / f".stockscan-{secrets.token_hex(8)}"
    second = first.with_suffix(".renamed")
    began_s = time.monotonic()
    try:
        number = os.open(first, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(bytes(65_536))
            file.flush()
            os.fsync(file.fileno())
        first.replace(second)
    except OSError as error:
        found = f"{folder} cannot be written: {error.strerror}"
        return (fail(name, found, "Make it writable for you, or name another place (--db)."),)
    finally:
        for left in (first, second):
            with suppress(OSError):
                left.unlink(missing_ok=True)
    took_s = time.monotonic() - began_s
    if took_s > SLOW_S:
        found = f"{folder} took {took_s:.1f} s to keep 64 KB"
        return (warn(name, found, "Use another disk: each save waits for it."),)
    return ()


def remote(folder: Path, mounts: Path = _MOUNTS) -> str:
    """Return the kind of network file system that a folder is on, empty for none or not known."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
        real = Path(os.path.realpath(folder))
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        before, dash, after = line.partition(" - ")
        parts = before.split(" ")
        if not dash or len(parts) < 5:
            continue
        place = Path(parts[4].replace("\\040", " "))
        if len(place.parts) >= best and (place == real or place in real.parents):
            best, kind = len(place.parts), after.split(" ")[0]
    return kind if kind in _REMOTE else ""


def per_session(reading: Reading) -> int:
    """Return the bytes that a session adds to a database, 0 where that is not known."""
    try:
        condition = reading.condition()
    except StoreError:
        return 0
    if condition is None or not condition.session_dates:
        return 0
    return condition.size // len(condition.session_dates)


def per_recording(folder: Path) -> int:
    """Return the bytes of a day's recording, of the last ones; 0 where there are none."""
    try:
        files = sorted(folder.glob("*.dbn*"), key=lambda path: path.name)
        sizes = [path.stat().st_size for path in files[-_RECENT:]]
    except OSError:
        return 0
    return sum(sizes) // len(sizes) if sizes else 0


def _nearest(folder: Path) -> Path:
    folder = folder.expanduser().absolute()
    return next(path for path in (folder, *folder.parents) if path.is_dir())


# --- the database ---------------------------------------------------------------------------------


def database(path: Path, reading: Reading) -> Sequence[Finding]:
    """Say how the database is, from outside and by what it tells of itself."""
    name = "database"
    try:
        found = reading.condition()
    except StoreError as error:
        happened, _, do = str(error).partition(". ")
        return (fail(name, happened, do or "Name another file with --db."),)
    if found is None:
        return (ok(name, f"{path} is not there: the first run makes it"),)
    findings = [_opened(name, path, found)] if found.size or found.journal else []
    if found.journal > LARGE_JOURNAL and found.held is None:
        do = "Let a run begin and end once: it works the journal into the database."
        findings.append(warn(name, f"its journal has {_size(found.journal)}", do))
    if found.held is not None and found.copy_age_s is not None and found.copy_age_s > OLD_COPY_S:
        said = f"its copy for other programs is {found.copy_age_s / 3600:.0f} h old"
        do = "See `h` in the instance that captures, or its log, for why there is no new one."
        findings.append(warn(name, said, do))
    if found.aside:
        do = "Remove them when nothing in them is wanted any more."
        said = f"damaged files were moved aside: {', '.join(found.aside)}"
        findings.append(warn(name, said, do))
    return findings


def _opened(name: str, path: Path, found: Condition) -> Finding:
    journal = f", journal {_size(found.journal)}" if found.journal else ""
    outside = f"{path}: {_size(found.size)}{journal}"
    who = f"; held by {_who(found.held)}" if found.held is not None else ""
    if found.held is not None and not found.readable:
        return ok(name, f"{outside}{who}, and no copy of it yet")
    if found.outdated:
        do = f"Start a run with it once (--db): that brings it to step {SCHEMA_VERSION}."
        return warn(name, f"{outside}; schema step {found.step}", do)
    dates = found.session_dates
    span = "no session yet"
    if dates:
        many = f"{dates[0]} to {dates[-1]}, {len(dates)} sessions"
        span = str(dates[0]) if len(dates) == 1 else many
    newest = ""
    if found.newest_ns:
        newest = f", last minute {new_york_time(found.newest_ns):%Y-%m-%d %H:%M} New York"
    age = f"; copy of {found.copy_age_s:.0f} s ago" if found.copy_age_s is not None else ""
    inside = f"{found.dataset}, schema step {found.step}, {span}{newest}"
    return ok(name, f"{outside}; {inside}{who}{age}")


def _who(owner: Owner) -> str:
    if not owner.pid:
        return "another process"
    return f"'{owner.command}' (PID {owner.pid})"


def blocks(
    reading: Reading,
    progress: Callable[[float], None],
    clock: Callable[[], float] = time.monotonic,
) -> Sequence[Finding]:
    """Read the whole database once.

    Args:
        reading: Reads it.
        progress: Told how far it is, from 0 to 1.
        clock: Seconds.
    """
    name = "database blocks"
    try:
        condition = reading.condition()
    except StoreError:
        return (skipped(name, "it cannot be opened: see `database`"),)
    if condition is None or not condition.readable:
        return (skipped(name, "there is nothing that could be read"),)
    began_s = clock()
    try:
        rows, _whole = reading.rest(progress)
    except StoreError as error:
        do = "Stop what runs and start a run: it recovers what can be read, and says what is lost."
        return (fail(name, str(error), do),)
    where = " of the copy" if condition.held is not None else ""
    return (ok(name, f"all {rows:,} rows{where} read in {clock() - began_s:.1f} s"),)


def _size(count: int) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.0f} KB"


def _days(days: int) -> str:
    if days > 3650:
        return "over ten years"
    return f"{days:,} session{'s' * (days != 1)}"
