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
from dataclasses import replace
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
from stockscan_tui.market.vitals import Lag
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.gates import SHIPPED
from stockscan_tui.scan.picking import Picker
from stockscan_tui.ui.columns import layout_for
from stockscan_tui.ui.screens.health import HealthScreen
from stockscan_tui.ui.screens.symbol import SymbolScreen
from tests.bench.live_tapes import burst_tape
from tests.bench.material import DAY, day_file
from tests.ui.driving import Stage, on_stage
from tests.ui.market import focus, market, passed

SIZE = (140, 40)


FILTER = "chg > 5 and rvol > 3 and mark < 20 and spread_pct < 2 and vwap_pct > 0"


def snapshot_and_rank(symbols: int = 12_000, text: str = "") -> float:
    """Return the milliseconds of a picture of the market, filtered, gated and ordered by change."""
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
    arrays.average_volume[:symbols] = rng.integers(1, 10**6, symbols)
    photographer = Photographer(arrays, calendar)
    picker = Picker(gates=SHIPPED if text else None)
    picker.chosen = parse(text)

    def once() -> Snapshot:
        taken = photographer.take(
            event_ns=day.regular_ns, feed=Feed("REPLAY", "x", "EQUS.MINI", "mbp-1"),
            health=Health(), closes_known=True, focus="S7",
        )  # fmt: skip
        rows = picker.pick(taken).rows
        rank(taken, MetricKey("chg"), ascending=False, rows=rows)
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
            board.redraw()
            for y in range(board.size.height):
                board.render_line(y)

        frame()
        found.append(median_ms(frame))

    on_stage(act, snapshot=market(12_000), size=SIZE)
    return found[0]


def panel_frame() -> list[float]:
    """Return the milliseconds of a new picture on the health panel, by size; 12,000 symbols."""
    from tests.ui.test_health import covered, paced, vitals

    found: list[float] = []

    async def act(stage: Stage) -> None:
        await stage.pilot.press("h")
        await stage.until(lambda: isinstance(stage.app.screen, HealthScreen))
        panel = stage.app.screen
        assert isinstance(panel, HealthScreen)
        pictures = [
            replace(
                market(12_000, seed),
                coverage=covered(12_000, unknown=seed),
                vitals=vitals(pace=paced(seed / 2), rss_mb=400.0 + seed),
            )
            for seed in (1, 2)
        ]
        turn = 0

        def frame() -> None:
            nonlocal turn
            turn += 1
            # Each time anew: what a picture keeps of itself is reckoned once for all screens.
            panel.show(replace(pictures[turn % 2], cache={}), Lag())

        frame()
        found.append(median_ms(frame))

    for size in ((80, 24), (120, 36), (200, 60)):
        on_stage(act, snapshot=market(12_000), size=size)
    return found


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


def symbol_frame(size: tuple[int, int]) -> tuple[float, float]:
    """Return the milliseconds of opening a symbol and of the next picture of it, all drawn.

    Opening is from the key's action to the last line of the screen, its styles and sizes known.
    """
    found: list[tuple[float, float]] = []

    async def act(stage: Stage) -> None:
        await stage.pilot.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, SymbolScreen))
        screen = stage.app.screen
        assert isinstance(screen, SymbolScreen)
        await stage.pilot.pause(0.2)
        pictures = [focus(market(240, seed), screen.symbol) for seed in (1, 2)]
        names = pictures[0].symbols
        turn = 0

        def draw() -> None:
            screen._compositor.render_strips()

        def opened() -> None:
            nonlocal turn
            turn += 1
            screen.begin(names[turn % 60], pictures[0], float(turn))
            draw()

        def shown() -> None:
            nonlocal turn
            turn += 1
            screen.show(pictures[turn % 2], float(turn))
            draw()

        found.append((median_ms(opened, 40), median_ms(shown, 40)))

    on_stage(act, snapshot=passed(market(240)), size=size)
    return found[0]


