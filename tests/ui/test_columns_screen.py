"""Choosing columns at the keyboard and with the mouse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Static

import stockscan_tui.ui.screens
from stockscan_tui.market.metrics import REGISTRY, MetricKey
from stockscan_tui.ui.screens.columns import ColumnsChoice, ColumnsScreen, Rows
from stockscan_tui.ui.theme import DARK, THEMES

SIZES = [(80, 24), (200, 60)]
K = MetricKey
BOARD = (K("mark"), K("chg"), K("chg", 5), K("volume"))


class Host(App[None]):
    """An application with nothing but one screen; `result` is empty until it is closed."""

    def __init__(self, screen: ModalScreen[Any], styles: str, theme: str) -> None:
        folder = Path(stockscan_tui.ui.screens.__file__).parent
        super().__init__(css_path=folder / styles)
        self._over = screen
        self._theme_name = theme
        self.result: list[Any] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(DARK.variables)

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self._theme_name
        self.push_screen(self._over, self.result.append)


class Stand:
    """One screen in its application, and a pilot for the keys."""

    def __init__(self, app: Host, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        """Press the keys of a text, one by one."""
        await self.pilot.press(*text)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the application run until the condition holds."""
        for _ in range(400):
            if condition():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"it never came to be:\n{self.text()}")

    async def says(self, words: str) -> None:
        """Wait until words are on the screen, wherever a line ends."""
        wanted = "".join(words.split())
        await self.until(lambda: wanted in "".join(self.text().split()))

    def lines(self) -> list[str]:
        """Return everything on the screen as lines of text."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    def text(self) -> str:
        """Return everything on the screen, without frames and line breaks."""
        return " ".join(" ".join(line.replace("│", " ").split()) for line in self.lines())


def on_stand(
    screen: ModalScreen[Any],
    styles: str,
    act: Callable[[Stand], Awaitable[Any]],
    *,
    size: tuple[int, int] = (80, 24),
    theme: str = DARK.name,
) -> Any:
    """Run `act` with a screen; returns what the screen was closed with, or `open`."""
    app = Host(screen, styles, theme)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            stand = Stand(app, pilot)
            await stand.until(lambda: app.screen is screen)
            await pilot.pause()
            await act(stand)
            await pilot.pause()

    asyncio.run(run())
    return app.result[0] if app.result else "open"


def columns(
    *keys: str, preview: Callable[[tuple[MetricKey, ...]], None] | None = None
) -> ColumnsChoice | None:
    """Return what comes of keys on the screen of a list with the board's columns."""

    async def act(stand: Stand) -> None:
        await stand.press(*keys)

    result = on_stand(_screen(preview), "columns.tcss", act)
    assert result != "open"
    assert result is None or isinstance(result, ColumnsChoice)
    return result


def _screen(preview: Callable[[tuple[MetricKey, ...]], None] | None = None) -> ColumnsScreen:
    return ColumnsScreen("gainers [b]\x1b", BOARD, default=(K("mark"), K("chg")),
                         widths={K("mark"): 10}, own=("sector",), preview=preview)  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ((), BOARD),
        (("j", "space"), (K("mark"), K("chg", 5), K("volume"))),
        (("j", "space", "space"), BOARD),
        (("J", "J"), (K("chg"), K("chg", 5), K("mark"), K("volume"))),
        (("j", "j", "j", "K", "K", "K", "K"), (K("volume"), *BOARD[:3])),
        (("G", "space"), (*BOARD, K("sector"))),
        (("R",), (K("mark"), K("chg"))),
        (("slash", *"rvol", "enter", "space", "K"), (*BOARD[:3], K("rvol"), K("volume"))),
        (("slash", *"wilder", "down", "enter", "space"), (*BOARD, K("atr", 1, period=14))),
        (("n", *"rsi(14, 5m)", "enter"), (*BOARD, K("rsi", 5, period=14))),
        (("n", *"HIGH(pre)", "enter"), (*BOARD, K("high", span="pre"))),
        (("n", *"chg", "enter"), BOARD),
    ],
)
def test_keys_choose_columns_and_their_order(
    keys: tuple[str, ...], expected: tuple[MetricKey, ...]
) -> None:
    # The field of `n` begins with the selected metric where that takes brackets.
    choice = columns(*keys, "enter")
    assert choice == ColumnsChoice(expected, {})


