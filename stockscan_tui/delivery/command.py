"""Delivers an alert by a program of the user's own.

Values stand where its arguments name them, exactly as they are: one that begins with `-` can be
taken for an option, so that a program with options wants `--` before them, or the environment.
"""

from __future__ import annotations

import threading
from pathlib import Path

from stockscan_tui.delivery.parcel import Parcel
from stockscan_tui.delivery.program import Program
from stockscan_tui.market.text import printable
from stockscan_tui.scan.rules import Command


class CommandSender:
    """Starts one command for each alert; its channel's thread owns it.

    Args:
        command: What is run.
    """

    def __init__(self, command: Command) -> None:
        self._command = command
        self._program = Program()

    def send(self, parcel: Parcel, stop: threading.Event) -> None:
        """Run it for an alert and wait for its end.

        Raises:
            DeliveryError: It did not end well.
        """
        if stop.is_set():
            return
        first, *rest = self._command.run
        program = str(Path(first).expanduser()) if first.startswith("~") else first
        arguments = [program, *(parcel.fill(text) for text in rest)]
        self._program.run(arguments, self._command.timeout_s, variables(parcel))

    def abort(self) -> None:
        """End what runs."""
        self._program.abort()


def variables(parcel: Parcel) -> dict[str, str]:
    """Return what a command finds of an alert in its environment."""
    return {
        "STOCKSCAN_SYMBOL": printable(parcel.fired.symbol),
        "STOCKSCAN_RULE": printable(parcel.rule.name),
        "STOCKSCAN_PRICE": parcel.price,
        "STOCKSCAN_MESSAGE": parcel.message,
        "STOCKSCAN_TS": str(parcel.fired.ts_ns),
        "STOCKSCAN_VALUES": printable(parcel.fired.values),
        "STOCKSCAN_COUNT": str(parcel.count),
    }
