"""`stockscan` without a command: live with a key, else the choice of what can be done."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

from stockscan_tui.cli.signals import on_signals
from stockscan_tui.cli.streams import has_terminal
from stockscan_tui.config import read_config, read_key


@dataclass(frozen=True, slots=True)
class TypedKey:
    """A key for this run alone; its text is in no representation."""

    text: str = field(repr=False)


def choose(parser: argparse.ArgumentParser) -> list[str] | None:
    """Return the arguments of the command to run, None to run nothing.

    A key that was entered for this run alone is never among them: what `parser` reads next has it
    as `typed_key`.
    """
    if read_key():
        return ["live"]
    if not has_terminal():
        parser.print_help()
        return None
    from stockscan_tui.ui.welcome import WelcomeApp  # noqa: PLC0415

    app = WelcomeApp(read_config(None).theme)
    on_signals(app.leave_soon)
    chosen = app.run()
    if chosen is None:
        return None
    if chosen.key:
        parser.set_defaults(typed_key=TypedKey(chosen.key))
    return list(chosen.arguments)


def typed_key(given: argparse.Namespace) -> str:
    """Return the key that was entered for this run alone, empty for none."""
    typed: TypedKey | None = getattr(given, "typed_key", None)
    return typed.text if typed is not None else ""
