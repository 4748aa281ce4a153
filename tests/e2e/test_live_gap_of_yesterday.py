"""A gap that a session date left open is ended by a run that goes on from a later one."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from stockscan_tui.market.batch import Batch, Gap
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.writer import Writer
from tests import wire
from tests.e2e.test_live_cuts import SYMBOLS, finish, rows_with_ties, saved_gaps
from tests.e2e.test_live_restart import stored
from tests.playing import ListSink
from tests.streaming import capture

FROM_NS = wire.OPEN_NS - DAY_NS
YESTERDAY = Gap(wire.DAY - timedelta(days=3), FROM_NS, 0, "the gateway closed the connection")


def test_only_what_was_never_ended_before_a_date_is_found(tmp_path: Path) -> None:
    path = tmp_path / "gaps.duckdb"
    writer = Writer.open(path, dataset="X")
    ended = replace(YESTERDAY, from_ns=FROM_NS + MINUTE_NS, to_ns=FROM_NS + 2 * MINUTE_NS)
    today = replace(YESTERDAY, from_ns=wire.OPEN_NS, session_date=wire.DAY)
    writer.put(Batch(0, gaps=(YESTERDAY, ended, today)))
    writer.close(10)
    reader = Reader.open(path)
    assert reader.open_gaps(wire.DAY) == (YESTERDAY,)
    assert reader.gaps(wire.DAY) == (today,)
    reader.release()


def test_it_is_ended_and_healed_once_a_later_run_goes_on() -> None:
    tape = Tape.from_records(rows_with_ties(1), SYMBOLS)
    with GatewayThread(tape, Options(speed=math.inf)) as gateway:
        taken = capture(gateway.port, save_s=1e-9)
        finish(taken, tape, ("mbp-1",))
        saved, _ = stored(ListSink(), taken.sink.batches)
        sink = ListSink()
        taken = capture(gateway.port, saved=replace(saved, gaps=(YESTERDAY,)), sink=sink)
        finish(taken, tape, ("mbp-1",))
    gap = saved_gaps(sink)[FROM_NS]
    assert gap.session_date == YESTERDAY.session_date
    assert gap.to_ns == gap.healed_ns > FROM_NS
