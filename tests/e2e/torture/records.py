"""What is in the recordings after kills, read by the official client."""

from __future__ import annotations

import warnings
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.e2e.torture.lives import BrokenPromiseError
from tests.e2e.torture.scene import Scene
from tests.e2e.torture.witness import Held

# What has come within the last second or two need not be in a file yet.
FLUSH_S = 3.0


def check_recordings(scene: Scene, _held: Held) -> None:
    """Raise unless each file can be read, and holds records of the tape, each once.

    Raises:
        BrokenPromiseError: It is not so.
    """
    _lacking(scene)


def check_recordings_at_end(scene: Scene, _held: Held) -> None:
    """Raise unless what the files lack came within seconds before a kill.

    Raises:
        BrokenPromiseError: It is not so.
    """
    lacking = _lacking(scene)
    if not len(lacking):
        return
    breaks = np.flatnonzero(np.diff(lacking) > int(scene.speed * 1e9)) + 1
    for span in np.split(lacking, breaks):
        if span[-1] - span[0] > FLUSH_S * scene.speed * 1e9:
            raise BrokenPromiseError(
                f"the recordings lack {len(span)} records of {(span[-1] - span[0]) / 1e9:.0f} s"
            )


def _lacking(scene: Scene) -> NDArray[np.int64]:
    """Return the times of the tape's records that are in no file."""
    want = Counter(_tape(scene.day.path))
    for path in sorted(scene.recordings.glob("*.mbp-1.dbn.zst")):
        want.subtract(records_of(path))
    more = [key for key, count in want.items() if count < 0]
    if more:
        raise BrokenPromiseError(f"recorded twice, or not of the tape: {more[:3]}")
    return np.sort(np.array([key[0] for key, count in want.items() if count > 0], np.int64))


@cache
def _tape(path: Path) -> list[tuple[int, ...]]:
    return records_of(path)


def records_of(path: Path) -> list[tuple[int, ...]]:
    """Return the keys of a file's mbp-1 records by the official client.

    Raises:
        BrokenPromiseError: It cannot read it.
    """
    import databento
    import databento_dbn as dbn

    if not path.stat().st_size:
        return []
    try:
        with warnings.catch_warnings():
            # A cut is told as one.
            warnings.simplefilter("ignore")
            return [
                (each.ts_recv, each.instrument_id, each.price, each.size, each.levels[0].bid_px)
                for each in databento.DBNStore.from_file(path)
                if isinstance(each, dbn.MBP1Msg)
            ]
    except Exception as error:
        raise BrokenPromiseError(
            f"the official client cannot read {path.name}: {error!r}"
        ) from error
