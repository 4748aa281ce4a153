"""From the command to the first board on the screen, in a pseudo-terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

from stockscan_tui.bench.figure import Figure, Peer
from stockscan_tui.environment import of_own_process
from stockscan_tui.errors import StockscanError

if TYPE_CHECKING:
    from stockscan_tui.bench.material import Material

SIZE = (140, 40)
_WAIT_S = 60.0
_HEAD = b"SYMBOL"
_EMPTY = """
from textual.app import App
from textual.widgets import DataTable
class Empty(App):
    def compose(self):
        yield DataTable()
    def on_mount(self):
        self.query_one(DataTable).add_columns("SYMBOL", "PRICE", "CHG%", "VOLUME")
Empty().run()
"""
_FRAME = """
import sys, warnings
warnings.simplefilter("ignore")
import databento
frame = databento.DBNStore.from_file(sys.argv[1]).to_df(map_symbols=False)
print("SYMBOL")
print(frame.tail(36))
"""


def start(material: Material) -> Figure:
    """Measure the replay's start until its board stands there."""
    title = "`stockscan replay FILE` to the first board"
    if sys.platform == "win32":
        return Figure("start", title, "s", None, (), "it takes a Unix terminal to measure it")
    nothing = material.folder / "nothing.toml"
    nothing.touch()

    def ours() -> float:
        return until_shown([
            "-m", "stockscan_tui", "replay", str(material.tape), "--offline", "--speed", "60",
            "--db", str(material.database()), "--config", str(nothing), "--rules", str(nothing),
        ])  # fmt: skip

    times = material.scale.times
    own_s = median(ours() for _ in range(times))
    empty_s = median(until_shown(["-c", _EMPTY]) for _ in range(times))
    frame_s = until_shown(["-c", _FRAME, str(material.tape)])
    peers = (
        Peer("databento to_df of that file, its end printed", frame_s),
        Peer("Textual with an empty DataTable", empty_s, None, "shows nothing: a floor"),
    )
    return Figure("start", title, "s", own_s, peers)


def until_shown(arguments: list[str]) -> float:
    """Return the seconds until Python, with these arguments, shows a table's head.

    Raises:
        StockscanError: It never does.
    """
    import fcntl  # noqa: PLC0415
    import pty  # noqa: PLC0415
    import struct  # noqa: PLC0415
    import termios  # noqa: PLC0415

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, env=of_own_process({"TERM": "xterm-256color"}),
    )  # fmt: skip
    os.close(theirs)
    try:
        return _read_until(ours, began)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read_until(descriptor: int, began: float) -> float:
    import select  # noqa: PLC0415

    seen = b""
    while time.perf_counter() - began < _WAIT_S:
        ready, _, _ = select.select([descriptor], [], [], 1.0)
        try:
            seen = seen[-4096:] + (os.read(descriptor, 1 << 16) if ready else b"")
        except OSError:
            break
        if _HEAD in seen:
            return time.perf_counter() - began
    raise StockscanError(f"The board never came: {seen[-500:]!r}")
