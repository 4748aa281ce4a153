"""What rules ask for that saved bars, or trades without quotes, cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.scan.rules import Rule

# Made of quotes alone.
OF_QUOTES = frozenset({"bid", "ask", "mid", "spread", "spread_pct", "quote_age"})
# Made of single trades; a bar tells none.
OF_TRADES = frozenset({"trades", "halt", "resumed"})
# Told by a second live session alone; no file has it.
OF_LIVE = frozenset({"tape_volume"})
# Reckoned from bars otherwise than from trades: by typical price, or to the minute.
ROUGH = frozenset({"dvol", "vwap", "vwap_pct", "trade_age", "rvol"})


def lacking(rule: Rule, schemas: Iterable[str]) -> tuple[str, ...]:
    """Return the metrics of a rule that files of these schemas lack, in the order of their names.

    A window of `trades` has one for each bar, so that only the day's count is lacking.
    """
    kinds = tuple(schemas)
    missing = set(OF_LIVE)
    if all(kind.startswith("ohlcv") for kind in kinds):
        missing |= OF_QUOTES | OF_TRADES
    elif all(kind == "trades" or kind.startswith("ohlcv") for kind in kinds):
        missing |= OF_QUOTES
    found = {str(key) for key in rule.keys if key.name in missing and not _windowed(key)}
    if rule.move and rule.price == "mid" and "mid" in missing:
        found.add("mid")
    return tuple(sorted(found))


def warnings(rules: Sequence[Rule], schemas: Iterable[str]) -> tuple[str, ...]:
    """Return, in sentences, what rules cannot be told from files of these schemas."""
    kinds = tuple(schemas)
    bars = all(kind.startswith("ohlcv") for kind in kinds)
    played = "bars" if bars else "trades"
    said = []
    for rule in rules:
        names = lacking(rule, kinds)
        if names:
            them = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
            said.append(f"{rule.name}: {played} alone do not tell {them}.")
        rough = sorted(
            str(key) for key in rule.keys if bars and (key.name in ROUGH or _windowed(key))
        )
        if rough:
            said.append(f"{rule.name}: of bars, {', '.join(rough)} can be told roughly only.")
    if bars and rules:
        said.append("Of minute bars alone rules see one price a minute, at its end.")
    return tuple(said)


def _windowed(key: MetricKey) -> bool:
    return key.name == "trades" and key.window > 0
