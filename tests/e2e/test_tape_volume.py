"""The whole tape's volume by a second session, which never costs the first one anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import databento_dbn as dbn
import numpy as np
import pytest

from stockscan_tui.cli.parser import make_parser
from stockscan_tui.cli.play import Play
from stockscan_tui.config import Config
from stockscan_tui.engine import consolidating
from stockscan_tui.engine.live import LiveEngine
from stockscan_tui.feed.live import Access
from stockscan_tui.feed.tape_volume import summary_access
from stockscan_tui.market.calendar import DAY_NS, MINUTE_NS
from stockscan_tui.market.dbn import STATISTICS_DTYPE
from stockscan_tui.market.metrics import parse_metric, values_of
from stockscan_tui.sim.faults import Fault
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape
from stockscan_tui.sim.tape_volume import SUMMARY, TIMES, summary_of
from tests import wire
from tests.e2e.gateway_client import official
from tests.e2e.test_headless import lines, stockscan
from tests.e2e.test_live_cuts import NAMES, SYMBOLS, finish, rows_with_ties
from tests.e2e.test_live_start import NOON_NS, day
from tests.playing import bars_by_pandas
from tests.streaming import KEY, Capture, capture

METRIC = parse_metric("tape_volume")


def second(port: int) -> Access:
    return summary_access(Access(KEY, "EQUS.MINI", "127.0.0.1", port), same_gateway=True)


def totals(rows: wire.Records, names: dict[int, str] = NAMES) -> dict[str, float]:
    """Return what the whole tape has traded, summed one by one."""
    found: dict[str, float] = {}
    for row in rows[(rows["action"] == b"T") & (rows["size"] > 0)]:
        symbol = names[int(row["instrument_id"])]
        found[symbol] = found.get(symbol, 0.0) + TIMES * int(row["size"])
    return found


def known(engine: LiveEngine) -> dict[str, float]:
    """Return what the market knows of it."""
    market = engine._market
    volumes = market.tape_volume[: market.count].tolist()
    pairs = zip(market.symbols.names, volumes, strict=True)
    return {symbol: volume for symbol, volume in pairs if not math.isnan(volume)}


def shown(taken: Capture) -> dict[str, float]:
    """Return what the last picture says of it."""
    snapshot = taken.engine.snapshot()
    assert snapshot is not None
    return dict(zip(snapshot.symbols, values_of(METRIC, snapshot).tolist(), strict=True))


def told(taken: Capture) -> list[str]:
    return [said for said in taken.engine.health().problems if "tape_volume" in said]


def test_a_start_in_mid_session_knows_the_total_of_who_traded_lately() -> None:
    rows = day()
    # A symbol that has traded in the first minutes alone.
    late = (rows["instrument_id"] == 8) & (rows["ts_recv"] > wire.OPEN_NS + 9 * MINUTE_NS)
    rows["action"][late] = b"A"
    tape = Tape.from_records(rows, SYMBOLS)
    before, whole = totals(rows[rows["ts_recv"] < NOON_NS]), totals(rows)
    lately = [symbol for symbol in SYMBOLS if symbol != "S8"]
    with GatewayThread(tape, Options(speed=60.0, from_ns=NOON_NS, live_only=True)) as gateway:
        taken = capture(gateway.port, history=True, tape=second(gateway.port))
        taken.wait_until(lambda engine: all(known(engine).get(s, 0) >= before[s] for s in lately))
        taken.end()
        assert taken.engine.event_ns < int(rows["ts_recv"][-1])
    assert math.isnan(shown(taken).get("S8", math.nan))
    assert all(before[s] <= shown(taken)[s] <= whole[s] for s in lately)
    assert not told(taken)


def test_a_second_session_that_is_cut_goes_on_where_it_was() -> None:
    rows = rows_with_ties(3)
    tape = Tape.from_records(rows, SYMBOLS)
    cuts = (
        Fault("reset", at_record=40), Fault("refuse", times=2), Fault("drop", at_bytes=300),
        Fault("half", at_record=90), Fault("drop", at_record=1),
        Fault("error", at_record=9, code=6),
    )  # fmt: skip
    options = Options(speed=math.inf)
    with (
        GatewayThread(tape, options) as gateway,
        GatewayThread(tape, Options(speed=math.inf, faults=cuts, faults_in_turn=True)) as other,
    ):
        taken = capture(gateway.port, tape=second(other.port))
        taken.wait_until(lambda engine: known(engine) == totals(rows))
        taken.wait_until(lambda _: other.connections == 8)
        finish(taken, tape, ("mbp-1",))
        assert gateway.connections == 1
    assert shown(taken) == totals(rows)
    assert taken.sink.bars == bars_by_pandas(rows, NAMES)
    assert taken.engine.health().gaps == 0


def test_a_licence_that_is_missing_is_told_once_and_costs_the_market_nothing() -> None:
    rows = rows_with_ties(4)
    tape = Tape.from_records(rows, SYMBOLS)
    options = Options(speed=math.inf, unlicensed=frozenset({SUMMARY}))
    with GatewayThread(tape, options) as gateway:
        taken = capture(gateway.port, tape=second(gateway.port))
        taken.wait_until(lambda _: bool(told(taken)))
        finish(taken, tape, ("mbp-1",))
        # Nobody asks a second time.
        assert gateway.connections == 2
    assert taken.sink.bars == bars_by_pandas(rows, NAMES)
    (said,) = told(taken)
    assert "A live data license is required to access EQUS.SUMMARY" in said
    assert "db-" not in said
    assert all(math.isnan(volume) for volume in shown(taken).values())


def test_a_second_session_that_cannot_be_had_delays_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consolidating, "_TELL_AFTER_NS", 0)
    rows = rows_with_ties(5)
    tape = Tape.from_records(rows, SYMBOLS)
    silent = Options(faults=(Fault("silent-accept"),))
    with GatewayThread(tape, Options(speed=math.inf)) as gateway, GatewayThread(tape, silent) as no:
        for port in (no.port, 1):
            taken = capture(gateway.port, tape=second(port))
            if port == 1:
                taken.wait_until(lambda _, taken=taken: bool(told(taken)))  # type: ignore[misc]
                assert "127.0.0.1:1: Connection refused" in told(taken)[0]
            finish(taken, tape, ("mbp-1",))
            assert taken.sink.bars == bars_by_pandas(rows, NAMES)
            assert not known(taken.engine)


def test_what_cannot_be_replayed_is_known_from_now_on() -> None:
    rows = day()
    tape = Tape.from_records(rows, SYMBOLS)
    aged = Fault("error", at_record=1, code=8, text="aged out")
    options = Options(speed=60.0, from_ns=NOON_NS, live_only=True)
    faulty = replace(options, faults=(aged,) * 2, faults_in_turn=True)
    with GatewayThread(tape, options) as gateway, GatewayThread(tape, faulty) as other:
        taken = capture(gateway.port, tape=second(other.port))
        taken.wait_until(lambda engine: known(engine).keys() == SYMBOLS.keys())
        assert other.sessions_started == 3
        taken.end()
    before, whole = totals(rows[rows["ts_recv"] < NOON_NS]), totals(rows)
    assert all(before[s] < volume <= whole[s] for s, volume in shown(taken).items())
    assert not told(taken)


@pytest.mark.parametrize("code", [2, 5])
def test_a_final_error_in_mid_session_is_told_once(code: int) -> None:
    rows = rows_with_ties(6)
    tape = Tape.from_records(rows, SYMBOLS)
    # Of what it is asked to replay an invalid subscription may speak twice.
    error = Fault("error", at_record=1, code=code, text="no such thing")
    options = Options(speed=math.inf, faults=(error,))
    with (
        GatewayThread(tape, Options(speed=math.inf)) as gateway,
        GatewayThread(tape, options) as no,
    ):
        taken = capture(gateway.port, tape=second(no.port))
        taken.wait_until(lambda _: bool(told(taken)))
        finish(taken, tape, ("mbp-1",))
        assert no.sessions_started == (3 if code == 5 else 1)
    (said,) = told(taken)
    assert "no such thing" in said


def test_a_new_session_date_counts_from_nothing() -> None:
    first = rows_with_ties(7)
    following = first[first["instrument_id"] < 6].copy()
    for name in ("ts_recv", "ts_event"):
        following[name] += np.uint64(DAY_NS)
    tape = Tape.from_records(np.concatenate([first, following]), SYMBOLS)
    with GatewayThread(tape, Options(speed=math.inf)) as gateway:
        taken = capture(gateway.port, tape=second(gateway.port))
        taken.wait_until(lambda engine: known(engine) == totals(following))
        finish(taken, tape, ("mbp-1",))
    assert "S7" not in known(taken.engine)


def test_only_the_runs_symbols_are_asked_for_and_none_are_added_to_the_market() -> None:
    rows = rows_with_ties(8)
    tape = Tape.from_records(rows, SYMBOLS)
    quiet = rows[rows["instrument_id"] > 3]
    market = Tape.from_records(quiet, {name: at for name, at in SYMBOLS.items() if at > 3})
    for symbols in ((), ("S4", "S5", "NONE")):
        with (
            GatewayThread(market, Options(speed=math.inf)) as gateway,
            GatewayThread(tape, Options(speed=math.inf)) as other,
        ):
            taken = capture(gateway.port, tape=second(other.port), symbols=symbols)
            want = {s: v for s, v in totals(quiet).items() if s in symbols or not symbols}
            taken.wait_until(lambda engine, want=want: known(engine) == want)  # type: ignore[misc]
            taken.end()
        assert set(taken.engine._market.symbols.names) == set(want)


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_the_official_client_is_given_the_same_totals() -> None:
    rows = rows_with_ties(9)
    remapped = rows.copy()
    turn_ns = wire.OPEN_NS + 3 * MINUTE_NS
    remapped["instrument_id"][(rows["instrument_id"] == 2) & (rows["ts_recv"] >= turn_ns)] = 77
    tape = Tape.from_records(remapped, SYMBOLS, remaps=[(turn_ns, "S2", 77)])
    with (
        GatewayThread(tape, Options(speed=math.inf, heartbeat_s=0.1)) as gateway,
        official(gateway.port) as (client, gathered),
    ):
        client.subscribe(SUMMARY, "statistics", start=wire.OPEN_NS - MINUTE_NS)
        client.start()
        gathered.until_quiet()
    newest: dict[str, float] = {}
    symbols: dict[int, str] = {}
    for record in gathered.records:
        if isinstance(record, dbn.SymbolMappingMsg):
            symbols[record.instrument_id] = record.stype_out_symbol
        elif isinstance(record, dbn.StatMsg):
            assert record.stat_type == dbn.StatType.CLEARED_VOLUME
            newest[symbols[record.instrument_id]] = record.quantity
    assert newest == totals(rows)
    sent = gathered.as_array(dbn.StatMsg, STATISTICS_DTYPE)
    assert np.array_equal(sent, summary_of(tape).stream("statistics").records)  # type: ignore[union-attr]


# --- the command ---------------------------------------------------------------------------------


def asked(*arguments: str, tape_volume: str = "auto") -> Access | None:
    """Return whom `stockscan live` with these arguments would ask."""
    given = make_parser().parse_args(["live", *arguments])
    host = given.gateway.partition(":")[0] if given.gateway else "equs-mini.lsg.databento.com"
    access = Access(KEY, given.dataset, host, 13_000)
    return Play(given, Config(tape_volume=tape_volume))._tape(access)


@pytest.mark.parametrize(
    ("arguments", "setting", "host"),
    [
        ([], "auto", "equs-summary.lsg.databento.com"),
        ([], "on", "equs-summary.lsg.databento.com"),
        ([], "off", None),
        (["--tape-volume"], "off", "equs-summary.lsg.databento.com"),
        (["--no-tape-volume"], "on", None),
        (["--gateway", "10.0.0.7:13000"], "auto", None),
        (["--gateway", "10.0.0.7:13000"], "on", "10.0.0.7"),
        (["--gateway", "10.0.0.7:13000", "--tape-volume"], "auto", "10.0.0.7"),
        (["--dataset", "XNAS.ITCH"], "on", None),
    ],
)
def test_another_gateway_is_the_only_host_and_only_where_it_is_asked_for(
    arguments: Sequence[str], setting: str, host: str | None
) -> None:
    access = asked(*arguments, tape_volume=setting)
    assert (access.host if access else None) == host
    assert access is None or access.dataset == SUMMARY


def test_the_command_sorts_and_filters_by_it(tmp_path: Path) -> None:
    rows = wire.random_rows(2, 4_000, len(SYMBOLS), minutes=20)
    tape = Tape.from_records(rows, SYMBOLS)
    want = totals(rows)
    least = sorted(want.values())[2]
    command = ("live", "--headless", "--json", "--no-backfill", "--for", "5",
               "--leaders", "20", "--sort", "tape_volume")  # fmt: skip
    with GatewayThread(tape, Options(speed=math.inf)) as gateway:
        to = ("--gateway", f"127.0.0.1:{gateway.port}", "--db", tmp_path / "live.duckdb")
        done = stockscan(
            tmp_path, *command, *to, "--tape-volume", "--filter", f"tape_volume >= {least:.0f}"
        )
        assert gateway.connections == 3
    assert done.returncode == 0, done.stderr
    order = sorted((s for s in want if want[s] >= least), key=lambda s: (-want[s], s))
    assert [line["symbol"] for line in lines(done, "leader")] == order
    refused = stockscan(tmp_path, "live", "--headless", "--tape-volume", "--dataset", "XNAS.ITCH")
    assert refused.returncode == 2
    assert "--tape-volume goes with --dataset EQUS.MINI" in refused.stderr
