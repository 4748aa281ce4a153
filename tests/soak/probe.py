"""What a process and its files come to, read from outside."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Vital:
    """A process as /proc shows it: kB, counts, and seconds of processor so far."""

    rss_kb: int
    pss_kb: int
    fds: int
    threads: int
    cpu_s: float


def look(pid: int) -> Vital | None:
    """Return how a process stands, None where there is none of that number any more."""
    folder = Path("/proc") / str(pid)
    try:
        fields = (folder / "stat").read_text("ascii").rpartition(")")[2].split()
        memory = _table(folder / "smaps_rollup")
        return Vital(
            rss_kb=memory["Rss"],
            pss_kb=memory["Pss"],
            fds=len(os.listdir(folder / "fd")),  # noqa: PTH208 - the names alone
            threads=int(fields[17]),
            cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS,
        )
    except (OSError, KeyError):
        return None


def size_of(*paths: Path) -> int:
    """Return the bytes of files and of all that is in folders; what is not there has none."""
    total = 0
    for path in paths:
        inside = path.rglob("*") if path.is_dir() else [path]
        for each in inside:
            try:
                total += each.stat().st_size if not each.is_dir() else 0
            except OSError:
                continue
    return total


def _table(path: Path) -> dict[str, int]:
    lines = path.read_text("ascii").splitlines()[1:]
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
