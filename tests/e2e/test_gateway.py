"""The simulated gateway, seen by the official client and by plain sockets."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import Any

import databento_dbn as dbn
import numpy as np
import pytest

from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.dbn import MBP1_DTYPE, OHLCV_DTYPE, TRADE_DTYPE, RType
from stockscan_tui.sim.gateway import GatewayThread, Options
from stockscan_tui.sim.tape import Tape
from tests import wire
from tests.e2e.gateway_client import DATASET, KEY, Gathered, RawClient, official
from tests.playing import bars_by_pandas

ROWS = wire.random_rows(1, 20_000, 20, minutes=10)
SYMBOLS = {f"S{n}": n for n in range(1, 21)}
NAMES = {number: symbol for symbol, number in SYMBOLS.items()}
TAPE = Tape.from_records(ROWS, SYMBOLS)
AT_ONCE = Options(speed=math.inf, heartbeat_s=0.1)
# Stands still for as long as a test can last.
STILL = Options(speed=1e-9, heartbeat_s=0.1)
HALF_NS = int(ROWS["ts_recv"][10_000])


def heard(tape: Tape, options: Options, *subscriptions: dict[str, Any], **login: Any) -> Gathered:
    """Return all that an official client with these subscriptions is given until it is quiet."""
    with (
        GatewayThread(tape, options) as gateway,
        official(gateway.port, **login) as (
            client,
            gathered,
        ),
    ):
        for subscription in subscriptions:
            client.subscribe(DATASET, **subscription)
        client.start()
        gathered.until_quiet()
    return gathered


def test_official_client_gets_the_very_records_of_the_tape() -> None:
    got = heard(TAPE, AT_ONCE, {"schema": "mbp-1"})
    assert b"".join(map(bytes, got.of(dbn.MBP1Msg))) == ROWS.tobytes()
    assert got.symbols() == SYMBOLS
    assert got.systems() == [(1, "Subscription request for mbp-1 data succeeded")]
    kinds = [type(record).__name__ for record in got.records]
    assert kinds[:22] == ["SymbolMappingMsg"] * 20 + ["SystemMsg", "MBP1Msg"]


def test_trades_and_tbbo_are_the_rows_with_a_trade() -> None:
    hits = ROWS[ROWS["action"] == b"T"]
    trades = heard(TAPE, AT_ONCE, {"schema": "trades"}).as_array(dbn.TradeMsg, TRADE_DTYPE)
    for name in set(TRADE_DTYPE.names or ()) - {"length", "rtype"}:
        assert np.array_equal(trades[name], hits[name]), name
    assert set(trades["length"]) == {12}
    assert set(trades["rtype"]) == {0}
    tbbo = heard(TAPE, AT_ONCE, {"schema": "tbbo"}).as_array(dbn.MBP1Msg, MBP1_DTYPE)
    assert np.array_equal(tbbo, hits)


def test_bars_are_those_of_pandas_each_interval_closed_by_a_message() -> None:
    got = heard(TAPE, AT_ONCE, {"schema": "ohlcv-1m", "start": 0})
    bars = got.as_array(dbn.OHLCVMsg, OHLCV_DTYPE)
    expected = bars_by_pandas(ROWS, NAMES)
    found = {
        (NAMES[int(bar["instrument_id"])], int(bar["ts_event"]) // MINUTE_NS): [
            int(bar[name]) for name in ("open", "high", "low", "close", "volume")
        ]
        for bar in bars
    }
    assert found == {key: bar[:5] for key, bar in expected.items()}
    assert len(bars) == len(expected)
    order = [(int(bar["ts_event"]), int(bar["instrument_id"])) for bar in bars]
    assert order == sorted(order)
    ends = [record for record in got.of(dbn.SystemMsg) if int(record.code) == 4]
    assert [r.ts_event for r in ends] == [t + MINUTE_NS for t in sorted(set(bars["ts_event"]))]
    assert {r.msg for r in ends} == {"End of interval for ohlcv-1m"}
    last = got.records.index(ends[0])
    assert got.records[last - 1].ts_event == bars["ts_event"][0]
    assert got.records[last + 1].ts_event == bars["ts_event"][0] + MINUTE_NS
    assert got.systems()[-1] == (3, "Finished ohlcv-1m replay")


def test_start_replays_from_that_ts_event_and_says_when_it_caught_up() -> None:
    got = heard(TAPE, AT_ONCE, {"schema": "mbp-1", "start": HALF_NS})
    expected = ROWS[ROWS["ts_event"] >= HALF_NS]
    assert b"".join(map(bytes, got.of(dbn.MBP1Msg))) == expected.tobytes()
    codes = [int(getattr(r, "code", -1)) for r in got.records[: got.records.index(quiet(got))]]
    assert codes[-1] == 3
    assert codes.count(3) == 1


def quiet(got: Gathered) -> Any:
    return next(record for record in got.of(dbn.SystemMsg) if int(record.code) == 0)


def test_a_symbol_list_gets_its_own_records_and_mappings_and_no_others() -> None:
    # More than go on one line of the protocol.
    silent = {f"X{n}": 1_000 + n for n in range(600)}
    tape = Tape.from_records(ROWS, SYMBOLS | silent)
    listed = {"schema": "mbp-1", "symbols": [*silent, "S3", "S7"]}
    expected = ROWS[np.isin(ROWS["instrument_id"], [3, 7])]
    got = heard(tape, AT_ONCE, listed)
    assert b"".join(map(bytes, got.of(dbn.MBP1Msg))) == expected.tobytes()
    assert got.symbols() == {"S3": 3, "S7": 7, **silent}
    numbered = {"schema": "mbp-1", "symbols": [3, 7], "stype_in": "instrument_id"}
    got = heard(tape, AT_ONCE, numbered)
    assert b"".join(map(bytes, got.of(dbn.MBP1Msg))) == expected.tobytes()
    assert got.symbols() == {"S3": 3, "S7": 7}


def test_an_unknown_symbol_gets_an_error_and_the_others_their_records() -> None:
    with GatewayThread(TAPE, AT_ONCE) as gateway, RawClient(gateway.port) as client:
        client.start("mbp-1|symbols=NO,S3,NEITHER")
        client.read_until(RawClient.quiet)
        expected = ROWS[ROWS["instrument_id"] == 3]
        assert b"".join(client.of(RType.MBP_1)) == expected.tobytes()
        errors = client.of(RType.ERROR)
        assert [error[-2:] for error in errors] == [b"\x04\x00", b"\x04\x01"]
        assert errors[0][16:].startswith(b"Failed to resolve symbol NO\0")


def test_two_subscriptions_both_come_whole_and_share_their_mappings() -> None:
    got = heard(TAPE, AT_ONCE, {"schema": "mbp-1", "start": 0}, {"schema": "trades", "start": 0})
    assert len(got.of(dbn.MBP1Msg)) == len(ROWS)
    assert len(got.of(dbn.TradeMsg)) == (ROWS["action"] == b"T").sum()
    assert len(got.of(dbn.SymbolMappingMsg)) == 20
    assert [code for code, _ in got.systems()] == [1, 1, 3, 3]


def test_ts_out_lengthens_every_record() -> None:
    got = heard(TAPE, AT_ONCE, {"schema": "mbp-1", "symbols": "S1"}, ts_out=True)
    mine = ROWS[ROWS["instrument_id"] == 1]
    assert [r.ts_event for r in got.of(dbn.MBP1Msg)] == mine["ts_event"].tolist()
    assert all(r.ts_out >= ROWS["ts_recv"][-1] for r in got.records)


def test_records_come_as_the_clock_reaches_them() -> None:
    fast = Options(speed=600.0, heartbeat_s=0.3)
    got = heard(TAPE, fast, {"schema": "mbp-1"}, {"schema": "ohlcv-1m"})
    rows, bars = got.of(dbn.MBP1Msg), got.of(dbn.OHLCVMsg)
    assert b"".join(map(bytes, rows)) == ROWS.tobytes()
    assert len(bars) == len(bars_by_pandas(ROWS, NAMES))
    assert got.records.index(rows[0]) < got.records.index(bars[0]) < got.records.index(rows[-1])
    assert quiet(got).ts_event > ROWS["ts_recv"][-1]


def test_a_clock_inside_the_tape_parts_the_past_from_the_future() -> None:
    inside = replace(STILL, from_ns=HALF_NS)
    past = ROWS[ROWS["ts_recv"] <= HALF_NS]
    assert len(heard(TAPE, inside, {"schema": "mbp-1"}).of(dbn.MBP1Msg)) == len(past)
    live = replace(inside, live_only=True)
    fresh = past[past["ts_recv"] == HALF_NS]
    assert len(heard(TAPE, live, {"schema": "mbp-1"}).of(dbn.MBP1Msg)) == len(fresh)
    short = replace(inside, replay_window_s=60)
    got = heard(TAPE, short, {"schema": "mbp-1", "start": 0})
    recent = past[past["ts_event"] >= HALF_NS - 60 * SECOND_NS]
    assert b"".join(map(bytes, got.of(dbn.MBP1Msg))) == recent.tobytes()
    with GatewayThread(TAPE, inside) as gateway, RawClient(gateway.port) as client:
        client.start(f"mbp-1|start={HALF_NS + SECOND_NS}")
        client.read_until(RawClient.quiet)
        (error,) = client.of(RType.ERROR)
        assert error[16:].startswith(b"start is in the future\0")
        assert {record[1] for record in client.records()} == {RType.ERROR, RType.SYSTEM}


def test_a_later_subscription_begins_at_the_clock_and_may_not_replay() -> None:
    inside = replace(STILL, from_ns=HALF_NS)
    with GatewayThread(TAPE, inside) as gateway, RawClient(gateway.port) as client:
        client.start("mbp-1|symbols=S1")
        client.read_until(RawClient.quiet)
        client.subscribe("trades|symbols=S1,S2|start=0")
        client.read_until(lambda seen: bool(seen.of(RType.ERROR)))
        client.subscribe("trades|symbols=S1,S2")
        client.read_until(lambda seen: len(seen.of(RType.SYMBOL_MAPPING)) == 2)
        assert client.of(RType.ERROR)[0][-2] == 5
        assert client.of(RType.TRADE) == []


def test_a_remapped_symbol_is_told_before_its_first_record() -> None:
    rows = ROWS.copy()
    moved = (rows["instrument_id"] == 1) & (rows["ts_recv"] >= HALF_NS)
    rows["instrument_id"][moved] = 501
    tape = Tape.from_records(rows, SYMBOLS, remaps=[(HALF_NS, "S1", 501)])
    got = heard(tape, AT_ONCE, {"schema": "mbp-1", "symbols": "S1"}, {"schema": "trades"})
    names: dict[int, str] = {}
    for record in got.records:
        if isinstance(record, dbn.SymbolMappingMsg):
            names[record.instrument_id] = record.stype_out_symbol
        elif isinstance(record, dbn.MBP1Msg):
            assert names[record.instrument_id] == "S1"
    assert [r.instrument_id for r in got.of(dbn.MBP1Msg)] == (
        rows["instrument_id"][ROWS["instrument_id"] == 1].tolist()
    )
    later = heard(tape, AT_ONCE, {"schema": "mbp-1", "start": HALF_NS + 120 * SECOND_NS})
    assert later.symbols()["S1"] == 501
    assert len(later.of(dbn.SymbolMappingMsg)) == 20


def test_an_unknown_schema_ends_the_session_with_an_error() -> None:
    with GatewayThread(TAPE, AT_ONCE) as gateway, RawClient(gateway.port) as client:
        client.start("mbp-10")
        assert client.read_to_end() is False
        assert [record[-2] for record in client.of(RType.ERROR)] == [5]


def test_only_the_right_key_is_let_in_and_no_repr_shows_it() -> None:
    import databento

    options = replace(AT_ONCE, key=KEY)
    assert KEY not in repr(options)
    assert len(heard(TAPE, options, {"schema": "trades"}).of(dbn.TradeMsg)) > 0
    with (
        GatewayThread(TAPE, options) as gateway,
        official(gateway.port, key="db-" + "w" * 29) as (client, _),
        pytest.raises(databento.BentoError, match="Authentication failed"),
    ):
        client.subscribe(DATASET, "trades")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("auth=0-0", "Malformed authentication request"),
        (f"auth=0-0|dataset={DATASET}|compression=zstd", "Only encoding=dbn and"),
        (f"auth=0-0|dataset={DATASET}|heartbeat_interval_s=x", "Malformed heartbeat_interval_s"),
        ("auth=0-0|dataset=XNAS.ITCH", "Unknown dataset XNAS.ITCH"),
    ],
)
def test_a_bad_login_is_answered_in_text(line: str, error: str) -> None:
    with (
        GatewayThread(TAPE, replace(AT_ONCE, dataset=DATASET)) as gateway,
        RawClient(gateway.port) as client,
    ):
        assert client.line().startswith("lsg_version=")
        assert client.line().startswith("cram=")
        client.say(line)
        assert client.line().startswith(f"success=0|error={error}")
        assert client.line() == ""


def test_the_challenge_is_another_one_each_time_and_its_answer_is_checked() -> None:
    with GatewayThread(TAPE, replace(AT_ONCE, key=KEY)) as gateway:
        challenges = []
        for key, reply in ((KEY, "success=1|session_id=1"), ("wrong", "success=0|error=")):
            with RawClient(gateway.port) as client:
                client.line()
                challenges.append(client.line().removeprefix("cram="))
                digest = hashlib.sha256(f"{challenges[-1]}|{key}".encode()).hexdigest()
                client.say(f"auth={digest}-{KEY[-5:]}|dataset={DATASET}")
                assert client.line().startswith(reply)
        assert len(set(challenges)) == 2


def test_no_data_comes_before_the_session_starts() -> None:
    with GatewayThread(TAPE, AT_ONCE) as gateway, RawClient(gateway.port) as client:
        assert client.login() == "success=1|session_id=1"
        client.subscribe("mbp-1")
        assert client.still_open()
        assert gateway.sessions_started == 0
        client.say("start_session=0")
        client.read_until(RawClient.quiet)
        assert gateway.sessions_started == 1
        assert len(client.of(RType.MBP_1)) == len(ROWS)
