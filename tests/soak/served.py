"""A simulated gateway in a process of its own that is told, line by line, what is to go wrong.

    python -m tests.soak.served '{"file": …, "speed": 300, …}'

It prints its port, then an answer to each line of JSON on standard input: `{"do": "now"}`,
`{"do": "faults", "faults": ["drop@bytes=9"]}`, `{"do": "cut"}`. It ends with its standard input.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, TypedDict, cast

from stockscan_tui.sim.faults import parse_fault
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape

HOST = "127.0.0.1"
DAY_S = 86_400.0
ROOT = Path(__file__).parents[2]


class Told(TypedDict):
    """What a gateway is told at its start: wall seconds, and `clock_ns` in event time."""

    file: str
    port: int
    speed: float
    clock_ns: int
    night_s: float
    heartbeat_s: float


class Served:
    """The process, from outside; any thread may use it.

    Args:
        told: What it is told at its start.
    """

    def __init__(self, told: Told) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.served", json.dumps(told)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        self._lock = threading.Lock()
        self.pid = self._process.pid
        self.port = int(self._read()["port"])

    def now_ns(self) -> int:
        """Return the event time of its clock."""
        return int(self._ask(do="now")["now"])

    def spoil(self, *faults: str) -> None:
        """Let the connections that come next take these faults, one each, and no others."""
        self._ask(do="faults", faults=list(faults))

    def cut(self, *, reset: bool) -> None:
        """Cut every connection now."""
        self._ask(do="cut", reset=reset)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """End it."""
        with self._process:
            if self._process.stdin is not None and not self._process.stdin.closed:
                try:
                    self._process.stdin.close()
                except BrokenPipeError:
                    return

    def _ask(self, **line: object) -> dict[str, Any]:
        with self._lock:
            stream = self._process.stdin
            if stream is None or stream.closed:
                raise BrokenPipeError
            stream.write(json.dumps(line) + "\n")
            stream.flush()
            return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise BrokenPipeError
        return cast("dict[str, Any]", json.loads(line))


def serve(told: Told) -> None:
    """Serve until standard input ends."""
    tape = Tape.from_file(Path(told["file"]))
    # Made at their first use, they would keep the first client waiting.
    for schema in ("trades", "ohlcv-1m"):
        tape.stream(schema)
    options = Options(
        port=told["port"],
        from_ns=told["clock_ns"],
        speed=told["speed"],
        live_only=True,
        heartbeat_s=told["heartbeat_s"],
        replay_window_s=DAY_S,
        night_s=told["night_s"],
    )
    with GatewayThread(tape, options) as gateway:
        _say(port=gateway.port)
        for line in sys.stdin:
            asked = json.loads(line)
            if asked["do"] == "faults":
                faults = [parse_fault(text) for text in asked["faults"]]
                gateway.set_faults(faults, faults_in_turn=True)
            elif asked["do"] == "cut":
                gateway.drop_all(asked["reset"])
            _say(now=gateway.now_ns)


def _say(**line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
