"""The settings: each is defined once, with its sentence, its default and how it is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stockscan_tui.config import checks
from stockscan_tui.config.lines import KeyPath
from stockscan_tui.config.places import KEEP_REPLAYS
from stockscan_tui.scan.gates import SHIPPED, Gates
from stockscan_tui.scan.lists import ListSetting

MARKS = ("auto", "trade", "mid")
TAPE_VOLUMES = ("auto", "on", "off")
_MANY = range(1, 1_000_001)


@dataclass(frozen=True, slots=True)
class Config:
    """What is in effect: the defaults, the config file over them, the environment over both.

    Attributes:
        theme: The screen's theme.
        mark: What the mark is made from; one of MARKS.
        keep_replays: How many replay databases are kept.
        max_cost_usd: What one historical request may cost.
        keep_bars: For how many days bars are kept, and what belongs to them.
        keep_alerts: For how many days alerts are kept.
        keep_recordings: For how many days recordings are kept.
        tape_volume: Whether live runs ask for the whole tape's volume; one of TAPE_VOLUMES.
        table: The user's own table; None for none.
        watchlist: The current watchlist's name.
        gates: What keeps noise off the board.
        filters: Saved filters, by the name that stands after @.
        lists: What the user says of lists, in order.
        widths: Cells of a column, by metric.
        splits: Tables of `symbol`, `ex_date` and `ratio`.
        renames: New symbols by old ones.
    """

    theme: str = "stockscan-dark"
    mark: str = "auto"
    keep_replays: int = KEEP_REPLAYS
    max_cost_usd: float = 0.0
    keep_bars: int = 365
    keep_alerts: int = 365
    keep_recordings: int = 30
    tape_volume: str = "auto"
    table: Path | None = None
    watchlist: str = "main"
    gates: Gates = SHIPPED
    filters: Mapping[str, str] = field(default_factory=dict)
    lists: Sequence[ListSetting] = ()
    widths: Mapping[str, int] = field(default_factory=dict)
    splits: Sequence[Mapping[str, object]] = ()
    renames: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of config.toml.

    Attributes:
        name: Its name there; in capitals after STOCKSCAN_ its variable, if it can have one.
        doc: What it is, in words for whoever edits the file.
        read: Checks its value, given the path to it; raises checks.RefusedError.
        from_text: Makes the value of a variable's text; None for tables, which have no variable.
            Raises ValueError.
    """

    name: str
    doc: str
    read: Callable[[object, KeyPath], object]
    from_text: Callable[[str], object] | None = None

    @property
    def variable(self) -> str:
        """Return the name of its environment variable."""
        return f"STOCKSCAN_{self.name.upper()}"


def _gates(value: object, path: KeyPath) -> Gates:
    given = checks.table(value, path, ("pre", "regular", "post"))
    return Gates(**{name: checks.text(text, (*path, name)) for name, text in given.items()})


SETTINGS = (
    Setting(
        "theme",
        "The colours: stockscan-dark, stockscan-light, stockscan-clear, or a theme of Textual's.",
        checks.title,
        str,
    ),
    Setting(
        "mark",
        "What the price to go by is made from: auto (tight quotes, else trades), trade or mid.",
        lambda value, path: checks.choice(value, path, MARKS),
        str,
    ),
    Setting(
        "keep_replays",
        "How many replay databases are kept in the cache folder.",
        lambda value, path: checks.whole(value, path, _MANY),
        int,
    ),
    Setting(
        "max_cost_usd",
        "What one historical request may cost beyond the plan, in dollars.",
        checks.amount,
        float,
    ),
    Setting(
        "keep_bars",
        "For how many days live databases keep bars and what belongs to them. What is older goes "
        "while the market is closed.",
        checks.days,
        str,
    ),
    Setting("keep_alerts", "For how many days they keep alerts.", checks.days, str),
    Setting(
        "keep_recordings",
        "For how many days recordings (--record) are kept, by the dates in their names.",
        checks.days,
        str,
    ),
    Setting(
        "tape_volume",
        "Whether live runs of EQUS.MINI ask a second session, of EQUS.SUMMARY, for the volume of "
        "the whole tape: auto (from Databento's own gateway), on (from another one, too) or off. "
        "It is the larger stream of the two: a record for each trade in the US.",
        lambda value, path: checks.choice(value, path, TAPE_VOLUMES),
        str,
    ),
    Setting(
        "table",
        "A table of your own, CSV or Parquet with a column symbol: its columns become metrics. "
        "A relative path is relative to this file.",
        checks.text,
        str,
    ),
    Setting("watchlist", "The current watchlist, on key 0.", checks.watchlist, str),
    Setting(
        "gates",
        "What a symbol has to meet to be on the board, by session (x lifts it); an empty text lets "
        "all through. As shipped, volumes are 25 times as much on datasets with the whole tape.",
        _gates,
    ),
    Setting("filters", 'Saved filters: low = "mark < 5" is @low in a filter.', checks.filters),
    Setting("widths", 'Widths of columns in cells: "chg(5m)" = 8.', checks.widths),
    Setting(
        "list",
        "Lists. One with a key (0-9) changes the parts it names of the list that is shipped on it, "
        "or stands in its place if it has both name and sort. order is largest or smallest first; "
        "no columns are the board's own.",
        checks.toplists,
    ),
    Setting("renames", 'Renamed symbols, where no service tells: OLD = "NEW".', checks.table),
    Setting(
        "splits",
        "Splits, where no service tells: symbol, ex_date, and ratio (new shares for an old one).",
        checks.tables,
    ),
)
