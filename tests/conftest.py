"""The same examples at every run: a failure that comes once comes again."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import settings

settings.register_profile("fixed", derandomize=True, database=None)
settings.load_profile("fixed")

_COMPILE = """
from stockscan_tui.engine.compiling import compile_ahead
compile_ahead(lambda _done: None)
"""


def pytest_configure(config: pytest.Config) -> None:
    """Have compiled code in its cache before there are several processes to compile it."""
    if not hasattr(config, "workerinput"):
        subprocess.run([sys.executable, "-c", _COMPILE], check=True)
