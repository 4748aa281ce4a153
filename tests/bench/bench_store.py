"""The store's figures: rows written a second, and a symbol read while the writer is busy.

Run it with `python -m tests.bench.bench_store`; `--rows` makes the large database smaller.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Semaphore, Thread
from time import perf_counter
from typing import cast

import duckdb
import numpy as np
from numpy.typing import NDArray

from stockscan_tui.feed.splits import Splits
from stockscan_tui.market.batch import BarBatch, Batch
from stockscan_tui.market.calendar import MINUTE_NS, Calendar
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.run.study import Studies
from stockscan_tui.store.database import connect_file
from stockscan_tui.store.schema import migrate
from stockscan_tui.store.writer import Writer

SYMBOLS = 12_000
DAY_MINUTES = 960
DAY_ROWS = 2_500_000
FIRST_MINUTE = 28_400_000
NAMES = tuple(f"S{number:05d}" for number in range(SYMBOLS))

# A day's 960 minutes in chunks of 8, each chunk's rows symbol by symbol, as the writer puts them.
FILL = """
INSERT INTO bars SELECT
    (spot // 8)::INTEGER, make_timestamp((minute + day * 1440) * 60000000),
    price, price + 0.05, price - 0.05, price + 0.01, 100 + noise % 100000, 1 + noise % 500,
    noise % 10000000, (noise % 1000000000)::INTEGER, noise % 1000000000, 59000000000 + noise % 997,
    0, 1
FROM (
    SELECT day, spot, noise, 20 + spot // 8 + (noise % 500) / 100 AS price,
        $2 + chunk * 8 + spot % 8 AS minute
    FROM (
        SELECT range // 2500000 AS day, range % 2500000 // 20834 AS chunk,
            range % 2500000 % 20834 AS spot, (hash(range) >> 20)::BIGINT AS noise
        FROM range($1)
    )
)
"""


def day_batches(day: int, rows_at_least: int) -> Iterator[BarBatch]:
    """Yield a day's bars, about 2,600 a minute, in batches of `rows_at_least` and more."""
    random = np.random.default_rng(day)
    share = np.arange(1, SYMBOLS + 1) ** -0.7
    share = np.minimum(1, share / share.sum() * 3_300)
    slots: list[NDArray[np.int64]] = []
    start = 0
    for minute in range(DAY_MINUTES):
        slots.append(np.flatnonzero(random.random(SYMBOLS) < share))
        if sum(map(len, slots)) >= rows_at_least or minute == DAY_MINUTES - 1:
            minutes = np.repeat(np.arange(start, minute + 1), [len(part) for part in slots])
            at = FIRST_MINUTE + day * 1_440 + minutes
            yield bars_of(np.concatenate(slots), at, random)
            slots, start = [], minute + 1


def bars_of(
    slot: NDArray[np.int64], minute: NDArray[np.int64], random: np.random.Generator
) -> BarBatch:
    count = len(slot)
    price = (20_00 + slot + random.integers(0, 500, count)) * 10_000_000
    return BarBatch(
        slot=slot.astype(np.int32),
        minute=minute,
        open=price,
        high=price + 50_000_000,
        low=price - 50_000_000,
        close=price + 10_000_000,
        volume=random.integers(1, 100_000, count),
        trades=random.integers(1, 500, count),
        notional_dollars=random.integers(1, 10_000_000, count),
        notional_nanos=random.integers(0, 10**9, count),
        first_ns=minute * MINUTE_NS + random.integers(0, 10**9, count),
        last_ns=minute * MINUTE_NS + random.integers(59 * 10**9, 60 * 10**9, count),
        source=np.zeros(count, np.uint8),
    )


def write_day(path: Path, rows_at_least: int) -> None:
    """Print how fast one day's bars go in through the writer."""
    batches = list(day_batches(0, rows_at_least))
    rows = sum(map(len, batches))
    slowest_ms = 0.0
    writer = Writer.open(path, dataset="BENCH", capacity=1)
    start = perf_counter()
    for serial, bars in enumerate(batches):
        writer.put(Batch(serial, symbols=NAMES if serial == 0 else (), bars=bars))
        slowest_ms = max(slowest_ms, writer.status().last_batch_ms)
    writer.close(60)
    took_s = perf_counter() - start
    print(
        f"write {rows:>10,} rows in {len(batches):>3} batches   {rows / took_s:>9,.0f} rows/s   "
        f"slowest batch {slowest_ms:.0f} ms   {path.stat().st_size / 1e6:.0f} MB"
    )


def fill(path: Path, rows: int) -> None:
    """Make a database of `rows` bars, 2.5 million a day."""
    connection = connect_file(path, read_only=False)
    migrate(connection, path.name, "BENCH")
    connection.execute("SET memory_limit = '1GB'")
    names: list[list[object]] = [list(range(SYMBOLS)), list(NAMES)]
    connection.execute("INSERT INTO symbols SELECT unnest($1), unnest($2)", names).fetchall()
    connection.execute(FILL, [rows, FIRST_MINUTE]).fetchall()
    connection.close()


def read_while_writing(path: Path, day: int, limit_ms: float, title: str) -> None:
    """Print how long a symbol's day takes while another day is being written."""
    later = list(day_batches(400, 20_000))
    stop = Event()
    writer = Writer.open(path, dataset="BENCH", capacity=2)
    reader = writer.reader()

    def feed() -> None:
        serial = 0
        while not stop.is_set():
            bars = later[serial % len(later)]
            writer.put(Batch(serial, symbols=NAMES if serial == 0 else (), bars=bars))
            serial += 1

    feeder = Thread(target=feed)
    feeder.start()
    start_ns = (FIRST_MINUTE + day * 1_440) * MINUTE_NS
    end_ns = start_ns + DAY_MINUTES * MINUTE_NS
    start = datetime.fromtimestamp(start_ns // 10**9, UTC).replace(tzinfo=None)
    cursor = writer._cursor()

    def by_view(symbol: str) -> int:
        query = "SELECT * FROM bars_1m WHERE symbol = ? AND ts >= ? AND ts < ?"
        span = [symbol, start, start + timedelta(minutes=DAY_MINUTES)]
        return len(cursor.execute(query, span).fetchnumpy()["ts"])

    report(f"{title}, reader", limit_ms, lambda symbol: len(reader.bars(symbol, start_ns, end_ns)))
    report(f"{title}, plain view", None, by_view)
    report_studies(writer, day, title)
    stop.set()
    feeder.join()
    cursor.close()
    written = writer.status().rows_written
    writer.close(60)
    print(f"{'':>4}{written:,} rows were written meanwhile")


@dataclass(frozen=True)
class _Picture:
    session_date: date
    leap: int = 0


class _Market:
    """A market on one of the stored days; every day is a trading day."""

    def __init__(self, session_date: date) -> None:
        days = (session_date + timedelta(days=back) for back in range(-20, 20))
        self.calendar = Calendar((day, time(16)) for day in days)
        self.splits = Splits()
        self._picture = _Picture(session_date)

    def snapshot(self) -> Snapshot:
        return cast(Snapshot, self._picture)


def report_studies(writer: Writer, day: int, title: str) -> None:
    """Print how long a symbol's screen waits for its today, and for all of its days."""
    at = datetime.fromtimestamp((FIRST_MINUTE + day * 1_440 + DAY_MINUTES // 2) * 60, UTC)
    studies = Studies(_Market(at.date()), writer.reader)
    told = Semaphore(0)
    today_ms, whole_ms = [], []
    today = whole = 0
    for number in range(201):
        start = perf_counter()
        studies.ask(NAMES[number % 25 * 80], told.release)
        told.acquire()
        today_ms.append((perf_counter() - start) * 1e3)
        today = max(today, _bars_of(studies))
        told.acquire()
        whole_ms.append((perf_counter() - start) * 1e3)
        whole = max(whole, _bars_of(studies))
    show(f"{title}, question to today", 50, today_ms, today)
    show(f"{title}, question to all", None, whole_ms, whole)
    studies.stop()
    studies.join(60)


def _bars_of(studies: Studies) -> int:
    study = studies.latest()
    assert study is not None
    assert not study.problem
    return len(study.bars)


def report(title: str, limit_ms: float | None, ask: Callable[[str], int]) -> None:
    took_ms = []
    rows = 0
    for number in range(201):
        start = perf_counter()
        rows = max(rows, ask(NAMES[number % 25 * 80]))
        took_ms.append((perf_counter() - start) * 1e3)
    show(title, limit_ms, took_ms, rows)


def show(title: str, limit_ms: float | None, took_ms: list[float], rows: int) -> None:
    """Print the first of some times, and how the others are spread."""
    first_ms, *later_ms = took_ms
    middle, slow = np.percentile(later_ms, [50, 99])
    limit = f"limit {limit_ms:.0f} ms" if limit_ms is not None else ""
    print(
        f"read  {title:<48} p50 {middle:>6.1f} ms   p99 {slow:>6.1f} ms   "
        f"first {first_ms:>6.1f} ms   up to {rows} rows   {limit}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20 * DAY_ROWS)
    rows = parser.parse_args().rows
    print(f"duckdb {duckdb.__version__}")
    with TemporaryDirectory() as folder:
        minutely, day, days = (Path(folder) / f"{name}.duckdb" for name in ("live", "day", "days"))
        write_day(minutely, 1)
        read_while_writing(minutely, 0, 20, "a day, stored minute by minute")
        write_day(day, 20_000)
        read_while_writing(day, 0, 20, "a day, stored as in replay")
        start = perf_counter()
        fill(days, rows)
        print(f"fill  {rows:>10,} rows in {perf_counter() - start:.0f} s")
        read_while_writing(days, rows // DAY_ROWS // 2, 50, f"a day of {rows / 1e6:.0f} M rows")


if __name__ == "__main__":
    main()
