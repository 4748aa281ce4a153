"""`stockscan completion`: what a shell needs to complete commands, options, choices and files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from stockscan_tui.cli.parser import make_parser

_FILES = frozenset({"FILE", "PATH", "RULES"})
_FOLDER = "DIR"


def completion(given: argparse.Namespace) -> int:
    """Print the script of a shell; returns the exit status."""
    sys.stdout.write(script(given.shell))
    return 0


def script(shell: str) -> str:
    """Return the script that teaches a shell what the parser takes; it ends with a new line."""
    import shtab  # noqa: PLC0415 - no other command needs it

    parser = make_parser()
    for action in actions(parser):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar == _FOLDER:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    return f"{shtab.complete(parser, shell).rstrip()}\n"


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield all arguments of a parser and of the commands below it."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in dict.fromkeys(action.choices.values()):
                yield from actions(below)
