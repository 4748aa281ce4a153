"""The one expression language: filters, lists, gates and rules are written in it.

    chg > 5 and dvol > 100k and not warrant        NV AAP            symbols that begin so
    rsi(14) < 30 or crosses_above(mark, vwap)      chg -3..3         a range, both ends included
    @cheap and watched(tech)                       sector = "Health Care"

A text is parsed to a small tree, which is evaluated over the arrays of a snapshot: nothing in it
can run code, look up an attribute or reach the file system. Loosest to tightest: `or`, `and`,
`not`, comparisons and ranges, `+ -`, `* /`, a sign.
"""

from stockscan_tui.scan.expression.complete import Completion, complete
from stockscan_tui.scan.expression.error import MAX_LENGTH, MAX_NESTING, ExpressionError
from stockscan_tui.scan.expression.evaluate import Shared
from stockscan_tui.scan.expression.expression import Expression, parse
from stockscan_tui.scan.expression.memory import Memory
from stockscan_tui.scan.expression.names import RESERVED, Names
from stockscan_tui.scan.expression.sharing import Pool

__all__ = [
    "MAX_LENGTH",
    "MAX_NESTING",
    "RESERVED",
    "Completion",
    "Expression",
    "ExpressionError",
    "Memory",
    "Names",
    "Pool",
    "Shared",
    "complete",
    "parse",
]
