"""Versions and their bounds, the compiled code's cache, and memory."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from stockscan_tui.doctor.finding import Finding, fail, ok, skipped, warn
from stockscan_tui.environment import of_own_process

PACKAGE = "stockscan-tui"
SHOWN = ("textual", "duckdb", "databento", "databento-dbn", "numba", "numpy")
NEEDED_MB = 300
WANTED_MB = 600
# Longer than a cached start takes anywhere, shorter than the check may.
COMPILED_S = 4.0
_NAME = re.compile(r"([A-Za-z0-9._-]+)\s*([^;]*)")
_BOUND = re.compile(r"(>=|<|==)\s*([0-9.]+)")


def versions(
    version_of: Callable[[str], str] = metadata.version,
    requires: Callable[[str], list[str] | None] = metadata.requires,
) -> Sequence[Finding]:
    """Say which versions there are, and which are outside their bounds.

    Args:
        version_of: Returns the version of an installed distribution.
        requires: Returns what a distribution asks for.
    """
    try:
        own, wanted = version_of(PACKAGE), requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        do = "Install it: pip install stockscan-tui, or pip install -e . in its folder."
        return (warn("versions", "stockscan runs without being installed", do),)
    wrong = []
    held = {}
    for name, bounds in _required(wanted):
        try:
            held[name] = version_of(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is not there")
            continue
        if not all(_within(held[name], sign, limit) for sign, limit in bounds):
            said = ",".join(f"{sign}{limit}" for sign, limit in bounds)
            wrong.append(f"{name} is {held[name]} and has to be {said}")
    shown = [f"{name} {held[name]}" for name in SHOWN if name in held]
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    found = f"stockscan {own}, Python {platform.python_version()}, {', '.join(shown)}; {system}"
    if wrong:
        do = f"Install what it needs: {sys.executable} -m pip install --upgrade {PACKAGE}"
        return (fail("versions", f"{'; '.join(wrong)} ({found})", f"{do}."),)
    return (ok("versions", found),)


def _required(wanted: Sequence[str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for requirement in wanted:
        match = _NAME.match(requirement)
        if match is not None and "extra ==" not in requirement:
            yield match[1], [(bound[1], bound[2]) for bound in _BOUND.finditer(match[2])]


def _within(version: str, sign: str, limit: str) -> bool:
    ours, theirs = _numbers(version), _numbers(limit)
    # As many parts on both sides: 3.0 is not less than 3.
    length = max(len(ours), len(theirs))
    ours += (0,) * (length - len(ours))
    theirs += (0,) * (length - len(theirs))
    return {">=": ours >= theirs, "<": ours < theirs, "==": ours == theirs}[sign]


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def compiled(limit_s: float = COMPILED_S) -> Sequence[Finding]:
    """Load the compiled code in a process of its own, and say how long that takes."""
    command = [sys.executable, "-m", "stockscan_tui.doctor.loading"]
    wait = "A first start compiles for about 15 s and keeps what it made; after that it loads."
    try:
        done = subprocess.run(  # noqa: S603 - a module of this very program
            command,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
            env=of_own_process(),
        )
    except subprocess.TimeoutExpired:
        found = f"not loaded within {limit_s:g} s: not compiled yet, or the machine is busy"
        return (warn("compiled code", found, wait),)
    said = done.stdout.strip().splitlines()
    if done.returncode or len(said) != 3:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        do = f"Install numba anew: {sys.executable} -m pip install --force-reinstall numba."
        return (fail("compiled code", f"it cannot be loaded: {last}", do),)
    seconds, folder, misses = float(said[0]), said[1], int(said[2])
    if not folder:
        do = "Make the program's folder writable, or set NUMBA_CACHE_DIR to a folder of your own."
        found = f"it is compiled anew at each start ({seconds:.1f} s): no safe folder keeps it"
        return (warn("compiled code", found, do),)
    how = f"compiled ({misses} functions) and kept" if misses else "loaded"
    return (ok("compiled code", f"{how} in {seconds:.1f} s, in {folder}"), *_shared(Path(folder)))


def _shared(folder: Path) -> Iterator[Finding]:
    if os.name == "posix" and folder.stat().st_mode & 0o020:
        found = f"{folder} can be written by its group, and what lies there is run"
        yield warn("compiled code", found, f"Keep it to yourself: chmod g-w '{folder}'.")


def memory(available_mb: Callable[[], float | None] | None = None) -> Sequence[Finding]:
    """Say how much memory is free."""
    free_mb = (available_mb or memory_free_mb)()
    if free_mb is None:
        return (skipped("memory", "this system does not tell"),)
    found = f"{free_mb:,.0f} MB free"
    need = f"A run takes {NEEDED_MB} to {WANTED_MB} MB: close something, or take a larger machine."
    if free_mb < NEEDED_MB:
        return (fail("memory", found, need),)
    return (warn("memory", found, need),) if free_mb < WANTED_MB else (ok("memory", found),)


def memory_free_mb() -> float | None:
    """Return the memory that a process can still have, in MB; None where nothing tells."""
    found = [_of_system(), _of_group()]
    return min((mb for mb in found if mb is not None), default=None)


def _of_system() -> float | None:
    try:
        text = Path("/proc/meminfo").read_text("ascii")
        match = re.search(r"MemAvailable:\s+(\d+) kB", text)
        return int(match[1]) / 1e3 if match else None
    except (OSError, ValueError):
        return None


def _of_group() -> float | None:
    """Return what a container's limit leaves."""
    folder = Path("/sys/fs/cgroup")
    try:
        most = (folder / "memory.max").read_text("ascii").strip()
        if most == "max":
            return None
        used = int((folder / "memory.current").read_text("ascii"))
        kept = re.search(r"^inactive_file (\d+)", (folder / "memory.stat").read_text("ascii"), re.M)
        return (int(most) - used + (int(kept[1]) if kept else 0)) / 1e6
    except (OSError, ValueError):
        return None
