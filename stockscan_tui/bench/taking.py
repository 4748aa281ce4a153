"""Records taken in: bytes in memory to minute bars, quotes, marks and session figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from stockscan_tui.bench import nautilus
from stockscan_tui.bench.bars import BarDict, Bars, of_batches, of_dict
from stockscan_tui.bench.figure import Figure, Peer, Timed, beside
from stockscan_tui.bench.frames import FRAMES, as_bars
from stockscan_tui.market.calendar import MINUTE_NS, SECOND_NS, utc_date
from stockscan_tui.market.dbn import MBP1_DTYPE

if TYPE_CHECKING:
    from pathlib import Path

    import databento_dbn as dbn

    from stockscan_tui.bench.material import Material
    from stockscan_tui.market.batch import BarBatch
    from stockscan_tui.market.state import Market
    from stockscan_tui.market.symbols import InstrumentIds

# Objects for quotes and trades take so long that a part of the records has to do.
NAUTILUS_RECORDS = 200_000
TRADES = 7
LOOP = "databento_dbn + a Python loop"


def records(material: Material) -> Figure:
    """Measure the compiled walk over records in memory; the walk stops at each second."""
    from stockscan_tui.market.state import Market  # noqa: PLC0415

    raw, path = material.records, material.tape
    count = len(raw) // MBP1_DTYPE.itemsize

    timed = Timed()
    for number in range(material.scale.times + 1):
        market = Market(capacity=material.scale.symbols)
        ids = ids_of(market, path)
        # The first one compiles, and is not counted.
        clock = timed if number else Timed()
        batches = clock.of(lambda m=market, i=ids: walk(m, i, raw))  # type: ignore[misc]
    bars = of_batches(batches, [material.number_of[name] for name in market.symbols.names])
    peers = [beside(LOOP, lambda: _looped(raw, bars))]
    peers += [_framed(name, material, count, bars) for name in FRAMES]
    peers.append(_nautilus(material))
    return Figure("records", "mbp-1 records in memory, to bars and full state", "records/s",
                  count / timed.median, tuple(peers))  # fmt: skip


def ids_of(market: Market, path: Path) -> InstrumentIds:
    """Return what the ids of a file stand for, its symbols being in the market."""
    from stockscan_tui.feed.dbn_file import DbnFile  # noqa: PLC0415
    from stockscan_tui.market.symbols import InstrumentIds  # noqa: PLC0415

    file, ids = DbnFile(path), InstrumentIds()
    names = file.symbology.on(utc_date(file.start_ns))
    ids.assign(zip(names, market.slots(list(names.values())), strict=True))
    return ids


def walk(
    market: Market, ids: InstrumentIds, raw: NDArray[np.uint8], step_ns: int = SECOND_NS
) -> list[BarBatch]:
    """Take records in, with a stop each `step_ns` of event time; returns their bars."""
    from stockscan_tui.market import kernel as k  # noqa: PLC0415

    found: list[BarBatch | None] = []
    ctl = market.ctl
    ctl[k.END], ctl[k.FINAL], ctl[k.IN_SESSION] = len(raw), 1, 1
    ctl[k.POST_END_NS] = 2**62
    first_ns = int(raw[: MBP1_DTYPE.itemsize].view(MBP1_DTYPE)["ts_recv"][0])
    stop_ns = first_ns // MINUTE_NS * MINUTE_NS + step_ns
    market.state[:] = 0
    while True:
        ctl[k.STOP_NS] = stop_ns
        reason = market.consume(raw, ids)
        if reason == k.NEED_BYTES:
            break
        if reason == k.BOUNDARY:
            if stop_ns % MINUTE_NS == 0:
                market.close_minute()
                found.append(market.take_bars())
            stop_ns += step_ns
        elif reason == k.GROW:
            market.grow_bars()
        else:
            found.append(market.take_bars())
    market.close_minute()
    found.append(market.take_bars())
    return [batch for batch in found if batch is not None]


def loop(raw: NDArray[np.uint8]) -> BarDict:
    """Keep bars and quotes in a Python loop over decoded records."""
    import databento_dbn as dbn  # noqa: PLC0415

    decoder = dbn.DBNDecoder(has_metadata=False, input_version=3)
    decoder.write(raw.tobytes())
    kept = BarDict()
    quotes, trade = kept.quotes, kept.trade
    for record in cast("list[dbn.MBP1Msg]", decoder.decode()):
        level = record.levels[0]
        number = record.instrument_id
        quotes[number] = (level.bid_px, level.ask_px)
        if record.action == "T":
            trade((number, record.ts_recv // MINUTE_NS), record.price, record.size)
    return kept


def _looped(raw: NDArray[np.uint8], bars: Bars) -> tuple[float, bool]:
    timed = Timed()
    kept = timed.of(lambda: loop(raw))
    count = len(raw) // MBP1_DTYPE.itemsize
    return count / timed.median, np.array_equal(of_dict(kept.bars), bars)


def _framed(name: str, material: Material, count: int, bars: Bars) -> Peer:
    def measure() -> tuple[float, bool]:
        import databento  # noqa: PLC0415

        timed = Timed()
        frame = timed.of(lambda: FRAMES[name](databento.DBNStore.from_bytes(material.content)))
        return count / timed.median, np.array_equal(as_bars(frame), bars)

    return beside(name, measure)


def _nautilus(material: Material) -> Peer:
    """Measure the loader and the aggregation of the first records, which take that long."""

    def measure() -> tuple[float, bool]:
        path, count = material.beginning(NAUTILUS_RECORDS)
        into = path.with_suffix(".npz")
        took, bars = nautilus.measured(path, into, material.number_of)
        ours = _bars(material, material.records[: count * MBP1_DTYPE.itemsize])
        ours[:, TRADES] = 0
        return count / took, np.array_equal(bars, ours)

    return beside(nautilus.NAME, measure)


def _bars(material: Material, raw: NDArray[np.uint8]) -> Bars:
    from stockscan_tui.market.state import Market  # noqa: PLC0415

    market = Market(capacity=material.scale.symbols)
    batches = walk(market, ids_of(market, material.tape), raw)
    return of_batches(batches, [material.number_of[name] for name in market.symbols.names])
