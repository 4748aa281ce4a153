"""`backtest` as a command: the engine's own firings, and what pandas says followed them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from threading import Event

import duckdb
import numpy as np
import pandas as pd
import pytest

from stockscan_tui.config.rules import read_rules
from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.errors import InputError
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS
from stockscan_tui.market.dbn import RType
from stockscan_tui.market.fired import Fired
from stockscan_tui.market.kernel import MARK_TRADE
from stockscan_tui.market.snapshot import Feed
from stockscan_tui.run.backtest import SessionOutcome, dry_run
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule
from tests import wire
from tests.e2e.test_headless import SYMBOLS, stockscan
from tests.playing import ListSink, StillClock, next_day, weekdays

RULES = """
[[rule]]
name = "up"
when = "chg(5m) >= 1.5"
filter = "mark > 25"

[[rule]]
name = "moved"
move = 3

[[rule]]
name = "busy"
when = "trades >= 600"
once_a_day = true
enabled = false

[[rule]]
name = "down"
when = "chg(5m) <= -2"
enabled = false
"""
NAMES = {number: symbol for symbol, number in SYMBOLS.items()}
CLOSES = {symbol: 10.0 + 10 * number for symbol, number in SYMBOLS.items()}
DAYS = (wire.DAY, next_day(wire.DAY))


def rows_of(seed: int, day: int) -> wire.Records:
    """Return a day's prints: prices that wander by some percent over 90 minutes."""
    rng = np.random.default_rng(seed)
    count = 20_000
    number = rng.integers(1, 21, count)
    times = wire.OPEN_NS + day * DAY_NS + np.sort(rng.integers(0, 90 * MINUTE_NS, count))
    walk = np.zeros(count)
    for each in SYMBOLS.values():
        own = number == each
        walk[own] = rng.normal(0, 0.002, int(own.sum())).cumsum()
    prices = np.round((10 + 10 * number) * np.exp(walk), 2)
    sizes = rng.integers(1, 500, count)
    return wire.trades(
        list(zip(times.tolist(), number.tolist(), prices.tolist(), sizes.tolist(), strict=True))
    )


