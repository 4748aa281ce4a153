"""The live feed's figures, each beside what the official client needs in the same run.

The gateway is a process of its own on loopback and plays uncompressed tapes that are mapped into
memory. Whatever is measured runs in a process of its own too.

    python -m tests.bench.bench_live [--quick] [--only NAME …]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import time as time_of_day
from pathlib import Path

from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.run.demo import DATASET, HOST
from stockscan_tui.sim.process import GatewayProcess
from tests.bench.bench_screen import Terminal
from tests.bench.live_tapes import SYMBOLS, burst_tape, closes_of, day_tape, due_ns, flat_tape

# Slower than this an event clock could as well stand.
_STILL = 1e-6
_QUIET_S = 1.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    records: int = 20_000_000
    peer_records: int = 1_500_000
    replayed: int = 10_000_000
    seconds: float = 10.0
    settle_s: float = 5.0
    times: int = 3


QUICK = Scale(4_000_000, 300_000, 2_000_000, 4.0, 2.0, 1)


@contextmanager
def gateway(tape: Path, speed: float, *start: str) -> Iterator[GatewayProcess]:
    """Give a gateway in a process of its own; `start` is `--from` or `--clock` with its value."""
    pace = f"{speed:g}" if math.isfinite(speed) else "max"
    process = GatewayProcess("--file", str(tape), "--speed", pace, *start)
    try:
        # The port is known once it listens.
        _ = process.port
        yield process
    finally:
        process.close()


def measured(side: str, port: int, *arguments: object) -> dict[str, float]:
    """Return what a process of one side found."""
    command = [sys.executable, "-W", "ignore", "-m", f"tests.bench.live_{side}", str(port)]
    command += [str(argument) for argument in arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def median_of(measure: Callable[[], dict[str, float]], times: int) -> dict[str, float]:
    """Return the median of each value."""
    found = [measure() for _ in range(times)]
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def line(title: str, value: str, limit: str = "", note: str = "") -> None:
    """Print a line of the table."""
    print(f"{title:<50}{value:>18}  {limit:<12}{note}", flush=True)


# --- 1 ------------------------------------------------------------------------------------------


def rates(scale: Scale, folder: Path) -> None:
    """Print how many records are taken in."""
    tape = burst_tape(scale.records)

    def ours() -> dict[str, float]:
        with gateway(tape, math.inf) as one:
            return measured("own", one.port, fresh(folder), "rate", scale.records)

    def peer() -> dict[str, float]:
        with gateway(tape, math.inf) as one:
            return measured("peer", one.port, "rate", scale.peer_records)

    def bare() -> dict[str, float]:
        with gateway(tape, math.inf) as one:
            seconds, count = drained(one.port, "mbp-1")
            return {"rate": count / 80 / seconds}

    own, other = median_of(ours, scale.times), median_of(peer, scale.times)
    alone = median_of(bare, scale.times)
    note = f"the first one {own['before_s']:.2f} s after the first byte"
    value = f"{own['rate'] / 1e6:.2f} M/s"
    line("records taken in, stops each second", value, "(≥ 15 M/s)", note)
    line("  and the last commit", f"{own['rate_committed'] / 1e6:.2f} M/s")
    line("  databento.Live, bars in a callback", f"{other['rate'] / 1e6:.3f} M/s")
    line("  ratio", f"{own['rate'] / other['rate']:.1f} ×", "(≥ 30 ×)")
    line("  the gateway into a reader that drops all", f"{alone['rate'] / 1e6:.2f} M/s")


# --- 2 ------------------------------------------------------------------------------------------


def processor(scale: Scale, folder: Path) -> None:
    """Print what 100,000 records a second cost with the screen on."""
    tape = flat_tape(100_000, 6_000_000, time_of_day(9, 30, 40))
    with gateway(tape, 1.0) as one:
        terminal = Screen(one.port, fresh(folder), "--no-backfill")
        try:
            terminal.await_text(f"{SYMBOLS:,} symbols".encode(), 60)
            terminal.drain(scale.settle_s + 3)
            cpu_s, began_s = tree_cpu_s(terminal.pid), time.perf_counter()
            terminal.drain(scale.seconds)
            took_s = time.perf_counter() - began_s
            own = (tree_cpu_s(terminal.pid) - cpu_s) / took_s
        finally:
            terminal.close()
    with gateway(tape, 1.0) as one:
        other = measured("peer", one.port, "cpu", scale.settle_s + 3, scale.seconds)
    line("one core at 100,000 records/s, screen on", f"{own:.1%}", "(≤ 25 %)")
    note = f"at {other['rate']:,.0f} records/s"
    line("  databento.Live, bars in a callback, no screen", f"{other['cpu']:.1%}", "", note)


# --- 3 ------------------------------------------------------------------------------------------


def delays(scale: Scale, folder: Path) -> None:
    """Print how late the interface's timer is while records pour in."""
    tape = flat_tape(1_000_000, 20_000_000, time_of_day(9, 30, 45))

    def ours() -> dict[str, float]:
        with gateway(tape, 1.0) as one:
            return measured("own", one.port, fresh(folder), "timer", 3, scale.seconds)

    own = median_of(ours, scale.times)
    with gateway(tape, math.inf) as one:
        other = measured("peer", one.port, "timer", 3, scale.seconds)
    slower = flat_tape(100_000, 6_000_000, time_of_day(9, 30, 40))
    with gateway(slower, 1.0) as one:
        calm = measured("own", one.port, fresh(folder), "timer", 3, scale.seconds)
    for title, found, limit in (
        ("10 ms timer's delay at 1 M records/s, p50 / p99", own, "(p99 ≤ 5 ms)"),
        ("  at 100,000 records/s", calm, ""),
        ("  databento.Live at its highest rate, p50 / p99", other, ""),
    ):
        note = f"at {found['rate']:,.0f} records/s, most {found['most']:.1f} ms"
        line(title, f"{found['p50']:.2f} / {found['p99']:.2f} ms", limit, note)