def opening_lags(path: Path, count: int = 60, *, speed: str = "60") -> list[float]:
    """Return the lags of Enter on the board, from the key to the symbol's screen."""
    terminal = Terminal("replay", str(path), "--speed", speed)
    terminal.until(b"SYMBOL")
    terminal.drain(4.0)
    lags: list[float] = []
    while len(lags) < count:
        lags.append(terminal.lag_ms(b"\r"))
        terminal.drain(0.1)
        terminal.lag_ms(b"1")
        terminal.lag_ms(b"j")
    terminal.close()
    return sorted(lags)


class Terminal:
    """The program in a pseudo-terminal, of 140×40 unless told."""

    def __init__(self, *arguments: str, size: tuple[int, int] = SIZE) -> None:
        self.began = time.perf_counter()
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm-256color"
            os.execv(sys.executable, [sys.executable, "-m", "stockscan_tui", *arguments])  # noqa: S606
        shape = struct.pack("HHHH", size[1], size[0], 0, 0)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, shape)

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

    def cpu_s(self) -> float:
        """Return the processor time used so far, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def drain(self, seconds: float) -> None:
        """Read what comes for that long."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            self.read(until - time.perf_counter())

    def close(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)


def key_lags(
    path: Path, count: int = 300, *, speed: str = "max", size: tuple[int, int] = SIZE
) -> list[float]:
    """Return the lags of keys while a day is replayed, over and over."""
    lags: list[float] = []
    while len(lags) < count:
        terminal = Terminal("replay", str(path), "--speed", speed, size=size)
        terminal.until(b"SYMBOL")
        deadline = time.perf_counter() + (2.0 if speed == "max" else 20.0)
        while time.perf_counter() < deadline and len(lags) < count:
            lags.append(terminal.lag_ms(b"j" if len(lags) % 2 else b"k"))
        terminal.close()
    return sorted(lags)


def idle_percent(path: Path) -> float:
    """Return the share of one core, in percent, that a board uses while nothing comes."""
    terminal = Terminal("replay", str(path), "--speed", "60")
    terminal.until(b"SYMBOL")
    terminal.drain(1.0)
    os.write(terminal.descriptor, b" ")
    terminal.drain(3.0)
    before = terminal.cpu_s()
    terminal.drain(10.0)
    used = terminal.cpu_s() - before
    terminal.close()
    return used / 10.0 * 100.0


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
    filtered = snapshot_and_rank(text=FILTER)
    print(f"  with a filter of five terms and gates {filtered:7.2f} ms  (≤ 5)")
    frame, peer = our_frame(), data_table_frame()
    print(f"one frame of the board at 140×40        {frame:7.2f} ms  (≤ 6)")
    frames = " / ".join(f"{ms:.1f}" for ms in panel_frame())
    print(f"a new picture on the health panel       {frames} ms  (≤ 3; 80×24, 120×36, 200×60)")
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
    hour = burst_tape(records)
    for size in ((80, 24), (200, 60)):
        lags = key_lags(hour, speed="54", size=size)
        p99 = lags[int(len(lags) * 0.99)]
        print(f"  at 300,000 records/s, {size[0]}×{size[1]}, p50 / p99 "
              f"{statistics.median(lags):5.0f} / {p99:.0f} ms  (≤ 25 / 50)")  # fmt: skip
    for size in ((80, 24), (120, 36), (200, 60)):
        opened, shown = symbol_frame(size)
        print(f"symbol at {size[0]}×{size[1]}: opening / picture  {opened:7.1f} / {shown:.1f} ms")
    for speed in ("60", "max"):
        lags = opening_lags(path, speed=speed)
        p99 = lags[int(len(lags) * 0.99)]
        print(f"Enter to the symbol's chart, {speed:>3}, p50 / p99 "
              f"{statistics.median(lags):4.0f} / {p99:.0f} ms  (≤ 50)")  # fmt: skip
    print(f"one core while nothing comes            {idle_percent(path):7.1f} %  (≤ 3)")
    terminal = Terminal("replay", str(path), "--speed", "max")
    terminal.until(b"end of file")
    print(f"resident memory at the day's end        {terminal.rss_mb():7.0f} MB  (≤ 500)")
    terminal.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000_000)
