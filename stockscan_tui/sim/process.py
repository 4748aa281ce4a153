"""A simulated gateway in a process of its own. Light to import: it starts before all the rest."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from datetime import time
from pathlib import Path

from stockscan_tui.environment import of_own_process
from stockscan_tui.errors import StockscanError

START_TIMEOUT_S = 60.0
# The cable is pulled after 45 s, from every session, and stays out for the next attempts.
_SCRIPT = ("drop@after=45", "drop@after=45", "drop@after=45", "refuse=6")


class GatewayProcess:
    """`stockscan simulate` as a child.

    Args:
        arguments: What it is told.

    Raises:
        StockscanError: The system starts no more processes.
    """

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "stockscan_tui", "simulate", *arguments]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True, start_new_session=True, env=of_own_process(),
            )  # fmt: skip
        except OSError as error:
            raise StockscanError(
                f"The simulated gateway cannot be started: {error.strerror}. Close other programs, "
                "or raise the limits: ulimit -u, ulimit -n."
            ) from error
        self._port = 0

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def port(self) -> int:
        """The port that it listens on; waits until it does.

        Raises:
            StockscanError: It does not start.
        """
        self.wait()
        return self._port

    def wait(self) -> None:
        """Wait until it listens.

        Raises:
            StockscanError: It does not start.
        """
        if self._port or self._process.stdout is None:
            return
        timer = threading.Timer(START_TIMEOUT_S, self._process.kill)
        timer.start()
        said = self._process.stdout.readline()
        timer.cancel()
        if not said.startswith("listening on"):
            why = self._process.communicate()[1].strip() or "it did not answer"
            raise StockscanError(f"The simulated gateway did not start: {why}")
        self._port = int(said.rpartition(":")[2])

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once; returns without waiting."""
        self._process.kill()

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        except ValueError:
            # It was closed before.
            return


def begin_gateway(
    file: Path, speed: float, start_at: time, *, clock_ns: int = 0, port: int = 0
) -> GatewayProcess:
    """Begin a gateway that plays the demo's day; it need not be ready yet.

    Args:
        file: The day.
        speed: Event seconds per second.
        start_at: New York time at which its clock starts; the script of faults goes with that.
        clock_ns: Where its clock starts instead, in ns since 1970; 0 for `start_at`.
        port: 0 for any free one.
    """
    arguments = ["--file", str(file), "--port", str(port), "--in-turn"]
    arguments += ["--speed", f"{speed:g}" if math.isfinite(speed) else "max"]
    arguments += ["--clock", str(clock_ns)] if clock_ns else ["--from", f"{start_at:%H:%M}"]
    if math.isfinite(speed) and not clock_ns:
        for fault in _SCRIPT:
            arguments += ["--fault", fault]
    return GatewayProcess(*arguments)
