"""The second session of a live run: EQUS.SUMMARY's statistics, with the whole tape's volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stockscan_tui.feed.history import SUMMARY
from stockscan_tui.feed.live import Access, default_host
from stockscan_tui.feed.pipe import Pool
from stockscan_tui.feed.stream import Stream

# What waits for the engine, in blocks of a MiB: the market's own records come first.
_MOST_BLOCKS = 16


def summary_access(access: Access, *, same_gateway: bool) -> Access:
    """Return where EQUS.SUMMARY is served to whoever has `access` to another dataset.

    Args:
        access: To the dataset that makes the market.
        same_gateway: Whether no other gateway than that one may be contacted.
    """
    host = access.host if same_gateway else default_host(SUMMARY)
    return replace(access, dataset=SUMMARY, host=host)


def summary_stream(symbols: Sequence[str] = ()) -> Stream:
    """Return the subscription to statistics; of all symbols where none are named."""
    stream = Stream("statistics", symbols=symbols, clocked=False)
    stream.pool = Pool(_MOST_BLOCKS)
    return stream


def summary_refusal(said: str, dataset: str) -> str:
    """Return what it means that the gateway refuses the second session, and what to do."""
    return (
        f"There is no consolidated volume (tape_volume): the gateway refuses {dataset}: "
        f"{said.rstrip('.')}. Its live data is licensed apart, see databento.com/portal; "
        'tape_volume = "off" in the config asks no more.'
    )
