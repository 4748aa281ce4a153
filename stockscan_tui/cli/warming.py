"""What is compiled at the first start on a machine: told on the way, or done behind a screen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

from stockscan_tui.environment import of_own_process

# Behind whatever else runs there.
_NICE = 5


class Warming:
    """A process that compiles while the user still chooses; what it makes is loaded afterwards."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - a module of this very program
            [sys.executable, "-m", "stockscan_tui.engine.compiling", str(_NICE)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=of_own_process(),
        )

    def wait(self, tell: Callable[[float], None], cancelled: Callable[[], bool]) -> None:
        """Wait until it is done, for as long as `cancelled` does not say to give up.

        Args:
            tell: Told how far it is, from 0 to 1.
            cancelled: Whether to give up; it is asked whenever it is told.
        """
        with self._process as process:
            for line in process.stdout or ():
                if cancelled():
                    process.terminate()
                    return
                with suppress(ValueError):
                    tell(float(line))

    def end(self) -> None:
        """End it; what is compiled by then is kept."""
        self._process.terminate()
        with self._process as process:
            process.wait()


def begin_warming() -> Warming | None:
    """Begin to compile in a process of its own; None where the system starts no more of them."""
    try:
        return Warming()
    except OSError:
        return None


class Telling:
    """Says on standard error how far something has come, each tenth of it."""

    def __init__(self) -> None:
        self._told = -1

    def __call__(self, doing: str, done: float | None = None) -> None:
        """Say what is being done, and how far it is from 0 to 1."""
        tenth = int((done or 0.0) * 10)
        if tenth > self._told:
            self._told = tenth
            sys.stderr.write(f"stockscan: {doing}, {(done or 0.0) * 100:.0f} %\n")


def warm(
    say: Callable[[str, float | None], None],
    cancelled: Callable[[], bool],
    warming: Warming | None = None,
) -> bool:
    """Have compiled what every market needs; the first time on a machine it takes about 10 s.

    Args:
        say: Told what is being done and how far it is, only where something is compiled.
        cancelled: Whether to give up.
        warming: The process that has begun with it; None where there is none.

    Returns:
        Whether something was compiled.

    Raises:
        StoppedError: `cancelled` said so.
    """
    from stockscan_tui.engine.compiling import DOING, compile_ahead  # noqa: PLC0415

    told = False

    def tell(done: float) -> None:
        nonlocal told
        told = True
        say(DOING, done)

    if warming is not None:
        warming.wait(tell, cancelled)
    compile_ahead(tell, cancelled)
    return told
