"""The live path over loopback, beside the official client; each side in a process of its own."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockscan_tui.bench.figure import Figure, Peer
from stockscan_tui.environment import of_own_process
from stockscan_tui.errors import StockscanError

if TYPE_CHECKING:
    from stockscan_tui.bench.material import Material

CLIENT = "databento.Live with a callback that keeps bars"
_WAIT_S = 120.0


def rate(material: Material) -> Figure:
    """Measure how fast records are taken in from a gateway that sends as fast as it can."""
    from stockscan_tui.bench.replaying import same_bars  # noqa: PLC0415

    count = material.scale.records
    databases = [material.database(), material.database()]
    found = []
    # Ours counts the symbols' mappings, too.
    sides = {"own": count + len(material.universe), "peer": count}
    for (side, amount), database in zip(sides.items(), databases, strict=True):
        with gateway(material.tape, math.inf) as port:
            found.append(_measured(side, port, database, "rate", amount))
    same = same_bars(databases[0], databases[1])
    return Figure("live", "live feed over loopback, taken in", "records/s", found[0]["rate"],
                  (Peer(CLIENT, found[1]["rate"], same),))  # fmt: skip


def timer(material: Material) -> Figure:
    """Measure how late a timer of the interface is while records pour in, its screen on."""
    scale = material.scale
    found = []
    for side in ("own", "peer"):
        with gateway(material.even_tape, 1.0) as port:
            found.append(_measured(side, port, material.database(), "timer", scale.seconds))
    own, peer = found
    title = f"delay of a 10 ms timer at {own['rate']:,.0f} records/s, p99"
    note = f"without a screen, at {peer['rate']:,.0f} records/s"
    return Figure("timer", title, "ms", own["p99"], (Peer(CLIENT, peer["p99"], None, note),))


@contextmanager
def gateway(tape: Path, speed: float) -> Iterator[int]:
    """Give the port of a gateway in a process of its own that plays a tape."""
    from stockscan_tui.sim.process import GatewayProcess  # noqa: PLC0415

    pace = f"{speed:g}" if math.isfinite(speed) else "max"
    process = GatewayProcess("--file", str(tape), "--speed", pace)
    try:
        yield process.port
    finally:
        process.close()


def _measured(side: str, port: int, database: Path, kind: str, amount: float) -> dict[str, float]:
    """Return what a process of one side found."""
    command = [sys.executable, "-W", "ignore", "-m", f"stockscan_tui.bench.live_{side}"]
    command += [str(port), str(database), kind, f"{amount:g}"]
    done = subprocess.run(  # noqa: S603 - this very program
        command, capture_output=True, text=True, check=False, timeout=_WAIT_S, env=of_own_process()
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise StockscanError(f"The live path could not be measured: {last}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def told(measures: dict[str, Callable[[int, Path, float], Any]], arguments: list[str]) -> None:
    """Be the process of a side: measure what is asked for and print it."""
    port, database, kind, amount = arguments
    found = measures[kind](int(port), Path(database), float(amount))
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
