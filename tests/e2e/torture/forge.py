"""A process that has imported the program, and of which each life is a fork: a third of the cost.

It is `python -m stockscan_tui` from its first line on, in a process of its own, but for the
imports. What is killed while it starts is started plainly.
"""

from __future__ import annotations

import faulthandler
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence

MODULE = "tests.e2e.torture.forge"
_ENOUGH_BYTES = 1 << 16


class Forked:
    """A process that was forked, with what is used of `subprocess.Popen`.

    Args:
        pid: Its number.
        ended: Where its exit status comes, as a line, once it has ended.
    """

    def __init__(self, pid: int, ended: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""
        return self._look(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit status.

        Raises:
            subprocess.TimeoutExpired: It has not ended in time.
        """
        status = self._look(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("stockscan", timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout_s: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], timeout_s)[0]:
            self.returncode = os.waitstatus_to_exitcode(int(os.read(self._ended, 32)))
            os.close(self._ended)
        return self.returncode


class Forge:
    """The process that forks; made where it is first asked for one."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE], stdin=theirs.fileno(), stdout=subprocess.DEVNULL
        )
        theirs.close()

    def begin(
        self, arguments: Sequence[str], environment: dict[str, str], out: int, err: int
    ) -> Forked:
        """Fork a life that writes to these descriptors, which stay the caller's."""
        ended, told = os.pipe()
        job = json.dumps({"arguments": list(arguments), "environment": environment}).encode()
        socket.send_fds(self._ours, [job], [out, err, told])
        os.close(told)
        return Forked(int(self._ours.recv(32)), ended)

    def close(self) -> None:
        """End it."""
        self._ours.close()
        self._process.wait()


def serve(sock: socket.socket) -> int | None:
    """Fork lives until the other side is gone; in a life, returns None: go on with the program."""
    while True:
        job, found, _, _ = socket.recv_fds(sock, _ENOUGH_BYTES, 3)
        if not job:
            return 0
        keeper = os.fork()
        if keeper:
            for each in found:
                os.close(each)
            os.waitpid(keeper, 0)
            continue
        # Its parent must not be kept waiting, and it must be waited for.
        if os.fork():
            os._exit(0)
        life = os.fork()
        if not life:
            _become(json.loads(job), found)
            return None
        sock.send(str(life).encode())
        _, status = os.waitpid(life, 0)
        os.write(found[2], str(status).encode())
        os._exit(0)


def _become(job: dict[str, object], found: list[int]) -> None:
    """Take a life's place: its arguments, its environment, its descriptors."""
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, each in enumerate((nothing, found[0], found[1])):
        os.dup2(each, number)
    os.closerange(3, max(*found, nothing) + 64)
    arguments, environment = job["arguments"], job["environment"]
    assert isinstance(arguments, list)
    assert isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["stockscan", *arguments]
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    faulthandler.enable()


def _import() -> None:
    """Import what a capture and a replay import, and load what is compiled."""
    for name in (
        "stockscan_tui.headless", "stockscan_tui.cli.play", "stockscan_tui.run.live",
        "stockscan_tui.run.replay", "stockscan_tui.feed.protocol", "stockscan_tui.delivery",
    ):  # fmt: skip
        __import__(name)
    import numpy as np

    from stockscan_tui.market.state import Market
    from stockscan_tui.market.symbols import InstrumentIds

    Market(capacity=1).consume(np.zeros(1, np.uint8), InstrumentIds())


def main() -> None:
    """Serve; in a life, be the program."""
    _import()
    with socket.socket(fileno=os.dup(0)) as sock:
        served = serve(sock)
        if served is None:
            sock.detach()
    if served is None:
        runpy.run_module("stockscan_tui", run_name="__main__", alter_sys=False)


if __name__ == "__main__":
    main()
