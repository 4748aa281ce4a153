"""A signal ends a run wherever it comes."""

from __future__ import annotations

import subprocess
import sys

import pytest

SIGNALLED = """
import random, signal, threading
from stockscan_tui.cli.signals import apart, on_signals
for _ in range(3_000):
    stop = threading.Event()
    on_signals(apart(stop.set))
    # The timer's signal comes in the midst of what this thread does.
    signal.signal(signal.SIGALRM, signal.getsignal(signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, random.uniform(5e-6, 120e-6))
    while not stop.wait(1e-6):
        pass
"""


@pytest.mark.skipif(sys.platform == "win32", reason="setitimer")
def test_a_signal_in_the_midst_of_a_wait_ends_the_wait() -> None:
    subprocess.run([sys.executable, "-c", SIGNALLED], check=True, timeout=60)
