"""Plays a sound file by the first player that the system has."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from stockscan_tui.delivery.parcel import Parcel
from stockscan_tui.delivery.program import Program
from stockscan_tui.delivery.tally import DeliveryError

_TIMEOUT_S = 10.0
_PLAYERS = (
    ("paplay",),
    ("pw-play",),
    ("afplay",),
    ("aplay", "-q"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet"),
    ("mpv", "--no-config", "--no-video", "--really-quiet"),
    ("play", "-q"),
)
# Whatever else aplay is given, it plays as noise.
_WAVES = frozenset({".wav", ".au", ".voc"})


def player_arguments(file: Path, which: Callable[[str], str | None] = shutil.which) -> list[str]:
    """Return the player and its arguments for a sound file; empty where there is no player.

    Args:
        file: The sound, an absolute path, so that no player takes it for an option.
        which: Finds a program.
    """
    for name, *options in _PLAYERS:
        if name == "aplay" and file.suffix.lower() not in _WAVES:
            continue
        if found := which(name):
            return [found, *options, str(file)]
    return []


class SoundSender:
    """Plays sounds, or has the bell rung where that fails; its channel's thread owns it.

    Args:
        usual: The file for rules that name none; empty for the bell.
        ring: Rings the bell instead.
        find: Finds a player for a file.
    """

    def __init__(
        self,
        usual: str,
        ring: Callable[[], None],
        find: Callable[[Path], list[str]] = player_arguments,
    ) -> None:
        self._usual = usual
        self._ring = ring
        self._find = find
        self._program = Program()

    def send(self, parcel: Parcel, stop: threading.Event) -> None:
        """Play the sound of a rule.

        Raises:
            DeliveryError: It cannot be played; the bell was rung.
        """
        if stop.is_set():
            return
        named = parcel.rule.sound or self._usual
        if not named:
            self._ring()
            return
        try:
            self._play(named)
        except DeliveryError:
            if not stop.is_set():
                self._ring()
            raise

    def abort(self) -> None:
        """End what plays."""
        self._program.abort()

    def _play(self, named: str) -> None:
        file = Path(os.path.abspath(Path(named).expanduser()))  # noqa: PTH100 - "~nobody" too
        if not file.is_file():
            raise DeliveryError(f"There is no sound file {file.name}: the bell rings instead.")
        arguments = self._find(file)
        if not arguments:
            raise DeliveryError("No program here plays sounds: the bell rings instead.")
        self._program.run(arguments, _TIMEOUT_S)
