"""A simulated week: the real gateway, the real program, faults all the time, and samples."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, Session, new_york_time
from stockscan_tui.scan.rules.library import LIBRARY
from stockscan_tui.sim.history import HistoryStub
from tests.playing import weekdays
from tests.soak.faults import FAULTS, Deal, faults_for
from tests.soak.probe import Vital, look, size_of
from tests.soak.program import Headless, Line, OnScreen, Program
from tests.soak.served import HOST, ROOT, Served, Told
from tests.soak.tape import Material, tables_of, tape_of
from tests.soak.trend import Sample

HEARTBEAT_S = 1.0
RECOVERY_S = 180.0
# Without a screen its health tells when it has recovered; with one it is given so long.
SCREEN_RECOVERY_S = 12.0
AT_REST = ("live", "silent")
_AFTER_NS = 40 * MINUTE_NS


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done: seconds are wall seconds, but for `faults_every_s`, which is event time.

    `tapes` is where tapes are kept for the next time. `restarts` is in how many sessions, the first
    ones, the program is ended and started anew. `deals` are the faults, one after the other; none
    has them dealt at random.
    """

    folder: Path
    material: Material
    tapes: Path | None
    speed: float
    faults_every_s: float
    restarts: int = 0
    screen: bool = False
    keys_every_s: float = 1.0
    night_s: float = 8.0
    sample_s: float = 2.0
    save_s: float = 5.0
    deals: tuple[str, ...] = ()
    tape_volume: bool = True
    say: Callable[[str], None] = lambda _said: None


@dataclass(slots=True)
class Done:
    """One fault that was dealt, and how long until all was well again; NaN for never."""

    event_ns: int
    name: str
    recovery_s: float


@dataclass(slots=True)
class Outcome:
    """What a week came to."""

    tape: Path
    database: Path
    samples: list[Sample] = field(default_factory=list)
    faults: list[Done] = field(default_factory=list)
    summaries: list[Line] = field(default_factory=list)
    alerts: int = 0
    told_twice: int = 0
    told_again: int = 0
    statuses: list[int] = field(default_factory=list)
    keys: int = 0
    problems: list[str] = field(default_factory=list)
    took_s: float = 0.0


