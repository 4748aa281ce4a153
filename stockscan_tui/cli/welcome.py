"""`stockscan` without a command: live with a key, else the choice of what can be done."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

from stockscan_tui.cli.signals import on_signals
from stockscan_tui.cli.streams import has_terminal
from stockscan_tui.cli.warming import Warming, begin_warming
from stockscan_tui.config import read_config, read_key


@dataclass(frozen=True, slots=True)
class TypedKey:
    """A key for this run alone; its text is in no representation."""

    text: str = field(repr=False)


def choose(parser: argparse.ArgumentParser) -> list[str] | None:
    """Return the arguments of the command to run, None to run nothing.

    A key that was entered for this run alone is never among them: what `parser` reads next has it
    as `typed_key`, and as `warming` the process that compiles meanwhile.
    """
    if read_key():
        return ["live"]
    if not has_terminal():
        parser.print_help()
        return None
    from stockscan_tui.ui.welcome import WelcomeApp  # noqa: PLC0415

    app = WelcomeApp(read_config(None).theme)
    on_signals(app.leave_soon)
    warming = begin_warming()
    chosen = app.run()
    if chosen is None:
        if warming is not None:
            warming.end()
        return None
    parser.set_defaults(warming=warming)
    if chosen.key:
        parser.set_defaults(typed_key=TypedKey(chosen.key))
    return list(chosen.arguments)


def warming_of(given: argparse.Namespace) -> Warming | None:
    """Return the process that compiles since the choice was shown, None for none."""
    return getattr(given, "warming", None)


def typed_key(given: argparse.Namespace) -> str:
    """Return the key that was entered for this run alone, empty for none."""
    typed: TypedKey | None = getattr(given, "typed_key", None)
    return typed.text if typed is not None else ""
