"""What the board's keys do beyond looking: columns, watchlists, saved lists, copies and exports.

Files are read and written in threads; what the user changed is kept in the config file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from textual.geometry import Size

from stockscan_tui.errors import StockscanError
from stockscan_tui.market.calendar import new_york_time
from stockscan_tui.market.metrics import MetricKey, values_of
from stockscan_tui.market.snapshot import Snapshot
from stockscan_tui.scan.expression import Expression, parse
from stockscan_tui.scan.lists import Toplist
from stockscan_tui.ui.columns import Column, column_width, default_columns
from stockscan_tui.ui.desk import Desk
from stockscan_tui.ui.exporting import write_view
from stockscan_tui.ui.ranking import Ranking

if TYPE_CHECKING:
    from stockscan_tui.ui.screens.columns import ColumnsChoice
    from stockscan_tui.ui.screens.save_list import SaveChoice

COPY_AGAIN_S = 2.0


class Board(Protocol):
    """What the board is to whoever keeps what was changed on it."""

    @property
    def app(self) -> Any: ...
    @property
    def size(self) -> Size: ...
    @property
    def lists(self) -> Sequence[Toplist]: ...
    @property
    def filters(self) -> Mapping[str, str]: ...
    @property
    def columns(self) -> tuple[Column, ...]: ...
    @property
    def chosen_columns(self) -> tuple[MetricKey, ...] | None: ...
    @property
    def widths(self) -> Mapping[MetricKey, int]: ...

    def say(self, sentence: str) -> None: ...
    def choose(self, expression: Expression) -> None: ...
    def add_list(self, listed: Toplist) -> None: ...
    def save_filter(self, name: str, text: str) -> None: ...
    def preview_columns(self, columns: tuple[MetricKey, ...] | None) -> None: ...
    def choose_columns(
        self, columns: tuple[MetricKey, ...] | None, widths: Mapping[MetricKey, int]
    ) -> None: ...


class Keeping:
    """Does it for one board.

    Args:
        board: The board.
        ranking: Its order.
        desk: Where changes are kept.
    """

    def __init__(self, board: Board, ranking: Ranking, desk: Desk) -> None:
        self._board = board
        self._ranking = ranking
        self._desk = desk
        self._watchlist = desk.watchlist
        self._copied_s = -COPY_AGAIN_S

    @property
    def _app(self) -> Any:
        return self._board.app

    async def keep(self, change: Callable[[], None]) -> None:
        """Make a change to the user's files in a thread; say so where it cannot be kept."""
        if not self._desk.keeps:
            return
        try:
            await asyncio.to_thread(change)
        except StockscanError as error:
            self._board.say(str(error))

    # --- columns --------------------------------------------------------------------------------

    def choose_columns(self) -> None:
        """Let the user choose the columns of the list that is shown."""
        from stockscan_tui.ui.screens.columns import ColumnsScreen  # noqa: PLC0415

        listed = self._ranking.list
        usual = default_columns(self._board.size.width)
        shown = self._board.chosen_columns or usual
        screen = ColumnsScreen(
            list_name=listed.name if listed is not None else "all",
            chosen=shown,
            default=usual,
            widths={key: column_width(key, self._board.widths) for key in (*shown, *usual)},
            own=(*self._desk.names.own, *self._desk.names.words),
            preview=self._board.preview_columns,
        )
        self._app.push_screen(screen, self._columns_chosen)

    async def _columns_chosen(self, choice: ColumnsChoice | None) -> None:
        from stockscan_tui.config import edit  # noqa: PLC0415 - tomlkit is needed here alone

        if choice is None:
            self._board.preview_columns(self._board.chosen_columns)
            return
        own = choice.columns == default_columns(self._board.size.width)
        columns = None if own else choice.columns
        self._board.choose_columns(columns, choice.widths)
        listed = self._ranking.list
        path = self._desk.config

        def change() -> None:
            if listed is not None:
                edit.set_columns(path, listed.key or listed.name, columns or ())
            for key, width in choice.widths.items():
                edit.set_width(path, key, width)

        await self.keep(change)

    # --- watchlists -----------------------------------------------------------------------------

    async def toggle_watch(self, snapshot: Snapshot) -> None:
        """Put the selected symbol on the current watchlist, or take it off."""
        row, lists = self._ranking.selected, self._desk.watchlists
        if row is None or lists is None:
            return
        symbol, name = snapshot.symbols[row], self._watchlist
        try:
            on = await asyncio.to_thread(lists.toggle, name, symbol)
        except StockscanError as error:
            self._board.say(str(error))
            return
        await self._know_own()
        self._board.say(f"{symbol} is {'on' if on else 'off'} the watchlist {name}")

    def choose_watchlist(self) -> None:
        """Let the user choose, make and change watchlists."""
        from stockscan_tui.ui.screens.watchlists import WatchlistsScreen  # noqa: PLC0415

        if self._desk.watchlists is not None:
            screen = WatchlistsScreen(self._desk.watchlists, self._watchlist)
            self._app.push_screen(screen, self._watchlist_chosen)

    async def _watchlist_chosen(self, name: str | None) -> None:
        from stockscan_tui.config import edit  # noqa: PLC0415 - tomlkit is needed here alone

        if name is not None and name != self._watchlist:
            self._watchlist = name
            await self.keep(lambda: edit.set_watchlist(self._desk.config, name))
        await self._know_own()

    async def _know_own(self) -> None:
        try:
            own = await asyncio.to_thread(self._desk.read_own, self._watchlist)
        except StockscanError as error:
            self._board.say(str(error))
            return
        self._app.know_own(own)

    # --- lists and filters ----------------------------------------------------------------------

    def save_list(self) -> None:
        """Let the user save filter and order as a list, or the filter under a name."""
        from stockscan_tui.ui.screens.save_list import SaveListScreen  # noqa: PLC0415

        ranking = self._ranking
        listed = ranking.picker.listed.text
        chosen = ranking.chosen.text
        both = f"({listed}) and ({chosen})" if listed and chosen else listed or chosen
        draft = Toplist("", "", ranking.key, ranking.ascending, both, self._board.chosen_columns)
        self._app.push_screen(
            SaveListScreen(draft, self._board.lists, self._board.filters), self._saved
        )

    async def _saved(self, choice: SaveChoice | None) -> None:
        from stockscan_tui.config import edit  # noqa: PLC0415 - tomlkit is needed here alone

        if choice is None:
            return
        path, listed = self._desk.config, choice.toplist
        if listed is not None:
            self._board.choose(parse(""))
            self._board.add_list(listed)
            await self.keep(lambda: edit.save_list(path, listed))
            self._board.say(f"saved as list {listed.key or listed.name}")
        elif choice.filter_name:
            text = self._ranking.chosen.text
            self._board.save_filter(choice.filter_name, text)
            await self.keep(lambda: edit.save_filter(path, choice.filter_name, text))
            self._board.say(f"saved as @{choice.filter_name}")

    # --- copies and exports ---------------------------------------------------------------------

    def copy(self, snapshot: Snapshot, now_s: float) -> None:
        """Copy the selected symbol; a second time at once, its row."""
        row = self._ranking.selected
        if row is None:
            return
        symbol = snapshot.symbols[row]
        again = now_s - self._copied_s < COPY_AGAIN_S
        self._copied_s = now_s
        if not again:
            self._app.copy_to_clipboard(symbol)
            self._board.say(f"copied {symbol} · y again copies the row")
            return
        cells = [column.cell(float(values_of(column.key, snapshot)[row])).strip()
                 for column in self._board.columns]  # fmt: skip
        self._app.copy_to_clipboard("\t".join([symbol, *cells]))
        self._board.say(f"copied the row of {symbol}")

    def export(self, snapshot: Snapshot) -> None:
        """Let the user write what is shown to a file."""
        from stockscan_tui.ui.screens.export import ExportScreen  # noqa: PLC0415

        listed = self._ranking.list
        name = listed.name.replace(" ", "-") if listed is not None else "board"
        when: datetime = new_york_time(snapshot.event_ns)
        default = Path.cwd() / f"stockscan-{name}-{when:%Y%m%d-%H%M%S}.csv"

        async def write(path: Path | None) -> None:
            if path is not None:
                await self._write(path, snapshot)

        self._app.push_screen(ExportScreen(default, name), write)

    async def _write(self, path: Path, snapshot: Snapshot) -> None:
        rows = self._ranking.rows
        keys = [column.key for column in self._board.columns]
        picture = self._app.export_screenshot() if path.suffix == ".svg" else ""
        said = await write_view(path, picture, lambda: table_of(snapshot, rows, keys))
        self._board.say(said)


def table_of(
    snapshot: Snapshot, rows: np.ndarray[tuple[int], np.dtype[np.int64]], keys: list[MetricKey]
) -> Mapping[str, list[str] | np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return symbols and metrics of some rows, whole numbers and all, by the metrics' names."""
    table: dict[str, list[str] | np.ndarray[tuple[int], np.dtype[np.float64]]] = {
        "symbol": [snapshot.symbols[row] for row in rows.tolist()]
    }
    for key in keys:
        words = snapshot.words.get(key.name)
        if words is None:
            table[str(key)] = values_of(key, snapshot)[rows]
        else:
            codes = words.code[rows].tolist()
            table[str(key)] = [words.names[code] if code >= 0 else "" for code in codes]
    return table
