"""Windows, sessions, streaks, indicators and signs, against pandas and TA-Lib on the same bytes."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from datetime import date, time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import talib

from stockscan_tui.clock import SystemClock
from stockscan_tui.engine.core import Options, Surroundings
from stockscan_tui.engine.replay import ReplayEngine
from stockscan_tui.engine.warming import Warming
from stockscan_tui.errors import UsageError
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.reference import PreviousCloses
from stockscan_tui.market import kernel as k
from stockscan_tui.market.arithmetic import percent_over
from stockscan_tui.market.batch import BarBatch
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, Session, new_york_ns
from stockscan_tui.market.indicator import IndicatorKey, Kind
from stockscan_tui.market.indicators import Indicators
from stockscan_tui.market.kinds import kinds_of
from stockscan_tui.market.metrics import (
    REGISTRY,
    MetricKey,
    parse_metric,
    values_of,
)
from stockscan_tui.market.minute_history import MinuteHistory, rescaled
from stockscan_tui.market.minutes import MinuteBars
from stockscan_tui.market.silence import Silence
from stockscan_tui.market.snapshot import CloseSource, Feed, Phase
from stockscan_tui.market.user_data import Own, OwnTable, numbers_by_slot, words_by_slot
from tests import wire
from tests.playing import ListSink, Played, play, weekdays

OPEN_NS = new_york_ns(wire.DAY, time(9, 30))
SYMBOLS = {"AAA": 1, "BBB": 2, "CCC": 3, "DDDDW": 4}
RSI = IndicatorKey(Kind.RSI, 14)
EMA = IndicatorKey(Kind.EMA, 10, 5)


def random_trades(seed: int, minutes: int, begin_ns: int) -> pd.DataFrame:
    """Return trades of four symbols over some minutes, some minutes empty."""
    rng = np.random.default_rng(seed)
    count = 40 * minutes
    ts = np.sort(begin_ns + rng.integers(0, minutes * MINUTE_NS // 1000, count) * 1000)
    number = rng.choice([1, 2, 3, 4], count, p=[0.6, 0.3, 0.08, 0.02])
    walk = np.cumsum(rng.normal(0, 0.01, count))
    # Within the guard against bad prints.
    price = np.round(number * 10 * np.exp(np.clip(walk, -0.08, 0.08)), 2)
    return pd.DataFrame(
        {"ts": ts, "id": number, "price": price, "size": rng.integers(1, 300, count)}
    )


def played(tmp_path: Path, frame: pd.DataFrame, **how: object) -> Played:
    """Play the trades."""
    spans = {s: [(date(2026, 6, 1), date(2026, 7, 31), n)] for s, n in SYMBOLS.items()}
    rows = list(frame.itertuples(index=False, name=None))
    meta = wire.metadata(None, mappings=spans)
    path = wire.write(tmp_path / "x.dbn", meta, wire.trades(rows))
    return play(path, **how)  # type: ignore[arg-type]


def value(run: Played, metric: str, symbol: str) -> float:
    """Return a metric's value for one symbol."""
    row = list(run.snapshot.symbols).index(symbol)
    return float(values_of(parse_metric(metric), run.snapshot)[row])


