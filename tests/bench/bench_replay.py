"""A whole day from file to DuckDB at full speed, beside everything else that could do it.

One run, one file: decompressing and nothing else; `stockscan replay --headless`; the official
client's `to_df` with a pandas group-by; polars and DuckDB group-bys from Arrow. The last three
only make minute bars of the trades and keep no quotes.

    python -m tests.bench.bench_replay
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.material import day_file, decompress

RECORDS = 20_000_000
_PEER = """
import sys, time, resource
import databento
path, kind = sys.argv[1:]
began = time.perf_counter()
store = databento.DBNStore.from_file(path)
if kind == "pandas":
    frame = store.to_df(pretty_ts=False, price_type="fixed", map_symbols=False).reset_index()
    frame = frame[(frame["action"] == "T") & (frame["size"] > 0)]
    frame["minute"] = frame["ts_recv"] // 60_000_000_000
    groups = frame.groupby(["instrument_id", "minute"], sort=False)
    bars = groups.agg(open=("price", "first"), high=("price", "max"), low=("price", "min"),
                      close=("price", "last"), volume=("size", "sum"), trades=("size", "count"))
    count = len(bars)
else:
    import numpy as np, pyarrow
    rows = store.to_ndarray()
    names = ("instrument_id", "ts_recv", "price", "size", "action")
    columns = {n: np.ascontiguousarray(rows[n]) for n in names if n != "action"}
    columns["trade"] = rows["action"] == b"T"
    table = pyarrow.table(columns)
    if kind == "polars":
        import polars as pl
        bars = (pl.from_arrow(table).lazy().filter(pl.col("trade") & (pl.col("size") > 0))
                .with_columns(minute=pl.col("ts_recv") // 60_000_000_000)
                .group_by("instrument_id", "minute", maintain_order=True)
                .agg(open=pl.col("price").first(), high=pl.col("price").max(),
                     low=pl.col("price").min(), close=pl.col("price").last(),
                     volume=pl.col("size").sum(), trades=pl.len()).collect())
        count = bars.height
    else:
        import duckdb
        bars = duckdb.sql('''SELECT instrument_id, ts_recv // 60000000000 AS minute,
            first(price), max(price), min(price), last(price), sum(size), count(*)
            FROM "table" WHERE trade AND size > 0 GROUP BY ALL''').fetchnumpy()
        count = len(bars["minute"])
took = time.perf_counter() - began
print(took, count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def ours(path: Path) -> tuple[float, int, int]:
    """Return seconds, bars and peak MB of a headless replay."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "stockscan_tui", "replay", str(path), "--headless", "--json",
            "--leaders", "0", "--db", f"{folder}/bars.duckdb",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        last = process.stdout.read().splitlines()[-1]
        _, _, usage = os.wait4(process.pid, 0)
    summary = json.loads(last)
    return summary["elapsed_s"], summary["bars"], usage.ru_maxrss // 1024


def peer(path: Path, kind: str) -> tuple[float, int, int]:
    """Return seconds, bars and peak MB of another way to the bars."""
    command = [sys.executable, "-W", "ignore", "-c", _PEER, str(path), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    took, count, peak = done.stdout.split()
    return float(took), int(count), int(peak)


def alone(path: Path) -> tuple[float, int, int]:
    """Return seconds of decompressing."""
    began = time.perf_counter()
    decompress(path)
    return time.perf_counter() - began, 0, 0


def main(records: int = RECORDS) -> None:
    """Print the table."""
    path = day_file(records, 12_000)
    ways: dict[str, Callable[[Path], tuple[float, int, int]]] = {
        "decompress and nothing else": alone,
        "stockscan replay --headless": ours,
        "to_df + pandas group-by": lambda p: peer(p, "pandas"),
        "polars group-by from Arrow": lambda p: peer(p, "polars"),
        "DuckDB group-by from Arrow": lambda p: peer(p, "duckdb"),
    }
    ours(path)  # compiles and warms the file's cache
    took = {}
    print(f"{'':<34}{'s':>7}{'M rec/s':>9}{'bars':>10}{'peak MB':>9}")
    for name, way in ways.items():
        seconds, bars, peak = min(way(path) for _ in range(3 if "group" not in name else 1))
        took[name] = seconds
        print(f"{name:<34}{seconds:>7.2f}{records / seconds / 1e6:>9.2f}{bars:>10,}{peak:>9,}")
    base = took["stockscan replay --headless"]
    print(f"of the decompressor's rate {took['decompress and nothing else'] / base:.2f} (≥ 0.6)")
    for name, limit in (("pandas", 10), ("polars", 3), ("DuckDB", 3)):
        other = next(seconds for way, seconds in took.items() if name in way)
        print(f"against {name:<8} {other / base:6.1f} × (≥ {limit})")
    wide = day_file(records, 120_000)
    seconds, bars, peak = min(ours(wide) for _ in range(3))
    print(f"{'120,000 instruments':<34}{seconds:>7.2f}{records / seconds / 1e6:>9.2f}"
          f"{bars:>10,}{peak:>9,}")  # fmt: skip
    print(f"cost a record, 120,000 : 12,000   {seconds / base:.2f} (≤ 1.5)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS)
