"""Toplists: those on the keys 1 to 9, the watchlist on 0, and what the user made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import Session

if TYPE_CHECKING:
    from stockscan_tui.market.metrics import MetricKey

KEYS = tuple("1234567890")
COLORS = ("rise", "fall", "accent", "primary", "secondary", "warning", "faint")


@dataclass(frozen=True, slots=True)
class Toplist:
    """A list of symbols.

    Attributes:
        key: The digit that shows it; empty for none.
        name: What it is called.
        sort: The metric it is ordered by.
        ascending: Whether the smallest stands first.
        filter: The expression a symbol has to meet; empty for none.
        columns: Its columns in order; None for the board's own.
        color: The theme's colour of its name, one of COLORS; empty for the usual one.
    """

    key: str
    name: str
    sort: MetricKey
    ascending: bool
    filter: str
    columns: tuple[MetricKey, ...] | None
    color: str = ""


@dataclass(frozen=True, slots=True)
class ListSetting:
    """A list in words, or what the user says of one: None where nothing is said.

    The parts are those of `Toplist`, with metrics as text and no columns for the board's own;
    `line` is that of the config file, 0 for a list that is shipped.
    """

    key: str = ""
    name: str | None = None
    sort: str | None = None
    ascending: bool | None = None
    filter: str | None = None
    columns: tuple[str, ...] | None = None
    color: str | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ListTexts:
    """A list in words, every part of it known; `line` as in `ListSetting`."""

    key: str
    name: str
    sort: str = "chg"
    ascending: bool = False
    filter: str = ""
    columns: tuple[str, ...] = ()
    color: str = ""
    line: int = field(default=0, compare=False)


DEFAULT_LISTS = (
    ListTexts("1", "gainers", "chg"),
    ListTexts("2", "losers", "chg", ascending=True),
    ListTexts("3", "movers", "chg(5m)"),
    ListTexts("4", "rvol", "rvol"),
    ListTexts("5", "gappers", "gap"),
    ListTexts("6", "new highs", "chg", filter="high(5m) == high"),
    ListTexts("7", "new lows", "chg", ascending=True, filter="low(5m) == low"),
    ListTexts("8", "active", "dvol"),
    ListTexts("9", "after hours", "chg_post"),
    ListTexts("0", "watchlist", "chg", filter="watched"),
)
_STARTS = {Session.PRE: "5", Session.REGULAR: "1", Session.POST: "9", Session.CLOSED: "1"}


def start_key(session: Session) -> str:
    """Return the key of the list that the board starts on."""
    return _STARTS[session]


def merged(settings: Iterable[ListSetting] = ()) -> tuple[ListTexts, ...]:
    """Return the shipped lists as the user changed them, then the user's own, in words.

    A setting with a key changes the parts it names of the list on that key; with both a name and
    a sort it stands in its place.
    """
    shipped = {texts.key: texts for texts in DEFAULT_LISTS}
    own: list[ListTexts] = []
    for setting in settings:
        if setting.key:
            shipped[setting.key] = _changed(shipped[setting.key], setting)
        else:
            own.append(_changed(ListTexts("", ""), setting))
    return (*shipped.values(), *own)


def lists(settings: Iterable[ListSetting] = ()) -> tuple[Toplist, ...]:
    """Return all lists: those on 1 to 9 and 0, then the user's own.

    Raises:
        UsageError: A list names a metric that is not known.
    """
    return tuple(_toplist(texts) for texts in merged(settings))


def _changed(texts: ListTexts, setting: ListSetting) -> ListTexts:
    if setting.name is not None and setting.sort is not None:
        texts = ListTexts(texts.key, texts.name)
    columns = setting.columns
    return replace(
        texts,
        name=texts.name if setting.name is None else setting.name,
        sort=texts.sort if setting.sort is None else setting.sort,
        ascending=texts.ascending if setting.ascending is None else setting.ascending,
        filter=texts.filter if setting.filter is None else setting.filter,
        columns=texts.columns if columns is None else columns,
        color=texts.color if setting.color is None else setting.color,
        line=setting.line,
    )


def _toplist(texts: ListTexts) -> Toplist:
    from stockscan_tui.market.metrics import parse_metric  # noqa: PLC0415

    try:
        return Toplist(
            key=texts.key,
            name=texts.name,
            sort=parse_metric(texts.sort),
            ascending=texts.ascending,
            filter=texts.filter,
            columns=tuple(parse_metric(column) for column in texts.columns) or None,
            color=texts.color,
        )
    except UsageError as error:
        where = f", line {texts.line} of the config" if texts.line else ""
        raise UsageError(f"The list {texts.name!r}{where}: {error}") from error
