"""Twenty rules over a whole day, beside pandas with one rule over the same day's bars.

The peer makes minute bars of the trades by pandas and looks for one rule's firings in them:
`chg(5m) >= 3`, fired once until it no longer holds. It follows none of them.

    python -m tests.bench.bench_backtest
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.material import day_file

RECORDS = 20_000_000
RULES = (
    ("move 3", "move = 3"),
    ("move 5", "move = 5"),
    ("move 10", "move = 10"),
    ("gap up", 'when = "gap >= 4 and minutes_open 0..30"'),
    ("gap down", 'when = "gap <= -4 and minutes_open 0..30"'),
    ("running up", 'when = "chg(5m) >= 3 and dvol(5m) >= 50k"'),
    ("running down", 'when = "chg(5m) <= -3 and dvol(5m) >= 50k"'),
    ("spike", 'when = "bar_rvol >= 5 and dvol(1m) >= 50k"'),
    ("relative volume", 'when = "rvol >= 3"'),
    ("near high", 'when = "crosses_above(hod_pct(day), -0.5) and range_pct(day) >= 3"'),
    ("near low", 'when = "crosses_below(lod_pct(day), 0.5) and range_pct(day) >= 3"'),
    ("breakout", 'when = "crosses_above(mark, or_high(15m))"'),
    ("breakdown", 'when = "crosses_below(mark, or_low(15m))"'),
    ("vwap up", 'when = "crosses_above(mark, vwap)"'),
    ("vwap down", 'when = "crosses_below(mark, vwap)"'),
    ("ema up", 'when = "crosses_above(ema(9), ema(20))"'),
    ("ema down", 'when = "crosses_below(ema(9), ema(20))"'),
    ("rsi high", 'when = "rsi(14) >= 70"'),
    ("halted", 'when = "halt"'),
    ("tight", 'when = "spread_pct < 0.2 and chg(5m) >= 2"'),
)
FILTER = 'filter = "trades >= 50 and dvol >= 100k and not warrant"'
_PEER = """
import sys, time
import databento, pandas as pd
began = time.perf_counter()
frame = databento.DBNStore.from_file(sys.argv[1]).to_df(
    price_type="fixed", map_symbols=False).reset_index()
frame = frame[(frame["action"] == "T") & (frame["size"] > 0)]
frame["minute"] = pd.to_datetime(frame["ts_recv"]).dt.floor("min")
close = frame.groupby(["minute", "instrument_id"])["price"].last().unstack()
close = close.resample("1min").last().ffill()
held = close.pct_change(5, fill_method=None) >= 0.03
fired = held & ~held.shift(1, fill_value=False)
print(time.perf_counter() - began, int(fired.sum().sum()))
"""


def ours(path: Path, rules: Path) -> tuple[float, int]:
    """Return seconds (with the program's start) and firings of a backtest."""
    command = [
        sys.executable, "-m", "stockscan_tui", "backtest", str(rules), str(path),
        "--format", "json", "--offline",
    ]  # fmt: skip
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    took = time.perf_counter() - began
    return took, sum(rule["firings"] for rule in json.loads(done.stdout)["rules"])


def peer(path: Path) -> tuple[float, int]:
    """Return seconds and firings of one rule by pandas."""
    command = [sys.executable, "-W", "ignore", "-c", _PEER, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    took, fired = done.stdout.split()
    return float(took), int(fired)


def main(records: int = RECORDS) -> None:
    """Print the table."""
    path = day_file(records, 12_000)
    with TemporaryDirectory() as folder:
        every, one = Path(folder) / "rules.toml", Path(folder) / "one.toml"
        texts = [f'[[rule]]\nname = "{name}"\n{said}\n{FILTER}\n' for name, said in RULES]
        every.write_text("\n".join(texts), "utf-8")
        one.write_text('[[rule]]\nname = "up"\nwhen = "chg(5m) >= 3"\n', "utf-8")
        ours(path, every)  # compiles and warms the file's cache
        print(f"{'':<34}{'s':>7}{'M rec/s':>9}{'firings':>10}")
        took = {}
        for name, rules in ((f"{len(RULES)} rules", every), ("one rule", one)):
            took[name], fired = min(ours(path, rules) for _ in range(3))
            print(f"{name:<34}{took[name]:>7.2f}{records / took[name] / 1e6:>9.2f}{fired:>10,}")
        seconds, fired = peer(path)
        name = "one rule by to_df and pandas"
        print(f"{name:<34}{seconds:>7.2f}{records / seconds / 1e6:>9.2f}{fired:>10,}")
        print(
            f"{len(RULES)} rules, M records/s a core   {records / took['20 rules'] / 1e6:.2f} (≥ 2)"
        )
        print(f"one rule against pandas      {seconds / took['one rule']:6.1f} ×")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS)
