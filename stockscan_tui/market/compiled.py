"""How functions are compiled: by numba, without the GIL, cached where a cache can be written."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir
from numba.core import types
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])
A = TypeVar("A")

_OPTIONS: dict[str, Any] = {
    "nogil": True, "error_model": "numpy", "forceinline": True, "no_cfunc_wrapper": True,
}  # fmt: skip
_INNER = {**_OPTIONS, "no_cpython_wrapper": True}


def compiled(function: F) -> F:
    """Compile `function` in nopython mode; it releases the GIL while it runs.

    Numba keys its cache by the one file a function stands in, so functions that call each other
    stand in one file. What lies in the cache's folder is run: a folder that others can write is
    not used.
    """
    # Without a folder that a cache could be written to, it is compiled in memory at every start.
    with suppress(RuntimeError):
        kept = numba.njit(**_OPTIONS, cache=True)(function)
        if is_own(cache_folder_of(kept), function.__code__.co_filename):
            return cast("F", kept)
    return cast("F", numba.njit(**_OPTIONS)(function))


def inlined(function: F) -> F:
    """Compile `function` into the compiled functions that call it; Python cannot call it.

    A first start compiles a quarter faster without the ways in from Python, and without keeping
    what lies within its callers anyway.
    """
    return cast("F", numba.njit(**_INNER)(function))


def is_compiled(value: object) -> bool:
    """Return whether something is a function that is compiled, once it has been called."""
    return isinstance(value, Dispatcher)


def cache_folder_of(function: object) -> str:
    """Return the folder that a compiled function is kept in, empty for none."""
    stats = getattr(function, "stats", None)
    return str(getattr(stats, "cache_path", None) or "")


def cache_misses_of(function: object) -> int:
    """Return how often a function was compiled because the cache had nothing of it."""
    stats = getattr(function, "stats", None)
    return sum(getattr(stats, "cache_misses", {}).values())


def is_own(folder: str, source: str) -> bool:
    """Return whether nobody writes to a folder who could not change the program itself.

    That is this user, the system's, and whoever owns the source file.
    """
    if os.name != "posix":
        return True
    try:
        found = os.stat(folder)  # noqa: PTH116 - a text, as Numba gives it
        trusted = {os.getuid(), 0, os.stat(source).st_uid}  # noqa: PTH116
    except OSError:
        return False
    return found.st_uid in trusted and not found.st_mode & 0o002


def _prefetch(_context: Any, array: Any, index: Any) -> Any:
    """Build a hint that `array[index]` will be read and written soon; it never faults."""
    signature = types.void(array, index)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        address = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        hint = builder.module.declare_intrinsic(
            "llvm.prefetch",
            [ir.IntType(8).as_pointer()],
            ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), word, word, word]),
        )
        builder.call(hint, [address, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return signature, generate


prefetch = cast("Callable[[Any, int], None]", intrinsic(_prefetch))


def _borrowed(_context: Any, array: Any) -> Any:
    # Numba counts references at every call of a helper, which costs half of the hot loop's time;
    # an array without an owner has none to count. The caller holds the real one meanwhile.
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, args[0])
        view.meminfo = view.meminfo.type(None)
        view.parent = view.parent.type(None)
        return view._getvalue()

    return array(array), generate


borrowed = cast("Callable[[A], A]", intrinsic(_borrowed))
