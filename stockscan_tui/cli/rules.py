"""`stockscan rules`: whether a rules file can be read, and which rules there are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from stockscan_tui.cli.desk import names_of
from stockscan_tui.cli.tables import write_json
from stockscan_tui.config import Config, rules_path
from stockscan_tui.config.rule_checks import SESSIONS, time_text
from stockscan_tui.config.rules import read_rules
from stockscan_tui.errors import UsageError
from stockscan_tui.market.text import printable
from stockscan_tui.scan.rules import Rule, Rules


def rules(given: argparse.Namespace, config: Config) -> int:
    """Check or list the rules; returns the exit status, 1 where they cannot be read."""
    where: Path = given.file or rules_path()
    try:
        found = read_rules(given.file, names_of(config))
    except UsageError as error:
        sys.stderr.write(f"stockscan: {printable(error)}\n")
        return 1
    if given.action == "check":
        sys.stdout.write(f"{_counted(found)}{'' if where.exists() else _absent(where)}\n")
    elif given.json:
        write_json({"file": str(where), "rules": [_as_json(rule) for rule in found.rules]}, None)
    else:
        sys.stdout.write("".join(f"{printable(line)}\n" for line in _lines(found)))
    return 0


def _counted(found: Rules) -> str:
    """Return how many rules the file has, those of the library that it switches on included."""
    count = sum(rule.line > 0 for rule in found.rules)
    return f"{count} rule{'' if count == 1 else 's'}, {len(found.watched)} on"


def _absent(where: Path) -> str:
    return f" ({printable(where)} is not there)"


def _lines(found: Rules) -> Iterator[str]:
    width = max(len(rule.name) for rule in found.rules)
    for rule in found.rules:
        told = ", ".join(rule.deliver) or "saved only"
        mark = "on " if rule.enabled else "off"
        yield f"{mark}  {rule.name:{width}}  {_condition(rule)} · {_again(rule)} · {told}"
        if rule.doc:
            yield f"     {'':{width}}  {rule.doc}"


def _condition(rule: Rule) -> str:
    return rule.when.text if rule.when is not None else f"move {rule.move:g} % of {rule.price}"


def _again(rule: Rule) -> str:
    """Return when a rule fires again for a symbol."""
    if rule.once_a_day:
        return "once a day"
    pace = f"every {time_text(rule.cooldown_s)}" if rule.cooldown_s else "each time"
    if rule.rearm is not None:
        return f"{pace}, again after {rule.rearm.text}"
    return f"{pace}, again under {rule.rearm_move:g} %" if rule.rearm_move else pace


def _as_json(rule: Rule) -> dict[str, object]:
    return {
        "name": rule.name,
        "on": rule.enabled,
        "shipped": rule.shipped,
        "line": rule.line or None,
        "when": rule.when.text if rule.when is not None else None,
        "move": rule.move or None,
        "price": rule.price,
        "filter": rule.filter.text,
        "scope": rule.scope,
        "sessions": [word for word, session in SESSIONS.items() if session in rule.sessions],
        "cooldown_s": rule.cooldown_s,
        "rearm": rule.rearm.text if rule.rearm is not None else rule.rearm_move or None,
        "once_a_day": rule.once_a_day,
        "priority": rule.priority.value,
        "message": rule.message,
        "deliver": list(rule.deliver),
        "gates": rule.gates,
        "doc": rule.doc,
    }
