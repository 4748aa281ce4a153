"""What is told of an alert: a template with values in braces, filled without running anything.

    {symbol} is up {chg(5m)} at {price}          {{not a value}

A value is a word in braces that begins with a letter; `{{` is a brace, and any other brace stands
for itself, so that JSON can be a template. Nothing is looked up but the alert's own values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, tzinfo

from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import NEW_YORK, SECOND_NS
from stockscan_tui.market.fired import Fired, unpacked
from stockscan_tui.market.metrics import MetricKey, Unit, metric_of, parse_metric
from stockscan_tui.market.text import printable
from stockscan_tui.scan.expression.error import shown
from stockscan_tui.scan.expression.resolve import suggestion
from stockscan_tui.scan.rules.rule import Rule

FIELDS = ("symbol", "rule", "price", "time", "date")
# What commands and webhooks may say besides.
OUTSIDE = (*FIELDS, "message", "priority", "ts", "values")
LENGTH = 300
MISSING = "–"
_NAMED = 20
_CHANGE = MetricKey("chg")
_PIECE = re.compile(r"\{\{|\{([A-Za-z_][^{}\"':;\n]*)\}")
_SIZES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def fields_of(template: str) -> tuple[str, ...]:
    """Return what stands in braces, in order, each once."""
    found = (match.group(1) for match in _PIECE.finditer(template))
    return tuple(dict.fromkeys(_spelled(name) for name in found if name is not None))


def check(template: str, known: Collection[str]) -> None:
    """Refuse a template that names an unknown value.

    Args:
        template: The text.
        known: What may stand in braces; metrics by their text, as in `chg(5m)`.

    Raises:
        UsageError: A value is not known.
    """
    for name in fields_of(template):
        if name not in known:
            hint = suggestion(name, known) or f" There are: {', '.join(list(known)[:_NAMED])}."
            raise UsageError(f"there is no value {{{shown(name)}}} to tell.{hint}")


def known_of(rule: Rule) -> tuple[str, ...]:
    """Return what a rule's message may tell: the alert itself, and the values it is saved with."""
    return (*FIELDS, *_keys_of(rule))


def told(rule: Rule, fired: Fired, zone: tzinfo = NEW_YORK) -> str:
    """Return a rule's message on an alert, harmless for a terminal and of up to 300 characters."""
    values = _texts(rule, fired, zone)
    said = _filled(rule.message, values) if rule.message else _usual(rule, fired)
    line = printable(" ".join(said.split()))
    return line if len(line) <= LENGTH else f"{line[: LENGTH - 1]}…"


def filled(
    template: str,
    rule: Rule,
    fired: Fired,
    *,
    zone: tzinfo = NEW_YORK,
    escaped: Callable[[str], str] = str,
) -> str:
    """Return a command's or webhook's template with its values.

    Args:
        template: The text; it may name all of `OUTSIDE` and any metric.
        rule: The rule that fired.
        fired: The alert.
        zone: Whose time of day is told.
        escaped: Makes each value fit for where it stands, as in a JSON string.

    Returns:
        The text; a metric that the rule lacks is `–`.
    """
    values = {
        **_texts(rule, fired, zone),
        "message": told(rule, fired, zone),
        "priority": rule.priority.value,
        "ts": str(fired.ts_ns),
        "values": fired.values,
    }
    return _filled(template, {name: escaped(value) for name, value in values.items()})


def written(key: MetricKey, value: float) -> str:
    """Return a metric's value as it is told: `+3.4 %`, `181.20`, `1.2M`."""
    metric = metric_of(key.name)
    if not math.isfinite(value):
        return MISSING
    sign = "+" if metric.signed and value > 0 else ""
    return sign + _WRITTEN.get(metric.unit, _plain)(value)


def _filled(template: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        return "{" if name is None else values.get(_spelled(name), MISSING)

    return _PIECE.sub(value, template)


def _spelled(name: str) -> str:
    """Return a metric as it is usually written, anything else as it is."""
    name = name.strip()
    if "(" not in name:
        return name
    head = name.partition("(")[0].strip()
    try:
        return str(parse_metric(name, (head,)))
    except UsageError:
        return name


def _texts(rule: Rule, fired: Fired, zone: tzinfo) -> dict[str, str]:
    """Return what can be told of an alert, by name."""
    values = unpacked(fired.values)
    keys = _keys_of(rule)
    at = datetime.fromtimestamp(fired.ts_ns // SECOND_NS, UTC).astimezone(zone)
    return {
        **{name: written(key, values.get(name, math.nan)) for name, key in keys.items()},
        "symbol": fired.symbol,
        "rule": rule.name,
        "price": _price(fired.price),
        "time": f"{at:%H:%M:%S}",
        "date": f"{at:%Y-%m-%d}",
    }


def _keys_of(rule: Rule) -> dict[str, MetricKey]:
    """Return the metrics of a rule's alerts by their text."""
    # A record fires a move: its filter was looked at before.
    more = rule.keys if rule.when is not None else (MetricKey("prev_close"),)
    return {str(key): key for key in (_CHANGE, *sorted(more, key=str))}


def _usual(rule: Rule, fired: Fired) -> str:
    """Return what is told where a rule has no message of its own."""
    values = unpacked(fired.values)
    changes = sorted((key for key in rule.keys if key.name == "chg" and key.window), key=str)
    change = changes[0] if changes else _CHANGE
    value = values.get(str(change), math.nan)
    span = f" in {change.window} min" if change.window else ""
    moved = f" {written(change, value)}{span}" if math.isfinite(value) else ""
    return f"{fired.symbol}{moved} · {rule.name} · {_price(fired.price)}"


def _price(value: float) -> str:
    if not math.isfinite(value):
        return MISSING
    return f"{value:,.2f}" if abs(value) >= 1.0 else f"{value:.4f}"


def _size(value: float) -> str:
    for least, letter in _SIZES:
        if abs(value) >= least:
            return f"{value / least:.1f}{letter}"
    return f"{value:.0f}"


def _plain(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


_WRITTEN: Mapping[Unit, Callable[[float], str]] = {
    Unit.PRICE: _price,
    Unit.PERCENT: lambda value: f"{value:,.1f} %",
    Unit.COUNT: _size,
    Unit.DOLLARS: _size,
    Unit.SECONDS: lambda value: f"{value:.0f} s",
    Unit.MINUTES: lambda value: f"{value:.0f} min",
    Unit.FLAG: lambda value: "yes" if value > 0 else "no",
}
