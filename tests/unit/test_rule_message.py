"""What is told of an alert."""

from __future__ import annotations

import json
from datetime import UTC

import pytest

from stockscan_tui.errors import UsageError
from stockscan_tui.market.fired import Fired, packed
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule
from stockscan_tui.scan.rules.message import check, fields_of, filled, known_of, told
from tests.ui.market import NOW_NS

RULE = Rule("running up", parse("chg(5m) >= 3 and dvol > 50k and rvol > 2 and not halt"))
VALUES = {"chg": 12.34, "chg(5m)": 3.44, "dvol": 1_234_567.0, "rvol": float("nan"), "halt": 0.0}
FIRED = Fired(NOW_NS, "NVDA", "running up", 181.2, packed(VALUES.items()))


def said(message: str, rule: Rule = RULE, fired: Fired = FIRED) -> str:
    return told(Rule(rule.name, rule.when, message=message), fired)


def test_without_a_message_symbol_move_rule_and_price_are_told() -> None:
    assert told(RULE, FIRED) == "NVDA +3.4 % in 5 min · running up · 181.20"
    assert told(Rule("move", move=3), FIRED) == "NVDA +12.3 % · move · 181.20"
    bare = Fired(NOW_NS, "NVDA", "move", 0.1234)
    assert told(Rule("move", move=3), bare) == "NVDA · move · 0.1234"


def test_values_are_told_in_their_units() -> None:
    assert said("{symbol} {chg} {chg(5m)} {dvol} {halt}") == "NVDA +12.3 % +3.4 % 1.2M no"
    assert said("{rule} at {price}, {time} on {date}") == (
        "running up at 181.20, 10:41:07 on 2026-06-15"
    )
    assert told(Rule("x", message="{time}"), FIRED, UTC) == "14:41:07"


def test_a_value_that_is_missing_is_a_dash() -> None:
    assert said("{rvol} {trades}") == "– –"
    assert told(Rule("x", message="{chg}"), Fired(1, "A", "x", 1.0, "no json")) == "–"


def test_a_metric_may_be_spelled_in_other_ways() -> None:
    assert said("{chg(5)} { no value } {{chg} {}") == "+3.4 % { no value } {chg} {}"
    assert fields_of("{chg( 5m )} {chg(5)} {rsi(14,5m)} {{rvol}") == ("chg(5m)", "rsi(14, 5m)")


@pytest.mark.parametrize("field", ["symbol.__class__", "0", "symbol!r", "symbol[0]", "__init__"])
def test_nothing_can_be_looked_up(field: str) -> None:
    assert "class" not in said(f"{{{field}}}").replace(field, "")
    if field[0] != "0":
        with pytest.raises(UsageError):
            check(f"{{{field}}}", known_of(RULE))


def test_an_unknown_value_is_refused_and_the_nearest_offered() -> None:
    check("{symbol} {chg} {chg(5m)} {rvol}", known_of(RULE))
    with pytest.raises(UsageError, match="Did you mean symbol"):
        check("{symbl}", known_of(RULE))
    with pytest.raises(UsageError, match="trades"):
        check("{trades}", known_of(RULE))


def test_what_is_told_is_harmless_and_short() -> None:
    evil = Fired(NOW_NS, "A\x1b]0;x\x07\nB", "r", 1.0)
    line = told(Rule("r\u202e", message="{symbol} {rule}"), evil)
    assert line.isprintable()
    assert "\x1b" not in line
    assert len(said("{symbol} " + "x" * 400)) == 300


def test_a_template_of_json_stays_json() -> None:
    rule = Rule(RULE.name, RULE.when, message='say "{symbol}"')
    body = '{"text": "{message}", "more": {"at": {"ts": {ts}}}, "values": {values}}'

    def escaped(value: str) -> str:
        return value if value.startswith("{") else json.dumps(value)[1:-1]

    found = json.loads(filled(body, rule, FIRED, escaped=escaped))
    assert found["text"] == 'say "NVDA"'
    assert found["more"] == {"at": {"ts": NOW_NS}}
    assert found["values"]["chg(5m)"] == 3.44
