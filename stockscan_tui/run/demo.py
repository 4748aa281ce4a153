"""The demo: a live run against a simulated gateway in a process of its own."""

from __future__ import annotations

import math
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import time
from pathlib import Path

from stockscan_tui.clock import Clock
from stockscan_tui.config import cache_folder
from stockscan_tui.errors import StockscanError, StoreError, StoreHeldError
from stockscan_tui.feed.live import Access
from stockscan_tui.feed.reference import closes_beside
from stockscan_tui.market.calendar import SECOND_NS, new_york_ns
from stockscan_tui.market.checkpoint import read_header
from stockscan_tui.market.indicator import IndicatorKey
from stockscan_tui.run.common import Summary
from stockscan_tui.run.live import LiveRequest, LiveRun
from stockscan_tui.scan.rules.ruling import Ruling
from stockscan_tui.sim.place import DAY
from stockscan_tui.sim.process import GatewayProcess, begin_gateway
from stockscan_tui.store.lock import Hold
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.recovery import Recovering

HOST = "127.0.0.1"
DATASET = "EQUS.MINI"
KEY = "db-simulated-on-loopback-only-00"
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """What to show; `database` None takes the demo's own, which a clean end removes.

    A demo that was killed is gone on with from what it had saved.
    """

    file: Path
    speed: float
    start_at: time
    database: Path | None = None
    mark: str = "auto"
    refresh_s: float = 0.1
    indicators: frozenset[IndicatorKey] = frozenset()
    ruling: Ruling = field(default_factory=Ruling)
    recovering: Recovering = field(default_factory=Recovering)


class DemoRun(LiveRun):
    """A simulated market through the live path; a gateway that dies is started anew.

    Args:
        request: What to show.
        clock: Wall time.
        gateway: A gateway that was begun already, from `request.start_at` on; None to begin one.

    Raises:
        StockscanError: The gateway does not start, or the database cannot be used.
    """

    def __init__(
        self, request: DemoRequest, clock: Clock, gateway: GatewayProcess | None = None
    ) -> None:
        self._demo = request
        self._own_database = request.database is None
        self._place = request.database or _own_place()
        died_ns = _died_at(self._place) if math.isfinite(request.speed) else 0
        if died_ns and gateway is not None:
            gateway.close()
            gateway = None
        if not died_ns and self._own_database:
            _remove(self._place)
        at_ns = died_ns + int(SECOND_NS * request.speed) if died_ns else 0
        self._gateway = gateway or begin_gateway(
            request.file, request.speed, request.start_at, clock_ns=at_ns
        )
        # No session was begun before now: the gateway's clock cannot be further than this tells.
        self._clock_from_ns = at_ns or new_york_ns(DAY, request.start_at)
        self._begun_ns = clock.now_ns()
        self._closing = threading.Event()
        try:
            super().__init__(self._request(request, self._gateway.port), clock)
        except BaseException:
            self._gateway.close()
            raise
        self._watcher = threading.Thread(target=self._watch, name="stockscan-demo", daemon=True)
        self._watcher.start()

    def _request(self, request: DemoRequest, port: int) -> LiveRequest:
        return LiveRequest(
            access=Access(KEY, DATASET, HOST, port),
            database=self._place,
            mode="DEMO",
            simulated=True,
            prev_close=closes_beside(request.file),
            mark=request.mark,
            refresh_s=request.refresh_s,
            indicators=request.indicators,
            ruling=request.ruling,
            # At full speed there is no session so far: the day itself is played.
            backfill=math.isfinite(request.speed),
            until_idle=math.isinf(request.speed),
            verify=math.isfinite(request.speed),
            recovering=replace(request.recovering, refetched=DAY),
        )

    def _watch(self) -> None:
        """Start the gateway anew when it has died, its clock where it would have been.

        That is never before what it had sent, of which the engine may have read a part only.
        """
        port = self._gateway.port
        speed = self._demo.speed if math.isfinite(self._demo.speed) else 1.0
        while not self._closing.wait(_LOOK_S):
            if self._gateway.alive:
                continue
            self._gateway.close()
            ran_ns = self._clock.now_ns() - self._begun_ns
            at_ns = max(self._clock_from_ns + int(ran_ns * speed), self.engine.event_ns + SECOND_NS)
            # Where it does not start, it is tried again.
            with suppress(StockscanError):
                gateway = begin_gateway(
                    self._demo.file, speed, self._demo.start_at, clock_ns=at_ns, port=port
                )
                self._gateway = gateway
                gateway.wait()
                self._clock_from_ns, self._begun_ns = at_ns, self._clock.now_ns()
                self._feed.retry_now()

    def close(self) -> Summary:
        """Stop, and end the gateway.

        Raises:
            StockscanError: The run failed, or bars could not be written.
        """
        self._closing.set()
        # It may be starting anew, and somebody wait for it.
        self._gateway.kill()
        try:
            summary = super().close()
            if self._own_database:
                _remove(self._place)
            return summary
        finally:
            self._watcher.join()
            self._gateway.close()


def _own_place() -> Path:
    """Return the demo's database; a second demo beside a running one has another."""
    folder = cache_folder() / "demo"
    place = folder / "demo.duckdb"
    owner = place.with_name(place.name + ".owner")
    return folder / f"demo-{os.getpid()}.duckdb" if owner.exists() and _held(place) else place


def _held(place: Path) -> bool:
    try:
        Hold(place, named=False).release()
    except StoreHeldError:
        return True
    return False


def _died_at(place: Path) -> int:
    """Return the event time that a demo which was killed had saved last, 0 where none was."""
    if not place.exists():
        return 0
    try:
        reader = Reader.open(place)
    except StoreError:
        return 0
    try:
        state = reader.checkpoint()
        header = read_header(state) if state is not None else None
        return header.clock_ns if header is not None else 0
    except StoreError:
        return 0
    finally:
        reader.release()


def _remove(place: Path) -> None:
    for ending in ("", ".wal"):
        place.with_name(place.name + ending).unlink(missing_ok=True)
