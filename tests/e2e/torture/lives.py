"""The real program and the real gateway as processes: begun, listened to, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.torture.forge import Forge, Forked

COMMAND = (sys.executable, "-m", "stockscan_tui")
# Set, it lets what each life said be printed.
SAY = "STOCKSCAN_TORTURE_SAY"
START_S = 90.0
END_S = 60.0
# What all lives may share: compiled sources, the exchange's calendar.
_SHARED = Path(tempfile.gettempdir()) / f"torture-shared-{os.getuid()}"


class BrokenPromiseError(AssertionError):
    """The program did not keep what it promises; the message says what."""


def environment(folder: Path) -> dict[str, str]:
    """Return an environment whose folders are in `folder`, but for the cache, and without a key."""
    kept = {name: value for name, value in os.environ.items() if name != "DATABENTO_API_KEY"}
    kept["PYTHONFAULTHANDLER"] = "1"
    # Where a shell forbids them, hundreds of starts would compile the same sources.
    if kept.pop("PYTHONDONTWRITEBYTECODE", ""):
        kept["PYTHONPYCACHEPREFIX"] = str(_SHARED / "compiled")
    kept["XDG_CACHE_HOME"] = str(_SHARED / "cache")
    kinds = ("CONFIG", "DATA", "STATE")
    return {**kept, **{f"XDG_{kind}_HOME": str(folder / kind) for kind in kinds}}


def _begun(
    arguments: list[str], environment: dict[str, str], out: int, err: int, forge: Forge | None
) -> subprocess.Popen[bytes] | Forked:
    if forge is not None:
        return forge.begin(arguments, environment, out, err)
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
    )


class Life:
    """One run of the command; its lines are read as they come.

    Args:
        folder: Whose settings and caches it has.
        arguments: What follows `stockscan`.
        forge: What forks it; None to start it plainly.
    """

    def __init__(self, folder: Path, *arguments: str | Path, forge: Forge | None = None) -> None:
        self.arguments = [str(each) for each in arguments]
        self.lines: list[dict[str, Any]] = []
        self.torn = ""
        self._came = threading.Condition()
        self._begun_s = time.monotonic()
        out, err = os.pipe(), os.pipe()
        self.process = _begun(self.arguments, environment(folder), out[1], err[1], forge)
        for each in (out[1], err[1]):
            os.close(each)
        self._out, self._err = (
            os.fdopen(out[0], errors="replace"),
            os.fdopen(err[0], errors="replace"),
        )
        self._said: list[str] = []
        self._ended = 0
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._listen, self._note)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    @property
    def age_s(self) -> float:
        """Seconds since it was begun."""
        return time.monotonic() - self._begun_s

    @property
    def said(self) -> str:
        """What it wrote on standard error so far."""
        return "".join(self._said)

    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def wait_for(
        self, fits: Callable[[dict[str, Any]], bool], timeout_s: float = START_S
    ) -> dict[str, Any]:
        """Return the first line that fits, of all that came or come.

        Raises:
            BrokenPromiseError: It ended, or none came in time.
        """
        found = self.look_for(fits, timeout_s)
        if found is None:
            why = "ended" if not self.alive() else f"said nothing of it in {timeout_s:.0f} s"
            raise BrokenPromiseError(f"the program {why}: {self.told()}")
        return found

    def look_for(
        self, fits: Callable[[dict[str, Any]], bool], timeout_s: float
    ) -> dict[str, Any] | None:
        """Return the first line that fits; None where it ends or none comes in time."""
        until_s, place = time.monotonic() + timeout_s, 0
        with self._came:
            while True:
                for line in self.lines[place:]:
                    if fits(line):
                        return line
                place = len(self.lines)
                left_s = until_s - time.monotonic()
                if left_s <= 0 or self._ended:
                    return None
                self._came.wait(min(left_s, 0.5))

    def wait_for_words(self, words: str, timeout_s: float) -> bool:
        """Return whether `words` come on standard error in time."""
        until_s = time.monotonic() + timeout_s
        with self._came:
            while words not in self.said:
                left_s = until_s - time.monotonic()
                if left_s <= 0 or not self.alive():
                    return words in self.said
                self._came.wait(min(left_s, 0.2))
        return True

    def kill(self) -> int:
        """SIGKILL; returns the exit status, which is another one where it had ended before."""
        self.process.kill()
        return self._gather()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; returns the exit status.

        Raises:
            BrokenPromiseError: It does not.
        """
        if self.alive():
            self.process.send_signal(number)
        return self.join()

    def join(self, timeout_s: float = END_S) -> int:
        """Wait for its end; returns the exit status.

        Raises:
            BrokenPromiseError: It does not end in time; it is killed then.
        """
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            stacks = self.stacks()
            raise BrokenPromiseError(f"the program hangs: {self.told()} {stacks}") from None
        return self._gather()

    def stacks(self) -> str:
        """Abort it; returns where each of its threads stood, by the interpreter's own handler."""
        before = len(self.said)
        self.process.send_signal(signal.SIGABRT)
        self.process.wait()
        for thread in self._threads:
            thread.join()
        lines = self.said[before:].splitlines()
        return "\n".join(line for line in lines if "stockscan_tui" in line or "Thread" in line)

    def told(self) -> str:
        """Return the command, its status and the end of what it said."""
        said = self.said.strip()[-1500:] or "nothing on standard error"
        last = self.lines[-1] if self.lines else {}
        command = " ".join(self.arguments)
        return f"`{command}` (status {self.process.returncode}, last line {last}): {said}"

    def _gather(self) -> int:
        status = self.process.wait()
        for thread in self._threads:
            thread.join()
        if os.environ.get(SAY):
            sys.stderr.write(f"--- {status} {' '.join(self.arguments[:2])}\n{self.said}")
        if "Traceback" in self.said:
            raise BrokenPromiseError(f"a traceback: {self.told()}")
        return status

    def _listen(self) -> None:
        for text in self._out:
            with self._came:
                try:
                    self.lines.append(json.loads(text))
                except ValueError:
                    self.torn += text
                self._came.notify_all()
        with self._came:
            self._ended = 1
            self._came.notify_all()
        self._out.close()

    def _note(self) -> None:
        for text in self._err:
            with self._came:
                self._said.append(text)
                self._came.notify_all()
        self._err.close()


@dataclass
class Gateway:
    """`stockscan simulate`, which can be killed and comes back as if its market had gone on.

    Attributes:
        folder: Whose caches it has.
        file: What it plays.
        speed: Event seconds a second.
        from_ns: Where its clock starts.
        options: What else it is told.
    """

    folder: Path
    file: Path
    speed: float
    from_ns: int
    options: Sequence[str] = ()
    port: int = 0
    _began_s: float = 0.0
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def begin(self) -> None:
        """Start it, again on the port that it had.

        Raises:
            BrokenPromiseError: It does not start.
        """
        clock_ns = self.now_ns()
        command = [*COMMAND, "simulate", "--file", str(self.file), "--port", str(self.port)]
        command += ["--speed", f"{self.speed:g}", "--clock", str(clock_ns), *self.options]
        self._process = subprocess.Popen(
            command,
            env=environment(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said.startswith("listening on"):
            raise BrokenPromiseError(f"the gateway did not start: {said}")
        self.port = int(said.rpartition(":")[2])

    def tick(self) -> None:
        """Let its clock be known to run: a session has started."""
        if not self._began_s:
            self._began_s = time.monotonic()

    def now_ns(self) -> int:
        """Return about what its clock says."""
        if not self._began_s:
            return self.from_ns
        return self.from_ns + int((time.monotonic() - self._began_s) * self.speed * 1e9)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
