"""Our side of the live benchmark, each figure in a process of its own.

    python -m tests.bench.live_own PORT DATABASE rate RECORDS
    python -m tests.bench.live_own PORT DATABASE save RECORDS
    python -m tests.bench.live_own PORT DATABASE catch_up
    python -m tests.bench.live_own PORT DATABASE timer SETTLE_S SECONDS
    python -m tests.bench.live_own PORT DATABASE lag SETTLE_S SECONDS none|rules|broken

Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

from stockscan_tui.bench.late_timer import percentiles, timer_delays_ms
from stockscan_tui.cli.play import SWITCH_S
from stockscan_tui.clock import SystemClock
from stockscan_tui.delivery import Courier
from stockscan_tui.engine.catching import Catching
from stockscan_tui.engine.live import LiveEngine
from stockscan_tui.feed.live import Access
from stockscan_tui.market import kernel as k
from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.fired import Fired
from stockscan_tui.run import live
from stockscan_tui.run.demo import DATASET, HOST, KEY
from stockscan_tui.run.live import LiveRequest, LiveRun
from stockscan_tui.scan.expression import Names, parse
from stockscan_tui.scan.gates import SHIPPED
from stockscan_tui.scan.rules import Command, Rule, Rules, Webhook
from stockscan_tui.scan.rules.ruling import Ruling
from stockscan_tui.ui.app import Opening, StockscanApp
from stockscan_tui.ui.desk import Desk
from tests.bench.live_tapes import SYMBOLS

SIZE = (140, 40)
LOOK_S = 0.01
LAG_LOOK_S = 0.002


class TimedEngine(LiveEngine):
    """Stops at each second of event time, and notes when what began.

    `began_s` is a connection's first byte, `first_s` the first record of a market that is new.
    """

    each_second = True
    began_s = 0.0
    first_s = 0.0
    caught_up_s = 0.0

    @property
    def taken(self) -> int:
        """The records that were applied, mappings included."""
        return int(self._market.ctl[k.RECORDS])

    def _begin(self, first_ns: int) -> None:
        self.first_s = time.perf_counter()
        super()._begin(first_ns)

    def _take_up(self, track: Catching) -> None:
        super()._take_up(track)
        self.began_s = self.began_s or time.perf_counter()

    def _take_in(self) -> bool:
        moved = super()._take_in()
        behind = any(track.active for track in self._tracks)
        if self.began_s and not self.caught_up_s and not behind:
            self.caught_up_s = time.perf_counter()
        return moved

    def _stop_ns(self) -> int:
        stop_ns = super()._stop_ns()
        stream = self._tracks[0].stream
        reached_ns = stream.next_ns if stream.waiting else int(self._market.ctl[k.CLOCK_NS])
        if not stop_ns or not self.each_second:
            return stop_ns
        return min(stop_ns, reached_ns // SECOND_NS * SECOND_NS + SECOND_NS)


def begin(
    port: int, database: Path, refresh_s: float, ruling: Ruling | None = None
) -> tuple[LiveRun, TimedEngine]:
    """Return a run and its engine."""
    sys.setswitchinterval(SWITCH_S)
    request = LiveRequest(
        Access(KEY, DATASET, HOST, port), database, backfill=False, refresh_s=refresh_s,
        ruling=ruling or Ruling(),
    )  # fmt: skip
    with patch.object(live, "LiveEngine", TimedEngine):
        run = LiveRun(request, SystemClock())
    assert isinstance(run.engine, TimedEngine)
    gc.collect()
    gc.freeze()
    return run, run.engine


def wait_for(engine: TimedEngine, records: int) -> float:
    """Return when that many records were taken in."""
    while engine.taken < records:
        if not engine.running:
            raise RuntimeError(engine.failure())
        time.sleep(LOOK_S)
    return time.perf_counter()


def measure_rate(port: int, database: Path, records: int) -> dict[str, float]:
    """Return records per second from the first one on, with and without the last commit."""
    run, engine = begin(port, database, math.inf)
    ended_s = wait_for(engine, records + SYMBOLS)
    summary = run.close()
    closed_s = time.perf_counter()
    return {
        "rate": records / (ended_s - engine.first_s),
        "rate_committed": records / (closed_s - engine.first_s),
        "before_s": engine.first_s - engine.began_s,
        "bars": summary.bars,
    }


def save(port: int, database: Path, records: int) -> dict[str, float]:
    """Leave a database as of `records` records; returns the event time reached, in ns."""
    run, engine = begin(port, database, math.inf)
    wait_for(engine, records + SYMBOLS)
    run.close()
    return {"event_ns": engine.event_ns}


def measure_catch_up(port: int, database: Path) -> dict[str, float]:
    """Return the seconds from the first byte until the replay was applied, and its records."""
    TimedEngine.each_second = False
    run, engine = begin(port, database, 0.1)
    before = engine.taken
    while not engine.caught_up_s:
        if not engine.running:
            raise RuntimeError(engine.failure())
        time.sleep(LOOK_S)
    health = engine.health()
    run.close()
    return {
        "seconds": engine.caught_up_s - engine.began_s,
        "records": health.records - before,
        "known": health.repeated,
        "healed": health.healed,
    }


def measure_timer(port: int, database: Path, settle_s: float, seconds: float) -> dict[str, float]:
    """Return how late a timer on the interface's loop is, and the records per second."""
    TimedEngine.each_second = False
    engines: list[TimedEngine] = []

    def start(_opening: Opening) -> LiveRun:
        run, engine = begin(port, database, 0.1)
        engines.append(engine)
        return run

    app = StockscanApp(start, title="bench", clock=SystemClock(), desk=Desk(gates=None))
    found: dict[str, float] = {}

    async def play() -> None:
        async with app.run_test(size=SIZE):
            while not engines or not engines[0].taken:
                await asyncio.sleep(LOOK_S)
            await asyncio.sleep(settle_s)
            records, began_s = engines[0].taken, time.perf_counter()
            found.update(percentiles(await timer_delays_ms(seconds)))
            found["rate"] = (engines[0].taken - records) / (time.perf_counter() - began_s)

    asyncio.run(play())
    assert isinstance(app.player, LiveRun)
    app.player.close()
    return found


