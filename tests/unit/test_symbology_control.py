"""What ids stand for, and the rare records: encoded by the official library, decoded by ours."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import databento_dbn as dbn
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stockscan_tui.feed.control import (
    Control,
    ControlDecoder,
    DailyBar,
    Definition,
    Mapping,
    Message,
)
from stockscan_tui.feed.dbn_file import DbnFile
from stockscan_tui.feed.symbology import Symbology
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.market.dbn import UNDEF_PRICE, RType
from tests import wire
from tests.playing import play

NEXT_DAY = wire.DAY + timedelta(days=1)
# The library's stubs call its members strings.
_STOCK: Any = dbn.InstrumentClass.STOCK
_ADD: Any = dbn.SecurityUpdateAction.ADD
# (rtype, version) → bytes of the layout, from Databento's specification.
LAYOUTS = {
    (RType.DEFINITION, 1): 360, (RType.DEFINITION, 2): 400, (RType.DEFINITION, 3): 520,
    (RType.ERROR, 1): 80, (RType.ERROR, 2): 320, (RType.ERROR, 3): 320,
    (RType.SYMBOL_MAPPING, 1): 80, (RType.SYMBOL_MAPPING, 2): 176, (RType.SYMBOL_MAPPING, 3): 176,
    (RType.SYSTEM, 1): 80, (RType.SYSTEM, 2): 320, (RType.SYSTEM, 3): 320,
    (RType.STATISTICS, 1): 64, (RType.STATISTICS, 2): 64, (RType.STATISTICS, 3): 80,
    (RType.STATUS, 1): 40, (RType.STATUS, 2): 40, (RType.STATUS, 3): 40,
}  # fmt: skip


def mapping(number: int, given_symbol: str, found: str, *, version: int = 3) -> bytes:
    """Return a mapping record from `given_symbol` to `found`."""
    if version == 1:
        old = dbn.SymbolMappingMsgV1(
            publisher_id=0,
            instrument_id=number,
            ts_event=wire.OPEN_NS,
            stype_in_symbol=given_symbol,
            stype_out_symbol=found,
            start_ts=wire.OPEN_NS,
            end_ts=2**64 - 1,
        )
        return bytes(old)
    return bytes(
        dbn.SymbolMappingMsg(
            publisher_id=0,
            instrument_id=number,
            ts_event=wire.OPEN_NS,
            stype_in=wire._RAW,
            stype_in_symbol=given_symbol,
            stype_out=wire._ID,
            stype_out_symbol=found,
            start_ts=wire.OPEN_NS,
            end_ts=2**64 - 1,
        )
    )


def definition(number: int, symbol: str) -> bytes:
    """Return a definition record."""
    return bytes(
        dbn.InstrumentDefMsg(
            publisher_id=95,
            instrument_id=number,
            ts_event=wire.OPEN_NS,
            ts_recv=wire.OPEN_NS,
            min_price_increment=10_000_000,
            display_factor=1_000_000_000,
            raw_symbol=symbol,
            asset="",
            security_type="",
            instrument_class=_STOCK,
            security_update_action=_ADD,
        )
    )


def decoded(record: bytes, version: int = 3, *, ts_out: bool = False) -> Control | None:
    return ControlDecoder(version, ts_out=ts_out).decode(record)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_mapping_names_the_symbol_on_whichever_side_it_stands(version: int) -> None:
    expected = Mapping(2**32 - 1, "BRK.B")
    for given_symbol, found in (("ALL_SYMBOLS", "BRK.B"), ("BRK.B", "4294967295")):
        record = mapping(2**32 - 1, given_symbol, found, version=version)
        assert decoded(record, version) == expected
    assert decoded(mapping(7, "", "", version=version), version) is None


def test_a_definition_without_a_symbol_is_named_by_its_number() -> None:
    assert decoded(definition(7, "AAC+")) == Definition(7, "AAC+")
    assert decoded(definition(7, "")) == Definition(7, "#7")


def test_messages_tell_errors_from_the_rest() -> None:
    ns = wire.OPEN_NS
    said = Message("no such symbol", True, None, ns)
    assert decoded(bytes(dbn.ErrorMsg(ns, "no such symbol"))) == said
    beat = bytes(dbn.SystemMsg(ns, "Heartbeat", dbn.SystemCode.HEARTBEAT))  # type: ignore[arg-type]
    assert decoded(beat) == Message("Heartbeat", False, 0, ns)
    refused = bytes(dbn.ErrorMsg(ns, "no", code=dbn.ErrorCode.AUTH_FAILED))  # type: ignore[arg-type]
    assert decoded(refused) == Message("no", True, 1, ns)
    assert decoded(bytes(dbn.ErrorMsgV1(ns, "denied")), 1) == Message("denied", True, None, ns)
    assert decoded(bytes(dbn.SystemMsgV1(ns, "hello")), 1) == Message("hello", False, None, ns)
    assert decoded(bytes(dbn.SystemMsgV1(ns, "Heartbeat")), 1) == Message("Heartbeat", False, 0, ns)


def test_a_daily_bar_without_a_sound_close_says_nothing() -> None:
    start_ns = (wire.DAY - date(1970, 1, 1)).days * 86_400 * SECOND_NS

    def daily(close: int) -> bytes:
        bar = wire.ohlcv([(start_ns, 3, 1, 1, 1, 1, 1)], RType.OHLCV_1D)
        bar["close"] = close
        return bar.tobytes()

    assert decoded(daily(12_340_000_000)) == DailyBar(3, wire.DAY, 12.34)
    for close in (0, -1, UNDEF_PRICE, -(2**63)):
        assert decoded(daily(close)) is None


@pytest.mark.parametrize("key", LAYOUTS, ids=lambda key: f"{key[0].name}-v{key[1]}")
@pytest.mark.parametrize("ts_out", [False, True])
def test_a_record_that_is_shorter_than_its_layout_says_nothing(
    key: tuple[RType, int], ts_out: bool
) -> None:
    rtype, version = key
    whole = LAYOUTS[key] + 8 * ts_out
    for length in range(16, whole, 4):
        record = bytes([length // 4, rtype]) + bytes(length - 2)
        assert decoded(record, version, ts_out=ts_out) is None


def test_send_times_behind_a_record_do_not_change_what_it_says() -> None:
    record = bytearray(mapping(7, "AAA", "7") + wire.OPEN_NS.to_bytes(8, "little"))
    record[0] += 2
    assert decoded(bytes(record), ts_out=True) == Mapping(7, "AAA")


@pytest.mark.parametrize(
    "record",
    [mapping(7, "QQQQ", "QQQQ"), definition(7, "QQQQ"), bytes(dbn.ErrorMsg(1, "QQQQ"))],
    ids=["mapping", "definition", "error"],
)
def test_text_that_is_not_utf_8_says_nothing_and_ends_nothing(
    tmp_path: Path, record: bytes
) -> None:
    broken = record.replace(b"QQQQ", b"Q\xffQQ")
    assert broken != record
    assert decoded(broken) is None
    trades = wire.trades([(wire.OPEN_NS, 1, 10.0, 5)])
    meta = wire.metadata(None, {"AAA": 1})
    played = play(wire.write(tmp_path / "x.dbn", meta, trades, broken, trades))
    assert played.outcome.health.trades == 2


@given(
    key=st.sampled_from(sorted(LAYOUTS)),
    noise=st.binary(max_size=1_020),
    ts_out=st.booleans(),
    longer=st.integers(0, 40),
)
@settings(max_examples=300, deadline=None)
def test_records_of_arbitrary_bytes_say_something_or_nothing(
    key: tuple[RType, int], noise: bytes, ts_out: bool, longer: int
) -> None:
    rtype, version = key
    length = min(LAYOUTS[key] + 8 * ts_out + 4 * longer, 1_020)
    body = (noise + bytes(length))[2:length]
    said = decoded(bytes([length // 4, rtype]) + body, version, ts_out=ts_out)
    assert said is None or isinstance(said, Mapping | Definition | Message)


def test_ids_stand_for_symbols_within_their_dates_only(tmp_path: Path) -> None:
    spans = {
        "OLD": [(wire.DAY - timedelta(days=5), wire.DAY, 1)],
        "NEW": [(wire.DAY, NEXT_DAY, 1), (NEXT_DAY, NEXT_DAY + timedelta(days=1), 2)],
        "BIG": [(wire.DAY, NEXT_DAY, 2**32 - 1)],
    }
    symbology = DbnFile(
        wire.write(tmp_path / "x.dbn", wire.metadata("trades", mappings=spans))
    ).symbology
    assert symbology.on(wire.DAY - timedelta(days=1)) == {1: "OLD"}
    assert symbology.on(wire.DAY) == {1: "NEW", 2**32 - 1: "BIG"}
    assert symbology.on(NEXT_DAY) == {2: "NEW"}
    assert symbology.on(NEXT_DAY + timedelta(days=1)) == {}


class _Metadata:
    """What `Symbology` reads of the library's metadata."""

    def __init__(self, stype_in: str, mappings: dict[str, list[str]]) -> None:
        self.stype_in = stype_in
        self.mappings = {
            name: [{"start_date": wire.DAY, "end_date": NEXT_DAY, "symbol": s} for s in symbols]
            for name, symbols in mappings.items()
        }


