"""How functions are compiled: by numba, without the GIL, cached where a cache can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])
A = TypeVar("A")


def compiled(function: F) -> F:
    """Compile `function` in nopython mode; it releases the GIL while it runs.

    Numba keys its cache by the one file a function stands in, so functions that call each other
    stand in one file.
    """
    try:
        return cast(
            "F", numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)(function)
        )
    except RuntimeError:
        # No folder that a cache could be written to: compile in memory at every start.
        return cast("F", numba.njit(nogil=True, error_model="numpy", forceinline=True)(function))


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
