"""Moving a replayed day back and forth: how long, what it keeps on disk, and whether it is exact.

    python -m tests.bench.bench_seek [RECORDS [SEEKS]]

Beside it the peer: playing the file from its beginning to the instant, which is all that can be
done without images.
"""

from __future__ import annotations

import math
import random
import sys
import tempfile
import time
from pathlib import Path

from stockscan_tui.clock import SystemClock
from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.engine.seeking import Seeking
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.snapshot import Feed, Phase
from tests.bench.material import day_file
from tests.moving import digest
from tests.playing import ListSink, weekdays


class NoSink(ListSink):
    """Forgets what it is given."""

    def put(self, batch: object) -> None:
        """Drop it."""


class Replay:
    """A paused replay of a file."""

    def __init__(self, path: Path, folder: Path) -> None:
        folder.mkdir()
        self.clock = SystemClock()
        self.seeking = Seeking(folder)
        given = Surroundings(weekdays(), PreviousCloses(weekdays()), NoSink(), self.clock)
        options = Options(Feed("REPLAY", "", "EQUS.MINI", "mbp-1"), behind_screen=True)
        self.engine = ReplayEngine([DbnFile(path)], given, options, seeking=self.seeking)
        self.engine.set_paused(True)
        self.engine.start()
        self._rest(0)

    def _rest(self, leap: int) -> None:
        """Wait for a picture of where it has been moved to."""
        while True:
            picture = self.engine.snapshot()
            if (
                picture is not None
                and picture.leap == leap
                and picture.feed.phase in (Phase.PAUSED, Phase.ENDED)
            ):
                return
            time.sleep(0.0005)

    def to(self, ns: int) -> float:
        """Move to an instant; returns seconds until its picture is there."""
        began = time.perf_counter()
        leap = self.seeking.leap + 1
        self.engine.seek(ns)
        self._rest(leap)
        return time.perf_counter() - began


def told(name: str, took: list[float], limit_ms: float = math.nan) -> None:
    """Print a line of the table."""
    took = sorted(took)
    p50, p99 = took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3
    beside = f"  (≤ {limit_ms:g})" if math.isfinite(limit_ms) else ""
    print(f"{name:<44}{p50:8.0f}{p99:8.0f}{took[-1] * 1e3:8.0f} ms{beside}")


def main(records: int = 20_000_000, seeks: int = 200) -> None:
    """Print the table."""
    path = day_file(records, 12_000)
    rng = random.Random(11)
    with tempfile.TemporaryDirectory() as folder:
        straight, moved = Replay(path, Path(folder) / "a"), Replay(path, Path(folder) / "b")
        begin_ns = straight.engine.event_ns
        end_ns = begin_ns + 16 * 60 * MINUTE_NS
        print(f"first pass of {records:,} records, images and copy made: {moved.to(end_ns):.2f} s")
        images = moved.seeking.points.size / 1e6
        copied = sum(file.stat().st_size for file in (Path(folder) / "b").glob("records*")) / 1e6
        print(f"images {images:.0f} MB (≤ 300), seekable copy {copied:.0f} MB")
        print(f"{'':<44}{'p50':>8}{'p99':>8}{'max':>8}")
        goals = [rng.randrange(begin_ns, end_ns - MINUTE_NS) for _ in range(seeks)]
        told("seek anywhere", [moved.to(goal) for goal in goals], 1000)
        near = []
        for goal in goals[: seeks // 2]:
            moved.to(goal)
            other = goal + rng.randrange(-15 * MINUTE_NS, 15 * MINUTE_NS)
            near.append(moved.to(min(max(other, begin_ns), end_ns - MINUTE_NS)))
        told("seek within fifteen minutes", near, 200)
        steps = [moved.to(moved.engine.event_ns - MINUTE_NS) for _ in range(30)]
        told("one minute back", steps)
        wrong = 0
        for goal in sorted(goals[:50]):
            straight.to(goal)
            moved.to(goal)
            one, two = straight.engine.snapshot(), moved.engine.snapshot()
            assert one is not None
            assert two is not None
            wrong += digest(one) != digest(two)
        print(f"pictures that differ from a straight run's: {wrong} of {len(goals[:50])}")
        straight.engine.stop()
        again = Replay(path, Path(folder) / "c")
        middle = begin_ns + (end_ns - begin_ns) // 2
        print(f"the peer, from the beginning to the middle: {again.to(middle) * 1e3:.0f} ms")
        for replay in (moved, again):
            replay.engine.stop()
            replay.engine.join()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
