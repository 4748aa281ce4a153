"""What is measured on: a simulated hour, made anew from its seed in a folder that goes away.

It is the first hour of regular trading, in which two million records come as thick as they do when
it matters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import zstandard
from numpy.typing import NDArray

from stockscan_tui.market.calendar import SECOND_NS, new_york_ns
from stockscan_tui.market.dbn import MBP1_DTYPE
from stockscan_tui.sim.day import OPEN_MINUTE, DayPlan
from stockscan_tui.sim.files import LEVEL, write_closes, write_day
from stockscan_tui.sim.universe import Universe, make_universe

if TYPE_CHECKING:
    from stockscan_tui.market.calendar import Calendar

DAY = date(2026, 6, 15)
DAY_BEFORE = date(2026, 6, 12)
SEED = 7
END_MINUTE = OPEN_MINUTE + 60
# The even tape begins when the market is awake.
EVEN_FROM = time(9, 30, 45)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    Attributes:
        records: MBP-1 records of the hour.
        symbols: How many symbols it has.
        times: How often our side does what takes long.
        rate: Records a second of the even tape.
        seconds: How long the interface's timer is watched.
    """

    records: int = 2_000_000
    symbols: int = 12_000
    times: int = 3
    rate: int = 250_000
    seconds: float = 4.0


class Material:
    """The hour as files; each is made when it is first asked for.

    Args:
        folder: Where; the caller's to remove.
        scale: How much.
        say: Told what is being made.
    """

    def __init__(self, folder: Path, scale: Scale, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.scale = scale
        self._say = say
        self._databases = 0

    @cached_property
    def universe(self) -> Universe:
        """All symbols."""
        return make_universe(SEED, self.scale.symbols)

    @cached_property
    def calendar(self) -> Calendar:
        """The exchange's trading days."""
        from stockscan_tui.config import cache_folder  # noqa: PLC0415
        from stockscan_tui.feed.exchange import load_calendar  # noqa: PLC0415

        return load_calendar(cache_folder(), DAY)

    @cached_property
    def tape(self) -> Path:
        """The hour as an uncompressed mbp-1 file, its previous closes beside it."""
        self._say(f"making an hour of {self.scale.records:,} records")
        path = self.folder / "hour.mbp-1.dbn"
        write_closes(self.folder / "hour.ohlcv-1d.dbn", self.universe, DAY_BEFORE)
        plan = DayPlan(DAY, self.scale.records, first_minute=OPEN_MINUTE, last_minute=END_MINUTE)
        write_day(path, self.universe, plan, SEED)
        return path

    @cached_property
    def compressed(self) -> Path:
        """The same hour as Databento's own files are compressed."""
        path = self.folder / "packed.mbp-1.dbn.zst"
        write_closes(self.folder / "packed.ohlcv-1d.dbn.zst", self.universe, DAY_BEFORE)
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        with self.tape.open("rb") as raw, path.open("wb") as packed:
            compressor.copy_stream(raw, packed)
        return path

    @cached_property
    def even_tape(self) -> Path:
        """Records of the hour, `scale.rate` in each second, for long enough to watch a timer."""
        path = self.folder / "even.mbp-1.dbn"
        content = self.content
        rows = np.frombuffer(bytearray(content[self.head :]), MBP1_DTYPE)
        rows = rows[len(rows) // 4 :][: int(self.scale.rate * (self.scale.seconds + 6))]
        lag_ns = rows["ts_recv"] - rows["ts_event"]
        spread = np.arange(len(rows)) * SECOND_NS // self.scale.rate
        rows["ts_recv"] = new_york_ns(DAY, EVEN_FROM) + spread
        rows["ts_event"] = rows["ts_recv"] - lag_ns
        with path.open("wb") as out:
            out.write(content[: self.head])
            out.write(rows.tobytes())
        return path

    @cached_property
    def content(self) -> bytes:
        """The uncompressed file's bytes."""
        return self.tape.read_bytes()

    @cached_property
    def head(self) -> int:
        """How many of them are metadata."""
        return 8 + int.from_bytes(self.content[4:8], "little")

    @cached_property
    def records(self) -> NDArray[np.uint8]:
        """The bytes of the records."""
        return np.frombuffer(self.content, np.uint8)[self.head :].copy()

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The instrument id of each symbol."""
        return dict(zip(self.universe.symbols, self.universe.instrument_id.tolist(), strict=True))

    def beginning(self, count: int) -> tuple[Path, int]:
        """Return a compressed file of the first records, at most `count`, and how many they are.

        Trades of no size, which are none, are left out of it.
        """
        size = MBP1_DTYPE.itemsize
        count = min(count, len(self.records) // size)
        rows = self.records[: count * size].view(MBP1_DTYPE)
        rows = rows[(rows["action"] != b"T") | (rows["size"] > 0)]
        path = self.folder / f"first-{count}.mbp-1.dbn.zst"
        content = self.content[: self.head] + rows.tobytes()
        path.write_bytes(zstandard.ZstdCompressor(level=LEVEL).compress(content))
        return path, count

    def database(self) -> Path:
        """Return where a database can be made that is not there yet."""
        self._databases += 1
        return self.folder / f"{self._databases}.duckdb"
