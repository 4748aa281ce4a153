"""Opens a database to be read: itself where nobody writes it, else the copy that its writer makes.

The file that an instance writes is never opened.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stockscan_tui.clock import Clock
from stockscan_tui.errors import StoreHeldError
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.text import printable
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.snapshot_file import partial_path, request_path, snapshot_path

# How long a copy is waited for where there is an older one, and where there is none.
FRESH_S = 8.0
FIRST_S = 60.0
# So long an instance takes at most to see that it is asked.
SEEN_S = 4.0
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Stored:
    """A database that can be read.

    Attributes:
        reader: Reads it; for the caller to release.
        age_s: How old a copy it is, in seconds; None for the database itself.
    """

    reader: Reader
    age_s: float | None = None


def open_stored(path: Path, clock: Clock, say: Callable[[str], None]) -> Stored:
    """Open the database at `path`, or a copy of it that is as new as can be had.

    Args:
        path: The database.
        clock: Wall time, for how long is waited.
        say: Told what is waited for, and how old a copy is.

    Raises:
        StoreHeldError: Another instance holds the database and makes no copy of it.
        StoreError: There is none, or it cannot be read.
    """
    path = path.expanduser().absolute()
    try:
        return Stored(Reader.open(path))
    except StoreHeldError as held:
        copy = snapshot_path(path)
        fresh = _ask(path, clock, say)
        if not copy.exists():
            # It may have ended meanwhile, and taken its copy with it.
            with suppress(StoreHeldError):
                return Stored(Reader.open(path))
            raise StoreHeldError(f"{held} It made no copy to read from, either.") from held
        age_s = max(0.0, (clock.wall_ns() - copy.stat().st_mtime_ns) / SECOND_NS)
        if not fresh:
            say(f"No answer; this is the copy of {_ago(age_s)} ago: {printable(copy)}")
        return Stored(Reader.open(copy, may_be_held=False), age_s)


def _ask(path: Path, clock: Clock, say: Callable[[str], None]) -> bool:
    """Ask the instance that holds a database for a new copy; returns whether it has come."""
    request, copy, partial = request_path(path), snapshot_path(path), partial_path(path)
    try:
        request.touch()
        asked_ns = request.stat().st_mtime_ns
    except FileNotFoundError:
        # Seen between the two.
        asked_ns = 0
    except OSError as error:
        say(f"A new copy cannot be asked for: {error.strerror}")
        return False
    say("The database is being captured to; waiting for a copy …")
    began_ns = clock.now_ns()
    limit_s = FRESH_S if copy.exists() else FIRST_S
    nobody = threading.Event()
    while (waited_s := (clock.now_ns() - began_ns) / SECOND_NS) < limit_s:
        seen = not request.exists()
        if seen and _made_ns(copy) > asked_ns:
            return True
        if waited_s > SEEN_S and not seen and not partial.exists():
            break
        clock.wait(nobody, _LOOK_S)
    with suppress(OSError):
        request.unlink(missing_ok=True)
    return False


def _made_ns(copy: Path) -> int:
    try:
        return copy.stat().st_mtime_ns
    except OSError:
        return 0


def _ago(age_s: float) -> str:
    if age_s < 120:
        return f"{age_s:.0f} s"
    return f"{age_s / 60:.0f} min" if age_s < 7200 else f"{age_s / 3600:.0f} h"
