"""Makes a database that is damaged one that a run can go on with, and says what became of it.

Called under the hold on the database, before anything opens it. The damaged files are set aside,
complete, and only read from then on; a process of its own reads them (`recovery_child`), the copy
beside the database fills in, and the database that was made takes the damaged one's place at once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from stockscan_tui.clock import Clock, SystemClock
from stockscan_tui.errors import StoreError
from stockscan_tui.log import LOG
from stockscan_tui.market.calendar import SECOND_NS, new_york_time
from stockscan_tui.market.text import printable
from stockscan_tui.store.recovery_files import (
    Site,
    begin_site,
    forget_damage,
    journals,
    left_site,
    noted_damage,
    same_file,
)
from stockscan_tui.store.recovery_process import CancelledError, DiedError, run_task
from stockscan_tui.store.recovery_report import UNKNOWN, Affected, Recovered, TableRows, ordered
from stockscan_tui.store.snapshot_file import snapshot_path

_SPARE_BYTES = 50_000_000
_JOURNAL = {
    "cut": "Its journal was read up to the damage: what was written last, after {}, is gone.",
    "lost": "Its journal could not be read: what was written last, after {}, is gone.",
}


@dataclass(frozen=True, slots=True)
class Recovering:
    """How a run has its database recovered.

    Attributes:
        say: Told what is being done, and how far it is from 0 to 1.
        cancelled: Whether to break off; everything is then as it was.
        refetched: The session date that the run fetches anew where it begins anew; None for none.
        clock: Wall time.
        run: The number of the run that goes on in the midst of capturing; 0 at a start.
        until_ns: The newest minute that it had handed over, in ns since 1970.
    """

    say: Callable[[str, float | None], None] = lambda _said, _done: None
    cancelled: Callable[[], bool] = lambda: False
    refetched: date | None = None
    clock: Clock = field(default_factory=SystemClock)
    run: int = 0
    until_ns: int = 0


def look_after(path: Path, dataset: str, how: Recovering, *, unclean: bool) -> Recovered | None:
    """Recover the database at `path` if there is reason to think that it is damaged.

    There is where a run left word, where the last one was killed, where a journal is there, and
    where a recovery was broken off. None where nothing had to be done.

    Args:
        path: The database; this process holds it, and nothing has it open.
        dataset: What the run brings.
        how: How to go about it.
        unclean: Whether the last run ended without giving the database up.

    Raises:
        StoreError: It was broken off, or the disk does not let it be done. The damaged files are
            as they were.
    """
    left = left_site(path)
    if left is not None:
        site, found = left
        if found is not None:
            site.finish()
            return found
        if path.exists() and site.source.exists() and not same_file(path, site.source):
            # Somebody has put another database in its place meanwhile.
            site.clear()
        else:
            cause = noted_damage(path) or "its recovery was broken off"
            return _recover(site, dataset, cause, how, sure=True)
    noted = noted_damage(path)
    if not (noted or unclean or journals(path)):
        return None
    if not path.exists() and not journals(path):
        forget_damage(path)
        return None
    seen = _probe(path, how)
    if not seen["ours"] or not (seen["damage"] or noted):
        return None
    return recover(path, dataset, seen["damage"] or noted, how, sure=bool(seen["damage"]))


def recover(
    path: Path, dataset: str, cause: str, how: Recovering, *, sure: bool = True
) -> Recovered | None:
    """Recover the database at `path`, of which something is damaged.

    Args:
        path: The database; this process holds it, and nothing has it open.
        dataset: What the run brings.
        cause: What is wrong, without a full stop.
        how: How to go about it.
        sure: Whether it is damaged for certain; otherwise nothing is done, and None returned,
            where all of it can be read.

    Raises:
        StoreError: It was broken off, or the disk does not let it be done. The damaged files are
            as they were.
    """
    short = _lacking_room(path)
    if short:
        if sure:
            raise _refused(path, short)
        LOG.warning("the database %s may be damaged: %s", printable(path), short)
        return None
    try:
        site = begin_site(path, how.clock)
    except OSError as error:
        raise _refused(path, str(error)) from error
    return _recover(site, dataset, cause, how, sure=sure)


def _recover(
    site: Site, dataset: str, cause: str, how: Recovering, *, sure: bool
) -> Recovered | None:
    began_ns = how.clock.now_ns()
    path = site.path
    LOG.warning("the database %s is damaged: %s", printable(path), printable(cause))
    how.say("database damaged: recovering", 0.0)
    try:
        made = _make(site, dataset, how)
        if not sure and not made["unread"] and made["read"]["journal"] in ("whole", "none"):
            LOG.info("the database %s proved whole", printable(path))
            forget_damage(path)
            site.undo()
            return None
        seconds = (how.clock.now_ns() - began_ns) / SECOND_NS
        found = _report(site, cause.rstrip("."), made, seconds)
        site.replace(found)
    except (StoreError, OSError) as error:
        site.undo()
        raise _refused(path, str(error)) from error
    except BaseException:
        site.undo()
        raise
    for line in found.lines():
        LOG.warning("%s", line)
    return found


def _make(site: Site, dataset: str, how: Recovering) -> dict[str, Any]:
    """Make the recovered database; returns what `settle` said, with `read` and `base`."""

    def tell(done: float) -> None:
        how.say("database damaged: recovering", done)

    copy = snapshot_path(site.path)
    job: dict[str, Any] = {
        "source": str(site.source),
        "copy": str(copy) if copy.exists() else "",
        "made": str(site.made),
        "work": str(site.work),
        "dataset": dataset,
    }
    read, base = {"readable": False, "journal": ""}, "damaged"
    _remove_made(site)
    try:
        read = run_task("read", job, progress=tell, cancelled=how.cancelled)
    except DiedError as error:
        LOG.warning("nothing of it can be read: %s", error)
    if not read["readable"] and copy.exists():
        _remove_made(site)
        base = "copy"
        copy_job = {**job, "source": str(copy), "copy": ""}
        try:
            read = run_task("read", copy_job, progress=tell, cancelled=how.cancelled)
        except CancelledError:
            raise
        except StoreError as error:
            LOG.warning("nothing of the copy can be read: %s", error)
    settle = {
        "made": str(site.made),
        "copy": str(copy) if copy.exists() else "",
        "base": base,
        "refetched": str(how.refetched) if how.refetched is not None else "",
        "run": how.run,
        "until_ns": how.until_ns if read["journal"] in ("cut", "lost") or base == "copy" else 0,
    }
    if not read["readable"]:
        # A database without anything, made by the same way.
        _remove_made(site)
        nothing = {**job, "source": str(site.work / "nothing")}
        run_task("read", nothing, cancelled=how.cancelled)
    try:
        made = run_task("settle", settle, cancelled=how.cancelled)
    except DiedError:
        made = run_task("settle", {**settle, "copy": ""}, cancelled=how.cancelled)
    made["base"] = base if read["readable"] else ""
    made["read"] = read
    return made


def _report(site: Site, cause: str, made: dict[str, Any], seconds: float) -> Recovered:
    tables = [TableRows(*each) for each in made["tables"]]
    affected = tuple(
        Affected(**{**each, "session_date": date.fromisoformat(each["session_date"])})
        for each in made["affected"]
    )
    notes = list(made["notes"])
    if made["base"] == "damaged":
        words = _JOURNAL.get(made["read"]["journal"])
        notes += [words.format(_when(made["newest_us"]))] if words else []
    else:
        tables = [replace(t, lost=UNKNOWN if t.table == "bars" else t.lost) for t in tables]
        notes.append(_from_copy(site.path, made) if made["base"] else _from_nothing(site))
    return Recovered(
        database=str(site.path),
        cause=cause,
        aside=str(site.aside),
        seconds=round(seconds, 3),
        tables=ordered(tables),
        affected=affected,
        notes=tuple(notes),
        resumed=bool(made["resumed"]),
    )


def _from_copy(path: Path, made: dict[str, Any]) -> str:
    return (
        f"The copy {printable(snapshot_path(path).name)} took its place: it has everything up to "
        f"{_when(made['newest_us'])}. What was captured after that is gone from the database."
    )


def _when(newest_us: int) -> str:
    """Return the minute of the newest bar in words."""
    if not newest_us:
        return "its beginning"
    return f"{new_york_time(newest_us * 1000):%Y-%m-%d %H:%M} New York"


def _from_nothing(site: Site) -> str:
    what = "Nothing of it could be read" if site.source.exists() else "Only its journal was there"
    return f"{what}, and there was no copy of it: the database begins anew."


def _probe(path: Path, how: Recovering) -> dict[str, Any]:
    copy = snapshot_path(path)
    job = {"path": str(path), "copy": str(copy) if copy.exists() else ""}
    try:
        return run_task("probe", job, cancelled=how.cancelled)
    except DiedError:
        return {"ours": True, "damage": "a process that opens it dies of it"}
    except CancelledError as error:
        raise _refused(path, str(error)) from error


def _lacking_room(path: Path) -> str:
    """Return why the disk has no room for the recovered database, empty where it has."""
    size = path.stat().st_size if path.exists() else 0
    free = shutil.disk_usage(path.parent).free
    if free > size + size // 8 + _SPARE_BYTES:
        return ""
    return f"the disk has {free / 1e6:,.0f} MB left, and that takes {size / 1e6:,.0f}"


def _remove_made(site: Site) -> None:
    for each in (site.made, *journals(site.made)):
        each.unlink(missing_ok=True)


def _refused(path: Path, why: str) -> StoreError:
    return StoreError(
        f"The database {printable(path)} is damaged, and was not recovered: "
        f"{printable(why).rstrip('.')}. Its files are as they were; run this again, or name "
        "another file with --db."
    )
