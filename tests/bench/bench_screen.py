"""What the screen costs: a snapshot with its order, a frame, a key at full speed, a start.

A frame of the board stands beside Textual's DataTable with the same rows and columns. Keys and
starts are measured in a pseudo-terminal, from the byte that goes in to the next that comes out.

    python -m tests.bench.bench_screen
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from textual.app import App, ComposeResult
from textual.widgets import DataTable

from stockscan_tui.config import cache_folder
from stockscan_tui.feed.exchange import load_calendar
from stockscan_tui.market import kernel as k
from stockscan_tui.market.metrics import MetricKey, rank
from stockscan_tui.market.snapshot import Feed, Health, Snapshot
from stockscan_tui.market.state import Market
from stockscan_tui.market.view import Photographer
from stockscan_tui.ui.columns import layout_for
from tests.bench.material import DAY, day_file
from tests.ui.driving import Stage, on_stage
from tests.ui.market import market

SIZE = (140, 40)


def snapshot_and_rank(symbols: int = 12_000) -> float:
    """Return the milliseconds of a picture of the market with its order by change."""
    calendar = load_calendar(cache_folder(), DAY)
    arrays = Market(capacity=symbols)
    rng = np.random.default_rng(1)
    arrays.slots([f"S{n}" for n in range(symbols)])
    day = calendar.day(DAY)
    arrays.begin_day(day, day.regular_ns)
    rows = arrays.rows
    for field in (k.BID, k.ASK, k.MARK, k.LAST, k.OPEN, k.HIGH, k.LOW):
        rows[:, field] = rng.integers(10**9, 10**12, symbols)
    arrays.prev_close[:symbols] = rng.uniform(1, 900, symbols)
    photographer = Photographer(arrays, calendar)

    def once() -> Snapshot:
        taken = photographer.take(
            event_ns=day.regular_ns, feed=Feed("REPLAY", "x", "EQUS.MINI", "mbp-1"),
            health=Health(), closes_known=True, focus="S7",
        )  # fmt: skip
        rank(taken, MetricKey("chg"), ascending=False, rows=taken.by_symbol)
        return taken

    return median_ms(once)


def median_ms(work: Callable[[], object], times: int = 100) -> float:
    """Return the median milliseconds of some work."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


def our_frame() -> float:
    """Return the milliseconds of drawing every line of the board in view."""
    found: list[float] = []

    async def act(stage: Stage) -> None:
        pictures = [market(12_000, seed) for seed in (1, 2)]
        board = stage.board
        turn = 0

        def frame() -> None:
            nonlocal turn
            turn += 1
            board.show(pictures[turn % 2], float(turn))
            for y in range(board.size.height):
                board.render_line(y)

        frame()
        found.append(median_ms(frame))

    on_stage(act, snapshot=market(12_000), size=SIZE)
    return found[0]


def data_table_frame() -> float:
    """Return the milliseconds of a DataTable with the same rows and columns, all cells updated."""
    columns = layout_for(SIZE[0]).columns
    found: list[float] = []

    class Peer(App[None]):
        def compose(self) -> ComposeResult:
            yield DataTable()

    async def run() -> None:
        app = Peer()
        async with app.run_test(size=SIZE) as pilot:
            table = app.query_one(DataTable)
            heads = ["#", "SYMBOL", *(str(column.key) for column in columns), "SPARK"]
            for head in heads:
                table.add_column(head, key=head, width=8)
            rows = [table.add_row(*["x"] * len(heads), key=str(n)) for n in range(36)]
            await pilot.pause()
            turn = 0

            def frame() -> None:
                nonlocal turn
                turn += 1
                for row in rows:
                    for head in heads:
                        table.update_cell(row, head, f"{turn:.2f}")
                for y in range(table.size.height):
                    table.render_line(y)

            frame()
            found.append(median_ms(frame, 30))

    asyncio.run(run())
    return found[0]


class Terminal:
    """The program in a pseudo-terminal of 140×40."""

    def __init__(self, *arguments: str) -> None:
        self.began = time.perf_counter()
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm-256color"
            os.execv(sys.executable, [sys.executable, "-m", "stockscan_tui", *arguments])  # noqa: S606
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))

    def read(self, timeout_s: float) -> bytes:
        """Return what comes next, empty when nothing came in time."""
        ready, _, _ = select.select([self.descriptor], [], [], timeout_s)
        try:
            return os.read(self.descriptor, 1 << 16) if ready else b""
        except OSError:
            return b""

    def until(self, text: bytes) -> float:
        """Return the seconds since the start until `text` was written."""
        seen = b""
        while text not in seen:
            seen = seen[-200:] + self.read(30)
        return time.perf_counter() - self.began

    def lag_ms(self, key: bytes) -> float:
        """Return the milliseconds from a key to the next output, begun in a quiet moment."""
        while self.read(0.025):
            pass
        began = time.perf_counter()
        os.write(self.descriptor, key)
        self.read(5)
        return (time.perf_counter() - began) * 1e3

    def rss_mb(self) -> float:
        """Return the resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def close(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)


def key_lags(path: Path, count: int = 300) -> list[float]:
    """Return the lags of keys while a day is replayed at full speed, over and over."""
    lags: list[float] = []
    while len(lags) < count:
        terminal = Terminal("replay", str(path), "--speed", "max")
        terminal.until(b"SYMBOL")
        deadline = time.perf_counter() + 2.0
        while time.perf_counter() < deadline and len(lags) < count:
            lags.append(terminal.lag_ms(b"j" if len(lags) % 2 else b"k"))
        terminal.close()
    return sorted(lags)


def starts() -> tuple[float, float, float]:
    """Return seconds of --help, of the demo's first screen and of its first rows."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "stockscan_tui", "--help"], capture_output=True, check=True
    )
    helped = time.perf_counter() - began
    terminal = Terminal("demo")
    first = terminal.until(b"simulated market")
    rows = terminal.until(b"SYMBOL")
    terminal.close()
    return helped, first, rows


def main(records: int = 20_000_000) -> None:
    """Print the table."""
    path = day_file(records, 12_000)
    print(f"snapshot, rank and sort, 12,000 symbols {snapshot_and_rank():7.2f} ms  (≤ 3)")
    frame, peer = our_frame(), data_table_frame()
    print(f"one frame of the board at 140×40        {frame:7.2f} ms  (≤ 6)")
    print(f"DataTable, the same rows and columns    {peer:7.2f} ms  ({peer / frame:.1f} ×)")
    starts()
    helped, first, rows = (statistics.median(x) for x in zip(*(starts() for _ in range(3)),
                                                             strict=True))  # fmt: skip
    print(f"stockscan --help                        {helped:7.2f} s   (≤ 0.2)")
    print(f"demo: first screen                      {first:7.2f} s   (≤ 1)")
    print(f"demo: first rows                        {rows:7.2f} s   (≤ 2)")
    lags = key_lags(path)
    p99 = lags[int(len(lags) * 0.99)]
    print(f"key to screen at max, p50 / p99         {statistics.median(lags):4.0f} / {p99:.0f} ms"
          f"  (≤ 50, {len(lags)} keys)")  # fmt: skip
    terminal = Terminal("replay", str(path), "--speed", "max")
    terminal.until(b"end of file")
    print(f"resident memory at the day's end        {terminal.rss_mb():7.0f} MB  (≤ 500)")
    terminal.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000_000)
