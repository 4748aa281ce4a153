"""Desktop notifications: the right sequence for the terminal, and nothing in it that acts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockscan_tui.delivery.desktop import DesktopSender, desktop_arguments, desktop_sequence
from stockscan_tui.delivery.parcel import Parcel
from stockscan_tui.delivery.tally import DeliveryError
from stockscan_tui.market.text import printable
from stockscan_tui.scan.rules import Priority, Rule
from tests.unit.test_delivery import fired

KITTY = {"TERM": "xterm-kitty"}
KNOWN = [
    KITTY,
    {"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"},
    {"TERM_PROGRAM": "iTerm.app"},
    {"LC_TERMINAL": "iTerm2"},
    {"TERM_PROGRAM": "WezTerm"},
    {"TERM_PROGRAM": "ghostty"},
    {"TERM": "foot-extra"},
    {"WT_SESSION": "b9d0"},
]
UNKNOWN = [
    {},
    {"TERM": "xterm-256color"},
    {"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"},  # noqa: S108 - a variable's text
    {"TERM": "screen.xterm", "TERM_PROGRAM": "WezTerm"},
    {"TERM": "dumb"},
]


def test_each_terminal_gets_the_sequence_that_it_has() -> None:
    assert desktop_sequence("T", "a b", KITTY) == (
        "\x1b]99;i=stockscan:d=0;T\x1b\\\x1b]99;i=stockscan:p=body;a b\x1b\\"
    )
    assert desktop_sequence("T", "a", {"TERM_PROGRAM": "iTerm.app"}) == "\x1b]9;T: a\x1b\\"
    assert desktop_sequence("T", "a", {"WT_SESSION": "1"}) == "\x1b]777;notify;T;a\x1b\\"


@pytest.mark.parametrize("environ", UNKNOWN)
def test_an_unknown_terminal_gets_none(environ: dict[str, str]) -> None:
    assert desktop_sequence("T", "a", environ) == ""


@given(title=st.text(), text=st.text(), number=st.integers(0, len(KNOWN) - 1))
def test_no_text_can_end_a_sequence_or_begin_another(title: str, text: str, number: int) -> None:
    environ = KNOWN[number]
    bare = desktop_sequence("", "", environ)
    said = desktop_sequence(title, text, environ)
    for sign in ("\x1b", "\\" if "\\" not in title + text else "\x1b", ";"):
        assert said.count(sign) == bare.count(sign)
    rest = said.replace("\x1b", "")
    assert printable(rest) == rest
    assert len(said) < 500


def which(*there: str) -> Callable[[str], str | None]:
    return lambda name: f"/bin/{name}" if name in there else None


def test_a_program_gets_text_that_is_neither_option_nor_markup() -> None:
    arguments = desktop_arguments("-h", "<b>&\n", urgent=True, which=which("notify-send"))
    assert arguments[0] == "/bin/notify-send"
    assert "--urgency=critical" in arguments
    assert arguments[-3:] == ["--", "-h", "&lt;b&gt;&amp;�"]


def test_a_mac_gets_text_as_arguments_of_a_fixed_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    arguments = desktop_arguments('"', 'x" & (do it)', urgent=False, which=which("osascript"))
    assert arguments[-2:] == ['"', 'x" & (do it)']
    assert not any("do it" in part for part in arguments[:-1])


def test_a_system_without_any_says_so(tmp_path: Path) -> None:
    assert desktop_arguments("T", "a", urgent=False, which=which()) == []
    never = threading.Event()
    parcel = Parcel(Rule("move", priority=Priority.HIGH), fired(), line="said")
    with pytest.raises(DeliveryError, match="there is no notify-send"):
        DesktopSender(lambda *_: []).send(parcel, never)
    file = tmp_path / "told"
    script = "import sys; open(sys.argv[1], 'w').write('|'.join(sys.argv[2:]))"

    def find(title: str, text: str, urgent: bool) -> list[str]:
        return [sys.executable, "-c", script, str(file), title, text, str(urgent)]

    DesktopSender(find).send(parcel, never)
    assert file.read_text("utf-8") == "stockscan · move|said|True"
