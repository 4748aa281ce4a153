"""What is in a database, read by plain DuckDB from a copy, and what must hold of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from tests.e2e.torture.lives import BrokenPromiseError
from tests.e2e.torture.material import FIGURES, MARKER, PRICES, Day

# What a recovery calls symbols whose names could not be read.
LOST = "#lost-"
_BARS = """
SELECT symbol, epoch_us(ts) // 60000000 AS minute, open, high, low, close, volume, trades,
    notional_dollars, notional_nanos, source
FROM bars JOIN symbols ON symbols.id = symbol_id
"""
_ALERTS = 'SELECT alert_id, ts, symbol, rule, price, "values", late FROM alerts'
_GAPS = """
SELECT epoch_ns(from_ts) AS from_ns, epoch_ns(to_ts) AS to_ns, reason,
    healed_at IS NOT NULL AS healed
FROM feed_gaps
"""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What a database held.

    Attributes:
        bars: (symbol, minute) to the figures, and `source` (0 trades, 1 ohlcv, 2 backfill).
        alerts: alert_id to the alert.
        gaps: The feed's gaps.
    """

    bars: pd.DataFrame
    alerts: pd.DataFrame
    gaps: pd.DataFrame


def nothing() -> Held:
    """Return what a database holds that is not there yet."""
    index = pd.MultiIndex.from_arrays([[], np.zeros(0, np.int64)], names=["symbol", "minute"])
    bars = pd.DataFrame(index=index, columns=[*FIGURES, "source"])
    return Held(bars, pd.DataFrame(columns=["ts", "symbol", "late"]), pd.DataFrame())