ROWS = [rows_of(seed, day) for day, seed in enumerate((1, 2))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two days of trades, the second with closes beside it, and rules."""
    folder = tmp_path_factory.mktemp("backtest")
    for place, (day, rows) in enumerate(zip(DAYS, ROWS, strict=True)):
        spans = {symbol: [(day, next_day(day), number)] for symbol, number in SYMBOLS.items()}
        start_ns = wire.OPEN_NS + place * DAY_NS
        head = wire.metadata("trades", mappings=spans, start_ns=start_ns)
        wire.write(folder / f"{day}.trades.dbn.zst", head, rows)
    lines = ["symbol,close", *(f"{symbol},{close}" for symbol, close in CLOSES.items())]
    (folder / "closes.csv").write_text("\n".join(lines), "utf-8")
    (folder / "rules.toml").write_text(RULES, "utf-8")
    return folder


@pytest.fixture(scope="module")
def beside(folder: Path) -> Path:
    """Return the second day's trades with closes of the first beside them."""
    midnight_ns = wire.OPEN_NS // DAY_NS * DAY_NS
    closes = [(number, CLOSES[symbol]) for symbol, number in SYMBOLS.items()]
    bars = wire.ohlcv(
        [(midnight_ns, number, close, close, close, close, 1_000) for number, close in closes],
        rtype=RType.OHLCV_1D,
    )
    place = folder / "beside"
    place.mkdir()
    wire.write(place / "day.ohlcv-1d.dbn", wire.metadata("ohlcv-1d", SYMBOLS), bars)
    trades = place / "day.trades.dbn.zst"
    trades.write_bytes((folder / f"{DAYS[1]}.trades.dbn.zst").read_bytes())
    return trades


def files(folder: Path) -> list[Path]:
    return [folder / f"{day}.trades.dbn.zst" for day in DAYS]


def backtest(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return stockscan(folder, "backtest", folder / "rules.toml", *arguments, "--offline")


def table(folder: Path, *arguments: str | Path) -> pd.DataFrame:
    """Return the firings, a row each."""
    made = folder / "made.parquet"
    done = backtest(folder, *arguments, "--output", made)
    assert done.returncode == 0, done.stderr
    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet(?)", [str(made)]).df()


def engine_fires(folder: Path, closes: dict[str, float]) -> list[Fired]:
    """Return what the engine fires over both days as one timeline."""
    engine = ReplayEngine(
        [DbnFile(path) for path in files(folder)],
        Surroundings(
            calendar=weekdays(),
            closes=PreviousCloses(weekdays()),
            sink=ListSink(),
            clock=StillClock(),
            undated=closes,
        ),
        Options(
            Feed("REPLAY", "test", "EQUS.MINI", "trades"),
            mark_mode=MARK_TRADE,
            refresh_s=float("inf"),
            rules=read_rules(folder / "rules.toml"),
        ),
    )
    fired: list[Fired] = []
    engine.on_fired(fired.extend)
    engine.start()
    assert engine.join(60)
    engine.outcome()
    return fired


def marks(rows: wire.Records) -> pd.DataFrame:
    """Return the last trade's price at each minute's close, by the close's ns and symbol."""
    frame = pd.DataFrame(
        {
            "close_ns": (rows["ts_recv"].astype(np.int64) // MINUTE_NS + 1) * MINUTE_NS,
            "symbol": [NAMES[number] for number in rows["instrument_id"].tolist()],
            "price": rows["price"] / 1e9,
        }
    )
    last = frame.groupby(["close_ns", "symbol"])["price"].last().unstack()
    return last.reindex(range(int(last.index[0]), int(last.index[-1]) + 1, MINUTE_NS)).ffill()


def test_firings_are_the_engines_and_what_followed_is_as_pandas_has_it(folder: Path) -> None:
    found = table(folder, *files(folder), "--mark", "trade", "--prev-close", folder / "closes.csv")
    wanted = engine_fires(folder, CLOSES)
    ns = found["ts"].astype("datetime64[ns]").astype(np.int64)
    assert list(zip(ns, found["symbol"], found["rule"], found["price"], strict=True)) == [
        (each.ts_ns, each.symbol, each.rule, each.price) for each in wanted
    ]
    # The second day's closes are the first day's last trades.
    assert found.groupby("rule")["session_date"].nunique().to_dict() == {"moved": 2, "up": 2}
    by_day = {str(day): marks(rows) for day, rows in zip(DAYS, ROWS, strict=True)}
    for at, (_, row) in zip(ns.tolist(), found.iterrows(), strict=True):
        day = by_day[row["session_date"]]
        for name, minutes in (("1m", 1), ("15m", 15), ("60m", 60)):
            end = -(-at // MINUTE_NS) * MINUTE_NS + minutes * MINUTE_NS
            back = day[row["symbol"]].get(end, np.nan) / row["price"] * 100 - 100
            assert row[f"return_{name}_pct"] == pytest.approx(back, nan_ok=True)
            both = day.reindex([at // MINUTE_NS * MINUTE_NS, end]).T
            market = (both.iloc[:, 1] / both.iloc[:, 0] * 100 - 100).median()
            assert row[f"market_{name}_pct"] == pytest.approx(market, nan_ok=True, abs=1e-9)


def test_days_with_closes_of_their_own_are_played_at_once_and_come_to_the_same(
    folder: Path, beside: Path
) -> None:
    days = [files(folder)[0], beside]
    said = [backtest(folder, *days, "--jobs", str(jobs), "--format", "json") for jobs in (1, 2)]
    alone, together = (json.loads(each.stdout) for each in said)
    assert alone == together
    assert [day["session_date"] for day in alone["days"]] == [str(day) for day in DAYS]
    assert alone["whole"]
    assert [rule["rule"] for rule in alone["rules"]] == ["up", "moved"]
    for rule in alone["rules"]:
        assert rule["firings"] == sum(rule["by_day"].values())
        assert [horizon["name"] for horizon in rule["horizons"]] == [
            "1m", "5m", "15m", "60m", "close"]  # fmt: skip
        assert rule["horizons"][-1]["known"] == 0
    assert f"{DAYS[1]}: " in said[1].stderr


def test_the_table_is_for_a_person_and_a_rule_that_is_off_can_be_named(folder: Path) -> None:
    done = backtest(folder, files(folder)[0], "--rule", "down")
    assert done.returncode == 0, done.stderr
    head, _, heads, row = done.stdout.splitlines()
    assert head.startswith(f"1 session · {DAYS[0]} · medians in percent")
    assert heads.split()[:3] == ["rule", "firings", "symbols"]
    assert row.split()[0] == "down"
    assert int(row.split()[1].replace(",", "")) > 0


@pytest.fixture(scope="module")
def database(folder: Path) -> Path:
    """Return a database with the bars of both days."""
    path = folder / "bars.duckdb"
    done = stockscan(
        folder, "replay", *files(folder), "--headless", "--json", "--leaders", "0",
        "--offline", "--db", path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return path


def test_stored_bars_fire_at_their_ends_and_the_closes_are_the_databases(
    folder: Path, database: Path
) -> None:
    done = backtest(folder, "--since", str(DAYS[1]), "--db", database, "--format", "json")
    assert "one price a minute" in done.stderr
    assert [day["session_date"] for day in json.loads(done.stdout)["days"]] == [str(DAYS[1])]
    found = table(folder, "--since", str(DAYS[0]), "--db", database)
    ns = found["ts"].astype("datetime64[ns]").astype(np.int64)
    assert set(ns % MINUTE_NS) == {0}
    assert sorted(set(found["session_date"])) == [str(day) for day in DAYS]
    day = marks(ROWS[1])
    closes = marks(ROWS[0]).iloc[-1]
    own = found[(found["session_date"] == str(DAYS[1])) & (found["rule"] == "moved")]
    fired = dict(zip(own["symbol"], ns[own.index], strict=True))
    moved = day.sub(closes).div(closes).abs() * 100 >= 3
    assert fired == {symbol: moved.index[moved[symbol]][0] for symbol in day if moved[symbol].any()}


def test_stored_bars_count_their_trades(folder: Path, database: Path) -> None:
    exact = table(folder, files(folder)[1], "--rule", "busy")
    bars = table(folder, "--since", str(DAYS[1]), "--db", database, "--rule", "busy")
    ns, ends_ns = (found["ts"].astype("datetime64[ns]").astype(np.int64) for found in (exact, bars))
    assert len(exact) == len(SYMBOLS)
    assert dict(zip(bars["symbol"], ends_ns, strict=True)) == dict(
        zip(exact["symbol"], -(-ns // MINUTE_NS) * MINUTE_NS, strict=True)
    )


def test_a_dry_run_tells_the_last_sessions_newest_first(
    folder: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "CACHE"))
    told: list[SessionOutcome] = []
    heard: list[float] = []
    rule = Rule("try", parse("chg(5m) >= 1.5 and spread_pct < 1 or chg(5m) >= 2"), enabled=False)
    dry_run(rule, database, told=told.append, progress=heard.append, cancelled=Event().is_set)
    assert [each.session_date for each in told] == list(DAYS[::-1])
    assert all(each.firings >= each.symbols > 0 for each in told)
    assert all(np.isfinite(each.median_pct) for each in told)
    assert "spread_pct" in told[0].warning
    assert heard == sorted(heard)
    stopped: list[SessionOutcome] = []
    dry_run(rule, database, told=stopped.append, progress=heard.append, cancelled=lambda: True)
    assert not stopped
    with pytest.raises(InputError, match="no saved session"):
        empty(folder)


def empty(folder: Path) -> None:
    """Dry-run over a database without a session."""
    path = folder / "empty.duckdb"
    from stockscan_tui.store.writer import Writer

    Writer.open(path, dataset="EQUS.MINI").close(10)
    dry_run(Rule("r", move=3.0), path, told=print, progress=print, cancelled=lambda: False)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "--since"),
        (("FILES", "--since", "2026-06-15"), 2, "one of them"),
        (("FILES", "--rule", "upp"), 2, "Did you mean up?"),
        (("--since", "2026-06-15", "--db", "/nowhere/at.duckdb"), 1, "/nowhere"),
        (("/nowhere/day.dbn",), 1, "cannot be opened"),
    ],
)
def test_what_cannot_be_played_is_told_in_a_sentence(
    folder: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    given = [str(files(folder)[0]) if each == "FILES" else each for each in arguments]
    done = backtest(folder, *given)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
