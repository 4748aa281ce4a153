"""What a run knows of itself: limits, lag, the usual pace, judgements, troubles, completeness."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.engine.vitals import VitalSigns
from stockscan_tui.market import kernel as k
from stockscan_tui.market.batch import Batch, Gap
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, Session
from stockscan_tui.market.completeness import rows_by_tier, share_of, verified_share
from stockscan_tui.market.judgement import judge, percent
from stockscan_tui.market.limits import LIMITS, Level, level_of
from stockscan_tui.market.minutes import MinuteBars
from stockscan_tui.market.snapshot import (
    CoverageFigures,
    Feed,
    Health,
    Phase,
    Snapshot,
    Verification,
)
from stockscan_tui.market.state import Market
from stockscan_tui.market.troubles import Told, troubles
from stockscan_tui.market.usual_bars import (
    JUDGED_MINUTES,
    LEAST_MINUTES,
    UsualPace,
    shipped_activity,
)
from stockscan_tui.market.vitals import Lag, LagMeter, Pace, StoreFigures, Vitals
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.writer import Writer
from tests.playing import ListSink
from tests.ui.market import NOW_NS, HandClock, day_of, market
from tests.unit.store_batches import MINUTE, Row, batch

LIVE = Feed("LIVE", "gateway", "EQUS.MINI", "mbp-1", phase=Phase.LIVE)
DAY = day_of()
ROOM = StoreFigures(free_bytes=200_000_000_000)


def pace(bars: int, usual: float, *, whole: bool = True) -> Pace:
    """Return two minutes, the newest with so many bars."""
    minute = np.array([NOW_NS // MINUTE_NS - 2, NOW_NS // MINUTE_NS - 1])
    return Pace(minute, np.array([bars, bars]), np.full(2, usual), "a test", whole)


def covered(*, unknown: int = 0, missing: int = 0) -> CoverageFigures:
    """Return 10 symbols of 400 minutes; the first one has the minutes that are not known."""
    kinds = np.zeros((5, 10), np.int64)
    kinds[0], kinds[3, 0], kinds[4, 0] = 100, missing, unknown
    kinds[2] = 400 - kinds.sum(axis=0)
    traded, backfilled, quiet, lacking, lost = kinds
    return CoverageFigures(400, traded, backfilled, quiet, lacking, lost, traded, proved=400)


def live(**changed: object) -> Snapshot:
    """Return a live market in which all is well."""
    well = replace(
        market(),
        feed=LIVE,
        coverage=covered(),
        verification=Verification("ohlcv-1m", equal=1_000),
        vitals=Vitals(pace=pace(900, 1_000.0), store=ROOM, lag=Lag(3, 40, 90, 1, 500)),
    )
    return replace(well, **changed)  # type: ignore[arg-type]


def levels(snapshot: Snapshot) -> dict[str, Level]:
    return {judgement.name: judgement.level for judgement in judge(snapshot)}


# --- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "good", "warning", "alarm"),
    [
        ("completeness", 99.9, 99.0, 98.99),
        ("verified", 99.9, 99.89, 98.0),
        ("free_disk", 5.0, 4.9, 0.99),
        ("lag", 999.9, 1_000.0, 5_000.0),
        ("bars", 75.0, 74.0, 49.9),
        ("queue", 4.0, 5.0, 16.0),
        ("silence", 12.9, 13.0, 25.0),
    ],
)
def test_a_figure_turns_at_its_limits(
    limit: str, good: float, warning: float, alarm: float
) -> None:
    found = [level_of(limit, value) for value in (good, warning, alarm)]
    assert found == [Level.GOOD, Level.WARNING, Level.ALARM]
    assert level_of(limit, math.nan) is Level.UNKNOWN


def test_every_limit_says_what_it_means_and_where_it_turns() -> None:
    assert all(limit.doc and limit.title for limit in LIMITS.values())
    assert LIMITS["completeness"].words == "warning under 99.9 %, alarm under 99 %"
    assert LIMITS["lag"].words == "warning from 1,000 ms, alarm from 5,000 ms"
    assert LIMITS["late"].words == ""
    assert len({level.sign for level in Level}) == len(Level)


# --- lag ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [0.3, 1.0, 2.5])
def test_quantiles_of_the_lag_are_those_of_numpy(spread: float) -> None:
    rng = np.random.default_rng(7)
    lags = np.exp(rng.normal(2.0, spread, 4_000))
    meter = LagMeter()
    for at, lag in enumerate(lags.tolist()):
        meter.note(1_000 * SECOND_NS + at * 10_000_000, lag)
    found = meter.figures(1_040 * SECOND_NS)
    assert found.samples == 4_000
    assert found.p50_ms == pytest.approx(np.quantile(lags, 0.5), rel=0.03)
    assert found.p99_ms == pytest.approx(np.quantile(lags, 0.99), rel=0.05)
    assert (found.max_ms, found.least_ms) == (lags.max(), lags.min())


def test_a_lag_is_forgotten_after_a_minute() -> None:
    meter = LagMeter()
    meter.note(1_000 * SECOND_NS, 9_000.0)
    assert meter.figures(1_050 * SECOND_NS).max_ms == 9_000.0
    meter.note(1_060 * SECOND_NS, 2.0)
    assert meter.figures(1_061 * SECOND_NS).max_ms == 2.0
    assert meter.figures(1_200 * SECOND_NS).samples == 0


def test_a_clock_that_is_behind_shows_as_a_lag_below_zero() -> None:
    meter = LagMeter()
    for lag in (-12.0, -11.5, -12.5):
        meter.note(SECOND_NS, lag)
    assert meter.figures(SECOND_NS).least_ms == -12.5
    snapshot = live()
    vitals = replace(snapshot.vitals, lag=meter.figures(SECOND_NS))
    sentence = judge(replace(snapshot, vitals=vitals))[4].sentence
    assert "behind by 12 ms or more" in sentence


# --- what is usual ------------------------------------------------------------------------------


def minutes_of(since_open: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return DAY.regular_ns // MINUTE_NS + since_open + np.arange(count)


def test_the_usual_is_the_median_of_earlier_sessions() -> None:
    counts = np.zeros((4, 960), np.int64)
    counts[:, 330:] = np.array([800, 1_000, 1_200, 0])[:, None]
    minute = minutes_of(5, 30)
    usual, source = UsualPace(counts).of(DAY, minute, np.ones(30, np.int64))
    assert usual.tolist() == [1_000.0] * 30
    assert source == "the median of 3 earlier sessions"


def test_without_sessions_the_shipped_curve_is_scaled_by_today() -> None:
    minute = minutes_of(0, 60)
    shape = shipped_activity()[330:390]
    bars = (shape * 5_000).astype(np.int64)
    bars[-JUDGED_MINUTES:] = 100
    usual, source = UsualPace().of(DAY, minute, bars)
    assert usual[-1] == pytest.approx(shape[-1] * 5_000, rel=0.02)
    assert "shipped curve" in source


def test_nothing_is_usual_in_the_first_minutes_of_a_session() -> None:
    count = LEAST_MINUTES + JUDGED_MINUTES - 1
    pre = minutes_of(-60, 60 + count)
    usual, _ = UsualPace().of(DAY, pre, np.full(60 + count, 500))
    assert np.isfinite(usual[:60]).all()
    assert np.isnan(usual[60:]).all()


def test_on_a_half_day_the_close_is_where_it_is_on_a_full_one() -> None:
    end_ns = DAY.post_ns - 180 * MINUTE_NS
    half = replace(DAY, post_ns=end_ns, post_end_ns=end_ns + 240 * MINUTE_NS)
    counts = np.tile(np.arange(960) + 1, (3, 1))
    last = np.array([end_ns // MINUTE_NS - 1, end_ns // MINUTE_NS])
    usual, _ = UsualPace(counts).of(half, last, np.ones(2, np.int64))
    assert usual[0] in (719.0, 720.0)
    assert usual[1] == 721.0


# --- judgements ---------------------------------------------------------------------------------


def test_all_five_are_good_when_all_is_well() -> None:
    assert set(levels(live()).values()) == {Level.GOOD}
    names = [judgement.name for judgement in judge(live())]
    assert names == ["feed", "completeness", "verification", "disk", "lag"]


def test_each_side_turns_by_itself() -> None:
    vitals = live().vitals
    wrong = {
        "feed": live(feed=replace(LIVE, phase=Phase.DOWN, since_s=11.0)),
        "completeness": live(coverage=covered(unknown=41)),
        "verification": live(verification=Verification("ohlcv-1m", equal=980, differing=20)),
        "disk": live(vitals=replace(vitals, store=StoreFigures(free_bytes=900_000_000))),
        "lag": live(vitals=replace(vitals, lag=Lag(900, 5_100, 6_000, 1, 500))),
    }
    for name, snapshot in wrong.items():
        found = levels(snapshot)
        assert found.pop(name) is Level.ALARM
        assert set(found.values()) == {Level.GOOD}


def test_healed_bars_count_as_verified() -> None:
    found = Verification("ohlcv-1m", equal=90, lacking=6, differing=4, healed=10)
    assert verified_share(found) == 1.0
    assert verified_share(replace(found, healed=4)) == 0.94
    assert math.isnan(verified_share(Verification()))


def test_what_is_not_known_is_neither_good_nor_bad() -> None:
    nothing = live(coverage=None, verification=Verification(), vitals=Vitals())
    found = levels(nothing)
    assert {n for n, level in found.items() if level is Level.UNKNOWN} == {
        "completeness", "verification", "disk", "lag",
    }  # fmt: skip


def test_silence_outside_sessions_is_no_alarm() -> None:
    silent = replace(LIVE, phase=Phase.SILENT, since_s=3_000.0)
    closed = live(feed=silent, session=Session.CLOSED)
    closed = replace(closed, vitals=replace(closed.vitals, silent_s=3_000.0))
    assert levels(closed)["feed"] is Level.GOOD
    assert levels(replace(closed, session=Session.REGULAR))["feed"] is Level.ALARM


def test_an_open_gap_is_a_warning_of_a_feed_that_is_back() -> None:
    found = judge(live(health=Health(gaps=2, healed=1)))[0]
    assert found.level is Level.WARNING
    assert "1 gap open" in found.sentence


def test_a_percentage_is_never_rounded_up_to_all() -> None:
    assert percent(0.999999) == "99.99 %"
    assert percent(1.0) == "100 %"
    assert percent(math.nan) == "—"


# --- completeness -------------------------------------------------------------------------------


def test_completeness_is_of_all_minutes_and_density_of_those_with_a_bar() -> None:
    coverage = covered(unknown=30, missing=10)
    share = share_of(coverage)
    assert share.complete == pytest.approx(1 - 40 / 4_000)
    assert share.dense == pytest.approx(1_000 / 4_000)
    assert (share.missing, share.unknown, share.symbols) == (10, 30, 10)
    assert share_of(coverage, np.array([0])).complete == pytest.approx(0.9)
    assert math.isnan(share_of(None).complete)


def test_a_tier_ends_where_the_next_one_begins() -> None:
    close = np.full(7, 100.0)
    mark = np.array([120.0, 80.0, 119.9, 110.0, 95.0, 101.0, np.nan])
    snapshot = replace(market(7), prev_close=close, mark=mark, cache={})
    found = {name: rows.tolist() for name, rows in rows_by_tier(snapshot)}
    assert found == {"≥ 20 %": [0, 1], "10–20 %": [2, 3], "5–10 %": [4], "1–5 %": [5]}


# --- troubles -----------------------------------------------------------------------------------


def ids(feed: Feed = LIVE, session: Session = Session.REGULAR, *, bars: Pace | None = None,
        store: StoreFigures = ROOM) -> list[str]:  # fmt: skip
    return [t.id for t in troubles(feed, session, bars or pace(900, 1_000.0), store)]


def test_the_three_troubles_are_told_at_their_limits() -> None:
    assert ids() == []
    down = replace(LIVE, phase=Phase.DOWN, since_s=9.9)
    assert ids(down) == []
    assert ids(replace(down, since_s=10.0)) == ["down"]
    assert ids(bars=pace(500, 1_000.0)) == []
    assert ids(bars=pace(499, 1_000.0)) == ["bars"]
    assert ids(store=StoreFigures(free_bytes=999_999_999)) == ["disk"]
    assert ids(store=StoreFigures(free_bytes=-1)) == []


def test_outside_sessions_only_the_disk_is_a_trouble() -> None:
    down = replace(LIVE, phase=Phase.DOWN, since_s=900.0)
    full = StoreFigures(free_bytes=1)
    assert ids(down, Session.CLOSED, bars=pace(0, 1_000.0), store=full) == ["disk"]


def test_a_simulated_market_has_hours_of_its_own() -> None:
    assert ids(replace(LIVE, simulated=True), bars=pace(1, 1_000.0)) == []


def test_few_bars_are_no_trouble_where_few_are_usual_or_a_gap_explains_them() -> None:
    assert ids(bars=pace(1, 99.0)) == []
    assert ids(bars=pace(1, 1_000.0, whole=False)) == []
    assert ids(replace(LIVE, phase=Phase.CATCHING_UP), bars=pace(1, 1_000.0)) == []
    assert ids(replace(LIVE, phase=Phase.PLAYING), bars=pace(1, 1_000.0)) == []


def test_each_trouble_is_told_once_when_it_begins_and_once_at_its_end() -> None:
    told = Told()
    down = troubles(replace(LIVE, phase=Phase.DOWN, since_s=10.0, message="reset"),
                    Session.REGULAR, Pace(), ROOM)  # fmt: skip
    later = troubles(replace(LIVE, phase=Phase.DOWN, since_s=70.0, message="refused"),
                     Session.REGULAR, Pace(), ROOM)  # fmt: skip
    begun, over = told.look(down)
    assert [t.sentence for t in begun] == ["The feed has been down for 10 s: reset"]
    assert over == ()
    assert told.look(later) == ((), ())
    begun, over = told.look(())
    assert begun == ()
    assert [t.over for t in over] == ["The feed is back"]
    assert told.look(()) == ((), ())


# --- the engine's part --------------------------------------------------------------------------


def signs(clock: HandClock) -> tuple[VitalSigns, Market]:
    """Return those of a market in regular hours, with 70 minutes behind it."""
    arrays = Market(capacity=512)
    arrays.slots([f"S{n}" for n in range(400)])
    arrays.begin_day(DAY, NOW_NS)
    for minute in range(DAY.regular_ns // MINUTE_NS, NOW_NS // MINUTE_NS - 1):
        arrays.minutes.closed.append(bars_of(minute, 300))
    return VitalSigns(arrays, ListSink(), clock), arrays


def bars_of(minute: int, count: int) -> MinuteBars:
    some = {f.name: np.ones(count) for f in fields(MinuteBars) if f.name not in ("minute", "slot")}
    return MinuteBars(minute=minute, slot=np.arange(count, dtype=np.int32), **some)  # type: ignore[arg-type]


def look(found: VitalSigns, feed: Feed = LIVE) -> Vitals:
    found.look(feed, over=NOW_NS // MINUTE_NS, silent_s=0.5)
    return found.newest


def test_a_minute_without_a_bar_counts_as_none() -> None:
    found, _ = signs(HandClock())
    paced = look(found).pace
    assert paced.minute[-1] == NOW_NS // MINUTE_NS - 1
    assert (paced.bars[-2], paced.bars[-1]) == (300, 0)
    assert paced.whole
    assert "bars" in [trouble.id for trouble in found.newest.troubles]


def test_a_minute_in_doubt_is_not_held_against_the_usual() -> None:
    found, arrays = signs(HandClock())
    arrays.wholeness.doubt(NOW_NS - 2 * MINUTE_NS, NOW_NS, "down")
    assert not look(found).pace.whole
    assert found.newest.troubles == ()


def test_the_lag_is_of_the_newest_record_each_time_there_is_one() -> None:
    clock = HandClock()
    found, arrays = signs(clock)
    for age_ms in (5, 7):
        arrays.ctl[k.CLOCK_NS] = clock.wall_ns() - age_ms * 1_000_000
        found.measure_lag()
        clock.pass_s(0.5)
        found.measure_lag()
    lag = look(found).lag
    assert (lag.samples, lag.least_ms, lag.max_ms) == (2, 5.0, 7.0)
    assert look(found, replace(LIVE, simulated=True)).lag.samples == 0


def test_a_market_with_a_time_of_its_own_has_no_lag() -> None:
    clock = HandClock()
    found, arrays = signs(clock)
    arrays.ctl[k.CLOCK_NS] = clock.wall_ns() + 7_200 * SECOND_NS
    found.measure_lag()
    assert look(found).lag.samples == 0


def test_records_are_told_by_kind_and_per_second() -> None:
    clock = HandClock()
    found, arrays = signs(clock)
    look(found)
    clock.pass_s(2.0)
    arrays.ctl[[k.RECORDS, k.QUOTES, k.TRADES]] = (1_010, 900, 90)
    found.count_control(10)
    flows = {flow.name: (flow.records, flow.per_s) for flow in look(found).flows}
    assert flows["quotes"] == (900, 450.0)
    assert flows["control"] == (10, 5.0)
    assert flows["other"][0] == 100
    arrays.watermarks[0, k.MARK_KEY] = 0
    flows = {flow.name: (flow.records, flow.per_s) for flow in look(found).flows}
    assert flows["other"][0] == 10


def test_a_later_word_on_a_gap_replaces_the_earlier_one() -> None:
    found, _ = signs(HandClock())
    day = DAY.session_date
    found.note_gap(Gap(day, 5, 0, "first"))
    found.note_gap(Gap(day, 9, 0, "second"))
    found.note_gap(Gap(day, 5, 7, "first", 8))
    assert [(g.from_ns, g.to_ns) for g in look(found).gaps] == [(9, 0), (5, 7)]


def test_the_writer_tells_the_room_of_its_disk(tmp_path: Path) -> None:
    writer = Writer.open(tmp_path / "bars.duckdb", dataset="EQUS.MINI")
    try:
        writer.put(Batch(serial=1, symbols=("A",)))
        assert writer.drain(10.0)
        status = writer.status()
        assert status.commits == 1
        assert status.free_bytes > 0
        assert status.file_bytes > 0
    finally:
        writer.close(5.0)


def test_bars_of_earlier_days_are_counted_by_minute(tmp_path: Path) -> None:
    path = tmp_path / "bars.duckdb"
    writer = Writer.open(path, dataset="X")
    rows = [Row(s, MINUTE + m) for m in (0, 2) for s in range(3 - m)]
    writer.put(batch(0, rows, symbols=("A", "B", "C")))
    writer.close(10)
    reader = Reader.open(path)
    day_ns = 960 * MINUTE_NS
    start_ns = MINUTE * MINUTE_NS
    counts = reader.bar_counts([(start_ns, start_ns + day_ns), (0, day_ns)], 960)
    assert counts.shape == (1, 960)
    assert counts[0, :4].tolist() == [3, 0, 1, 0]
    reader.release()