# --- 4 ------------------------------------------------------------------------------------------


def catching_up(scale: Scale, folder: Path) -> None:
    """Print how long a replay takes after a restart."""
    early = scale.records // 20
    tape = burst_tape(scale.records)
    first_ns, last_ns = due_ns(tape, early), due_ns(tape, early + scale.replayed)
    saved = fresh(folder)
    with gateway(tape, _STILL, "--clock", str(first_ns)) as one:
        measured("own", one.port, saved, "save", early)

    def ours() -> dict[str, float]:
        database = fresh(folder)
        shutil.copyfile(saved, database)
        return measured("own", one.port, database, "catch_up")

    with gateway(tape, _STILL, "--clock", str(last_ns)) as one:
        drained(one.port, "mbp-1", first_ns - MINUTE_NS)
        bare_s, count = drained(one.port, "mbp-1", first_ns - MINUTE_NS)
        own = median_of(ours, scale.times)
    note = f"{own['records']:,.0f} records new, {own['known']:,.0f} known"
    title = f"catching up {scale.replayed / 1e6:.0f} M records after a restart"
    line(title, f"{own['seconds']:.2f} s", "(≤ 2 s + ↓)", note)
    line(
        "  the gateway into a reader that drops all",
        f"{bare_s:.2f} s",
        "",
        f"{count / 1e6:,.0f} MB",
    )


# --- 5 ------------------------------------------------------------------------------------------


def starts(scale: Scale, folder: Path) -> None:
    """Print the seconds from exec to a full leaderboard at 11:00."""
    tape = day_tape(scale.records)
    wanted = f"{SYMBOLS:,} symbols".encode()
    took = []
    with gateway(tape, 1.0, "--from", "11:00") as one:
        # The simulated gateway makes its minute bars at the first request; the real one has them.
        drained(one.port, "ohlcv-1m", 0)
        for _ in range(scale.times + 1):
            terminal = Screen(one.port, fresh(folder), "--prev-close", str(closes_of(tape)))
            try:
                took.append(terminal.await_text(wanted, 60))
            finally:
                terminal.close()
    line("exec to a full leaderboard at 11:00", f"{statistics.median(took[1:]):.2f} s", "(≤ 3 s)",
         f"first {took[0]:.2f} s; Databento's tutorial claims < 5 s")  # fmt: skip


# --- 6 ------------------------------------------------------------------------------------------