class Week:
    """One run; `play` does all of it.

    Args:
        plan: What is done.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.folder = plan.folder
        self._chance = random.Random(f"week {plan.material.seed}")
        self._days = [weekdays().day(day) for day in plan.material.days]
        self._environment = _environment(plan.folder)
        _write_settings(plan.folder)
        tape = tape_of(plan.material, _made(plan.tapes or plan.folder / "tapes"))
        self.outcome = Outcome(tape, plan.folder / "live.duckdb")
        self.history = HistoryStub(tables_of(plan.material, tape))
        self._gateway: Served
        self._program: Program
        self._lock = threading.Lock()
        self._line: Line | None = None
        self._line_s = self._line_lag_ms = math.nan
        self._sampled_s = math.nan
        self._told: dict[tuple[str, str, int], int] = {}
        self._life = 0
        self._killed = False
        self._began_s = time.monotonic()

    # --- what faults are done to ------------------------------------------------------------------

    @property
    def gateway(self) -> Served:
        """The gateway that serves now."""
        return self._gateway

    @property
    def program(self) -> Program:
        """The program's present life."""
        return self._program

    def renew_gateway(self) -> None:
        """Kill the gateway and start it anew, its clock where it would be."""
        now_ns, port = self._gateway.now_ns(), self._gateway.port
        self._gateway.kill()
        # Never before what it had sent, of which the program may have read a part only.
        self._gateway = self._serve(now_ns + int(self._plan.speed * SECOND_NS), port)

    def renew_program(self, number: int) -> None:
        """End the program by a signal and start it anew."""
        status = self._program.end(number)
        self._killed = number == signal.SIGKILL
        if status != (-number if self._killed else 0):
            self.outcome.problems.append(f"Signal {number} ended it with the status {status}.")
        self._life += 1
        self._program = self._start()

    # --- the run ----------------------------------------------------------------------------------

    def play(self) -> Outcome:
        """Play the whole week; returns what it came to."""
        outcome = self.outcome
        with self.history:
            self._gateway = self._serve(self._days[0].start_ns, 0)
            self._program = self._start()
            try:
                self._go_through()
                outcome.statuses.append(self._program.end(signal.SIGTERM))
            finally:
                if self._program.running():
                    self._program.end(signal.SIGKILL)
                self._gateway.close()
        if isinstance(self._program, OnScreen):
            outcome.keys = self._program.keys
            if outcome.statuses[-1:] != [0]:
                outcome.problems.append(self._program.last_words())
        if outcome.statuses[-1:] != [0]:
            outcome.problems.append(f"It ended with the status {outcome.statuses}.")
        outcome.alerts = len(self._told)
        outcome.took_s = time.monotonic() - self._began_s
        return outcome

    def _go_through(self) -> None:
        plan = self._plan
        deals, renewals = faults_for(self.folder), self._renewals()
        fault_ns = self._days[0].pre_ns + int(plan.faults_every_s * SECOND_NS)
        end_ns = self._days[-1].post_end_ns + _AFTER_NS
        while (now_ns := self._look()) < end_ns:
            if not self._program.running():
                raise RuntimeError(f"The program ended by itself; see {self.folder / 'errors.txt'}")
            if renewals and now_ns >= renewals[0][0]:
                self._deal(renewals.pop(0)[1], now_ns)
            elif now_ns >= fault_ns and (deal := self._next_deal(deals)) is not None:
                self._deal(deal, now_ns)
                fault_ns = self._gateway.now_ns() + int(plan.faults_every_s * SECOND_NS)
            time.sleep(plan.sample_s)
        if math.isnan(self._recover(time.monotonic(), self._days[-1].post_end_ns)):
            self.outcome.problems.append("It did not come to the end.")

    def _next_deal(self, deals: list[Deal]) -> Deal | None:
        if not self._plan.deals:
            return self._chance.choices(deals, [each.weight for each in deals])[0]
        dealt = len(self.outcome.faults)
        if dealt == len(self._plan.deals):
            return None
        return next(deal for deal in FAULTS if deal.name == self._plan.deals[dealt])

    def _renewals(self) -> list[tuple[int, Deal]]:
        """Return when in which sessions the program is ended: by SIGHUP, by SIGKILL."""
        kinds = [deal for deal in FAULTS if deal.renews]
        found = []
        for day in self._days[: self._plan.restarts]:
            span = day.post_end_ns - day.pre_ns
            for number, deal in enumerate(kinds):
                part = (number + self._chance.uniform(0.2, 0.8)) / len(kinds)
                found.append((day.pre_ns + int(span * part), deal))
        return found

    def _deal(self, deal: Deal, now_ns: int) -> None:
        self._plan.say(f"{new_york_time(now_ns):%a %H:%M} {deal.name}")
        deal.act(self, self._chance)
        took_s = self._recover(time.monotonic(), now_ns)
        self.outcome.faults.append(Done(now_ns, deal.name, took_s))
        if math.isnan(took_s):
            self.outcome.problems.append(f"It did not recover from {deal.name!r}.")

    def _recover(self, since_s: float, event_ns: int) -> float:
        """Wait until all is well and `event_ns` was reached.

        Returns how long that took since `since_s`, NaN if it never was.
        """
        wait_s = SCREEN_RECOVERY_S if self._plan.screen else RECOVERY_S
        while (took_s := time.monotonic() - since_s) < wait_s and self._program.running():
            with self._lock:
                line, line_s = self._line, self._line_s
            fresh = line is not None and line_s > since_s + 1.0 and line["ts"] >= event_ns
            if line is not None and fresh and line["state"] in AT_REST:
                return line_s - since_s
            self._look()
            time.sleep(min(self._plan.sample_s, 0.5))
        return took_s if self._plan.screen else math.nan

    # --- looking ----------------------------------------------------------------------------------

    def _look(self) -> int:
        """Take a sample if it is time for one; returns the event time."""
        try:
            now_ns = self._gateway.now_ns()
        except BrokenPipeError:
            raise RuntimeError("The gateway ended by itself.") from None
        wall_s = time.monotonic()
        if not wall_s - self._sampled_s < self._plan.sample_s:
            vital = look(self._program.pid)
            if vital is not None:
                self._sampled_s = wall_s
                self.outcome.samples.append(self._sample(vital, now_ns, wall_s - self._began_s))
        return now_ns

    def _sample(self, vital: Vital, now_ns: int, wall_s: float) -> Sample:
        with self._lock:
            line, lag_ms = self._line or {}, self._line_lag_ms
            # Each line's lag counts once.
            self._line_lag_ms = math.nan
        session = max(0, bisect_right([day.start_ns for day in self._days], now_ns) - 1)
        day = self._days[session]
        database = self.outcome.database
        return Sample(
            wall_s=round(wall_s, 2),
            event_ns=now_ns,
            session=session,
            place=min(1.0, (now_ns - day.start_ns) / (day.post_end_ns - day.start_ns)),
            life=self._life,
            state=line.get("state", ""),
            rss_kb=vital.rss_kb,
            pss_kb=vital.pss_kb,
            fds=vital.fds,
            threads=vital.threads,
            cpu_s=vital.cpu_s,
            database=size_of(database, database.with_name(database.name + ".wal")),
            recordings=size_of(self.folder / "recordings"),
            log=size_of(*self.folder.glob("live.log*")),
            copy=size_of(*self.folder.glob("*snapshot*")),
            lag_ms=lag_ms,
            queue=line.get("queue", 0),
            records=line.get("records", 0),
            bars=line.get("bars", 0),
            gaps=line.get("gaps", 0),
            completeness=line.get("completeness") or math.nan,
        )

    def _take(self, line: Line) -> None:
        """Take what the program prints (a reading thread)."""
        if line["type"] == "health":
            lag_ms = self._lag_ms(line)
            with self._lock:
                self._line, self._line_s, self._line_lag_ms = line, time.monotonic(), lag_ms
        elif line["type"] == "alert":
            self._take_alert((line["symbol"], line["rule"], line["ts"]))
        elif line["type"] == "summary":
            self.outcome.summaries.append(line)

    def _take_alert(self, key: tuple[str, str, int]) -> None:
        before = self._told.get(key)
        self._told[key] = self._life
        # What was told and not yet saved when it was killed is told once more.
        if before is not None and self._killed and before == self._life - 1:
            self.outcome.told_again += 1
        elif before is not None:
            self.outcome.told_twice += 1

    def _lag_ms(self, line: Line) -> float:
        """Return how many wall milliseconds the market is behind the gateway, NaN at night."""
        try:
            now_ns = self._gateway.now_ns()
        except BrokenPipeError:
            return math.nan
        at_night = weekdays().day_at(now_ns).session_at(now_ns) is Session.CLOSED
        if line["state"] != "live" or at_night:
            return math.nan
        return (now_ns - int(line["ts"])) / self._plan.speed / 1e6

    # --- processes --------------------------------------------------------------------------------

    def _serve(self, clock_ns: int, port: int) -> Served:
        plan = self._plan
        return Served(
            Told(
                file=str(self.outcome.tape),
                port=port,
                speed=plan.speed,
                clock_ns=clock_ns,
                night_s=plan.night_s,
                heartbeat_s=HEARTBEAT_S,
            )
        )

    def _start(self) -> Program:
        folder, plan = self.folder, self._plan
        arguments = [
            *("--gateway", f"{HOST}:{self._gateway.port}", "--history", self.history.url),
            *("--db", str(self.outcome.database), "--record", str(folder / "recordings")),
            *("--rules", str(folder / "rules.toml"), "--config", str(folder / "config.toml")),
            *("--log-file", str(folder / "live.log"), "--save-every", f"{plan.save_s:g}"),
            "--tape-volume" if plan.tape_volume else "--no-tape-volume",
        ]
        if plan.screen:
            return OnScreen(arguments, self._environment, plan.material.seed, plan.keys_every_s)
        return Headless(arguments, self._environment, self._take, folder / "errors.txt")


