"""The same examples at every run: a failure that comes once comes again."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import settings

settings.register_profile("fixed", derandomize=True, database=None)
settings.load_profile("fixed")

_COMPILE = """
import numpy as np
from stockscan_tui.market.state import Market
from stockscan_tui.market.symbols import InstrumentIds
Market(capacity=1).consume(np.zeros(1, np.uint8), InstrumentIds())
"""


def pytest_configure(config: pytest.Config) -> None:
    """Have the compiled loop in its cache before there are several processes to compile it."""
    if not hasattr(config, "workerinput"):
        subprocess.run([sys.executable, "-c", _COMPILE], check=True)