@pytest.mark.parametrize(
    ("stype_in", "mappings", "expected"),
    [
        ("raw_symbol", {"AAA": ["1"]}, {1: "AAA"}),
        ("instrument_id", {"1": ["AAA"]}, {1: "AAA"}),
        ("raw_symbol", {"AAA": [""], "BBB": ["x"], "CCC": ["²"], "DDD": ["4294967296"]}, {}),
        ("instrument_id", {"²": ["AAA"], "2": [""]}, {}),
    ],
)
def test_mappings_are_read_in_both_directions_and_broken_ones_left_out(
    stype_in: str, mappings: dict[str, list[str]], expected: dict[int, str]
) -> None:
    metadata: Any = _Metadata(stype_in, mappings)
    assert Symbology(metadata).on(wire.DAY) == expected


def test_an_id_that_is_mapped_anew_in_mid_file_counts_for_its_new_symbol(tmp_path: Path) -> None:
    trades = wire.trades([(wire.OPEN_NS + n * MINUTE_NS, 1, 10.0 + n, 5) for n in range(4)])
    parts = (mapping(1, "AAA", "AAA"), trades[:2], mapping(1, "BBB", "BBB"), trades[2:])
    played = play(wire.write(tmp_path / "x.dbn", wire.metadata(None), *parts))
    minute = wire.OPEN_NS // MINUTE_NS
    assert sorted(played.sink.bars) == [
        ("AAA", minute), ("AAA", minute + 1), ("BBB", minute + 2), ("BBB", minute + 3),
    ]  # fmt: skip


