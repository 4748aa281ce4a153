"""The command line: it reads the arguments and starts a screen, a headless run or a gateway."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stockscan_tui.cli.machine_limits import check_limits, shortage
from stockscan_tui.cli.parser import check, make_parser
from stockscan_tui.cli.streams import (
    drop_output,
    guard_tracebacks,
    is_gone,
    is_unwritten,
    prepare_streams,
)
from stockscan_tui.errors import StockscanError
from stockscan_tui.memory import share_heaps

if TYPE_CHECKING:
    from stockscan_tui.config import Config


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    share_heaps()
    prepare_streams()
    guard_tracebacks()
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except StockscanError as error:
        from stockscan_tui.market.text import printable  # noqa: PLC0415

        sys.stderr.write(f"stockscan: {printable(str(error))}\n")
        return error.exit_status
    except (MemoryError, RuntimeError) as error:
        said = shortage(error)
        if not said:
            raise
        sys.stderr.write(f"stockscan: {said}\n")
        return 1
    except OSError as error:
        if is_gone(error):
            drop_output()
            return 0
        if not is_unwritten(error):
            raise
        drop_output()
        sys.stderr.write(f"stockscan: What is printed cannot be written: {error.strerror}.\n")
        return 1


def _run(arguments: Sequence[str] | None) -> int:
    parser = make_parser()
    given = parser.parse_args(arguments)
    if given.version:
        from stockscan_tui.cli.version import version_text  # noqa: PLC0415

        sys.stdout.write(f"{version_text()}\n")
        return 0
    if given.command == "completion":
        from stockscan_tui.cli.completion import completion  # noqa: PLC0415

        return completion(given)
    return _dispatch(given, parser)


def _dispatch(given: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if given.command is None:
        from stockscan_tui.cli.welcome import choose  # noqa: PLC0415

        chosen = choose(parser)
        if chosen is None:
            return 0
        given = parser.parse_args(chosen)
    check(given)
    if getattr(given, "log_file", None) is not None:
        from stockscan_tui.log import write_log  # noqa: PLC0415

        write_log(given.log_file)
    if given.command in ("simulate", "config", "doctor", "bench"):
        return _without_config(given)
    from stockscan_tui.config import read_config  # noqa: PLC0415

    config = read_config(given.config)
    if given.command == "rules":
        from stockscan_tui.cli.rules import rules  # noqa: PLC0415

        return rules(given, config)
    if given.command in ("report", "why", "backtest", "export"):
        return _look_back(given, config)
    check_limits()
    from stockscan_tui.cli.play import Play  # noqa: PLC0415

    play = Play(given, config)
    return play.headless() if given.headless else play.screen()


def _without_config(given: argparse.Namespace) -> int:
    """Run a command for which no config has to be readable."""
    if given.command == "simulate":
        from stockscan_tui.cli.simulate import simulate  # noqa: PLC0415

        return simulate(given)
    if given.command == "config":
        from stockscan_tui.cli.settings import show  # noqa: PLC0415

        return show(given)
    if given.command == "bench":
        from stockscan_tui.cli.bench import bench  # noqa: PLC0415

        return bench(given)
    from stockscan_tui.cli.doctor import doctor  # noqa: PLC0415

    return doctor(given)


def _look_back(given: argparse.Namespace, config: Config) -> int:
    """Run a command about captured days."""
    if given.command == "report":
        from stockscan_tui.cli.report import report  # noqa: PLC0415

        return report(given, config)
    if given.command == "why":
        from stockscan_tui.cli.why import why  # noqa: PLC0415

        return why(given, config)
    if given.command == "export":
        from stockscan_tui.cli.export import export  # noqa: PLC0415

        return export(given)
    from stockscan_tui.cli.backtest import backtest  # noqa: PLC0415

    return backtest(given, config)
