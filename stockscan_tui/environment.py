"""The environment that other processes are started with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

KEY_VARIABLE = "DATABENTO_API_KEY"
_SAFE_PATH = "PYTHONSAFEPATH"


def without_key(further: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without the API key, for a process that needs none.

    Args:
        further: Variables that are added.
    """
    held = {name: said for name, said in os.environ.items() if name != KEY_VARIABLE}
    return held | dict(further or {})


def of_own_process(further: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a process of this very program, without the API key.

    It takes no module from the folder that it is run in: whatever somebody sent lies there.

    Args:
        further: Variables that are added.
    """
    return without_key({_SAFE_PATH: "1", **(further or {})})


@contextmanager
def safe_path() -> Iterator[None]:
    """Let Python's own processes that are begun meanwhile be as `of_own_process` has them."""
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before