def test_a_definition_names_only_what_nothing_else_names(tmp_path: Path) -> None:
    trades = wire.trades([(wire.OPEN_NS, number, 10.0, 5) for number in (1, 2, 3)])
    parts = (definition(1, "XXX"), definition(2, "BBB"), trades)
    played = play(wire.write(tmp_path / "x.dbn", wire.metadata(None, {"AAA": 1}), *parts))
    assert {symbol for symbol, _ in played.sink.bars} == {"AAA", "BBB", "#3"}
    assert played.outcome.health.unmapped == 1


def test_a_file_of_definitions_only_knows_symbols_and_no_bars(tmp_path: Path) -> None:
    parts = [definition(number, f"S{number}") for number in range(1, 6)]
    played = play(wire.write(tmp_path / "x.dbn", wire.metadata("definition"), *parts))
    assert played.outcome.symbols == 5
    assert played.outcome.health.bars == 0
    assert played.outcome.health.problems == ()


def test_what_the_gateway_calls_an_error_is_among_the_problems(tmp_path: Path) -> None:
    trades = wire.trades([(wire.OPEN_NS, 1, 10.0, 5)])
    texts = bytes(dbn.SystemMsg(1, "Heartbeat")) + bytes(dbn.ErrorMsg(1, "User is not entitled"))
    played = play(wire.write(tmp_path / "x.dbn", wire.metadata(None, {"AAA": 1}), texts, trades))
    assert played.outcome.health.problems == ("the feed said: User is not entitled",)
    assert played.outcome.health.trades == 1
