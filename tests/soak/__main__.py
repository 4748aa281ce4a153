"""A simulated week against the real program, with faults all the time; by hand.

    python -m tests.soak --sessions 5 --symbols 12000 --speed 300 --faults-every 20m --seed 1 \
        --json OUT

Exit status 1: a bar, a verdict, an alert or a gap is not as it should be, or something grew.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.soak.tape import Material
from tests.soak.trend import failings, figures, slope_kb, table
from tests.soak.week import Outcome, Plan, Week, compare, wrongs

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def main() -> int:
    """Play a week; returns the exit status."""
    given = _given()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    restarts = max(0, given.sessions - 3) if given.restarts is None else given.restarts
    plan = Plan(
        folder=folder,
        material=Material(given.sessions, given.symbols, given.records, given.seed),
        tapes=given.tapes,
        speed=given.speed,
        faults_every_s=given.faults_every,
        restarts=restarts,
        screen=given.screen,
        keys_every_s=given.keys_every,
        night_s=given.night,
        tape_volume=given.tape_volume,
        say=_say,
    )
    _say(f"in {folder}")
    outcome = Week(plan).play()
    found = compare(outcome)
    said = wrongs(outcome, found) + failings(outcome.samples)
    _tell(outcome, found, said)
    if given.json is not None:
        given.json.write_text(json.dumps(_all_of(outcome, found, said), indent=1), "utf-8")
    return 1 if said else 0


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    add = parser.add_argument
    add("--sessions", type=int, default=5)
    add("--symbols", type=int, default=12_000)
    add("--records", type=int, default=4_000_000, help="of each session")
    add("--speed", type=float, default=300.0, help="event seconds per second")
    add("--faults-every", type=_seconds, default=1200.0, help="of event time, after a recovery")
    add("--seed", type=int, default=1)
    add("--restarts", type=int, help="in how many sessions, the first ones (default: all but 3)")
    add("--night", type=float, default=8.0, help="how many seconds a night takes")
    add("--screen", action="store_true", help="with the screen on, in a terminal, keys pressed")
    add("--keys-every", type=float, default=1.0, metavar="SECONDS")
    add("--tape-volume", action=argparse.BooleanOptionalAction, default=True)
    add("--folder", type=Path, help="where all of it stands; where it is small, it is filled up")
    add("--tapes", type=Path, help="where tapes are kept for the next time")
    add("--json", type=Path, help="write all figures there")
    return parser.parse_args()


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d+[smh]", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no time as in 5m")
    return int(text[:-1]) * _UNITS[text[-1]]


def _say(said: str) -> None:
    sys.stderr.write(f"{said}\n")


def _tell(outcome: Outcome, found: dict[str, Any], said: list[str]) -> None:
    slope, mean = slope_kb(outcome.samples)
    recoveries = sorted(done.recovery_s for done in outcome.faults)
    dealt = Counter(done.name for done in outcome.faults)
    lines = [
        table(figures(outcome.samples)),
        f"resident memory: {slope / 1e3:+.2f} MB a session, of {mean / 1e3:.0f} MB",
        f"faults: {len(outcome.faults)} {dict(dealt)}",
        f"recovered in {recoveries[len(recoveries) // 2]:.0f} s, at most {recoveries[-1]:.0f} s"
        if recoveries
        else "",
        f"bars: {found['equal']:,} of {found['expected']:,} equal, by source {found['by_source']}",
        f"missing {found['missing']}, surplus {found['surplus']}, differing {found['differing']}, "
        f"miscounted {found['miscounted']}",
        f"verdicts: {found['coverage_rows']:,} rows, {found['coverage_uneven']} do not add up",
        f"gaps: {found['gaps']}, healed {found['healed']}",
        f"alerts: {found['alerts']:,} stored, {found['alerts_twice']} twice; {outcome.alerts:,} "
        f"told, {outcome.told_twice} twice, {outcome.told_again} again after a kill",
        f"keys pressed: {outcome.keys}; {outcome.took_s:.0f} s in all",
        *(f"WRONG: {each}" for each in said),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _all_of(outcome: Outcome, found: dict[str, Any], said: list[str]) -> dict[str, Any]:
    slope, mean = slope_kb(outcome.samples)
    whole = asdict(outcome) | {
        "tape": str(outcome.tape),
        "database": str(outcome.database),
        "sessions": [asdict(row) for row in figures(outcome.samples)],
        "slope_kb": slope,
        "mean_kb": mean,
        "found": found,
        "wrong": said,
    }
    plain: dict[str, Any] = _plain(whole)
    return plain


def _plain(value: Any) -> Any:
    """Return the value as JSON can hold it: what is no number is null."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value


if __name__ == "__main__":
    sys.exit(main())
