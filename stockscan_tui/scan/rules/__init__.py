"""Rules: conditions that are watched for all symbols all the time, and fire once when they hold."""

from stockscan_tui.scan.rules.rule import (
    EVERYTHING,
    PRICES,
    TRADING,
    Command,
    Priority,
    Rule,
    Rules,
    Webhook,
)

__all__ = [
    "EVERYTHING",
    "PRICES",
    "TRADING",
    "Command",
    "Priority",
    "Rule",
    "Rules",
    "Webhook",
]
