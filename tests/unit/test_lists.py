"""Lists and gates: what is shipped, what the user makes of it, and where the board starts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stockscan_tui.errors import UsageError
from stockscan_tui.market.calendar import Session
from stockscan_tui.market.metrics import MetricKey
from stockscan_tui.scan.gates import SHIPPED, Gates, gate_text
from stockscan_tui.scan.lists import (
    COLORS,
    DEFAULT_LISTS,
    ListSetting,
    lists,
    merged,
    start_key,
)


def test_the_digits_are_the_shipped_lists() -> None:
    shipped = {toplist.key: toplist for toplist in lists()}
    assert "".join(shipped) == "1234567890"
    assert [str(shipped[key].sort) for key in "12345890"] == [
        *("chg", "chg", "chg(5m)", "rvol", "gap", "dvol", "chg_post", "chg")
    ]
    assert {key for key, toplist in shipped.items() if toplist.ascending} == {"2", "7"}
    assert {key: toplist.filter for key, toplist in shipped.items() if toplist.filter} == {
        "6": "high(5m) == high",
        "7": "low(5m) == low",
        "0": "watched",
    }
    assert all(toplist.columns is None for toplist in shipped.values())


@pytest.mark.parametrize(
    ("session", "key"),
    [(Session.PRE, "5"), (Session.REGULAR, "1"), (Session.POST, "9"), (Session.CLOSED, "1")],
)
def test_the_board_starts_on_the_list_of_its_session(session: Session, key: str) -> None:
    assert start_key(session) == key
    assert any(texts.key == key for texts in DEFAULT_LISTS)


def test_a_setting_with_a_key_changes_the_parts_it_names() -> None:
    change = ListSetting(key="7", columns=("mark", "chg(5m)"), color=COLORS[1])
    changed = merged([change])[6]
    assert changed == replace(DEFAULT_LISTS[6], columns=("mark", "chg(5m)"), color=COLORS[1])
    assert lists([change])[6].columns == (MetricKey("mark"), MetricKey("chg", 5))


def test_a_setting_with_name_and_sort_stands_in_a_lists_place() -> None:
    replaced = lists([ListSetting(key="7", name="dear", sort="mark")])[6]
    assert (replaced.name, replaced.filter, replaced.ascending) == ("dear", "", False)


def test_own_lists_follow_the_shipped_ones() -> None:
    own = lists(
        [ListSetting(name="b", ascending=True), ListSetting(key="1"), ListSetting(name="a")]
    )
    assert [toplist.name for toplist in own[10:]] == ["b", "a"]
    assert (str(own[10].sort), own[10].ascending, own[10].key) == ("chg", True, "")


def test_a_metric_that_is_not_known_is_said_with_list_and_line() -> None:
    for wrong in (
        ListSetting(name="x", sort="chgg", line=7),
        ListSetting("1", columns=("q",), line=7),
    ):
        with pytest.raises(UsageError, match=r"The list '.+', line 7 of the config: No metric"):
            lists([wrong])


def test_volumes_of_shipped_gates_are_25_times_as_much_on_the_full_tape() -> None:
    assert "spread_pct > 3 and not trades < 20 and dvol >= 25k" in gate_text(
        Session.REGULAR, "EQUS.MINI"
    )
    assert "spread_pct > 5 and not trades < 5 and dvol >= 5k" in gate_text(Session.PRE, "EQUS.MINI")
    assert "spread_pct > 3 and not trades < 20 and dvol >= 625k" in gate_text(
        Session.REGULAR, "XNAS.ITCH"
    )
    assert "not trades < 5 and dvol >= 125k" in gate_text(Session.POST, "DBEQ.BASIC")


def test_a_gate_of_the_users_stays_as_it_is() -> None:
    gates = Gates(pre="", regular="mark > 5")
    for dataset in ("EQUS.MINI", "XNAS.ITCH"):
        assert gate_text(Session.PRE, dataset, gates) == ""
        assert gate_text(Session.CLOSED, dataset, gates) == "mark > 5"
    assert gate_text(Session.POST, "EQUS.MINI", gates) == SHIPPED.post
