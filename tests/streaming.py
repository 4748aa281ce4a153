"""Runs the live engine against a simulated gateway, with a sink in memory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stockscan_tui.clock import SystemClock
from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.healing import AskHistory
from stockscan_tui.engine.live import LiveEngine, Saved
from stockscan_tui.feed.live import Access, LiveFeed, Patience
from stockscan_tui.feed.recorder import Recorder
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.feed.stream import Stream
from stockscan_tui.feed.tape_volume import summary_refusal, summary_stream
from stockscan_tui.market.snapshot import Feed
from tests.playing import ListSink, weekdays

QUICK = Patience(
    connect_s=5, heartbeat_s=5, silent_s=5, first_retry_s=0.01, longest_retry_s=0.05, look_s=0.02
)
KEY = "db-0123456789abcdefghijklmnopqrs"


@dataclass
class Capture:
    """A live engine and its feed under way."""

    engine: LiveEngine
    feed: LiveFeed
    sink: ListSink
    second: LiveFeed | None = None

    def wait_until(self, reached: Callable[[LiveEngine], bool], timeout_s: float = 30) -> None:
        """Return once `reached` says so."""
        end = time.monotonic() + timeout_s
        while not reached(self.engine):
            assert self.engine.running, self.engine.failure()
            assert time.monotonic() < end, self.engine.health()
            time.sleep(0.002)

    def end(self) -> None:
        """Stop, and hand over what is in memory."""
        self.engine.stop()
        assert self.engine.join(30)
        self.feed.stop()
        assert self.feed.join(30)
        if self.second is not None:
            self.second.stop()
            assert self.second.join(30)


def capture(
    port: int,
    schemas: Sequence[str] = ("mbp-1",),
    *,
    sink: ListSink | None = None,
    history: bool = False,
    saved: Saved | None = None,
    symbols: Sequence[str] = (),
    patience: Patience = QUICK,
    key: str = KEY,
    dataset: str = "EQUS.MINI",
    save_s: float = 5.0,
    recorder: Recorder | None = None,
    heal: bool = False,
    follow_leaders: bool = False,
    ask_history: AskHistory | None = None,
    tape: Access | None = None,
    verify_port: int = 0,
) -> Capture:
    """Begin to capture from a gateway on this machine."""
    streams = [
        Stream(s, symbols=symbols, from_start=s.startswith("ohlcv") or not history) for s in schemas
    ]
    before = Stream("ohlcv-1m", symbols=symbols, clocked=False, backfill=True) if history else None
    clock = SystemClock()
    sink = sink or ListSink()
    engine = LiveEngine(
        streams,
        Surroundings(weekdays(), PreviousCloses(weekdays()), sink, clock),
        Options(
            Feed("LIVE", "test", dataset, "+".join(schemas)), refresh_s=math.inf, save_s=save_s
        ),
        history=before,
        saved=saved,
        recorder=recorder,
        until_idle=False,
    )
    feeds = [*streams, *([before] if before is not None else [])]
    feed = LiveFeed(Access(key, dataset, "127.0.0.1", port), feeds, clock, patience, seed=1)
    if follow_leaders:
        engine.follow_leaders_by(feed.add, Stream("trades", clocked=False))
    if heal:
        engine.heal_by(feed.add, ask_history)
    second: LiveFeed | None = None
    if tape is not None:
        statistics = summary_stream(symbols)
        engine.consolidate_by(statistics)
        second = LiveFeed(tape, [statistics], clock, patience, seed=2, refused=summary_refusal)
    if verify_port:
        own = Stream("ohlcv-1m", symbols=symbols, clocked=False, backfill=True)
        engine.verify_by(own)
        elsewhere = Access(key, dataset, "127.0.0.1", verify_port)
        second = LiveFeed(elsewhere, [own], clock, patience, seed=3)
    engine.start()
    feed.start()
    if second is not None:
        second.start()
    return Capture(engine, feed, sink, second)
