"""Loads the compiled code and prints the seconds, the cache's folder and what was not in it.

A process of its own: it can be ended where it compiles for long.
"""

from __future__ import annotations

import sys
from time import perf_counter


def main() -> int:
    """Run the compiled loop once over nothing; returns the exit status."""
    began_s = perf_counter()
    import numpy as np  # noqa: PLC0415 - its time counts

    from stockscan_tui.market import kernel  # noqa: PLC0415 - as above
    from stockscan_tui.market.compiled import cache_folder_of, cache_misses_of  # noqa: PLC0415
    from stockscan_tui.market.state import Market  # noqa: PLC0415
    from stockscan_tui.market.symbols import InstrumentIds  # noqa: PLC0415

    Market(capacity=1).consume(np.zeros(1, np.uint8), InstrumentIds())
    seconds = perf_counter() - began_s
    functions = list(vars(kernel).values())
    misses = sum(cache_misses_of(function) for function in functions)
    folder = cache_folder_of(kernel.assign_slots)
    sys.stdout.write(f"{seconds:.3f}\n{folder}\n{misses}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
