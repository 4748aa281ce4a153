"""Random keys, sizes and pictures over all screens: no crash, and Esc leads back to the board."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.scan.gates import Gates
from stockscan_tui.scan.watchlists import Watchlists
from stockscan_tui.ui.app import StockscanApp
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.screens.board import BoardScreen
from tests.fuzz.part import Part, WrongError
from tests.ui.driving import Stage
from tests.ui.market import FakePlayer, HandClock, market, passed

# Keys a case; each case begins with a new application.
LENGTH = 240
NAMED = (
    "space", "enter", "escape", "tab", "up", "down", "left", "right", "pagedown", "pageup", "home",
    "end", "ctrl+d", "ctrl+u", "ctrl+s", "ctrl+t", "ctrl+p", "backspace", "delete", "shift+tab",
    "shift+left", "shift+right", "f1", "insert", "ctrl+a", "ctrl+e", "ctrl+k", "ctrl+w", "ctrl+z",
    "ctrl+l",
    "alt+x",
)  # fmt: skip
PLAIN = "jkgGsSxXcwWyeFaArhnNiIdDmMuutTLp0123456789?/+-<>[]{},.=()@ \"'%qQéß漢"
SIZES = ((80, 24), (120, 36), (20, 5), (1, 1), (200, 50), (40, 100), (300, 8))
# Not keys: another size, another picture, a silence.
_OTHER = ("SIZE", "PICTURE", "PICTURE", "PASSED", "SINGLE", "WAIT", "NONE")


def made(rng: random.Random, length: int = LENGTH) -> bytes:
    """Return keys and other events, a line each."""
    lines = []
    for _ in range(length):
        kind = rng.random()
        if kind < 0.62:
            lines.append(rng.choice(PLAIN))
        elif kind < 0.93:
            lines.append(rng.choice(NAMED))
        else:
            lines.append(f"{rng.choice(_OTHER)} {rng.randrange(50)}")
    return "\n".join(lines).encode()


def _picture(what: str, number: int, leap: int) -> Snapshot:
    """Return a picture; what has fewer symbols than before comes of a leap through time."""
    count = 1 if what == "SINGLE" else (60, 3, 120)[number % 3]
    found = market(count, seed=number + 1, leap=leap)
    return passed(found) if what == "PASSED" else found


def _is_other(line: str) -> bool:
    return line.split(" ", maxsplit=1)[0] in _OTHER


async def _do(stage: Stage, line: str, serial: int) -> None:
    """Let something happen that is no key."""
    what, _, number = line.partition(" ")
    app, pilot = stage.app, stage.pilot
    if what == "SIZE":
        await pilot.resize_terminal(*SIZES[int(number or 0) % len(SIZES)])
    elif what in {"PICTURE", "PASSED", "SINGLE"}:
        stage.player.now = replace(
            _picture(what, int(number or 0), serial), serial=serial, cache={}
        )
        stage.clock.pass_s(0.2)
        app._poll()
        await pilot.pause()
    elif what == "WAIT":
        stage.clock.pass_s(float(number or 1))
        await pilot.pause()
    elif what == "NONE":
        stage.player.now = None if int(number or 0) == 7 else stage.player.now
        await pilot.pause()


async def _home(stage: Stage) -> None:
    """Press Esc until the board stands alone."""
    app = stage.app
    for _ in range(12):
        if isinstance(app.screen, BoardScreen) and len(app.screen_stack) <= _LEAST[0]:
            break
        await stage.pilot.press("escape")
    if not isinstance(app.screen, BoardScreen):
        raise WrongError(f"Esc does not lead from {type(app.screen).__name__} to the board")
    await stage.pilot.press("escape")


_LEAST = [2]


def _desk(folder: Path) -> Desk:
    return Desk(
        gates=Gates(regular="mark >= 1"),
        watchlists=Watchlists(folder / "watchlists"),
        config=folder / "config.toml",
        keeps=True,
    )


async def _session(
    app: StockscanApp, player: FakePlayer, clock: HandClock, keys: Sequence[str]
) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        stage = Stage(app, player, clock, pilot)
        await stage.until(lambda: isinstance(app.screen, BoardScreen) and app.screen.ready)
        _LEAST[0] = len(app.screen_stack)
        number = 0
        while number < len(keys):
            line = keys[number]
            run = next((n for n in range(number, len(keys)) if _is_other(keys[n])), len(keys))
            if run > number:
                # Some are pressed before the last one's work is done.
                run = min(run, number + 1 + ord(line[-1]) % 24)
                await pilot.press(*("space" if key == " " else key for key in keys[number:run]))
            else:
                run = number + 1
                await _do(stage, line, run)
            number = run
            if not app.is_running or app._exit:
                # `q` on the board leaves a replay at once.
                if not {"q", "Q", "y"} & set(keys[:number]):
                    raise WrongError(f"it ended at {line!r}")
                return
        await pilot.resize_terminal(100, 30)
        stage.player.now = replace(market(), serial=len(keys) + 5, leap=len(keys) + 5, cache={})
        app._poll()
        await _home(stage)
        await pilot.press("q")
        for _ in range(200):
            if app._exit:
                return
            await pilot.pause(0.01)
        raise WrongError("q does not quit")


def _run(case: bytes) -> None:
    keys = [line for line in case.decode("utf-8", "replace").split("\n") if line.isprintable()]
    # A key that Textual does not know is none; one sign is always one.
    keys = [line for line in keys if len(line) == 1 or line.split(" ")[0] in {*NAMED, *_OTHER}]
    with TemporaryDirectory() as folder, chdir(folder):
        os.environ["XDG_CONFIG_HOME"] = folder
        player, clock = FakePlayer(market()), HandClock()
        app = StockscanApp(
            lambda _opening: player, title="day.dbn.zst", clock=clock, desk=_desk(Path(folder))
        )
        asyncio.run(_session(app, player, clock, keys))
        if app.return_code not in {0, None} or app._exception is not None:
            raise WrongError(f"it ended with {app.return_code}, {app._exception!r}")


def _spoil(rng: random.Random, case: bytes, other: bytes) -> bytes:
    """Keep the beginning that has led somewhere new, and go on otherwise."""
    kept, more = case.split(b"\n"), made(rng).split(b"\n")
    begin = rng.randrange(min(len(kept), LENGTH) + 1) if rng.random() < 0.5 else 0
    del other
    return b"\n".join((kept[:begin] + more)[:LENGTH])


def _seeds() -> Sequence[bytes]:
    rng = random.Random(5)
    return [made(rng) for _ in range(4)]


PARTS = (
    Part(
        "keys", _run, _seeds, share=1 / LENGTH, most_bytes=1 << 16, spoil=_spoil, longest_s=120.0,
        watched=0,
    ),
)  # fmt: skip