def compare(outcome: Outcome) -> dict[str, Any]:
    """Hold the database against the tape, in a process of its own; returns what was found."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.soak.oracle",
         str(outcome.tape), str(outcome.database)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def wrongs(outcome: Outcome, found: dict[str, Any]) -> list[str]:
    """Return what is not as it should be, in sentences."""
    said = list(outcome.problems)
    for name in ("missing", "surplus", "differing", "miscounted", "twice"):
        if found[name]:
            said.append(f"{found[name]} bars are {name}: {found['shown']}.")
    if found["coverage_uneven"]:
        said.append(f"The verdicts of {found['coverage_uneven']} rows do not add up.")
    if found["alerts_twice"] or outcome.told_twice:
        said.append(f"{found['alerts_twice']} alerts stored, {outcome.told_twice} told twice.")
    lost = sum(missing + unknown for _, missing, unknown, _ in found["lost"])
    if found["gaps"] - found["healed"] and not lost:
        said.append(f"Gaps neither healed nor shown: {found['unhealed']}.")
    return said


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _environment(folder: Path) -> dict[str, str]:
    """Return the program's variables; what an earlier week left in the folder goes."""
    for name in ("recordings", "xdg"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for old in (*folder.glob("live.*"), folder / "errors.txt"):
        old.unlink(missing_ok=True)
    _made(folder / "recordings")
    places = {kind: folder / "xdg" / kind for kind in ("CACHE", "CONFIG", "DATA", "STATE")}
    for place in places.values():
        place.mkdir(parents=True)
    return {**os.environ, **{f"XDG_{kind}_HOME": str(place) for kind, place in places.items()}}


def _write_settings(folder: Path) -> None:
    """Have all of the library's rules on, and old recordings let go."""
    names = ", ".join(f'"{rule.name}"' for rule in LIBRARY)
    (folder / "rules.toml").write_text(f"library = [{names}]\n", "utf-8")
    (folder / "config.toml").write_text('keep_recordings = "2d"\n', "utf-8")
