"""Holds a whole database against what pandas makes of the tape that was served.

    python -m tests.soak.oracle TAPE DATABASE

A process of its own: the tape is read by the official client, the bars are pandas' and the
database is read by DuckDB; of the program itself only the calendar of New York's time is used.
Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd

_PIECE = 2_000_000
_MINUTE_NS = 60_000_000_000
_COLUMNS = ["ts_recv", "instrument_id", "price", "size"]
_VALUES = ["open", "high", "low", "close", "volume"]
_COUNTED = ["trades", "notional"]
_STORED = """
    SELECT symbol, epoch_us(ts) // 60000000 AS minute, open, high, low, close, volume, trades,
        notional_dollars, notional_nanos, source
    FROM bars JOIN symbols ON symbols.id = bars.symbol_id
"""
_MOST_SHOWN = 10


def traded(tape: Path) -> pd.DataFrame:
    """Return the tape's trades by its own order, with their symbols."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import databento

        store = databento.DBNStore.from_file(tape)
        pieces = []
        for rows in store.to_ndarray(count=_PIECE):
            kept = rows[(rows["action"] == b"T") & (rows["size"] > 0)]
            pieces.append(pd.DataFrame({name: kept[name].astype("int64") for name in _COLUMNS}))
    trades = pd.concat(pieces, ignore_index=True)
    return _named(trades, dict(store.metadata.mappings))


def _named(trades: pd.DataFrame, mappings: dict[str, Any]) -> pd.DataFrame:
    """Add each trade's symbol: that of its number on its UTC date."""
    spans = [
        (pd.Timestamp(span["start_date"]).value // 86_400_000_000_000 + day, int(span["symbol"]), s)
        for s, each in mappings.items()
        for span in each
        for day in range((span["end_date"] - span["start_date"]).days)
    ]
    known = pd.DataFrame(spans, columns=["day", "instrument_id", "symbol"])
    trades["day"] = trades["ts_recv"] // 86_400_000_000_000
    return trades.merge(known, on=["day", "instrument_id"], how="left", validate="many_to_one")


def expected(trades: pd.DataFrame) -> pd.DataFrame:
    """Return the bars of the trades."""
    trades["minute"] = trades["ts_recv"] // _MINUTE_NS
    trades["notional"] = trades["price"] * trades["size"]
    by = trades.groupby(["symbol", "minute"], sort=False)
    return by.agg(
        open=("price", "first"),
        high=("price", "max"),
        low=("price", "min"),
        close=("price", "last"),
        volume=("size", "sum"),
        trades=("size", "size"),
        notional=("notional", "sum"),
    ).reset_index()


def stored(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the database's bars in the same form."""
    bars = connection.execute(_STORED).df()
    for name in ("open", "high", "low", "close"):
        bars[name] = np.round(bars[name] * 1e9).astype("int64")
    dollars, nanos = bars.pop("notional_dollars"), bars.pop("notional_nanos")
    bars["notional"] = dollars * 1_000_000_000 + nanos
    return bars


def bars_compared(tape: Path, connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return how the database's bars compare with the tape's."""
    bars = stored(connection)
    twice = int(bars.duplicated(["symbol", "minute"]).sum())
    both = expected(traded(tape)).merge(
        bars, on=["symbol", "minute"], how="outer", suffixes=("", "_own"), indicator=True
    )
    common = both[both["_merge"] == "both"]
    wrong = (common[_VALUES].to_numpy() != common[[f"{n}_own" for n in _VALUES]].to_numpy()).any(1)
    # Bars that were fetched have neither count nor notional.
    own = common[common["source"] == 0]
    miscounted = (own[_COUNTED].to_numpy() != own[[f"{n}_own" for n in _COUNTED]].to_numpy()).any(1)
    missing, surplus = (both[both["_merge"] == side] for side in ("left_only", "right_only"))
    sources = common["source"].astype("int64").value_counts().to_dict()
    return {
        "expected": int((both["_merge"] != "right_only").sum()),
        "stored": len(bars),
        "twice": twice,
        "equal": int((~wrong).sum()),
        "missing": len(missing),
        "surplus": len(surplus),
        "differing": int(wrong.sum()),
        "miscounted": int(miscounted.sum()),
        "by_source": {f"{key}": int(value) for key, value in sources.items()},
        "shown": [
            *_shown("missing", missing), *_shown("surplus", surplus),
            *_shown("differing", common[wrong]), *_shown("miscounted", own[miscounted]),
        ],
    }  # fmt: skip


def _shown(kind: str, rows: pd.DataFrame) -> list[str]:
    found = []
    for given in rows.head(_MOST_SHOWN).to_dict("records"):
        row = {str(key): value for key, value in given.items()}
        when = pd.Timestamp(int(row["minute"]) * _MINUTE_NS, tz="UTC").tz_convert(
            ZoneInfo("America/New_York")
        )
        own = {key: value for key, value in row.items() if key.endswith("_own") or key == "source"}
        found.append(f"{kind} {row['symbol']} {when:%a %H:%M} {own}")
    return found


def account(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return whether verdicts add up, which alerts are there twice, and what became of gaps."""

    def one(statement: str) -> list[Any]:
        return list(connection.execute(statement).fetchone() or ())

    symbols, uneven = one(
        "SELECT count(*), count(*) FILTER (traded + backfilled + quiet + missing + unknown "
        "<> elapsed) FROM coverage"
    )
    lost = connection.execute(
        "SELECT session_date::VARCHAR, sum(missing)::BIGINT, sum(unknown)::BIGINT, max(elapsed) "
        "FROM coverage GROUP BY 1 ORDER BY 1"
    ).fetchall()
    (alerts_twice,) = one(
        "SELECT count(*) FROM (SELECT 1 FROM alerts GROUP BY symbol, rule, ts HAVING count(*) > 1)"
    )
    gaps, healed, open_ones = one(
        "SELECT count(*), count(healed_at), count(*) FILTER (to_ts IS NULL) FROM feed_gaps"
    )
    unhealed = connection.execute(
        "SELECT session_date::VARCHAR, from_ts::VARCHAR, to_ts::VARCHAR, reason FROM feed_gaps "
        "WHERE healed_at IS NULL"
    ).fetchall()
    days = connection.execute(
        "SELECT session_date::VARCHAR, records, trades, bars, gaps, healed, completeness, "
        "compared, equal, differing, lacking, surplus, late, unmapped FROM days ORDER BY 1"
    ).fetchall()
    return {
        "coverage_rows": symbols,
        "coverage_uneven": uneven,
        "lost": lost,
        "alerts": one("SELECT count(*) FROM alerts")[0],
        "alerts_twice": alerts_twice,
        "gaps": gaps,
        "healed": healed,
        "open": open_ones,
        "unhealed": unhealed[:_MOST_SHOWN],
        "differences": one("SELECT count(*) FROM bar_differences")[0],
        "days": days,
    }


def main() -> None:
    """Print what was found."""
    tape, database = map(Path, sys.argv[1:3])
    with duckdb.connect(str(database), read_only=True) as connection:
        found = bars_compared(tape, connection) | account(connection)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
