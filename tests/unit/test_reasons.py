"""Why a symbol has few bars: each reason follows from its counts, and only from them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.gates import SHIPPED
from stockscan_tui.scan.gating import GatePart, parts_of, refusing
from stockscan_tui.scan.reasons import Facts, explain, facts_of
from tests.ui.market import NOW_NS, market

WELL = Facts(
    symbol="A",
    dataset="EQUS.MINI",
    bars=100,
    trades=900,
    bid=10.0,
    ask=10.01,
    trade_ns=NOW_NS,
    quote_ns=NOW_NS,
    prev_close=9.0,
    first_ns=NOW_NS - 100 * MINUTE_NS,
    since_ns=NOW_NS - 100 * MINUTE_NS,
    elapsed=100,
    dense=100,
)
QUOTED = replace(WELL, bars=0, trades=0, trade_ns=0, first_ns=0, dense=0, quiet=100)


@pytest.mark.parametrize(
    ("facts", "codes", "sentence"),
    [
        (WELL, ["whole"], "bars in 100 of 100 session minutes"),
        (replace(WELL, known=False, mapped=False), ["universe"], "not in the universe of EQUS"),
        (replace(WELL, mapped=False), ["unmapped"], "on another one"),
        (
            replace(WELL, known=False, mapped=False, renamed_to="B"),
            ["renamed"],
            "it trades as B: ask for that",
        ),
        (replace(WELL, renamed_from="Z"), ["renamed"], "it traded as Z before"),
        (replace(QUOTED, quote_ns=0), ["silent"], "neither a quote nor a trade"),
        (QUOTED, ["quotes"], "no trade has come (the last quote at 10:41)"),
        (replace(QUOTED, ask=11.0), ["quotes", "wide"], "9.5 % wide"),
        (replace(WELL, dense=20, quiet=80), ["thin"], "traded in 20 of 100 session minutes; in 80"),
        (
            replace(WELL, dense=80, unknown=20, gaps=2),
            ["gap"],
            "in 20 minutes the feed is not known to have been whole: 2 gaps were not healed",
        ),
        (replace(WELL, dense=99, missing=1), ["missing"], "of 1 minute Databento has a bar"),
        (replace(WELL, remaps=1), ["remapped"], "another instrument id once today"),
        (replace(WELL, prev_close=math.nan), ["no close"], "no previous close is known"),
        (
            replace(WELL, first_ns=NOW_NS - 30 * MINUTE_NS),
            ["late"],
            "its first bar is of 10:11, 70 minutes after the first of all (09:01)",
        ),
        (
            replace(WELL, refused=(GatePart("mark >= 20", ((MetricKey("mark"), 10.004),)),)),
            ["gated"],
            "kept off the board by 'mark >= 20' (its mark is 10",
        ),
        (
            replace(WELL, refused=(GatePart("rvol > 2", known=False),)),
            ["gate"],
            "whether 'rvol > 2' keeps it off the board is not kept",
        ),
    ],
)
def test_a_reason_names_its_counts(facts: Facts, codes: list[str], sentence: str) -> None:
    found = explain(facts)
    assert [reason.code for reason in found] == codes
    assert sentence in " ".join(reason.sentence for reason in found)


def test_a_gate_falls_into_the_conditions_that_have_to_hold_together() -> None:
    assert parts_of("mark >= 1 and not (warrant or unit) and chg 3..8") == (
        "mark >= 1", "not (warrant or unit)", "chg 3..8")  # fmt: skip
    assert parts_of("mark >= 1 or dvol > 5k and chg > 2") == ("mark >= 1 or dvol > 5k and chg > 2",)
    assert parts_of("(mark > 1 and chg > 2)") == ("(mark > 1 and chg > 2)",)
    assert parts_of('"and" and chg(5m) > 1') == ('"and"', "chg(5m) > 1")
    assert parts_of("") == ()
    assert len(parts_of(SHIPPED.regular)) == 5


def test_the_parts_that_refuse_a_symbol_are_those_that_do_not_hold_for_it() -> None:
    snapshot = market(60)
    gate = "mark >= 20 and chg > 0 and mark < 1m and rvol > 2 and watched(tech)"
    names = Names(watchlists=("tech",))

    def tells(key: MetricKey) -> bool:
        return key.name != "rvol"

    for row in range(60):
        parts = refusing(gate, names, snapshot, row, tells)
        refused = {part.text for part in parts if part.known}
        assert ("mark >= 20" in refused) == (not snapshot.mark[row] >= 20)
        assert ("chg > 0" in refused) == (not snapshot.mark[row] > snapshot.prev_close[row])
        assert ("mark < 1m" in refused) == np.isnan(snapshot.mark[row])
        assert {part.text for part in parts if not part.known} == {"rvol > 2", "watched(tech)"}


def test_what_a_picture_tells_of_a_symbol() -> None:
    snapshot = market(5)
    facts = facts_of(snapshot, 2)
    assert facts.symbol == snapshot.symbols[2]
    assert facts.bars == snapshot.bars[2]
    assert facts.elapsed == -1 or facts.elapsed >= 0
    assert np.isclose(facts.prev_close, snapshot.prev_close[2], equal_nan=True)
