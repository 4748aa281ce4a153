"""Runs the harness: `python -m tests.fuzz dbn|gateway|expression|files|keys|all --cases N`.

Each part runs in a process of its own, so that one that dies or hangs is a finding, too.
"""

from __future__ import annotations

import argparse
import math
import os
import queue
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from tests.fuzz import compiled
from tests.fuzz.part import Part, Tally, explore, faults_of, keep_finding

GROUPS = ("dbn", "gateway", "expression", "files", "keys")
SILENT_S = 900.0
MEMORY_BYTES = 12 << 30
_ROOT = Path(__file__).resolve().parents[2]


def parts_of(group: str) -> tuple[str, ...]:
    """Return the names of a group's parts."""
    if group == "dbn":
        return (compiled.NAME, "sift", "tape", "control", "frames", "state", "dbn-file", "play")
    if group == "files":
        return ("config", "variables", "rules", "watchlist", "symbols", "closes", "key", "kept")
    return ("gateway", "client", "http") if group == "gateway" else (group,)


def part_named(name: str) -> Part:
    """Return a part; only what it needs is imported."""
    from tests.fuzz import expression, gateway, http, keys, records, texts

    every = (records, texts, gateway, http, expression, keys)
    parts: list[Part] = [part for module in every for part in module.PARTS]
    return next(part for part in parts if part.name == name)


@dataclass(frozen=True)
class Result:
    """What came of one part."""

    name: str
    cases: int = 0
    behaviours: int = 0
    findings: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.cases:,} cases in {self.seconds:,.0f} s, "
            f"{self.behaviours:,} behaviours, {self.findings} findings"
        )


def _say(tally: Tally) -> None:
    print("\t", tally.cases, tally.behaviours, len(tally.findings), flush=True)


def _work(given: argparse.Namespace) -> int:
    """Run one part in this process, within its limit of memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    findings, current = given.findings, given.findings / f"{given.part}.current"
    if given.part == compiled.NAME:
        tally = compiled.explore(
            given.cases, given.seed, findings, current, _say, most_s=given.seconds
        )
    else:
        part = part_named(given.part)
        with TemporaryDirectory() as folder:
            part.setup(Path(folder))
            tally = explore(
                part, given.cases, given.seed, findings, current.write_bytes, _say, given.seconds
            )
    _say(tally)
    for place, path in tally.findings.items():
        print(f"FINDING {path}: {place}", flush=True)
    current.unlink(missing_ok=True)
    sys.stdout.flush()
    # Threads that a hostile peer left behind must not keep the process.
    os._exit(0)


def _run_part(name: str, cases: int, given: argparse.Namespace) -> Result:
    """Run one part in a process of its own, and watch it."""
    command = [sys.executable, "-m", "tests.fuzz", "--part", name, "--cases", str(cases)]
    command += ["--seed", str(given.seed), "--findings", str(given.findings)]
    command += ["--seconds", str(given.seconds)]
    environment = dict(os.environ)
    if given.bounds:
        cache = given.findings / "bounds-cache"
        environment |= {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(cache)}
    begin = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT, env=environment)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(child, lines), daemon=True).start()
    counts, over, told = [0, 0, 0], "", begin
    while True:
        try:
            line = lines.get(timeout=SILENT_S)
        except queue.Empty:
            child.kill()
            over = f"nothing was heard of it for {SILENT_S:.0f} s"
            break
        if not line:
            break
        if line.startswith("\t"):
            counts = [int(word) for word in line.split()]
        else:
            print(line.rstrip(), flush=True)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            print(f"  {name}: {counts[0]:,} cases, {told - begin:.0f} s", flush=True)
    status = child.wait()
    if status and not over:
        over = f"it ended with status {status}"
    if over:
        case = given.findings / f"{name}.current"
        kept = keep_finding(given.findings, name, case.read_bytes() if case.exists() else b"", over)
        print(f"FINDING {kept}: {over}", flush=True)
        counts[2] += 1
    return Result(name, counts[0], counts[1], counts[2], time.monotonic() - begin)


def _read(child: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    if child.stdout is not None:
        for line in child.stdout:
            lines.put(line)
    lines.put("")


def _repeat(path: Path) -> int:
    name = path.name.rpartition("-")[0]
    case = path.read_bytes()
    if name == compiled.NAME:
        fault = compiled.fault_of(case)
    else:
        part = part_named(name)
        with TemporaryDirectory() as folder:
            part.setup(Path(folder))
            fault = faults_of(part, case)
    print(fault or "nothing is wrong with it")
    sys.stdout.flush()
    os._exit(1 if fault else 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; the status is 1 where anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("group", nargs="?", choices=(*GROUPS, "all"), default="all")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=math.inf, help="of a part, at most")
    parser.add_argument("--bounds", action="store_true", help="compile with checks of bounds")
    parser.add_argument("--part", help="one part alone, in this process")
    parser.add_argument("--only", help="one part of the group, at the share of one")
    parser.add_argument("--repeat", type=Path, help="a finding's file")
    parser.add_argument("--findings", type=Path, default=Path(gettempdir()) / "stockscan-fuzz")
    given = parser.parse_args(arguments)
    if given.repeat is not None:
        return _repeat(given.repeat)
    given.findings.mkdir(parents=True, exist_ok=True)
    if given.part:
        return _work(given)
    groups = GROUPS if given.group == "all" else (given.group,)
    names = (given.only,) if given.only else [name for group in groups for name in parts_of(group)]
    results = []
    for name in names:
        share = 1.0 if name == compiled.NAME or given.only else part_named(name).share
        results.append(_run_part(name, max(int(given.cases * share), 20), given))
        print(results[-1], flush=True)
    total = [
        sum(getattr(r, field) for r in results) for field in ("cases", "behaviours", "findings")
    ]
    seconds = sum(result.seconds for result in results)
    print(
        f"{total[0]:,} cases in {seconds:,.0f} s, {total[1]:,} new behaviours, {total[2]} findings"
        f" in {given.findings}" * bool(total[2])
        if total[2]
        else f"{total[0]:,} cases in {seconds:,.0f} s, {total[1]:,} new behaviours, no findings"
    )
    return 1 if total[2] else 0


if __name__ == "__main__":
    sys.exit(main())