def read(database: Path, scratch: Path) -> Held:
    """Return what a database holds whose program was killed, from a copy of all its files.

    Raises:
        BrokenPromiseError: Plain DuckDB cannot open it, or an alert is there twice.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    if not database.exists():
        return nothing()
    for path in database.parent.glob(f"{database.name}*"):
        if path.suffix not in (".lock", ".owner") and path.is_file():
            shutil.copy(path, scratch / path.name)
    return look(scratch / database.name)


def look(path: Path) -> Held:
    """Return what a database file holds that nobody has open.

    Raises:
        BrokenPromiseError: Plain DuckDB cannot open it, or a key is there twice.
    """
    try:
        with duckdb.connect(str(path)) as connection:
            tables = {str(row[0]) for row in connection.execute("SHOW TABLES").fetchall()}
            if "bars" not in tables:
                return nothing()
            bars = connection.execute(_BARS).df()
            alerts = connection.execute(_ALERTS).df()
            gaps = connection.execute(_GAPS).df()
    except duckdb.Error as error:
        raise BrokenPromiseError(f"DuckDB cannot read {path.name}: {error}") from error
    for name in PRICES:
        bars[name] = (bars[name] * 1e9).round().astype(np.int64)
    bars["notional"] = bars["notional_dollars"] * 10**9 + bars["notional_nanos"]
    bars = bars.set_index(["symbol", "minute"])[[*FIGURES, "source"]]
    alerts = alerts.set_index("alert_id")
    for name, table in (("bar", bars), ("alert", alerts)):
        if table.index.has_duplicates:
            twice = table.index[table.index.duplicated()][:3].tolist()
            raise BrokenPromiseError(f"a {name} is there twice: {twice}")
    return Held(bars, alerts, gaps)


def check_kept(before: Held, after: Held, *, but_minutes_before: int = 0) -> None:
    """Raise unless all that was committed is still there; a bar may have grown, never shrunk.

    Args:
        before: What the database held at the kill before.
        after: What it holds now.
        but_minutes_before: Bars before this minute may have been let go.
    """
    old = before.bars[before.bars.index.get_level_values("minute") >= but_minutes_before]
    gone = old.index.difference(after.bars.index)
    if len(gone):
        raise BrokenPromiseError(f"{len(gone)} committed bars are gone: {gone[:3].tolist()}")
    now = after.bars.loc[old.index]
    counted = (old["source"] == 0) & (now["source"] == 0)
    worse = (
        (now["volume"] < old["volume"])
        | (now["high"] < old["high"])
        | (now["low"] > old["low"])
        | (now["open"] != old["open"])
        | (counted & (now["trades"] < old["trades"]))
    )
    if worse.any():
        at = worse[worse].index[:3]
        raise BrokenPromiseError(
            f"{worse.sum()} committed bars have shrunk: {_rows(old, at)} became {_rows(now, at)}"
        )
    lost = before.alerts.index.difference(after.alerts.index)
    if len(lost):
        raise BrokenPromiseError(f"{len(lost)} committed alerts are gone: {lost[:3].tolist()}")


def check_within(held: Held, day: Day) -> None:
    """Raise if a bar holds more than the tape has of it."""
    symbols = held.bars.index.get_level_values("symbol")
    bars = held.bars[(symbols != MARKER) & ~symbols.str.startswith(LOST)]
    known = bars[bars.index.isin(day.bars.index)]
    minutes = day.bars.index.get_level_values("minute")
    own = bars.index.get_level_values("minute").isin(minutes)
    made_up = bars[own].index.difference(day.bars.index)
    if len(made_up):
        raise BrokenPromiseError(f"bars that the tape does not have: {made_up[:3].tolist()}")
    want = day.bars.loc[known.index]
    worse = (
        (known["volume"] > want["volume"])
        | (known["trades"] > want["trades"])
        | (known["high"] > want["high"])
        | (known["low"] < want["low"])
    )
    if worse.any():
        at = worse[worse].index[:3]
        raise BrokenPromiseError(
            f"bars hold too much: {_rows(known, at)}, the tape {_rows(want, at)}"
        )


def check_whole(held: Held, day: Day, unsure: Iterable[int] = ()) -> None:
    """Raise unless all bars are the tape's.

    Args:
        held: What the database holds at the end.
        day: What was played.
        unsure: Minutes that the program itself says are not whole.
    """
    want = day.bars[~day.bars.index.get_level_values("minute").isin(list(unsure))]
    lacking = want.index.difference(held.bars.index)
    if len(lacking):
        raise BrokenPromiseError(
            f"{len(lacking)} of {len(want)} bars are not there: {lacking[:3].tolist()}; gaps "
            f"{held.gaps.to_dict('records')[:4]}"
        )
    check_within(held, day)
    got = held.bars.loc[want.index]
    counted = (got["source"] == 0).to_numpy()
    wrong = (got[[*PRICES, "volume"]] != want[[*PRICES, "volume"]]).any(axis=1).to_numpy()
    told = ["trades", "notional"]
    wrong = wrong | counted & (got[told] != want[told]).any(axis=1).to_numpy()
    if wrong.any():
        at = want.index[wrong][:3]
        raise BrokenPromiseError(
            f"{wrong.sum()} bars are not the tape's: {_rows(got, at)}, want {_rows(want, at)}"
        )


def check_alerts(held: Held, wanted: Held, end_ns: int) -> None:
    """Raise unless the alerts before `end_ns` are those of a run that nothing happened to."""
    got = held.alerts[held.alerts["ts"] < end_ns]
    want = wanted.alerts[wanted.alerts["ts"] < end_ns]
    lost, more = want.index.difference(got.index), got.index.difference(want.index)
    if len(lost) or len(more):
        raise BrokenPromiseError(
            f"{len(lost)} alerts of {len(want)} are lost ({lost[:3].tolist()}), {len(more)} are "
            f"too many ({more[:3].tolist()})"
        )
    columns = ["ts", "symbol", "rule", "price", "values"]
    got, want = got.loc[want.index, columns], want[columns]
    named = ~got["symbol"].str.startswith(LOST)
    if not got[named].equals(want[named]):
        raise BrokenPromiseError("alerts are not those of the uninterrupted run")


def check_left(folder: Path, database: Path, allowed: Iterable[str] = ()) -> None:
    """Raise if anything lies beside the database that a clean end does not leave."""
    fine = {database.name, f"{database.name}.lock", *allowed}
    left = {path.name for path in folder.glob(f"{database.name}*")} - fine
    if left:
        raise BrokenPromiseError(f"left behind: {sorted(left)}")


def recoveries(folder: Path) -> list[str]:
    """Return the names of the folders in which recoveries have set damaged files aside."""
    return [path.name for path in folder.iterdir() if path.is_dir() and ".damaged-" in path.name]


def unhealed_minutes(held: Held) -> set[int]:
    """Return the minutes that lie in gaps which the database itself shows as open."""
    minutes: set[int] = set()
    for gap in held.gaps.to_dict("records"):
        if not gap["healed"]:
            to_ns = gap["to_ns"] if pd.notna(gap["to_ns"]) else gap["from_ns"] + 60 * 60 * 10**9
            minutes.update(range(int(gap["from_ns"]) // 60 // 10**9, int(to_ns) // 60 // 10**9 + 1))
    return minutes


def _rows(table: pd.DataFrame, at: pd.Index) -> dict[object, list[int]]:
    return {key: table.loc[key, list(FIGURES)].tolist() for key in at}
