"""Puts together what the config, the arguments and the user's files say about lists and filters."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from stockscan_tui.cli.parser import DATASET
from stockscan_tui.config import Config, cache_folder, live_database, watchlists_folder
from stockscan_tui.errors import UsageError
from stockscan_tui.sim.place import demo_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stockscan_tui.config.rules import RulesFile
    from stockscan_tui.market.indicator import IndicatorKey
    from stockscan_tui.market.user_data import Own, OwnTable
    from stockscan_tui.scan.expression import Names
    from stockscan_tui.scan.picking import Picker
    from stockscan_tui.scan.rules import Rule
    from stockscan_tui.scan.watchlists import Watchlists
    from stockscan_tui.ui.desk import Desk
    from stockscan_tui.ui.ruling import DryRun, Outcome


def sort_of(given: argparse.Namespace) -> tuple[str, bool]:
    """Return the metric of `--sort`, empty where it is not given, and whether smallest is first."""
    name, _, direction = (given.sort or "").partition(":")
    if direction not in ("", "asc"):
        raise UsageError(f"--sort takes METRIC or METRIC:asc, not {given.sort!r}.")
    return name, direction == "asc"


def desk_of(given: argparse.Namespace, config: Config) -> Desk:
    """Return what the screen begins with.

    Raises:
        UsageError: A filter, a list, or the user's table cannot be read.
    """
    from stockscan_tui.market.metrics import parse_metric  # noqa: PLC0415
    from stockscan_tui.scan.expression import parse  # noqa: PLC0415
    from stockscan_tui.scan.lists import Toplist, lists  # noqa: PLC0415
    from stockscan_tui.scan.watchlists import Watchlists  # noqa: PLC0415
    from stockscan_tui.ui.desk import Desk  # noqa: PLC0415

    table = _table(config)
    watchlists = Watchlists(watchlists_folder())
    names = _names(config, table, watchlists)
    every = lists(config.lists)
    metric, ascending = sort_of(given)
    start = None
    if metric:
        key = parse_metric(metric, (*names.own, *names.words))
        start = Toplist("", f"by {key}", key, ascending, "", None)
    known = (*names.own, *names.words)
    read_own = _reader(watchlists, table)
    return Desk(
        lists=every,
        start=start,
        chosen=parse(given.filter, names),
        gates=config.gates,
        names=names,
        widths={parse_metric(text, known): cells for text, cells in config.widths.items()},
        watchlists=watchlists,
        watchlist=config.watchlist,
        config=given.config,
        keeps=True,
        read_own=read_own,
        rules=rules_of(given, names),
        dry_run=_dry_run_of(given, config, names, read_own),
    )


def _dry_run_of(
    given: argparse.Namespace,
    config: Config,
    names: Names,
    read_own: Callable[[str], Own],
) -> DryRun | None:
    """Return what plays a rule over saved sessions; None where there are none.

    Those are the files of a replay, the demo's day, and of a live run what was captured before.
    """
    command = getattr(given, "command", "")
    database = live_database(getattr(given, "dataset", DATASET))
    files: tuple[Path, ...] = ()
    if command == "replay":
        files = tuple(given.files)
    elif command == "demo":
        files = (demo_path(cache_folder() / "demo", given.seed),)
    elif command == "live":
        database = given.db or database
    elif not database.is_file():
        return None

    def play(
        rule: Rule,
        *,
        told: Callable[[Outcome], None],
        progress: Callable[[float], None],
        cancelled: Callable[[], bool],
    ) -> None:
        from stockscan_tui.run.backtest import dry_run  # noqa: PLC0415

        dry_run(
            rule, database, files=files, prev_close=getattr(given, "prev_close", None),
            own=read_own(config.watchlist), gates=config.gates, names=names,
            told=told, progress=progress, cancelled=cancelled,
        )  # fmt: skip

    return play


def rules_of(given: argparse.Namespace, names: Names) -> RulesFile:
    """Return the rules file of a run; a demo without one has some rules of the library.

    Raises:
        UsageError: The file that `--rules` names cannot be read.
    """
    from stockscan_tui.config.rules import RulesFile, read_rules  # noqa: PLC0415
    from stockscan_tui.scan.rules.library import DEMO  # noqa: PLC0415

    path = getattr(given, "rules", None)
    if path is not None:
        read_rules(path, names)
    return RulesFile(path, names, DEMO if getattr(given, "command", "") == "demo" else ())


def names_of(config: Config) -> Names:
    """Return what the user's expressions may use besides metrics.

    Raises:
        UsageError: The user's table cannot be read.
    """
    from stockscan_tui.scan.watchlists import Watchlists  # noqa: PLC0415

    return _names(config, _table(config), Watchlists(watchlists_folder()))


def picker_of(given: argparse.Namespace, config: Config) -> tuple[Picker, Own]:
    """Return what chooses the symbols that are printed, and what is the user's own.

    The gates are off unless `--gates` is given.
    """
    from stockscan_tui.scan.picking import Picker  # noqa: PLC0415

    desk = desk_of(argparse.Namespace(**{**vars(given), "sort": None}), config)
    picker = Picker(desk.names, config.gates if given.gates else None)
    picker.chosen = desk.chosen
    return picker, desk.read_own(config.watchlist)


def indicators_of(picker: Picker, sort: str) -> frozenset[IndicatorKey]:
    """Return the indicators that conditions and order need."""
    from stockscan_tui.market.metrics import indicator_of, parse_metric  # noqa: PLC0415

    keys = {*picker.keys, parse_metric(sort, (*picker.names.own, *picker.names.words))}
    return frozenset(found for key in keys if (found := indicator_of(key)) is not None)


def _names(config: Config, table: OwnTable, watchlists: Watchlists) -> Names:
    from stockscan_tui.scan.expression import Names  # noqa: PLC0415

    return Names(
        own=tuple(table.numbers),
        words=tuple(table.texts),
        filters=dict(config.filters),
        watchlists=watchlists.names(),
    )


def _table(config: Config) -> OwnTable:
    from stockscan_tui.market.user_data import OwnTable  # noqa: PLC0415

    if config.table is None:
        return OwnTable()
    from stockscan_tui.market.metrics import REGISTRY  # noqa: PLC0415
    from stockscan_tui.scan.expression import RESERVED  # noqa: PLC0415
    from stockscan_tui.store.own_table import read_table  # noqa: PLC0415

    return read_table(config.table, taken=(*REGISTRY, *RESERVED))


def _reader(watchlists: Watchlists, table: OwnTable) -> Callable[[str], Own]:
    from stockscan_tui.market.user_data import Own  # noqa: PLC0415

    def read_own(current: str) -> Own:
        lists = {name: frozenset(watchlists.symbols(name)) for name in watchlists.names()}
        own = Own(watchlists=lists, table=table)
        return replace(own, watched=lists.get(current, frozenset()))

    return read_own
