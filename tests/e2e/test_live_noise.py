"""A time that is not to be believed, with noise behind it, does not hold the feed up."""

from __future__ import annotations

import math

import numpy as np

from stockscan_tui.market.calendar import DAY_NS
from stockscan_tui.sim.faults import Fault
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape
from tests import wire
from tests.e2e.test_live_cuts import SYMBOLS
from tests.streaming import capture


def test_noise_behind_a_time_days_ahead_breaks_the_connection() -> None:
    rows = wire.random_rows(1, 500, len(SYMBOLS), minutes=6)
    absurd = rows[-2:].copy()
    absurd["ts_recv"] += np.uint64(30 * DAY_NS)
    tape = Tape.from_records(np.concatenate([rows, absurd]), SYMBOLS)
    noise = Fault("garbage", at_record=len(rows) + 2)
    options = Options(speed=math.inf, faults=(noise,), faults_in_turn=True)
    with GatewayThread(tape, options) as gateway:
        taken = capture(gateway.port)
        taken.wait_until(lambda _engine: gateway.connections > 1)
        taken.end()
    assert "mbp-1: the gateway sent what is not a record" in taken.engine.health().problems