def noisy(port: int) -> Rules:
    """Return twenty rules that fire all the time, by ways out that hang, fail or refuse."""
    ways = ("hanging", "failing", "missing", "silent", "refused", "toast", "bell", "desktop")
    rules = tuple(
        Rule(
            f"rule {n}",
            when=parse(f"vwap_pct > {n / 100}"),
            cooldown_s=1.0,
            gates=False,
            deliver=ways,
        )
        for n in range(-10, 10)
    )
    return Rules(
        rules,
        commands=(
            Command("hanging", ("sleep", "1000"), 0.0, 30.0),
            Command("failing", ("false",), 0.0),
            Command("missing", ("/there/is/no/such/program",), 0.0),
        ),
        webhooks=(
            Webhook("silent", f"http://{HOST}:{port}/", every_s=0.0, timeout_s=30.0),
            Webhook("refused", f"http://{HOST}:9/", every_s=0.0),
        ),
    )


def deaf(_fired: Sequence[Fired]) -> None:
    """Listen to alerts, and fail at it."""
    raise LookupError("nobody listens")


def measure_lag(
    port: int, database: Path, settle_s: float, seconds: float, kind: str
) -> dict[str, float]:
    """Return how far the market lags behind its feed, ms over the least seen, and the alerts.

    `kind` says whether there are `none` of the rules, the `rules` alone, or `broken` ways out too.
    """
    TimedEngine.each_second = False
    with socket.create_server((HOST, 0)) as silent:
        rules = noisy(silent.getsockname()[1])
        courier = Courier(rules, SystemClock(), lambda _notice: None)
        tell: tuple[Callable[[Sequence[Fired]], None], ...] = (courier.take, deaf)
        ruling = Ruling(rules if kind != "none" else Rules(), SHIPPED, Names(),
                        tell if kind == "broken" else ())  # fmt: skip
        run, engine = begin(port, database, 0.1, ruling)
        while not engine.taken:
            time.sleep(LOOK_S)
        time.sleep(settle_s)
        records, alerts, behind = engine.taken, int(engine._market.alerts.sum()), []
        until_s = time.perf_counter() + seconds
        while (now_s := time.perf_counter()) < until_s:
            behind.append(now_s * 1e3 - int(engine._market.ctl[k.CLOCK_NS]) / 1e6)
            time.sleep(LAG_LOOK_S)
        records, alerts = engine.taken - records, int(engine._market.alerts.sum()) - alerts
        run.close()
        courier.close()
    found = percentiles([each - min(behind) for each in behind])
    return found | {"rate": records / seconds, "alerts": alerts / seconds}


def main(port: str, database: str, kind: str, *numbers: str) -> None:
    """Measure and print."""
    path = Path(database)
    if kind == "rate":
        found = measure_rate(int(port), path, int(numbers[0]))
    elif kind == "save":
        found = save(int(port), path, int(numbers[0]))
    elif kind == "catch_up":
        found = measure_catch_up(int(port), path)
    elif kind == "lag":
        found = measure_lag(int(port), path, float(numbers[0]), float(numbers[1]), numbers[2])
    else:
        found = measure_timer(int(port), path, float(numbers[0]), float(numbers[1]))
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