def test_only_widths_that_were_changed_are_given() -> None:
    choice = columns("plus", "plus", "j", "plus", "minus", "j", *["minus"] * 9, "enter")
    assert choice == ColumnsChoice(BOARD, {K("mark"): 12, K("chg", 5): 3})


@pytest.mark.parametrize("key", ["escape", "q"])
def test_leaving_puts_the_board_back_as_it_was(key: str) -> None:
    seen: list[tuple[MetricKey, ...]] = []
    assert columns("space", "j", "J", "R", key, preview=seen.append) is None
    assert seen[0] == BOARD[1:]
    assert (seen[-1], len(seen)) == (BOARD, 4)


def test_escape_closes_a_field_first_and_what_it_sought_is_gone() -> None:
    async def act(stand: Stand) -> None:
        rows = stand.app.screen.query_one(Rows)
        every = rows.option_count
        await stand.press("slash", *"qvwap")
        assert rows.option_count == 0
        await stand.press("backspace", "escape")
        await stand.until(lambda: rows.option_count == every)
        assert not stand.app.result
        await stand.press("escape")

    assert on_stand(_screen(), "columns.tcss", act) is None


def test_what_is_no_metric_is_said_and_the_last_column_stays() -> None:
    async def act(stand: Stand) -> None:
        await stand.press("G", "n", *"rsi(14, 7m)", "enter")
        await stand.says("rsi: bars have 1, 5 or 15 minutes.")
        await stand.press("escape", "g", *["space", "j"] * 4, "k", "space")
        await stand.says("One column at least has to be shown.")
        await stand.press("G", "J")
        await stand.says("sector is not shown: space shows it.")
        await stand.press("enter")

    assert on_stand(_screen(), "columns.tcss", act) == ColumnsChoice((K("volume"),), {})


def test_the_mouse_selects_shows_and_presses_every_key_in_the_last_lines() -> None:
    async def act(stand: Stand) -> None:
        await stand.pilot.click(Rows, offset=(20, 1))
        await stand.pilot.click(Rows, offset=(20, 1))
        await stand.pilot.click(Rows, offset=(0, 3))
        for label in ("K earlier", "+ wider", "Enter keep"):
            y, line = next((y, line) for y, line in enumerate(stand.lines()) if label in line)
            await stand.pilot.click(offset=(line.index(label), y))

    expected = ColumnsChoice((K("mark"), K("chg", 5)), {})
    assert on_stand(_screen(), "columns.tcss", act) == expected


def test_what_a_metric_means_fits_on_a_small_screen() -> None:
    async def act(stand: Stand) -> None:
        rows = stand.app.screen.query_one(Rows)
        about = stand.app.screen.query_one("#about", Static)
        assert rows.option_count == len(REGISTRY) + 2
        for place in range(rows.option_count):
            rows.highlighted = place
            await stand.pilot.pause()
            box = about.content_size
            assert about.get_content_height(box, box, box.width) <= box.height
        await stand.says("A column of your own table.")

    on_stand(_screen(), "columns.tcss", act)


@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
@pytest.mark.parametrize("size", SIZES)
def test_title_columns_and_keys_fit(size: tuple[int, int], theme: str) -> None:
    async def act(stand: Stand) -> None:
        text = stand.text()
        assert "Columns of gainers [b]�" in text
        assert "✓ PRICE mark 10 The price to go by" in text
        assert all(label in text for label in ("Enter keep", "- narrower", "R board's own"))

    on_stand(_screen(), "columns.tcss", act, size=size, theme=theme)


def test_without_colour_the_selected_line_is_underlined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def act(stand: Stand) -> None:
        await stand.press("j")
        strips = stand.app.screen._compositor.render_strips()
        marked = [
            "".join(s.text for s in strip if s.style and s.style.underline) for strip in strips
        ]
        assert [line.split()[:3] for line in marked if line] == [["✓", "CHG%", "chg"]]

    on_stand(_screen(), "columns.tcss", act)


@pytest.mark.parametrize("size", [(1, 1), (20, 5)])
def test_a_terminal_too_small_traps_nobody(size: tuple[int, int]) -> None:
    async def act(stand: Stand) -> None:
        await stand.press("j", "space", "n", "x", "enter", "escape", "q")

    assert on_stand(_screen(), "columns.tcss", act, size=size) is None
