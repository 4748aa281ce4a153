"""The Historical and Reference API through the official client, against a stand-in on loopback."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from stockscan_tui.feed.history import History, HistoryError
from stockscan_tui.feed.splits import Rename
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS
from stockscan_tui.sim.archive import (
    MinuteTable,
    Tables,
    closes_of_universe,
    not_licensed,
    out_of_plan,
    rename_action,
    split_action,
)
from stockscan_tui.sim.history import Failure, HistoryStub
from stockscan_tui.sim.universe import make_universe
from tests import wire

KEY = "db-SECRETsecretSECRETsecret12345"
THURSDAY, FRIDAY, MONDAY = date(2026, 6, 11), date(2026, 6, 12), date(2026, 6, 15)
SUMMARY = "EQUS.SUMMARY"
CLOSES = {
    SUMMARY: {
        THURSDAY: {"AAA": 10.25, "BRK.B": 401.5, "ZZZ+": 0.0123},
        FRIDAY: {"AAA": 11.0, "BRK.B": 400.0},
    }
}
SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "REFERENCE"
BARS = "timeseries.get_range"


def day_ns(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86_400 * SECOND_NS


def history(stub: HistoryStub, **options: Any) -> History:
    return History(KEY, url=stub.url, **{"timeout_s": 10.0, **options})


@pytest.fixture
def stub() -> Iterator[HistoryStub]:
    with HistoryStub(Tables(closes=CLOSES)) as serving:
        yield serving


@pytest.mark.parametrize("mappings", [True, False])
def test_closes_come_by_day_and_symbol_whether_or_not_the_answer_names_its_symbols(
    mappings: bool,
) -> None:
    with HistoryStub(Tables(closes=CLOSES, mappings=mappings)) as stub:
        assert history(stub).daily_closes([THURSDAY, FRIDAY]) == CLOSES[SUMMARY]
        assert len(stub.asked("symbology.resolve")) == (0 if mappings else 1)


def test_the_end_that_is_asked_for_is_the_one_that_is_published(stub: HistoryStub) -> None:
    assert history(stub).daily_closes([FRIDAY, MONDAY]) == {FRIDAY: CLOSES[SUMMARY][FRIDAY]}
    (asked,) = stub.asked(BARS)
    assert int(asked["end"]) == day_ns(FRIDAY) + 86_400 * SECOND_NS


def test_nothing_is_requested_of_days_that_are_not_published(stub: HistoryStub) -> None:
    assert history(stub).daily_closes([MONDAY]) == {}
    assert stub.asked(BARS) == []
    assert history(stub).daily_closes([]) == {}


@pytest.mark.parametrize("call", ["metadata.get_cost", BARS])
@pytest.mark.parametrize(
    "failure",
    [
        Failure(422, out_of_plan(SUMMARY, day_ns(FRIDAY) + SECOND_NS), times=1),
        Failure(403, not_licensed(SUMMARY, day_ns(FRIDAY) + SECOND_NS), times=1),
    ],
    ids=["422", "403"],
)
def test_an_end_that_a_refusal_names_is_asked_for_once(
    stub: HistoryStub, call: str, failure: Failure
) -> None:
    stub.fail(call, failure)
    closes = history(stub).daily_closes([THURSDAY, FRIDAY])
    assert closes == {THURSDAY: CLOSES[SUMMARY][THURSDAY]}
    assert int(stub.asked(BARS)[-1]["end"]) == day_ns(FRIDAY)


def test_minutes_after_the_published_end_are_left_out() -> None:
    rows = [
        (wire.OPEN_NS + n * MINUTE_NS, n % 2 + 1, 5.0, 6.0, 4.0, 5.5, 100 + n) for n in range(6)
    ]
    table = MinuteTable(wire.ohlcv(rows), {1: "BBB", 2: "AAA"})
    ends = {"EQUS.MINI": wire.OPEN_NS + 4 * MINUTE_NS}
    with HistoryStub(Tables(minutes={"EQUS.MINI": table}, ends_ns=ends)) as stub:
        start_ns, end_ns = wire.OPEN_NS + MINUTE_NS, wire.OPEN_NS + 9 * MINUTE_NS
        names = ["BBB", "AAA", "NONE"]
        found = history(stub).minute_bars("EQUS.MINI", names, start_ns, end_ns)
    assert found.names == ("AAA", "BBB", "NONE")
    minute = wire.OPEN_NS // MINUTE_NS
    assert found.bars[["symbol", "minute", "volume"]].tolist() == [
        (0, minute + 1, 101),
        (1, minute + 2, 102),
        (0, minute + 3, 103),
    ]
    assert found.bars[["open", "high", "low", "close"]].tolist()[0] == (
        5_000_000_000,
        6_000_000_000,
        4_000_000_000,
        5_500_000_000,
    )


def test_volumes_of_a_day_that_is_not_over_are_left_out() -> None:
    volumes = {"EQUS.MINI": {THURSDAY: {"AAA": 7, "BBB": 8}, FRIDAY: {"AAA": 9}}}
    ends = {"EQUS.MINI": day_ns(FRIDAY) + 3_600 * SECOND_NS}
    with HistoryStub(Tables(volumes=volumes, ends_ns=ends)) as stub:
        found = history(stub).daily_volumes("EQUS.MINI", [THURSDAY, FRIDAY])
    assert found == {THURSDAY: {"AAA": 7, "BBB": 8}}


def test_what_costs_more_than_is_allowed_is_not_requested() -> None:
    tables = Tables(closes=CLOSES, costs={(SUMMARY, "ohlcv-1d"): 1.5})
    with HistoryStub(tables) as stub:
        with pytest.raises(HistoryError, match=r"would cost \$1\.50; max_cost_usd allows \$0\.00"):
            history(stub).daily_closes([FRIDAY])
        assert stub.asked(BARS) == []
        assert FRIDAY in history(stub, max_cost_usd=1.5).daily_closes([FRIDAY])


def test_a_dataset_that_the_key_may_not_have_is_asked_for_once(stub: HistoryStub) -> None:
    asking = history(stub)
    with pytest.raises(HistoryError, match="This key may not have") as refused:
        asking.daily_closes([FRIDAY], "XNAS.ITCH")
    assert (refused.value.entitled, refused.value.retry, refused.value.repeated) == (0, 0, 0)
    count = len(stub.requests)
    with pytest.raises(HistoryError) as again:
        asking.daily_closes([FRIDAY], "XNAS.ITCH")
    assert again.value.repeated
    assert len(stub.requests) == count
    assert asking.daily_closes([FRIDAY])


@pytest.mark.parametrize(
    ("failure", "said", "retry"),
    [
        (Failure(401, {"case": "auth", "message": f"Key {KEY} is wrong."}), "API key", False),
        (Failure(402, {"case": "funds", "message": "Top up."}), "402: Top up", False),
        (Failure(422, {"case": "odd", "message": "Bad \x1b[2Jsymbol."}), "422: Bad �", False),
        (Failure(429, "Too many requests"), "asked too often", True),
        (Failure(500, None), "a fault of its own \\(500\\)", True),
        (Failure(504, ["odd"]), "gateway timed out", True),
        (Failure(503, ["odd"]), "it gives no reason", True),
        (Failure(cut_at=40), "broke off its answer", True),
    ],
)
def test_every_failure_is_a_sentence_without_the_key(
    stub: HistoryStub, failure: Failure, said: str, retry: bool
) -> None:
    stub.fail(BARS, failure)
    with pytest.raises(HistoryError, match=said) as raised:
        history(stub).daily_closes([FRIDAY])
    text = str(raised.value)
    assert raised.value.retry is retry
    assert KEY not in text + repr(history(stub))
    assert text.isprintable()
    assert text.endswith(".")


def test_a_key_that_is_not_accepted_is_not_tried_again(stub: HistoryStub) -> None:
    stub.fail("metadata.get_dataset_range", Failure(401, "Authentication failed."))
    asking = history(stub)
    for repeated in (False, True):
        with pytest.raises(HistoryError, match="does not accept the API key") as raised:
            asking.daily_closes([FRIDAY])
        assert raised.value.repeated is repeated
    assert len(stub.requests) == 1


def test_a_slow_answer_is_given_up_and_can_be_asked_for_again(stub: HistoryStub) -> None:
    stub.fail("metadata.get_dataset_range", Failure(delay_s=60.0, times=1))
    asking = history(stub, timeout_s=0.2)
    with pytest.raises(HistoryError, match=r"did not answer within 0\.2 s") as raised:
        asking.daily_closes([FRIDAY])
    assert raised.value.retry


def test_a_service_that_is_not_there_is_told_from_one_that_refuses(stub: HistoryStub) -> None:
    url = stub.url
    gone = History(KEY, url=url.replace(url.rpartition(":")[2], "9"), timeout_s=5.0)
    with pytest.raises(HistoryError, match="cannot be reached") as raised:
        gone.daily_closes([FRIDAY])
    assert raised.value.retry
    assert raised.value.entitled


def test_no_proxy_comes_between_here_and_the_stand_in(
    stub: HistoryStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert history(stub).daily_closes([FRIDAY])


def test_the_clients_log_stays_out_of_the_others(
    stub: HistoryStub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "databento")
    history(stub).daily_closes([FRIDAY])
    logging.getLogger("databento").error("told")
    assert [record for record in caplog.records if record.name.startswith("databento")] == []


def test_a_simulated_markets_closes_are_served_whole() -> None:
    universe = make_universe(1, 3_000)
    tables = Tables(closes={SUMMARY: closes_of_universe(universe, FRIDAY)})
    with HistoryStub(tables) as stub:
        closes = history(stub).daily_closes([FRIDAY])[FRIDAY]
    assert list(closes) == list(universe.symbols)
    np.testing.assert_allclose(list(closes.values()), universe.prev_close)


def test_splits_and_renames_come_from_corporate_actions() -> None:
    actions = [
        split_action("NEW", date(2026, 6, 10), 1, 3),
        split_action("OLD", date(2026, 6, 9), 20, 1),
        split_action("LATE", date(2026, 6, 20), 1, 2),
        {**split_action("GONE", date(2026, 6, 9), 1, 2), "event_action": "D"},
        {**split_action("NEW", date(2026, 6, 10), 1, 2), "ts_record": "2026-06-01T00:00:00Z"},
        rename_action("FB", "META", date(2026, 6, 11)),
    ]
    with HistoryStub(Tables(actions=actions)) as stub:
        splits = history(stub).splits(date(2026, 6, 1), MONDAY)
        renames = history(stub).renames(date(2026, 6, 1), MONDAY)
        assert history(stub).splits(MONDAY, MONDAY) == []
    assert [(s.symbol, s.ex_date.day, s.ratio) for s in splits] == [
        ("OLD", 9, 0.05),
        ("NEW", 10, 3),
    ]
    assert renames == [Rename("FB", "META", date(2026, 6, 11))]


def test_adjustment_factors_serve_where_corporate_actions_are_refused() -> None:
    factor = {"nasdaq_symbol": "AAA", "ex_date": "2026-06-10", "status": "A", "factor": 0.1}
    factors = [
        {**factor, "event": "FSPLT"},
        {**factor, "event": "DIV", "nasdaq_symbol": "DDD"},
        {**factor, "event": "RSPLT", "nasdaq_symbol": "RRR", "status": "R"},
    ]
    with HistoryStub(Tables(factors=factors)) as stub:
        stub.fail("corporate_actions.get_range", Failure(403, "Not authorized"))
        (split,) = history(stub).splits(date(2026, 6, 1), MONDAY)
    assert (split.symbol, split.ratio, split.source) == ("AAA", 10.0, "adjustment factors")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="Databento's samples are not here")
def test_databentos_own_samples_are_read() -> None:
    def read(name: str) -> list[dict[str, object]]:
        text = (SAMPLES / f"test_data.{name}.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    tables = Tables(actions=read("corporate-actions"), factors=read("adjustment-factors"))
    with HistoryStub(tables) as stub:
        splits = history(stub).splits(date(2023, 1, 1), date(2024, 1, 1))
        assert [(s.symbol, s.ratio) for s in splits] == [("BOMO", 1 / 1000), ("BRQS", 1 / 12)]
        stub.fail("corporate_actions.get_range", Failure(403, "Not authorized"))
        assert history(stub).splits(date(2007, 1, 1), date(2008, 1, 1)) == []


@pytest.mark.parametrize(
    ("call", "spoil"),
    [
        ("metadata.get_dataset_range", lambda body: b""),
        ("metadata.get_dataset_range", lambda body: b"[]"),
        ("metadata.get_dataset_range", lambda body: b'{"start": null, "end": 5}'),
        ("metadata.get_cost", lambda body: b'"much"'),
        (BARS, lambda body: b""),
        (BARS, lambda body: b"not DBN at all"),
        (BARS, lambda body: body[:-9]),
        (BARS, lambda body: body[:30] + b"\xff" * 9 + body[39:]),
        (BARS, lambda body: zstandard.compress(b"DBN\x03\xff\xff\x00\x00")),
    ],
)
def test_an_answer_that_is_not_what_it_should_be_is_a_sentence(
    stub: HistoryStub,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    spoil: Callable[[bytes], bytes],
) -> None:
    answer = HistoryStub.answer

    def spoilt(self: HistoryStub, asked: str, parameters: Any, *, known: bool) -> Any:
        status, kind, body = answer(self, asked, parameters, known=known)
        return status, kind, spoil(body) if asked == call else body

    monkeypatch.setattr(HistoryStub, "answer", spoilt)
    with pytest.raises(HistoryError, match="Databento") as raised:
        history(stub).daily_closes([FRIDAY])
    assert raised.value.retry