def after(frame: pd.DataFrame) -> int:
    """Return the minute that goes on at the end: a file's end passes the minute it ends in."""
    return int(frame["ts"].max() // MINUTE_NS) + 1


def bars_of(frame: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return one symbol's minute bars, by pandas."""
    own = frame[frame["id"] == number]
    own = own.assign(minute=own["ts"] // MINUTE_NS, notional=own["price"] * own["size"])
    by = own.groupby("minute")
    return pd.DataFrame(
        {
            "high": by["price"].max(),
            "low": by["price"].min(),
            "close": by["price"].last(),
            "volume": by["size"].sum(),
            "trades": by["size"].count(),
            "notional": by["notional"].sum(),
        }
    )


@pytest.mark.parametrize("window", [1, 5, 30, 120])
def test_windows_span_the_last_minutes_and_the_one_that_goes_on(
    tmp_path: Path, window: int
) -> None:
    frame = random_trades(window, 150, OPEN_NS)
    run = played(tmp_path, frame)
    running = after(frame)
    for symbol, number in SYMBOLS.items():
        bars = bars_of(frame, number)
        recent = bars[bars.index >= running - window]
        assert value(run, f"volume({window}m)", symbol) == recent["volume"].sum()
        assert value(run, f"trades({window}m)", symbol) == recent["trades"].sum()
        assert value(run, f"dvol({window}m)", symbol) == pytest.approx(recent["notional"].sum())
        if len(recent):
            assert value(run, f"high({window}m)", symbol) == recent["high"].max()
            assert value(run, f"low({window}m)", symbol) == recent["low"].min()
        else:
            assert np.isnan(value(run, f"high({window}m)", symbol))


def test_sessions_have_figures_of_their_own(tmp_path: Path) -> None:
    frame = random_trades(3, 60, OPEN_NS - 30 * MINUTE_NS)
    run = played(tmp_path, frame)
    parts = {
        "pre": frame["ts"] < OPEN_NS,
        "regular": frame["ts"] >= OPEN_NS,
        "day": frame["ts"] > 0,
    }
    for span, chosen in parts.items():
        own = frame[chosen & (frame["id"] == 1)]
        assert value(run, f"high({span})", "AAA") == own["price"].max()
        assert value(run, f"low({span})", "AAA") == own["price"].min()
        assert value(run, f"open({span})", "AAA") == own["price"].iloc[0]
        assert value(run, f"volume({span})", "AAA") == own["size"].sum()
        average = (own["price"] * own["size"]).sum() / own["size"].sum()
        assert value(run, f"vwap({span})", "AAA") == pytest.approx(average)
    assert np.isnan(value(run, "high(post)", "AAA"))


def test_a_streak_counts_bars_that_closed_one_way(tmp_path: Path) -> None:
    prices = [10.0, 10.1, 10.2, 10.2, 10.1, 10.0, 9.9]
    rows = [(OPEN_NS + i * MINUTE_NS, 1, price, 5) for i, price in enumerate(prices)]
    expected = [1, 2, 0, -1, -2, -3]
    for bars, streak in enumerate(expected, 2):
        shown = pd.DataFrame([*rows[:bars], (OPEN_NS + bars * MINUTE_NS, 2, 5.0, 1)],
                             columns=["ts", "id", "price", "size"])  # fmt: skip
        assert value(played(tmp_path, shown), "streak", "AAA") == streak


def test_the_last_bar_is_held_against_the_ten_before_it(tmp_path: Path) -> None:
    frame = random_trades(4, 40, OPEN_NS)
    run = played(tmp_path, frame)
    running = after(frame)
    volume = bars_of(frame, 2)["volume"].reindex(range(running - 11, running), fill_value=0)
    expected = volume.iloc[-1] / volume.iloc[:-1].mean()
    assert value(run, "bar_rvol", "BBB") == pytest.approx(expected)


def test_indicators_of_a_replay_are_those_of_its_bars(tmp_path: Path) -> None:
    frame = random_trades(5, 300, OPEN_NS)
    run = played(tmp_path, frame, indicators=frozenset({RSI, EMA}))
    running = after(frame)
    for symbol, number in (("AAA", 1), ("BBB", 2)):
        close = bars_of(frame, number)["close"]
        close = close[close.index < running]
        assert value(run, "rsi(14)", symbol) == pytest.approx(talib.RSI(close.to_numpy(), 14)[-1])
        fives = close.groupby(close.index // 5).last()
        whole = fives[(fives.index + 1) * 5 <= running].to_numpy()
        assert value(run, "ema(10, 5m)", symbol) == pytest.approx(talib.EMA(whole, 10)[-1])
        distance = (run.value("mark", symbol) / talib.EMA(whole, 10)[-1] - 1) * 100
        assert value(run, "ema_pct(10, 5m)", symbol) == pytest.approx(distance)


def some_minutes(first: int, count: int) -> list[MinuteBars]:
    rng = np.random.default_rng(7)
    found = []
    for minute in range(first, first + count):
        close = rng.uniform(9, 11, 3)
        found.append(
            MinuteBars(
                minute,
                np.arange(3, dtype=np.int32),
                close,
                close + 0.1,
                close - 0.1,
                close,
                np.full(3, 10),
                np.full(3, 1),
                close * 10,
            )
        )
    return found


def test_an_indicator_asked_for_late_is_as_if_kept_from_the_beginning() -> None:
    every = some_minutes(1_000, 400)
    kept = Indicators()
    kept.add(EMA, every)
    late = Indicators()

    def stored(before: int, symbols: object) -> Iterator[MinuteBars]:
        return (bars for bars in every if bars.minute < before)

    warming = Warming(frozenset({EMA}), stored, tuple(every[250:360]), 1_360, ("A", "B", "C"))
    warming.wait()
    assert warming.hand_over(late, every[272:], 128)
    np.testing.assert_array_equal(late.values(3)[EMA], kept.values(3)[EMA])


def test_an_indicator_is_not_handed_over_with_minutes_missing() -> None:
    every = some_minutes(1_000, 400)
    warming = Warming(frozenset({EMA}), None, tuple(every[:100]), 1_100, ("A", "B", "C"))
    warming.wait()
    assert not warming.hand_over(Indicators(), every[272:], 128)


def test_who_was_busy_and_fell_silent_is_marked_until_it_is_back(tmp_path: Path) -> None:
    busy = [(OPEN_NS + i * 10 * SECOND_NS, 1, 10.0, 5) for i in range(30)]
    last_ns = busy[-1][0]
    ticking = [(OPEN_NS + i * 5 * SECOND_NS, 2, 20.0, 5) for i in range(200)]

    def until(end_ns: int, *more: tuple[int, int, float, int]) -> Played:
        rows = sorted(row for row in (*busy, *ticking, *more) if row[0] <= end_ns)
        return played(tmp_path, pd.DataFrame(rows, columns=["ts", "id", "price", "size"]))

    early = until(last_ns + 5 * SECOND_NS)
    assert value(early, "halt", "AAA") == 0
    silent = until(last_ns + 65 * SECOND_NS)
    assert value(silent, "halt", "AAA") == 1
    assert value(silent, "halt", "BBB") == 0
    back_ns = last_ns + 300 * SECOND_NS
    back = until(back_ns + 5 * SECOND_NS, (back_ns, 1, 11.0, 5))
    assert value(back, "halt", "AAA") == 0
    assert value(back, "resumed", "AAA") == 1


def test_a_fall_of_ten_percent_restricts_short_sales_today_and_tomorrow(tmp_path: Path) -> None:
    next_open = new_york_ns(date(2026, 6, 16), time(9, 31))
    later = new_york_ns(date(2026, 6, 17), time(9, 31))
    rows = [(OPEN_NS, 1, 9.0, 5), (OPEN_NS + 1, 2, 9.01, 5)]
    for days, expected in (((), 1), ((next_open,), 1), ((next_open, later), 0)):
        more = [row for ns in days for row in ((ns, 1, 9.0, 5), (ns + 1, 2, 9.0, 5))]
        closes = PreviousCloses(weekdays())
        closes.add(date(2026, 6, 12), CloseSource.FILE, {"AAA": 10.0, "BBB": 10.0})
        frame = pd.DataFrame([*rows, *more], columns=["ts", "id", "price", "size"])
        run = played(tmp_path, frame, closes=closes)
        assert value(run, "ssr", "AAA") == expected
        assert value(run, "ssr", "BBB") == 0


def test_kinds_follow_the_nasdaq_convention() -> None:
    symbols = ("ABC+", "ABC=", "ABC^", "ABC-A", "ADVWW", "CLSKW", "SPAKU", "ABCDR",
               "GOOGL", "ABCD", "ABCDP", "XYZWP", "BRK.A", "W")  # fmt: skip
    kinds = kinds_of(symbols)
    found = {kind: {s for s, yes in zip(symbols, flags, strict=True) if yes}
             for kind, flags in kinds.items()}  # fmt: skip
    assert found == {
        "warrant": {"ABC+", "ADVWW", "CLSKW"},
        "unit": {"ABC=", "SPAKU"},
        "right": {"ABC^", "ABCDR"},
        "preferred": {"ABC-A", "ABCDP"},
    }


def test_a_users_table_has_a_value_where_it_names_the_symbol() -> None:
    table = OwnTable({"shares": {"B": 5.0}}, {"sector": {"A": "Tech", "C": "Air"}})
    np.testing.assert_array_equal(numbers_by_slot(table, ("A", "B"))["shares"], [np.nan, 5.0])
    words = words_by_slot(table, ("A", "B", "C"))["sector"]
    assert [words.names[code] if code >= 0 else "" for code in words.code] == ["Tech", "", "Air"]


def test_every_metric_has_a_value_or_none_for_every_symbol(tmp_path: Path) -> None:
    run = played(tmp_path, random_trades(6, 30, OPEN_NS))
    for metric in REGISTRY.values():
        alone = not metric.windows and "(14)" not in metric.example
        for name in {metric.example, metric.name if alone else "rsi(5)"}:
            assert values_of(parse_metric(name), run.snapshot).shape == (4,)
    assert run.snapshot.session is Session.REGULAR
    assert run.snapshot.coverage is not None
    assert run.snapshot.coverage.elapsed == 330 + 30


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("chg", MetricKey("chg")),
        ("chg(5m)", MetricKey("chg", window=5)),
        ("high( pre )", MetricKey("high", span="pre")),
        ("rsi(14)", MetricKey("rsi", window=1, period=14)),
        ("ema(20, 5m)", MetricKey("ema", window=5, period=20)),
    ],
)
def test_a_metric_reads_as_it_is_written(text: str, key: MetricKey) -> None:
    assert parse_metric(text) == key
    assert parse_metric(str(key)) == key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chh", "Did you mean chg?"),
        ("chg(0m)", "1 to 120"),
        ("mark(5m)", "nothing in brackets"),
        ("rsi", "a period"),
        ("rsi(14, 7m)", "1, 5 or 15"),
        ("vwap(5m)", "sessions are pre"),
    ],
)
def test_what_is_no_metric_is_refused_with_a_hint(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_metric(text)


@pytest.mark.parametrize("threshold", [5, 10, 15, 20])
def test_a_threshold_is_met_by_a_move_of_exactly_that_size(threshold: int) -> None:
    closes = np.arange(100, 100_000) / 100
    marks = np.round(closes * (100 + threshold)) / 100
    exact = np.round(closes * 100) * threshold % 100 == 0
    moved = percent_over(marks, closes)
    assert (moved[exact] == threshold).all()
    assert exact.sum() > 4_000


def test_minutes_before_a_file_and_in_open_gaps_are_not_known_to_be_whole(tmp_path: Path) -> None:
    frame = random_trades(8, 90, OPEN_NS)
    run = played(tmp_path, frame)
    # The file begins with its first record, at 09:30, and is whole for its 90 minutes.
    assert value(run, "completeness", "AAA") == pytest.approx(90 / 420 * 100)


def test_a_split_over_night_leaves_indicators_and_streaks_in_todays_shares() -> None:
    ratios = np.array([2.0, 1.0, 0.1])
    before, after = some_minutes(1_000, 60), some_minutes(2_440, 60)
    straight, split = Indicators(), Indicators()
    keys = [RSI, EMA, IndicatorKey(Kind.SMA, 20), IndicatorKey(Kind.ATR, 14, 15)]
    for key in keys:
        straight.add(key, [rescaled(bars, ratios) for bars in before])
        split.add(key, before)
    split.rescale(ratios)
    for bars in after:
        straight.close_minute(bars, 3)
        split.close_minute(bars, 3)
    for key in keys:
        np.testing.assert_allclose(split.values(3)[key], straight.values(3)[key], rtol=1e-9)


def test_a_gap_of_the_feed_is_nobodys_silence() -> None:
    silence = Silence()
    rows = np.zeros((2, k.STATE_WIDTH), np.int64)
    minute = OPEN_NS // MINUTE_NS
    rows[:, k.TRADE_NS] = OPEN_NS + 50 * SECOND_NS
    ones = np.ones(2)
    busy = MinuteBars(
        minute, np.arange(2, dtype=np.int32), ones, ones, ones, ones,
        np.full(2, 9), np.full(2, 30), ones,
    )  # fmt: skip
    silence.close_minute(rows, [busy], minute, regular=True)
    later = OPEN_NS + 240 * SECOND_NS
    assert silence.signs(rows, later, regular=True)["halt"].all()
    silence.break_off()
    assert not silence.signs(rows, later, regular=True)["halt"].any()
    silence.close_minute(rows, [busy], minute + 3, regular=True)
    silence.go_on(OPEN_NS + 60 * SECOND_NS, later, healed=False)
    signs = silence.signs(rows, later + SECOND_NS, regular=True)
    assert not signs["halt"].any()
    assert not signs["resumed"].any()


def test_minutes_that_come_later_stand_in_the_windows_too() -> None:
    history = MinuteHistory()
    ctl = np.zeros(k.CTL_WIDTH, np.int64)
    log = np.zeros(8 * k.BAR_WIDTH, np.int64)
    bar = log.reshape(-1, k.BAR_WIDTH)[0]
    bar[[k.BAR_MINUTE, k.BAR_VOLUME, k.BAR_TRADES, k.BAR_DOLLARS]] = 100, 7, 1, 70
    ctl[k.BARS_HEAD] = 1
    history.close(ctl, log, 100)
    history.close(ctl, log, 105)
    healed = BarBatch(slot=np.zeros(1, np.int32), minute=np.array([98]),
                      volume=np.array([5]), source=np.zeros(1, np.uint8),
                      **{name: np.ones(1, np.int64) for name in
                         ("open", "high", "low", "close", "trades", "notional_dollars",
                          "notional_nanos", "first_ns", "last_ns")})  # fmt: skip
    assert history.correct(healed)
    picture = history.picture(ctl, log, 106)
    assert picture.over("volume", 10, 1)[0] == 12
    assert picture.over("volume", 6, 1)[0] == 7


def test_exactly_ten_percent_down_restricts(tmp_path: Path) -> None:
    closes = PreviousCloses(weekdays())
    closes.add(date(2026, 6, 12), CloseSource.FILE, {"AAA": 3.30})
    frame = pd.DataFrame([(OPEN_NS, 1, 2.97, 5)], columns=["ts", "id", "price", "size"])
    assert value(played(tmp_path, frame, closes=closes), "ssr", "AAA") == 1


def test_a_played_out_replay_still_answers_whoever_looks_on(tmp_path: Path) -> None:
    frame = random_trades(9, 60, OPEN_NS)
    meta = wire.metadata(None, mappings={
        s: [(date(2026, 6, 1), date(2026, 7, 31), n)] for s, n in SYMBOLS.items()
    })  # fmt: skip
    rows = list(frame.itertuples(index=False, name=None))
    path = wire.write(tmp_path / "x.dbn", meta, wire.trades(rows))
    engine = ReplayEngine(
        [DbnFile(path)],
        Surroundings(weekdays(), PreviousCloses(weekdays()), ListSink(), SystemClock()),
        Options(Feed("REPLAY", "x", "EQUS.MINI", "mbp-1"), refresh_s=0.0, behind_screen=True),
        speed=math.inf,
    )
    engine.start()
    waiting = threading.Event()
    while engine.phase is not Phase.ENDED:
        waiting.wait(0.01)
    engine.want(frozenset({RSI}))
    engine.know_own(Own(watched=frozenset({"BBB"})))
    while (shown := engine.snapshot()) is None or not (
        RSI in shown.indicators and "watched" in shown.signs
    ):
        waiting.wait(0.01)
    close = bars_of(frame, 1)["close"].to_numpy()
    row = shown.symbols.index("AAA")
    assert shown.indicators[RSI][row] == pytest.approx(talib.RSI(close, 14)[-1])
    assert shown.signs["watched"].sum() == 1
    engine.stop()
    assert engine.join(10)