def lags(scale: Scale, folder: Path) -> None:
    """Print how far the market lags behind its feed while rules fire and nothing takes it."""
    # Rules are watched from the first minute's close on.
    tape = flat_tape(100_000, 6_000_000, time_of_day(9, 30, 55))
    for title, kind in (
        ("the feed's lag at 100,000 records/s, p50 / p99", "none"),
        ("  with twenty rules that fire all the time", "rules"),
        ("  and every way of delivery broken", "broken"),
    ):

        def ours(kind: str = kind) -> dict[str, float]:
            with gateway(tape, 1.0) as one:
                return measured("own", one.port, fresh(folder), "lag", 8, scale.seconds, kind)

        found = median_of(ours, scale.times)
        note = f"most {found['most']:.1f} ms, {found['alerts']:,.0f} alerts/s"
        line(title, f"{found['p50']:.1f} / {found['p99']:.1f} ms", "", note)


# --- what is shared -------------------------------------------------------------------------------


class Screen(Terminal):
    """`stockscan live` in a pseudo-terminal of 140×40."""

    def __init__(self, port: int, database: Path, *arguments: str) -> None:
        super().__init__("live", "--gateway", f"{HOST}:{port}", "--db", str(database), *arguments)

    def await_text(self, text: bytes, timeout_s: float) -> float:
        """Return the seconds since the start until `text` was written."""
        seen = b""
        while text not in seen:
            if time.perf_counter() - self.began > timeout_s:
                raise RuntimeError(f"the screen never said {text!r}: {seen[-2000:]!r}")
            seen = seen[-200_000:] + self.read(0.5)
        return time.perf_counter() - self.began

    def drain(self, seconds: float) -> None:
        """Take what is written for that long."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            self.read(left)


def busy_cores(seconds: float = 1.0) -> float:
    """Return how many cores other processes keep busy meanwhile."""

    def idle_s() -> float:
        fields = Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()
        return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")

    before_s, began_s = idle_s(), time.perf_counter()
    time.sleep(seconds)
    took_s = time.perf_counter() - began_s
    return max(0.0, (os.cpu_count() or 1) - (idle_s() - before_s) / took_s)


def tree_cpu_s(root: int) -> float:
    """Return the processor seconds of a process and all of its descendants."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text("ascii", errors="replace")
        except OSError:
            continue
        fields = text[text.rindex(")") + 2 :].split()
        number = int(path.parent.name)
        parents[number], ticks[number] = int(fields[1]), sum(map(int, fields[11:15]))
    family = {root}
    while more := {n for n, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(ticks.get(number, 0) for number in family) / os.sysconf("SC_CLK_TCK")


def drained(port: int, schema: str, start_ns: int | None = None) -> tuple[float, int]:
    """Return the seconds in which a gateway sends all that is due, and how many bytes it is."""
    block = bytearray(1 << 20)
    with socket.create_connection((HOST, port)) as sock, sock.makefile("rb", 0) as file:
        while not file.readline().startswith(b"cram="):
            pass
        sock.sendall(f"auth=0-00000|dataset={DATASET}|encoding=dbn\n".encode())
        file.readline()
        start = "" if start_ns is None else f"|start={start_ns}"
        sock.sendall(f"schema={schema}|stype_in=raw_symbol|symbols=ALL_SYMBOLS{start}\n".encode())
        sock.sendall(b"start_session=0\n")
        sock.settimeout(60)
        count = sock.recv_into(block)
        began_s = last_s = time.perf_counter()
        sock.settimeout(_QUIET_S)
        try:
            while got := sock.recv_into(block):
                count += got
                last_s = time.perf_counter()
        except TimeoutError:
            pass
    return last_s - began_s, count


def fresh(folder: Path) -> Path:
    """Return a database that is not there yet."""
    number = len(list(folder.iterdir()))
    place = folder / str(number)
    place.mkdir()
    return place / "bars.duckdb"


FIGURES = {
    "rates": rates,
    "processor": processor,
    "delays": delays,
    "catching-up": catching_up,
    "starts": starts,
    "lags": lags,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--only", nargs="*", choices=FIGURES, default=list(FIGURES))
    given = parser.parse_args()
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"{os.cpu_count()} cores, load at the start {load}, others use {busy_cores():.2f} cores")
    with tempfile.TemporaryDirectory() as folder:
        for name in given.only:
            FIGURES[name](QUICK if given.quick else Scale(), Path(folder))


if __name__ == "__main__":
    main()
