"""Programs that deliver: started without a shell, ended when they take too long."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from stockscan_tui.delivery.tally import DeliveryError
from stockscan_tui.environment import without_key


class Program:
    """Runs one program at a time; one thread runs, any thread may abort."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._aborted = False

    def run(
        self, arguments: Sequence[str], timeout_s: float, further: Mapping[str, str] | None = None
    ) -> None:
        """Start a program and wait for its end.

        It sees neither the terminal nor the API key, and is ended with all that it started.

        Args:
            arguments: The program and its arguments, passed as they are.
            timeout_s: When it is ended.
            further: Variables added to its environment.

        Raises:
            DeliveryError: It could not be started, took too long or ended with another status
                than 0; the sentence holds none of its arguments.
        """
        name = Path(arguments[0]).name
        try:
            process = subprocess.Popen(  # noqa: S603 - an argument list of the user's own file
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=without_key(further),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise DeliveryError(f"{name} cannot be started: {_reason(error)}.") from None
        self._process = process
        if self._aborted:
            _end(process)
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            process.wait()
            raise DeliveryError(f"{name} took over {timeout_s:g} s and was ended.") from None
        finally:
            self._process = None
        if status > 0:
            raise DeliveryError(f"{name} ended with status {status}.")
        if status < 0:
            raise DeliveryError(f"{name} was ended by signal {-status}.")

    def abort(self) -> None:
        """End what runs, now and from now on; returns at once."""
        self._aborted = True
        if (process := self._process) is not None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "an argument holds a character that no program can be given"
