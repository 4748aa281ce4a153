"""The environment that other processes are started with."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

KEY_VARIABLE = "DATABENTO_API_KEY"
_SAFE_PATH = "PYTHONSAFEPATH"
# Held by whoever changes it for a while, and whoever reads all of it.
_CHANGING = threading.RLock()


def without_key(further: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without the API key, for a process that needs none.

    Args:
        further: Variables that are added.
    """
    with _CHANGING:
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
def as_own_process() -> Iterator[None]:
    """Let Python's own processes that are begun meanwhile be as `of_own_process` has them."""
    with _CHANGING:
        before = {name: os.environ.pop(name, None) for name in (_SAFE_PATH, KEY_VARIABLE)}
        os.environ[_SAFE_PATH] = "1"
        try:
            yield
        finally:
            del os.environ[_SAFE_PATH]
            os.environ.update({name: said for name, said in before.items() if said is not None})
