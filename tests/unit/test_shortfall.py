"""What saved bars, or trades without quotes, cannot tell of a rule."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.metrics import REGISTRY, MetricKey, Unit, parse_metric, values_of
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.report.shortfall import STORED, lacking, warnings
from stockscan_tui.scan.expression import parse
from stockscan_tui.scan.rules import Rule
from tests import wire
from tests.playing import bars_by_pandas, play

SYMBOLS = {f"S{n}": n for n in range(1, 6)}
ROWS = wire.random_rows(5, 6_000, 5, minutes=60)


def rule_on(key: MetricKey) -> Rule:
    text = str(key) if REGISTRY[key.name].unit is Unit.FLAG else f"{key} > 0"
    return Rule(str(key), parse(text))


def numbers() -> list[MetricKey]:
    """Return the metrics that are numbers, each plainly and with its argument, where it can be."""
    found = []
    for metric in REGISTRY.values():
        for text in dict.fromkeys((metric.name, metric.example)):
            with suppress(UsageError):
                found += [parse_metric(text)] * (metric.unit is not Unit.FLAG)
    return found


def played(folder: Path, schema: str) -> Snapshot:
    if schema == "mbp-1":
        records: wire.Records = ROWS
    elif schema == "trades":
        prints = ROWS[ROWS["action"] == b"T"]
        records = wire.trades([(0, 0, 1.0, 1)] * len(prints))
        for name in records.dtype.names or ():
            if name not in ("length", "rtype"):
                records[name] = prints[name]
    else:
        names = {number: symbol for symbol, number in SYMBOLS.items()}
        bars = sorted(bars_by_pandas(ROWS, names).items(), key=lambda bar: bar[0][::-1])
        records = wire.ohlcv(
            [
                (minute * MINUTE_NS, SYMBOLS[symbol],
                 row[0] / 1e9, row[1] / 1e9, row[2] / 1e9, row[3] / 1e9, row[4])
                for (symbol, minute), row in bars
            ]
        )  # fmt: skip
    path = wire.write(folder / f"{schema}.dbn", wire.metadata(schema, SYMBOLS), records)
    return play(path, undated=dict.fromkeys(SYMBOLS, 20.0)).snapshot


def told(key: MetricKey, snapshot: Snapshot) -> bool:
    return bool(np.isfinite(values_of(key, snapshot)).any())


@pytest.mark.parametrize("schema", ["trades", "ohlcv-1m"])
def test_exactly_those_metrics_are_named_that_the_file_does_not_tell(
    tmp_path: Path, schema: str
) -> None:
    full, less = played(tmp_path, "mbp-1"), played(tmp_path, schema)
    missing = {str(key) for key in numbers() if told(key, full) and not told(key, less)}
    named = {name for key in numbers() for name in lacking(rule_on(key), [schema])}
    assert named - {"tape_volume"} == missing


def test_warnings_name_each_rule_and_say_that_bars_come_by_the_minute() -> None:
    rules = [
        Rule("tight", parse("spread_pct < 1 and bid > 5 and chg > 2")),
        Rule("held", parse("halt")),
        Rule("dear", parse("vwap_pct > 1 and trades(5m) > 3")),
        Rule("move", move=3.0, price="mid"),
        Rule("plain", parse("chg(5m) > 2 and rsi(14) > 70")),
    ]
    assert warnings(rules, ["ohlcv-1m"]) == (
        "tight: bars alone do not tell bid and spread_pct.",
        "held: bars alone do not tell halt.",
        "move: bars alone do not tell mid.",
        "Of bars, trades(5m) and vwap_pct can be told roughly only.",
        "Of minute bars alone rules see one price a minute, at its end.",
    )
    assert warnings(rules, ["trades"]) == (
        "tight: trades alone do not tell bid and spread_pct.",
        "move: trades alone do not tell mid.",
    )
    assert warnings(rules, ["mbp-1", "ohlcv-1m"]) == ()
    tape = Rule("tape", parse("tape_volume > 1m"))
    assert warnings([tape], ["mbp-1"]) == ("tape: saved files do not tell tape_volume.",)
    stored = warnings(rules, [STORED])
    assert "held: bars alone do not tell halt." in stored
    assert "Of bars, vwap_pct can be told roughly only." in stored
    assert lacking(Rule("busy", parse("trades > 50")), [STORED]) == ()
