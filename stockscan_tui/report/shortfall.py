"""What rules ask for that saved bars, or trades without quotes, cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.scan.rules import Rule

# Made of quotes alone.
OF_QUOTES = frozenset({"bid", "ask", "mid", "spread", "spread_pct", "quote_age"})
# Made of single trades; a bar of a file does not count them, one of the database does.
OF_TRADES = frozenset({"trades"})
# Heard between two bars.
OF_SECONDS = frozenset({"halt", "resumed"})
# What the database's own bars are called here, beside the schemas of files.
STORED = "stored"
# Told by a second live session alone; no file has it.
OF_LIVE = frozenset({"tape_volume"})
# Reckoned from bars otherwise than from trades: by typical price, or to the minute.
ROUGH = frozenset({"dvol", "vwap", "vwap_pct", "trade_age", "rvol"})


def lacking(rule: Rule, schemas: Iterable[str]) -> tuple[str, ...]:
    """Return the metrics of a rule that these schemas (or STORED) lack, in the order of names.

    A window of `trades` has one for each bar, so that only the day's count is lacking.
    """
    kinds = tuple(schemas)
    missing = set(OF_LIVE)
    if all(kind == "trades" or _are_bars(kind) for kind in kinds):
        missing |= OF_QUOTES
    if all(map(_are_bars, kinds)):
        missing |= OF_SECONDS
    if all(kind.startswith("ohlcv") for kind in kinds):
        missing |= OF_TRADES
    found = {str(key) for key in rule.keys if key.name in missing and not _windowed(key)}
    if rule.move and rule.price == "mid" and "mid" in missing:
        found.add("mid")
    return tuple(sorted(found))


def warnings(rules: Sequence[Rule], schemas: Iterable[str]) -> tuple[str, ...]:
    """Return, in sentences, what rules cannot be told from these schemas, or STORED."""
    kinds = tuple(schemas)
    bars = all(map(_are_bars, kinds))
    quoted = not all(kind == "trades" or _are_bars(kind) for kind in kinds)
    played = "bars alone" if bars else "saved files" if quoted else "trades alone"
    said = []
    rough: set[str] = set()
    for rule in rules:
        names = lacking(rule, kinds)
        if names:
            said.append(f"{rule.name}: {played} do not tell {_listed(names)}.")
        rough |= {str(key) for key in rule.keys if bars and _is_rough(key, kinds)}
    if rough:
        said.append(f"Of bars, {_listed(sorted(rough))} can be told roughly only.")
    if rules and all(kind in (STORED, "ohlcv-1m") for kind in kinds):
        said.append("Of minute bars alone rules see one price a minute, at its end.")
    return tuple(said)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _is_rough(key: MetricKey, kinds: Sequence[str]) -> bool:
    return key.name in ROUGH or (_windowed(key) and STORED not in kinds)


def _are_bars(kind: str) -> bool:
    return kind == STORED or kind.startswith("ohlcv")


def _windowed(key: MetricKey) -> bool:
    return key.name == "trades" and key.window > 0
