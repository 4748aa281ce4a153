"""The whole market filtered and put in order, and a hundred conditions looked at, beside pandas."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from stockscan_tui.bench.figure import Figure, Timed, beside

if TYPE_CHECKING:
    from stockscan_tui.bench.material import Material
    from stockscan_tui.market.snapshot import Snapshot
    from stockscan_tui.market.state import Market

FILTER = "chg > 0.5 and mark 1..500 and dvol > 1k and spread_pct < 3 and vwap_pct > -5"
_PANDAS_FILTER = (
    "chg > 0.5 and 1 <= mark <= 500 and dvol > 1000 and spread_pct < 3 and vwap_pct > -5"
)
# Each ten times, with another bound.
_CONDITIONS = (
    "chg >= {0} and dvol >= 100000", "chg <= -{0} and trades > 5", "spread_pct < 0.{0}",
    "vwap_pct >= 0.{0} and mark > 5", "mark > {0} and volume > {0}000", "trades >= {0}0",
    "chg_dollars > 0.{0} or dvol > {0}00000", "bid > {0} and ask < {0}0",
    "not volume > {0}00 and chg > 0", "last > {0} and chg > -{0}",
)  # fmt: skip
_NUMBERS = range(1, 11)
_TIMES = 15


def board(material: Material) -> Figure:
    """Measure a picture of the market, filtered by five terms, ordered by change."""
    from stockscan_tui.market.metrics import MetricKey, rank  # noqa: PLC0415
    from stockscan_tui.scan.expression import parse  # noqa: PLC0415
    from stockscan_tui.scan.picking import Picker  # noqa: PLC0415

    market = walked(material)
    take = photographer(material, market)
    picker = Picker(gates=None)
    picker.chosen = parse(FILTER)

    def ours() -> list[int]:
        snapshot = take()
        rows = picker.pick(snapshot).rows
        found: list[int] = rank(snapshot, MetricKey("chg"), ascending=False, rows=rows).tolist()
        return found

    columns = columns_of(market, take())

    def pandas() -> list[int]:
        import pandas as pd  # noqa: PLC0415

        frame = derived(pd.DataFrame(columns))
        shown = frame[frame.eval(_PANDAS_FILTER)]
        found: list[int] = shown.sort_values(["chg", "symbol"], ascending=[False, True]).index
        return list(found)

    ours_ms, found = _median_ms(ours)

    def measure() -> tuple[float, bool]:
        peer_ms, theirs = _median_ms(pandas)
        return peer_ms, bool(found) and theirs == found

    title = f"{len(columns['symbol']):,} symbols: snapshot, filter of five terms, order"
    return Figure("board", title, "ms", ours_ms, (beside("pandas eval + sort_values", measure),))


def rules(material: Material) -> Figure:
    """Measure a hundred conditions of rules over all symbols, as the engine looks at them."""
    from stockscan_tui.scan.expression import Pool, Shared, parse  # noqa: PLC0415

    market = walked(material)
    take = photographer(material, market)
    pool = Pool()
    texts = [text.format(number) for text in _CONDITIONS for number in _NUMBERS]
    conditions = [pool.share(parse(text)) for text in texts]

    def ours() -> Any:
        snapshot = take()
        with Shared(pool.pure) as shared:
            return [condition.mask(snapshot, None, shared) for condition in conditions]

    columns = columns_of(market, take())

    def pandas() -> Any:
        import pandas as pd  # noqa: PLC0415

        frame = derived(pd.DataFrame(columns))
        return [frame.eval(text).to_numpy() for text in texts]

    ours_ms, masks = _median_ms(ours)

    def measure() -> tuple[float, bool]:
        peer_ms, theirs = _median_ms(pandas, 3)
        return peer_ms, any(map(np.any, masks)) and all(map(np.array_equal, masks, theirs))

    title = f"a pass of {len(texts)} rules over {len(columns['symbol']):,} symbols"
    return Figure("rules", title, "ms", ours_ms, (beside("pandas eval", measure),))


def walked(material: Material) -> Market:
    """Return the market at the end of the hour, with its previous closes."""
    from stockscan_tui.bench.material import DAY  # noqa: PLC0415
    from stockscan_tui.bench.taking import ids_of, walk  # noqa: PLC0415
    from stockscan_tui.market.state import Market  # noqa: PLC0415

    market = Market(capacity=len(material.universe))
    ids = ids_of(market, material.tape)
    day = material.calendar.day(DAY)
    market.begin_day(day, day.regular_ns)
    walk(market, ids, material.records)
    close = dict(zip(material.universe.symbols, material.universe.prev_close, strict=True))
    for slot, name in enumerate(market.symbols.names):
        market.prev_close[slot] = close[name]
    return market


def photographer(material: Material, market: Market) -> Callable[[], Snapshot]:
    """Return what takes pictures of a market."""
    from stockscan_tui.market.snapshot import Feed, Health  # noqa: PLC0415
    from stockscan_tui.market.view import Photographer  # noqa: PLC0415

    maker = Photographer(market, material.calendar)

    def take() -> Snapshot:
        return maker.take(
            event_ns=market.clock_ns, feed=Feed("REPLAY", "bench", "EQUS.MINI", "mbp-1"),
            health=Health(), closes_known=True, focus=None,
        )  # fmt: skip

    return take


def columns_of(market: Market, taken: Snapshot) -> dict[str, Any]:
    """Return what a data frame of the market is made of, as it stands: nothing is worked out."""
    names = ("mark", "last", "bid", "ask", "prev_close", "volume", "trades", "notional", "vwap")
    symbols = np.array(market.symbols.names, object)
    return {"symbol": symbols, **{name: getattr(taken, name) for name in names}}


def derived(frame: Any) -> Any:
    """Add what the conditions ask for, to as many decimals as our metrics have."""
    middle = (frame["bid"] + frame["ask"]) / 2
    frame["chg"] = ((frame["mark"] / frame["prev_close"] - 1) * 100).round(12)
    frame["chg_dollars"] = frame["mark"] - frame["prev_close"]
    frame["spread_pct"] = ((frame["ask"] - frame["bid"]) * 100 / middle).round(12)
    frame["vwap_pct"] = ((frame["mark"] / frame["vwap"] - 1) * 100).round(12)
    frame["dvol"] = frame["notional"]
    return frame


def _median_ms(work: Callable[[], Any], times: int = _TIMES) -> tuple[float, Any]:
    """Return the median milliseconds of some work and its result; the first one warms up."""
    work()
    timed = Timed()
    found = timed.of(work, times)
    return timed.median * 1e3, found
